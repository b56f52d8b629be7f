// SPDX-License-Identifier: BSD-3-Clause
// What an operator gives back early and takes out: pairs with evidence and without, imported pairs that
// nobody has, alone and beside another gateway.
#include <errno.h>

#include "lease/operator.h"
#include "lease_fixture.h"
#include "regate/err.h"

static struct fix f, b;
static struct {
	unsigned n;
	int rc;
} heard;

static void done(void *, int rc) {
	heard.n++;
	heard.rc = rc;
}

static void more_room(struct fix *x) {
	lease_engine_free(x->e);
	x->n_room = 3;
	fix_start(x);
}

static void setup(void) {
	heard.n = 0;
	fix_init(&f, 1);
	more_room(&f);
}

static void teardown(void) {
	fix_fini(&f);
}

static enum lease_hold hold(void) {
	return lease_hold_of(f.e, 0);
}

static uint64_t left_ns(uint32_t idx) {
	return fix_lease(&f, idx)->reassign_ns - env_now_ns(f.env);
}

static void expect_free_after_guard(void) {
	ck_assert_int_eq(hold(), LEASE_HOLD_GUARD);
	fix_advance(&f, 4 * SEC);
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_QUARANTINE);
	fix_advance(&f, 2 * SEC);
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_FREE);
	ck_assert_int_eq(hold(), LEASE_HOLD_NONE);
	fix_grant(&f, "other");
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 2);
}

START_TEST(never_registered) {
	fix_grant(&f, "a");
	ck_assert_int_eq(hold(), LEASE_HOLD_NONE);
	ck_assert_int_eq(lease_release(f.e, 0), 0);
	ck_assert_ptr_null(lease_by_digest(f.e, &f.done.digest));
	expect_free_after_guard();
}
END_TEST

START_TEST(never_registered_and_over) { // by time, or revoked
	fix_grant(&f, "a");
	if (_i == 0)
		fix_advance(&f, FIX_LIFE + SEC);
	else
		ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	fix_advance(&f, SEC);
	ck_assert_int_eq(hold(), LEASE_HOLD_UNUSED);
	ck_assert_uint_gt(left_ns(0), 400 * SEC);
	ck_assert_int_eq(lease_release(f.e, 0), 0);
	expect_free_after_guard();
}
END_TEST

START_TEST(durable) { // the new time outlives the process
	fix_grant(&f, "a");
	ck_assert_int_eq(lease_release(f.e, 0), 0);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	fix_restart(&f, 0);
	ck_assert_uint_lt(left_ns(0), 6 * SEC);
}
END_TEST

START_TEST(registered) {
	fix_grant(&f, "a");
	fix_register(&f, 0, 1, 1);
	ck_assert_int_eq(lease_release(f.e, 0), 0);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	ck_assert_uint_eq(f.n_deregister, 1);
	ck_assert_int_eq(hold(), LEASE_HOLD_ASKED);
	lease_dereg_unknown(f.e, 0, 1);
	ck_assert_int_eq(hold(), LEASE_HOLD_SILENT);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	ck_assert_int_eq(lease_release(f.e, 0), 0); // now, not in 8 s
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_uint_eq(f.n_deregister, 2);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(hold(), LEASE_HOLD_GUARD);
	ck_assert_uint_gt(left_ns(0), 60 * SEC); // the lost request may still arrive
}
END_TEST

START_TEST(refused_registration) { // one reached the core: who knows what it did
	fix_grant(&f, "a");
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	lease_register_failed(f.e, 0, 1, false);
	ck_assert_int_eq(lease_release(f.e, 0), 0);
	ck_assert_int_eq(hold(), LEASE_HOLD_BINDING);
	ck_assert_uint_gt(left_ns(0), 400 * SEC);
}
END_TEST

START_TEST(before_a_restart) { // registered then, perhaps
	fix_grant(&f, "a");
	fix_restart(&f, 1);
	ck_assert_int_eq(lease_release(f.e, 0), 0);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	ck_assert_int_eq(hold(), LEASE_HOLD_ASKED);
	ck_assert_uint_eq(f.n_deregister, 1);
}
END_TEST

// An account's next generation may follow one that the core still holds.
START_TEST(account_again) {
	fix_account(&f, "alice");
	fix_register(&f, 1, 1, 1);
	ck_assert_int_eq(lease_revoke(f.e, 1, 1), 0);
	fix_advance(&f, SEC);
	lease_dereg_unknown(f.e, 1, 1);
	fix_advance(&f, FIX_LIFE + 60 * SEC + FIX_GUARD - 62 * SEC);
	if (fix_lease(&f, 1)->state != LEASE_QUARANTINE)
		return;
	fix_account(&f, "alice");
	ck_assert_int_eq(lease_release(f.e, 1), 0);
	ck_assert_int_eq(lease_hold_of(f.e, 1), LEASE_HOLD_BINDING);
}
END_TEST

