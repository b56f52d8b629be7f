// SPDX-License-Identifier: BSD-3-Clause
// Connections of a lease, and revocation.
#include "lease_fixture.h"
#include "regate/err.h"

static struct fix f;

static void begin(void) {
	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_register(&f, 0, 1, 5);
}

static enum lease_state state(void) {
	return fix_lease(&f, 0)->state;
}

START_TEST(second_flow_replaces_the_first) {
	begin();
	lease_flow_bound(f.e, 0, 1, fix_conn(5), 77);
	ck_assert_uint_eq(f.n_close, 0);
	ck_assert_uint_eq(fix_lease(&f, 0)->promise_end_ns, 77);
	lease_flow_bound(f.e, 0, 1, fix_conn(6), 78);
	ck_assert_uint_eq(f.n_close, 1); // INV-10
	ck_assert_uint_eq(f.closed.idx, 5);
	ck_assert_uint_eq(f.close_code, 1008);
	fix_register(&f, 0, 1, 7);
	ck_assert_uint_eq(f.n_close, 2);
	ck_assert_uint_eq(f.closed.idx, 6);
	fix_fini(&f);
}
END_TEST

START_TEST(lost_flow_gets_its_grace) {
	begin();
	lease_flow_closed(f.e, 0, 1, fix_conn(4)); // not ours
	fix_advance(&f, 61 * SEC);
	ck_assert_uint_eq(f.n_deregister, 0);
	lease_flow_closed(f.e, 0, 1, fix_conn(5));
	fix_advance(&f, 59 * SEC);
	ck_assert_uint_eq(f.n_deregister, 0);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ENDING);
	lease_dereg_done(f.e, 0, 1, true);
	ck_assert_int_eq(state(), LEASE_OFFERED); // the token may be used again
	fix_fini(&f);
}
END_TEST

START_TEST(reconnect_within_the_grace) {
	begin();
	lease_flow_closed(f.e, 0, 1, fix_conn(5));
	fix_advance(&f, 30 * SEC);
	lease_flow_bound(f.e, 0, 1, fix_conn(6), 0);
	fix_advance(&f, 120 * SEC);
	ck_assert_uint_eq(f.n_deregister, 0);
	ck_assert_uint_eq(f.n_close, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(client_lets_its_promise_end) {
	begin();
	lease_flow_expired(f.e, 0, 1, fix_conn(5)); // the promise of a moment ago
	fix_advance(&f, 299 * SEC);
	ck_assert_uint_eq(f.n_deregister, 0);
	fix_advance(&f, SEC);
	lease_flow_expired(f.e, 0, 1, fix_conn(5));
	fix_advance(&f, 60 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	fix_fini(&f);
}
END_TEST

// A refresh that no client waits for neither ends the grace nor takes it as used.
START_TEST(grace_outlasts_a_refresh) {
	struct lease_binding b;

	begin();
	fix_advance(&f, 300 * SEC);
	lease_flow_expired(f.e, 0, 1, fix_conn(5));
	fix_advance(&f, 30 * SEC);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + 600 * SEC), 0);
	b = fix_lease(&f, 0)->binding;
	b.core_refresh_ns = env_now_ns(f.env) + 300 * SEC;
	ck_assert_int_eq(lease_refresh_done(f.e, 0, 1, &b), 0);
	ck_assert(rg_conn_eq(fix_lease(&f, 0)->flow, fix_conn(5)));
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + 600 * SEC), 0);
	fix_advance(&f, 40 * SEC); // the grace is over in the middle of this one
	ck_assert_uint_eq(f.n_deregister, 0);
	lease_refresh_failed(f.e, 0, 1, false, env_now_ns(f.env) + 60 * SEC);
	ck_assert_uint_eq(fix_lease(&f, 0)->binding.core_refresh_ns, env_now_ns(f.env) + 60 * SEC);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_ACTIVE);
	fix_advance(&f, 60 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(flow_of_a_lease_that_is_gone) {
	begin();
	lease_flow_bound(f.e, 0, 9, fix_conn(6), 0);
	ck_assert_uint_eq(f.n_close, 1);
	ck_assert_uint_eq(f.closed.idx, 6);
	ck_assert_uint_eq(fix_lease(&f, 0)->flow.idx, 5);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_flow_bound(f.e, 0, 1, fix_conn(7), 0); // answered just before the fence
	ck_assert_uint_eq(f.closed.idx, 7);
	lease_flow_closed(f.e, 0, 9, fix_conn(5));
	lease_flow_expired(f.e, 0, 9, fix_conn(5));
	fix_fini(&f);
}
END_TEST

// It is gone, its pair is being given back, and it asks for a new token: what it is told holds.
START_TEST(renewed_while_the_binding_ends) {
	begin();
	lease_flow_closed(f.e, 0, 1, fix_conn(5));
	fix_advance(&f, 60 * SEC);
	ck_assert_int_eq(state(), LEASE_DEREG_PENDING);
	if (_i == 1) { // also between two tries
		lease_dereg_unknown(f.e, 0, 1);
		ck_assert_int_eq(state(), LEASE_UNKNOWN);
	}
	fix_renew(&f, 0, 1);
	ck_assert_int_eq(f.done.rc, 0);
	fix_advance(&f, 8 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1 + _i);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_OFFERED);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_OFFERED);
	fix_register(&f, 0, 1, 6);
	lease_flow_closed(f.e, 0, 1, fix_conn(6));
	fix_advance(&f, 61 * SEC); // the next end is one again
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	fix_fini(&f);
}
END_TEST

