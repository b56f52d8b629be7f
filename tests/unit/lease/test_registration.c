// SPDX-License-Identifier: BSD-3-Clause
// Registration states: bindings made, refused, lost, ended; and what that does to the pair.
#include <errno.h>

#include "lease_fixture.h"
#include "regate/err.h"

static struct fix f;

static void begin(unsigned n_pairs) {
	fix_init(&f, n_pairs);
	fix_grant(&f, "a");
	ck_assert_int_eq(f.done.rc, 0);
}

static enum lease_state state(void) {
	return fix_lease(&f, 0)->state;
}

START_TEST(register_shows_the_binding) {
	const struct rg_lease_table *t;
	const struct lease *l;

	begin(1);
	fix_register(&f, 0, 1, 5);
	l = fix_lease(&f, 0);
	t = lease_engine_table(f.e);
	ck_assert_int_eq(l->state, LEASE_ACTIVE);
	ck_assert(rg_eq(l->binding.contact, RG_LIT("<sip:a@b.invalid>")));
	ck_assert(rg_eq(l->binding.to_tag, RG_LIT("tag")));
	ck_assert_uint_eq(l->flow.idx, 5);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ACTIVE);
	ck_assert_uint_eq(t->n_entries, 1);
	fix_renew(&f, 0, 1); // the new token shows the same
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ACTIVE);
	fix_fini(&f);
}
END_TEST

START_TEST(refresh_keeps_the_fast_path) {
	begin(1);
	fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	ck_assert_int_eq(state(), LEASE_PENDING);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ACTIVE);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, 0), RG_E_CONFLICT);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), RG_E_CONFLICT);
	lease_register_failed(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_ACTIVE);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ACTIVE);
	fix_fini(&f);
}
END_TEST

START_TEST(register_without_answer) {
	begin(1);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	lease_register_failed(f.e, 0, 1, true);
	ck_assert_int_eq(state(), LEASE_UNKNOWN);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_STALE);
	fix_register(&f, 0, 1, 5); // the client tries again
	ck_assert_int_eq(state(), LEASE_ACTIVE);
	fix_fini(&f);
}
END_TEST

START_TEST(old_generation_is_refused) {
	const struct lease_binding b = {0};

	begin(1);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 2, 0), RG_E_STALE);
	ck_assert_int_eq(lease_register_begin(f.e, 9, 1, 0), RG_E_STALE);
	ck_assert_int_eq(lease_register_done(f.e, 0, 2, &b, fix_conn(1), 0), RG_E_STALE);
	ck_assert_int_eq(lease_register_done(f.e, 0, 1, &b, fix_conn(1), 0), RG_E_CONFLICT);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 2), RG_E_STALE);
	lease_dereg_done(f.e, 0, 2, false);
	ck_assert_int_eq(state(), LEASE_OFFERED);
	fix_fini(&f);
}
END_TEST

START_TEST(longer_binding_raises_the_end) {
	uint64_t end_ns, before;

	begin(1);
	before = fix_lease(&f, 0)->reassign_ns;
	end_ns = env_now_ns(f.env) + 2 * FIX_LIFE;
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, before - FIX_GUARD), 0);
	lease_register_failed(f.e, 0, 1, false);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns, before); // clamped: nothing to do
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, end_ns), RG_MORE); // durable first
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns, end_ns + (360 + 69) * SEC);
	lease_register_failed(f.e, 0, 1, false);
	fix_advance(&f, 10 * SEC);
	fix_restart(&f, 0);
	ck_assert_uint_ge(fix_lease(&f, 0)->reassign_ns, end_ns + (360 + 69) * SEC);
	fix_fini(&f);
}
END_TEST

START_TEST(core_grants_more_than_asked) {
	struct lease_binding b = {0};

	begin(1);
	b.core_high_ns = env_now_ns(f.env) + 3 * FIX_LIFE;
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	ck_assert_int_eq(lease_register_done(f.e, 0, 1, &b, fix_conn(1), 0), RG_MORE);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns, b.core_high_ns + 69 * SEC);
	fix_fini(&f);
}
END_TEST

// What the core holds must be on record before anybody is told: the workers ask for each REGISTER.
START_TEST(a_later_end_is_durable_first) {
	struct lease_binding b = {.contact = RG_LIT("<sip:a@b.invalid>")};

	begin(1);
	b.core_low_ns = b.core_high_ns = env_now_ns(f.env) + 3 * FIX_LIFE;
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	ck_assert_int_eq(lease_register_done(f.e, 0, 1, &b, fix_conn(1), 0), RG_MORE);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_STALE);
	fix_advance(&f, 2 * RG_NS_PER_MS);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ACTIVE);
	fix_fini(&f);
}
END_TEST

