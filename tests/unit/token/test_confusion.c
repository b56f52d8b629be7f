// SPDX-License-Identifier: BSD-3-Clause
// Keys and algorithms mixed up (RFC 8725 3.1, 3.2, 3.5; reliability.md 4). The claims are good and the
// key of the set is found by its name: what is signed with anything else than its own algorithm and its
// own key never passes.
#include <openssl/hmac.h>

#include "guard.h"
#include "tokens.h"

#define KID "k1"
#define N_RANDOM 20000

static const char payload[] =
	"{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"u\",\"client_id\":\"c\",\"jti\":\"j\","
	"\"iat\":1760000000,\"nbf\":1760000000,\"exp\":1760003600,\"scope\":\"ims.register\","
	"\"ims\":{\"impi\":\"a@b\",\"impu\":[\"sip:a@b\"],\"wwsf\":\"w\",\"pool\":\"p\",\"idx\":1,"
	"\"gen\":1,\"scn\":3}}";

static struct jws_key keys[JWS_N_ALGS]; // one of each

static void setup(void) {
	keys[JWS_ES256].pkey = EVP_EC_gen("P-256");
	keys[JWS_EDDSA].pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	keys[JWS_RS256].pkey = EVP_RSA_gen(2048);
	keys[JWS_PS256].pkey = EVP_RSA_gen(2048);
	memset(keys[JWS_HS256].secret, 0x5a, 32);
	keys[JWS_HS256].secret_len = 32;
	for (enum jws_alg a = 0; a < JWS_N_ALGS; a++) {
		keys[a].alg = a;
		strcpy(keys[a].kid, KID);
	}
}

static void teardown(void) {
	for (enum jws_alg a = 0; a < JWS_N_ALGS; a++)
		jws_key_fini(&keys[a]);
}

static size_t hmac(struct rg_slice secret, struct rg_slice in, uint8_t *sig) {
	unsigned len;

	ck_assert_ptr_nonnull(
		HMAC(EVP_sha256(), secret.p, (int)secret.len, in.p, in.len, sig, &len));
	return len;
}

static size_t sign(const struct jws_key *k, struct rg_slice in, uint8_t *sig) {
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = JWS_SIG_MAX;
	EVP_PKEY_CTX *pctx;

	if (k->alg == JWS_HS256)
		len = hmac(rg_slice(k->secret, k->secret_len), in, sig);
	else if (k->alg == JWS_ES256 || k->alg == JWS_EDDSA)
		ck_assert_int_eq(jws_key_sign(k, in, sig, &len), 0);
	else {
		EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, k->pkey);
		if (k->alg == JWS_PS256) {
			EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
			EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
		}
		ck_assert_int_eq(EVP_DigestSign(ctx, sig, &len, in.p, in.len), 1);
	}
	EVP_MD_CTX_free(ctx);
	return len;
}

static uint8_t token_bytes[RG_TOKEN_MAX];

// What is signed: header with alg, and the claims.
static struct rg_wr begin(const char *alg) {
	struct rg_wr w = rg_wr(token_bytes, sizeof(token_bytes));
	char header[128];

	snprintf(header, sizeof(header), "{\"typ\":\"at+jwt\",\"alg\":\"%s\",\"kid\":\"" KID "\"}",
		 alg);
	rg_b64_put(&w, RG_B64_URL, rg_str(header));
	rg_putc(&w, '.');
	rg_b64_put(&w, RG_B64_URL, rg_str(payload));
	return w;
}

static int verify(const struct jws_key *key, struct rg_wr *w, const uint8_t *sig, size_t len) {
	const struct jwk_set set = {(struct jws_key *)key, 1};
	struct token_claims c;
	int rc;

	rg_putc(w, '.');
	rg_b64_put(w, RG_B64_URL, rg_slice(sig, len));
	rc = token_verify(&set, guard_copy(rg_wr_slice(w)), ISS, AUD, NOW, &c);
	if (rc == 0)
		token_claims_free(&c);
	return rc;
}

// By the key of one algorithm, said to be of another, verified with the key of a third: only the
// diagonal passes.
START_TEST(every_mixture) {
	for (enum jws_alg said = 0; said < JWS_N_ALGS; said++) {
		for (enum jws_alg by = 0; by < JWS_N_ALGS; by++) {
			for (enum jws_alg with = 0; with < JWS_N_ALGS; with++) {
				bool is_good = said == by && by == with;
				struct rg_wr w = begin(jws_alg_name(said));
				uint8_t sig[JWS_SIG_MAX];
				size_t len = sign(&keys[by], rg_wr_slice(&w), sig);

				ck_assert_int_eq(verify(&keys[with], &w, sig, len),
						 is_good ? 0 : RG_E_AUTH);
			}
		}
	}
}
END_TEST

// A public key, as the attacker can write it down.
static struct rg_slice public_pem(EVP_PKEY *pkey) {
	static char text[2048];
	BIO *bio = BIO_new(BIO_s_mem());
	char *mem;
	long len;

	PEM_write_bio_PUBKEY(bio, pkey);
	len = BIO_get_mem_data(bio, &mem);
	memcpy(text, mem, (size_t)len);
	BIO_free(bio);
	return rg_slice(text, (size_t)len);
}

static struct rg_slice public_pem_trimmed(EVP_PKEY *pkey) {
	return rg_trim(public_pem(pkey));
}