// The client asked to leave, was told that the core does not answer, and went away.
START_TEST(flow_ends_with_what_it_is_bound_to) {
	begin();
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_unknown(f.e, 0, 1);
	fix_advance(&f, 10 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	ck_assert_uint_eq(f.n_close, 0);
	lease_dereg_done(f.e, 0, 1, _i == 0);
	ck_assert_int_eq(state(), _i == 0 ? LEASE_OFFERED : LEASE_QUARANTINE);
	ck_assert_uint_eq(f.n_close, 1);
	ck_assert_uint_eq(f.closed.idx, 5);
	ck_assert_uint_eq(f.close_code, 1008);
	fix_fini(&f);
}
END_TEST

// The same, and a REGISTER that was lost may still arrive: the core is asked once more, the lease is over.
START_TEST(flow_ends_before_the_core_is_asked_again) {
	begin();
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	lease_register_failed(f.e, 0, 1, true);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_unknown(f.e, 0, 1);
	fix_advance(&f, 10 * SEC);
	ck_assert_uint_eq(f.n_close, 0);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_UNKNOWN);
	ck_assert_uint_eq(f.n_close, 1);
	ck_assert_uint_eq(f.closed.idx, 5);
	ck_assert_uint_eq(f.close_code, 1008);
	fix_fini(&f);
}
END_TEST

// Alone on a store whose answer was lost: what it says then is not of another gateway.
START_TEST(who_left_alone_has_left) {
	begin();
	lease_flow_closed(f.e, 0, 1, fix_conn(5));
	fix_advance(&f, 61 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	store_mem_fail_late(f.store, 1, -5);
	ck_assert_int_eq(lease_set_suspect(f.e, 0, LEASE_SUSPECT_OPERATOR), 0);
	fix_advance(&f, 2 * RG_NS_PER_MS);
	lease_dereg_done(f.e, 0, 1, false);
	fix_advance(&f, 3 * SEC);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
	fix_advance(&f, 20 * SEC);
	ck_assert_int_eq(state(), LEASE_FREE);
	fix_fini(&f);
}
END_TEST

// What the worker promised on the same flow since then, the engine is not told; only when that is over.
START_TEST(flow_with_a_later_promise) {
	begin();
	fix_advance(&f, 301 * SEC);
	if (_i == 1)
		lease_flow_expired(f.e, 0, 1, fix_conn(5));
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_done(f.e, 0, 1, true);
	ck_assert_int_eq(state(), LEASE_OFFERED);
	ck_assert_uint_eq(f.n_close, _i == 0);
	fix_fini(&f);
}
END_TEST

START_TEST(revocation_of_a_registered_lease) {
	begin();
	fix_renew(&f, 0, 1);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 0);
	ck_assert_uint_eq(f.n_close, 1);
	ck_assert_uint_eq(f.close_code, 1008);
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, 0), RG_E_STALE);
	fix_renew(&f, 0, 1);
	ck_assert_int_eq(f.done.rc, RG_E_STALE);
	ck_assert_uint_eq(f.n_deregister, 1);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	fix_advance(&f, 5 * SEC);
	ck_assert_int_eq(state(), LEASE_FREE);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), RG_E_STALE);
	fix_fini(&f);
}
END_TEST

