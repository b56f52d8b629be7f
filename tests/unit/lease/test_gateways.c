// SPDX-License-Identifier: BSD-3-Clause
// Two gateways on one store: who gives out what, where a lease lives, and what is taken over.
#include <errno.h>

#include "lease_fixture.h"
#include "regate/err.h"

static struct fix a, b;

struct waiter {
	struct lease_wait w;
	unsigned n;
	int rc;
};

static void on_wait(struct lease_wait *w, int rc) {
	struct waiter *x = (struct waiter *)w;

	x->n++;
	x->rc = rc;
}

static void setup(void) {
	fix_init_two(&a, &b, 3);
}

static void teardown(void) {
	fix_fini(&b);
	fix_fini(&a);
}

static void advance(uint64_t ns) {
	fix_advance(&a, ns);
	ck_assert_msg(lease_engine_check(b.e) == NULL, "%s", lease_engine_check(b.e));
}

// The lease that a gave out, as both know it after a moment.
static uint32_t granted(void) {
	fix_grant(&a, "u");
	ck_assert_int_eq(a.done.rc, 0);
	advance(5 * RG_NS_PER_MS);
	return a.done.idx;
}

static void grant_without_waiting(struct fix *f) {
	struct lease_ask ask = fix_ask(f, "u");

	lease_grant(f->e, &ask);
}

static uint64_t n_broken(void) {
	struct lease_counters x, y;

	lease_get_counters(a.e, &x);
	lease_get_counters(b.e, &y);
	return x.n_broken + y.n_broken;
}

START_TEST(a_grant_is_seen_by_all) {
	uint32_t i = granted();
	const struct lease *l = fix_lease(&b, i);

	ck_assert_int_eq(l->state, LEASE_OFFERED);
	ck_assert_uint_eq(l->gen, 1);
	ck_assert_str_eq(l->sub, "u");
	ck_assert_str_eq(lease_gateway_name(b.e, l), "a");
	ck_assert_str_eq(lease_gateway_name(a.e, fix_lease(&a, i)), "a");
	ck_assert_int_eq(fix_seen(&b, &a.done.digest), RG_LEASE_OFFERED);
	ck_assert_uint_ge(l->reassign_ns, fix_lease(&a, i)->reassign_ns);
	advance(FIX_LIFE);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_QUARANTINE); // by time, without a word
	advance(FIX_GUARD + SEC);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_FREE);
}
END_TEST

// Both want the only pair: one gets it, the other one is told that there is none.
START_TEST(who_loses_takes_the_next_pair) {
	for (unsigned i = 0; i < 3; i++)
		grant_without_waiting(i % 2 == 0 ? &a : &b);
	advance(50 * RG_NS_PER_MS);
	ck_assert_uint_eq(a.done.n, 2);
	ck_assert_uint_eq(b.done.n, 1);
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_int_eq(b.done.rc, 0);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_OFFERED);
		ck_assert_str_eq(lease_gateway_name(a.e, fix_lease(&a, i)),
				 lease_gateway_name(b.e, fix_lease(&b, i)));
	}
	ck_assert_uint_eq(n_broken(), 0);
}
END_TEST

// b's watch is late: it finds pairs free that are not. The store decides.
static int sign(void *, struct rg_wr *token) {
	rg_puts(token, "signed");
	return 0;
}

// Grants of one turn are signed together; the one that loses its pair goes on alone.
START_TEST(grants_of_one_turn_part) {
	fix_fini(&b);
	fix_fini(&a);
	fix_init_two(&a, &b, 8);
	for (unsigned i = 0; i < 8; i++) {
		struct fix *f = i % 2 == 0 ? &a : &b;
		struct lease_ask ask = fix_ask(f, "u");

		ask.sign = sign;
		lease_grant(f->e, &ask);
	}
	advance(100 * RG_NS_PER_MS);
	ck_assert_uint_eq(a.done.n, 4);
	ck_assert_uint_eq(b.done.n, 4);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_OFFERED);
		ck_assert_uint_eq(fix_lease(&a, i)->gen, 1);
		ck_assert_uint_eq(fix_lease(&a, i)->tokens[1].end_ns, 0);
		ck_assert_str_eq(lease_gateway_name(a.e, fix_lease(&a, i)),
				 lease_gateway_name(b.e, fix_lease(&b, i)));
	}
	ck_assert_uint_eq(n_broken(), 0);
}
END_TEST

