// SPDX-License-Identifier: BSD-3-Clause
// Reads the core's 200 to a REGISTER and writes what of it the client gets (ims.md 1.6). Control
// loop; the Contact of the client's 200 is never made from these bytes (ims.md 0.5).
#include "ims/message.h"
#include "regate/err.h"

static bool leading_u32(struct rg_slice s, uint32_t *out) {
	uint64_t v;
	size_t n = 0;

	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	if (n == 0)
		return false;
	// Larger than the field can hold means "very long" (RFC 3261 20.19).
	*out = rg_parse_u64(rg_slice(s.p, n), &v) && v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
	return true;
}

bool message_seconds(const struct sip_msg *m, enum sip_hdr_id id, uint32_t *out) {
	const struct sip_hdr *h = sip_hdr_first(m, id);

	return h != NULL && leading_u32(h->value, out);
}

static uint32_t contact_expires(const struct contact *c, uint32_t otherwise) {
	struct rg_slice v;
	uint32_t s;

	if (!sip_param(c->params, RG_LIT("expires"), &v))
		return otherwise;
	if (v.len > 0 && *v.p == '"')
		v = rg_skip(v, 1);
	return leading_u32(v, &s) ? s : otherwise;
}

static void add_foreign(struct message_granted *g, const struct contact *c) {
	if (g->n_foreign < MESSAGE_MAX_REMOVED)
		g->foreign[g->n_foreign++] = *c;
}

// Ours by URI, else by flow: a registrar that goes by instance may have kept an older URI, and one
// that goes by URI may list the same instance twice.
static bool is_any_uri_eq(const struct sip_msg *m, const struct contact *ours) {
	struct rg_slice list, element;
	struct contact c;

	for (const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_CONTACT); h != NULL;
	     h = sip_hdr_next(m, h)) {
		list = h->value;
		while (sip_list_next(&list, &element))
			if (contact_parse(element, &c) == RG_OK && contact_uri_eq(c.uri, ours->uri))
				return true;
	}
	return false;
}

void message_parse_granted(const struct sip_msg *m, const struct contact *ours, uint32_t requested,
			   struct message_granted *out) {
	bool by_uri = is_any_uri_eq(m, ours);
	struct rg_slice list, element;
	uint32_t otherwise = requested, expires;
	struct contact c;

	*out = (struct message_granted){0};
	(void)message_seconds(m, SIP_HDR_EXPIRES, &otherwise);
	for (const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_CONTACT); h != NULL;
	     h = sip_hdr_next(m, h)) {
		list = h->value;
		while (sip_list_next(&list, &element)) {
			if (contact_parse(element, &c) != RG_OK)
				continue;
			expires = contact_expires(&c, otherwise);
			if (expires == 0)
				continue;
			if (by_uri ? !contact_uri_eq(c.uri, ours->uri)
				   : !contact_flow_eq(&c, ours)) {
				add_foreign(out, &c);
				continue;
			}
			out->is_bound = true;
			out->expires = expires;
		}
	}
}

// All headers of that id, one line each. True when there was one.
static bool put_all(struct rg_wr *w, const struct sip_msg *m, enum sip_hdr_id id,
		    const char *name) {
	const struct sip_hdr *h = sip_hdr_first(m, id);
	bool is_any = h != NULL;

	for (; h != NULL; h = sip_hdr_next(m, h)) {
		rg_puts(w, name);
		rg_puts(w, ": ");
		contact_put_line(w, h->value);
		rg_puts(w, "\r\n");
	}
	return is_any;
}

static bool lists(const struct sip_msg *m, enum sip_hdr_id id, struct rg_slice tag) {
	struct rg_slice list, element;

	for (const struct sip_hdr *h = sip_hdr_first(m, id); h != NULL; h = sip_hdr_next(m, h)) {
		list = h->value;
		while (sip_list_next(&list, &element))
			if (rg_ieq(rg_trim(element), tag))
				return true;
	}
	return false;
}

void message_put_client_lines(struct rg_wr *w, const struct sip_msg *m, struct rg_slice own_path,
			      bool has_ob) {
	put_all(w, m, SIP_HDR_SERVICE_ROUTE, "Service-Route"); // RFC 3608: order kept
	put_all(w, m, SIP_HDR_P_ASSOCIATED_URI, "P-Associated-URI");
	if (!put_all(w, m, SIP_HDR_PATH, "Path")) {
		rg_puts(w, "Path: ");
		rg_put(w, own_path);
		rg_puts(w, "\r\n");
	}
	rg_puts(w, "Supported: path, outbound\r\n");
	// RFC 5626 6: said exactly when outbound processing took place.
	if (has_ob || lists(m, SIP_HDR_REQUIRE, RG_LIT("outbound")))
		rg_puts(w, "Require: outbound\r\n");
}

bool message_other_id(const struct sip_msg *m, const char *impu, unsigned i, struct rg_slice *uri) {
	struct rg_slice list, element;
	struct contact c;

	for (const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_P_ASSOCIATED_URI); h != NULL;
	     h = sip_hdr_next(m, h)) {
		list = h->value;
		while (sip_list_next(&list, &element))
			if (contact_parse(element, &c) == RG_OK &&
			    rg_is_prefix(c.uri, RG_LIT("sip:")) &&
			    !contact_uri_eq(c.uri, rg_str(impu)) && i-- == 0) {
				*uri = c.uri;
				return true;
			}
	}
	return false;
}

unsigned message_count_other_ids(const struct sip_msg *m, const char *impu) {
	struct rg_slice uri;
	unsigned n = 0;

	while (message_other_id(m, impu, n, &uri))
		n++;
	return n;
}
