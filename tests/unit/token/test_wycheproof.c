// SPDX-License-Identifier: BSD-3-Clause
// Project Wycheproof: every JWS vector against the P-256 keys of the file. A vector that is valid
// for the ES256 key of its own group opens; no other one does, whatever its algorithm.
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "guard.h"
#include "tokens.h"

static EVP_PKEY *pkey_of(const json_t *jwk) {
	const char *x = json_string_value(json_object_get(jwk, "x"));
	const char *y = json_string_value(json_object_get(jwk, "y"));
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	uint8_t point[65] = {4};
	OSSL_PARAM *params;
	EVP_PKEY *pkey = NULL;
	size_t len;

	ck_assert_int_eq(b64url_decode(rg_str(x), point + 1, 32, &len), 0);
	ck_assert_int_eq(b64url_decode(rg_str(y), point + 33, 32, &len), 0);
	OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_fromdata_init(ctx);
	ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static bool is_es256(const json_t *group) {
	const json_t *key = json_object_get(group, "public");
	const char *alg = json_string_value(json_object_get(key, "alg"));

	return alg != NULL && strcmp(alg, "ES256") == 0;
}

// Number of tests in group, all of which must go as want says.
static unsigned run_group(const json_t *group, EVP_PKEY *pkey, bool is_own) {
	json_t *test;
	size_t i;

	json_array_foreach(json_object_get(group, "tests"), i, test) {
		const json_t *text = json_object_get(test, "jws");
		const char *result = json_string_value(json_object_get(test, "result"));
		bool is_good = is_own && strcmp(result, "valid") == 0, is_open;
		static struct jws jws;

		if (!json_is_string(text))
			continue; // JSON serialisation: not a token here
		is_open = jws_open(pkey, guard_str(json_string_value(text)), &jws) == 0;
		if (is_open)
			json_decref(jws.header);
		ck_assert_msg(is_open == is_good, "tcId %d",
			      (int)json_integer_value(json_object_get(test, "tcId")));
	}
	return (unsigned)i;
}

START_TEST(all_vectors) {
	json_t *file =
		json_load_file(TEST_DATA "/wycheproof/json_web_signature_test.json", 0, NULL);
	json_t *groups = json_object_get(file, "testGroups"), *group, *other;
	unsigned n_own = 0, n_foreign = 0;
	size_t i, j;

	ck_assert_ptr_nonnull(file);
	json_array_foreach(groups, i, group) {
		EVP_PKEY *pkey;

		if (!is_es256(group))
			continue;
		pkey = pkey_of(json_object_get(group, "public"));
		n_own += run_group(group, pkey, true);
		json_array_foreach(groups, j, other) {
			const json_t *key = json_object_get(other, "public");
			const char *kty = json_string_value(json_object_get(key, "kty"));

			if (kty == NULL || strcmp(kty, "EC") != 0)
				n_foreign += run_group(other, pkey, false);
		}
		EVP_PKEY_free(pkey);
	}
	ck_assert_uint_eq(n_own, 39);
	ck_assert_uint_gt(n_foreign, 300);
	json_decref(file);
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_wycheproof");
	TCase *tc = tcase_create("vectors");

	tcase_add_test(tc, all_vectors);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
