// SPDX-License-Identifier: BSD-3-Clause
#include "wwsf/urlform.h"

#include "regate/err.h"

static int hex(uint8_t c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c = rg_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int put_decoded(struct rg_wr *out, struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++) {
		int high, low;

		if (s.p[i] != '%') {
			rg_putc(out, s.p[i] == '+' ? ' ' : (char)s.p[i]);
			continue;
		}
		high = i + 2 < s.len ? hex(s.p[i + 1]) : -1;
		low = i + 2 < s.len ? hex(s.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return RG_E_PROTO;
		rg_putc(out, (char)(high << 4 | low));
		i += 2;
	}
	return out->overflow ? RG_E_LIMIT : 0;
}

// Up to the next end, which is skipped.
static struct rg_slice take(struct rg_slice *rest, char end) {
	const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->p, end, rest->len);
	struct rg_slice part = at == NULL ? *rest : rg_slice(rest->p, (size_t)(at - rest->p));

	*rest = at == NULL ? rg_slice(NULL, 0) : rg_skip(*rest, part.len + 1);
	return part;
}

int urlform_get(struct rg_slice body, const char *name, struct rg_wr *out) {
	struct rg_slice value = {0};
	unsigned n = 0;

	while (body.len > 0) {
		struct rg_slice pair = take(&body, '&');

		if (!rg_eq(take(&pair, '='), rg_str(name)))
			continue;
		value = pair;
		n++;
	}
	if (n != 1)
		return n == 0 ? RG_E_STALE : RG_E_CONFLICT;
	return put_decoded(out, value);
}
