// SPDX-License-Identifier: BSD-3-Clause
// Attacks on the token (RFC 8725; reliability.md 4), as far as ES256 goes. Headers and claims are
// forged before signing with the right key, so that the check in question is the only one left;
// envelopes and signatures are forged after it.
#include <openssl/hmac.h>

#include "guard.h"
#include "tokens.h"

static struct token_key *k;
static uint8_t buf[2 << 20];

static void setup(void) {
	k = key_new();
}

static void teardown(void) {
	token_key_free(k);
}

static int verify(struct rg_slice token) {
	struct token_claims got = {0};
	int rc = token_verify(token_key_set(k), guard_copy(token), ISS, AUD, NOW, &got);

	if (rc == 0)
		token_claims_free(&got);
	else
		ck_assert_ptr_null(got.iss); // nothing is written on failure
	return rc;
}

static json_t *good_header(void) {
	return json_pack("{s:s,s:s,s:s}", "typ", "at+jwt", "alg", "ES256", "kid", token_key_kid(k));
}

static json_t *good_payload(void) {
	struct token_claims c = good_claims();

	return json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:s,s:s,s:{s:s,s:[s],s:s,s:s,s:i,s:i,s:i}}",
			 "iss", c.iss, "aud", c.aud, "sub", c.sub, "client_id", "wic-web", "iat",
			 (json_int_t)c.iat, "nbf", (json_int_t)c.nbf, "exp", (json_int_t)c.exp,
			 "jti", "AQIDBAUGBwgJCgsMDQ4PEA", "scope", "ims.register", "ims", "impi",
			 c.impi, "impu", c.impu, "wwsf", c.wwsf, "pool", c.pool, "idx", 17, "gen",
			 42, "scn", 3);
}

// Header and payload as texts, signed with the right key.
static struct rg_slice sign_texts(struct rg_slice header, struct rg_slice payload) {
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	uint8_t sig[ES256_SIG_LEN];

	rg_b64_put(&w, RG_B64_URL, header);
	rg_putc(&w, '.');
	rg_b64_put(&w, RG_B64_URL, payload);
	ck_assert_int_eq(es256_sign(token_key_jws(k)->pkey, rg_wr_slice(&w), sig), 0);
	rg_putc(&w, '.');
	rg_b64_put(&w, RG_B64_URL, rg_slice(sig, sizeof(sig)));
	return rg_wr_slice(&w);
}

// malloc'd text; j is consumed
static char *dump(json_t *j) {
	char *s = json_dumps(j, JSON_COMPACT);

	json_decref(j);
	return s;
}

static struct rg_slice sign_json(json_t *header, json_t *payload) {
	char *h = dump(header), *p = dump(payload);
	struct rg_slice s = sign_texts(rg_str(h), rg_str(p));

	free(h);
	free(p);
	return s;
}

static struct rg_slice good_token(void) {
	return sign_json(good_header(), good_payload());
}

START_TEST(good_token_is_good) {
	ck_assert_int_eq(verify(good_token()), 0);
}
END_TEST

// --- one member changed

