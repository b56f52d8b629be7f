// SPDX-License-Identifier: BSD-3-Clause
// Grants and renewals: who gets which pair, what is durable before it leaves, what a failure costs.
#include <errno.h>

#include "lease_fixture.h"
#include "regate/err.h"

static struct fix f;

START_TEST(grant_is_durable_and_shown) {
	const struct lease *l;

	fix_init(&f, 2);
	fix_grant(&f, "anon-1");
	ck_assert_int_eq(f.done.rc, 0);
	l = fix_lease(&f, f.done.idx);
	ck_assert_int_eq(l->state, LEASE_OFFERED);
	ck_assert_str_eq(l->sub, "anon-1");
	ck_assert_uint_eq(l->gen, 1);
	ck_assert_uint_eq(l->scenario, 3);
	ck_assert_uint_eq(l->wwsf, 7);
	ck_assert_uint_eq(l->reassign_ns, l->tokens[0].end_ns + FIX_GUARD);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_OFFERED);
	ck_assert_ptr_eq(lease_by_digest(f.e, &f.done.digest), l);
	fix_fini(&f);
}
END_TEST

START_TEST(token_is_not_shown_before_it_is_durable) {
	struct lease_ask ask;

	fix_init(&f, 1);
	store_mem_set_delay(f.store, 10 * SEC);
	ask = fix_ask(&f, "anon-1");
	lease_grant(f.e, &ask);
	fix_advance(&f, 9 * SEC);
	ck_assert_uint_eq(f.done.n, 0);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 0);
	fix_advance(&f, 2 * SEC);
	ck_assert_uint_eq(f.done.n, 1);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(t20_not_a_tick_early) {
	struct lease_pool_stats st;

	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_advance(&f, FIX_LIFE);
	lease_get_pool_stats(f.e, 0, &st);
	ck_assert_uint_eq(st.n_quarantine, 1);
	// the grant was one millisecond before
	ck_assert_uint_eq(st.next_free_ns, fix_lease(&f, 0)->reassign_ns);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_advance(&f, FIX_GUARD - 10 * RG_NS_PER_MS);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED); // INV-4, to the millisecond
	fix_advance(&f, 10 * RG_NS_PER_MS);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 2); // INV-5
	fix_fini(&f);
}
END_TEST

START_TEST(oldest_free_pair_goes_first) {
	uint32_t first, second;

	fix_init(&f, 3);
	fix_grant(&f, "a");
	first = f.done.idx;
	fix_advance(&f, SEC / 2);
	fix_grant(&f, "b");
	second = f.done.idx;
	fix_advance(&f, FIX_LIFE + FIX_GUARD - SEC / 2);
	ck_assert_int_eq(fix_lease(&f, first)->state, LEASE_FREE);
	ck_assert_int_eq(fix_lease(&f, second)->state, LEASE_QUARANTINE); // each at its time
	fix_advance(&f, SEC);
	fix_grant(&f, "c"); // the one that was never given out waited longest (INV-13)
	ck_assert_uint_ne(f.done.idx, first);
	ck_assert_uint_ne(f.done.idx, second);
	fix_grant(&f, "d");
	ck_assert_uint_eq(f.done.idx, first);
	fix_grant(&f, "e");
	ck_assert_uint_eq(f.done.idx, second);
	fix_fini(&f);
}
END_TEST

START_TEST(failed_commit_costs_a_quarantine) {
	fix_init(&f, 1);
	store_mem_fail(f.store, 1, -5);
	fix_grant(&f, "a");
	ck_assert_int_eq(f.done.rc, -5);
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_QUARANTINE);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 0);
	fix_advance(&f, FIX_LIFE + FIX_GUARD - SEC);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_advance(&f, 2 * SEC);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 2);
	fix_fini(&f);
}
END_TEST

// The store had the record of the free pair, and could not say so: the next one ends in a conflict with it
// while the pair is being given out. Nobody else has it.
START_TEST(own_record_takes_nothing_back) {
	struct lease_ask ask;

	fix_init(&f, 1);
	ask = fix_ask(&f, "a");
	store_mem_fail_late(f.store, 1, -5);
	ck_assert_int_eq(lease_set_suspect(f.e, 0, LEASE_SUSPECT_OPERATOR), 0);
	fix_advance(&f, SEC);
	ck_assert_int_eq(lease_set_suspect(f.e, 0, LEASE_SUSPECT_NONE), 0);
	store_mem_set_delay(f.store, SEC);
	fix_advance(&f, 4 * SEC + SEC / 2);
	lease_grant(f.e, &ask);
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_OFFERED);
	fix_advance(&f, 5 * SEC);
	ck_assert_uint_eq(f.done.n, 1);
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(refused_issue_frees_the_pair) {
	fix_init(&f, 1);
	f.issue_rc = RG_E_LIMIT;
	fix_grant(&f, "a");
	ck_assert_int_eq(f.done.rc, RG_E_LIMIT);
	f.issue_rc = 0;
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 1);
	fix_fini(&f);
}
END_TEST

