// SPDX-License-Identifier: BSD-3-Clause
// Two gateways on one store, one of which is told late what the other one wrote.
#include <errno.h>

#include "lease_fixture.h"
#include "regate/err.h"

static struct fix a, b;

static void setup(void) {
	fix_init_two(&a, &b, 1); // one pair, which both want
}

static void teardown(void) {
	fix_fini(&b);
	fix_fini(&a);
}

static void advance(uint64_t ns) {
	fix_advance(&a, ns);
	ck_assert_msg(lease_engine_check(b.e) == NULL, "%s", lease_engine_check(b.e));
}

static void grant(struct fix *f, const char *sub) {
	struct lease_ask ask = fix_ask(f, sub);

	lease_grant(f->e, &ask);
	advance(20 * RG_NS_PER_MS);
	ck_assert_uint_eq(f->done.n, 1);
}

// The core may hold the binding for longer than the pair rests after its token: b, where the pair is free
// already, hears of it late, from a record whose tokens are over.
START_TEST(a_later_end_holds_what_is_free) {
	uint64_t end_ns;

	grant(&a, "u");
	ck_assert_int_eq(a.done.rc, 0);
	end_ns = lease_token_end_ns(fix_lease(&a, 0));
	fix_register(&a, 0, 1, 7);
	advance(end_ns - 10 * SEC - env_now_ns(a.env));
	store_mem_set_watch_delay(b.store, FIX_GUARD + 100 * SEC);
	lease_register_held(a.e, 0, 1, end_ns + 3000 * SEC);
	advance(FIX_GUARD + 80 * SEC);
	ck_assert_int_eq(fix_lease(&b, 0)->state, LEASE_FREE);
	advance(21 * SEC);
	ck_assert_int_eq(fix_lease(&b, 0)->state, LEASE_QUARANTINE);
	ck_assert_uint_ge(fix_lease(&b, 0)->reassign_ns, end_ns + 3000 * SEC);
	grant(&b, "v");
	ck_assert_int_eq(b.done.rc, RG_E_EXHAUSTED);
}
END_TEST

// b's record of a free pair is under way when a's grant of it is durable already: what b is asked for
// meanwhile is not given this pair.
START_TEST(a_record_under_way_may_be_beaten) {
	struct lease_ask ask = fix_ask(&b, "v");

	store_mem_set_watch_delay(b.store, SEC);
	grant(&a, "u");
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_int_eq(lease_set_suspect(b.e, 0, LEASE_SUSPECT_OPERATOR), 0);
	ck_assert_int_eq(lease_set_suspect(b.e, 0, LEASE_SUSPECT_NONE), 0);
	lease_grant(b.e, &ask);
	advance(2 * SEC);
	ck_assert_uint_eq(b.done.n, 1);
	ck_assert_int_eq(b.done.rc, RG_E_EXHAUSTED);
	for (unsigned i = 0; i < 2; i++) {
		const struct lease *l = fix_lease(i == 0 ? &a : &b, 0);

		ck_assert_int_eq(l->state, LEASE_OFFERED);
		ck_assert_uint_eq(l->gen, 1);
		ck_assert_str_eq(l->sub, "u");
		ck_assert_uint_eq(l->tokens[1].end_ns, 0);
	}
}
END_TEST

static unsigned n_waits;
static int suspect_rc;
static unsigned n_over; // records
static int wait_rc;

static void on_wait(struct lease_wait *, int rc) {
	n_waits++;
	wait_rc = rc;
}

static void start(struct fix *f) {
	struct lease_ask ask = fix_ask(f, "u");

	lease_grant(f->e, &ask);
}

START_TEST(one_pair_two_gateways) {
	fix_fini(&b);
	fix_fini(&a);
	fix_init_two(&a, &b, 1);
	start(&a);
	start(&b);
	advance(20 * RG_NS_PER_MS);
	ck_assert_uint_eq(a.done.n, 1);
	ck_assert_uint_eq(b.done.n, 1);
	ck_assert((a.done.rc == 0) != (b.done.rc == 0));
	ck_assert_int_eq(a.done.rc == 0 ? b.done.rc : a.done.rc, RG_E_EXHAUSTED);
	ck_assert_uint_eq(fix_lease(&a, 0)->gen, 1);
	ck_assert_uint_eq(fix_lease(&b, 0)->gen, 1);
}
END_TEST

