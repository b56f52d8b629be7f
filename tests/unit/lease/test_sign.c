// SPDX-License-Identifier: BSD-3-Clause
// Tokens that are signed on the crypto pool: what is stored and handed out is signed, and whatever
// becomes of the lease, the pool or the engine meanwhile, each request is answered once.
#include <errno.h>
#include <stdio.h>

#include "lease_fixture.h"
#include "regate/err.h"

#define MANY 100
#define POOL_JOBS 64 // that the simulated pool takes

static struct fix f;
static unsigned n_signed, n_answers, n_others;
static int sign_rc, first_rc, last_rc;

static int sign(void *arg, struct rg_wr *token) {
	(void)arg;
	n_signed++;
	rg_puts(token, "!signed");
	return sign_rc;
}

static int sign_too_much(void *, struct rg_wr *token) {
	for (unsigned i = 0; i <= LEASE_SIGNATURE_MAX; i++)
		rg_putc(token, 's');
	return 0;
}

static void answered(void *, int rc, const struct lease *l, struct rg_slice token) {
	first_rc = n_answers++ == 0 ? rc : first_rc;
	last_rc = rc;
	ck_assert(rc != 0 || (l != NULL && token.len > 7));
}

static void other_run(void *) {
}

static void other_done(void *) {
	n_others++;
}

static void setup(void) {
	fix_init(&f, MANY);
	n_signed = n_answers = n_others = 0;
	sign_rc = first_rc = last_rc = 0;
}

static void teardown(void) {
	fix_fini(&f);
}

static struct lease_ask ask_new(void) {
	struct lease_ask ask = fix_ask(&f, "anon");

	ask.sign = sign;
	return ask;
}

static void grant(unsigned n) {
	struct lease_ask ask = ask_new();

	ask.done = answered;
	for (unsigned i = 0; i < n; i++) {
		ask.arg = &f;
		lease_grant(f.e, &ask);
	}
	ck_assert_uint_eq(n_answers, 0);
}

START_TEST(whole_token_is_stored) {
	struct lease_ask ask = ask_new();

	lease_grant(f.e, &ask);
	ck_assert_uint_eq(n_signed, 0); // not within the call
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_str_eq(f.done.token, "sip:p0@x#1!signed");
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_OFFERED);
	fix_restart(&f, 0);
	ck_assert_int_eq(fix_seen(&f, &f.done.digest), RG_LEASE_OFFERED);
}
END_TEST

START_TEST(many_at_once) {
	grant(MANY);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_uint_eq(n_signed, MANY);
	ck_assert_uint_eq(n_answers, MANY);
	ck_assert_int_eq(first_rc, 0);
	ck_assert_int_eq(last_rc, 0);
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, MANY);
}
END_TEST

START_TEST(pool_is_full) {
	for (unsigned i = 0; i < POOL_JOBS; i++)
		ck_assert_int_eq(env_work(f.env, other_run, other_done, NULL), 0);
	grant(10);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	ck_assert_uint_eq(n_others, POOL_JOBS);
	ck_assert_uint_eq(n_answers, 10);
	ck_assert_int_eq(first_rc, 0);
}
END_TEST

// One that is signed here and several that are signed there.
START_TEST(signature_fails) {
	struct lease_pool_stats st;
	unsigned n = _i == 0 ? 1 : 5;

	sign_rc = RG_E_AUTH;
	grant(n);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_uint_eq(n_answers, n);
	ck_assert_int_eq(first_rc, RG_E_AUTH);
	ck_assert_int_eq(last_rc, RG_E_AUTH);
	lease_get_pool_stats(f.e, 0, &st);
	ck_assert_uint_eq(st.n_free, st.n_pairs); // nobody has seen their generations
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 0);
}
END_TEST

START_TEST(signature_too_long) {
	struct lease_ask ask = ask_new();

	ask.sign = sign_too_much;
	lease_grant(f.e, &ask);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(f.done.rc, RG_E_LIMIT);
}
END_TEST

START_TEST(lease_ends_meanwhile) {
	struct lease_ask ask = ask_new();
	struct store_stats before, after;

	fix_grant(&f, "anon");
	lease_renew(f.e, f.done.idx, f.done.gen, &ask);
	ck_assert_int_eq(lease_revoke(f.e, f.done.idx, f.done.gen), 0);
	store_get_stats(f.store, &before);
	fix_advance(&f, 10 * RG_NS_PER_MS);
	ck_assert_int_eq(f.done.rc, RG_E_STALE);
	store_get_stats(f.store, &after);
	ck_assert_uint_eq(after.commits - before.commits, 1); // its end, and no token
	ck_assert_uint_eq(lease_engine_table(f.e)->n_entries, 0);
}
END_TEST

// Before the pool has anything, and with work of it on the way back.
START_TEST(engine_goes_first) {
	grant(MANY);
	for (int i = 0; i < _i; i++)
		env_sim_turn(f.env);
	ck_assert_uint_eq(n_answers, 0);
	lease_engine_free(f.e);
	f.e = NULL;
	env_sim_turn(f.env);
	env_sim_turn(f.env);
	ck_assert_uint_eq(n_answers, MANY);
	ck_assert_int_eq(first_rc, -ECANCELED);
	ck_assert_int_eq(last_rc, -ECANCELED);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_sign");
	TCase *tc = tcase_create("sign");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, whole_token_is_stored);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, pool_is_full);
	tcase_add_loop_test(tc, signature_fails, 0, 2);
	tcase_add_test(tc, signature_too_long);
	tcase_add_test(tc, lease_ends_meanwhile);
	tcase_add_loop_test(tc, engine_goes_first, 0, 2);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
