// SPDX-License-Identifier: BSD-3-Clause
// A pair that is given back early, RELEASED (ims.md INV-4, INV-7, 6.4): by the core's word about this
// generation and nothing else, however often and however late that comes, and whatever crashes.
#include <errno.h>

#include "lease_fixture.h"
#include "regate/err.h"

#define T_SIP (69 * SEC)
#define GUARD (5 * SEC)

static struct fix f;
static uint64_t formula_ns; // the pair's end without any of this

static void setup(void) {
	fix_init(&f, 1);
	fix_grant(&f, "a");
	fix_register(&f, 0, 1, 5);
	formula_ns = fix_lease(&f, 0)->reassign_ns;
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
}

static void teardown(void) {
	fix_fini(&f);
}

static const struct lease *pair(void) {
	return fix_lease(&f, 0);
}

// Nobody gets it before, to the millisecond; then the next one does.
static void expect_free_at(uint64_t at_ns) {
	fix_advance(&f, at_ns - env_now_ns(f.env) - 5 * RG_NS_PER_MS);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 2);
}

static void expect_untouched(void) {
	const struct lease before = *pair();

	lease_dereg_done(f.e, 0, 1, false);
	lease_dereg_unknown(f.e, 0, 1);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), RG_E_STALE);
	ck_assert_int_eq(lease_revoke(f.e, 0, 1), RG_E_STALE);
	lease_register_failed(f.e, 0, 1, true);
	fix_advance(&f, 60 * SEC);
	ck_assert_int_eq(pair()->state, before.state);
	ck_assert_uint_eq(pair()->reassign_ns, before.reassign_ns);
	ck_assert_uint_eq(pair()->tokens[0].end_ns, before.tokens[0].end_ns);
	ck_assert_uint_eq(f.n_deregister, 0);
}

START_TEST(t24_dereg_200) {
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
	expect_free_at(env_now_ns(f.env) + GUARD);
}
END_TEST

// The 200 is lost; the next one is evidence, once the first request can have no effect any more. Without
// any, the formula holds.
START_TEST(t24_dereg_200_lost) {
	uint64_t lost_ns = env_now_ns(f.env);

	lease_dereg_unknown(f.e, 0, 1);
	ck_assert_int_eq(pair()->state, LEASE_UNKNOWN);
	ck_assert_uint_eq(pair()->reassign_ns, formula_ns);
	fix_advance(&f, 8 * SEC);
	ck_assert_uint_eq(f.n_deregister, 1);
	if (_i == 0) {
		lease_dereg_done(f.e, 0, 1, false);
		expect_free_at(lost_ns + T_SIP);
		return;
	}
	while (env_now_ns(f.env) < formula_ns - 10 * SEC) {
		lease_dereg_unknown(f.e, 0, 1);
		fix_advance(&f, 9 * SEC);
	}
	expect_free_at(formula_ns);
}
END_TEST

// The core says by itself that it is over, before it answers: evidence; the 200 is harmless then.
START_TEST(t24_notify_before_200) {
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(pair()->state, LEASE_QUARANTINE);
	fix_advance(&f, SEC);
	lease_dereg_done(f.e, 0, 1, false);
	ck_assert_int_eq(pair()->state, LEASE_QUARANTINE);
	expect_free_at(env_now_ns(f.env) + GUARD - SEC);
}
END_TEST

// Again and again: neither earlier nor later for it, and nothing once the pair has its next owner.
START_TEST(t24_duplicate) {
	uint64_t free_ns = env_now_ns(f.env) + GUARD;

	for (unsigned i = 0; i < 4; i++) {
		lease_dereg_done(f.e, 0, 1, false);
		ck_assert_uint_eq(pair()->reassign_ns, free_ns);
		fix_advance(&f, SEC);
	}
	expect_free_at(free_ns);
	expect_untouched();
}
END_TEST

// RELEASED for a generation that is not the pair's: the next owner keeps it, registered or not.
START_TEST(t24_stale_generation) {
	lease_dereg_done(f.e, 0, 9, false);
	ck_assert_int_eq(pair()->state, LEASE_DEREG_PENDING);
	lease_dereg_done(f.e, 0, 1, false);
	expect_free_at(env_now_ns(f.env) + GUARD);
	if (_i == 1)
		fix_register(&f, 0, 2, 6);
	expect_untouched();
	ck_assert_int_eq(pair()->state, _i == 1 ? LEASE_ACTIVE : LEASE_OFFERED);
}
END_TEST

// kill -9: before the core answered; when memory knew its answer, and the record did not; when it did.
START_TEST(t24_killed_between_steps) {
	if (_i > 0)
		lease_dereg_done(f.e, 0, 1, false);
	fix_restart(&f, _i == 2);
	ck_assert_uint_eq(pair()->gen, 1);
	if (_i == 2) {
		ck_assert_int_eq(fix_seen(&f, &f.done.digest), -1);
		expect_free_at(env_now_ns(f.env) + GUARD + 2 * RG_NS_PER_MS);
		return;
	}
	// Its client still has it, as far as the record says.
	ck_assert_int_ge(fix_seen(&f, &f.done.digest), 0);
	fix_advance(&f, T_SIP + SEC); // what was under way may arrive until then
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	ck_assert_uint_ge(pair()->reassign_ns, formula_ns);
	ck_assert_int_eq(lease_dereg_begin(f.e, 0, 1), 0);
	lease_dereg_done(f.e, 0, 1, false);
	expect_free_at(env_now_ns(f.env) + GUARD);
}
END_TEST

// A crash after the grant was durable, before anybody had the token: it is nobody's until it is over by
// itself.
START_TEST(holder_never_heard_of_it) {
	struct lease_ask ask;
	uint64_t end_ns;

	lease_dereg_done(f.e, 0, 1, false);
	fix_advance(&f, GUARD + SEC);
	ask = fix_ask(&f, "b");
	lease_grant(f.e, &ask);
	end_ns = env_now_ns(f.env) + FIX_LIFE + FIX_GUARD;
	fix_restart(&f, 1);
	ck_assert_int_eq(pair()->state, LEASE_OFFERED);
	ck_assert_uint_eq(pair()->gen, 2);
	fix_advance(&f, end_ns - env_now_ns(f.env) - 5 * RG_NS_PER_MS);
	fix_grant(&f, "c");
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	fix_grant(&f, "c");
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_uint_eq(f.done.gen, 3);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_released");
	TCase *tc = tcase_create("released");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, t24_dereg_200);
	tcase_add_loop_test(tc, t24_dereg_200_lost, 0, 2);
	tcase_add_test(tc, t24_notify_before_200);
	tcase_add_test(tc, t24_duplicate);
	tcase_add_loop_test(tc, t24_stale_generation, 0, 2);
	tcase_add_loop_test(tc, t24_killed_between_steps, 0, 3);
	tcase_add_test(tc, holder_never_heard_of_it);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