// It names a generation that the other one has given out meanwhile: nothing has ended.
START_TEST(revocation_of_what_was_lost) {
	struct lease_wait w = {.done = on_wait};

	fix_fini(&b);
	fix_fini(&a);
	fix_init_two(&a, &b, 1);
	start(&a);
	start(&b);
	ck_assert_int_eq(lease_revoke(b.e, 0, 1), 0);
	ck_assert_int_eq(lease_await(b.e, 0, &w), RG_MORE);
	advance(20 * RG_NS_PER_MS);
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_int_eq(fix_lease(&a, 0)->state, LEASE_OFFERED);
	ck_assert_uint_eq(n_waits, 1);
	ck_assert_int_eq(wait_rc, RG_E_CONFLICT);
	ck_assert_int_eq(lease_revoke(b.e, 0, 1), 0);
	advance(20 * RG_NS_PER_MS);
	ck_assert_int_eq(fix_lease(&a, 0)->state, LEASE_QUARANTINE);
}
END_TEST

static void on_wait_suspect(struct lease_wait *w, int rc) {
	on_wait(w, rc);
	suspect_rc = lease_set_suspect(b.e, 0, LEASE_SUSPECT_OPERATOR);
}

static void on_record(void *, const struct store_lease *l) {
	n_over += l->state == LEASE_QUARANTINE;
}

// Who hears that goes on with the pair at once: as it is now, not as it was.
START_TEST(who_waited_goes_on_at_once) {
	struct lease_wait w = {.done = on_wait_suspect};

	store_mem_set_trace(a.store, on_record, NULL);
	start(&a);
	start(&b);
	ck_assert_int_eq(lease_revoke(b.e, 0, 1), 0);
	ck_assert_int_eq(lease_await(b.e, 0, &w), RG_MORE);
	advance(100 * RG_NS_PER_MS);
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_int_eq(wait_rc, RG_E_CONFLICT);
	ck_assert_int_eq(suspect_rc, 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct lease *l = fix_lease(i == 0 ? &a : &b, 0);

		ck_assert_int_eq(l->state, LEASE_OFFERED);
		ck_assert_int_eq(l->suspect, LEASE_SUSPECT_OPERATOR);
		ck_assert_str_eq(lease_gateway_name(i == 0 ? a.e : b.e, l), "a");
		ck_assert_int_eq(fix_seen(i == 0 ? &a : &b, &a.done.digest), RG_LEASE_OFFERED);
	}
	ck_assert_uint_eq(n_over, 0);
}
END_TEST

// Renewals at b fail one after the other; what a renews meanwhile is no token of theirs.
START_TEST(renewed_where_the_store_is_well) {
	grant(&a, "u");
	store_mem_fail(b.store, UINT32_MAX, -ENOSPC);
	for (unsigned i = 0; i < 8; i++) {
		fix_renew(&b, 0, 1);
		ck_assert_int_eq(b.done.rc, i < 4 ? -ENOSPC : -EAGAIN);
		advance(SEC);
	}
	fix_renew(&a, 0, 1);
	ck_assert_int_eq(a.done.rc, 0);
	advance(SEC);
	store_mem_fail(b.store, 0, 0);
	advance(20 * SEC);
	ck_assert_int_eq(fix_seen(&a, &a.done.digest), RG_LEASE_OFFERED);
	ck_assert_int_eq(fix_seen(&b, &a.done.digest), RG_LEASE_OFFERED);
	fix_renew(&b, 0, 1);
	ck_assert_int_eq(b.done.rc, 0);
}
END_TEST

