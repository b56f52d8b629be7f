// SPDX-License-Identifier: BSD-3-Clause
// Keys to JSON and back, each with its algorithm; keys and sets that are refused.
#include "guard.h"
#include "tokens.h"

#define TEXT RG_LIT("header.payload")

static const enum jws_alg all[] = {JWS_ES256, JWS_EDDSA, JWS_RS256, JWS_PS256};

static EVP_PKEY *pkey_new(enum jws_alg alg) {
	switch (alg) {
	case JWS_ES256:
		return EVP_EC_gen("P-256");
	case JWS_EDDSA:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	default:
		return EVP_RSA_gen(2048);
	}
}

// With OpenSSL for what nothing of ours signs with.
static size_t sign(const struct jws_key *k, struct rg_slice in, uint8_t sig[JWS_SIG_MAX]) {
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = JWS_SIG_MAX;
	EVP_PKEY_CTX *pctx;

	if (k->alg == JWS_ES256 || k->alg == JWS_EDDSA) {
		ck_assert_int_eq(jws_key_sign(k, in, sig, &len), 0);
	} else {
		ck_assert_int_eq(jws_key_sign(k, in, sig, &len), RG_E_UNSUPPORTED);
		ck_assert_int_eq(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, k->pkey), 1);
		if (k->alg == JWS_PS256) {
			EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
			EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
		}
		ck_assert_int_eq(EVP_DigestSign(ctx, sig, &len, in.p, in.len), 1);
	}
	EVP_MD_CTX_free(ctx);
	return len;
}

START_TEST(there_and_back) {
	struct jws_key own = {.alg = all[_i], .kid = "k1", .pkey = pkey_new(all[_i])}, back;
	uint8_t sig[JWS_SIG_MAX];
	size_t len = sign(&own, TEXT, sig);
	json_t *jwk = jwk_export(&own);

	ck_assert_ptr_null(json_object_get(jwk, "d"));
	ck_assert_int_eq(jwk_import(jwk, false, &back), 0);
	ck_assert_int_eq(back.alg, all[_i]);
	ck_assert_str_eq(back.kid, "k1");
	ck_assert_int_eq(jws_key_verify(&back, TEXT, guard_copy(rg_slice(sig, len))), 0);
	ck_assert_int_eq(jws_key_verify(&back, RG_LIT("other"), rg_slice(sig, len)), RG_E_AUTH);
	ck_assert_int_eq(jws_key_verify(&back, TEXT, rg_slice(sig, len - 1)), RG_E_AUTH);
	for (size_t i = 0; i < len; i++) {
		sig[i] ^= 0x40;
		ck_assert_int_eq(jws_key_verify(&back, TEXT, rg_slice(sig, len)), RG_E_AUTH);
		sig[i] ^= 0x40;
	}
	json_decref(jwk);
	jws_key_fini(&back);
	jws_key_fini(&own);
}
END_TEST

