// SPDX-License-Identifier: BSD-3-Clause
// A text that is taken apart from its start, and the spans at its start. Never reads past its limit.
#pragma once

#include "scan.h"

// [p, end). What follows it up to lim never counts, but may be read, being of the same message: so
// most spans are one load and no short rest.
struct sip_text {
	const uint8_t *p, *end, *lim;
};

static inline struct sip_text sip_text(struct rg_slice s, const uint8_t *lim) {
	return (struct sip_text){s.p, s.len == 0 ? s.p : s.p + s.len, lim};
}

// Of a slice behind which nothing may be read.
static inline struct sip_text sip_text_alone(struct rg_slice s) {
	struct sip_text t = sip_text(s, NULL);

	t.lim = t.end;
	return t;
}

static inline struct rg_slice sip_piece(const uint8_t *from, const uint8_t *to) {
	return rg_slice(from, (size_t)(to - from));
}

// What is left when the first 32 bytes did not tell, or cannot be read at once.
static __attribute__((noinline, unused)) const uint8_t *sip_run_on(const struct sip_class *c,
								   const uint8_t *p,
								   const uint8_t *end,
								   const uint8_t *lim, bool is_in) {
	uint32_t flip = is_in ? UINT32_MAX : 0, m;

	for (; p < end; p += 32) {
		if (lim - p < 32)
			return p + sip_run(c, sip_piece(p, end), is_in);
		m = sip_match32(c, p) ^ flip;
		if (m == 0)
			continue;
		p += __builtin_ctz(m);
		break;
	}
	return p < end ? p : end;
}

static inline const uint8_t *sip_run_to(const struct sip_class *c, struct sip_text t, bool is_in) {
	uint32_t flip = is_in ? UINT32_MAX : 0, m;

	if (__builtin_expect(t.lim - t.p < 32, 0))
		return sip_run_on(c, t.p, t.end, t.lim, is_in);
	m = sip_match32(c, t.p) ^ flip;
	if (__builtin_expect(m == 0, 0))
		return sip_run_on(c, t.p + 32, t.end, t.lim, is_in);
	t.p += __builtin_ctz(m);
	return t.p < t.end ? t.p : t.end;
}

// Behind the leading bytes of the class.
static inline const uint8_t *sip_past(const struct sip_class *c, struct sip_text t) {
	return sip_run_to(c, t, true);
}

// To the first byte of the class, or the end.
static inline const uint8_t *sip_seek(const struct sip_class *c, struct sip_text t) {
	return sip_run_to(c, t, false);
}

// Bit i: p[i] is b. Reads 32 bytes.
static inline uint32_t sip_match_byte(uint8_t b, const uint8_t *p) {
	__m256i v = _mm256_loadu_si256((const __m256i *)p);

	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8((char)b)));
}

static inline const uint8_t *sip_seek_byte(uint8_t b, struct sip_text t) {
	uint32_t m = 0;

	for (; m == 0 && t.p < t.end; t.p += m == 0 ? 32 : (unsigned)__builtin_ctz(m)) {
		if (t.lim - t.p < 32) {
			t.p = memchr(t.p, b, (size_t)(t.end - t.p));
			return t.p == NULL ? t.end : t.p;
		}
		m = sip_match_byte(b, t.p);
	}
	return t.p < t.end ? t.p : t.end;
}

// SP, HT, CR or LF.
static inline bool sip_is_ws(uint8_t c) {
	return c <= ' ' && (UINT64_C(0x100002600) >> c & 1) != 0;
}

// SWS (RFC 3261 25.1). A value holds CR and LF only where a line was folded.
static inline const uint8_t *sip_past_ws(const uint8_t *p, const uint8_t *end) {
	while (p < end && *p <= ' ' && sip_is_ws(*p))
		p++;
	return p;
}

// t without blanks at its ends.
static inline struct sip_text sip_trim(struct sip_text t) {
	t.p = sip_past_ws(t.p, t.end);
	while (t.end > t.p && sip_is_ws(t.end[-1]))
		t.end--;
	return t;
}
