// SPDX-License-Identifier: BSD-3-Clause
// Statistics of bench results: does B differ from A, by how much, and how sure is that? Few runs,
// skewed noise, a machine that others use: hence ranks, which assume no distribution. No I/O, no
// allocation. The reasons are in README.md.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define STAT_MAX_RUNS 101

// Of n values in any order, 1 <= n <= 2 * STAT_MAX_RUNS, none of them NaN.
struct stat_summary {
	double median, min, max;
};
struct stat_summary stat_summarize(const double *v, unsigned n);
// The value that `share` (0 .. 1) of all are not above, between two values in proportion (type 7 of
// Hyndman and Fan 1996).
double stat_quantile(const double *v, unsigned n, double share);
int stat_order(const void *a, const void *b); // of two doubles, for qsort()

// --- rank.c
// How many of the n * m differences an interval leaves out at each end, so that it misses the truth
// in at most `alpha` of all cases. 0: so few runs cannot tell at this level.
unsigned stat_rank_cut(unsigned n, unsigned m, double alpha);
// The runs of either side from which on they can tell.
unsigned stat_runs_needed(double alpha);

// --- judge.c
struct stat_runs {
	unsigned n;
	const double *v;     // one for each run
	const double *probe; // the yardstick's in the same minute, same unit for all; NULL: none
};

struct stat_rule {
	double alpha;      // false alarms in this share of comparisons, all series together
	unsigned n_series; // that are judged in one comparison
	double doubt;      // share by which results of one binary differ on the best of machines
	double drift;      // doubted as well: so many spreads of the runs
	double within;     // share up to which "no difference" is worth saying
	bool is_rate;      // values grow when the yardstick's time shrinks
};
#define STAT_ALPHA 0.05
#define STAT_DOUBT 0.01
#define STAT_WITHIN 0.02
// Runs of one result know less than their number promises: what slows a machine lasts for minutes. As
// many spreads of them keep false alarms under 5 % on a shared machine (tests/unit/stat/recorded.h)
// beside the yardstick, and without it. 0 when what is judged was taken in turn.
#define STAT_DRIFT 1.5
#define STAT_DRIFT_ALONE 3.0

enum stat_word {
	STAT_SAME,  // no difference but for +-reach
	STAT_MORE,  // the values of B are greater
	STAT_LESS,  // the values of B are smaller
	STAT_NOISY, // only a difference above reach would show
	STAT_FEW,   // it takes n_needed runs of each
};

struct stat_verdict {
	enum stat_word word;
	bool is_paired;          // each run was set against the yardstick of the same minute
	bool has_ratio;          // false: a value is not above 0, so the ranks alone speak
	double ratio, low, high; // of B / A; STAT_FEW: ratio alone
	double reach;            // share: how far from 1 the interval goes
	double from, to;         // medians of A, B
	unsigned n_needed;
};
// Pairs when both have a probe. n of either is 1 .. STAT_MAX_RUNS.
struct stat_verdict stat_judge(const struct stat_runs *a, const struct stat_runs *b,
			       const struct stat_rule *rule);
// "slower by 4.1 % (2.9 to 5.3)", "no difference (within +-1.2 %)"; `more` and `less` are the words
// for greater and smaller values.
void stat_say(const struct stat_verdict *v, const char *more, const char *less, char *out,
	      size_t len);
