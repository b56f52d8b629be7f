// SPDX-License-Identifier: BSD-3-Clause
// Byte classes of the SIP grammar (RFC 3261 section 25.1) and the spans over them: 32 bytes at a
// time by AVX2, which every worker has. Never reads past the slice it was given.
#pragma once

#include <immintrin.h>

#include "regate/slice.h"

// Bit h of row[l] says whether byte h << 4 | l belongs; bytes from 0x80 up belong to no class.
// The test of this file spells every class out in characters.
struct sip_class {
	uint8_t row[16];
};

// clang-format off
// token
static const struct sip_class SIP_TOKEN = {{0xe8, 0xfc, 0xf8, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xf8, 0xf8, 0xf4, 0x54, 0x50, 0x54, 0xd4, 0x70}};
// what may stand before "<": token and LWS
static const struct sip_class SIP_NAME_LWS = {{0xec, 0xfc, 0xf8, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xf8, 0xf9, 0xf5, 0x54, 0x50, 0x55, 0xd4, 0x70}};
// word, of Call-ID
static const struct sip_class SIP_WORD = {{0xe8, 0xfc, 0xfc, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xf4, 0x78, 0xf4, 0xdc, 0x7c}};
// reserved, unreserved, brackets of IPv6, "%"
static const struct sip_class SIP_URIC = {{0xb8, 0xfc, 0xf8, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0x7c, 0x54, 0x7c, 0xd4, 0x7c}};
// the same without what ends a bare addr-spec (RFC 3261 20.10)
static const struct sip_class SIP_ADDR = {{0xb8, 0xfc, 0xf8, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0x74, 0x50, 0x7c, 0xd4, 0x74}};
// scheme
static const struct sip_class SIP_SCHEME = {{0xa8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf0, 0x54, 0x50, 0x54, 0x54, 0x50}};
// unreserved and user-unreserved
static const struct sip_class SIP_USER = {{0xa8, 0xfc, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xf4, 0x5c, 0x54, 0x5c, 0xd4, 0x7c}};
// of password, without "%"
static const struct sip_class SIP_PASSWORD = {{0xa8, 0xfc, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xf4, 0x54, 0x54, 0x5c, 0xd4, 0x70}};
// param-unreserved and unreserved
static const struct sip_class SIP_PCHAR = {{0xa8, 0xfc, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0x74, 0x50, 0x74, 0xd4, 0x74}};
// hnv-unreserved and unreserved
static const struct sip_class SIP_HCHAR = {{0xa8, 0xfc, 0xf8, 0xf8, 0xfc, 0xf8, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0x74, 0x50, 0x74, 0xd4, 0x7c}};
// gen-value that is not quoted: token or host, which an IPv6 address may be without its brackets (Via)
static const struct sip_class SIP_VALUE = {{0xe8, 0xfc, 0xf8, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xf8, 0xf8, 0xfc, 0x74, 0x50, 0x74, 0xd4, 0x70}};
// what ends or escapes inside a quoted-string
static const struct sip_class SIP_QUOTE = {{0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00}};
// what a comma list must look at
static const struct sip_class SIP_LIST = {{0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x00, 0x00, 0x00}};
// b64token of RFC 6750 2.1
static const struct sip_class SIP_B64 = {{0xa8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf0, 0x54, 0x50, 0x54, 0xd4, 0x74}};
// hostname and IPv4address
static const struct sip_class SIP_HOST = {{0xa8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf0, 0x50, 0x50, 0x54, 0x54, 0x50}};
// clang-format on

static inline bool sip_is(const struct sip_class *c, uint8_t b) {
	return c->row[b & 15] >> (b >> 4) & 1;
}

// Bit i: byte i of v is in the class.
static inline uint32_t sip_match(const struct sip_class *c, __m256i v) {
	const __m256i bits =
		_mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, -1, -1, -1, -1, -1, -1, -1, -1, 1, 2,
				 4, 8, 16, 32, 64, -128, -1, -1, -1, -1, -1, -1, -1, -1);
	__m256i rows = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)c->row));
	__m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
	__m256i bit = _mm256_shuffle_epi8(bits, high);

	// A shuffle by a byte from 0x80 up gives 0, which no bit matches.
	v = _mm256_and_si256(_mm256_shuffle_epi8(rows, v), bit);
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, bit));
}

static inline uint32_t sip_match32(const struct sip_class *c, const uint8_t *p) {
	return sip_match(c, _mm256_loadu_si256((const __m256i *)p));
}

static inline uint64_t sip_match64(const struct sip_class *c, const uint8_t *p) {
	return sip_match32(c, p) | (uint64_t)sip_match32(c, p + 32) << 32;
}

// Bit i: byte i of s is in the class; s.len is at most 32. Short slices are read as two pieces
// that overlap, so that nothing behind them is touched.
static inline uint32_t sip_mask(const struct sip_class *c, struct rg_slice s) {
	uint64_t head = 0, tail = 0;
	uint32_t m = 0;

	if (s.len == 32)
		return sip_match32(c, s.p);
	if (s.len >= 16) {
		m = sip_match(c, _mm256_loadu2_m128i((const __m128i *)(s.p + s.len - 16),
						     (const __m128i *)s.p));
		return (m & 0xffff) | m >> 16 << (s.len - 16);
	}
	if (s.len >= 8) {
		memcpy(&head, s.p, 8);
		memcpy(&tail, s.p + s.len - 8, 8);
		m = sip_match(c, _mm256_set_epi64x(0, 0, (int64_t)tail, (int64_t)head));
		return (m & 0xff) | (m >> 8 & 0xff) << (s.len - 8);
	}
	for (unsigned i = 0; i < s.len; i++)
		m |= (uint32_t)sip_is(c, s.p[i]) << i;
	return m;
}

// Number of leading bytes that are (is_in) or are not in the class.
static inline size_t sip_run(const struct sip_class *c, struct rg_slice s, bool is_in) {
	uint32_t flip = is_in ? UINT32_MAX : 0, m;
	size_t i = 0;

	for (; s.len - i >= 32; i += 32)
		if ((m = sip_match32(c, s.p + i) ^ flip) != 0)
			return i + (unsigned)__builtin_ctz(m);
	s = rg_skip(s, i);
	m = (sip_mask(c, s) ^ flip) & ((1u << s.len) - 1);
	return i + (m == 0 ? s.len : (unsigned)__builtin_ctz(m));
}

static inline size_t sip_span(const struct sip_class *c, struct rg_slice s) {
	return sip_run(c, s, true);
}

// Are all bytes of the class? Of 32 bytes or more the last 32 overlap what was looked at.
static inline bool sip_all(const struct sip_class *c, struct rg_slice s) {
	uint32_t m = UINT32_MAX;
	size_t i = 0;

	if (s.len < 32)
		return sip_span(c, s) == s.len;
	for (; i < s.len - 32; i += 32)
		m &= sip_match32(c, s.p + i);
	return (m & sip_match32(c, s.p + s.len - 32)) == UINT32_MAX;
}
