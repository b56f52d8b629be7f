// SPDX-License-Identifier: BSD-3-Clause
// REGISTER as JsSIP sends it (ims.md 2), and what comes back. Everything of a client but its address
// and token is computed from its number.
#include "wire.h"

#define DIGITS 8

static void put_number(struct rg_wr *w, uint32_t v) {
	char b[DIGITS];

	for (unsigned i = DIGITS; i-- > 0; v /= 10)
		b[i] = (char)('0' + v % 10);
	rg_put(w, rg_slice(b, DIGITS));
}

static void put_salt(struct rg_wr *w, uint64_t salt) {
	uint8_t b[8];

	memcpy(b, &salt, sizeof(b));
	rg_put_hex(w, rg_slice(b, sizeof(b)));
}

static void put_call_id(struct rg_wr *w, const struct wire_register *r) {
	put_salt(w, r->salt);
	put_number(w, r->client);
}

static void put_addresses(struct rg_wr *w, const struct wire_register *r) {
	rg_puts(w, "Max-Forwards: 69\r\nTo: <");
	rg_put(w, r->impu);
	rg_puts(w, ">\r\nFrom: <");
	rg_put(w, r->impu);
	rg_puts(w, ">;tag=t");
	put_number(w, r->cseq);
	rg_puts(w, "\r\nCall-ID: ");
	put_call_id(w, r);
	rg_puts(w, "\r\nCSeq: ");
	rg_put_u64(w, r->cseq);
	rg_puts(w, " REGISTER\r\nContact: <sip:k");
	put_number(w, r->client);
	rg_puts(w, "@w");
	put_number(w, r->client);
	rg_puts(w, ".invalid;transport=ws>;+sip.ice;reg-id=1;"
		   "+sip.instance=\"<urn:uuid:6f0d2c1e-93ab-4b57-8e21-5d7c");
	put_number(w, r->client);
	rg_puts(w, ">\";expires=");
	rg_put_u64(w, r->expires_s);
	rg_puts(w, "\r\nExpires: ");
	rg_put_u64(w, r->expires_s);
}

void wire_register_put(struct rg_wr *w, const struct wire_register *r) {
	rg_puts(w, "REGISTER sip:");
	rg_puts(w, r->domain);
	rg_puts(w, " SIP/2.0\r\nVia: SIP/2.0/WSS w");
	put_number(w, r->client);
	rg_puts(w, ".invalid;branch=z9hG4bK");
	put_number(w, r->client);
	put_number(w, r->cseq);
	rg_puts(w, "\r\n");
	put_addresses(w, r);
	rg_puts(w, "\r\nAllow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n"
		   "Supported: path,gruu,outbound\r\nUser-Agent: JsSIP 3.13.8\r\n");
	if (r->token.len > 0) {
		rg_puts(w, "Authorization: Bearer ");
		rg_put(w, r->token);
		rg_puts(w, "\r\n");
	}
	if (r->padding > 0) {
		rg_puts(w, "X-Padding: ");
		for (size_t i = 0; i < r->padding; i++)
			rg_putc(w, 'x');
		rg_puts(w, "\r\n");
	}
	rg_puts(w, "Content-Length: 0\r\n\r\n");
}

// "SIP/2.0 200 OK". 0: a request, or nothing that is known.
static unsigned status_of(struct rg_slice m) {
	uint64_t status;

	if (!rg_is_prefix(m, RG_LIT("SIP/2.0 ")) || m.len < 12 || m.p[11] != ' ' ||
	    !rg_parse_u64(rg_slice(m.p + 8, 3), &status) || status < 100 || status > 699)
		return 0;
	return (unsigned)status;
}

static bool is_request(struct rg_slice m) {
	const uint8_t *end = memmem(m.p, m.len, "\r\n", 2);

	return end != NULL && memmem(m.p, (size_t)(end - m.p), " SIP/2.0", 8) != NULL;
}

static const char *answer_fault(struct rg_slice head, const struct wire_register *r,
				struct wire_sip *s) {
	struct rg_slice call_id = wire_header(head, "Call-ID", "i");
	struct rg_slice cseq = wire_header(head, "CSeq", NULL);
	const uint8_t *blank = cseq.len == 0 ? NULL : memchr(cseq.p, ' ', cseq.len);
	uint8_t want[64];
	struct rg_wr w = rg_wr(want, sizeof(want));

	put_call_id(&w, r);
	if (call_id.len == 0)
		return "a SIP answer without one Call-ID";
	if (!rg_eq(call_id, rg_wr_slice(&w)))
		return "a SIP answer with a Call-ID that is not the request's";
	if (blank == NULL || !rg_parse_u64(rg_slice(cseq.p, (size_t)(blank - cseq.p)), &s->cseq) ||
	    !rg_eq(rg_trim(rg_skip(cseq, (size_t)(blank - cseq.p))), RG_LIT("REGISTER")))
		return "a SIP answer without one good CSeq";
	if (s->cseq != r->cseq)
		return "a SIP answer with a CSeq that is not the request's";
	return NULL;
}

int wire_sip_check(struct rg_slice m, const struct wire_register *r, struct wire_sip *s,
		   const char **why) {
	const uint8_t *end = m.len == 0 ? NULL : memmem(m.p, m.len, "\r\n\r\n", 4);

	*s = (struct wire_sip){.status = status_of(m)};
	if (s->status == 0 && (rg_trim(m).len == 0 || is_request(m)))
		return RG_OK; // keep-alive, or a request
	if (s->status == 0)
		*why = "a message that is not SIP";
	else if (end == NULL)
		*why = "a SIP answer whose head has no end";
	else
		*why = answer_fault(rg_slice(m.p, (size_t)(end - m.p)), r, s);
	return *why == NULL ? RG_OK : RG_E_PROTO;
}
