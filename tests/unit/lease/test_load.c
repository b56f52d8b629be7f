// SPDX-License-Identifier: BSD-3-Clause
// What a restart restores.
#include "lease_fixture.h"
#include "regate/err.h"

static struct fix f;

static const struct lease *pair(void) {
	return fix_lease(&f, 0);
}

static void commit(const struct store_lease *row) {
	ck_assert_int_eq(store_commit(f.store, row, NULL, NULL), 0);
	env_sim_advance(f.env, RG_NS_PER_MS);
}

START_TEST(offered_lease_comes_back) {
	struct rg_digest d;
	uint64_t end_ns, reassign_ns;

	fix_init(&f, 1);
	fix_grant(&f, "a");
	d = f.done.digest;
	end_ns = pair()->tokens[0].end_ns;
	reassign_ns = pair()->reassign_ns;
	fix_advance(&f, 100 * SEC);
	fix_restart(&f, 0);
	ck_assert_int_eq(pair()->state, LEASE_OFFERED);
	ck_assert(pair()->is_stale);
	ck_assert_str_eq(pair()->sub, "a");
	ck_assert_uint_eq(pair()->gen, 1);
	ck_assert_uint_le(pair()->tokens[0].end_ns, end_ns);
	ck_assert_uint_ge(pair()->tokens[0].end_ns + 2 * RG_NS_PER_MS, end_ns);
	ck_assert_uint_ge(pair()->reassign_ns, reassign_ns);
	ck_assert_int_eq(fix_seen(&f, &d), RG_LEASE_OFFERED);
	fix_advance(&f, FIX_LIFE - 100 * SEC);
	ck_assert_int_eq(pair()->state, LEASE_QUARANTINE);
	fix_fini(&f);
}
END_TEST

START_TEST(registered_lease_comes_back_stale) {
	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_register(&f, 0, 1, 5);
	fix_renew(&f, 0, 1); // a record that knows of the registration
	fix_restart(&f, 0);
	ck_assert_int_eq(pair()->state, LEASE_ACTIVE);
	ck_assert(pair()->is_stale);
	ck_assert_uint_eq(pair()->flow.gen, 0);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_STALE);
	fix_register(&f, 0, 1, 6);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ACTIVE);
	fix_advance(&f, FIX_LIFE);
	ck_assert_uint_eq(f.n_deregister, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(revoked_after_a_restart) {
	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_restart(&f, 0);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	fix_advance(&f, 1);
	ck_assert_uint_eq(f.n_deregister, 1); // it may have been registered
	fix_fini(&f);
}
END_TEST

START_TEST(revocation_lasts) {
	struct rg_digest d;

	fix_init(&f, 1);
	fix_grant(&f, "a");
	d = f.done.digest;
	fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	fix_advance(&f, RG_NS_PER_MS); // the core has not answered yet
	fix_restart(&f, 0);
	ck_assert_int_eq(fix_seen(&f, &d), -1);
	ck_assert_int_eq(pair()->state, LEASE_QUARANTINE);
	ck_assert(lease_is_over(f.e, "p0@x", 1));
	ck_assert(!lease_is_over(f.e, "p0@x", 2));
	fix_fini(&f);
}
END_TEST

START_TEST(quarantine_runs_on) {
	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_advance(&f, FIX_LIFE + 100 * SEC);
	fix_restart(&f, 0);
	ck_assert_int_eq(pair()->state, LEASE_QUARANTINE);
	fix_advance(&f, FIX_GUARD - 102 * SEC);
	ck_assert_int_eq(pair()->state, LEASE_QUARANTINE);
	fix_advance(&f, 3 * SEC);
	ck_assert_int_eq(pair()->state, LEASE_FREE);
	fix_fini(&f);
}
END_TEST

static const int64_t steps_ms[] = {3600000, -3600000, INT64_C(315360000000),
				   -INT64_C(315360000000)};

static void step_wall(int64_t ms) {
	env_sim_set_wall_ms(f.env, env_wall_ms(f.env) + ms);
}

// I6: a step of the wall clock frees no pair early and makes no token last longer, neither one
// across the restart nor one before it, between two records.
START_TEST(wall_clock_steps) {
	struct rg_digest first, second;

	fix_init(&f, 3);
	fix_grant(&f, "a");
	first = f.done.digest;
	fix_grant(&f, "b");
	fix_register(&f, 1, 1, 5);
	ck_assert_int_eq(lease_dereg_begin(f.e, 1, 1), 0);
	lease_dereg_done(f.e, 1, 1, true);
	step_wall(steps_ms[_i]);
	fix_grant(&f, "c");
	second = f.done.digest;
	step_wall(steps_ms[_i]);
	fix_restart(&f, 0);
	fix_advance(&f, FIX_LIFE - SEC);
	ck_assert_ptr_nonnull(lease_by_digest(f.e, &first));
	ck_assert_ptr_nonnull(lease_by_digest(f.e, &second));
	fix_advance(&f, SEC + 10 * RG_NS_PER_MS);
	ck_assert_ptr_null(lease_by_digest(f.e, &first));
	ck_assert_ptr_null(lease_by_digest(f.e, &second));
	step_wall(steps_ms[_i]);
	fix_restart(&f, 0);
	fix_advance(&f, FIX_GUARD - SEC);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(fix_lease(&f, i)->state, LEASE_QUARANTINE);
	fix_advance(&f, 2 * SEC);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(fix_lease(&f, i)->state, LEASE_FREE);
	fix_fini(&f);
}
END_TEST

START_TEST(generation_outlives_everything) {
	fix_init(&f, 1);
	for (unsigned i = 1; i < 4; i++) {
		fix_grant(&f, "a");
		ck_assert_uint_eq(f.done.gen, i);
		fix_advance(&f, FIX_LIFE + FIX_GUARD + SEC);
		fix_restart(&f, 0);
		ck_assert_int_eq(pair()->state, LEASE_FREE);
		ck_assert_uint_eq(pair()->gen, i);
	}
	fix_fini(&f);
}
END_TEST

START_TEST(free_pairs_keep_their_order) {
	uint32_t first;

	fix_init(&f, 2);
	fix_grant(&f, "a");
	first = f.done.idx;
	fix_grant(&f, "b");
	fix_advance(&f, SEC);
	fix_renew(&f, first, 1); // so it ends later
	fix_advance(&f, FIX_LIFE + FIX_GUARD + SEC);
	fix_restart(&f, 0);
	fix_grant(&f, "c");
	ck_assert_uint_ne(f.done.idx, first);
	fix_restart(&f, 0);
	fix_grant(&f, "d");
	ck_assert_uint_eq(f.done.idx, first);
	fix_fini(&f);
}
END_TEST

START_TEST(unacknowledged_grant_is_lost_or_held) {
	struct lease_ask ask;

	for (unsigned n_durable = 0; n_durable < 2; n_durable++) {
		fix_init(&f, 1);
		ask = fix_ask(&f, "a");
		lease_grant(f.e, &ask);
		fix_restart(&f, n_durable);
		ck_assert_int_ne(f.done.rc, 0); // no token left
		ck_assert_int_eq(pair()->state, n_durable == 0 ? LEASE_FREE : LEASE_OFFERED);
		fix_fini(&f);
	}
}
END_TEST

START_TEST(unknown_pairs_are_left_alone) {
	const struct store_lease row = {.impi = "gone@x",
					.impu = "sip:gone@x",
					.pool = "old",
					.sub = "u",
					.gen = 9,
					.state = LEASE_OFFERED,
					.reassign_ms = INT64_MAX};

	fix_init(&f, 1);
	commit(&row);
	fix_restart(&f, 0);
	ck_assert_int_eq(pair()->state, LEASE_FREE);
	fix_fini(&f);
}
END_TEST

// The IMPU of one pair was moved to another IMPI: both wait for the old lease's end.
START_TEST(identities_paired_anew) {
	struct store_lease row = {.impi = "p0@x",
				  .impu = "sip:p1@x",
				  .pool = "p1",
				  .sub = "u",
				  .gen = 9,
				  .state = LEASE_ACTIVE};

	fix_init(&f, 2);
	row.reassign_ms = env_wall_ms(f.env) + 100000;
	row.tokens[0].end_ms = env_wall_ms(f.env) + 50000;
	commit(&row);
	fix_restart(&f, 0);
	ck_assert_int_eq(pair()->state, LEASE_QUARANTINE);
	ck_assert_uint_eq(pair()->gen, 9);
	ck_assert_int_eq(fix_lease(&f, 1)->state, LEASE_QUARANTINE);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 0);
	fix_advance(&f, 101 * SEC);
	ck_assert_int_eq(pair()->state, LEASE_FREE);
	ck_assert_int_eq(fix_lease(&f, 1)->state, LEASE_FREE);
	fix_fini(&f);
}
END_TEST