// Once the core was seen to grant more, T_reg comes on top, also after a restart.
START_TEST(the_formula_without_feedback) {
	begin(2);
	fix_register(&f, f.done.idx, 1, 1);
	lease_core_exceeded(f.e);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	lease_register_failed(f.e, f.done.idx, 1, false);
	ck_assert_int_eq(lease_register_begin(f.e, f.done.idx, 1, env_now_ns(f.env) + SEC),
			 RG_MORE);
	ck_assert_uint_eq(fix_lease(&f, f.done.idx)->reassign_ns,
			  lease_token_end_ns(fix_lease(&f, f.done.idx)) + FIX_GUARD + 3600 * SEC);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	fix_restart(&f, 0);
	fix_grant(&f, "b");
	ck_assert_uint_eq(fix_lease(&f, f.done.idx)->reassign_ns,
			  lease_token_end_ns(fix_lease(&f, f.done.idx)) + FIX_GUARD + 3600 * SEC);
	fix_fini(&f);
}
END_TEST

// The core has confirmed the end before: a revocation gives the pair back early. Not so without
// that, nor after "Contact: *", which proves nothing.
START_TEST(evidence_of_before) {
	begin(1);
	fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	if (_i == 0)
		lease_dereg_done(f.e, 0, 1, true);
	else
		lease_dereg_unproved(f.e, 0, 1);
	ck_assert_int_eq(state(), LEASE_OFFERED);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	fix_advance(&f, 4 * SEC);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	fix_advance(&f, 2 * SEC);
	ck_assert_int_eq(state(), _i == 0 ? LEASE_FREE : LEASE_QUARANTINE);
	fix_fini(&f);
}
END_TEST

START_TEST(user_leaves_and_comes_back) {
	begin(1);
	fix_register(&f, 0, 1, 5);
	lease_set_core_dialog(f.e, 0, "core-call", 7);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ENDING);
	lease_flow_closed(f.e, 0, 1, fix_conn(5)); // the answer unbinds it
	lease_dereg_done(f.e, 0, 1, true);
	ck_assert_int_eq(state(), LEASE_OFFERED);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_OFFERED);
	ck_assert_uint_eq(fix_lease(&f, 0)->binding.contact.len, 0);
	ck_assert_str_eq(fix_lease(&f, 0)->core_call_id, ""); // a fresh dialog
	fix_register(&f, 0, 1, 6);
	ck_assert_int_eq(state(), LEASE_ACTIVE);
	ck_assert_uint_eq(f.n_close, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(user_leaves_for_good) {
	uint64_t reassign_ns;

	begin(1);
	reassign_ns = fix_lease(&f, 0)->reassign_ns;
	fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_done(f.e, 0, 1, true);
	fix_advance(&f, FIX_LIFE);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns, reassign_ns); // not lowered
	ck_assert_uint_eq(f.n_deregister, 0);                          // nothing to end
	fix_fini(&f);
}
END_TEST

START_TEST(confirmed_end_gives_the_pair_back) {
	begin(1);
	fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns, env_now_ns(f.env) + 5 * SEC);
	fix_advance(&f, 5 * SEC);
	ck_assert_int_eq(state(), LEASE_FREE);
	fix_advance(&f, 5 * RG_NS_PER_MS); // the disk has milliseconds
	fix_restart(&f, 0);                // and that is durable
	ck_assert_int_eq(state(), LEASE_FREE);
	ck_assert_uint_eq(fix_lease(&f, 0)->gen, 1);
	fix_fini(&f);
}
END_TEST

// A REGISTER given up by us can reach the core within T_sip, after the 200 to expires=0.
static uint64_t n_asked, n_passed;

static uint64_t fence_ask(void *) {
	return ++n_asked;
}

static bool fence_is_passed(void *, uint64_t ticket) {
	return ticket <= n_passed;
}

// INV-7: a worker that stands still in the middle of a burst holds the pair, however long it takes.
START_TEST(worker_holds_the_pair) {
	begin(2);
	n_asked = n_passed = 0;
	lease_set_fence(f.e, &(struct lease_fence){NULL, fence_ask, fence_is_passed});
	fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	ck_assert_uint_eq(n_asked, 0);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_uint_eq(n_asked, 1);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
	fix_advance(&f, 100 * SEC); // the guard is 5 s
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	n_passed = 1;
	fix_advance(&f, 10 * RG_NS_PER_MS);
	ck_assert_int_eq(state(), LEASE_FREE);
	fix_fini(&f);
}
END_TEST