START_TEST(late_watch_gives_nothing_twice) {
	store_mem_set_watch_delay(b.store, SEC);
	for (unsigned i = 0; i < 3; i++)
		grant_without_waiting(&a);
	advance(10 * RG_NS_PER_MS);
	grant_without_waiting(&b);
	advance(50 * RG_NS_PER_MS);
	ck_assert_uint_eq(b.done.n, 1);
	ck_assert_int_eq(b.done.rc, RG_E_EXHAUSTED);
	advance(2 * SEC);
	ck_assert_uint_eq(n_broken(), 0);
}
END_TEST

static int begin(struct fix *f, uint32_t i, struct waiter *w) {
	int rc = lease_register_begin(f->e, i, fix_lease(f, i)->gen,
				      lease_token_end_ns(fix_lease(f, i)));

	*w = (struct waiter){.w.done = on_wait};
	return rc == RG_MORE ? lease_await(f->e, i, &w->w) : rc;
}

static void confirm(struct fix *f, uint32_t i, uint32_t conn) {
	uint64_t end_ns = lease_token_end_ns(fix_lease(f, i));
	const struct lease_binding k = {.contact = RG_LIT("<sip:a@b.invalid>"),
					.call_id = RG_LIT("call"),
					.core_low_ns = end_ns,
					.core_high_ns = end_ns + 360 * SEC};

	ck_assert_int_eq(lease_register_done(f->e, i, fix_lease(f, i)->gen, &k, fix_conn(conn),
					     env_now_ns(f->env) + 300 * SEC),
			 0);
}

START_TEST(a_lease_moves_to_its_client) {
	uint32_t i = granted();
	struct waiter w;

	fix_register(&a, i, 1, 7); // it is a's own: at once
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), RG_LEASE_ACTIVE);
	ck_assert_int_eq(begin(&b, i, &w), RG_MORE);
	ck_assert_uint_eq(w.n, 0);
	advance(5 * RG_NS_PER_MS);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_int_eq(w.rc, 0);
	confirm(&b, i, 9);
	ck_assert_uint_eq(a.n_close, 1); // INV-10
	ck_assert_uint_eq(a.closed.idx, 7);
	ck_assert_uint_eq(a.close_code, 1008);
	ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_OFFERED);
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), RG_LEASE_OFFERED);
	ck_assert_str_eq(lease_gateway_name(a.e, fix_lease(&a, i)), "b");
	ck_assert(fix_lease(&a, i)->is_moved);
	ck_assert_uint_eq(a.n_deregister, 0); // it is b's binding, perhaps
	advance(FIX_LIFE);
	ck_assert_uint_eq(a.n_deregister, 0);
	ck_assert_uint_eq(b.n_deregister, 1);
	lease_dereg_done(b.e, i, 1, false);
	advance(10 * SEC);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_QUARANTINE); // no early end once moved
}
END_TEST

START_TEST(a_move_needs_the_store) {
	uint32_t i = granted();
	struct waiter w;

	store_mem_cut(b.store, true);
	ck_assert_int_eq(begin(&b, i, &w), RG_MORE);
	advance(5 * RG_NS_PER_MS);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_int_eq(w.rc, -ETIMEDOUT);
	lease_register_failed(b.e, i, 1, false);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_OFFERED);
	ck_assert_str_eq(lease_gateway_name(b.e, fix_lease(&b, i)), "a");
	fix_register(&a, i, 1, 7); // what lives goes on (I8)
	store_mem_cut(b.store, false);
	advance(10 * SEC);
	ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_ACTIVE);
	ck_assert_str_eq(lease_gateway_name(a.e, fix_lease(&a, i)), "a");
	ck_assert_uint_eq(a.n_close, 0);
	ck_assert_int_eq(begin(&b, i, &w), RG_MORE);
	advance(10 * RG_NS_PER_MS);
	ck_assert_int_eq(w.rc, 0);
	lease_register_failed(b.e, i, 1, false);
}
END_TEST