static const struct change {
	char where;              // h header, c claims, i claims.ims
	const char *key, *value; // JSON text; NULL removes
	int rc;
} changes[] = {
	// RFC 8725 3.1: the algorithm
	{'h', "alg", "\"none\"", RG_E_AUTH},
	{'h', "alg", "\"None\"", RG_E_AUTH},
	{'h', "alg", "\"NONE\"", RG_E_AUTH},
	{'h', "alg", "\"nOnE\"", RG_E_AUTH},
	{'h', "alg", "\"\"", RG_E_AUTH},
	{'h', "alg", NULL, RG_E_AUTH},
	{'h', "alg", "null", RG_E_AUTH},
	{'h', "alg", "[\"ES256\"]", RG_E_AUTH},
	{'h', "alg", "256", RG_E_AUTH},
	{'h', "alg", "\"HS256\"", RG_E_AUTH},
	{'h', "alg", "\"ES384\"", RG_E_AUTH},
	{'h', "alg", "\"ES256K\"", RG_E_AUTH},
	{'h', "alg", "\"RS256\"", RG_E_AUTH},
	{'h', "alg", "\"EdDSA\"", RG_E_AUTH},
	{'h', "alg", "\"es256\"", RG_E_AUTH},
	{'h', "alg", "\"ES256 \"", RG_E_AUTH},
	{'h', "alg", "\"HS512\"", RG_E_AUTH},
	{'h', "alg", "\"PS256\"", RG_E_AUTH},
	{'h', "alg", "{\"ES256\":1}", RG_E_AUTH},
	{'h', "alg", "true", RG_E_AUTH},
	// RFC 7516, 7518 4: the family of JWE
	{'h', "alg", "\"dir\"", RG_E_AUTH},
	{'h', "alg", "\"RSA1_5\"", RG_E_AUTH},
	{'h', "alg", "\"PBES2-HS256+A128KW\"", RG_E_AUTH},
	// 3.11: the kind of token
	{'h', "typ", "\"\"", RG_E_AUTH},
	{'h', "typ", "[\"at+jwt\"]", RG_E_AUTH},
	{'h', "typ", "\"id+jwt\"", RG_E_AUTH},
	{'h', "typ", "\"secevent+jwt\"", RG_E_AUTH},
	{'h', "typ", NULL, RG_E_AUTH},
	{'h', "typ", "\"JWT\"", RG_E_AUTH},
	{'h', "typ", "\"AT+JWT\"", RG_E_AUTH},
	{'h', "typ", "\"application/at+jwt\"", RG_E_AUTH},
	{'h', "typ", "1", RG_E_AUTH},
	// the key's name
	{'h', "kid", NULL, RG_E_AUTH},
	{'h', "kid", "\"\"", RG_E_STALE},
	{'h', "kid", "\"other\"", RG_E_STALE},
	{'h', "kid", "\"../../../../dev/null\"", RG_E_STALE},
	{'h', "kid", "\"' UNION SELECT 'x\"", RG_E_STALE},
	{'h', "kid", "[]", RG_E_AUTH},
	{'h', "kid", "1", RG_E_AUTH},
	{'h', "kid", "\"https://attacker.example/key\"", RG_E_STALE},
	{'h', "kid", "\"| cat /etc/passwd\"", RG_E_STALE},
	// RFC 7515 4.1.11
	{'h', "crit", "[\"exp\"]", RG_E_AUTH},
	{'h', "crit", "[]", RG_E_AUTH},
	{'h', "crit", "null", RG_E_AUTH},
	{'h', "crit", "[\"b64\"]", RG_E_AUTH},
	{'h', "b64", "false", RG_E_AUTH}, // RFC 7797
	{'h', "zip", "\"DEF\"", RG_E_AUTH},
	{'h', "cty", "\"JWT\"", RG_E_AUTH}, // a token in a token
	// looked at by nobody: neither fetched nor believed
	{'h', "jku", "\"https://attacker.example/jwks\"", 0},
	{'h', "x5u", "\"https://attacker.example/cert\"", 0},
	{'h', "x5c", "[\"MIIB\"]", 0},
	{'h', "jwk", "{\"kty\":\"EC\"}", 0},
	// 3.8, 3.9: issuer and audience
	{'c', "iss", NULL, RG_E_PROTO},
	{'c', "iss", "\"https://wwsf.example.net/\"", RG_E_AUTH},
	{'c', "iss", "\"HTTPS://wwsf.example.net\"", RG_E_AUTH},
	{'c', "iss", "[\"https://wwsf.example.net\"]", RG_E_PROTO},
	{'c', "aud", NULL, RG_E_PROTO},
	{'c', "aud", "\"other.example.net\"", RG_E_AUTH},
	{'c', "aud", "[\"ep-cscf.ims.example.net\"]", RG_E_PROTO},
	{'c', "aud", "[\"ep-cscf.ims.example.net\",\"other\"]", RG_E_PROTO},
	{'c', "aud", "\"\"", RG_E_PROTO},
	// the dates
	{'c', "exp", NULL, RG_E_PROTO},
	{'c', "exp", "\"1760003600\"", RG_E_PROTO},
	{'c', "exp", "1760003600.0", RG_E_PROTO},
	{'c', "exp", "1.7600036e9", RG_E_PROTO},
	{'c', "exp", "1e300", RG_E_PROTO},
	{'c', "exp", "-1", RG_E_PROTO},
	{'c', "exp", "0", RG_E_EXPIRED},
	{'c', "exp", "9007199254740993", RG_E_PROTO}, // 2^53 + 1
	{'c', "exp", "9223372036854775807", RG_E_PROTO},
	{'c', "exp", "null", RG_E_PROTO},
	{'c', "exp", "true", RG_E_PROTO},
	{'c', "exp", "[1760003600]", RG_E_PROTO},
	{'c', "exp", "1760000000", RG_E_EXPIRED}, // now: no leeway
	{'c', "exp", "1760000001", 0},
	{'c', "exp", "{}", RG_E_PROTO},
	{'c', "nbf", "1760000060", 0}, // the leeway
	{'c', "nbf", "-1", RG_E_PROTO},
	{'c', "iat", "1760000060", 0},
	{'c', "iat", "-1", RG_E_PROTO},
	{'c', "iat", "\"now\"", RG_E_PROTO},
	{'c', "sub", "{\"$ne\":1}", RG_E_PROTO}, // 3.10: nothing but a string is asked for
	{'c', "sub", "[\"u\"]", RG_E_PROTO},
	{'c', "jti", "\"\"", RG_E_PROTO},
	{'c', "nbf", NULL, RG_E_PROTO},
	{'c', "nbf", "1760000061", RG_E_AUTH},
	{'c', "nbf", "\"0\"", RG_E_PROTO},
	{'c', "iat", NULL, RG_E_PROTO},
	{'c', "iat", "1760000061", RG_E_AUTH},
	{'c', "iat", "1.5", RG_E_PROTO},
	// RFC 9068 2.2: what must be there
	{'c', "sub", NULL, RG_E_PROTO},
	{'c', "sub", "\"\"", RG_E_PROTO},
	{'c', "jti", NULL, RG_E_PROTO},
	{'c', "jti", "7", RG_E_PROTO},
	{'c', "client_id", NULL, RG_E_PROTO},
	// 3.12: good for something else
	{'c', "scope", NULL, RG_E_AUTH},
	{'c', "scope", "\"\"", RG_E_AUTH},
	{'c', "scope", "\"ims.registered\"", RG_E_AUTH},
	{'c', "scope", "\"ims\"", RG_E_AUTH},
	{'c', "scope", "[\"ims.register\"]", RG_E_AUTH},
	{'c', "scope", "\"openid ims.register\"", 0},
	{'c', "scope", "\"ims.register openid\"", 0},
	// the identity
	{'c', "ims", NULL, RG_E_PROTO},
	{'c', "ims", "[]", RG_E_PROTO},
	{'i', "impi", NULL, RG_E_PROTO},
	{'i', "impi", "\"\"", RG_E_PROTO},
	{'i', "impu", NULL, RG_E_PROTO},
	{'i', "impu", "[]", RG_E_PROTO},
	{'i', "impu", "\"sip:a@b\"", RG_E_PROTO},
	{'i', "impu", "[\"sip:a@b\",\"sip:c@d\"]", RG_E_PROTO},
	{'i', "impu", "[17]", RG_E_PROTO},
	{'i', "impu", "[\"\"]", RG_E_PROTO},
	{'i', "wwsf", NULL, RG_E_PROTO},
	{'i', "pool", NULL, RG_E_PROTO},
	{'i', "idx", NULL, RG_E_PROTO},
	{'i', "idx", "-1", RG_E_PROTO},
	{'i', "idx", "4294967295", RG_E_PROTO}, // RG_LEASE_NONE
	{'i', "idx", "4294967313", RG_E_PROTO}, // 2^32 + 17
	{'i', "idx", "17.0", RG_E_PROTO},
	{'i', "gen", NULL, RG_E_PROTO},
	{'i', "gen", "0", RG_E_PROTO},
	{'i', "gen", "\"42\"", RG_E_PROTO},
	{'i', "scn", "1", RG_E_PROTO},
	{'i', "scn", "65539", RG_E_PROTO},
};