// The same of a revocation, whether or not the core has to be asked: fenced before RELEASED.
START_TEST(worker_holds_a_revoked_pair) {
	bool is_registered = _i == 1;

	begin(1);
	n_asked = n_passed = 0;
	lease_set_fence(f.e, &(struct lease_fence){NULL, fence_ask, fence_is_passed});
	if (is_registered)
		fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(f.n_deregister, is_registered);
	if (is_registered)
		lease_dereg_done(f.e, 0, 1, false);
	ck_assert_uint_eq(n_asked, 1);
	fix_advance(&f, FIX_LIFE + FIX_GUARD + 100 * SEC);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	n_passed = 1;
	fix_advance(&f, 10 * RG_NS_PER_MS);
	ck_assert_int_eq(state(), LEASE_FREE);
	fix_fini(&f);
}
END_TEST

START_TEST(lost_register_holds_the_pair) {
	begin(1);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	lease_register_failed(f.e, 0, 1, true);
	fix_advance(&f, SEC);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
	ck_assert_int_eq(state(), LEASE_UNKNOWN);
	fix_advance(&f, 67 * SEC);
	ck_assert_uint_eq(f.n_deregister, 0);
	fix_advance(&f, 2 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns, env_now_ns(f.env) + 5 * SEC);
	fix_fini(&f);
}
END_TEST

// The process stood still: when the core answered, the lost REGISTER could still come after.
START_TEST(an_answer_heard_late_proves_nothing) {
	begin(1);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	lease_register_failed(f.e, 0, 1, true);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	env_sim_pause(f.env, 100 * SEC);
	lease_dereg_done(f.e, 0, 1, false);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	ck_assert_uint_eq(f.n_deregister, 1);
	ck_assert_int_eq(state(), LEASE_DEREG_PENDING);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	fix_advance(&f, 6 * SEC);
	ck_assert_int_eq(state(), LEASE_FREE);
	fix_fini(&f);
}
END_TEST

START_TEST(token_end_deregisters) {
	uint64_t reassign_ns;

	begin(1);
	fix_register(&f, 0, 1, 5);
	reassign_ns = fix_lease(&f, 0)->reassign_ns;
	fix_advance(&f, FIX_LIFE);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
	ck_assert_uint_eq(f.n_deregister, 1);
	ck_assert_int_eq(state(), LEASE_DEREG_PENDING);
	lease_dereg_done(f.e, 0, 1, true);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns, reassign_ns);
	fix_fini(&f);
}
END_TEST