START_TEST(nothing_to_release) {
	ck_assert_int_eq(lease_release(f.e, 0), RG_E_STALE);
	ck_assert_int_eq(lease_release(f.e, 99), RG_E_STALE);
}
END_TEST

// --- remove

static void import(const char *impi, const char *impu) {
	ck_assert_int_eq(lease_import(f.e, 0, impi, impu, done, NULL), 0);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(heard.rc, 0);
	heard.n = 0;
}

static int remove_pair(const char *impi, const char *impu) {
	return lease_remove(f.e, 0, impi, impu, done, NULL);
}

static uint32_t n_pairs(struct fix *x) {
	struct lease_pool_stats s;

	ck_assert_ptr_null(lease_engine_check(x->e));
	lease_get_pool_stats(x->e, 0, &s);
	ck_assert_uint_eq(s.n_pairs, s.n_free + s.n_disabled + s.n_offered + s.n_quarantine);
	return s.n_pairs;
}

START_TEST(removed) {
	import("q@x", "sip:q@x");
	ck_assert_uint_eq(n_pairs(&f), 2);
	if (_i == 1) // also one that is out of rotation
		ck_assert_int_eq(lease_set_suspect(f.e, 2, LEASE_SUSPECT_OPERATOR), 0);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), -EALREADY);
	ck_assert_uint_eq(n_pairs(&f), 1); // at once
	ck_assert_uint_eq(heard.n, 0);
	fix_advance(&f, 5 * RG_NS_PER_MS);
	ck_assert_uint_eq(heard.n, 1);
	ck_assert_int_eq(heard.rc, 0);
	ck_assert_uint_eq(lease_find(f.e, "q@x"), RG_LEASE_NONE);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), RG_E_STALE);
	fix_grant(&f, "a");
	ck_assert_uint_eq(f.done.idx, 0);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_restart(&f, 0);
	ck_assert_uint_eq(n_pairs(&f), 1);
}
END_TEST

// Its generation goes on (I4), in this process and in the next one.
START_TEST(removed_and_back) {
	import("q@x", "sip:q@x");
	fix_grant(&f, "a");
	fix_grant(&f, "b");
	ck_assert_uint_eq(f.done.idx, 2);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), -EBUSY);
	fix_advance(&f, FIX_LIFE + SEC);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), -EBUSY); // quarantine
	fix_advance(&f, FIX_GUARD + SEC);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	fix_advance(&f, 5 * RG_NS_PER_MS);
	if (_i == 1)
		fix_restart(&f, 0);
	ck_assert_uint_eq(n_pairs(&f), 1);
	import("q@x", "sip:q@x");
	fix_advance(&f, 5 * SEC);
	ck_assert_uint_eq(n_pairs(&f), 2);
	fix_grant(&f, "a");
	fix_grant(&f, "b");
	ck_assert_uint_eq(fix_lease(&f, lease_find(f.e, "q@x"))->gen, 2);
}
END_TEST

START_TEST(not_to_remove) {
	import("q@x", "sip:q@x");
	ck_assert_int_eq(remove_pair("p0@x", "sip:p0@x"), RG_E_UNSUPPORTED); // of a file
	ck_assert_int_eq(remove_pair("q@x", "sip:p0@x"), RG_E_CONFLICT);
	ck_assert_int_eq(remove_pair("r@x", "sip:r@x"), RG_E_STALE);
	ck_assert_int_eq(lease_remove(f.e, 1, "q@x", "sip:q@x", done, NULL), RG_E_CONFLICT);
	ck_assert_uint_eq(n_pairs(&f), 2);
}
END_TEST

START_TEST(store_fails) {
	import("q@x", "sip:q@x");
	store_mem_fail(f.store, 1, -EIO);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(heard.rc, -EIO);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0); // again
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(heard.rc, 0);
	fix_restart(&f, 0);
	ck_assert_uint_eq(n_pairs(&f), 1);
}
END_TEST

START_TEST(gone_once_it_is_durable) {
	import("q@x", "sip:q@x");
	store_mem_fail(f.store, 1, -EIO);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	fix_advance(&f, 5 * SEC + RG_NS_PER_MS + RG_NS_PER_MS / 2); // the engine tries again
	ck_assert_int_eq(heard.rc, -EIO);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	fix_advance(&f, 2 * RG_NS_PER_MS);
	ck_assert_uint_eq(heard.n, 2);
	ck_assert_int_eq(heard.rc, 0);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), RG_E_STALE);
}
END_TEST

