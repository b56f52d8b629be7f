// SPDX-License-Identifier: BSD-3-Clause
// base64url. Tokens are public to whoever sends them: nothing here needs constant time.
#include "token/b64url.h"

#include "regate/err.h"

void b64url_put(struct rg_wr *w, struct rg_slice in) {
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t i = 0; i < in.len; i += 3) {
		size_t n = in.len - i < 3 ? in.len - i : 3;
		uint32_t v = (uint32_t)in.p[i] << 16;

		if (n > 1)
			v |= (uint32_t)in.p[i + 1] << 8;
		if (n > 2)
			v |= in.p[i + 2];
		for (size_t k = 0; k <= n; k++)
			rg_putc(w, digits[v >> (18 - 6 * k) & 63]);
	}
}

static int digit(uint8_t c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

int b64url_decode(struct rg_slice in, uint8_t *out, size_t cap, size_t *len) {
	size_t n = 0;
	uint32_t v = 0;
	unsigned bits = 0;

	if (in.len % 4 == 1)
		return RG_E_PROTO;
	for (size_t i = 0; i < in.len; i++) {
		int d = digit(in.p[i]);

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
