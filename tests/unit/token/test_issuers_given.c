// SPDX-License-Identifier: BSD-3-Clause
// Key sets of other issuers that are files: given again, withdrawn. Threads: no fork.
#include "token/issuers.h"
#include "tokens.h"

#define LIFE 7200
#define POLL 900
#define LIMIT_NS (10 * RG_NS_PER_S)

static struct env *env;
static struct token_issuers *issuers;
static struct token_issuer_cfg list[2]; // WWSFs 3 and 4
static struct token_key *old, *new;
static char *old_set, *new_set;
static struct env_timer limit;
static int rc;
static unsigned n_gone[2]; // calls
static size_t n_tags;      // of the last
static struct token_known told_known[2][4], before[4];
static size_t n_known[2], n_before;

static void on_limit(struct env_timer *, uint64_t) {
	ck_abort_msg("no answer");
}

// Of a key: for how many seconds from now on is a token of it good at most?
static int64_t left_s(const struct token_known *k) {
	return k->until_s - env_wall_ms(env) / 1000;
}

static char *set_of(const struct token_key *k) {
	json_t *set = json_pack("{s:[o]}", "keys", jwk_export(token_key_jws(k)));
	char *text = json_dumps(set, 0);

	json_decref(set);
	return text;
}

static int on_gone(void *, uint16_t wwsf, const uint64_t *, size_t n) {
	n_gone[wwsf - 3]++;
	n_tags = n;
	return 0;
}

static void on_known(void *, uint16_t wwsf, const struct token_known *known, size_t n) {
	ck_assert_uint_le(n, 4);
	memcpy(told_known[wwsf - 3], known, n * sizeof(*known));
	n_known[wwsf - 3] = n;
}

static void start(const char *keys) {
	const struct token_issuers_cfg cfg = {.audience = AUD,
					      .life_max_s = LIFE,
					      .poll_ns = POLL * RG_NS_PER_S,
					      .gone = on_gone,
					      .known = on_known};
	char err[256];

	list[0] = list[1] = (struct token_issuer_cfg){.issuer = "https://third.example.net",
						      .keys = rg_str(keys),
						      .wwsf = "third",
						      .wwsf_idx = 3};
	list[1].issuer = "https://fourth.example.net";
	list[1].wwsf = "fourth";
	list[1].wwsf_idx = 4;
	list[0].before = before;
	list[0].n_before = n_before;
	issuers = token_issuers_new(&cfg, list, 2, env, NULL, NULL, err, sizeof(err));
	ck_assert_msg(issuers != NULL, "%s", err);
}

static void setup(void) {
	env = env_real_new();
	old = key_new();
	new = key_new();
	old_set = set_of(old);
	new_set = set_of(new);
	memset(n_gone, 0, sizeof(n_gone));
	n_tags = SIZE_MAX;
	limit = (struct env_timer){.fn = on_limit};
	start(old_set);
}

static void teardown(void) {
	token_issuers_free(issuers);
	env_real_free(env);
	token_key_free(old);
	token_key_free(new);
	free(old_set);
	free(new_set);
}

static void give(uint16_t wwsf, const char *keys) {
	char err[256];

	ck_assert_int_eq(token_issuers_give(issuers, wwsf, rg_str(keys), err, sizeof(err)), 0);
}

static void on_done(void *, int got, uint16_t, const struct token_claims *) {
	rc = got;
	env_stop(env);
}

static void ask(const struct token_key *k, unsigned i) {
	static const uint8_t jti[16];
	char text[RG_TOKEN_MAX];
	struct rg_wr w = rg_wr(text, sizeof(text));
	struct token_claims c = good_claims();

	c.iss = list[i].issuer;
	c.wwsf = list[i].wwsf;
	c.iat = c.nbf = env_wall_ms(env) / 1000;
	c.exp = c.iat + 3600;
	ck_assert_int_eq(token_issue(k, &c, jti, &w), 0);
	ck_assert_int_eq(token_issuers_verify(issuers, rg_wr_slice(&w), UINT16_MAX, on_done, NULL),
			 0);
}

static int told(void) {
	env_timer_set(env, &limit, env_now_ns(env) + LIMIT_NS);
	ck_assert_int_eq(env_real_run(env), 0);
	env_timer_cancel(env, &limit);
	return rc;
}

// While a token that it signed is in the crypto pool. A set that only gives way is good still.
START_TEST(withdrawn_under_way) {
	ask(old, 0);
	give(3, new_set);
	if (_i == 1)
		token_issuers_forget(issuers, 3);
	ck_assert_int_eq(told(), _i == 0 ? 0 : RG_E_STALE);
}
END_TEST

// A key that went while no process was there: only what the one before it knew can tell.
START_TEST(withdrawn_before_the_start) {
	n_before = n_known[0];
	ck_assert_uint_eq(n_before, 1);
	ck_assert_int_gt(left_s(&told_known[0][0]), LIFE + POLL);
	memcpy(before, told_known[0], sizeof(before));
	token_issuers_free(issuers);
	start(_i == 0 ? old_set : new_set);
	ck_assert_uint_eq(n_known[0], 1 + _i);
	token_issuers_forget(issuers, 3);
	ck_assert_uint_eq(n_gone[0], _i);
	ck_assert_uint_eq(n_known[0], 1 + _i);
	token_issuers_ended(issuers, 3);
	ck_assert_uint_eq(n_known[0], 1);
	token_issuers_forget(issuers, 3);
	ck_assert_uint_eq(n_gone[0], _i);
	token_issuers_forget(issuers, 4);
	ck_assert_uint_eq(n_gone[1], 0);
	n_before = 0;
}
END_TEST

START_TEST(keys_that_are_known) {
	give(3, new_set);
	ck_assert_uint_eq(n_known[0], 2);
	ck_assert_int_gt(left_s(&told_known[0][0]), LIFE + POLL);
	ck_assert_int_lt(left_s(&told_known[0][1]), LIFE + 2);
	ck_assert_int_gt(left_s(&told_known[0][1]), LIFE - 60);
	give(3, old_set);
	ck_assert_uint_eq(n_known[0], 2);
	token_issuers_forget(issuers, 3);
	ck_assert_uint_eq(n_gone[0], 1);
	ck_assert_uint_eq(n_tags, 1);
	ck_assert_uint_eq(n_known[0], 2);
	ck_assert_uint_eq(told_known[0][0].tag, TOKEN_KEY_WITHDRAWN);
	ck_assert_uint_eq(n_known[1], 1);
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_issuers_given");
	TCase *tc = tcase_create("given");
	SRunner *sr = srunner_create(s);
	int n_failed;

	srunner_set_fork_status(sr, CK_NOFORK);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, withdrawn_under_way, 0, 2);
	tcase_add_loop_test(tc, withdrawn_before_the_start, 0, 2);
	tcase_add_test(tc, keys_that_are_known);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
