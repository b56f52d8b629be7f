// SPDX-License-Identifier: BSD-3-Clause
// What a registrar reads in a REGISTER: one walk over the headers. Any thread; borrows, never
// allocates.
#include "low.h"
#include "regate/err.h"
#include "scan.h"
#include "value.h"

#define MALFORMED_EXPIRES_S 3600 // RFC 3261 20.10

static int take_via(struct sip_register *r, struct rg_slice value) {
	struct rg_slice top;

	if (r->via.host.len > 0) // only the topmost
		return RG_OK;
	if (!sip_list_next(&value, &top))
		return RG_E_PROTO;
	return sip_via_parse(top, &r->via);
}

// From and To: the URI and the tag.
static int take_party(struct rg_slice value, struct rg_slice *uri, struct rg_slice *tag) {
	struct sip_nameaddr n;
	struct sip_pv pv;
	int rc;

	if (sip_nameaddr_head(value, &n) < 0)
		return RG_E_PROTO;
	while ((rc = sip_param_next(&n.params, &pv)) == RG_MORE) {
		if (!SIP_IS(pv.name, "tag"))
			continue;
		if (tag->len > 0 || pv.value.len == 0)
			return RG_E_PROTO;
		*tag = pv.value;
	}
	*uri = n.uri;
	return rc;
}

// Every Contact element is counted; the first is kept.
static int take_contact(struct sip_register *r, struct rg_slice value) {
	struct rg_slice element;

	if (value.len == 0)
		return RG_E_PROTO;
	while (sip_list_next(&value, &element)) {
		if (element.len == 0)
			return RG_E_PROTO;
		if (r->n_contacts++ == 0)
			r->contact = element;
	}
	return RG_OK;
}

// One parameter of the Contact. A parameter stands once (RFC 3261 7.3.1).
static int take_contact_param(struct sip_register *r, const struct sip_pv *pv, bool *has_expires) {
	if (SIP_IS(pv->name, "expires")) {
		if (*has_expires)
			return RG_E_PROTO;
		*has_expires = true;
		if (!sip_seconds(pv->value, &r->expires))
			r->expires = MALFORMED_EXPIRES_S;
	} else if (SIP_IS(pv->name, "reg-id")) { // RFC 5626 11.1: 1 to 2^31-1
		if (r->reg_id != 0 || !sip_seconds(pv->value, &r->reg_id) || r->reg_id == 0 ||
		    r->reg_id > INT32_MAX)
			return RG_E_PROTO;
	} else if (SIP_IS(pv->name, "+sip.instance")) {
		if (r->instance.len > 0 || pv->value.len < 3 || *pv->value.p != '"')
			return RG_E_PROTO;
		r->instance = pv->value;
	}
	return RG_OK;
}

// The one Contact, once all headers are read.
static int parse_contact(struct sip_register *r) {
	struct rg_slice params;
	struct sip_nameaddr n;
	bool has_expires = false;
	struct sip_pv pv;
	struct sip_uri u;
	int rc;

	if (sip_nameaddr_head(r->contact, &n) < 0)
		return RG_E_PROTO;
	if (sip_is_sip_uri(n.uri) && sip_uri_parse(n.uri, &u) < 0)
		return RG_E_PROTO;
	r->contact_uri = n.uri;
	r->contact_params = params = n.params;
	while ((rc = sip_param_next(&params, &pv)) == RG_MORE) {
		rc = take_contact_param(r, &pv, &has_expires);
		if (rc < 0)
			return rc;
	}
	r->has_expires |= has_expires;
	return rc;
}

// "*" stands alone and removes everything (RFC 3261 10.2.2).
static int check_contacts(struct sip_register *r) {
	if (r->n_contacts == 0)
		return RG_OK;
	if (rg_eq(r->contact, RG_LIT("*"))) {
		r->is_star = true;
		return r->n_contacts == 1 && r->has_expires && r->expires == 0 ? RG_OK : RG_E_PROTO;
	}
	return r->n_contacts > 1 ? RG_E_UNSUPPORTED : parse_contact(r);
}

// b64token of RFC 6750 2.1: at least one character, then any number of "=".
static bool is_b64token(struct rg_slice s) {
	while (s.len > 0 && s.p[s.len - 1] == '=')
		s.len--;
	return s.len > 0 && sip_span(&SIP_B64, s) == s.len;
}

// access_token="..." among the parameters of the credentials (3GPP TS 24.371 A.3.2).
static struct rg_slice access_token(struct rg_slice params) {
	struct rg_slice element, found = {NULL, 0};