// Both move it at once: one after the other, and the first one has lost it then.
START_TEST(two_moves) {
	uint32_t i = granted();
	struct waiter w;

	ck_assert_int_eq(begin(&b, i, &w), RG_MORE);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(w.rc, 0);
	ck_assert_int_eq(begin(&a, i, &w), RG_MORE);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(w.rc, 0);
	confirm(&a, i, 3);
	ck_assert_int_eq(lease_register_done(b.e, i, 1,
					     &(struct lease_binding){.contact = RG_LIT("<sip:x>")},
					     fix_conn(4), 0),
			 -EAGAIN);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_OFFERED);
	ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_ACTIVE);
	advance(SEC);
}
END_TEST

START_TEST(revoked_elsewhere) {
	uint32_t i = granted();
	struct waiter w = {.w.done = on_wait};

	fix_register(&a, i, 1, 7);
	ck_assert_int_eq(lease_revoke(b.e, i, 1), 0);
	ck_assert_int_eq(lease_await(b.e, i, &w.w), RG_MORE);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(w.rc, 0);
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), -1);
	ck_assert_uint_eq(a.n_close, 1);
	ck_assert_uint_eq(a.n_deregister, 1); // by whom it was registered
	ck_assert_uint_eq(b.n_deregister, 0);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_QUARANTINE);
	ck_assert_uint_ge(fix_lease(&b, i)->reassign_ns, env_now_ns(b.env) + FIX_LIFE);
	lease_dereg_done(a.e, i, 1, false); // the evidence
	advance(5 * RG_NS_PER_MS);
	ck_assert_uint_le(fix_lease(&b, i)->reassign_ns, env_now_ns(b.env) + 5 * SEC);
	advance(6 * SEC);
	ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_FREE);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_FREE);
}
END_TEST

START_TEST(revocation_wins_over_a_renewal) {
	uint32_t i = granted();
	struct lease_ask ask = fix_ask(&a, "u");

	store_mem_set_watch_delay(a.store, SEC);
	store_mem_set_watch_delay(b.store, SEC);
	lease_renew(a.e, i, 1, &ask);
	advance(3 * RG_NS_PER_MS); // b does not know yet
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_int_eq(lease_revoke(b.e, i, 1), 0);
	advance(3 * SEC);
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), -1);
	ck_assert_int_eq(fix_seen(&b, &a.done.digest), -1);
	ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_QUARANTINE);
	ck_assert_uint_ge(fix_lease(&b, i)->reassign_ns + 5 * SEC, fix_lease(&a, i)->reassign_ns);
}
END_TEST

START_TEST(a_revocation_after_a_renewal_elsewhere) {
	uint32_t i = granted();

	advance(FIX_LIFE / 2);
	store_mem_set_delay(a.store, SEC);
	ck_assert_int_eq(lease_revoke(a.e, i, 1), 0);
	fix_renew(&b, i, 1);
	advance(FIX_LIFE + FIX_GUARD - 10 * SEC); // it is no evidence
	ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_QUARANTINE);
}
END_TEST

START_TEST(a_renewal_outlives_a_partition) {
	uint32_t i = granted();

	fix_register(&a, i, 1, 7);
	store_mem_cut(a.store, true);
	advance(FIX_LIFE / 2);
	fix_renew(&b, i, 1);
	advance(FIX_LIFE / 2 + SEC); // a cannot know, and ends it by time
	lease_dereg_done(a.e, i, 1, false);
	store_mem_cut(a.store, false);
	advance(20 * SEC);
	ck_assert_int_eq(fix_seen(&a, &b.done.digest), RG_LEASE_OFFERED);
}
END_TEST

