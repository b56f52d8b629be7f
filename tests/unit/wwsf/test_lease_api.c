// SPDX-License-Identifier: BSD-3-Clause
// The lease API over the real engine: grant, refresh, delete (ims.md 2.6, 6.4, 9 T9 T10 T19 T23 T25).
#include <check.h>
#include <stdlib.h>

#include "fixture.h"
#include "regate/err.h"

static struct fx fx;

static void setup(void) {
	fx_init(&fx);
}

static void teardown(void) {
	fx_fini(&fx);
}

static unsigned anonymous(void) {
	return fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON);
}

static unsigned alice(void) {
	return fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ALICE);
}

static unsigned refresh(const char *headers) {
	return fx_ask(&fx, "POST", "/v1/lease/refresh", headers, NULL);
}

// Verifies the token of the last answer and compares it with the answer (T9).
static void check_token(const char *sub, const char *pool, unsigned scenario) {
	int64_t now = env_wall_ms(fx.env) / 1000;
	const struct lease *l = fx_lease(&fx);
	struct token_claims c;

	ck_assert_int_eq(token_verify(token_key_set(token_keys_signer(fx.keys)),
				      rg_str(fx_str(&fx, "token")), fx.conf.token.issuer,
				      fx.conf.token.audience, now, &c),
			 0);
	ck_assert_str_eq(c.impi, fx_str(&fx, "impi"));
	ck_assert_str_eq(c.impu, fx_str(&fx, "impu"));
	ck_assert_int_eq(strncmp(c.sub, sub, strlen(sub)), 0);
	ck_assert_str_eq(c.sub, l->sub);
	ck_assert_str_eq(c.wwsf, "demo");
	ck_assert_str_eq(c.pool, pool);
	ck_assert_uint_eq(c.scenario, scenario);
	ck_assert_uint_eq(c.idx, l->idx);
	ck_assert_uint_eq(c.gen, l->gen);
	ck_assert_int_eq(c.nbf, now);
	ck_assert_int_le(c.exp - now - fx_int(&fx, "expires_in"), 1);
	ck_assert_int_ge(c.exp - now, fx_int(&fx, "expires_in"));
	token_claims_free(&c);
}

START_TEST(anonymous_gets_a_pair) {
	ck_assert_uint_eq(anonymous(), 201);
	ck_assert_str_eq(fx_str(&fx, "impi"), "open-0@ims.example.net");
	ck_assert_str_eq(fx_str(&fx, "impu"), "sip:open-0@ims.example.net");
	ck_assert_str_eq(fx_str(&fx, "realm"), "ims.example.net");
	ck_assert_str_eq(fx_str(&fx, "registrar"), "sip:ims.example.net");
	ck_assert_int_eq(fx_int(&fx, "max_reg_expires"), 3600);
	ck_assert_int_ge(fx_int(&fx, "expires_in"), 1799);
	ck_assert_int_le(fx_int(&fx, "expires_in"), 1800);
	ck_assert_ptr_nonnull(
		strstr(fx_body(&fx), "\"wss\":[\"wss://10.77.0.2/w2\",\"wss://10.77.0.3/w2\"]"));
	ck_assert(fx_has_line(&fx, "Cache-Control: no-store"));
	check_token("anon-", "open", 3);
	ck_assert_int_eq(fx_lease(&fx)->state, LEASE_OFFERED);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->leases, 1);
}
END_TEST

START_TEST(two_anonymous_never_share) {
	char first[64];
	const char *sub;

	(void)anonymous();
	(void)snprintf(first, sizeof(first), "%s", fx_str(&fx, "impu"));
	sub = fx_lease(&fx)->sub;
	ck_assert_uint_eq(anonymous(), 201);
	ck_assert_str_ne(fx_str(&fx, "impu"), first);
	ck_assert_str_ne(fx_lease(&fx)->sub, sub);
}
END_TEST

START_TEST(account_gets_its_own_pair) {
	struct lease_pool_stats before, after;
	uint64_t gen;

	lease_get_pool_stats(fx.leases, POOL_OPEN, &before);
	ck_assert_uint_eq(alice(), 201);
	ck_assert_str_eq(fx_str(&fx, "impu"), "sip:alice@ims.example.net");
	ck_assert_int_ge(fx_int(&fx, "expires_in"), 7199);
	check_token("alice", "", 2);
	gen = fx_lease(&fx)->gen;
	for (unsigned i = 0; i < 3; i++) { // T10
		ck_assert_uint_eq(alice(), 201);
		ck_assert_str_eq(fx_str(&fx, "impu"), "sip:alice@ims.example.net");
		ck_assert_uint_eq(fx_lease(&fx)->gen, gen);
	}
	lease_get_pool_stats(fx.leases, POOL_OPEN, &after);
	ck_assert_uint_eq(before.n_free, after.n_free);
}
END_TEST

