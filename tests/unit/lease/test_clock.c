// SPDX-License-Identifier: BSD-3-Clause
// Time across boots (reliability.md I6), and a store that was lost (INV-11).
#include <stdlib.h>

#include "lease_fixture.h"
#include "regate/err.h"

#define YEAR_MS (INT64_C(365) * 86400 * 1000)

static struct fix f;

// The machine boots: CLOCK_BOOTTIME begins anew, the wall clock says what it says.
static void reboot(int64_t wall_ms) {
	struct env *old = f.env;
	struct store *joined;

	lease_engine_free(f.e);
	f.env = env_sim_new(2);
	env_sim_file(f.env, "/proc/sys/kernel/random/boot_id",
		     RG_LIT("99999999-1111-2222-3333-444444444444\n"));
	env_sim_set_wall_ms(f.env, wall_ms);
	ck_assert_int_eq(store_mem_join(f.store, f.env, &joined), 0);
	store_close(f.store);
	f.store = joined;
	env_sim_free(old);
	fix_start(&f);
}

static uint64_t left_ns(void) {
	uint64_t now_ns = env_now_ns(f.env), end_ns = lease_token_end_ns(fix_lease(&f, 0));

	return end_ns > now_ns ? end_ns - now_ns : 0;
}

static const struct jump {
	int64_t by_ms;
	bool is_believed;
} jumps[] = {
	{0, true},
	{1000, true},
	{INT64_C(600) * 1000, true},
	{-2000, false},
	{-INT64_C(3600) * 1000, false},
	{-10 * YEAR_MS, false},
	{INT64_C(31) * 86400 * 1000, false},
	{10 * YEAR_MS, false},
};

START_TEST(wall_clock_after_a_boot) {
	const struct jump *j = &jumps[_i];
	uint64_t before;

	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_advance(&f, 100 * SEC);
	before = left_ns();
	reboot(env_wall_ms(f.env) + j->by_ms);
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_OFFERED);
	if (j->is_believed)
		ck_assert_uint_le(left_ns(), before - (uint64_t)j->by_ms * RG_NS_PER_MS + SEC);
	// Never freed early, never longer than it was, but for the second of the mark.
	ck_assert_uint_le(left_ns(), before + 2 * SEC);
	if (!j->is_believed)
		ck_assert_uint_ge(left_ns() + RG_NS_PER_MS, before);
	ck_assert_uint_ge(fix_lease(&f, 0)->reassign_ns - env_now_ns(f.env) + 5 * RG_NS_PER_MS,
			  left_ns() + FIX_GUARD);
	fix_fini(&f);
}
END_TEST

START_TEST(an_outage_is_reckoned) {
	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_advance(&f, 100 * SEC);
	reboot(env_wall_ms(f.env) + (int64_t)((FIX_LIFE + FIX_GUARD) / RG_NS_PER_MS));
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_FREE);
	fix_fini(&f);
}
END_TEST

START_TEST(an_outage_may_be_shorter) {
	uint64_t before;

	fix_init(&f, 1);
	f.more.outage_ns = 60 * SEC;
	fix_grant(&f, "a");
	fix_advance(&f, 100 * SEC);
	before = left_ns();
	reboot(env_wall_ms(f.env) + 120000);
	ck_assert_uint_ge(left_ns() + RG_NS_PER_MS, before);
	fix_fini(&f);
}
END_TEST

// A suspended machine: CLOCK_BOOTTIME went on.
START_TEST(suspended) {
	fix_init(&f, 1);
	fix_grant(&f, "a");
	env_sim_advance(f.env, FIX_LIFE + FIX_GUARD - SEC);
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_QUARANTINE);
	fix_advance(&f, 2 * SEC);
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_FREE);
	fix_fini(&f);
}
END_TEST

