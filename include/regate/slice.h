// SPDX-License-Identifier: BSD-3-Clause
// Borrowed bytes: a slice, a bounded reader with a sticky error, a bounded writer with a sticky
// overflow. Nothing here allocates; whoever made the bytes keeps them alive.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rg_slice {
	const uint8_t *p; // may be NULL when len is 0
	size_t len;
};

// From a string literal or char array, without its NUL.
#define RG_LIT(s) ((struct rg_slice){(const uint8_t *)(s), sizeof(s) - 1})

static inline struct rg_slice rg_slice(const void *p, size_t len) {
	return (struct rg_slice){p, len};
}

static inline struct rg_slice rg_str(const char *s) {
	return (struct rg_slice){(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
}

static inline uint8_t rg_lower(uint8_t c) {
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static inline bool rg_eq(struct rg_slice a, struct rg_slice b) {
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

// Equal but for ASCII case.
static inline bool rg_ieq(struct rg_slice a, struct rg_slice b) {
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (rg_lower(a.p[i]) != rg_lower(b.p[i]))
			return false;
	return true;
}

static inline bool rg_is_prefix(struct rg_slice s, struct rg_slice prefix) {
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

// s without its first n bytes; n is cut to s.len.
static inline struct rg_slice rg_skip(struct rg_slice s, size_t n) {
	n = n > s.len ? s.len : n;
	return n == 0 ? s : (struct rg_slice){s.p + n, s.len - n}; // NULL + 0 is undefined
}

// s without leading and trailing SP, HT, CR and LF.
static inline struct rg_slice rg_trim(struct rg_slice s) {
	while (s.len > 0 && (*s.p == ' ' || *s.p == '\t' || *s.p == '\r' || *s.p == '\n'))
		s = rg_skip(s, 1);
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t' ||
			     s.p[s.len - 1] == '\r' || s.p[s.len - 1] == '\n'))
		s.len--;
	return s;
}

// Decimal digits only, no sign, no blank. Writes *out on success only.
static inline bool rg_parse_u64(struct rg_slice s, uint64_t *out) {
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, s.p[i] - '0', &v))
			return false;
	}
	*out = v;
	return true;
}

// Reader over bytes; once bad it stays bad and returns zeroes.
struct rg_rd {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

static inline struct rg_rd rg_rd(struct rg_slice s) {
	return (struct rg_rd){s.p, s.len == 0 ? s.p : s.p + s.len, false};
}

// Next n bytes (n <= 8) as a big-endian number.
static inline uint64_t rg_rd_be(struct rg_rd *rd, unsigned n) {
	uint64_t v = 0;

	if (rd->bad || (uint64_t)(rd->end - rd->p) < n) {
		rd->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | *rd->p++;
	return v;
}

// Next n bytes, borrowed.
static inline struct rg_slice rg_rd_bytes(struct rg_rd *rd, size_t n) {
	struct rg_slice s = {rd->p, n};

	if (rd->bad || (size_t)(rd->end - rd->p) < n) {
		rd->bad = true;
		return (struct rg_slice){rd->p, 0};
	}
	if (n > 0)
		rd->p += n;
	return s;
}

// Writer into caller's memory. On overflow it sets `overflow` and drops that put and all later
// ones, so one check at the end is enough.
struct rg_wr {
	uint8_t *p;
	size_t len;
	size_t cap;
	bool overflow;
};

static inline struct rg_wr rg_wr(void *p, size_t cap) {
	return (struct rg_wr){p, 0, cap, false};
}

static inline void rg_put(struct rg_wr *w, struct rg_slice s) {
	if (w->overflow || w->cap - w->len < s.len) {
		w->overflow = true;
		return;
	}
	if (s.len > 0)
		memcpy(w->p + w->len, s.p, s.len);
	w->len += s.len;
}

static inline void rg_puts(struct rg_wr *w, const char *s) {
	rg_put(w, rg_str(s));
}

static inline void rg_putc(struct rg_wr *w, char c) {
	rg_put(w, rg_slice(&c, 1));
}

static inline void rg_put_be(struct rg_wr *w, uint64_t v, unsigned n) {
	uint8_t b[8];

	for (unsigned i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	rg_put(w, rg_slice(b, n));
}

static inline void rg_put_u64(struct rg_wr *w, uint64_t v) {
	char b[20];
	size_t i = sizeof(b);

	do
		b[--i] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	rg_put(w, rg_slice(b + i, sizeof(b) - i));
}

static inline void rg_put_hex(struct rg_wr *w, struct rg_slice s) {
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.len; i++) {
		rg_putc(w, digits[s.p[i] >> 4]);
		rg_putc(w, digits[s.p[i] & 15]);
	}
}

static inline struct rg_slice rg_wr_slice(const struct rg_wr *w) {
	return (struct rg_slice){w->p, w->len};
}