START_TEST(renewed_elsewhere) {
	uint32_t i = granted();
	struct rg_digest first = a.done.digest;

	advance(FIX_LIFE / 2);
	fix_renew(&b, i, 1);
	ck_assert_int_eq(b.done.rc, 0);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(fix_seen(&a, &b.done.digest), RG_LEASE_OFFERED);
	ck_assert_int_eq(fix_seen(&a, &first), RG_LEASE_OFFERED);
	ck_assert_uint_ge(fix_lease(&a, i)->reassign_ns + 5 * RG_NS_PER_MS,
			  fix_lease(&b, i)->reassign_ns);
	advance(FIX_LIFE - SEC);
	ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_OFFERED);
}
END_TEST

// Both renew at the same time: the second one comes after the first.
START_TEST(two_renewals) {
	uint32_t i = granted();
	struct lease_ask x = fix_ask(&a, "u"), y = fix_ask(&b, "u");

	lease_renew(a.e, i, 1, &x);
	lease_renew(b.e, i, 1, &y);
	advance(20 * RG_NS_PER_MS);
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_int_eq(b.done.rc, 0);
	ck_assert_int_eq(fix_seen(&a, &b.done.digest), fix_seen(&b, &b.done.digest));
	ck_assert_int_eq(fix_seen(&a, &b.done.digest), RG_LEASE_OFFERED);
}
END_TEST

// a's client went to b while a could not know. a's grace ends: it must not end b's binding.
START_TEST(grace_asks_the_record_first) {
	uint32_t i = granted();
	struct waiter w;

	fix_register(&a, i, 1, 7);
	store_mem_cut(a.store, true);
	lease_flow_closed(a.e, i, 1, fix_conn(7));
	ck_assert_int_eq(begin(&b, i, &w), RG_MORE);
	advance(5 * RG_NS_PER_MS);
	confirm(&b, i, 9);
	advance(100 * SEC);
	ck_assert_uint_eq(a.n_deregister, 0);
	store_mem_cut(a.store, false);
	advance(20 * SEC);
	ck_assert_uint_eq(a.n_deregister, 0);
	ck_assert_int_eq(fix_lease(&a, i)->state, LEASE_OFFERED);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_ACTIVE);
}
END_TEST

START_TEST(a_partition_heals) {
	uint32_t i = granted();

	store_mem_cut(b.store, true);
	advance(FIX_LIFE + FIX_GUARD + SEC);
	for (unsigned k = 0; k < 3; k++)
		fix_grant(&a, "v");
	ck_assert_int_eq(a.done.rc, 0);
	grant_without_waiting(&b);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_ne(b.done.rc, 0);
	grant_without_waiting(&b); // spends no pair
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(b.done.rc, -EAGAIN);
	store_mem_cut(b.store, false);
	advance(30 * SEC);
	for (unsigned k = 0; k < 3; k++) {
		ck_assert_int_eq(fix_lease(&b, k)->state, LEASE_OFFERED);
		ck_assert_uint_eq(fix_lease(&b, k)->gen, fix_lease(&a, k)->gen);
		ck_assert_str_eq(fix_lease(&b, k)->sub, "v");
	}
	ck_assert_uint_eq(fix_lease(&a, i)->gen, 2);
	ck_assert_uint_eq(n_broken(), 0);
}
END_TEST

START_TEST(a_restart_knows_where_it_was) {
	uint32_t i = granted();

	fix_restart(&b, 0);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_OFFERED);
	ck_assert_str_eq(lease_gateway_name(b.e, fix_lease(&b, i)), "a");
	ck_assert_int_eq(fix_seen(&b, &a.done.digest), RG_LEASE_OFFERED);
}
END_TEST

