// SPDX-License-Identifier: BSD-3-Clause
// Two gateways on one store: which of them may ask the core for what, and when.
#include <errno.h>

#include "lease/operator.h"
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
	fix_init_two(&a, &b, 1);
	fix_grant(&a, "u");
	ck_assert_int_eq(a.done.rc, 0);
	fix_advance(&a, 5 * RG_NS_PER_MS);
}

static void teardown(void) {
	fix_fini(&b);
	fix_fini(&a);
}

static void advance(uint64_t ns) {
	fix_advance(&a, ns);
	ck_assert_msg(lease_engine_check(b.e) == NULL, "%s", lease_engine_check(b.e));
}

static void begin_end(struct fix *f, struct waiter *w) {
	*w = (struct waiter){.w.done = on_wait};
	ck_assert_int_eq(lease_dereg_begin(f->e, 0, 1), RG_MORE);
	ck_assert_int_eq(lease_await(f->e, 0, &w->w), RG_MORE);
}

static void begin(struct fix *f, struct waiter *w) {
	*w = (struct waiter){.w.done = on_wait};
	ck_assert_int_eq(lease_register_begin(f->e, 0, 1, lease_token_end_ns(fix_lease(f, 0))),
			 RG_MORE);
	ck_assert_int_eq(lease_await(f->e, 0, &w->w), RG_MORE);
}

static void confirm(struct fix *f, uint32_t conn) {
	uint64_t end_ns = lease_token_end_ns(fix_lease(f, 0));
	const struct lease_binding k = {.contact = RG_LIT("<sip:b@b.invalid>"),
					.core_refresh_ns = end_ns,
					.core_low_ns = end_ns,
					.core_high_ns = end_ns + 360 * SEC};

	ck_assert_int_eq(lease_register_done(f->e, 0, 1, &k, fix_conn(conn),
					     env_now_ns(f->env) + 300 * SEC),
			 0);
}

// Its own lease, and one that another gateway registered last.
START_TEST(an_end_is_on_record_first) {
	struct fix *f = _i == 0 ? &a : &b;
	struct waiter w;

	fix_register(&a, 0, 1, 7);
	begin_end(f, &w);
	ck_assert_uint_eq(w.n, 0);
	ck_assert_int_eq(fix_seen(f, &a.done.digest), RG_LEASE_ENDING);
	advance(5 * RG_NS_PER_MS);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_int_eq(w.rc, 0);
	ck_assert_int_eq(lease_dereg_resume(f->e, 0, 1, 0), 0);
	ck_assert_str_eq(lease_gateway_name(a.e, fix_lease(&a, 0)), _i == 0 ? "a" : "b");
	ck_assert_int_eq(fix_lease(&a, 0)->is_moved, _i == 1);
	ck_assert_uint_eq(a.n_close, (unsigned)_i);
	lease_dereg_done(f->e, 0, 1, true);
	ck_assert_int_eq(fix_lease(f, 0)->state, LEASE_OFFERED);
	advance(SEC);
	ck_assert_uint_eq(a.n_deregister + b.n_deregister, 0);
}
END_TEST

START_TEST(an_end_needs_the_store) {
	struct fix *f = _i == 0 ? &a : &b;
	struct waiter w;

	fix_register(&a, 0, 1, 7);
	store_mem_cut(f->store, true);
	begin_end(f, &w);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(w.rc, -ETIMEDOUT);
	ck_assert_int_eq(lease_dereg_resume(f->e, 0, 1, w.rc), -ETIMEDOUT);
	ck_assert_int_eq(fix_lease(&a, 0)->state, LEASE_ACTIVE); // what lives goes on (I8)
	ck_assert_int_eq(fix_lease(&b, 0)->state, LEASE_OFFERED);
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), RG_LEASE_ACTIVE);
	store_mem_cut(f->store, false);
	advance(20 * SEC);
	ck_assert_int_eq(fix_lease(&a, 0)->state, LEASE_ACTIVE);
	ck_assert_str_eq(lease_gateway_name(b.e, fix_lease(&b, 0)), "a");
	ck_assert_uint_eq(a.n_deregister + b.n_deregister, 0);
	begin_end(f, &w);
	advance(10 * RG_NS_PER_MS);
	ck_assert_int_eq(lease_dereg_resume(f->e, 0, 1, w.rc), 0);
	lease_dereg_done(f->e, 0, 1, true);
}
END_TEST

