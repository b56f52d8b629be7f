// SPDX-License-Identifier: BSD-3-Clause
// Stage histograms: steps, mean, quantiles, shares, sums and differences; names.
#include <check.h>
#include <stdlib.h>

#include "regate/slice.h"
#include "regate/stage.h"

static struct rg_stages s, sum;

START_TEST(names) {
	for (unsigned i = 0; i < RG_N_STAGES; i++) {
		ck_assert_uint_gt(strlen(rg_stage_text(i)), 0);
		// What a metric's label may be called.
		ck_assert_uint_eq(strspn(rg_stage_name(i), "abcdefghijklmnopqrstuvwxyz_"),
				  strlen(rg_stage_name(i)));
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(rg_stage_name(i), rg_stage_name(k));
	}
	ck_assert_str_eq(rg_stage_name(RG_STAGE_rx), "rx");
	ck_assert_str_eq(rg_stage_name(RG_STAGE_poll), "poll");
}
END_TEST

// A value is known to 6 %, none is lost, and steps go up with it.
START_TEST(steps) {
	uint64_t last = 0;

	for (uint64_t v = 0; v < UINT64_C(1) << 33; v += v / 64 + 1) {
		struct rg_stage_hist h = {0};
		uint64_t got;

		rg_stage_add(&h, v, 1);
		got = rg_stage_quantile(&h, 1);
		ck_assert_uint_ge(got, last);
		ck_assert_uint_eq(rg_stage_at(&h, rg_stage_step(v)), 1);
		ck_assert_uint_le(rg_stage_lower(rg_stage_step(v)), v);
		ck_assert_uint_eq(rg_stage_upper(rg_stage_step(v)), got);
		last = got;
		if (v >> RG_STAGE_MAX_BITS != 0)
			ck_assert_uint_eq(got, (UINT64_C(1) << RG_STAGE_MAX_BITS) - 1);
		else
			ck_assert_msg(got >= v && got <= v + v / 16, "%lu as %lu", v, got);
	}
	ck_assert_uint_eq(rg_stage_step(UINT64_MAX), RG_STAGE_N - 1);
	ck_assert_uint_eq(rg_stage_step((UINT64_C(1) << RG_STAGE_MAX_BITS) - 1), RG_STAGE_N - 1);
}
END_TEST

START_TEST(quantiles) {
	struct rg_stage_hist *h = &s.of[RG_STAGE_sip];

	ck_assert_uint_eq(rg_stage_quantile(h, 0.5), 0);
	ck_assert(rg_stage_mean(h) == 0);
	for (unsigned i = 0; i < 98; i++)
		rg_stage_add(h, 10, 1);
	rg_stage_add(h, 26, 2); // two of 13
	ck_assert_uint_eq(rg_stage_count(h), 100);
	ck_assert_uint_eq(rg_stage_quantile(h, 0.5), 10);
	ck_assert_uint_eq(rg_stage_quantile(h, 0.98), 10);
	ck_assert_uint_eq(rg_stage_quantile(h, 0.99), 13);
	ck_assert(rg_stage_mean(h) == 10.06);
	rg_stage_add(h, 94, 0); // of no sample
	ck_assert_uint_eq(rg_stage_count(h), 100);
	ck_assert(rg_stage_mean(h) == 11);
}
END_TEST

START_TEST(shares) {
	ck_assert(rg_stage_share(&s, RG_STAGE_rx) == 0);
	rg_stage_add(&s.of[RG_STAGE_rx], 30, 1);
	rg_stage_add(&s.of[RG_STAGE_tx], 10, 1);
	ck_assert(rg_stage_share(&s, RG_STAGE_rx) == 0.75);
	ck_assert(rg_stage_share(&s, RG_STAGE_tx) == 0.25);
	ck_assert(rg_stage_share(&s, RG_STAGE_poll) == 0);
}
END_TEST

// What came between two looks, in either order of the two.
START_TEST(difference) {
	for (unsigned i = 0; i < RG_N_STAGES; i++)
		rg_stage_add(&s.of[i], 1000, 10);
	rg_stages_sub(&sum, &s);
	for (unsigned i = 0; i < RG_N_STAGES; i++)
		rg_stage_add(&s.of[i], i, 1);
	rg_stages_add(&sum, &s);
	rg_stages_add(&sum, &s);
	rg_stages_sub(&sum, &s);
	for (unsigned i = 0; i < RG_N_STAGES; i++) {
		ck_assert_uint_eq(rg_stage_count(&sum.of[i]), 1);
		ck_assert(rg_stage_mean(&sum.of[i]) == i);
		ck_assert_uint_eq(rg_stage_quantile(&sum.of[i], 0.99), i);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("stage");
	TCase *t = tcase_create("stage");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_test(t, names);
	tcase_add_test(t, steps);
	tcase_add_test(t, quantiles);
	tcase_add_test(t, shares);
	tcase_add_test(t, difference);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
