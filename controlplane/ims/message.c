// SPDX-License-Identifier: BSD-3-Clause
// Writes the REGISTER of ims.md 1.5. Control loop; nothing of the client's message but its Contact
// gets in, so no Authorization, P-Asserted-Identity, Security-Client or Route of a client ever does.
#include "ims/message.h"

#define MAC_LEN 4

void message_put_handle(struct rg_wr *w, struct rg_digester *d, uint32_t idx, uint64_t gen) {
	struct rg_digest mac;
	size_t start = w->len;

	rg_putc(w, 'l');
	rg_put_u64(w, idx);
	rg_puts(w, ".g");
	rg_put_u64(w, gen);
	if (w->overflow)
		return;
	rg_token_digest(d, rg_slice(w->p + start, w->len - start), &mac);
	rg_putc(w, '.');
	rg_put_hex(w, rg_slice(mac.b, MAC_LEN));
}

bool message_read_handle(struct rg_slice handle, struct rg_digester *d, uint32_t *idx,
			 uint64_t *gen) {
	struct rg_slice rest = handle, part[2];
	uint8_t buf[64];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	uint64_t i;

	for (unsigned n = 0; n < 2; n++) {
		const uint8_t *dot = rest.len == 0 ? NULL : memchr(rest.p, '.', rest.len);

		if (dot == NULL || *rest.p != (uint8_t) "lg"[n])
			return false;
		part[n] = rg_slice(rest.p + 1, (size_t)(dot - rest.p) - 1);
		rest = rg_skip(rest, (size_t)(dot - rest.p) + 1);
	}
	if (!rg_parse_u64(part[0], &i) || i > UINT32_MAX || !rg_parse_u64(part[1], gen))
		return false;
	*idx = (uint32_t)i;
	message_put_handle(&w, d, *idx, *gen);
	return rg_eq(rg_wr_slice(&w), handle);
}

void message_put_path(struct rg_wr *w, const struct message_register *r) {
	rg_puts(w, "<sip:");
	rg_put(w, r->handle);
	rg_putc(w, '@');
	rg_puts(w, r->conf->core.host);
	rg_puts(w, r->conf->core.is_udp ? ";transport=udp" : ";transport=tcp");
	rg_puts(w, r->has_ob ? ";lr;ob>" : ";lr>"); // ob: RFC 5626 5.1
}

static void put_line(struct rg_wr *w, const char *name, struct rg_slice value) {
	rg_puts(w, name);
	rg_puts(w, ": ");
	contact_put_line(w, value);
	rg_puts(w, "\r\n");
}

static void put_line_u32(struct rg_wr *w, const char *name, uint32_t value) {
	rg_puts(w, name);
	rg_puts(w, ": ");
	rg_put_u64(w, value);
	rg_puts(w, "\r\n");
}

static void put_via(struct rg_wr *w, const struct message_register *r) {
	rg_puts(w, r->is_udp ? "Via: SIP/2.0/UDP " : "Via: SIP/2.0/TCP ");
	rg_puts(w, r->conf->core.host);
	rg_puts(w, ";branch=");
	rg_put(w, r->branch);
	// core.local may have any port, and then only the source address is right (RFC 3581).
	rg_puts(w, r->is_udp ? ";rport\r\n" : "\r\n");
}

static void put_ids(struct rg_wr *w, const struct message_register *r) {
	rg_puts(w, "From: <");
	rg_puts(w, r->impu);
	rg_puts(w, ">;tag=");
	rg_put(w, r->from_tag);
	rg_puts(w, "\r\nTo: <");
	rg_puts(w, r->impu);
	rg_puts(w, ">\r\n");
	put_line(w, "Call-ID", r->call_id);
	rg_puts(w, "CSeq: ");
	rg_put_u64(w, r->cseq);
	rg_puts(w, " REGISTER\r\n");
}

static void put_contact(struct rg_wr *w, struct rg_slice element, uint32_t expires) {
	rg_puts(w, "Contact: ");
	contact_put_line(w, element);
	rg_puts(w, ";expires=");
	rg_put_u64(w, expires);
	rg_puts(w, "\r\n");
}

static void put_contacts(struct rg_wr *w, const struct message_register *r) {
	if (r->is_star)
		rg_puts(w, "Contact: *\r\n");
	if (r->contact.len > 0)
		put_contact(w, r->contact, r->expires);
	for (unsigned i = 0; i < r->n_removed; i++)
		put_contact(w, r->removed[i], 0);
	put_line_u32(w, "Expires", r->expires);
}

// "host:port" without the port; brackets of an IPv6 address stay.
static struct rg_slice host_part(const char *host) {
	struct rg_slice s = rg_str(host);

	for (size_t i = s.len; i > 0 && s.p[i - 1] != ']'; i--)
		if (s.p[i - 1] == ':')
			return rg_slice(s.p, i - 1);
	return s;
}

static void put_charging(struct rg_wr *w, const struct message_register *r) {
	rg_puts(w, "P-Visited-Network-ID: \""); // RFC 7315 4.3
	rg_puts(w, r->conf->core.visited_network);
	rg_puts(w, "\"\r\nP-Charging-Vector: icid-value=\""); // RFC 7315 4.6
	rg_put(w, r->icid);
	rg_puts(w, "\";icid-generated-at=");
	rg_put(w, host_part(r->conf->core.host));
	rg_puts(w, "\r\n");
}

// Trusted Node Authentication (33.203 Annex U): realm must be the domain of To (ims.md 0.2).
static void put_authorization(struct rg_wr *w, const struct message_register *r) {
	rg_puts(w, "Authorization: Digest username=\"");
	rg_puts(w, r->impi);
	rg_puts(w, "\", realm=\"");
	rg_puts(w, r->conf->reg.domain);
	rg_puts(w, "\", uri=\"sip:");
	rg_puts(w, r->conf->reg.domain);
	rg_puts(w, "\", nonce=\"\", response=\"\", integrity-protected=\"");
	rg_puts(w, r->conf->core.integrity_protected);
	rg_puts(w, "\"\r\n");
}

void message_put_register(struct rg_wr *w, const struct message_register *r) {
	rg_puts(w, "REGISTER sip:");
	rg_puts(w, r->conf->reg.domain);
	rg_puts(w, " SIP/2.0\r\n");
	put_via(w, r);
	rg_puts(w, "Max-Forwards: 70\r\n");
	put_ids(w, r);
	put_contacts(w, r);
	rg_puts(w, "Path: ");
	message_put_path(w, r);
	rg_puts(w, "\r\nRequire: path\r\nSupported: path, ");
	rg_puts(w, r->is_outbound_hidden ? "gruu\r\n" : "outbound, gruu\r\n");
	put_charging(w, r);
	put_authorization(w, r);
	rg_puts(w, "Content-Length: 0\r\n\r\n");
}
