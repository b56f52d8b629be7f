// SPDX-License-Identifier: BSD-3-Clause
// Counters: every one has a name of its own and a text, and counts alone.
#include <check.h>
#include <stdlib.h>

#include "regate/slice.h"
#include "regate/stats.h"

START_TEST(names) {
	for (unsigned i = 0; i < RG_N_STATS; i++) {
		const char *name = rg_stat_name(i);
		bool is_drop = i >= RG_FIRST_DROP;

		ck_assert_ptr_nonnull(name);
		ck_assert_ptr_nonnull(rg_stat_text(i));
		ck_assert_uint_gt(strlen(rg_stat_text(i)), 0);
		ck_assert_msg(rg_is_prefix(rg_str(name), RG_LIT("drop_")) == is_drop, "%s", name);
		// What a metric may be called.
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				  strlen(name));
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(name, rg_stat_name(k));
	}
	ck_assert_str_eq(rg_stat_name(RG_STAT_rx_packets), "rx_packets");
	ck_assert_str_eq(rg_stat_name(RG_DROP_eth_short), "drop_eth_short");
	ck_assert_str_eq(rg_stat_text(RG_DROP_eth_short), "frame too short");
	ck_assert_str_eq(rg_stat_name(RG_N_STATS - 1), "drop_reply_stale");
}
END_TEST

START_TEST(counting) {
	static struct rg_stats s;

	for (unsigned i = 0; i < RG_N_STATS; i++) {
		rg_stat_inc(&s, i);
		rg_stat_add(&s, i, i);
	}
	for (unsigned i = 0; i < RG_N_STATS; i++)
		ck_assert_uint_eq(rg_stat_get(&s, i), i + 1);
}
END_TEST

int main(void) {
	Suite *s = suite_create("stats");
	TCase *t = tcase_create("stats");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, names);
	tcase_add_test(t, counting);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