START_TEST(wrong_password_and_unknown_user_look_the_same) {
	char first[sizeof(fx.text)];

	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON,
				 "{\"account\":\"alice\",\"password\":\"Secret\"}"),
			  401);
	ck_assert_str_eq(fx_header(&fx, "WWW-Authenticate"), "Bearer realm=\"ims.example.net\"");
	(void)snprintf(first, sizeof(first), "%s", fx.text);
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON,
				 "{\"account\":\"bob\",\"password\":\"secret\"}"),
			  401);
	ck_assert_str_eq(fx.text, first);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->refused, 2);
}
END_TEST

static const struct {
	const char *name, *headers, *body;
	unsigned status;
	const char *error;
} refusals[] = {
	{"not JSON", DEMO JSON, "{", 400, "bad_request"},
	{"unknown member", DEMO JSON, "{\"anonymous\":true,\"x\":1}", 400, "bad_request"},
	{"no type", DEMO, ANON, 415, "media_type"},
	{"closed pool", DEMO JSON, "{\"anonymous\":true,\"pool\":\"closed\"}", 403, "pool"},
	{"pool of another WWSF", DEMO JSON, "{\"anonymous\":true,\"pool\":\"far\"}", 403, "pool"},
	{"pool of another WWSF, reversed", OTHER JSON, "{\"anonymous\":true,\"pool\":\"open\"}",
	 403, "pool"},
	{"accounts at another WWSF", OTHER JSON, ALICE, 403, "accounts"},
	{"own pool by name", DEMO JSON, "{\"anonymous\":true,\"pool\":\"open\"}", 201, NULL},
	{"unknown pool and plmn are ignored", DEMO JSON,
	 "{\"anonymous\":true,\"pool\":\"nowhere\",\"plmn\":\"xyz\"}", 201, NULL},
	{"the other WWSF's pool", OTHER JSON, ANON, 201, NULL},
};
#define N_REFUSALS (int)(sizeof(refusals) / sizeof(*refusals))

START_TEST(post_table) {
	unsigned status = fx_ask(&fx, "POST", "/v1/lease", refusals[_i].headers, refusals[_i].body);

	ck_assert_msg(status == refusals[_i].status, "%s: %u", refusals[_i].name, status);
	if (refusals[_i].error != NULL)
		ck_assert_str_eq(fx_str(&fx, "error"), refusals[_i].error);
	else
		ck_assert_uint_eq(fx_lease(&fx)->wwsf,
				  strcmp(refusals[_i].headers, OTHER JSON) == 0);
}
END_TEST

START_TEST(t19_anonymous_denied) {
	fx.pools[POOL_OPEN].is_anonymous = false;
	ck_assert_uint_eq(anonymous(), 403);
	ck_assert_str_eq(fx_str(&fx, "error"), "anonymous");
}
END_TEST

START_TEST(no_accounts) {
	fx_replace(&fx, NULL);
	ck_assert_uint_eq(alice(), 403);
	ck_assert_str_eq(fx_str(&fx, "error"), "accounts");
}
END_TEST

START_TEST(account_that_is_being_ended) {
	ck_assert_uint_eq(alice(), 201);
	fx_register(&fx, fx_lease(&fx));
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", fx_bearer(&fx, DEMO), NULL), 202);
	ck_assert_uint_eq(alice(), 409);
	ck_assert_str_eq(fx_header(&fx, "Retry-After"), "5");
	lease_dereg_done(fx.leases, fx.dereg_idx, fx.dereg_gen, false);
	ck_assert_uint_eq(alice(), 201); // its quarantine is for others
	ck_assert_uint_gt(fx_lease(&fx)->gen, fx.dereg_gen);
}
END_TEST

START_TEST(dry_pool) {
	struct lease_pool_stats st;
	uint64_t left_s;
	long long wait;

	for (unsigned i = 0; i < OPEN_PAIRS; i++)
		ck_assert_uint_eq(anonymous(), 201);
	ck_assert_uint_eq(anonymous(), 503);
	ck_assert_str_eq(fx_str(&fx, "error"), "pool_dry");
	wait = strtoll(fx_header(&fx, "Retry-After"), NULL, 10);
	ck_assert(wait >= 60 && wait <= 90); // nobody is leaving yet
	// Tokens end: the pairs go to quarantine, and the answer says when the first comes out, at the
	// earliest: not all come back at once.
	env_sim_advance(fx.env, 1801 * RG_NS_PER_S);
	ck_assert_uint_eq(anonymous(), 503);
	wait = strtoll(fx_header(&fx, "Retry-After"), NULL, 10);
	lease_get_pool_stats(fx.leases, POOL_OPEN, &st);
	left_s = (st.next_free_ns - env_now_ns(fx.env)) / RG_NS_PER_S;
	ck_assert_int_ge(wait, (long long)left_s);
	ck_assert_int_le(wait, (long long)(left_s + left_s / 2 + 1));
	env_sim_advance(fx.env, (left_s - 1) * RG_NS_PER_S);
	ck_assert_uint_eq(anonymous(), 503);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->short_of[QUOTA_DRY], 3);
	env_sim_advance(fx.env, 2 * RG_NS_PER_S);
	ck_assert_uint_eq(anonymous(), 201);
}
END_TEST

