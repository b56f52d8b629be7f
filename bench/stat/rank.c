// SPDX-License-Identifier: BSD-3-Clause
// Distribution of the Mann-Whitney statistic: in how many of the orders into which n and m values
// can fall are just u pairs the wrong way round?
#include "stat.h"

#define MAX_PAIRS (STAT_MAX_RUNS * STAT_MAX_RUNS)

// counts[u], and their sum. The generating function is the Gaussian binomial n + m over n, the
// product of (1 - q^(m + i)) / (1 - q^i), i = 1 .. n. Rounding does not matter: each count comes of
// those before it, which are no greater.
static double orders(unsigned n, unsigned m, double counts[MAX_PAIRS + 1]) {
	double all = 0;

	for (unsigned u = 0; u <= n * m; u++)
		counts[u] = u == 0;
	for (unsigned i = 1; i <= n; i++) {
		for (unsigned u = n * m; u >= m + i; u--)
			counts[u] -= counts[u - m - i];
		for (unsigned u = i; u <= n * m; u++)
			counts[u] += counts[u - i];
	}
	for (unsigned u = 0; u <= n * m; u++)
		all += counts[u];
	return all;
}

unsigned stat_rank_cut(unsigned n, unsigned m, double alpha) {
	double counts[MAX_PAIRS + 1], all, tail;
	unsigned cut = 0;

	if (n == 0 || m == 0)
		return 0;
	all = orders(n, m, counts);
	for (tail = counts[0]; cut <= n * m / 2 && 2 * tail <= alpha * all; tail += counts[cut])
		cut++;
	return cut;
}

unsigned stat_runs_needed(double alpha) {
	unsigned n = 1;

	while (n < STAT_MAX_RUNS && stat_rank_cut(n, n, alpha) == 0)
		n++;
	return n;
}