// a's grant does not reach the store, and its next try is told what b wrote meanwhile.
START_TEST(suspect_under_a_grant_that_was_lost) {
	struct lease_ask ask = fix_ask(&a, "v");

	grant(&a, "u");
	advance(FIX_LIFE + FIX_GUARD - SEC);
	while (fix_lease(&a, 0)->state != LEASE_FREE)
		advance(RG_NS_PER_MS);
	store_mem_cut(a.store, true);
	lease_grant(a.e, &ask);
	ck_assert_int_eq(fix_lease(&b, 0)->state, LEASE_QUARANTINE); // of a's: so says its record
	ck_assert_int_eq(lease_set_suspect(b.e, 0, LEASE_SUSPECT_OPERATOR), 0);
	advance(SEC);
	ck_assert_int_eq(a.done.rc, -ETIMEDOUT);

	advance(SEC);
	store_mem_cut(a.store, false);
	advance(FIX_LIFE + FIX_GUARD + 20 * SEC);
	ck_assert_int_eq(fix_lease(&a, 0)->suspect, LEASE_SUSPECT_OPERATOR);
	ck_assert_int_eq(fix_lease(&b, 0)->suspect, LEASE_SUSPECT_OPERATOR);
	ck_assert_int_eq(fix_lease(&a, 0)->state, LEASE_FREE);
}
END_TEST

// For a the lease is over, and its next one does not reach the store: b's renewal did.
START_TEST(renewed_under_a_grant_that_was_lost) {
	uint64_t end_ns;

	fix_account(&a, "alice");
	ck_assert_int_eq(a.done.rc, 0);
	advance(SEC);
	end_ns = lease_token_end_ns(fix_lease(&a, a.done.idx));
	store_mem_set_watch_delay(a.store, SEC);
	advance(end_ns - SEC / 10 - env_now_ns(a.env));
	fix_account(&b, "alice");
	ck_assert_int_eq(b.done.rc, 0);
	ck_assert_uint_eq(b.done.gen, 1);
	advance(SEC / 5);
	ck_assert_int_eq(fix_lease(&a, a.done.idx)->state, LEASE_QUARANTINE);
	store_mem_fail(a.store, 1, -EIO);
	fix_account(&a, "alice");
	ck_assert_int_eq(a.done.rc, -EIO);
	advance(60 * SEC);
	for (unsigned i = 0; i < 2; i++) {
		struct fix *f = i == 0 ? &a : &b;

		ck_assert_int_eq(fix_seen(f, &b.done.digest), RG_LEASE_OFFERED);
		ck_assert_uint_eq(fix_lease(f, b.done.idx)->gen, 1);
	}
	fix_account(&a, "alice");
	ck_assert_int_eq(a.done.rc, 0);
	ck_assert_uint_eq(a.done.gen, 1);
}
END_TEST

// b opens the pool after a's drain was durable, and before a hears of that.
START_TEST(the_last_word_on_a_pool) {
	struct lease_pool_stats at_a, at_b;

	store_mem_set_answer_delay(a.store, 10 * SEC);
	ck_assert_int_eq(lease_pool_drain(a.e, 0, true, NULL, NULL), 0);
	advance(SEC);
	ck_assert_int_eq(lease_pool_drain(b.e, 0, false, NULL, NULL), 0);
	advance(20 * SEC);
	lease_get_pool_stats(a.e, 0, &at_a);
	lease_get_pool_stats(b.e, 0, &at_b);
	ck_assert(!at_a.is_draining && !at_b.is_draining);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_late_news");
	TCase *tc = tcase_create("late news");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_pair_two_gateways);
	tcase_add_test(tc, suspect_under_a_grant_that_was_lost);
	tcase_add_test(tc, renewed_under_a_grant_that_was_lost);
	tcase_add_test(tc, the_last_word_on_a_pool);
	tcase_add_test(tc, renewed_where_the_store_is_well);
	tcase_add_test(tc, revocation_of_what_was_lost);
	tcase_add_test(tc, who_waited_goes_on_at_once);
	tcase_add_test(tc, a_later_end_holds_what_is_free);
	tcase_add_test(tc, a_record_under_way_may_be_beaten);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
