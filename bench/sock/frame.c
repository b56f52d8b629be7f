// SPDX-License-Identifier: BSD-3-Clause
// WebSocket frames, the client's side (RFC 6455 5.2).
#include "wire.h"

static int head_check(uint8_t b0, uint8_t b1, const char **why) {
	uint8_t op = b0 & 15;

	if ((b0 & 0x70) != 0)
		*why = "a WebSocket frame with a reserved bit";
	else if (op > OP_PONG || (op > OP_BINARY && op < OP_CLOSE))
		*why = "a WebSocket frame with a reserved opcode";
	else if ((b1 & 0x80) != 0)
		*why = "a masked WebSocket frame";
	else if (op >= OP_CLOSE && ((b0 & 0x80) == 0 || b1 > 125))
		*why = "a control frame that is cut in pieces or too long";
	else
		return RG_OK;
	return RG_E_PROTO;
}

int wire_frame_parse(struct rg_slice in, size_t max, struct wire_frame *f, const char **why) {
	struct rg_rd rd = rg_rd(in);
	uint8_t b0 = (uint8_t)rg_rd_be(&rd, 1);
	uint8_t b1 = (uint8_t)rg_rd_be(&rd, 1);
	uint64_t n = b1 & 0x7f;

	if (rd.bad)
		return RG_MORE;
	if (head_check(b0, b1, why) != RG_OK)
		return RG_E_PROTO;
	if (n >= 126) {
		uint64_t least = n == 126 ? 126 : 65536;

		n = rg_rd_be(&rd, n == 126 ? 2 : 8);
		if (!rd.bad && n < least) {
			*why = "a WebSocket frame whose length is not minimal";
			return RG_E_PROTO;
		}
	}
	if (!rd.bad && n > max) {
		*why = "a WebSocket frame of more than 64 KiB";
		return RG_E_PROTO;
	}
	f->op = b0 & 15;
	f->is_fin = (b0 & 0x80) != 0;
	f->data = rg_rd_bytes(&rd, (size_t)n);
	f->len = (size_t)(rd.p - in.p);
	return rd.bad ? RG_MORE : RG_OK;
}

struct rg_slice wire_frame_put(uint8_t *room, uint8_t op, size_t d_len, uint32_t mask) {
	size_t head_len = d_len < 126 ? 6 : d_len < 65536 ? 8 : 14;
	uint8_t *d = room + WIRE_FRAME_HEAD, *f = d - head_len, key[8];
	struct rg_wr w = rg_wr(f, head_len);
	uint64_t keys, v;
	size_t i = 0;

	memcpy(key, &mask, 4);
	memcpy(key + 4, &mask, 4);
	memcpy(&keys, key, 8);
	rg_put_be(&w, 0x80u | op, 1);
	rg_put_be(&w, 0x80u | (d_len < 126 ? d_len : d_len < 65536 ? 126 : 127), 1);
	if (d_len >= 126)
		rg_put_be(&w, d_len, d_len < 65536 ? 2 : 8);
	rg_put(&w, rg_slice(key, 4));
	for (; i + 8 <= d_len; i += 8) {
		memcpy(&v, d + i, 8);
		v ^= keys;
		memcpy(d + i, &v, 8);
	}
	for (; i < d_len; i++)
		d[i] ^= key[i % 4];
	return rg_slice(f, head_len + d_len);
}
