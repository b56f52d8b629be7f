// SPDX-License-Identifier: BSD-3-Clause
// Percentiles of a histogram as the file has it, with intervals.
#include <math.h>

#include "compare.h"

const double compare_percents[COMPARE_N_PERCENTILES] = {50, 90, 99, 99.9, 99.99};

#define DEVIATIONS 1.96 // 95 % of a normal distribution

// The greatest value of the step that holds the value of this rank, from 1 on.
static double at_rank(const json_t *buckets, double rank) {
	double sum = 0, greatest = 0;
	const json_t *b;
	size_t i;

	json_array_foreach(buckets, i, b) {
		sum += json_number_value(json_array_get(b, 2));
		greatest = json_number_value(json_array_get(b, 1));
		if (sum >= rank)
			break;
	}
	return greatest;
}

double compare_hist_count(const json_t *hist) {
	double n = 0;
	const json_t *b;
	size_t i;

	json_array_foreach(json_object_get(hist, "buckets"), i, b) n +=
		json_number_value(json_array_get(b, 2));
	return n;
}

// The rank of a quantile is binomial, near enough to normal.
struct compare_percentile compare_percentile(const json_t *hist, double share) {
	const json_t *buckets = json_object_get(hist, "buckets");
	double n = compare_hist_count(hist), rank = share * n;
	double reach = DEVIATIONS * sqrt(n * share * (1 - share));
	struct compare_percentile p = {0};

	if (n > 0) {
		p.at = at_rank(buckets, rank);
		p.low = at_rank(buckets, rank - reach);
		p.high = at_rank(buckets, rank + reach);
	}
	return p;
}

const json_t *compare_find_hist(const struct compare_file *f, const json_t *hist) {
	const json_t *h;
	size_t i;

	json_array_foreach(json_object_get(f->doc, "histograms"), i,
			   h) if (json_equal(json_object_get(h, "name"),
					     json_object_get(hist, "name")) &&
				  json_equal(json_object_get(h, "unit"),
					     json_object_get(hist, "unit"))) return h;
	return NULL;
}
