// SPDX-License-Identifier: BSD-3-Clause
// TCP header parser and writer. No state; nothing of the peer's is trusted before it is held
// against the segment's length.
#include "tcp/tcp_hdr.h"

#include <endian.h>

#include "regate/err.h"

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_OK = 4,
	OPT_SACK = 5,
	OPT_TS = 8
};
// RFC 7323 appendix A: how nearly every segment begins its options.
#define TS_OPTION (OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | 10u)

// MSS, window scale and SACK-permitted mean something on a SYN only. One of an odd length is skipped.
static void parse_option(struct tcp_seg *s, uint8_t kind, struct rg_slice body) {
	bool is_syn = (s->flags & TCP_SYN) != 0;
	struct rg_rd rd = rg_rd(body);

	if (is_syn && kind == OPT_MSS && body.len == 2) {
		s->mss = (uint16_t)rg_rd_be(&rd, 2);
	} else if (is_syn && kind == OPT_WSCALE && body.len == 1) {
		s->wscale = body.p[0] < TCP_WSCALE_MAX ? body.p[0] : TCP_WSCALE_MAX;
	} else if (is_syn && kind == OPT_SACK_OK && body.len == 0) {
		s->has_sack_ok = true;
	} else if (kind == OPT_TS && body.len == 8) {
		s->has_ts = true;
		s->ts_val = (uint32_t)rg_rd_be(&rd, 4);
		s->ts_ecr = (uint32_t)rg_rd_be(&rd, 4);
	} else if (!is_syn && kind == OPT_SACK && body.len % 8 == 0) {
		s->n_sack = (uint8_t)(body.len / 8); // at most 4 in 40 bytes of options
		for (unsigned i = 0; i < s->n_sack; i++) {
			s->sack[i].seq = (uint32_t)rg_rd_be(&rd, 4);
			s->sack[i].end = (uint32_t)rg_rd_be(&rd, 4);
		}
	}
}

// RFC 9293 3.2: unknown options are skipped. RG_E_PROTO: one has an illegal length.
static int parse_options(struct rg_slice opts, struct tcp_seg *s) {
	struct rg_rd rd = rg_rd(opts);

	while (rd.p < rd.end) {
		uint8_t kind = (uint8_t)rg_rd_be(&rd, 1), len;
		struct rg_slice body;

		if (kind == OPT_END)
			break;
		if (kind == OPT_NOP)
			continue;
		len = (uint8_t)rg_rd_be(&rd, 1);
		if (rd.bad || len < 2)
			return RG_E_PROTO;
		body = rg_rd_bytes(&rd, len - 2u);
		if (rd.bad)
			return RG_E_PROTO;
		parse_option(s, kind, body);
	}
	return RG_OK;
}

static uint32_t load32(const uint8_t *p) {
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

// All but the options.
static struct tcp_seg parse_fixed(struct rg_slice in, size_t header_len) {
	uint32_t word = load32(in.p + 12);

	return (struct tcp_seg){
		.seq = load32(in.p + 4),
		.ack = load32(in.p + 8),
		.flags = word >> 16 & 0x1f, // urgent data is ordinary data (RFC 6093); no ECN
		.wnd = (uint16_t)word,
		.wscale = TCP_WSCALE_NONE,
		.data = rg_slice(in.p + header_len, in.len - header_len),
	};
}

int tcp_hdr_parse(struct rg_slice in, struct tcp_seg *out) {
	struct tcp_seg s;
	size_t header_len;

	if (in.len < TCP_HDR_LEN)
		return RG_E_PROTO;
	header_len = (size_t)(in.p[12] >> 4) * 4;
	if (header_len < TCP_HDR_LEN || header_len > in.len)
		return RG_E_PROTO;
	if (header_len == TCP_HDR_LEN + TCP_TS_LEN && load32(in.p + TCP_HDR_LEN) == TS_OPTION) {
		*out = parse_fixed(in, header_len);
		out->has_ts = true;
		out->ts_val = load32(in.p + TCP_HDR_LEN + 4);
		out->ts_ecr = load32(in.p + TCP_HDR_LEN + 8);
		return RG_OK;
	}
	s = parse_fixed(in, header_len);
	// Of a connection that stands, data is worth more than what follows an option gone wrong.
	if (parse_options(rg_slice(in.p + TCP_HDR_LEN, header_len - TCP_HDR_LEN), &s) != RG_OK &&
	    (s.flags & TCP_SYN) != 0)
		return RG_E_PROTO;
	*out = s;
	return RG_OK;
}

static void put_syn_options(struct rg_wr *w, const struct tcp_seg *s) {
	rg_put_be(w, OPT_MSS << 8 | 4, 2);
	rg_put_be(w, s->mss, 2);
	if (s->has_sack_ok)
		rg_put_be(w, OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK_OK << 8 | 2, 4);
	if (s->wscale != TCP_WSCALE_NONE)
		rg_put_be(w, (uint32_t)OPT_NOP << 24 | OPT_WSCALE << 16 | 3 << 8 | s->wscale, 4);
}

static void put_sack(struct rg_wr *w, const struct tcp_seg *s) {
	rg_put_be(w, (uint32_t)(OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8 | 2) + 8u * s->n_sack,
		  4);
	for (unsigned i = 0; i < s->n_sack; i++) {
		rg_put_be(w, s->sack[i].seq, 4);
		rg_put_be(w, s->sack[i].end, 4);
	}
}

static void store32(uint8_t *p, uint32_t v) {
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void store64(uint8_t *p, uint64_t v) {
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static uint64_t pair(uint32_t a, uint32_t b) {
	return (uint64_t)a << 32 | b;
}

void tcp_hdr_put(struct tcp_out *o, const struct tcp_seg *s) {
	uint8_t *h = o->header;
	struct rg_wr w = rg_wr(h, sizeof(o->header));

	w.len = TCP_HDR_LEN;
	if ((s->flags & TCP_SYN) != 0)
		put_syn_options(&w, s);
	if (s->has_ts) {
		store32(h + w.len, TS_OPTION);
		store64(h + w.len + 4, pair(s->ts_val, s->ts_ecr));
		w.len += TCP_TS_LEN;
	}
	if (s->n_sack > 0)
		put_sack(&w, s);
	o->header_len = (uint8_t)w.len;
	store64(h, pair((uint32_t)o->src.port << 16 | o->dst.port, s->seq));
	store64(h + 8, pair(s->ack, (uint32_t)w.len / 4 << 28 | (uint32_t)s->flags << 16 | s->wnd));
	memset(h + 16, 0, 4); // checksum, urgent pointer
}
