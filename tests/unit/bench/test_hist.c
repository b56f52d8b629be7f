// SPDX-License-Identifier: BSD-3-Clause
// The histogram: no value is lost, none is told wrong by more than its step.
#include "hist.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct hist h, other;

static void clear(void) {
	memset(&h, 0, sizeof(h));
	memset(&other, 0, sizeof(other));
}

static const uint64_t values[] = {
	0,
	1,
	2,
	127,
	128,
	129,
	255,
	256,
	257,
	1000,
	1000000000,
	UINT32_MAX,
	UINT64_C(1) << 40,
	UINT64_MAX / 3,
	(UINT64_C(1) << 63) - 1,
	UINT64_C(1) << 63,
	UINT64_MAX,
};

START_TEST(a_step_holds_its_value) {
	uint64_t v = values[_i];
	uint32_t step = hist_step(v);

	ck_assert_uint_lt(step, HIST_N);
	ck_assert_uint_le(hist_lower(step), v);
	ck_assert_uint_ge(hist_upper(step), v);
	// two significant digits
	ck_assert_uint_le(hist_upper(step) - hist_lower(step), v / 100);
}
END_TEST

START_TEST(steps_follow_each_other) {
	for (uint32_t i = 0; i + 1 < HIST_N; i++) {
		ck_assert_uint_eq(hist_upper(i) + 1, hist_lower(i + 1));
		ck_assert_uint_eq(hist_step(hist_lower(i)), i);
		ck_assert_uint_eq(hist_step(hist_upper(i)), i);
	}
	ck_assert_uint_eq(hist_upper(HIST_N - 1), UINT64_MAX);
}
END_TEST

START_TEST(quantiles) {
	clear();
	ck_assert_uint_eq(hist_quantile(&h, 0.5), 0);
	for (uint64_t v = 1; v <= 1000; v++)
		hist_add(&h, v);
	ck_assert_uint_eq(h.n, 1000);
	ck_assert_uint_eq(h.max, 1000);
	ck_assert_uint_eq(hist_quantile(&h, 0), 1);
	ck_assert_uint_ge(hist_quantile(&h, 0.5), 500);
	ck_assert_uint_le(hist_quantile(&h, 0.5), 505);
	ck_assert_uint_eq(hist_quantile(&h, 1), 1000); // not above what came
	ck_assert_double_eq_tol(hist_mean(&h), 500.5, 3);
}
END_TEST

START_TEST(merge_is_as_if_added) {
	clear();
	hist_add_n(&h, 7, 3);
	hist_add(&other, 700);
	hist_merge(&h, &other);
	ck_assert_uint_eq(h.n, 4);
	ck_assert_uint_eq(h.max, 700);
	ck_assert_uint_eq(h.v[hist_step(7)], 3);
	ck_assert_uint_eq(h.v[hist_step(700)], 1);
}
END_TEST

int main(void) {
	Suite *s = suite_create("hist");
	TCase *tc = tcase_create("hist");
	SRunner *sr = srunner_create(s);
	int n_failed;

	tcase_add_loop_test(tc, a_step_holds_its_value, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(tc, steps_follow_each_other);
	tcase_add_test(tc, quantiles);
	tcase_add_test(tc, merge_is_as_if_added);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
