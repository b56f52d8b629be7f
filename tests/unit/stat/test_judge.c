// SPDX-License-Identifier: BSD-3-Clause
// Words and intervals for two results made by hand.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "stat.h"

#define N 7
static const double even_noise[N] = {1.000, 1.003, 0.998, 1.001, 1.002, 0.999, 1.004};
static const double wild_noise[N] = {1.00, 1.40, 1.01, 1.25, 0.99, 1.10, 1.80};
// What the machine did meanwhile: the product and the yardstick slow down together.
static const double drift[N] = {1.0, 1.2, 1.5, 1.1, 1.8, 1.05, 1.3};

static struct stat_rule rule(unsigned n_series) {
	return (struct stat_rule){.alpha = STAT_ALPHA,
				  .n_series = n_series,
				  .doubt = STAT_DOUBT,
				  .within = STAT_WITHIN};
}

static void scale(const double *by, double factor, double out[N]) {
	for (unsigned i = 0; i < N; i++)
		out[i] = factor * by[i];
}

static const struct {
	const char *name;
	const double *noise;
	double factor;
	unsigned n, n_series;
	enum stat_word word;
	const char *says;
} cases[] = {
	{"same", even_noise, 1, 7, 1, STAT_SAME, "no difference (within +-1.3 %)"},
	{"slower", even_noise, 1.1, 7, 1, STAT_MORE, "slower by 10.0 % (8.6 to 11.4)"},
	{"faster", even_noise, 0.9, 7, 1, STAT_LESS, "faster by 10.0 % (8.8 to 11.2)"},
	{"less than the doubt", even_noise, 1.009, 7, 1, STAT_NOISY, NULL},
	{"wild", wild_noise, 1.1, 7, 1, STAT_NOISY, NULL},
	{"three runs", even_noise, 2, 3, 1, STAT_FEW, "too few runs: it takes 4 of each"},
	{"five runs, six series", even_noise, 1.1, 5, 6, STAT_MORE, NULL},
	{"five runs, seven series", even_noise, 1.1, 5, 7, STAT_FEW,
	 "too few runs: it takes 6 of each"},
	{"zero in both", even_noise, 0, 7, 1, STAT_LESS, "faster: 1.001 before, 0 now"},
};

START_TEST(words) {
	double b[N];
	struct stat_rule r = rule(cases[_i].n_series);
	struct stat_runs ra = {.n = cases[_i].n, .v = cases[_i].noise}, rb = {ra.n, b, NULL};
	struct stat_verdict v;
	char text[128];

	scale(cases[_i].noise, cases[_i].factor, b);
	v = stat_judge(&ra, &rb, &r);
	stat_say(&v, "slower", "faster", text, sizeof(text));
	ck_assert_msg(v.word == cases[_i].word, "%s: %s", cases[_i].name, text);
	if (cases[_i].says != NULL)
		ck_assert_str_eq(text, cases[_i].says);
}
END_TEST

// Nothing but the order of the files changes: the ratio turns round, the word too.
START_TEST(turned_round) {
	double b[N];
	struct stat_rule r = rule(1);
	struct stat_runs ra = {N, even_noise, NULL}, rb = {N, b, NULL};
	struct stat_verdict there, back;

	scale(even_noise, 1.05, b);
	there = stat_judge(&ra, &rb, &r);
	back = stat_judge(&rb, &ra, &r);
	ck_assert_int_eq(there.word, STAT_MORE);
	ck_assert_int_eq(back.word, STAT_LESS);
	ck_assert_double_eq_tol(there.ratio * back.ratio, 1, 1e-12);
}
END_TEST

// 3 % are lost in the drift, and found next to the yardstick; the same for a rate.
START_TEST(paired) {
	double a[N], b[N], probe[N], rate_a[N], rate_b[N];
	struct stat_rule r = rule(1);
	struct stat_runs ra = {N, a, NULL}, rb = {N, b, NULL};

	for (unsigned i = 0; i < N; i++) {
		probe[i] = 700 * drift[i];
		a[i] = 1000 * even_noise[i] * drift[i];
		b[i] = 1030 * even_noise[N - 1 - i] * drift[i];
		rate_a[i] = 1e9 / a[i];
		rate_b[i] = 1e9 / b[i];
	}
	ck_assert_int_eq(stat_judge(&ra, &rb, &r).word, STAT_NOISY);
	ra.probe = probe;
	ck_assert(!stat_judge(&ra, &rb, &r).is_paired);
	rb.probe = probe;
	ck_assert(stat_judge(&ra, &rb, &r).is_paired);
	ck_assert_int_eq(stat_judge(&ra, &rb, &r).word, STAT_MORE);
	r.is_rate = true;
	ra.v = rate_a;
	rb.v = rate_b;
	ck_assert_int_eq(stat_judge(&ra, &rb, &r).word, STAT_LESS);
	probe[3] = 0; // cannot be had: judged without
	ck_assert(!stat_judge(&ra, &rb, &r).is_paired);
}
END_TEST

