// SPDX-License-Identifier: BSD-3-Clause
// See regate/sip_again.h. Any thread; borrows, never allocates, never reads past its input.
#include "regate/sip_again.h"

#include "low.h"
#include "quick.h"
#include "text.h"

#define MIN_LEN \
	256       // a shorter one is not worth the care: 64 bytes are read before and behind places
#define ROOM 128  // bytes that may be read behind the start of a line that is cut
#define BEFORE 80 // and before that of a line whose end is looked at

enum kind { OTHER, VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, EXPIRES, N_KINDS };

struct name {
	char text[8]; // its first bytes, colon and blank included
	uint8_t n_bits;
	uint8_t kind;
} __attribute__((aligned(16)));

// By the first four bytes. The factor is found by trial: no two names are in the same place.
#define NAME_AT(first4) ((uint32_t)(first4)*0xea90a8f1u >> 29)

static const struct name names[8] = {
	[0] = {"To: ", 32, TO},          [1] = {"Call-ID:", 64, CALL_ID},
	[2] = {"CSeq: ", 48, CSEQ},      [3] = {"From: ", 48, FROM},
	[5] = {"Via: ", 40, VIA},        [6] = {"Expires:", 64, EXPIRES},
	[7] = {"Contact:", 64, CONTACT},
};

struct line {
	const uint8_t *p;
	const uint8_t *cr; // before its line feed
};

// The kind of the line at p, of which 8 bytes can be read.
static inline unsigned kind_of(const uint8_t *p) {
	const struct name *name;
	uint64_t first, text;

	memcpy(&first, p, sizeof(first));
	name = &names[NAME_AT(first)];
	memcpy(&text, name->text, sizeof(text));
	return _bzhi_u64(first ^ text, name->n_bits) == 0 ? name->kind : OTHER;
}

// The bits of a block of 64 bytes that are line feeds; of the last block those not seen yet.
static inline uint64_t feeds_at(const uint8_t *base, const uint8_t *lim) {
	return lim - base >= 64 ? sip_match_byte64('\n', base)
				: sip_match_byte64('\n', lim - 64) >> (64 - (lim - base));
}

// Finds the lines by their names; the input ends with an empty one. False when one that is needed is
// not there, or one stands twice.
static inline bool find_lines(struct rg_slice in, struct line lines[N_KINDS]) {
	const uint8_t *lim = in.p + in.len - 8;
	unsigned n_known = 0, kind = OTHER;

	for (unsigned i = 0; i < N_KINDS; i++)
		lines[i].p = NULL;
	for (const uint8_t *base = in.p; base < lim; base += 64) {
		uint64_t feeds = feeds_at(base, lim);

		for (; feeds != 0; feeds &= feeds - 1) {
			const uint8_t *feed = base + __builtin_ctzll(feeds);

			lines[kind].cr = feed - 1;
			kind = kind_of(feed + 1);
			lines[kind].p = feed + 1;
			n_known += kind != OTHER;
		}
	}
	lines[kind].cr = lim + 4;
	for (unsigned i = VIA; i <= CONTACT; i++)
		if (lines[i].p == NULL)
			return false;
	return n_known == CONTACT + (lines[EXPIRES].p != NULL);
}

// Via: ...;branch=value, and more parameters perhaps
static inline bool cut_via(const struct line *l, struct rg_slice *value) {
	const uint8_t *p = l->p + _tzcnt_u64(sip_match_byte64(';', l->p)) + 8;
	uint32_t other = ~sip_match32(&SIP_VALUE, p);

	*value = rg_slice(p, _tzcnt_u32(other));
	return SIP_AT(p - 8, ";branch=") && value->len - 1 < 31;
}

// Behind the last "=" of the 64 bytes before end; before these, if there is none.
static inline const uint8_t *behind_equals(const uint8_t *end) {
	return end - _lzcnt_u64(sip_match_byte64('=', end - 64));
}

// From: ...;tag=value
static inline bool cut_from(const struct line *l, struct rg_slice *value) {
	const uint8_t *p = behind_equals(l->cr);

	*value = sip_piece(p, l->cr);
	return SIP_AT(p - 5, ";tag=") && value->len - 1 < 31 &&
	       _bzhi_u32(~sip_match32(&SIP_TOKEN, p), (unsigned)value->len) == 0;
}

// CSeq: number REGISTER
static inline bool cut_cseq(const struct line *l, uint32_t *cseq, struct rg_slice *digits) {
	const uint8_t *p = l->p + 6, *end = sip_quick_number(p, cseq);

	if (end == NULL)
		return false;
	*digits = sip_piece(p, end);
	return SIP_AT(end, " REGISTER");
}

// From the Contact, or else the header.
static inline bool find_expires(const struct line lines[N_KINDS], struct sip_register *r) {
	const uint8_t *end = lines[CONTACT].cr, *p = behind_equals(end);

	r->has_expires = true;
	if (SIP_AT(p - 9, ";expires="))
		return sip_quick_number(p, &r->expires) == end;
	return lines[EXPIRES].p != NULL &&
	       sip_quick_number(lines[EXPIRES].p + 9, &r->expires) == lines[EXPIRES].cr;
}

