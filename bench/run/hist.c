// SPDX-License-Identifier: BSD-3-Clause
// Reads the histogram.
#include "hist.h"

// Greatest value of a step.
static uint64_t upper(uint64_t i) {
	uint64_t shift = i < 2 * HIST_STEPS ? 0 : i / HIST_STEPS - 1;

	return ((i - shift * HIST_STEPS + 1) << shift) - 1;
}

uint64_t hist_quantile(const struct hist *h, double share) {
	double want = share * (double)h->n;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < HIST_N; i++) {
		sum += h->v[i];
		if (sum > 0 && (double)sum >= want)
			return upper(i) < h->max ? upper(i) : h->max;
	}
	return 0;
}
