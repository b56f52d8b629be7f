// SPDX-License-Identifier: BSD-3-Clause
// Rotation of the gateway's own keys, on files and a clock of the simulated environment.
#include <errno.h>

#include "core/env_sim.h"
#include "token/keys.h"
#include "tokens.h"

#define LIFE 7200

static char *const paths[] = {(char *)"a.key", (char *)"b.key"};
static struct env *env;
static struct token_keys *keys;
static char err[256];

static void put_key(const char *path, EVP_PKEY *pkey) {
	char *pem = pem_of(pkey, NULL);

	env_sim_file(env, path, rg_str(pem));
	free(pem);
	EVP_PKEY_free(pkey);
}

static void new_key(const char *path) {
	put_key(path, EVP_EC_gen("P-256"));
}

static void setup(void) {
	env = env_sim_new(1);
	new_key("a.key");
	new_key("b.key");
	keys = token_keys_new(env, paths, 2, LIFE, err, sizeof(err));
	ck_assert_msg(keys != NULL, "%s", err);
}

static void teardown(void) {
	token_keys_free(keys);
	token_keys_free(NULL);
	env_sim_free(env);
}

static struct token_key_info info(size_t i) {
	struct token_key_info got;

	ck_assert(token_keys_info(keys, i, &got));
	return got;
}

static size_t n_published(void) {
	json_t *j = token_keys_jwks(keys);
	size_t n = json_array_size(json_object_get(j, "keys"));

	json_decref(j);
	return n;
}

START_TEST(first_signs) {
	json_t *j = token_keys_jwks(keys);
	char *text = json_dumps(j, 0);
	struct jwk_set set;

	ck_assert_str_eq(info(0).file, "a.key");
	ck_assert_int_eq(info(0).state, TOKEN_KEY_SIGNS);
	ck_assert_int_eq(info(1).state, TOKEN_KEY_KEPT);
	ck_assert_str_eq(info(0).kid, token_key_kid(token_keys_signer(keys)));
	ck_assert_str_eq(info(0).alg, "ES256");
	ck_assert_int_eq(info(0).since_s, env_wall_ms(env) / 1000);
	ck_assert_int_eq(jwk_set_parse(rg_str(text), false, &set, err, sizeof(err)), 0);
	ck_assert_ptr_nonnull(jwk_set_find(&set, info(1).kid));
	ck_assert_ptr_null(strstr(text, "\"d\""));
	jwk_set_fini(&set);
	free(text);
	json_decref(j);
}
END_TEST

// The file of the first is replaced: the new key signs, the old one is published for a token's life.
START_TEST(rotation) {
	struct token_claims c = good_claims(), got;
	char old_kid[64], token[RG_TOKEN_MAX];
	struct rg_wr w = rg_wr(token, sizeof(token));
	const uint8_t jti[16] = {0};
	struct jwk_set set;
	json_t *j;
	char *text;

	snprintf(old_kid, sizeof(old_kid), "%s", info(0).kid);
	ck_assert_int_eq(token_issue(token_keys_signer(keys), &c, jti, &w), 0);
	env_sim_advance(env, 10 * RG_NS_PER_S);
	put_key("a.key", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), 0);
	ck_assert_str_eq(info(0).alg, "EdDSA");
	ck_assert_str_eq(token_key_kid(token_keys_signer(keys)), info(0).kid);
	ck_assert_int_eq(info(1).since_s, info(0).since_s - 10);
	ck_assert_str_eq(info(2).kid, old_kid);
	ck_assert_int_eq(info(2).state, TOKEN_KEY_ENDING);
	ck_assert_int_eq(info(2).until_s, env_wall_ms(env) / 1000 + LIFE);
	j = token_keys_jwks(keys);
	text = json_dumps(j, 0);
	ck_assert_int_eq(jwk_set_parse(rg_str(text), false, &set, err, sizeof(err)), 0);
	ck_assert_int_eq(token_verify(&set, rg_wr_slice(&w), ISS, AUD, NOW, &got), 0);
	token_claims_free(&got);
	jwk_set_fini(&set);
	free(text);
	json_decref(j);
	// Reloading does not make it live longer.
	env_sim_advance(env, (LIFE - 1) * RG_NS_PER_S);
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), 0);
	ck_assert_uint_eq(n_published(), 3);
	env_sim_advance(env, RG_NS_PER_S);
	ck_assert_uint_eq(n_published(), 2);
}
END_TEST

START_TEST(back_again) {
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	struct token_key_info got;

	EVP_PKEY_up_ref(pkey);
	put_key("a.key", pkey);
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), 0);
	new_key("a.key");
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), 0);
	ck_assert_uint_eq(n_published(), 4);
	put_key("b.key", pkey); // the ending one is a file's again
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), 0);
	ck_assert_int_eq(info(1).state, TOKEN_KEY_KEPT);
	ck_assert_int_eq(info(1).until_s, 0);
	ck_assert(!token_keys_info(keys, 5, &got));
}
END_TEST

START_TEST(many_rotations) {
	char kid[64];

	for (unsigned i = 2; i < TOKEN_KEYS_MAX; i++) {
		new_key("a.key");
		ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), 0);
		env_sim_advance(env, RG_NS_PER_S);
	}
	ck_assert_uint_eq(n_published(), TOKEN_KEYS_MAX);
	snprintf(kid, sizeof(kid), "%s", info(0).kid);
	new_key("a.key"); // each of the others has tokens still
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), RG_E_LIMIT);
	ck_assert_ptr_nonnull(strstr(err, "17 keys would be published, more than 16"));
	ck_assert_ptr_nonnull(strstr(err, "again in 7186 s"));
	ck_assert_str_eq(token_key_kid(token_keys_signer(keys)), kid);
	ck_assert_uint_eq(n_published(), TOKEN_KEYS_MAX);
	env_sim_advance(env, 7186 * RG_NS_PER_S);
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), 0);
	ck_assert_str_ne(token_key_kid(token_keys_signer(keys)), kid);
}
END_TEST

START_TEST(bad_file_changes_nothing) {
	char kid[64];

	snprintf(kid, sizeof(kid), "%s", info(0).kid);
	new_key("a.key");
	env_sim_file(env, "b.key", RG_LIT("no key"));
	ck_assert_int_ne(token_keys_reload(keys, err, sizeof(err)), 0);
	ck_assert_ptr_nonnull(strstr(err, "b.key: not an unencrypted PEM private key"));
	env_sim_file_error(env, "b.key", ENOENT);
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err, "b.key: No such file"));
	ck_assert_str_eq(token_key_kid(token_keys_signer(keys)), kid);
	ck_assert_uint_eq(n_published(), 2);
}
END_TEST

START_TEST(same_key_twice) {
	EVP_PKEY *pkey = EVP_EC_gen("P-256");

	EVP_PKEY_up_ref(pkey);
	put_key("a.key", pkey);
	put_key("b.key", pkey);
	ck_assert_int_eq(token_keys_reload(keys, err, sizeof(err)), RG_E_CONFLICT);
	ck_assert_ptr_null(token_keys_new(env, paths, 2, LIFE, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "b.key: has the key of another file"));
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_keys");
	TCase *tc = tcase_create("keys");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, first_signs);
	tcase_add_test(tc, rotation);
	tcase_add_test(tc, back_again);
	tcase_add_test(tc, many_rotations);
	tcase_add_test(tc, bad_file_changes_nothing);
	tcase_add_test(tc, same_key_twice);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
