// SPDX-License-Identifier: BSD-3-Clause
// Log-linear histogram: 128 steps to each power of two, so a value is known to 1 % (two significant
// digits). One writer. Values are whole numbers of any unit.
#pragma once

#include <stdint.h>

#include "regate/loglin.h"

#define HIST_STEP_BITS 7
#define HIST_N RG_LOGLIN_N(HIST_STEP_BITS, 64)

struct hist {
	uint64_t n, max;
	uint64_t v[HIST_N];
};

static inline uint32_t hist_step(uint64_t v) {
	return rg_loglin_step(v, HIST_STEP_BITS);
}

static inline void hist_add_n(struct hist *h, uint64_t v, uint64_t n) {
	h->n += n;
	h->v[hist_step(v)] += n;
	h->max = v > h->max ? v : h->max;
}

static inline void hist_add(struct hist *h, uint64_t v) {
	hist_add_n(h, v, 1);
}

// Least and greatest value of a step.
uint64_t hist_lower(uint32_t step);
uint64_t hist_upper(uint32_t step);
void hist_merge(struct hist *into, const struct hist *from);
// The value that `share` of all are not above; 0 without any.
uint64_t hist_quantile(const struct hist *h, double share);
double hist_mean(const struct hist *h); // from the middles of the steps; 0 without any