// Cuts out of a->same, in the usual order of these lines, which come early in a message.
static inline bool cut(const struct line lines[N_KINDS], struct sip_again *a, const uint8_t *lim) {
	const struct line *via = &lines[VIA], *from = &lines[FROM], *cseq = &lines[CSEQ];
	struct sip_register *r = &a->r;
	struct rg_slice digits, *same = a->same;

	if (via->p > from->p || from->p > cseq->p || lim - cseq->p < ROOM ||
	    from->p - same[0].p < BEFORE || !cut_via(via, &r->via.branch) ||
	    !cut_from(from, &r->from_tag) || !cut_cseq(cseq, &r->cseq, &digits))
		return false;
	same[1].p = r->via.branch.p + r->via.branch.len;
	same[2].p = r->from_tag.p + r->from_tag.len;
	same[3].p = digits.p + digits.len;
	if (r->from_tag.p - same[1].p < 16 || digits.p - same[2].p < 16)
		return false;
	same[0].len = (size_t)(r->via.branch.p - same[0].p);
	same[1].len = (size_t)(r->from_tag.p - same[1].p);
	same[2].len = (size_t)(digits.p - same[2].p);
	same[3].len = (size_t)(lim - same[3].p);
	return true;
}

// Behind "Name: ". False: not even that is there.
static inline bool value_of(const struct line *l, size_t name_len, struct rg_slice *value) {
	const uint8_t *p = l->p + name_len + 2;

	if (p > l->cr)
		return false;
	*value = sip_piece(p, l->cr);
	return true;
}

static inline bool put_header(struct sip_hdr *h, enum sip_hdr_id id, size_t name_len,
			      const struct line *l) {
	h->id = id;
	h->name = rg_slice(l->p, name_len);
	return value_of(l, name_len, &h->value);
}

// The headers of an answer, in the usual order.
static inline bool put_headers(const struct line lines[N_KINDS], struct sip_again *a,
			       struct sip_msg *m) {
	bool is_from_first = lines[FROM].p < lines[TO].p;

	if (!put_header(&m->hdrs[0], SIP_HDR_VIA, 3, &lines[VIA]) ||
	    !put_header(&m->hdrs[2 - is_from_first], SIP_HDR_FROM, 4, &lines[FROM]) ||
	    !put_header(&m->hdrs[1 + is_from_first], SIP_HDR_TO, 2, &lines[TO]) ||
	    !put_header(&m->hdrs[3], SIP_HDR_CALL_ID, 7, &lines[CALL_ID]) ||
	    !put_header(&m->hdrs[4], SIP_HDR_CSEQ, 4, &lines[CSEQ]))
		return false;
	a->r.call_id = m->hdrs[3].value;
	m->n_hdrs = 5;
	return lines[VIA].p < lines[TO].p && lines[TO].p < lines[CALL_ID].p &&
	       lines[FROM].p < lines[CALL_ID].p && lines[CALL_ID].p < lines[CSEQ].p;
}

bool sip_again_cut(struct rg_slice in, struct sip_again *a, struct sip_msg *m) {
	struct sip_register *r = &a->r;
	struct line lines[N_KINDS];

	if (in.len < MIN_LEN || in.len > SIP_AGAIN_MAX || !SIP_AT(in.p, "REGISTER ") ||
	    !SIP_AT(in.p + in.len - 4, "\r\n\r\n") || !find_lines(in, lines))
		return false;
	sip_clear(r, sizeof(*r));
	a->same[0].p = in.p;
	if (!cut(lines, a, in.p + in.len) || !put_headers(lines, a, m) ||
	    lines[CONTACT].p - in.p < BEFORE || !find_expires(lines, r) ||
	    !value_of(&lines[CONTACT], 7, &r->contact))
		return false;
	r->msg = m;
	r->n_contacts = 1;
	m->raw = in;
	m->is_request = true;
	m->method = SIP_REGISTER;
	m->cseq = r->cseq;
	return true;
}

static bool is_same_place(struct rg_slice x, struct rg_slice y) {
	return x.p == y.p && x.len == y.len;
}

// The headers of an answer, as sip_parse() found them.
static bool are_headers(const struct sip_msg *m, const struct sip_msg *whole) {
	const uint32_t copied = 1u << SIP_HDR_VIA | 1u << SIP_HDR_FROM | 1u << SIP_HDR_TO |
				1u << SIP_HDR_CALL_ID | 1u << SIP_HDR_CSEQ;
	unsigned n = 0;

	for (unsigned i = 0; i < whole->n_hdrs; i++) {
		const struct sip_hdr *h = &whole->hdrs[i];

		if ((copied >> h->id & 1) == 0)
			continue;
		if (n == m->n_hdrs || m->hdrs[n].id != h->id ||
		    !is_same_place(m->hdrs[n].name, h->name) ||
		    !is_same_place(m->hdrs[n].value, h->value))
			return false;
		n++;
	}
	return n == m->n_hdrs;
}

bool sip_again_is(const struct sip_again *a, const struct sip_register *r) {
	const struct sip_register *x = &a->r;

	return are_headers(x->msg, r->msg) && is_same_place(x->via.branch, r->via.branch) &&
	       is_same_place(x->from_tag, r->from_tag) && is_same_place(x->call_id, r->call_id) &&
	       is_same_place(x->contact, r->contact) && x->cseq == r->cseq && r->n_contacts == 1 &&
	       r->has_expires && x->expires == r->expires && r->n_bearer == 1 && r->bearer.len > 0;
}