START_TEST(changed_member) {
	const struct change *c = &changes[_i];
	json_t *header = good_header(), *payload = good_payload(), *obj;
	int rc;

	obj = c->where == 'h'   ? header
	      : c->where == 'c' ? payload
				: json_object_get(payload, "ims");
	if (c->value == NULL)
		json_object_del(obj, c->key);
	else
		json_object_set_new(obj, c->key, json_loads(c->value, JSON_DECODE_ANY, NULL));
	rc = verify(sign_json(header, payload));
	ck_assert_msg(rc == c->rc, "%s=%s: %d", c->key, c->value, rc);
}
END_TEST

// --- JSON that is none, or two things at once; signed all the same

static const struct {
	const char *header, *payload; // NULL: the good one
} texts[] = {
	{"", NULL},
	{"null", NULL},
	{"[]", NULL},
	{"\"ES256\"", NULL},
	{"{\"alg\":\"ES256\"", NULL},
	{"{\"alg\":\"none\",\"alg\":\"ES256\"}", NULL}, // duplicate members
	{"{'alg':'ES256'}", NULL},
	{"{\"alg\":\"ES256\",}", NULL},
	{"{\"alg\":\"ES256\"}{}", NULL},
	{"\xef\xbb\xbf{\"alg\":\"ES256\"}", NULL},          // BOM
	{"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", NULL},     // no UTF-8
	{"{\"alg\":\"ES256\",\"kid\":\"\xc0\x80\"}", NULL}, // overlong NUL
	{"{\"alg\":\"ES256\",\"kid\":\"a\\u0000b\"}", NULL},
	{"{\"alg\":\"ES256\",\"kid\":\"\\ud800\"}", NULL}, // half a surrogate pair
	{"{\0\"\0a\0", NULL},
	{NULL, ""},
	{NULL, "null"},
	{NULL, "[]"},
	{NULL, "{}"},
	{NULL, "{"},
	{NULL, "{\"exp\":9999999999,\"exp\":1}"},
	{NULL, "{\"exp\":NaN}"},
	{NULL, "{\"exp\":Infinity}"},
	{NULL, "{\"exp\":0x7fffffff}"},
	{NULL, "{\"exp\":1e999999}"},
	{NULL, "{\"exp\":99999999999999999999999999}"},
	{NULL, "{} x"},
	{NULL, "\xef\xbb\xbf{}"},        // BOM
	{NULL, "{\"sub\":\"\xff\"}"},    // no UTF-8
	{NULL, "{\"sub\":\"\\u0000\"}"}, // NUL
	{NULL, "{\"sub\":\"\\udc00\"}"}, // half a surrogate pair
	{NULL, "{\"exp\":1,}"},
	{NULL, "{\"exp\":01}"},
	{NULL, "{\"exp\":+1}"},
	{NULL, "{\"exp\":.5}"},
	{NULL, "{\"ims\":{\"gen\":1,\"gen\":2}}"}, // duplicate members within
	{NULL, "{}{}"},
	{NULL, "// x\n{}"},
};