START_TEST(secrets) {
	struct jws_key k;
	json_t *jwk = json_pack("{s:s,s:s,s:s,s:s}", "kty", "oct", "alg", "HS256", "kid", "s", "k",
				"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"); // 32 zeroes

	ck_assert_int_eq(jwk_import(jwk, false, &k), RG_E_AUTH); // from a place that all can read
	ck_assert_int_eq(jwk_import(jwk, true, &k), 0);
	ck_assert_uint_eq(k.secret_len, 32);
	ck_assert_ptr_null(jwk_export(&k));
	jws_key_fini(&k);
	json_object_set_new(jwk, "k", json_string("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
	ck_assert_int_eq(jwk_import(jwk, true, &k), RG_E_AUTH); // 31
	json_decref(jwk);
}
END_TEST

// One member of a good key changed. RFC 7517 A.1: an example key.
static const struct {
	char kind;                // E EC, O OKP, R RSA
	const char *name, *value; // JSON; NULL removes
	int rc;
} changes[] = {
	{'E', "kid", "\"other\"", 0},
	{'E', "alg", NULL, 0},
	{'E', "alg", "\"ES256\"", 0},
	{'E', "alg", "\"ES384\"", RG_E_UNSUPPORTED},
	{'E', "alg", "\"RS256\"", RG_E_AUTH},
	{'E', "alg", "\"none\"", RG_E_UNSUPPORTED},
	{'E', "alg", "\"HS256\"", RG_E_AUTH}, // the public key as a secret
	{'E', "alg", "7", RG_E_UNSUPPORTED},
	{'E', "use", "\"enc\"", RG_E_UNSUPPORTED},
	{'E', "use", "1", RG_E_UNSUPPORTED},
	{'E', "key_ops", "[\"verify\"]", 0},
	{'E', "key_ops", "[\"sign\"]", RG_E_UNSUPPORTED},
	{'E', "key_ops", "\"verify\"", RG_E_UNSUPPORTED},
	{'E', "kty", "\"RSA\"", RG_E_PROTO},
	{'E', "kty", "\"oct\"", RG_E_AUTH},
	{'E', "kty", "\"none\"", RG_E_UNSUPPORTED},
	{'E', "kty", NULL, RG_E_PROTO},
	{'E', "crv", "\"P-384\"", RG_E_UNSUPPORTED},
	{'E', "crv", "\"secp256k1\"", RG_E_UNSUPPORTED},
	{'E', "x", NULL, RG_E_PROTO},
	{'E', "x", "\"AA\"", RG_E_PROTO},
	{'E', "x", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", RG_E_AUTH}, // off the curve
	{'E', "y", "\"not base64url!\"", RG_E_PROTO},
	{'E', "d", "\"AQAB\"", RG_E_AUTH}, // a private key that everybody has seen
	{'E', "kid", "\"\"", RG_E_PROTO},
	{'E', "kid", "17", RG_E_PROTO},
	{'E', "jku", "\"https://attacker.example\"", 0},
	{'O', "crv", "\"Ed448\"", RG_E_UNSUPPORTED},
	{'O', "crv", "\"X25519\"", RG_E_UNSUPPORTED},
	{'O', "x", "\"AA\"", RG_E_PROTO},
	{'O', "alg", "\"EdDSA\"", 0},
	{'O', "alg", "\"ES256\"", RG_E_AUTH},
	{'R', "alg", NULL, 0}, // RS256
	{'R', "alg", "\"PS256\"", 0},
	{'R', "alg", "\"RS512\"", RG_E_UNSUPPORTED},
	{'R', "e", "\"AQ\"", RG_E_AUTH},
	{'R', "e", "\"Aw\"", RG_E_AUTH},   // 3
	{'R', "e", "\"AQAA\"", RG_E_AUTH}, // even
	{'R', "e", NULL, RG_E_PROTO},
	{'R', "n", "\"AQAB\"", RG_E_AUTH},
	{'R', "n", "\"\"", RG_E_PROTO},
};

START_TEST(changed_member) {
	enum jws_alg alg = changes[_i].kind == 'E'   ? JWS_ES256
			   : changes[_i].kind == 'O' ? JWS_EDDSA
						     : JWS_RS256;
	struct jws_key own = {.alg = alg, .kid = "k1", .pkey = pkey_new(alg)}, got;
	json_t *jwk = jwk_export(&own);
	int rc;

	if (changes[_i].value == NULL)
		json_object_del(jwk, changes[_i].name);
	else
		json_object_set_new(jwk, changes[_i].name,
				    json_loads(changes[_i].value, JSON_DECODE_ANY, NULL));
	rc = jwk_import(jwk, false, &got);
	ck_assert_msg(rc == changes[_i].rc, "%s: %d", changes[_i].name, rc);
	if (rc == 0)
		jws_key_fini(&got);
	json_decref(jwk);
	jws_key_fini(&own);
}
END_TEST

START_TEST(short_rsa) {
	static const unsigned bits[] = {512, 1024, 2040, 4104};
	struct jws_key own = {.alg = JWS_RS256, .kid = "r"}, got;
	json_t *jwk;

	for (unsigned i = 0; i < 4; i++) {
		own.pkey = EVP_RSA_gen(bits[i]);
		jwk = jwk_export(&own);
		ck_assert_int_eq(jwk_import(jwk, false, &got), RG_E_AUTH);
		json_decref(jwk);
		EVP_PKEY_free(own.pkey);
	}
}
END_TEST

// --- sets

static json_t *jwk_new(const char *kid) {
	struct jws_key k = {.alg = JWS_ES256, .pkey = EVP_EC_gen("P-256")};
	json_t *jwk;

	strcpy(k.kid, kid);
	jwk = jwk_export(&k);
	jws_key_fini(&k);
	return jwk;
}

static int parse(json_t *keys, struct jwk_set *set, char err[256]) {
	json_t *j = json_pack("{s:o}", "keys", keys);
	char *text = json_dumps(j, 0);
	int rc = jwk_set_parse(guard_str(text), false, set, err, 256);

	json_decref(j);
	free(text);
	return rc;
}

START_TEST(set_by_name) {
	struct jwk_set set;
	char err[256];
	json_t *odd = json_pack("{s:s,s:s}", "kty", "new", "kid", "b");

	ck_assert_int_eq(parse(json_pack("[o,o,o]", jwk_new("a"), odd, jwk_new("b")), &set, err),
			 0);
	ck_assert_uint_eq(set.n, 2);
	ck_assert_ptr_eq(jwk_set_find(&set, "b"), &set.keys[1]);
	ck_assert_ptr_null(jwk_set_find(&set, "c"));
	ck_assert_ptr_null(jwk_set_find(&set, ""));
	jwk_set_fini(&set);
	jwk_set_fini(&set);
}
END_TEST

static void refuse_set(json_t *keys, const char *why) {
	struct jwk_set set = {0};
	char err[256] = "";

	ck_assert_int_ne(parse(keys, &set, err), 0);
	ck_assert_msg(strstr(err, why) != NULL, "%s", err);
	ck_assert_ptr_null(set.keys);
}

START_TEST(refused_sets) {
	static const char *const texts[] = {"", "{}", "[]", "{\"keys\":{}}",
					    "{\"keys\":[],\"keys\":[]}"};
	json_t *nameless = jwk_new("a"), *many = json_array();
	struct jwk_set set;
	char err[256];

	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_ne(jwk_set_parse(guard_str(texts[i]), false, &set, err, sizeof(err)),
				 0);
	refuse_set(json_array(), "no key for");
	refuse_set(json_pack("[o,o]", jwk_new("a"), jwk_new("a")), "key 2 of the set has the kid");
	json_object_del(nameless, "kid");
	refuse_set(json_pack("[o]", nameless), "has no kid");
	refuse_set(json_pack("[o,n]", jwk_new("a")), "key 2 of the set is malformed");
	refuse_set(json_pack("[{s:s,s:s,s:s}]", "kty", "oct", "kid", "s", "k", "AA"), "not public");
	for (unsigned i = 0; i <= JWK_SET_MAX; i++)
		json_array_append_new(many, json_object());
	refuse_set(many, "no JWK set");
}
END_TEST

// RFC 7638 3.1
START_TEST(thumbprint) {
	static const char n[] =
		"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6"
		"tSoc_"
		"BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-"
		"65YGjQR0_"
		"FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdk"
		"t-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
		"kEgU8awapJzKnqDKgw";
	json_t *jwk =
		json_pack("{s:s,s:s,s:s,s:s}", "kty", "RSA", "n", n, "e", "AQAB", "alg", "RS256");
	struct jws_key k;
	char text[64];
	struct rg_wr w = rg_wr(text, sizeof(text));

	ck_assert_int_eq(jwk_import(jwk, false, &k), 0);
	ck_assert_int_eq(jwk_thumbprint(k.pkey, &w), 0);
	ck_assert(rg_eq(rg_wr_slice(&w), RG_LIT("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")));
	json_decref(jwk);
	jws_key_fini(&k);
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_jwk");
	TCase *tc = tcase_create("jwk");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, there_and_back, 0, sizeof(all) / sizeof(*all));
	tcase_add_test(tc, secrets);
	tcase_add_loop_test(tc, changed_member, 0, sizeof(changes) / sizeof(*changes));
	tcase_add_test(tc, short_rsa);
	tcase_add_test(tc, set_by_name);
	tcase_add_test(tc, refused_sets);
	tcase_add_test(tc, thumbprint);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
