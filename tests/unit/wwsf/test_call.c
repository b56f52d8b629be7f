// SPDX-License-Identifier: BSD-3-Clause
// Grants and renewals under way: answers that come late, after the client or the WWSF has gone, and
// a store or a password check that says no.
#include <check.h>
#include <errno.h>

#include "fixture.h"

static struct fx fx;

static void setup(void) {
	fx_init(&fx);
}

static void teardown(void) {
	fx_fini(&fx);
}

static void post(const char *body) {
	fx_send(&fx, "POST", "/v1/lease", DEMO JSON, body);
}

// The worker drops an answer for a connection that has gone; here it only must come, once, with
// the connection's id, long after the request's bytes are gone.
START_TEST(answers_late_and_once) {
	post(ANON);
	post(ALICE);
	ck_assert_uint_eq(fx.n_replies, 0); // nothing leaves before it is durable (INV-6)
	fx_run(&fx);
	ck_assert_uint_eq(fx.n_replies, 2);
	ck_assert_uint_eq(fx.reply.conn.idx, 3);
	ck_assert_uint_eq(fx.reply.conn.gen, 7);
	env_sim_advance(fx.env, 60 * RG_NS_PER_S);
	ck_assert_uint_eq(fx.n_replies, 2);
}
END_TEST

START_TEST(wwsf_goes_first) {
	(void)fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON);
	fx_send(&fx, "POST", "/v1/lease/refresh", fx_bearer(&fx, DEMO), NULL);
	post(ANON);
	post(ALICE);
	wwsf_free(fx.w);
	fx.w = NULL;
	fx_run(&fx);
	ck_assert_uint_eq(fx.n_replies, 1);
}
END_TEST

START_TEST(wwsf_goes_between_check_and_grant) {
	post(ALICE);
	while (env_sim_turn(fx.env) == 0)
		ck_assert_uint_eq(fx.n_replies, 0);
	wwsf_free(fx.w);
	fx.w = NULL;
	fx_run(&fx);
	ck_assert_uint_eq(fx.n_replies, 0);
}
END_TEST

// Completions in another order than the requests: each leaves the list from its own place.
START_TEST(many_at_once) {
	for (unsigned i = 0; i < 8; i++) {
		post(i % 2 == 0 ? ALICE : ANON);
		post("{\"account\":\"bob\",\"password\":\"x\"}");
	}
	env_sim_advance(fx.env, 20 * RG_NS_PER_MS); // one account's grants wait for each other
	ck_assert_uint_eq(fx.n_replies, 16);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->leases, 4 + OPEN_PAIRS);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->refused, 8 + 4 - OPEN_PAIRS);
}
END_TEST

START_TEST(store_fails) {
	struct lease_pool_stats stats;

	store_mem_fail(fx.store, 1, -EIO);
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON), 503);
	ck_assert_str_eq(fx_str(&fx, "error"), "unavailable");
	ck_assert_str_eq(fx_header(&fx, "Retry-After"), "5");
	ck_assert_ptr_null(strstr(fx.text, "token\":"));
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON), 503); // spends no pair
	lease_get_pool_stats(fx.leases, POOL_OPEN, &stats);
	ck_assert_uint_eq(stats.n_free, OPEN_PAIRS - 1);
	env_sim_advance(fx.env, 5 * RG_NS_PER_S);
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON), 201);
}
END_TEST

START_TEST(store_fails_at_refresh) {
	const char *bearer;

	(void)fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON);
	bearer = fx_bearer(&fx, DEMO);
	store_mem_fail(fx.store, 1, -EIO);
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease/refresh", bearer, NULL), 503);
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease/refresh", bearer, NULL), 200);
}
END_TEST

// The lease ends while its renewal is being made durable.
START_TEST(ends_during_refresh) {
	const struct lease *l;

	(void)fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON);
	l = fx_lease(&fx);
	fx_send(&fx, "POST", "/v1/lease/refresh", fx_bearer(&fx, DEMO), NULL);
	ck_assert_int_eq(lease_revoke(fx.leases, l->idx, l->gen), 0);
	fx_run(&fx);
	ck_assert_uint_eq(fx.n_replies, 2);
	ck_assert_uint_eq(fx_status(&fx), 401);
	ck_assert_str_eq(fx_str(&fx, "error"), "invalid_token");
}
END_TEST

// An identity that cannot be put into a token is refused, not sent half.
START_TEST(token_cannot_be_made) {
	fx.conf.token.issuer = (char *)"\xff";
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON), 503);
	ck_assert_ptr_null(strstr(fx.text, "impi"));
}
END_TEST

START_TEST(answer_cannot_be_made) {
	fx.conf.reg.domain = (char *)"\xff";
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON), 500);
	ck_assert_str_eq(fx_header(&fx, "Content-Length"), "0");
	ck_assert_str_eq(fx_body(&fx), "");
}
END_TEST

int main(void) {
	Suite *s = suite_create("call");
	TCase *t = tcase_create("call");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, answers_late_and_once);
	tcase_add_test(t, wwsf_goes_first);
	tcase_add_test(t, wwsf_goes_between_check_and_grant);
	tcase_add_test(t, many_at_once);
	tcase_add_test(t, store_fails);
	tcase_add_test(t, store_fails_at_refresh);
	tcase_add_test(t, ends_during_refresh);
	tcase_add_test(t, token_cannot_be_made);
	tcase_add_test(t, answer_cannot_be_made);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
