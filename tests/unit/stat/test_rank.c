// SPDX-License-Identifier: BSD-3-Clause
// How many differences an interval leaves out, against printed tables of the Mann-Whitney test
// (greatest U that is significant, two-sided; the cut is one more).
#include <check.h>
#include <stdlib.h>

#include "stat.h"

static const struct {
	unsigned n, m;
	double alpha;
	unsigned cut;
} cases[] = {
	{3, 3, 0.05, 0},        {4, 4, 0.05, 1},     {5, 5, 0.05, 3},     {5, 8, 0.05, 7},
	{8, 5, 0.05, 7},        {7, 7, 0.05, 9},     {10, 10, 0.05, 24},  {15, 15, 0.05, 65},
	{20, 20, 0.05, 128},    {4, 4, 0.01, 0},     {5, 5, 0.01, 1},     {7, 7, 0.01, 5},
	{10, 10, 0.01, 17},     {20, 20, 0.01, 106}, {30, 30, 0.05, 318}, {101, 101, 0.01, 4033},
	{101, 101, 1e-4, 3499}, {1, 1, 0.05, 0},     {1, 38, 0.05, 0},    {1, 39, 0.05, 1},
	{0, 5, 0.05, 0},        {5, 0, 0.05, 0},     {5, 5, 0.05 / 6, 1}, {5, 5, 0.05 / 7, 0},
};

START_TEST(table) {
	ck_assert_uint_eq(stat_rank_cut(cases[_i].n, cases[_i].m, cases[_i].alpha), cases[_i].cut);
}
END_TEST

START_TEST(needed) {
	ck_assert_uint_eq(stat_runs_needed(0.05), 4);
	ck_assert_uint_eq(stat_runs_needed(0.05 / 6), 5);
	ck_assert_uint_eq(stat_runs_needed(0.05 / 7), 6);
	ck_assert_uint_eq(stat_runs_needed(0.05 / 85), 7);
	ck_assert_uint_eq(stat_runs_needed(0), STAT_MAX_RUNS);
}
END_TEST

int main(void) {
	Suite *s = suite_create("rank");
	TCase *t = tcase_create("rank");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, table, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, needed);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