// Without a ratio the ranks decide: of losses, there were none and now there are.
START_TEST(zeros) {
	static const double none[N], some[N] = {3, 1, 4, 1, 5, 9, 2}, rare[N] = {0, 0, 0, 1};
	static const double often[N] = {5, 0, 4, 1, 5, 9, 2};
	struct stat_rule r = rule(1);
	struct stat_runs ra = {N, none, NULL}, rb = {N, some, NULL};
	struct stat_verdict v = stat_judge(&ra, &rb, &r);
	char text[128];

	ck_assert_int_eq(v.word, STAT_MORE);
	stat_say(&v, "more", "fewer", text, sizeof(text));
	ck_assert_str_eq(text, "more: 0 before, 3 now");
	ck_assert_int_eq(stat_judge(&rb, &ra, &r).word, STAT_LESS);
	rb.v = often;
	ck_assert_int_eq(stat_judge(&ra, &rb, &r).word, STAT_MORE);
	rb.v = rare;
	ck_assert_int_eq(stat_judge(&ra, &rb, &r).word, STAT_SAME);
	rb.v = none;
	v = stat_judge(&ra, &rb, &r);
	stat_say(&v, "more", "fewer", text, sizeof(text));
	ck_assert_str_eq(text, "no difference");
}
END_TEST

START_TEST(longest) {
	double a[STAT_MAX_RUNS], b[STAT_MAX_RUNS];
	struct stat_rule r = rule(48);
	struct stat_runs ra = {STAT_MAX_RUNS, a, NULL}, rb = {STAT_MAX_RUNS, b, NULL};

	for (unsigned i = 0; i < STAT_MAX_RUNS; i++) {
		a[i] = 100 + i % 10;
		b[i] = 1.05 * a[i];
	}
	ck_assert_int_eq(stat_judge(&ra, &rb, &r).word, STAT_MORE);
	ck_assert_int_eq(stat_judge(&ra, &ra, &r).word, STAT_NOISY);
}
END_TEST

// Five and five at 5 %: the third of the 25 ratios from either end.
START_TEST(ends) {
	static const double a[] = {0x1p0, 0x1p1, 0x1p2, 0x1p3, 0x1p4};
	static const double b[] = {0x1p50, 0x1p10, 0x1p30, 0x1p20, 0x1p40};
	struct stat_rule r = rule(1);
	struct stat_runs ra = {5, a, NULL}, rb = {5, b, NULL};
	struct stat_verdict v;

	r.doubt = 0;
	v = stat_judge(&ra, &rb, &r);
	ck_assert_double_eq_tol(v.low / 0x1p8, 1, 1e-9);   // 10 - 4, 10 - 3, 10 - 2
	ck_assert_double_eq_tol(v.high / 0x1p48, 1, 1e-9); // 50 - 0, 50 - 1, 50 - 2
	ck_assert_double_eq_tol(v.ratio / 0x1p28, 1, 1e-9);
}
END_TEST

// What one doubts besides: the spread of the runs, once more to either side.
START_TEST(widened) {
	double b[N];
	struct stat_rule r = rule(1);
	struct stat_runs ra = {N, even_noise, NULL}, rb = {N, b, NULL};
	struct stat_verdict without, with;

	scale(even_noise, 1.1, b);
	without = stat_judge(&ra, &rb, &r);
	r.drift = 1;
	with = stat_judge(&ra, &rb, &r);
	ck_assert_double_eq(with.ratio, without.ratio);
	// Quartiles of 0 to 6 thousandths, twice: 1.75 and 4.25 less 3, over 1.349, each 0.1 %.
	ck_assert_double_eq_tol(without.low / with.low, 1.002, 0.001);
	ck_assert_double_eq_tol(with.high / without.high, 1.002, 0.001);
}
END_TEST

int main(void) {
	Suite *s = suite_create("judge");
	TCase *t = tcase_create("judge");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, words, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, turned_round);
	tcase_add_test(t, paired);
	tcase_add_test(t, ends);
	tcase_add_test(t, widened);
	tcase_add_test(t, zeros);
	tcase_add_test(t, longest);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
