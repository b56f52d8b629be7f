// SPDX-License-Identifier: BSD-3-Clause
// Issued tokens: what is in them, and that they verify with the same claims.
#include "guard.h"
#include "tokens.h"

static const uint8_t jti[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};
static struct token_key *k;
static uint8_t buf[RG_TOKEN_MAX];

static void setup(void) {
	k = key_new();
}

static void teardown(void) {
	token_key_free(k);
}

static struct rg_slice issue(const struct token_claims *c) {
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	ck_assert_int_eq(token_issue(k, c, jti, &w), 0);
	return guard_copy(rg_wr_slice(&w));
}

START_TEST(claims_come_back) {
	struct token_claims c = good_claims(), got;

	ck_assert_int_eq(token_verify(token_key_set(k), issue(&c), ISS, AUD, NOW, &got), 0);
	ck_assert_str_eq(got.iss, c.iss);
	ck_assert_str_eq(got.aud, c.aud);
	ck_assert_str_eq(got.sub, c.sub);
	ck_assert_str_eq(got.impi, c.impi);
	ck_assert_str_eq(got.impu, c.impu);
	ck_assert_str_eq(got.wwsf, c.wwsf);
	ck_assert_str_eq(got.pool, c.pool);
	ck_assert_int_eq(got.iat, c.iat);
	ck_assert_int_eq(got.nbf, c.nbf);
	ck_assert_int_eq(got.exp, c.exp);
	ck_assert_uint_eq(got.idx, c.idx);
	ck_assert_uint_eq(got.gen, c.gen);
	ck_assert_uint_eq(got.scenario, c.scenario);
	token_claims_free(&got);
}
END_TEST

START_TEST(extremes_come_back) {
	struct token_claims c = good_claims(), got;

	c.idx = UINT32_MAX - 1;
	c.gen = INT64_MAX;
	c.scenario = 2;
	c.pool = "";
	c.sub = "\"\\\b\xc3\xa9"; // escapes
	ck_assert_int_eq(token_verify(token_key_set(k), issue(&c), ISS, AUD, NOW, &got), 0);
	ck_assert_uint_eq(got.idx, c.idx);
	ck_assert_uint_eq(got.gen, c.gen);
	ck_assert_str_eq(got.sub, c.sub);
	ck_assert_str_eq(got.pool, "");
	token_claims_free(&got);
	token_claims_free(&got); // idempotent
}
END_TEST

START_TEST(profile_of_the_token) {
	struct token_claims c = good_claims();
	struct jws jws;
	json_t *j;

	ck_assert_int_eq(jws_parse(issue(&c), &jws), 0);
	ck_assert_int_eq(jws_verify(&jws, token_key_jws(k)), 0);
	ck_assert_str_eq(json_string_value(json_object_get(jws.header, "typ")), "at+jwt");
	ck_assert_str_eq(json_string_value(json_object_get(jws.header, "alg")), "ES256");
	ck_assert_str_eq(json_string_value(json_object_get(jws.header, "kid")), token_key_kid(k));
	j = jws_parse_object(rg_slice(jws.payload, jws.payload_len));
	ck_assert_str_eq(json_string_value(json_object_get(j, "scope")), "ims.register");
	ck_assert_str_eq(json_string_value(json_object_get(j, "jti")), "AQIDBAUGBwgJCgsMDQ4P_w");
	ck_assert(json_is_array(json_object_get(json_object_get(j, "ims"), "impu")));
	json_decref(j);
	jws_close(&jws);
}
END_TEST

// One text per token: of (r, s) and (r, n - s) only the low one.
START_TEST(signatures_have_low_s) {
	for (unsigned i = 0; i < 64; i++) {
		uint8_t sig[ES256_SIG_LEN];

		ck_assert_int_eq(es256_sign(token_key_jws(k)->pkey, rg_slice(&i, sizeof(i)), sig),
				 0);
		ck_assert(es256_is_low_s(sig));
		ck_assert_int_eq(es256_verify(token_key_jws(k)->pkey, rg_slice(&i, sizeof(i)), sig),
				 0);
	}
}
END_TEST

START_TEST(times) {
	static const struct {
		int64_t iat, nbf, exp;
		int rc;
	} cases[] = {
		{NOW, NOW, NOW + 1, 0},
		{NOW, NOW, NOW, RG_E_EXPIRED}, // no leeway at the end
		{NOW, NOW, NOW - 1, RG_E_EXPIRED},
		{NOW, NOW + 60, NOW + 99, 0},
		{NOW, NOW + 61, NOW + 99, RG_E_AUTH},
		{NOW + 60, NOW, NOW + 99, 0},
		{NOW + 61, NOW, NOW + 99, RG_E_AUTH},
		{0, 0, INT64_C(1) << 53, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct token_claims c = good_claims(), got;

		c.iat = cases[i].iat;
		c.nbf = cases[i].nbf;
		c.exp = cases[i].exp;
		ck_assert_int_eq(token_verify(token_key_set(k), issue(&c), ISS, AUD, NOW, &got),
				 cases[i].rc);
		if (cases[i].rc == 0)
			token_claims_free(&got);
	}
}
END_TEST

START_TEST(no_room) {
	struct token_claims c = good_claims();
	struct rg_wr w = rg_wr(buf, 100);
	static char big[RG_TOKEN_MAX + 1];

	ck_assert_int_eq(token_issue(k, &c, jti, &w), RG_E_LIMIT);
	memset(big, 'x', RG_TOKEN_MAX);
	c.sub = big;
	w = rg_wr(buf, sizeof(buf));
	ck_assert_int_eq(token_issue(k, &c, jti, &w), RG_E_LIMIT);
	c.sub = "\xff\xfe";
	w = rg_wr(buf, sizeof(buf));
	ck_assert_int_eq(token_issue(k, &c, jti, &w), RG_E_UTF8);
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_issue");
	TCase *tc = tcase_create("issue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, claims_come_back);
	tcase_add_test(tc, extremes_come_back);
	tcase_add_test(tc, profile_of_the_token);
	tcase_add_test(tc, signatures_have_low_s);
	tcase_add_test(tc, times);
	tcase_add_test(tc, no_room);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