START_TEST(the_mark_is_only_written_for_leases) {
	struct store_stats st;

	fix_init(&f, 1);
	store_get_stats(f.store, &st);
	fix_advance(&f, 100 * SEC);
	ck_assert_uint_eq(st.commits, 1); // of the start
	fix_grant(&f, "a");
	fix_advance(&f, FIX_LIFE + FIX_GUARD + 5 * SEC);
	store_get_stats(f.store, &st);
	ck_assert_uint_ge(st.commits, 2200);
	ck_assert_uint_le(st.commits, 2250);
	fix_advance(&f, 1000 * SEC);
	store_get_stats(f.store, &st);
	ck_assert_uint_le(st.commits, 2250);
	fix_fini(&f);
}
END_TEST

START_TEST(a_lost_store_holds_all_back) {
	struct lease_pool_stats st;
	uint32_t idx;
	uint64_t gen;

	fix_init(&f, 2);
	fix_grant(&f, "a");
	f.more = (struct lease_cfg){.token_max_ns = 7200 * SEC, .mark_ns = 300 * SEC};
	ck_assert_int_eq(store_put(f.store, STORE_LOST, "\1", 1, false, NULL, NULL), 0);
	fix_advance(&f, RG_NS_PER_MS);
	fix_restart(&f, 0); // an old copy of the store
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
	fix_advance(&f, SEC);
	fix_restart(&f, 0); // the hold is in the store
	lease_get_pool_stats(f.e, 0, &st);
	ck_assert_uint_eq(st.n_free, 0);
	ck_assert_uint_eq(st.n_quarantine, 2);
	ck_assert_uint_ge(st.next_free_ns, env_now_ns(f.env) + 11000 * SEC);
	fix_advance(&f, (7200 + 5 + 69 + 3600 + 360 - 2) * SEC);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_account(&f, "alice");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_advance(&f, 3 * SEC);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, 0);
	gen = f.done.gen;
	idx = f.done.idx;

	ck_assert_uint_gt(gen, UINT64_C(1) << 40); // none of before comes again (I4)
	fix_account(&f, "alice");
	ck_assert_int_eq(f.done.rc, 0);
	reboot(env_wall_ms(f.env) -
	       3000); // to before its end: what was given out since then is good
	fix_grant(&f, "c");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	ck_assert_int_eq(fix_lease(&f, idx)->state, LEASE_OFFERED);
	fix_fini(&f);
}
END_TEST

START_TEST(gateways_whose_clocks_differ) {
	struct fix b;
	struct {
		char boot_id[36];
		uint8_t offset_ms[8], high_ms[8];
	} mark = {0};
	int64_t high_ms;

	fix_init_two(&f, &b, 2);
	high_ms = env_wall_ms(f.env) + (_i == 0 ? 7000 : -11000);
	memcpy(mark.high_ms, &high_ms, sizeof(high_ms));
	ck_assert_int_eq(store_put(b.store, "lease.clock.c", &mark, sizeof(mark), false, NULL,
				   NULL),
			 0);
	fix_advance(&f, 5 * RG_NS_PER_MS);
	ck_assert(lease_is_frozen(f.e));
	fix_grant(&f, "a");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_advance(&f, 11 * SEC);
	ck_assert(!lease_is_frozen(f.e));
	fix_grant(&f, "a");
	ck_assert_int_eq(f.done.rc, 0);
	fix_advance(&f, 20 * SEC); // b's and f's own marks agree
	ck_assert(!lease_is_frozen(f.e));
	ck_assert(!lease_is_frozen(b.e));
	fix_fini(&b);
	fix_fini(&f);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_clock");
	TCase *tc = tcase_create("clock");

	tcase_add_loop_test(tc, wall_clock_after_a_boot, 0, sizeof(jumps) / sizeof(*jumps));
	tcase_add_test(tc, an_outage_is_reckoned);
	tcase_add_test(tc, an_outage_may_be_shorter);
	tcase_add_test(tc, suspended);
	tcase_add_test(tc, the_mark_is_only_written_for_leases);
	tcase_add_test(tc, a_lost_store_holds_all_back);
	tcase_add_loop_test(tc, gateways_whose_clocks_differ, 0, 2);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