// A generation that was ended early is over for good, whatever comes of the next.
START_TEST(failed_grant_revives_nothing) {
	uint32_t idx;

	fix_init(&f, 1);
	fix_account(&f, "alice");
	idx = f.done.idx;
	ck_assert_int_eq(lease_revoke(f.e, idx, 1), 0);
	fix_advance(&f, SEC);
	ck_assert(lease_is_over(f.e, "alice@x", 1));
	f.issue_rc = -EIO;
	fix_account(&f, "alice");
	ck_assert_int_eq(f.done.rc, -EIO);
	ck_assert_uint_eq(fix_lease(&f, idx)->gen, 1);
	ck_assert(lease_is_over(f.e, "alice@x", 1));
	fix_fini(&f);
}
END_TEST

START_TEST(renewal_keeps_two_tokens) {
	struct rg_digest d[3];

	fix_init(&f, 1);
	fix_grant(&f, "a");
	d[0] = f.done.digest;
	for (unsigned i = 1; i < 3; i++) {
		fix_advance(&f, 60 * SEC);
		fix_renew(&f, 0, 1);
		ck_assert_int_eq(f.done.rc, 0);
		ck_assert_uint_eq(f.done.gen, 1);
		d[i] = f.done.digest;
	}
	ck_assert_int_eq(fix_seen(&f, &d[0]), -1);
	ck_assert_int_eq(fix_seen(&f, &d[1]), RG_LEASE_OFFERED);
	ck_assert_int_eq(fix_seen(&f, &d[2]), RG_LEASE_OFFERED);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns,
			  fix_lease(&f, 0)->tokens[0].end_ns + FIX_GUARD);
	fix_fini(&f);
}
END_TEST

START_TEST(renewal_of_what_is_over) {
	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_renew(&f, 0, 2);
	ck_assert_int_eq(f.done.rc, RG_E_STALE);
	fix_advance(&f, FIX_LIFE);
	fix_renew(&f, 0, 1); // ims.md 6.4: not after quarantine began
	ck_assert_int_eq(f.done.rc, RG_E_STALE);
	fix_fini(&f);
}
END_TEST

START_TEST(failed_renewal_leaves_the_lease) {
	struct rg_digest d;

	fix_init(&f, 1);
	fix_grant(&f, "a");
	d = f.done.digest;
	store_mem_fail(f.store, 1, -28);
	fix_renew(&f, 0, 1);
	ck_assert_int_eq(f.done.rc, -28);
	ck_assert_int_eq(fix_seen(&f, &d), RG_LEASE_OFFERED);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 1);
	fix_fini(&f);
}
END_TEST

static struct rg_digest looked_up;
static unsigned n_looks;

static void look_up(struct env_timer *, uint64_t) {
	n_looks++;
	ck_assert_int_ne(fix_seen(&f, &looked_up), -1); // its timer comes later in this turn
	ck_assert_ptr_null(lease_by_digest(f.e, &looked_up));
}

START_TEST(token_ends_on_time) {
	struct env_timer t = {.fn = look_up};

	fix_init(&f, 1);
	n_looks = 0;
	env_timer_set(f.env, &t, env_now_ns(f.env) + FIX_LIFE); // before the token's own
	fix_grant(&f, "a");
	looked_up = f.done.digest;
	ck_assert_ptr_nonnull(lease_by_digest(f.e, &looked_up));
	fix_advance(&f, FIX_LIFE);
	ck_assert_uint_eq(n_looks, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(account_keeps_its_pair) {
	uint32_t idx;

	fix_init(&f, 1);
	fix_account(&f, "alice");
	ck_assert_int_eq(f.done.rc, 0);
	idx = f.done.idx;
	ck_assert_str_eq(fix_lease(&f, idx)->impi, "alice@x");
	ck_assert_uint_eq(fix_lease(&f, idx)->scenario, 2);
	fix_account(&f, "alice");
	ck_assert_uint_eq(f.done.idx, idx);
	ck_assert_uint_eq(f.done.gen, 1); // the lease lives
	fix_advance(&f, FIX_LIFE + SEC);
	ck_assert_int_eq(fix_lease(&f, idx)->state, LEASE_QUARANTINE);
	fix_account(&f, "alice"); // nobody else waits for it
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 2);
	fix_account(&f, "bob");
	ck_assert_int_eq(f.done.rc, RG_E_STALE);
	fix_fini(&f);
}
END_TEST

START_TEST(two_grants_of_one_account_at_once) {
	struct lease_ask ask;

	fix_init(&f, 1);
	ask = fix_ask(&f, "alice");
	ask.is_account = true;
	for (unsigned i = 0; i < 3; i++)
		lease_grant(f.e, &ask);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	ck_assert_uint_eq(f.done.n, 3);
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 1);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 2);
	fix_fini(&f);
}
END_TEST