	while (sip_list_next(&params, &element)) {
		size_t n = sip_span(&SIP_TOKEN, element);
		struct rg_slice value = sip_skip_ws(rg_skip(element, n));

		if (value.len == 0 || *value.p != '=')
			return rg_slice(NULL, 0);
		if (!rg_ieq(rg_slice(element.p, n), RG_LIT("access_token")))
			continue;
		value = sip_skip_ws(rg_skip(value, 1));
		if (found.len > 0 || value.len < 3 || *value.p != '"' ||
		    sip_quoted_len(value) != value.len)
			return rg_slice(NULL, 0);
		found = rg_slice(value.p + 1, value.len - 2);
	}
	return found;
}

// Credentials of another scheme are none of ours. A Bearer token that is malformed counts, with
// len 0: it is answered like a bad token, not like none.
static void take_authorization(struct sip_register *r, struct rg_slice value) {
	struct rg_slice token;

	if (value.len < 6 || !sip_low_eq(value.p, "bearer", 6))
		return;
	value = rg_skip(value, 6);
	token = sip_skip_ws(value);
	if (value.len > 0 && token.p == value.p) // a longer word
		return;
	if (r->n_bearer++ > 0)
		return;
	if (!is_b64token(token)) {
		token = access_token(token);
		if (!is_b64token(token))
			return;
	}
	r->bearer = token;
}

// Option tags are tokens, so whatever is none separates them.
static void take_supported(struct sip_register *r, struct rg_slice value) {
	while (value.len > 0) {
		struct rg_slice option = rg_slice(value.p, sip_span(&SIP_TOKEN, value));

		r->has_outbound |= SIP_IS(option, "outbound");
		r->has_path |= SIP_IS(option, "path");
		value = rg_skip(value, option.len + 1);
	}
}

static int take_header(struct sip_register *r, const struct sip_hdr *h) {
	struct rg_slice method;

	switch (h->id) {
	case SIP_HDR_VIA:
		return take_via(r, h->value);
	case SIP_HDR_FROM:
		return take_party(h->value, &r->from_uri, &r->from_tag);
	case SIP_HDR_TO:
		return take_party(h->value, &r->to_uri, &r->to_tag);
	case SIP_HDR_CALL_ID:
		r->call_id = h->value;
		return RG_OK;
	case SIP_HDR_CSEQ:
		return sip_cseq_parse(h->value, &r->cseq, &method);
	case SIP_HDR_CONTACT:
		return take_contact(r, h->value);
	case SIP_HDR_EXPIRES:
		r->has_expires = true;
		return sip_seconds(h->value, &r->expires) ? RG_OK : RG_E_PROTO;
	case SIP_HDR_AUTHORIZATION:
		take_authorization(r, h->value);
		return RG_OK;
	case SIP_HDR_SUPPORTED:
		take_supported(r, h->value);
		return RG_OK;
	default:
		return RG_OK;
	}
}

int sip_register_parse(const struct sip_msg *m, struct sip_register *r) {
	struct sip_register out = {.msg = m};
	int rc;

	if (!m->is_request || m->method != SIP_REGISTER)
		return RG_E_PROTO;
	for (unsigned i = 0; i < m->n_hdrs; i++) {
		rc = take_header(&out, &m->hdrs[i]);
		if (rc < 0)
			return rc;
	}
	if (out.from_tag.len == 0) // RFC 3261 8.1.1.3
		return RG_E_PROTO;
	rc = check_contacts(&out);
	if (rc == RG_OK)
		*r = out;
	return rc;
}

// Without the line breaks of a folded value; the blanks behind them stay.
static void put_unfolded(struct rg_wr *out, struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			rg_putc(out, (char)s.p[i]);
}

void sip_put_contact_key(struct rg_wr *out, const struct sip_register *r) {
	struct rg_slice params = r->contact_params;
	struct sip_nameaddr n;
	struct sip_pv pv;

	if (sip_nameaddr_head(r->contact, &n) < 0) // "*" or none
		return;
	if (n.display.len > 0) {
		put_unfolded(out, n.display);
		rg_putc(out, ' ');
	}
	rg_putc(out, '<');
	rg_put(out, n.uri);
	rg_putc(out, '>');
	while (sip_param_next(&params, &pv) == RG_MORE) {
		if (SIP_IS(pv.name, "expires"))
			continue;
		rg_putc(out, ';');
		rg_put(out, pv.name);
		if (pv.value.len > 0) {
			rg_putc(out, '=');
			put_unfolded(out, pv.value);
		}
	}
}
