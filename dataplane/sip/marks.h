// SPDX-License-Identifier: BSD-3-Clause
// The line scan of the message parser: 64 bytes at a time, one mark per line end. Never reads past
// its input.
#pragma once

#include <immintrin.h>

#include "regate/slice.h"

// Positions of the bytes that need a look: control characters but HT, and not the LF of a CRLF.
struct marks {
	struct rg_slice in;
	size_t base, next; // of the block in `bits`; of the block to load
	uint64_t bits;
	bool was_cr; // the block before ended in CR
};

static inline uint64_t mask32(__m256i is) {
	return (uint32_t)_mm256_movemask_epi8(is);
}

// Control characters but HT, CRs and LFs among 32 bytes.
static inline void classify(const uint8_t *p, uint64_t *ctl, uint64_t *cr, uint64_t *lf) {
	__m256i v = _mm256_loadu_si256((const __m256i *)p);
	__m256i top = _mm256_set1_epi8(0x1f);
	__m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(v, top), v);
	__m256i del = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7f));
	__m256i tab = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\t'));

	*ctl = mask32(_mm256_andnot_si256(tab, _mm256_or_si256(low, del)));
	*cr = mask32(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\r')));
	*lf = mask32(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\n')));
}

// Less than a block of input: a copy with blanks behind it.
static __attribute__((noinline)) void marks_pad(struct rg_slice in, uint8_t pad[64]) {
	memset(pad, ' ', 64);
	memcpy(pad, in.p, in.len);
}

static inline void marks_load(struct marks *k) {
	size_t rest = k->in.len - k->next;
	const uint8_t *p = k->in.p + k->next;
	uint64_t ctl[2], cr[2], lf[2];
	uint8_t pad[64];
	unsigned shift = 0;

	if (rest < 64 && k->in.len >= 64) { // the last 64 bytes, those seen already shifted out
		shift = 64 - (unsigned)rest;
		p = k->in.p + k->in.len - 64;
	} else if (rest < 64) {
		marks_pad(k->in, pad);
		p = pad;
	}
	classify(p, &ctl[0], &cr[0], &lf[0]);
	classify(p + 32, &ctl[1], &cr[1], &lf[1]);
	ctl[0] = (ctl[0] | ctl[1] << 32) >> shift;
	cr[0] = (cr[0] | cr[1] << 32) >> shift;
	lf[0] = (lf[0] | lf[1] << 32) >> shift;
	k->bits = ctl[0] & ~(lf[0] & (cr[0] << 1 | k->was_cr));
	k->was_cr = cr[0] >> 63;
	k->base = k->next;
	k->next += 64;
}

// The next mark, or in.len.
static inline size_t marks_next(struct marks *k) {
	size_t at;

	while (k->bits == 0) {
		if (k->next >= k->in.len)
			return k->in.len;
		marks_load(k);
	}
	at = k->base + (unsigned)__builtin_ctzll(k->bits);
	k->bits &= k->bits - 1;
	return at;
}