// --- beside another gateway

static void setup_two(void) {
	heard.n = 0;
	fix_init_two(&f, &b, 1);
	more_room(&f);
	more_room(&b);
	import("q@x", "sip:q@x");
	fix_advance(&f, SEC);
	ck_assert_uint_eq(n_pairs(&b), 2);
}

static void teardown_two(void) {
	fix_fini(&b);
	fix_fini(&f);
}

START_TEST(removed_everywhere) {
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	fix_advance(&f, SEC);
	ck_assert_int_eq(heard.rc, 0);
	ck_assert_uint_eq(n_pairs(&f), 1);
	ck_assert_uint_eq(n_pairs(&b), 1);
	import("q@x", "sip:q@x");
	fix_advance(&f, SEC);
	ck_assert_uint_eq(n_pairs(&f), 2);
	ck_assert_uint_eq(n_pairs(&b), 2);
}
END_TEST

// Its removal comes too late, and says so; that it is out of rotation stays.
START_TEST(suspect_meanwhile) {
	struct store_lease row = {.impi = "q@x",
				  .impu = "sip:q@x",
				  .pool = "p1",
				  .sub = "",
				  .gateway = "b",
				  .rev = 1,
				  .reassign_ms = env_wall_ms(f.env) + 50,
				  .flags = STORE_IMPORTED | STORE_SUSPECT |
					   LEASE_SUSPECT_OPERATOR << STORE_CAUSE_SHIFT};

	ck_assert_int_eq(store_commit(b.store, &row, NULL, NULL), 0);
	env_sim_advance(f.env, RG_NS_PER_MS / 2);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(heard.n, 1);
	ck_assert_int_eq(heard.rc, RG_E_CONFLICT);
	ck_assert_int_eq(fix_lease(&f, 2)->suspect, LEASE_SUSPECT_OPERATOR);
	ck_assert_int_eq(fix_lease(&b, 2)->suspect, LEASE_SUSPECT_OPERATOR);
	ck_assert_uint_eq(n_pairs(&f), n_pairs(&b));
}
END_TEST

// b removes the pair before f hears that its import of it is durable: f follows.
START_TEST(removed_before_the_answer) {
	heard.n = 0;
	store_mem_set_answer_delay(f.store, 10 * SEC);
	ck_assert_int_eq(lease_import(f.e, 0, "r@x", "sip:r@x", done, NULL), 0);
	fix_advance(&f, SEC);
	ck_assert_int_eq(lease_remove(b.e, 0, "r@x", "sip:r@x", done, NULL), 0);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(n_pairs(&b), 2);
	fix_advance(&f, 20 * SEC);
	ck_assert_uint_eq(n_pairs(&f), 2);
}
END_TEST

START_TEST(given_out_meanwhile) { // the store decides who was first
	struct lease_ask one = fix_ask(&b, "b1"), two = fix_ask(&b, "b2");

	lease_grant(b.e, &one);
	lease_grant(b.e, &two);
	env_sim_advance(f.env, RG_NS_PER_MS / 2);
	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	fix_advance(&f, 100 * RG_NS_PER_MS);
	ck_assert_uint_eq(heard.n, 1);
	ck_assert_int_eq(heard.rc, RG_E_CONFLICT);
	ck_assert_uint_eq(n_pairs(&f), 2);
	ck_assert_uint_eq(n_pairs(&b), 2);
	ck_assert_int_eq(fix_lease(&f, 2)->state, LEASE_OFFERED);
	fix_advance(&f, FIX_LIFE + FIX_GUARD + 10 * SEC);
	ck_assert_int_eq(fix_lease(&f, 2)->state, LEASE_FREE);
	ck_assert_uint_eq(n_pairs(&f), 2);
}
END_TEST

// Removed here, while another gateway has it in a file and gives it out: it counts until it is free. One
// that was imported there stays.
START_TEST(in_use_where_a_file_has_it) {
	struct store_lease row = {.impi = "q@x",
				  .impu = "sip:q@x",
				  .pool = "p1",
				  .sub = "b1",
				  .gateway = "b",
				  .gen = 1,
				  .rev = 2,
				  .state = _i == 1 ? LEASE_QUARANTINE : LEASE_OFFERED,
				  .flags = _i == 2 ? STORE_IMPORTED : 0};

	ck_assert_int_eq(remove_pair("q@x", "sip:q@x"), 0);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(n_pairs(&f), 1);
	row.reassign_ms = env_wall_ms(f.env) + 2000000;
	row.tokens[0] = (struct store_token){{"digest"}, env_wall_ms(f.env) + 1000000};
	ck_assert_int_eq(store_commit(b.store, &row, NULL, NULL), 0);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(n_pairs(&f), 2);
	ck_assert_int_eq(fix_lease(&f, 2)->state, row.state);
	fix_advance(&f, 3000 * SEC);
	ck_assert_int_eq(fix_lease(&f, 2)->state, LEASE_FREE);
	ck_assert_uint_eq(n_pairs(&f), _i == 2 ? 2 : 1);
	fix_grant(&f, "a");
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, _i == 2 ? 0 : RG_E_EXHAUSTED);
}
END_TEST

