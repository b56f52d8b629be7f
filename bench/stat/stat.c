// SPDX-License-Identifier: BSD-3-Clause
// Median, range, quantiles.
#include "stat.h"

#include <stdlib.h>
#include <string.h>

int stat_order(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at(const double *sorted, unsigned n, double share) {
	double pos = share * (n - 1);
	unsigned i = (unsigned)pos;

	return i + 1 < n ? sorted[i] + (pos - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

double stat_quantile(const double *v, unsigned n, double share) {
	double sorted[2 * STAT_MAX_RUNS];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), stat_order);
	return at(sorted, n, share);
}

struct stat_summary stat_summarize(const double *v, unsigned n) {
	double sorted[2 * STAT_MAX_RUNS];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), stat_order);
	return (struct stat_summary){at(sorted, n, 0.5), sorted[0], sorted[n - 1]};
}
