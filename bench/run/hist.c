// SPDX-License-Identifier: BSD-3-Clause
// Reads the histogram.
#include "hist.h"

uint64_t hist_lower(uint32_t step) {
	return rg_loglin_lower(step, HIST_STEP_BITS);
}

uint64_t hist_upper(uint32_t step) {
	return rg_loglin_upper(step, HIST_STEP_BITS);
}

void hist_merge(struct hist *into, const struct hist *from) {
	for (uint32_t i = 0; i < HIST_N; i++)
		into->v[i] += from->v[i];
	into->n += from->n;
	into->max = from->max > into->max ? from->max : into->max;
}

static uint64_t top_of(const struct hist *h, uint32_t step) {
	return hist_upper(step) < h->max ? hist_upper(step) : h->max;
}

uint64_t hist_quantile(const struct hist *h, double share) {
	double want = share * (double)h->n;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < HIST_N; i++) {
		sum += h->v[i];
		if (sum > 0 && (double)sum >= want)
			return top_of(h, i);
	}
	return 0;
}

static double middle(const struct hist *h, uint32_t step) {
	return ((double)hist_lower(step) + (double)top_of(h, step)) / 2;
}

double hist_mean(const struct hist *h) {
	double sum = 0;

	for (uint32_t i = 0; i < HIST_N; i++)
		if (h->v[i] > 0)
			sum += middle(h, i) * (double)h->v[i];
	return h->n == 0 ? 0 : sum / (double)h->n;
}
