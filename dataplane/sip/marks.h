// SPDX-License-Identifier: BSD-3-Clause
// The line scan of the message parser: 64 bytes at a time, one mark per run of control characters,
// so one per line. Never reads past its input.
#pragma once

#include <immintrin.h>

#include "regate/slice.h"

// Positions where a run of control characters (but HT) starts.
struct marks {
	struct rg_slice in;
	size_t base, next; // of the block in `bits`; of the block to load
	uint64_t bits;
	uint64_t was_in_run; // 1 = the block before ended in a run
};

// Bit i: p[i] is a control character but HT. Reads 32 bytes.
static inline uint64_t marks_ctl32(const uint8_t *p) {
	__m256i v = _mm256_loadu_si256((const __m256i *)p);
	// one more makes a DEL negative, and what is below a blank at most a blank
	__m256i text =
		_mm256_cmpgt_epi8(_mm256_add_epi8(v, _mm256_set1_epi8(1)), _mm256_set1_epi8(' '));
	__m256i tab = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\t'));

	// bit 7 of v itself: bytes from 0x80 up
	v = _mm256_or_si256(_mm256_or_si256(v, tab), text);
	return (uint32_t)~_mm256_movemask_epi8(v);
}

static inline uint64_t marks_ctl64(const uint8_t *p) {
	return marks_ctl32(p) | marks_ctl32(p + 32) << 32;
}

// The same for the rest of the input, less than 64 bytes.
static __attribute__((noinline)) uint64_t marks_ctl_rest(struct rg_slice in, size_t rest) {
	uint8_t pad[64];

	if (in.len >= 64) // the last 64 bytes, those seen already shifted out
		return marks_ctl64(in.p + in.len - 64) >> (64 - rest);
	memset(pad, ' ', sizeof(pad));
	memcpy(pad, in.p + in.len - rest, rest);
	return marks_ctl64(pad);
}

// The next mark, or in.len.
static inline size_t marks_next(struct marks *k) {
	size_t at;

	while (k->bits == 0) {
		uint64_t ctl;

		if (k->next >= k->in.len)
			return k->in.len;
		ctl = k->in.len - k->next >= 64 ? marks_ctl64(k->in.p + k->next)
						: marks_ctl_rest(k->in, k->in.len - k->next);
		k->bits = ctl & ~(ctl << 1 | k->was_in_run);
		k->was_in_run = ctl >> 63;
		k->base = k->next;
		k->next += 64;
	}
	at = k->base + (unsigned)__builtin_ctzll(k->bits);
	k->bits &= k->bits - 1;
	return at;
}

// Goes on at `at`, as if a run could start there.
static inline void marks_restart(struct marks *k, size_t at) {
	k->next = at;
	k->bits = 0;
	k->was_in_run = 0;
}
