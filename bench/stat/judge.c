// SPDX-License-Identifier: BSD-3-Clause
// Two results side by side: the ratio of their values, an interval for it, and a word for that.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stat.h"

// Logarithms, so that a ratio becomes a difference. False when there is none.
static bool logs(const struct stat_runs *r, bool is_paired, bool is_rate,
		 double out[STAT_MAX_RUNS]) {
	for (unsigned i = 0; i < r->n; i++) {
		if (!(r->v[i] > 0) || (is_paired && !(r->probe[i] > 0)))
			return false;
		out[i] = log(r->v[i]);
		if (is_paired)
			out[i] += is_rate ? log(r->probe[i]) : -log(r->probe[i]);
	}
	return r->n > 0;
}

// The differences between any run of b and any of a, ascending. Their median estimates the shift
// (Hodges and Lehmann), and the k-th from either end bounds it (Moses).
static size_t differences(const double *a, unsigned n_a, const double *b, unsigned n_b,
			  double out[STAT_MAX_RUNS * STAT_MAX_RUNS]) {
	size_t n = 0;

	for (unsigned i = 0; i < n_a; i++)
		for (unsigned k = 0; k < n_b; k++)
			out[n++] = b[k] - a[i];
	if (n > 0) // as it always is
		qsort(out, n, sizeof(*out), stat_order);
	return n;
}

// Of the runs about the median of their result: the quartiles of a normal distribution are 1.349
// deviations apart.
static double spread(const double *a, unsigned n_a, const double *b, unsigned n_b) {
	double rest[2 * STAT_MAX_RUNS];
	double mid_a = stat_summarize(a, n_a).median, mid_b = stat_summarize(b, n_b).median;
	unsigned n = 0;

	for (unsigned i = 0; i < n_a; i++)
		rest[n++] = a[i] - mid_a;
	for (unsigned i = 0; i < n_b; i++)
		rest[n++] = b[i] - mid_b;
	return (stat_quantile(rest, n, 0.75) - stat_quantile(rest, n, 0.25)) / 1.349;
}

static enum stat_word word_of(double low, double high, double same) {
	if (low > same)
		return STAT_MORE;
	return high < same ? STAT_LESS : STAT_SAME;
}

// Fills x and y with what is compared: logarithms, or the values where there are none.
static void prepare(const struct stat_runs *a, const struct stat_runs *b, bool is_rate,
		    struct stat_verdict *v, double *x, double *y) {
	v->from = stat_summarize(a->v, a->n).median;
	v->to = stat_summarize(b->v, b->n).median;
	v->is_paired = a->probe != NULL && b->probe != NULL;
	v->has_ratio = logs(a, v->is_paired, is_rate, x) && logs(b, v->is_paired, is_rate, y);
	if (v->has_ratio)
		return;
	v->is_paired = false;
	memcpy(x, a->v, a->n * sizeof(*x));
	memcpy(y, b->v, b->n * sizeof(*y));
}

struct stat_verdict stat_judge(const struct stat_runs *a, const struct stat_runs *b,
			       const struct stat_rule *rule) {
	double x[STAT_MAX_RUNS], y[STAT_MAX_RUNS], d[STAT_MAX_RUNS * STAT_MAX_RUNS];
	double alpha = rule->alpha / (rule->n_series > 0 ? rule->n_series : 1); // Bonferroni
	unsigned cut = stat_rank_cut(a->n, b->n, alpha);
	struct stat_verdict v = {.word = STAT_FEW};
	double doubt;
	size_t n;

	prepare(a, b, rule->is_rate, &v, x, y);
	n = differences(x, a->n, y, b->n, d);
	if (v.has_ratio)
		v.ratio = exp((d[(n - 1) / 2] + d[n / 2]) / 2);
	if (cut == 0) {
		v.n_needed = stat_runs_needed(alpha);
		return v;
	}
	if (!v.has_ratio) {
		v.word = word_of(d[cut - 1], d[n - cut], 0);
		return v;
	}
	doubt = rule->doubt + rule->drift * spread(x, a->n, y, b->n);
	v.low = exp(d[cut - 1] - doubt);
	v.high = exp(d[n - cut] + doubt);
	v.reach = fmax(fabs(v.low - 1), fabs(v.high - 1));
	v.word = word_of(v.low, v.high, 1);
	if (v.word == STAT_SAME && v.reach > rule->within)
		v.word = STAT_NOISY;
	return v;
}

static double percent(double ratio) {
	return fabs(ratio - 1) * 100;
}

static void say_change(const struct stat_verdict *v, const char *word, double nearest,
		       double farthest, char *out, size_t len) {
	if (v->has_ratio)
		snprintf(out, len, "%s by %.1f %% (%.1f to %.1f)", word, percent(v->ratio),
			 percent(nearest), percent(farthest));
	else
		snprintf(out, len, "%s: %.4g before, %.4g now", word, v->from, v->to);
}

void stat_say(const struct stat_verdict *v, const char *more, const char *less, char *out,
	      size_t len) {
	switch (v->word) {
	case STAT_SAME:
		snprintf(out, len,
			 v->has_ratio ? "no difference (within +-%.1f %%)" : "no difference",
			 v->reach * 100);
		break;
	case STAT_MORE:
		say_change(v, more, v->low, v->high, out, len);
		break;
	case STAT_LESS:
		say_change(v, less, v->high, v->low, out, len);
		break;
	case STAT_NOISY:
		snprintf(out, len, "too noisy: only differences above %.0f %% would show",
			 ceil(v->reach * 100));
		break;
	case STAT_FEW:
		snprintf(out, len, "too few runs: it takes %u of each", v->n_needed);
		break;
	}
}