// b has not heard that the pair is the next owner's.
START_TEST(an_end_of_an_old_generation) {
	struct waiter w;

	store_mem_cut(b.store, true);
	ck_assert_int_eq(lease_revoke(a.e, 0, 1), 0);
	ck_assert_int_eq(lease_release(a.e, 0), 0);
	advance(10 * SEC);
	fix_grant(&a, "v");
	ck_assert_uint_eq(a.done.gen, 2);
	store_mem_set_watch_delay(b.store, 60 * SEC);
	store_mem_cut(b.store, false);
	begin_end(&b, &w);
	advance(100 * RG_NS_PER_MS);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_int_eq(lease_dereg_resume(b.e, 0, 1, w.rc), RG_E_STALE);
	advance(100 * SEC);
	ck_assert_uint_eq(a.n_deregister + b.n_deregister, 0);
	ck_assert_uint_eq(fix_lease(&b, 0)->gen, 2);
}
END_TEST

// The client is at b already, and asked here before.
START_TEST(an_end_that_comes_too_late) {
	struct waiter w, x;

	fix_register(&a, 0, 1, 7);
	store_mem_set_watch_delay(a.store, SEC);
	begin(&b, &x);
	begin_end(&a, &w);
	advance(10 * RG_NS_PER_MS);
	ck_assert_int_eq(x.rc, 0);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_int_eq(lease_dereg_resume(a.e, 0, 1, w.rc), RG_E_CONFLICT);
	ck_assert_int_eq(fix_lease(&a, 0)->state, LEASE_OFFERED);
	confirm(&b, 9);
	advance(10 * SEC);
	ck_assert_int_eq(fix_lease(&b, 0)->state, LEASE_ACTIVE);
	ck_assert_str_eq(lease_gateway_name(b.e, fix_lease(&b, 0)), "b");
	ck_assert_uint_eq(a.n_deregister, 0);
}
END_TEST

// b was about to register it, and has asked the core for nothing.
START_TEST(revoked_before_a_move) {
	struct waiter w;

	ck_assert_int_eq(lease_revoke(a.e, 0, 1), 0);
	begin(&b, &w);
	advance(5 * RG_NS_PER_MS);
	ck_assert_uint_eq(w.n, 1);
	lease_register_failed(b.e, 0, 1, false);
	advance(100 * SEC);
	ck_assert_int_eq(fix_lease(&b, 0)->state, LEASE_QUARANTINE);
	ck_assert_uint_eq(a.n_deregister + b.n_deregister, 0);
}
END_TEST

// a saw its client leave and ended the binding; it hears late that the client had gone to b.
START_TEST(who_left_is_elsewhere) {
	struct waiter w;

	fix_register(&a, 0, 1, 7);
	lease_flow_closed(a.e, 0, 1, fix_conn(7));
	advance(61 * SEC);
	ck_assert_uint_eq(a.n_deregister, 1);
	store_mem_set_watch_delay(a.store, 5 * SEC);
	begin(&b, &w);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(w.rc, 0);
	confirm(&b, 9);
	lease_dereg_done(a.e, 0, 1, false);
	advance(20 * SEC);
	ck_assert_int_eq(fix_lease(&b, 0)->state, LEASE_ACTIVE);
	ck_assert_int_eq(fix_seen(&b, &a.done.digest), RG_LEASE_ACTIVE);
	ck_assert_uint_eq(b.n_close, 0);
	ck_assert_int_eq(fix_lease(&a, 0)->state, LEASE_OFFERED);
	ck_assert_str_eq(lease_gateway_name(a.e, fix_lease(&a, 0)), "b");
}
END_TEST

// What a grant that came to nothing leaves is what it found: not our name.
START_TEST(a_grant_that_comes_to_nothing) {
	struct lease_ask ask = fix_ask(&b, "alice");
	uint32_t i = 1; // her pair

	fix_account(&a, "alice");
	ck_assert_uint_eq(a.done.idx, i);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(lease_revoke(a.e, i, 1), 0);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(fix_lease(&b, i)->state, LEASE_QUARANTINE);
	b.issue_rc = RG_E_LIMIT;
	ask.is_account = true;
	lease_grant(b.e, &ask);
	advance(5 * RG_NS_PER_MS);
	ck_assert_int_eq(b.done.rc, RG_E_LIMIT);
	ck_assert_uint_eq(fix_lease(&b, i)->gen, 1);
	ck_assert_str_eq(lease_gateway_name(b.e, fix_lease(&b, i)), "a");
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_move");
	TCase *tc = tcase_create("move");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, an_end_is_on_record_first, 0, 2);
	tcase_add_loop_test(tc, an_end_needs_the_store, 0, 2);
	tcase_add_test(tc, an_end_of_an_old_generation);
	tcase_add_test(tc, an_end_that_comes_too_late);
	tcase_add_test(tc, revoked_before_a_move);
	tcase_add_test(tc, who_left_is_elsewhere);
	tcase_add_test(tc, a_grant_that_comes_to_nothing);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
