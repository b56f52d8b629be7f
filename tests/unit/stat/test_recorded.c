// SPDX-License-Identifier: BSD-3-Clause
// What the judge makes of real runs (recorded.h): of two results of one binary it has to say that it
// sees no difference in 95 of 100 comparisons, and one that is there it has to find.
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "recorded.h"
#include "stat.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_FALSE 0.05
#define N_COMPARISONS 400
#define RUNS 7

// The same sequence in every run.
static unsigned dice(unsigned sides) {
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % sides;
}

static struct stat_rule rule(unsigned n_series, double drift) {
	return (struct stat_rule){.alpha = STAT_ALPHA,
				  .n_series = n_series,
				  .doubt = STAT_DOUBT,
				  .drift = drift,
				  .within = STAT_WITHIN};
}

static bool is_alarm(const struct stat_runs *a, const struct stat_runs *b,
		     const struct stat_rule *r) {
	struct stat_verdict v = stat_judge(a, b, r);

	return v.word == STAT_MORE || v.word == STAT_LESS;
}

// RUNS runs in a row of two processes, as two results have them. Two series: what was measured
// beside the yardstick, and the yardstick, as if it were measured.
static bool compare_raises_alarm(const struct recorded *all, unsigned n_all, unsigned n_runs) {
	unsigned i = dice(n_all), k = (i + 1 + dice(n_all - 1)) % n_all;
	unsigned at_i = dice(n_runs - RUNS + 1), at_k = dice(n_runs - RUNS + 1);
	struct stat_runs a = {RUNS, &all[i].refresh[at_i], &all[i].limit[at_i]};
	struct stat_runs b = {RUNS, &all[k].refresh[at_k], &all[k].limit[at_k]};
	struct stat_runs limit_a = {RUNS, a.probe, NULL}, limit_b = {RUNS, b.probe, NULL};
	struct stat_rule r = rule(2, STAT_DRIFT), alone = rule(2, STAT_DRIFT_ALONE);

	return is_alarm(&a, &b, &r) || is_alarm(&limit_a, &limit_b, &alone);
}

static void check_false_alarms(const struct recorded *all, unsigned n_all, unsigned n_runs) {
	unsigned n = 0;

	for (unsigned i = 0; i < N_COMPARISONS; i++)
		n += compare_raises_alarm(all, n_all, n_runs);
	ck_assert_msg(n <= MAX_FALSE * N_COMPARISONS, "%u of %u", n, N_COMPARISONS);
}

START_TEST(same_binary_calm) {
	check_false_alarms(calm, COUNT(calm), CALM_RUNS);
}
END_TEST

START_TEST(same_binary_busy) {
	check_false_alarms(busy, COUNT(busy), BUSY_RUNS);
}
END_TEST

// B is the same runs, slower. Of one result each, twice as slow has to be found here; a
// difference in the wrong direction must never be.
START_TEST(one_result_each) {
	unsigned n_found = 0, n_wrong = 0;

	for (unsigned i = 0; i < N_COMPARISONS; i++) {
		unsigned x = dice(COUNT(calm)), y = dice(COUNT(calm));
		double slower[CALM_RUNS];
		struct stat_runs a = {CALM_RUNS, calm[x].refresh, calm[x].limit};
		struct stat_runs b = {CALM_RUNS, slower, calm[y].limit};
		struct stat_rule r = rule(1, STAT_DRIFT);
		enum stat_word word;

		for (unsigned k = 0; k < CALM_RUNS; k++)
			slower[k] = 2 * calm[y].refresh[k];
		word = stat_judge(&a, &b, &r).word;
		n_found += word == STAT_MORE;
		n_wrong += word == STAT_LESS;
	}
	ck_assert_uint_eq(n_wrong, 0);
	ck_assert_msg(n_found >= 0.95 * N_COMPARISONS, "%u of %u", n_found, N_COMPARISONS);
}
END_TEST

// Several results each, taken in turn: the best run of each, beside the best of the yardstick.
static unsigned in_turn(double factor, unsigned n_files, enum stat_word word) {
	double refresh[COUNT(calm)], limit[COUNT(calm)];
	unsigned order[COUNT(calm)], n = 0;

	for (unsigned i = 0; i < N_COMPARISONS; i++) {
		struct stat_runs a = {n_files, refresh, limit};
		struct stat_runs b = {n_files, refresh + n_files, limit + n_files};
		struct stat_rule r = rule(1, 0);

		for (unsigned k = 0; k < COUNT(calm); k++) {
			unsigned with = dice(k + 1);

			order[k] = order[with];
			order[with] = k;
		}
		for (unsigned k = 0; k < 2 * n_files; k++) {
			const struct recorded *from = &calm[order[k]];

			refresh[k] = stat_summarize(from->refresh, CALM_RUNS).min;
			refresh[k] *= k < n_files ? 1 : factor;
			limit[k] = stat_summarize(from->limit, CALM_RUNS).min;
		}
		n += stat_judge(&a, &b, &r).word == word;
	}
	return n;
}

START_TEST(results_in_turn) {
	unsigned n_more = in_turn(1, 4, STAT_MORE), n_less = in_turn(1, 4, STAT_LESS);

	ck_assert_msg(n_more + n_less <= 2 * MAX_FALSE * N_COMPARISONS, "%u, %u", n_more, n_less);
	ck_assert_uint_ge(in_turn(1.06, 4, STAT_MORE), (unsigned)(0.95 * N_COMPARISONS));
	ck_assert_uint_ge(in_turn(1 / 1.06, 4, STAT_LESS), (unsigned)(0.95 * N_COMPARISONS));
}
END_TEST

int main(void) {
	Suite *s = suite_create("recorded");
	TCase *t = tcase_create("recorded");
	SRunner *r;
	int failed;

	tcase_add_test(t, same_binary_calm);
	tcase_add_test(t, same_binary_busy);
	tcase_add_test(t, one_result_each);
	tcase_add_test(t, results_in_turn);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