// A pool's pair became an account's: its owner of before goes first.
START_TEST(account_waits_for_the_former_owner) {
	struct store_lease row = {.impi = "alice@x",
				  .impu = "sip:alice@x",
				  .pool = "p1",
				  .sub = "mallory",
				  .gen = 3,
				  .state = LEASE_QUARANTINE};

	fix_init(&f, 1);
	row.reassign_ms = env_wall_ms(f.env) + 100000;
	commit(&row);
	fix_restart(&f, 0);
	fix_account(&f, "alice");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_advance(&f, 100 * SEC);
	fix_account(&f, "alice");
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 4);
	fix_fini(&f);
}
END_TEST

START_TEST(times_beyond_all_bounds) {
	static const int64_t times[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
	struct store_lease row = {.impi = "p0@x",
				  .impu = "sip:p0@x",
				  .pool = "p1",
				  .sub = "u",
				  .gen = 1,
				  .state = LEASE_OFFERED};

	fix_init(&f, 1);
	row.reassign_ms = times[_i];
	row.tokens[0].end_ms = times[_i];
	commit(&row);
	fix_restart(&f, 0);
	ck_assert_int_eq(pair()->state, times[_i] == INT64_MAX ? LEASE_OFFERED : LEASE_FREE);
	fix_fini(&f);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_load");
	TCase *tc = tcase_create("load");

	tcase_add_test(tc, offered_lease_comes_back);
	tcase_add_test(tc, registered_lease_comes_back_stale);
	tcase_add_test(tc, revoked_after_a_restart);
	tcase_add_test(tc, revocation_lasts);
	tcase_add_test(tc, quarantine_runs_on);
	tcase_add_loop_test(tc, wall_clock_steps, 0, sizeof(steps_ms) / sizeof(*steps_ms));
	tcase_add_test(tc, generation_outlives_everything);
	tcase_add_test(tc, free_pairs_keep_their_order);
	tcase_add_test(tc, unacknowledged_grant_is_lost_or_held);
	tcase_add_test(tc, unknown_pairs_are_left_alone);
	tcase_add_test(tc, identities_paired_anew);
	tcase_add_test(tc, account_waits_for_the_former_owner);
	tcase_add_loop_test(tc, times_beyond_all_bounds, 0, 5);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