START_TEST(refresh_gives_a_new_token) {
	const char *old = (anonymous(), fx_bearer(&fx, DEMO));
	const char *old_token = fx_str(&fx, "token");
	const struct lease *l = fx_lease(&fx);
	uint64_t gen = l->gen;

	env_sim_advance(fx.env, 900 * RG_NS_PER_S);
	ck_assert_uint_eq(refresh(old), 200);
	ck_assert_str_ne(fx_str(&fx, "token"), old_token);
	ck_assert_ptr_eq(fx_lease(&fx), l);
	ck_assert_uint_eq(l->gen, gen);
	ck_assert_int_ge(fx_int(&fx, "expires_in"), 1799);
	ck_assert_int_le(fx_int(&fx, "expires_in"), 1800);
	check_token("anon-", "open", 3);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->refreshes, 1);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->leases, 1);
	// The old one is good until its own end, and not a second longer.
	ck_assert_uint_eq(refresh(old), 200);
	env_sim_advance(fx.env, 901 * RG_NS_PER_S);
	ck_assert_uint_eq(refresh(old), 401);
}
END_TEST

START_TEST(account_refresh_lasts_longer) {
	ck_assert_uint_eq(alice(), 201);
	ck_assert_uint_eq(refresh(fx_bearer(&fx, DEMO)), 200);
	ck_assert_int_ge(fx_int(&fx, "expires_in"), 7199);
	check_token("alice", "", 2);
}
END_TEST

START_TEST(expired_token_is_refused) {
	const char *old = (anonymous(), fx_bearer(&fx, DEMO));

	env_sim_advance(fx.env, 1801 * RG_NS_PER_S);
	ck_assert_uint_eq(refresh(old), 401);
	ck_assert_str_eq(fx_header(&fx, "WWW-Authenticate"),
			 "Bearer realm=\"ims.example.net\", error=\"invalid_token\"");
	ck_assert_str_eq(fx_str(&fx, "error"), "invalid_token");
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", old, NULL), 401);
}
END_TEST

static const struct {
	const char *headers, *error;
} bearers[] = {
	{DEMO, "unauthorized"},
	{DEMO "Authorization: Bearer\r\n", "unauthorized"},
	{DEMO "Authorization: Bearer \r\n", "unauthorized"},
	{DEMO "Authorization: Basic YTpi\r\n", "unauthorized"},
	{DEMO "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", "unauthorized"},
	{DEMO "Authorization: Bearer abc.def.ghi\r\n", "invalid_token"},
	{DEMO "Authorization: bearer abc.def.ghi\r\n", "invalid_token"},
};
#define N_BEARERS (int)(sizeof(bearers) / sizeof(*bearers))

START_TEST(bearer_table) {
	ck_assert_uint_eq(refresh(bearers[_i].headers), 401);
	ck_assert_str_eq(fx_str(&fx, "error"), bearers[_i].error);
	ck_assert_int_eq(strncmp(fx_header(&fx, "WWW-Authenticate"), "Bearer realm=", 13), 0);
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", bearers[_i].headers, NULL), 401);
}
END_TEST

START_TEST(t25_token_of_another_wwsf) { // REQ 3.3
	(void)anonymous();
	ck_assert_uint_eq(refresh(fx_bearer(&fx, OTHER)), 403);
	(void)anonymous();
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", fx_bearer(&fx, OTHER), NULL), 403);
	ck_assert_uint_eq(fx.n_deregs, 0);
	(void)anonymous();
	ck_assert_uint_eq(refresh(fx_bearer(&fx, "")), 200); // not a browser
}
END_TEST

