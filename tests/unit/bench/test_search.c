// SPDX-License-Identifier: BSD-3-Clause
// The search for a rate, against targets whose limit is known.
#include "search.h"

#include <check.h>
#include <stdlib.h>

#define PRECISION 0.01

// Loses what is above its limit.
static double find(double limit, double loss, double first, unsigned *n_trials) {
	struct search s;

	search_init(&s, loss, first, PRECISION);
	while (search_rate(&s) > 0) {
		double over = search_rate(&s) - limit;

		search_tell(&s, over > 0 ? over / search_rate(&s) : 0);
	}
	*n_trials = s.n_trials;
	return s.good;
}

static const struct {
	double limit, loss, first, want;
} cases[] = {
	{1e6, 0, 1e6, 1e6},
	{1e6, 0, 1, 1e6},
	{1e6, 0, 1e9, 1e6},
	{123456, 0, 1e5, 123456},
	{1e6, 0.025, 5e5, 1e6 / 0.975},
};

START_TEST(finds_the_limit) {
	unsigned n;
	double rate = find(cases[_i].limit, cases[_i].loss, cases[_i].first, &n);

	ck_assert_double_le(rate, cases[_i].want * 1.0001);
	ck_assert_double_ge(rate, cases[_i].want * (1 - PRECISION));
	ck_assert_uint_le(n, 40);
}
END_TEST

START_TEST(ends_when_nothing_is_good) {
	unsigned n;

	ck_assert_double_eq(find(0, 0, 1000, &n), 0);
	ck_assert_uint_le(n, 12);
}
END_TEST

START_TEST(ends_when_everything_is_good) {
	unsigned n;

	ck_assert_double_gt(find(1e300, 0, 1, &n), 1e9);
	ck_assert_uint_eq(n, 40);
}
END_TEST

int main(void) {
	Suite *s = suite_create("search");
	TCase *tc = tcase_create("search");
	SRunner *sr = srunner_create(s);
	int n_failed;

	tcase_add_loop_test(tc, finds_the_limit, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, ends_when_nothing_is_good);
	tcase_add_test(tc, ends_when_everything_is_good);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