START_TEST(suspect_everywhere) {
	uint32_t i = granted();
	struct lease_pool_stats st;

	ck_assert_int_eq(lease_set_suspect(b.e, i, LEASE_SUSPECT_FORBIDDEN), 0);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(fix_lease(&a, i)->suspect, LEASE_SUSPECT_FORBIDDEN);
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), RG_LEASE_OFFERED); // ends as usual
	advance(FIX_LIFE + FIX_GUARD + SEC);
	for (unsigned k = 0; k < 2; k++) {
		fix_grant(&a, "v");
		ck_assert_int_eq(a.done.rc, 0);
		ck_assert_uint_ne(a.done.idx, i);
	}
	fix_grant(&a, "v");
	ck_assert_int_eq(a.done.rc, RG_E_EXHAUSTED);
	lease_get_pool_stats(a.e, 0, &st);
	ck_assert_uint_eq(st.n_disabled, 1);
	ck_assert_uint_eq(st.n_suspect, 1);
	ck_assert_uint_eq(st.n_free, 0);
	ck_assert_int_eq(lease_set_suspect(a.e, i, LEASE_SUSPECT_NONE), 0);
	advance(5 * RG_NS_PER_MS);
	fix_restart(&b, 0);
	fix_grant(&b, "w");
	ck_assert_int_eq(b.done.rc, 0);
	ck_assert_uint_eq(b.done.idx, i);
	ck_assert_int_eq(lease_set_suspect(a.e, 99, LEASE_SUSPECT_NONE), RG_E_STALE);
}
END_TEST

// What is under way does not know of the revocation yet: the record after it does.
START_TEST(a_wait_is_for_all_that_is_known) {
	uint32_t i = granted();
	struct lease_ask ask = fix_ask(&a, "u");
	struct waiter w = {.w.done = on_wait};

	store_mem_set_delay(a.store, SEC);
	lease_renew(a.e, i, 1, &ask);
	ck_assert_int_eq(lease_revoke(a.e, i, 1), 0);
	ck_assert_int_eq(lease_await(a.e, i, &w.w), RG_MORE);
	advance(SEC + SEC / 2);
	ck_assert_int_ne(a.done.rc, 0);
	ck_assert_uint_eq(w.n, 0);
	advance(SEC);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_int_eq(w.rc, 0);
	ck_assert_int_eq(lease_await(a.e, i, &w.w), 0);
}
END_TEST

START_TEST(a_wait_may_be_given_up) {
	uint32_t i = granted();
	struct waiter w = {.w.done = on_wait}, x = {.w.done = on_wait};

	ck_assert_int_eq(lease_revoke(a.e, i, 1), 0);
	ck_assert_int_eq(lease_await(a.e, i, &w.w), RG_MORE);
	ck_assert_int_eq(lease_await(a.e, i, &x.w), RG_MORE);
	lease_await_cancel(a.e, i, &w.w);
	lease_await_cancel(a.e, i, &w.w);
	advance(SEC);
	ck_assert_uint_eq(w.n, 0);
	ck_assert_uint_eq(x.n, 1);
	ck_assert_int_eq(lease_revoke(a.e, i, 1), RG_E_STALE);
}
END_TEST

// b wrote something else of the pair: a's grant of it has not happened.
START_TEST(a_lost_grant_leaves_no_trace) {
	fix_fini(&b);
	fix_fini(&a);
	fix_init_two(&a, &b, 1);
	store_mem_set_watch_delay(a.store, SEC);
	ck_assert_int_eq(lease_set_suspect(b.e, 0, LEASE_SUSPECT_OPERATOR), 0);
	advance(5 * RG_NS_PER_MS);
	grant_without_waiting(&a);
	advance(2 * SEC);
	ck_assert_int_eq(a.done.rc, RG_E_EXHAUSTED);
	ck_assert_uint_eq(fix_lease(&a, 0)->gen, 0);
	ck_assert_uint_eq(fix_lease(&b, 0)->gen, 0);
	ck_assert_int_eq(fix_lease(&a, 0)->suspect, LEASE_SUSPECT_OPERATOR);
}
END_TEST

static void on_drain(void *arg, int rc, uint64_t) {
	*(int *)arg = rc;
}

