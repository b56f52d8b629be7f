// SPDX-License-Identifier: BSD-3-Clause
// Log-linear histogram: 32 steps to each power of two, so a value is known to 3 %.
#pragma once

#include <stdint.h>

#define HIST_STEP_BITS 5
#define HIST_STEPS (1u << HIST_STEP_BITS)
#define HIST_N ((64 - HIST_STEP_BITS + 1) * HIST_STEPS)

struct hist {
	uint64_t n, max;
	uint64_t v[HIST_N];
};

static inline void hist_add(struct hist *h, uint64_t v) {
	unsigned shift = v < HIST_STEPS ? 0 : 63 - HIST_STEP_BITS - (unsigned)__builtin_clzll(v);
	uint64_t i = v < HIST_STEPS ? v : (v >> shift) + shift * HIST_STEPS;

	h->n++;
	h->v[i]++;
	h->max = v > h->max ? v : h->max;
}

// The value that `share` of all are not above; 0 without any.
uint64_t hist_quantile(const struct hist *h, double share);
