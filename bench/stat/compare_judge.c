// SPDX-License-Identifier: BSD-3-Clause
// Which series of two results are judged, against what, and what comes of it.
#include <math.h>
#include <string.h>

#include "compare.h"

#define YARDSTICK "limit_ns"
#define QUOTIENT "ratio_to_limit" // of the yardstick and what was measured, run by run
#define ROUNDING 1e-6             // values are written with nine digits
#define MAX_SWITCHES_PER_S 10     // that a thread did not ask for

static const char *const times[] = {"ns", "us", "ms", "s", "cycles", NULL};

static bool is_one_of(const char *s, const char *const *list) {
	while (*list != NULL && strcmp(s, *list) != 0)
		list++;
	return *list != NULL;
}

static bool is_rate(const char *unit) {
	size_t len = strlen(unit);

	return len >= 2 && strcmp(unit + len - 2, "/s") == 0;
}

static bool logs(const struct compare_series *s, double out[STAT_MAX_RUNS]) {
	for (unsigned i = 0; i < s->n; i++) {
		if (!(s->v[i] > 0))
			return false;
		out[i] = log(s->v[i]);
	}
	return true;
}

// Does x follow from y, as a rate from a time? Sum or difference is the same for all.
static bool follows(const double *x, const double *y, unsigned n) {
	bool is_sum = true, is_difference = true, is_constant = true;

	for (unsigned i = 1; i < n; i++) {
		is_sum &= fabs(x[i] + y[i] - x[0] - y[0]) < ROUNDING;
		is_difference &= fabs(x[i] - y[i] - x[0] + y[0]) < ROUNDING;
		is_constant &= x[i] == x[0];
	}
	return !is_constant && (is_sum || is_difference);
}

// Is it what the quotient was made of? Then it is judged beside the yardstick, as the quotient is.
static bool is_beside(const struct compare_file *f, const struct compare_series *s) {
	const struct compare_series *yardstick = compare_find(f, YARDSTICK);
	const struct compare_series *quotient = compare_find(f, QUOTIENT);
	double x[STAT_MAX_RUNS], y[STAT_MAX_RUNS], q[STAT_MAX_RUNS];

	if (yardstick == NULL || quotient == NULL || s == yardstick || s == quotient ||
	    yardstick->n != s->n || quotient->n != s->n || !logs(s, x) || !logs(yardstick, y) ||
	    !logs(quotient, q))
		return false;
	for (unsigned i = 0; i < s->n; i++)
		q[i] -= y[i];
	return follows(x, q, s->n);
}

// Is what one says of s said of an earlier one already?
static bool is_known(const struct compare_file *f, const struct compare_series *s,
		     const struct compare_series *earlier) {
	double x[STAT_MAX_RUNS], y[STAT_MAX_RUNS];
	bool is_quotient = strcmp(s->name, QUOTIENT) == 0 || is_beside(f, s);

	if (is_quotient && (strcmp(earlier->name, QUOTIENT) == 0 || is_beside(f, earlier)))
		return true;
	return s->n == earlier->n && logs(s, x) && logs(earlier, y) && follows(x, y, s->n);
}

// Rows that can raise a false alarm of their own.
static unsigned n_own(const struct compare_file *f, const struct compare_table *t) {
	unsigned n = 0;

	for (unsigned i = 0; i < t->n; i++) {
		bool is_own = t->rows[i].is_judged;

		for (unsigned k = 0; is_own && k < i; k++)
			is_own = !t->rows[k].is_judged ||
				 !is_known(f, t->rows[i].series, t->rows[k].series);
		n += is_own;
	}
	return n;
}

struct values {
	double v[STAT_MAX_RUNS], probe[STAT_MAX_RUNS];
	struct stat_runs runs;
};

// What stands for a file among others: its best run, for noise only ever slows down.
static double of_file(const struct compare_series *s, enum compare_better better) {
	struct stat_summary sum = stat_summarize(s->v, s->n);

	if (better == COMPARE_NEITHER)
		return sum.median;
	return better == COMPARE_LOWER ? sum.min : sum.max;
}

// The runs of one file, or what stands for each of several.
static void collect(const struct compare_side *side, const char *name, struct values *out) {
	const struct compare_series *s = compare_find(&side->files[0], name);
	const struct compare_series *yardstick = compare_find(&side->files[0], YARDSTICK);
	bool has_probe = is_beside(&side->files[0], s);

	out->runs = (struct stat_runs){.n = side->n, .v = out->v};
	if (has_probe)
		out->runs.probe = out->probe;
	if (side->n == 1) {
		out->runs.n = s->n;
		memcpy(out->v, s->v, s->n * sizeof(*s->v));
		if (has_probe)
			memcpy(out->probe, yardstick->v, s->n * sizeof(*s->v));
		return;
	}
	for (unsigned i = 0; i < side->n; i++) {
		s = compare_find(&side->files[i], name);
		out->v[i] = of_file(s, s->better);
		if (!has_probe)
			continue;
		yardstick = compare_find(&side->files[i], YARDSTICK);
		out->probe[i] = of_file(yardstick, COMPARE_LOWER);
	}
}