START_TEST(first_of_two_grants_fails) {
	struct lease_ask ask;

	fix_init(&f, 1);
	store_mem_fail(f.store, 1, -5);
	ask = fix_ask(&f, "alice");
	ask.is_account = true;
	lease_grant(f.e, &ask);
	lease_grant(f.e, &ask);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_uint_eq(f.done.n, 1);
	ck_assert_int_eq(f.done.rc, -5);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_uint_eq(f.done.n, 2);
	ck_assert_int_eq(f.done.rc, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(store_slower_than_the_token) {
	struct lease_ask ask;

	fix_init(&f, 1);
	store_mem_set_delay(f.store, 2 * FIX_LIFE);
	ask = fix_ask(&f, "a");
	lease_grant(f.e, &ask);
	fix_advance(&f, 2 * FIX_LIFE + SEC);
	ck_assert_int_eq(f.done.rc, RG_E_EXPIRED);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 0);
	fix_fini(&f);
}
END_TEST

// Whoever waits owns memory that only the answer frees.
START_TEST(end_answers_who_waits) {
	struct lease_ask ask;

	fix_init(&f, 2);
	fix_grant(&f, "a");
	ask = fix_ask(&f, "alice");
	ask.is_account = true;
	lease_grant(f.e, &ask);       // in the store's hands
	lease_grant(f.e, &ask);       // behind it
	lease_renew(f.e, 0, 9, &ask); // to be answered next turn
	lease_engine_free(f.e);
	ck_assert_uint_eq(f.done.n, 4);
	ck_assert_int_eq(f.done.rc, -ECANCELED);
	f.e = NULL;
	fix_fini(&f);
}
END_TEST

START_TEST(provisioning_is_disjoint) {
	fix_init(&f, 1);
	ck_assert_int_eq(lease_add_pair(f.e, 0, 0, "q@x", "sip:q@x", NULL), RG_E_LIMIT);
	lease_engine_free(f.e);
	f.e = lease_engine_new(&(struct lease_cfg){0}, f.env, f.store, NULL, &(struct lease_ops){0},
			       9);
	ck_assert_int_eq(lease_add_pair(f.e, 0, 0, "q@x", "sip:q@x", NULL), 0);
	ck_assert_int_eq(lease_add_pair(f.e, 1, 0, "Q@x", "sip:r@x", NULL), RG_E_CONFLICT);
	ck_assert_int_eq(lease_add_pair(f.e, 1, 0, "r@x", "sip:q@X", NULL), RG_E_CONFLICT);
	ck_assert_int_eq(lease_add_pair(f.e, 1, 0, "r@x", "sip:r@x", "bob"), 0);
	ck_assert_int_eq(lease_add_pair(f.e, 1, 0, "s@x", "sip:s@x", "bob"), RG_E_CONFLICT);
	ck_assert_int_eq(lease_add_pair(f.e, 1, 0, "s@x", "sip:s@x", "Bob"), 0);
	ck_assert_uint_eq(lease_n_pairs(f.e), 3);
	fix_fini(&f);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_grant");
	TCase *tc = tcase_create("grant");

	tcase_add_test(tc, grant_is_durable_and_shown);
	tcase_add_test(tc, token_is_not_shown_before_it_is_durable);
	tcase_add_test(tc, t20_not_a_tick_early);
	tcase_add_test(tc, oldest_free_pair_goes_first);
	tcase_add_test(tc, failed_commit_costs_a_quarantine);
	tcase_add_test(tc, own_record_takes_nothing_back);
	tcase_add_test(tc, refused_issue_frees_the_pair);
	tcase_add_test(tc, failed_grant_revives_nothing);
	tcase_add_test(tc, renewal_keeps_two_tokens);
	tcase_add_test(tc, renewal_of_what_is_over);
	tcase_add_test(tc, failed_renewal_leaves_the_lease);
	tcase_add_test(tc, token_ends_on_time);
	tcase_add_test(tc, account_keeps_its_pair);
	tcase_add_test(tc, two_grants_of_one_account_at_once);
	tcase_add_test(tc, first_of_two_grants_fails);
	tcase_add_test(tc, store_slower_than_the_token);
	tcase_add_test(tc, end_answers_who_waits);
	tcase_add_test(tc, provisioning_is_disjoint);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