// Who did not give it out cannot say that it was never registered.
START_TEST(not_ours_to_release) {
	fix_grant(&b, "b1");
	ck_assert_int_eq(f.done.n, 0);
	fix_advance(&f, SEC);
	ck_assert_int_eq(lease_release(f.e, b.done.idx), 0);
	ck_assert_int_eq(lease_hold_of(f.e, b.done.idx), LEASE_HOLD_MOVED);
	ck_assert_uint_gt(left_ns(b.done.idx), 400 * SEC);
}
END_TEST

// Whoever had f's name before may live on, cut off from the store but not from the core.
START_TEST(of_a_taken_name) {
	uint32_t i;

	fix_grant(&f, "a");
	i = f.done.idx;
	store_mem_set_taken_name(f.store, true);
	store_mem_set_delay(f.store, 10 * RG_NS_PER_MS);
	fix_restart(&f, 0);
	ck_assert(!store_has_taken_name(f.store)); // all is queued
	if (_i == 1)                               // comes before it
		ck_assert_int_eq(lease_set_suspect(b.e, i, LEASE_SUSPECT_OPERATOR), 0);
	fix_advance(&f, 50 * RG_NS_PER_MS);
	ck_assert(fix_lease(&f, i)->is_moved);
	ck_assert(fix_lease(&b, i)->is_moved); // f need not touch it for that
	fix_restart(&f, 0);
	fix_advance(&f, 100 * SEC); // what may have been under way
	ck_assert_int_eq(lease_revoke(f.e, i, 1), 0);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	lease_dereg_done(f.e, i, 1, false);
	fix_advance(&f, 10 * SEC);
	ck_assert_int_eq(fix_lease(&f, i)->state, LEASE_QUARANTINE);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_QUARANTINE);
	ck_assert_uint_gt(left_ns(i), 300 * SEC);
}
END_TEST

START_TEST(of_a_taken_name_then_given_anew) {
	fix_grant(&f, "a");
	store_mem_set_taken_name(f.store, true);
	fix_restart(&f, 0);
	fix_advance(&f, FIX_LIFE + FIX_GUARD + SEC);
	fix_grant(&f, "b");
	fix_grant(&f, "c");
	for (uint32_t i = 0; i < 3; i += 2) // 1 is the account's
		ck_assert(!fix_lease(&f, i)->is_moved);
	ck_assert_uint_eq(fix_lease(&f, 0)->gen + fix_lease(&f, 2)->gen, 3);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_release");
	TCase *one = tcase_create("alone"), *two = tcase_create("two");

	tcase_add_checked_fixture(one, setup, teardown);
	tcase_add_test(one, never_registered);
	tcase_add_loop_test(one, never_registered_and_over, 0, 2);
	tcase_add_test(one, durable);
	tcase_add_test(one, registered);
	tcase_add_test(one, refused_registration);
	tcase_add_test(one, before_a_restart);
	tcase_add_test(one, account_again);
	tcase_add_test(one, nothing_to_release);
	tcase_add_loop_test(one, removed, 0, 2);
	tcase_add_loop_test(one, removed_and_back, 0, 2);
	tcase_add_test(one, not_to_remove);
	tcase_add_test(one, store_fails);
	tcase_add_test(one, gone_once_it_is_durable);
	suite_add_tcase(s, one);
	tcase_add_checked_fixture(two, setup_two, teardown_two);
	tcase_add_test(two, removed_everywhere);
	tcase_add_test(two, suspect_meanwhile);
	tcase_add_test(two, removed_before_the_answer);
	tcase_add_test(two, given_out_meanwhile);
	tcase_add_loop_test(two, in_use_where_a_file_has_it, 0, 3);
	tcase_add_test(two, not_ours_to_release);
	tcase_add_loop_test(two, of_a_taken_name, 0, 2);
	tcase_add_test(two, of_a_taken_name_then_given_anew);
	suite_add_tcase(s, two);
	return fix_main(s);
}