START_TEST(token_end_while_pending) {
	const struct lease_binding b = {0};

	begin(1);
	fix_advance(&f, FIX_LIFE - SEC);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	fix_advance(&f, SEC);
	ck_assert_int_eq(state(), LEASE_PENDING);
	ck_assert_int_eq(lease_register_done(f.e, 0, 1, &b, fix_conn(1), 0), RG_E_STALE);
	ck_assert_uint_eq(f.n_deregister, 0); // not within the call
	fix_advance(&f, 1);
	ck_assert_uint_eq(f.n_deregister, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(refused_after_the_token_end) {
	begin(1);
	fix_advance(&f, FIX_LIFE - SEC);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	fix_advance(&f, SEC);
	lease_register_failed(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	fix_fini(&f);
}
END_TEST

START_TEST(unanswered_end_is_tried_again) {
	begin(1);
	fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_unknown(f.e, 0, 1);
	ck_assert_int_eq(state(), LEASE_UNKNOWN);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_STALE);
	fix_advance(&f, 8 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	lease_dereg_unknown(f.e, 0, 1);
	fix_advance(&f, 15 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	fix_advance(&f, SEC); // doubled
	ck_assert_uint_eq(f.n_deregister, 2);
	lease_dereg_unknown(f.e, 0, 1);
	fix_register(&f, 0, 1, 6); // the user is back: no more of that
	fix_advance(&f, 600 * SEC);
	ck_assert_uint_eq(f.n_deregister, 2);
	fix_fini(&f);
}
END_TEST

START_TEST(core_never_answers) {
	begin(1);
	fix_register(&f, 0, 1, 5);
	fix_advance(&f, FIX_LIFE);
	while (state() == LEASE_DEREG_PENDING || state() == LEASE_UNKNOWN) {
		lease_dereg_unknown(f.e, 0, 1);
		fix_advance(&f, 10 * SEC);
	}
	// evidence by time
	ck_assert_int_eq(state(), LEASE_FREE);
	ck_assert_uint_ge(env_now_ns(f.env), fix_lease(&f, 0)->reassign_ns);
	ck_assert_uint_gt(f.n_deregister, 3);
	ck_assert_uint_lt(f.n_deregister, 12);
	fix_fini(&f);
}
END_TEST

START_TEST(binding_too_large_to_show) {
	static uint8_t big[RG_LEASE_BYTES_MAX];
	struct lease_binding b = {.headers = rg_slice(big, sizeof(big))};

	begin(1);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	ck_assert_int_eq(lease_register_done(f.e, 0, 1, &b, fix_conn(1), 0), 0);
	ck_assert_int_eq(state(), LEASE_ACTIVE);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_STALE); // the slow way
	ck_assert_ptr_null(lease_engine_check(f.e));
	fix_fini(&f);
}
END_TEST

static struct lease_wait waiting;
static int n_waited, waited_rc;

static void on_wait(struct lease_wait *, int rc) {
	n_waited++;
	waited_rc = rc;
}

static void wait_for(uint32_t idx) {
	n_waited = 0;
	waiting.done = on_wait;
	ck_assert_int_eq(lease_await(f.e, idx, &waiting), RG_MORE);
}

// That the core grants more is on record before anybody is told, and tried until it is.
START_TEST(excess_is_durable_first) {
	struct lease_binding b = {.contact = RG_LIT("<sip:a@b.invalid>")};

	begin(1);
	b.core_low_ns = b.core_high_ns = env_now_ns(f.env) + SEC;
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	store_mem_fail(f.store, UINT32_MAX, -EIO);
	lease_core_exceeded(f.e);
	ck_assert_int_eq(lease_register_done(f.e, 0, 1, &b, fix_conn(1), 0), RG_MORE);
	wait_for(0);
	fix_advance(&f, 2 * RG_NS_PER_MS);
	ck_assert_int_eq(n_waited, 1);
	ck_assert_int_eq(waited_rc, -EIO);
	wait_for(0); // the client asks again, before it is mended
	fix_advance(&f, 6 * SEC);
	ck_assert_int_eq(waited_rc, -EIO);
	store_mem_fail(f.store, 0, 0);
	wait_for(0);
	fix_advance(&f, 6 * SEC);
	ck_assert_int_eq(n_waited, 1);
	ck_assert_int_eq(waited_rc, 0);
	ck_assert_int_eq(lease_await(f.e, 0, &waiting), 0);
	fix_restart(&f, 0);
	fix_renew(&f, 0, 1);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns,
			  lease_token_end_ns(fix_lease(&f, 0)) + FIX_GUARD + 3600 * SEC);
	fix_fini(&f);
}
END_TEST

// Who waits for that may wait for a pair that is free meanwhile.
START_TEST(excess_outlasts_the_lease) {
	begin(1);
	fix_register(&f, 0, 1, 5);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_done(f.e, 0, 1, false);
	fix_advance(&f, 2 * RG_NS_PER_MS);
	store_mem_set_delay(f.store, 60 * SEC);
	lease_core_exceeded(f.e);
	wait_for(0);
	fix_advance(&f, 10 * SEC); // and checks
	ck_assert_int_eq(state(), LEASE_FREE);
	ck_assert_int_eq(n_waited, 0);
	fix_advance(&f, 51 * SEC);
	ck_assert_int_eq(n_waited, 1);
	ck_assert_int_eq(waited_rc, 0);
	fix_fini(&f);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_registration");
	TCase *tc = tcase_create("registration");

	tcase_add_test(tc, register_shows_the_binding);
	tcase_add_test(tc, refresh_keeps_the_fast_path);
	tcase_add_test(tc, register_without_answer);
	tcase_add_test(tc, old_generation_is_refused);
	tcase_add_test(tc, longer_binding_raises_the_end);
	tcase_add_test(tc, core_grants_more_than_asked);
	tcase_add_test(tc, a_later_end_is_durable_first);
	tcase_add_test(tc, the_formula_without_feedback);
	tcase_add_test(tc, excess_is_durable_first);
	tcase_add_test(tc, excess_outlasts_the_lease);
	tcase_add_loop_test(tc, evidence_of_before, 0, 2);
	tcase_add_test(tc, user_leaves_and_comes_back);
	tcase_add_test(tc, user_leaves_for_good);
	tcase_add_test(tc, confirmed_end_gives_the_pair_back);
	tcase_add_test(tc, worker_holds_the_pair);
	tcase_add_loop_test(tc, worker_holds_a_revoked_pair, 0, 2);
	tcase_add_test(tc, lost_register_holds_the_pair);
	tcase_add_test(tc, an_answer_heard_late_proves_nothing);
	tcase_add_test(tc, token_end_deregisters);
	tcase_add_test(tc, token_end_while_pending);
	tcase_add_test(tc, refused_after_the_token_end);
	tcase_add_test(tc, unanswered_end_is_tried_again);
	tcase_add_test(tc, core_never_answers);
	tcase_add_test(tc, binding_too_large_to_show);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