START_TEST(a_draining_pool) {
	struct lease_pool_stats st;
	int rc = 1;

	ck_assert_int_eq(lease_pool_drain(a.e, 0, true, on_drain, &rc), 0);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(rc, 0);
	fix_grant(&b, "u");
	ck_assert_int_eq(b.done.rc, RG_E_EXHAUSTED);
	fix_restart(&b, 0);
	lease_get_pool_stats(b.e, 0, &st);
	ck_assert(st.is_draining);
	ck_assert_uint_eq(st.n_free, 3);
	ck_assert_int_eq(lease_pool_drain(b.e, 0, false, NULL, NULL), 0);
	advance(5 * RG_NS_PER_MS);
	fix_grant(&a, "u");
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_int_eq(lease_pool_drain(b.e, 9, false, NULL, NULL), RG_E_STALE);
}
END_TEST

// A record that claims a pair which lives here: said aloud, and ours is fenced.
START_TEST(a_broken_promise) {
	uint32_t i = granted();
	struct store_lease row = {.impi = fix_lease(&a, i)->impi,
				  .impu = fix_lease(&a, i)->impu,
				  .pool = "p1",
				  .sub = "other",
				  .gateway = "c",
				  .gen = 7,
				  .rev = 1,
				  .state = LEASE_OFFERED,
				  .reassign_ms = env_wall_ms(a.env) + 100000};

	fix_register(&a, i, 1, 7);
	row.tokens[0].end_ms = env_wall_ms(a.env) + 50000;
	ck_assert_int_eq(store_commit(b.store, &row, NULL, NULL), 0);
	advance(5 * RG_NS_PER_MS);
	ck_assert_uint_eq(n_broken(), 1);
	ck_assert_uint_eq(a.n_close, 1);
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), -1);
	ck_assert_uint_eq(fix_lease(&a, i)->gen, 7);
	ck_assert_str_eq(fix_lease(&a, i)->sub, "other");
	ck_assert_str_eq(lease_gateway_name(a.e, fix_lease(&a, i)), "c");
}
END_TEST

// The answer to a grant is late; meanwhile the other gateway has seen it and renewed it.
START_TEST(news_before_the_answer) {
	struct lease_ask ask = fix_ask(&b, "u");
	uint32_t i = 0;

	store_mem_set_answer_delay(a.store, SEC);
	grant_without_waiting(&a);
	advance(10 * RG_NS_PER_MS);
	ck_assert_uint_eq(a.done.n, 0);
	while (fix_lease(&b, i)->state != LEASE_OFFERED)
		i++;
	lease_renew(b.e, i, 1, &ask);
	advance(10 * RG_NS_PER_MS);
	ck_assert_int_eq(b.done.rc, 0);
	advance(2 * SEC);
	ck_assert_uint_eq(a.done.n, 1);
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), RG_LEASE_OFFERED);
	ck_assert_int_eq(fix_seen(&a, &b.done.digest), RG_LEASE_OFFERED);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_gateways");
	TCase *tc = tcase_create("gateways");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_grant_is_seen_by_all);
	tcase_add_test(tc, who_loses_takes_the_next_pair);
	tcase_add_test(tc, grants_of_one_turn_part);
	tcase_add_test(tc, late_watch_gives_nothing_twice);
	tcase_add_test(tc, a_lease_moves_to_its_client);
	tcase_add_test(tc, a_move_needs_the_store);
	tcase_add_test(tc, two_moves);
	tcase_add_test(tc, revoked_elsewhere);
	tcase_add_test(tc, revocation_wins_over_a_renewal);
	tcase_add_test(tc, a_revocation_after_a_renewal_elsewhere);
	tcase_add_test(tc, a_renewal_outlives_a_partition);
	tcase_add_test(tc, renewed_elsewhere);
	tcase_add_test(tc, two_renewals);
	tcase_add_test(tc, grace_asks_the_record_first);
	tcase_add_test(tc, a_partition_heals);
	tcase_add_test(tc, a_restart_knows_where_it_was);
	tcase_add_test(tc, suspect_everywhere);
	tcase_add_test(tc, a_wait_is_for_all_that_is_known);
	tcase_add_test(tc, a_wait_may_be_given_up);
	tcase_add_test(tc, a_lost_grant_leaves_no_trace);
	tcase_add_test(tc, a_draining_pool);
	tcase_add_test(tc, a_broken_promise);
	tcase_add_test(tc, news_before_the_answer);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