START_TEST(bad_json) {
	char *h = dump(good_header());
	char *p = dump(good_payload());
	const char *header = texts[_i].header, *payload = texts[_i].payload;

	ck_assert_int_eq(verify(sign_texts(rg_str(header == NULL ? h : header),
					   rg_str(payload == NULL ? p : payload))),
			 RG_E_PROTO);
	free(h);
	free(p);
}
END_TEST

START_TEST(duplicate_claim) {
	char *h = dump(good_header());
	char *p = dump(good_payload()), text[2048];

	snprintf(text, sizeof(text), "{\"exp\":%d,%s", NOW + 9999, p + 1);
	ck_assert_int_eq(verify(sign_texts(rg_str(h), rg_str(text))), RG_E_PROTO);
	free(h);
	free(p);
}
END_TEST

START_TEST(deep_nesting) {
	char text[3000];

	memset(text, '[', sizeof(text));
	ck_assert_int_eq(verify(sign_texts(rg_slice(text, sizeof(text)), RG_LIT("{}"))),
			 RG_E_PROTO);
	for (size_t i = 0; i + 5 < sizeof(text); i += 5)
		memcpy(text + i, "{\"a\":", 5);
	ck_assert_int_eq(verify(sign_texts(rg_slice(text, sizeof(text)), RG_LIT("{}"))),
			 RG_E_PROTO);
}
END_TEST

// --- envelopes

static struct rg_slice text(const char *format, struct rg_slice t) {
	static char out[2 * RG_TOKEN_MAX];
	int n = snprintf(out, sizeof(out), format, (int)t.len, t.p);

	return rg_slice(out, (size_t)n);
}