static struct rg_slice public_der(EVP_PKEY *pkey) {
	static uint8_t der[2048];
	uint8_t *p = der;

	return rg_slice(der, (size_t)i2d_PUBKEY(pkey, &p));
}

static struct rg_slice public_jwk(EVP_PKEY *pkey) {
	static char text[2048];
	struct jws_key k = {.pkey = pkey, .kid = KID};
	json_t *jwk;

	ck_assert(jws_alg_of(pkey, &k.alg));
	jwk = jwk_export(&k);
	text[json_dumpb(jwk, text, sizeof(text) - 1, JSON_COMPACT)] = '\0';
	json_decref(jwk);
	return rg_str(text);
}

static struct rg_slice key_name(EVP_PKEY *) {
	return RG_LIT(KID);
}

static struct rg_slice nothing(EVP_PKEY *) {
	return RG_LIT("");
}

static const struct {
	const char *name;
	struct rg_slice (*secret)(EVP_PKEY *pkey);
} secrets[] = {
	{"PEM", public_pem}, {"PEM without newline", public_pem_trimmed},
	{"DER", public_der}, {"JWK", public_jwk},
	{"kid", key_name},   {"blank", nothing},
};

START_TEST(public_key_as_secret) {
	for (enum jws_alg a = JWS_ES256; a <= JWS_PS256; a++) {
		struct rg_wr w = begin("HS256");
		uint8_t sig[JWS_SIG_MAX];
		size_t len = hmac(secrets[_i].secret(keys[a].pkey), rg_wr_slice(&w), sig);

		ck_assert_msg(verify(&keys[a], &w, sig, len) == RG_E_AUTH, "%s", secrets[_i].name);
		// Said to be of the key's algorithm it is no signature either.
		w = begin(jws_alg_name(a));
		len = hmac(secrets[_i].secret(keys[a].pkey), rg_wr_slice(&w), sig);
		ck_assert_int_eq(verify(&keys[a], &w, sig, len), RG_E_AUTH);
	}
}
END_TEST

// Secrets that somebody guesses.
static const char *const guesses[] = {"",
				      "secret",
				      "password",
				      "changeme",
				      "your-256-bit-secret",
				      "00000000000000000000000000000000"};

START_TEST(guessed_secret) {
	struct rg_wr w = begin("HS256");
	uint8_t sig[JWS_SIG_MAX];
	size_t len = hmac(rg_str(guesses[_i]), rg_wr_slice(&w), sig);

	ck_assert_int_eq(verify(&keys[JWS_HS256], &w, sig, len), RG_E_AUTH);
}
END_TEST

// A part of a good signature, one with a tail, and none.
START_TEST(length_of_signature) {
	enum jws_alg a = (enum jws_alg)_i;
	uint8_t sig[JWS_SIG_MAX + 1] = {0}, bad[JWS_SIG_MAX + 1] = {0};
	struct rg_wr w = begin(jws_alg_name(a));
	size_t len = sign(&keys[a], rg_wr_slice(&w), sig);

	for (size_t n = 0; n <= len + 1; n++) {
		memcpy(bad, sig, sizeof(bad));
		w = begin(jws_alg_name(a));
		// RSA-PSS is salted and ES256 has a nonce, but what was signed is the same.
		ck_assert_int_eq(verify(&keys[a], &w, bad, n) == 0, n == len);
	}
}
END_TEST

// Ed25519 with S + L in place of S (RFC 8032 5.1.7), and with all-zero parts.
START_TEST(ed25519_malleability) {
	static const char order[] =
		"edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
	struct rg_wr w = begin("EdDSA");
	uint8_t sig[JWS_SIG_MAX], zero[64] = {0};
	size_t len = sign(&keys[JWS_EDDSA], rg_wr_slice(&w), sig);
	struct rg_slice l = guard_hex(order);
	unsigned carry = 0;

	ck_assert_uint_eq(len, 64);
	for (unsigned i = 0; i < 32; i++) {
		carry += (unsigned)sig[32 + i] + l.p[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	ck_assert_int_eq(verify(&keys[JWS_EDDSA], &w, sig, 64), RG_E_AUTH);
	w = begin("EdDSA");
	ck_assert_int_eq(verify(&keys[JWS_EDDSA], &w, zero, 64), RG_E_AUTH);
}
END_TEST

START_TEST(random_signatures) {
	uint64_t seed = 88172645463325252ULL;
	uint8_t sig[64];

	for (unsigned n = 0; n < N_RANDOM; n++) {
		struct rg_wr w = begin(n % 2 == 0 ? "EdDSA" : "HS256");

		for (unsigned i = 0; i < sizeof(sig); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			sig[i] = (uint8_t)(seed >> 32);
		}
		ck_assert_int_eq(verify(n % 2 == 0 ? &keys[JWS_EDDSA] : &keys[JWS_HS256], &w, sig,
					n % 2 == 0 ? 64 : 32),
				 RG_E_AUTH);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_confusion");
	TCase *tc = tcase_create("confusion");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_mixture);
	tcase_add_loop_test(tc, public_key_as_secret, 0, sizeof(secrets) / sizeof(*secrets));
	tcase_add_loop_test(tc, guessed_secret, 0, sizeof(guesses) / sizeof(*guesses));
	tcase_add_loop_test(tc, length_of_signature, 0, JWS_N_ALGS);
	tcase_add_test(tc, ed25519_malleability);
	tcase_add_test(tc, random_signatures);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
