// SPDX-License-Identifier: BSD-3-Clause
// Median, range, quantiles.
#include <check.h>
#include <stdlib.h>

#include "stat.h"

static const double odd[] = {5, 1, 4, 2, 3}, even[] = {40, 10, 20, 30}, one[] = {7};

START_TEST(summary) {
	struct stat_summary s = stat_summarize(odd, 5);

	ck_assert(s.median == 3 && s.min == 1 && s.max == 5);
	s = stat_summarize(even, 4);
	ck_assert(s.median == 25 && s.min == 10 && s.max == 40);
	s = stat_summarize(one, 1);
	ck_assert(s.median == 7 && s.min == 7 && s.max == 7);
}
END_TEST

static const struct {
	const double *v;
	unsigned n;
	double share, is;
} cases[] = {
	{odd, 5, 0, 1},   {odd, 5, 1, 5},   {odd, 5, 0.25, 2},  {odd, 5, 0.1, 1.4},
	{even, 4, 0, 10}, {even, 4, 1, 40}, {even, 4, 0.5, 25}, {one, 1, 0.99, 7},
};

START_TEST(quantile) {
	ck_assert_double_eq_tol(stat_quantile(cases[_i].v, cases[_i].n, cases[_i].share),
				cases[_i].is, 1e-12);
}
END_TEST

// The caller's order stays.
START_TEST(untouched) {
	(void)stat_summarize(odd, 5);
	(void)stat_quantile(odd, 5, 0.5);
	ck_assert(odd[0] == 5 && odd[1] == 1 && odd[4] == 3);
}
END_TEST

int main(void) {
	Suite *s = suite_create("stat");
	TCase *t = tcase_create("stat");
	SRunner *r;
	int failed;

	tcase_add_test(t, summary);
	tcase_add_loop_test(t, quantile, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, untouched);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
