// SPDX-License-Identifier: BSD-3-Clause
// Wide loads and stores: comparing short names and literals, copying and clearing structs, for which
// the compiler takes string instructions, slow to start.
#pragma once

#include <immintrin.h>

#include "regate/slice.h"

// n bytes at p as a number with bit 5 of each set; n is 8, 4 or at most 2, and a constant.
static inline __attribute__((always_inline)) uint64_t sip_load_low(const uint8_t *p, size_t n) {
	uint64_t v8;
	uint32_t v4;

	if (n == 8) {
		memcpy(&v8, p, 8);
		return v8 | 0x2020202020202020;
	}
	if (n == 4) {
		memcpy(&v4, p, 4);
		return v4 | 0x20202020;
	}
	return (uint64_t)(p[0] | 0x20) << 8 | (p[n - 1] | 0x20);
}

// Are the n bytes at p, but for case, those of `low`: lower-case letters, digits, "-", "+", "."?
// Setting bit 5 is exact for them unless p has control characters, which no name has. n is a
// constant at each call, so this is a few wide compares.
static inline __attribute__((always_inline)) bool sip_low_eq(const uint8_t *p, const char *low,
							     size_t n) {
	const uint8_t *q = (const uint8_t *)low;
	size_t i = 0, step = n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
	uint64_t diff = 0;

	for (; i + step < n; i += step)
		diff |= sip_load_low(p + i, step) ^ sip_load_low(q + i, step);
	i = n - step; // overlaps what was compared
	return (diff | (sip_load_low(p + i, step) ^ sip_load_low(q + i, step))) == 0;
}

// Is the token s the literal `low`, but for case?
#define SIP_IS(s, low) ((s).len == sizeof(low) - 1 && sip_low_eq((s).p, low, sizeof(low) - 1))

// As sip_load_low(), the bytes as they are.
static inline __attribute__((always_inline)) uint64_t sip_load(const uint8_t *p, size_t n) {
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	if (n == 8) {
		memcpy(&v8, p, 8);
		return v8;
	}
	if (n == 4) {
		memcpy(&v4, p, 4);
		return v4;
	}
	memcpy(&v2, p, 2);
	return v2;
}

// Are the n bytes at p those of `lit`? n is a constant at each call, 2 or 4 to 16.
static inline __attribute__((always_inline)) bool sip_at(const uint8_t *p, const char *lit,
							 size_t n) {
	const uint8_t *q = (const uint8_t *)lit;
	size_t step = n >= 8 ? 8 : n >= 4 ? 4 : 2;

	return sip_load(p, step) == sip_load(q, step) &&
	       sip_load(p + n - step, step) == sip_load(q + n - step, step);
}

// Is the literal at p? Its bytes can be read there.
#define SIP_AT(p, lit) sip_at(p, lit, sizeof(lit) - 1)

// n is a constant at each call, at least 32; the last 32 bytes overlap what was done.
static inline __attribute__((always_inline)) void sip_clear(void *to, size_t n) {
	uint8_t *p = to;

#pragma GCC unroll 32
	for (size_t i = 0; i + 32 < n; i += 32)
		_mm256_storeu_si256((__m256i *)(p + i), _mm256_setzero_si256());
	_mm256_storeu_si256((__m256i *)(p + n - 32), _mm256_setzero_si256());
}

// The same.
static inline __attribute__((always_inline)) void sip_copy(void *to, const void *from, size_t n) {
	const uint8_t *q = from;
	uint8_t *p = to;
	__m256i last = _mm256_loadu_si256((const __m256i *)(q + n - 32));

	for (size_t i = 0; i + 32 < n; i += 32)
		_mm256_storeu_si256((__m256i *)(p + i),
				    _mm256_loadu_si256((const __m256i *)(q + i)));
	_mm256_storeu_si256((__m256i *)(p + n - 32), last);
}
