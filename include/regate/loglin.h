// SPDX-License-Identifier: BSD-3-Clause
// Steps of a log-linear histogram: 2^bits of them to each power of two, so that a value is known to
// one part in 2^bits, at any size. Pure.
#pragma once

#include <stdint.h>

// How many steps the values below 2^max_bits take.
#define RG_LOGLIN_N(bits, max_bits) (((max_bits) - (bits) + 1) * (1u << (bits)))

static inline unsigned rg_loglin_step(uint64_t v, unsigned bits) {
	unsigned shift = v >> bits == 0 ? 0 : 63 - bits - (unsigned)__builtin_clzll(v);

	return (unsigned)(v >> shift) + (shift << bits);
}

// Least and greatest value of a step.
static inline uint64_t rg_loglin_lower(unsigned step, unsigned bits) {
	unsigned shift = step < 2u << bits ? 0 : (step >> bits) - 1;

	return (uint64_t)(step - (shift << bits)) << shift;
}

static inline uint64_t rg_loglin_upper(unsigned step, unsigned bits) {
	unsigned shift = step < 2u << bits ? 0 : (step >> bits) - 1;

	return rg_loglin_lower(step, bits) + ((UINT64_C(1) << shift) - 1);
}