START_TEST(revocation_of_an_unused_lease) {
	uint64_t reassign_ns;

	fix_init(&f, 1);
	fix_grant(&f, "a");
	reassign_ns = fix_lease(&f, 0)->reassign_ns;
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	ck_assert_uint_eq(fix_lease(&f, 0)->reassign_ns, reassign_ns);
	fix_advance(&f, SEC);
	fix_restart(&f, 0); // durable
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	fix_fini(&f);
}
END_TEST

START_TEST(revocation_while_a_token_is_stored) {
	struct lease_ask ask;

	fix_init(&f, 1);
	ask = fix_ask(&f, "a");
	store_mem_set_delay(f.store, SEC);
	lease_grant(f.e, &ask);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	fix_advance(&f, 2 * SEC);
	ck_assert_int_eq(f.done.rc, RG_E_STALE);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 0);
	fix_advance(&f, SEC);
	fix_restart(&f, 0);
	ck_assert_int_eq(state(), LEASE_QUARANTINE);
	fix_fini(&f);
}
END_TEST

START_TEST(revocation_while_the_core_is_asked) {
	const struct lease_binding b = {.contact = RG_LIT("c")};

	fix_init(&f, 1);
	fix_grant(&f, "a");
	ck_assert_int_eq(lease_register_begin(f.e, 0, 1, env_now_ns(f.env) + SEC), 0);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(f.n_deregister, 0); // one request at a time
	ck_assert_int_eq(lease_register_done(f.e, 0, 1, &b, fix_conn(1), 0), RG_E_STALE);
	fix_advance(&f, SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	ck_assert_uint_eq(fix_lease(&f, 0)->binding.contact.len, 1); // for the request
	fix_fini(&f);
}
END_TEST

static int64_t ended_ms;

static void on_history(void *, int rc, const struct store_past *past, size_t n) {
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(n, 1);
	ended_ms = past->ended_ms;
}

enum end { REVOKED, RELEASED, NOT_USED, OVER };

static void end(enum end how) {
	if (how != NOT_USED)
		fix_register(&f, 0, 1, 5);
	if (how == RELEASED) {
		ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
		lease_dereg_done(f.e, 0, 1, false);
	} else if (how == OVER) {
		fix_advance(&f, FIX_LIFE - 100 * SEC);
	} else {
		ck_assert_int_eq(lease_revoke(f.e, 0, 1), 0);
	}
}

// The record says when the last token ceased to be good, not when the pair was seen to be free.
START_TEST(the_end_is_on_record) {
	int64_t begin_ms;

	fix_init(&f, 1);
	begin_ms = env_wall_ms(f.env);
	fix_grant(&f, "a");
	fix_advance(&f, 100 * SEC);
	end((enum end)_i);
	fix_advance(&f, 10 * SEC);
	lease_dereg_done(f.e, 0, 1, false);
	fix_advance(&f, SEC);
	ck_assert_int_eq(store_history(f.store, "p0@x", on_history, NULL), 0);
	fix_advance(&f, SEC);
	begin_ms += _i == OVER ? (int64_t)(FIX_LIFE / RG_NS_PER_MS) : 100 * 1000;
	ck_assert_int_ge(ended_ms, begin_ms);
	ck_assert_int_le(ended_ms, begin_ms + 10);
	fix_fini(&f);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_flow");
	TCase *tc = tcase_create("flow");

	tcase_add_test(tc, second_flow_replaces_the_first);
	tcase_add_test(tc, lost_flow_gets_its_grace);
	tcase_add_test(tc, reconnect_within_the_grace);
	tcase_add_test(tc, client_lets_its_promise_end);
	tcase_add_test(tc, grace_outlasts_a_refresh);
	tcase_add_test(tc, flow_of_a_lease_that_is_gone);
	tcase_add_loop_test(tc, renewed_while_the_binding_ends, 0, 2);
	tcase_add_test(tc, flow_ends_before_the_core_is_asked_again);
	tcase_add_loop_test(tc, flow_ends_with_what_it_is_bound_to, 0, 2);
	tcase_add_test(tc, who_left_alone_has_left);
	tcase_add_loop_test(tc, flow_with_a_later_promise, 0, 2);
	tcase_add_test(tc, revocation_of_a_registered_lease);
	tcase_add_test(tc, revocation_of_an_unused_lease);
	tcase_add_test(tc, revocation_while_a_token_is_stored);
	tcase_add_test(tc, revocation_while_the_core_is_asked);
	tcase_add_loop_test(tc, the_end_is_on_record, 0, OVER + 1);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
