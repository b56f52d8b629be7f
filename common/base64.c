// SPDX-License-Identifier: BSD-3-Clause
#include "regate/base64.h"

#include "regate/err.h"

static const char last_two[][2] = {[RG_B64_PADDED] = {'+', '/'}, [RG_B64_URL] = {'-', '_'}};

#define DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// All or nothing, as rg_put(). Whole groups without further checks: this is most of what a token costs
// the loop.
void rg_b64_put(struct rg_wr *w, enum rg_b64 kind, struct rg_slice in) {
	const char *digits = kind == RG_B64_PADDED ? DIGITS "+/" : DIGITS "-_";
	size_t rest = in.len % 3, n_last = rest == 0 ? 0 : kind == RG_B64_PADDED ? 4 : rest + 1;
	size_t n = in.len / 3 * 4 + n_last, i = 0;
	uint8_t *out = w->p + w->len;
	uint32_t v;

	if (w->overflow || w->cap - w->len < n) {
		w->overflow = true;
		return;
	}
	w->len += n;
	for (; i + 3 <= in.len; i += 3, out += 4) {
		v = (uint32_t)in.p[i] << 16 | (uint32_t)in.p[i + 1] << 8 | in.p[i + 2];
		out[0] = (uint8_t)digits[v >> 18];
		out[1] = (uint8_t)digits[v >> 12 & 63];
		out[2] = (uint8_t)digits[v >> 6 & 63];
		out[3] = (uint8_t)digits[v & 63];
	}
	if (rest == 0)
		return;
	v = (uint32_t)in.p[i] << 16 | (rest == 2 ? (uint32_t)in.p[i + 1] << 8 : 0);
	for (size_t k = 0; k < n_last; k++)
		out[k] = (uint8_t)(k <= rest ? digits[v >> (18 - 6 * k) & 63] : '=');
}

static int value_of(uint8_t c, enum rg_b64 kind) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (uint8_t)last_two[kind][0])
		return 62;
	return c == (uint8_t)last_two[kind][1] ? 63 : -1;
}

int rg_b64_read(struct rg_slice in, enum rg_b64 kind, uint8_t *out, size_t cap, size_t *len) {
	size_t n = 0;
	uint32_t v = 0;
	unsigned bits = 0;

	if (kind == RG_B64_PADDED) {
		if (in.len % 4 != 0)
			return RG_E_PROTO;
		for (unsigned k = 0; k < 2 && in.len > 0 && in.p[in.len - 1] == '='; k++)
			in.len--;
	}
	if (in.len % 4 == 1)
		return RG_E_PROTO;
	for (size_t i = 0; i < in.len; i++) {
		int d = value_of(in.p[i], kind);

		if (d < 0)
			return RG_E_PROTO;
		v = v << 6 | (uint32_t)d;
		bits += 6;
		if (bits < 8)
			continue;
		if (n == cap)
			return RG_E_LIMIT;
		bits -= 8;
		out[n++] = (uint8_t)(v >> bits);
	}
	// RFC 4648 3.5: two texts must not mean the same bytes.
	if ((v & ((1U << bits) - 1)) != 0)
		return RG_E_PROTO;
	*len = n;
	return 0;
}
