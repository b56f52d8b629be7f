// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash of tokens and messages. XOR-universal: for any two inputs, whoever chose them without
// the key, the hashes differ by a given number with a chance below 2^-62.
//
// It is carry-less NH (Lemire, Kaser, "Faster 64-bit universal hashing using carry-less
// multiplications", 2016, section 4): blocks of 16 bytes, each XORed with its own key, halves
// multiplied, products summed. A last block that is not full overlaps the one before, or is padded;
// the length, hashed too, tells them apart.
#pragma once

#include <immintrin.h>

#include "reg.h"

#define NH __attribute__((target("pclmul")))

// 127 bits to 64: low + high * fold in GF(2^64) by x^64 + x^4 + x^3 + x + 1.
static inline NH uint64_t nh_fold(__m128i sum, uint64_t by) {
	const __m128i poly = _mm_set_epi64x(0, 0x1b);
	__m128i x = _mm_clmulepi64_si128(sum, _mm_set_epi64x(0, (int64_t)by), 0x01);
	__m128i y = _mm_clmulepi64_si128(x, poly, 0x01);

	y = _mm_xor_si128(y, _mm_clmulepi64_si128(y, poly, 0x01));
	return (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(_mm_xor_si128(sum, x), y));
}

static inline __m128i nh_keyed(const void *p, const uint8_t *key) {
	return _mm_xor_si128(_mm_loadu_si128(p), _mm_loadu_si128((const __m128i *)key));
}

// XORs the products of s, of 16 bytes or more, into *sum; returns the bytes of the key it used.
static inline NH size_t nh_add(__m128i *sum, struct rg_slice s, const uint8_t *key) {
	__m128i x, y, all = *sum, others = _mm_setzero_si128();
	size_t i = 0;

	for (; i + 32 <= s.len; i += 32) {
		x = nh_keyed(s.p + i, key + i);
		y = nh_keyed(s.p + i + 16, key + i + 16);
		all = _mm_xor_si128(all, _mm_clmulepi64_si128(x, x, 0x10));
		others = _mm_xor_si128(others, _mm_clmulepi64_si128(y, y, 0x10));
	}
	if (i + 16 <= s.len) {
		x = nh_keyed(s.p + i, key + i);
		all = _mm_xor_si128(all, _mm_clmulepi64_si128(x, x, 0x10));
		i += 16;
	}
	if (i < s.len) {
		x = nh_keyed(s.p + s.len - 16, key + i);
		all = _mm_xor_si128(all, _mm_clmulepi64_si128(x, x, 0x10));
		i += 16;
	}
	*sum = _mm_xor_si128(all, others);
	return i;
}

// What a hash starts from: the length, or up to four of 16 bits each in one number.
static inline NH __m128i nh_start(const struct reg_tag_key *k, uint64_t len) {
	__m128i x = _mm_set_epi64x((int64_t)k->len[1], (int64_t)(k->len[0] ^ len));

	return _mm_clmulepi64_si128(x, x, 0x10);
}