static bool is_in_all(const struct compare_side *side, const struct compare_series *wanted) {
	for (unsigned i = 0; i < side->n; i++) {
		const struct compare_series *s = compare_find(&side->files[i], wanted->name);

		if (s == NULL || strcmp(s->unit, wanted->unit) != 0 ||
		    (compare_find(&side->files[0], YARDSTICK) != NULL &&
		     compare_find(&side->files[i], YARDSTICK) == NULL))
			return false;
	}
	return true;
}

// Did others have the CPUs in the runs of this result? What the clock measured is then theirs too, for
// as long as they were there, and no statistics of one result can know how long that was.
static bool is_disturbed(const struct compare_file *f) {
	const json_t *counters = json_object_get(f->doc, "counters");
	double n = json_number_value(json_object_get(counters, "involuntary_switches"));
	double seconds = json_number_value(json_object_get(f->doc, "seconds"));

	return n > MAX_SWITCHES_PER_S * fmax(seconds, 1);
}

static bool is_clocked(const struct compare_file *f, const struct compare_series *s) {
	return (is_rate(s->unit) || is_one_of(s->unit, times)) && strcmp(s->name, QUOTIENT) != 0 &&
	       !is_beside(f, s);
}

static void say(struct compare_row *r) {
	const char *unit = r->series->unit, *more = "greater", *less = "smaller";
	bool is_lower = r->series->better == COMPARE_LOWER;

	if (is_rate(unit) || is_one_of(unit, times) || strcmp(r->series->name, QUOTIENT) == 0) {
		more = is_lower ? "slower" : "faster";
		less = is_lower ? "faster" : "slower";
	}
	stat_say(&r->verdict, more, less, r->says, sizeof(r->says));
}

static void tell_end(struct compare_table *t) {
	unsigned n[COMPARE_END_NOISY + 1] = {0};

	for (unsigned i = 0; i < t->n; i++) {
		const struct compare_row *r = &t->rows[i];
		enum stat_word worse = r->series->better == COMPARE_LOWER ? STAT_MORE : STAT_LESS;

		if (!r->is_judged)
			continue;
		if (r->verdict.word == STAT_SAME)
			n[COMPARE_END_SAME]++;
		else if (r->verdict.word == STAT_NOISY || r->verdict.word == STAT_FEW)
			n[COMPARE_END_NOISY]++;
		else
			n[r->verdict.word == worse ? COMPARE_END_WORSE : COMPARE_END_BETTER]++;
	}
	t->end = COMPARE_END_SAME;
	if (n[COMPARE_END_WORSE] > 0)
		t->end = COMPARE_END_WORSE;
	else if (n[COMPARE_END_NOISY] > 0 || t->n_judged == 0)
		t->end = COMPARE_END_NOISY;
	else if (n[COMPARE_END_BETTER] > 0)
		t->end = COMPARE_END_BETTER;
}

static void judge_row(const struct compare_side *a, const struct compare_side *b,
		      struct stat_rule rule, struct compare_row *r) {
	struct values va, vb;

	collect(a, r->series->name, &va);
	collect(b, r->series->name, &vb);
	r->n_a = va.runs.n;
	r->n_b = vb.runs.n;
	r->a = stat_summarize(va.v, r->n_a);
	r->b = stat_summarize(vb.v, r->n_b);
	if (!r->is_judged)
		return;
	rule.is_rate = is_rate(r->series->unit);
	r->verdict = stat_judge(&va.runs, &vb.runs, &rule);
	say(r);
}

static void add_row(const struct compare_file *f, const struct compare_series *s, bool is_noisy,
		    struct compare_table *out) {
	struct compare_row *r = &out->rows[out->n++];

	r->series = s;
	r->is_judged = s->better != COMPARE_NEITHER;
	if (!r->is_judged || !is_noisy || !is_clocked(f, s))
		return;
	r->is_judged = false;
	snprintf(r->says, sizeof(r->says), "not judged: other processes had the CPUs");
}

void compare_judge(const struct compare_side *a, const struct compare_side *b, double within,
		   struct compare_table *out) {
	const struct compare_file *first = &a->files[0];
	struct stat_rule rule = {.alpha = STAT_ALPHA, .doubt = STAT_DOUBT, .within = within};
	bool is_in_turn = a->n > 1 && b->n > 1;
	bool is_noisy = !is_in_turn && (is_disturbed(first) || is_disturbed(&b->files[0]));

	*out = (struct compare_table){0};
	for (unsigned i = 0; i < first->n_series; i++)
		if (is_in_all(a, &first->series[i]) && is_in_all(b, &first->series[i]))
			add_row(first, &first->series[i], is_noisy, out);
	out->n_judged = rule.n_series = n_own(first, out);
	for (unsigned i = 0; i < out->n; i++) {
		bool is_alone = is_clocked(first, out->rows[i].series);

		if (!is_in_turn)
			rule.drift = is_alone ? STAT_DRIFT_ALONE : STAT_DRIFT;
		judge_row(a, b, rule, &out->rows[i]);
	}
	tell_end(out);
}