START_TEST(bad_envelope) {
	struct rg_slice t = good_token();
	size_t sig = t.len - 86; // "." and 86 digits
	char copy[RG_TOKEN_MAX];

	memcpy(copy, t.p, t.len);
	ck_assert_int_eq(verify(text("%.*s", t)), 0);
	ck_assert_int_eq(verify(RG_LIT("")), RG_E_PROTO);
	ck_assert_int_eq(verify(RG_LIT("..")), RG_E_PROTO);
	ck_assert_int_eq(verify(RG_LIT("a.b")), RG_E_PROTO);
	ck_assert_int_eq(verify(text("%.*s.", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("%.*s.e30.e30", t)), RG_E_PROTO); // JWE has five parts
	ck_assert_int_eq(verify(text(".%.*s", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text(" %.*s", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("%.*s\n", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("%.*s=", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("%.*s==", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("{\"payload\":\"%.*s\"}", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(rg_slice(t.p, sig)), RG_E_PROTO); // no signature
	ck_assert_int_eq(verify(text("Bearer %.*s", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("\"%.*s\"", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("%.*s+/", t)), RG_E_PROTO); // the other alphabet
	ck_assert_int_eq(verify(text("%%65%.*s", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("\xef\xbb\xbf%.*s", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(text("%.*s\t", t)), RG_E_PROTO);
	ck_assert_int_eq(verify(rg_slice(t.p, sig - 1)), RG_E_PROTO);
	ck_assert_int_eq(verify(rg_slice(t.p, t.len - 1)), RG_E_PROTO);
	// The last digit has four unused bits: 'A' to 'D' would mean the same in sloppy readers.
	for (char c = 'B'; c <= 'D'; c++) {
		copy[t.len - 1] = c;
		ck_assert_int_ne(verify(rg_slice(copy, t.len)), 0);
	}
}
END_TEST

START_TEST(every_byte_counts) {
	struct rg_slice t = good_token();
	uint8_t copy[RG_TOKEN_MAX];

	memcpy(copy, t.p, t.len);
	for (size_t i = 0; i < t.len; i++) {
		copy[i] ^= 1;
		ck_assert_int_ne(token_verify(token_key_set(k), rg_slice(copy, t.len), ISS, AUD,
					      NOW, &(struct token_claims){0}),
				 0);
		copy[i] ^= 1;
	}
	ck_assert_int_eq(verify(rg_slice(copy, t.len)), 0);
}
END_TEST

START_TEST(every_prefix_is_bad) {
	struct rg_slice t = good_token();

	for (size_t i = 0; i < t.len; i++)
		ck_assert_int_ne(token_verify(token_key_set(k), rg_slice(t.p, i), ISS, AUD, NOW,
					      &(struct token_claims){0}),
				 0);
}
END_TEST

START_TEST(too_large) {
	memset(buf, 'A', sizeof(buf));
	ck_assert_int_eq(verify(rg_slice(buf, sizeof(buf))), RG_E_PROTO);
	ck_assert_int_eq(verify(rg_slice(buf, RG_TOKEN_MAX + 1)), RG_E_PROTO);
}
END_TEST

// --- signatures

// The good token with another signature.
static struct rg_slice resign(const uint8_t *sig, size_t len) {
	struct rg_slice t = good_token();
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	w.len = t.len - 86; // after the second dot
	rg_b64_put(&w, RG_B64_URL, rg_slice(sig, len));
	return rg_wr_slice(&w);
}

START_TEST(psychic_signatures) {
	// 0, 1, n, n + 1, all ones for r and for s
	static const char *const values[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000001",
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};

	for (unsigned r = 0; r < 5; r++)
		for (unsigned s = 0; s < 5; s++) {
			uint8_t sig[64];

			memcpy(sig, guard_hex(values[r]).p, 32);
			memcpy(sig + 32, guard_hex(values[s]).p, 32);
			ck_assert_int_eq(verify(resign(sig, 64)), RG_E_AUTH);
		}
}
END_TEST

static void sign_good(EVP_PKEY *pkey, uint8_t sig[64]) {
	struct rg_slice t = good_token();

	ck_assert_int_eq(es256_sign(pkey, rg_slice(t.p, t.len - 87), sig), 0);
}

START_TEST(signature_of_other_length) {
	static const size_t lens[] = {0, 1, 32, 63, 65, 66, 72, 96, 128};
	uint8_t sig[128] = {0};

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		sign_good(token_key_jws(k)->pkey, sig);
		ck_assert_int_ne(verify(resign(sig, lens[i])), 0);
	}
}
END_TEST

START_TEST(signature_in_der) {
	struct rg_slice t = good_token();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[80];
	size_t len = sizeof(der);

	EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, token_key_jws(k)->pkey);
	ck_assert_int_eq(EVP_DigestSign(ctx, der, &len, t.p, t.len - 87), 1);
	EVP_MD_CTX_free(ctx);
	ck_assert_int_ne(verify(resign(der, len)), 0);
}
END_TEST

// (r, n - s) verifies as well as (r, s), and would be a second text of the same token.
START_TEST(high_s) {
	static const char n_hex[] =
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
	struct rg_slice n = guard_hex(n_hex), t;
	uint8_t sig[64];
	int borrow = 0;

	t = good_token();
	ck_assert_int_eq(es256_sign(token_key_jws(k)->pkey, rg_slice(t.p, t.len - 87), sig), 0);
	for (int i = 31; i >= 0; i--) {
		int d = n.p[i] - sig[32 + i] - borrow;

		borrow = d < 0;
		sig[32 + i] = (uint8_t)d;
	}
	ck_assert_int_eq(es256_verify(token_key_jws(k)->pkey, rg_slice(t.p, t.len - 87), sig), 0);
	ck_assert_int_eq(verify(resign(sig, 64)), RG_E_AUTH);
}
END_TEST

START_TEST(key_of_somebody_else) {
	EVP_PKEY *other = EVP_EC_gen("P-256");
	uint8_t sig[64];

	sign_good(other, sig);
	ck_assert_int_eq(verify(resign(sig, 64)), RG_E_AUTH);
	EVP_PKEY_free(other);
}
END_TEST

// Keys that come with the token: by them it would verify.
START_TEST(key_in_header) {
	static const char *const members[] = {"jwk", "jku", "x5u", "x5c"};
	EVP_PKEY *attacker = EVP_EC_gen("P-256");
	struct jws_key key = {.alg = JWS_ES256, .pkey = attacker, .kid = "k"};
	json_t *header = good_header();
	struct rg_slice t;
	struct rg_wr w;
	uint8_t sig[64];

	if (_i == 0)
		json_object_set_new(header, members[_i], jwk_export(&key));
	else if (_i == 3)
		json_object_set_new(header, members[_i], json_pack("[s]", "MIIB"));
	else
		json_object_set_new(header, members[_i], json_string("https://attacker.example/"));
	t = sign_json(header, good_payload());
	ck_assert_int_eq(es256_sign(attacker, rg_slice(t.p, t.len - 87), sig), 0);
	w = rg_wr(buf, sizeof(buf));
	w.len = t.len - 86;
	rg_b64_put(&w, RG_B64_URL, rg_slice(sig, 64));
	ck_assert_int_eq(verify(rg_wr_slice(&w)), RG_E_AUTH);
	EVP_PKEY_free(attacker);
}
END_TEST

// RFC 8725 3.1: the public key as an HMAC secret
START_TEST(public_key_as_secret) {
	json_t *header = good_header();
	uint8_t *der = NULL, mac[EVP_MAX_MD_SIZE];
	int len = i2d_PUBKEY(token_key_jws(k)->pkey, &der);
	unsigned mac_len;
	struct rg_slice t;
	struct rg_wr w;

	json_object_set_new(header, "alg", json_string("HS256"));
	t = sign_json(header, good_payload());
	HMAC(EVP_sha256(), der, len, t.p, t.len - 87, mac, &mac_len);
	w = rg_wr(buf, sizeof(buf));
	w.len = t.len - 86;
	rg_b64_put(&w, RG_B64_URL, rg_slice(mac, mac_len));
	ck_assert_int_ne(verify(rg_wr_slice(&w)), 0);
	OPENSSL_free(der);
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_forged");
	TCase *tc = tcase_create("forged");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, good_token_is_good);
	tcase_add_loop_test(tc, changed_member, 0, sizeof(changes) / sizeof(*changes));
	tcase_add_loop_test(tc, bad_json, 0, sizeof(texts) / sizeof(*texts));
	tcase_add_test(tc, duplicate_claim);
	tcase_add_test(tc, deep_nesting);
	tcase_add_test(tc, bad_envelope);
	tcase_add_test(tc, every_byte_counts);
	tcase_add_test(tc, every_prefix_is_bad);
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, psychic_signatures);
	tcase_add_test(tc, signature_of_other_length);
	tcase_add_test(tc, signature_in_der);
	tcase_add_test(tc, high_s);
	tcase_add_test(tc, key_of_somebody_else);
	tcase_add_loop_test(tc, key_in_header, 0, 4);
	tcase_add_test(tc, public_key_as_secret);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