// T23: a DELETE starts the gateway's own de-registration, and only that one's evidence frees.
START_TEST(delete_is_a_hint) {
	struct lease_pool_stats stats;
	const struct lease *l;
	const char *bearer;
	uint64_t reassign, gen;
	uint32_t idx;

	ck_assert_uint_eq(anonymous(), 201);
	bearer = fx_bearer(&fx, DEMO);
	l = fx_lease(&fx);
	fx_register(&fx, l);
	idx = l->idx;
	gen = l->gen;
	reassign = l->reassign_ns;
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", bearer, NULL), 202);
	ck_assert_str_eq(fx_str(&fx, "state"), "ending");
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->releases, 1);
	ck_assert_uint_eq(fx.n_deregs, 1);
	ck_assert_uint_eq(fx.dereg_idx, idx);
	ck_assert_uint_eq(fx.dereg_gen, gen);
	ck_assert_uint_eq(fx.n_closes, 1);
	ck_assert_uint_eq(fx.close_code, 1008);
	// No evidence yet: the pair is held, as long as before, and the token is void.
	ck_assert_int_eq(lease_at(fx.leases, idx)->state, LEASE_DEREG_PENDING);
	ck_assert_uint_ge(lease_at(fx.leases, idx)->reassign_ns, reassign);
	lease_get_pool_stats(fx.leases, POOL_OPEN, &stats);
	ck_assert_uint_eq(stats.n_free, OPEN_PAIRS - 1);
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", bearer, NULL), 401);
	ck_assert_uint_eq(refresh(bearer), 401);
	ck_assert_uint_eq(fx.n_deregs, 1);
	// The core's word frees it, after the guard time.
	lease_dereg_done(fx.leases, idx, gen, false);
	env_sim_advance(fx.env, 6 * RG_NS_PER_S);
	lease_get_pool_stats(fx.leases, POOL_OPEN, &stats);
	ck_assert_uint_eq(stats.n_free, OPEN_PAIRS);
}
END_TEST

// Not on record, not acknowledged; void at once all the same.
START_TEST(delete_waits_for_the_store) {
	const char *bearer;

	ck_assert_uint_eq(anonymous(), 201);
	bearer = fx_bearer(&fx, DEMO);
	store_mem_fail(fx.store, 1, -5);
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", bearer, NULL), 503);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->releases, 0);
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", bearer, NULL), 401);
}
END_TEST

// The token that the client showed stays good, whatever became of those it was not told of.
START_TEST(refresh_keeps_the_token_shown) {
	char bearer[2048];

	ck_assert_uint_eq(anonymous(), 201);
	snprintf(bearer, sizeof(bearer), "%s", fx_bearer(&fx, DEMO));
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(refresh(bearer), 200);
		env_sim_advance(fx.env, RG_NS_PER_S);
	}
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", bearer, NULL), 202);
}
END_TEST

// T23: no answer of the core, or only a refusal: the pair rests as long as it would have without the
// DELETE, and the page can say it as often as it likes.
START_TEST(t23_delete_without_evidence) {
	struct lease_pool_stats stats;
	const char *bearer;
	const struct lease *l;
	uint64_t reassign;
	uint32_t idx;

	ck_assert_uint_eq(anonymous(), 201);
	bearer = fx_bearer(&fx, DEMO);
	l = fx_lease(&fx);
	fx_register(&fx, l);
	idx = l->idx;
	reassign = l->reassign_ns;
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", bearer, NULL), 202);
	ck_assert_uint_eq(lease_at(fx.leases, idx)->reassign_ns, reassign);
	lease_dereg_unknown(fx.leases, idx, lease_at(fx.leases, idx)->gen);
	ck_assert_uint_eq(fx_ask(&fx, "DELETE", "/v1/lease", bearer, NULL), 401);
	ck_assert_uint_eq(lease_at(fx.leases, idx)->reassign_ns, reassign);
	env_sim_advance(fx.env, reassign - env_now_ns(fx.env) - RG_NS_PER_MS);
	lease_get_pool_stats(fx.leases, POOL_OPEN, &stats);
	ck_assert_uint_eq(stats.n_free, OPEN_PAIRS - 1);
	env_sim_advance(fx.env, 10 * RG_NS_PER_MS);
	lease_get_pool_stats(fx.leases, POOL_OPEN, &stats);
	ck_assert_uint_eq(stats.n_free, OPEN_PAIRS);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_api");
	TCase *t = tcase_create("lease_api");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, anonymous_gets_a_pair);
	tcase_add_test(t, two_anonymous_never_share);
	tcase_add_test(t, account_gets_its_own_pair);
	tcase_add_test(t, wrong_password_and_unknown_user_look_the_same);
	tcase_add_loop_test(t, post_table, 0, N_REFUSALS);
	tcase_add_test(t, t19_anonymous_denied);
	tcase_add_test(t, no_accounts);
	tcase_add_test(t, account_that_is_being_ended);
	tcase_add_test(t, dry_pool);
	tcase_add_test(t, refresh_gives_a_new_token);
	tcase_add_test(t, account_refresh_lasts_longer);
	tcase_add_test(t, expired_token_is_refused);
	tcase_add_loop_test(t, bearer_table, 0, N_BEARERS);
	tcase_add_test(t, t25_token_of_another_wwsf);
	tcase_add_test(t, delete_is_a_hint);
	tcase_add_test(t, delete_waits_for_the_store);
	tcase_add_test(t, refresh_keeps_the_token_shown);
	tcase_add_test(t, t23_delete_without_evidence);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
