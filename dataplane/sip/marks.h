// SPDX-License-Identifier: BSD-3-Clause
// The line scan of the message parser: one pass that leaves a bit per run of control characters, so
// one per line, then a walk over the bits. Never reads past its input.
#pragma once

#include <immintrin.h>

#include "regate/slice.h"

#define MARKS_WORDS(len) ((len) / 64 + 1)

// Positions where a run of control characters (but HT) starts, and the input's end.
struct marks {
	struct rg_slice in;
	const uint8_t *base; // the 64 bytes that *word stands for
	uint64_t bits;       // of *word, those still to come
	uint64_t *word, *last;
};

// Bit i: p[i] is no control character, or HT. Reads 32 bytes.
static inline uint32_t marks_text32(const uint8_t *p) {
	const __m256i swapped =
		_mm256_setr_epi8(-1, 0, 0, 0, 0, 0, 0, 0, 0, '\t', 0, 0, 0, 0, 0, 0x7f, -1, 0, 0, 0,
				 0, 0, 0, 0, 0, '\t', 0, 0, 0, 0, 0, 0x7f);
	__m256i v = _mm256_loadu_si256((const __m256i *)p);
	// bit 7: from a blank up
	__m256i text = _mm256_adds_epu8(v, _mm256_set1_epi8(0x80 - ' '));

	// HT and DEL are at the place of their low four bits, and nothing from 0x80 up is
	v = _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(swapped, v));
	return (uint32_t)_mm256_movemask_epi8(_mm256_xor_si256(text, v));
}

static inline uint64_t marks_text64(const uint8_t *p) {
	return marks_text32(p) | (uint64_t)marks_text32(p + 32) << 32;
}

// The same for the rest of the input, 1 to 63 bytes.
static inline uint64_t marks_text_rest(struct rg_slice in, size_t rest) {
	uint8_t pad[64] = {0};

	if (in.len >= 64) // the last 64 bytes, those seen already shifted out
		return marks_text64(in.p + in.len - 64) >> (64 - rest);
	memcpy(pad, in.p + in.len - rest, rest);
	return marks_text64(pad);
}

// map has MARKS_WORDS(in.len) words.
static inline void marks_init(struct marks *k, struct rg_slice in, uint64_t *map) {
	size_t n = in.len / 64, rest = in.len % 64;
	uint64_t text, before = 1; // is the byte before text?

	for (size_t i = 0; i < n; i++) {
		text = marks_text64(in.p + i * 64);
		map[i] = ~text & (text << 1 | before);
		before = text >> 63;
	}
	map[n] = UINT64_C(1) << rest;
	if (rest > 0) {
		text = marks_text_rest(in, rest);
		map[n] |= ~text & (text << 1 | before) & (map[n] - 1);
	}
	k->in = in;
	k->base = in.p;
	k->bits = map[0];
	k->word = map;
	k->last = map + n;
}

// The next mark; the input's end, which is the last, is asked for once.
static inline const uint8_t *marks_next(struct marks *k) {
	const uint8_t *at;

	while (k->bits == 0) {
		if (k->word == k->last)
			__builtin_unreachable();
		// marks_init() has written all words up to *last.
		// NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign)
		k->bits = *++k->word;
		k->base += 64;
	}
	at = k->base + (unsigned)__builtin_ctzll(k->bits);
	k->bits &= k->bits - 1;
	return at;
}

// Behind the last mark, at p: a run can start here, although there is one before it.
static inline void marks_restart(struct marks *k, const uint8_t *p) {
	if (p == k->in.p + k->in.len || (*p >= ' ' && *p != 0x7f) || *p == '\t')
		return;
	if (p == k->base + 64)
		k->word[1] |= 1;
	else
		k->bits |= UINT64_C(1) << (p - k->base);
}
