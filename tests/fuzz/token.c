// SPDX-License-Identifier: BSD-3-Clause
// Tokens. The input as a token never verifies, since its maker has no key; as base64url it decodes to
// one byte string, which has one text; as a key set what is taken comes out as it went in; as the claims under a good signature it is taken only when
// what was read makes a good token again.
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "fuzz.h"
#include "regate/base64.h"
#include "token/jws.h"
#include "token/key.h"

#define NOW 1760000000
#define ISS "https://wwsf.example.net"
#define AUD "ep-cscf.ims.example.net"

static const struct token_key *key(void) {
	static struct token_key *k;
	EVP_PKEY *pkey;
	char *mem, err[256];
	BIO *bio;
	long n;

	if (k != NULL)
		return k;
	pkey = EVP_EC_gen("P-256");
	bio = BIO_new(BIO_s_mem());
	FUZZ_CHECK(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1);
	n = BIO_get_mem_data(bio, &mem);
	k = token_key_parse("fuzz", rg_slice(mem, (size_t)n), err, sizeof(err));
	FUZZ_CHECK(k != NULL);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return k;
}

static void check_text(struct rg_slice in) {
	static uint8_t bytes[RG_TOKEN_MAX], text[2 * RG_TOKEN_MAX];
	struct rg_wr w = rg_wr(text, sizeof(text));
	struct token_claims c;
	size_t n;
	int rc = token_verify(token_key_set(key()), in, ISS, AUD, NOW, &c);

	FUZZ_CHECK(rc == RG_E_PROTO || rc == RG_E_AUTH || rc == RG_E_STALE);
	if (rg_b64_read(in, RG_B64_URL, bytes, sizeof(bytes), &n) != RG_OK)
		return;
	rg_b64_put(&w, RG_B64_URL, rg_slice(bytes, n));
	FUZZ_CHECK(rg_eq(rg_wr_slice(&w), in));
}

static void check_claims(struct rg_slice in) {
	static uint8_t token[2 * RG_TOKEN_MAX];
	static const uint8_t jti[16];
	struct rg_wr w = rg_wr(token, RG_TOKEN_MAX);
	struct token_claims c, back;
	int rc = jws_sign(token_key_jws(key()), token_key_header(key()), in, &w);

	if (rc != RG_OK)
		return;
	rc = token_verify(token_key_set(key()), fuzz_guard(1, rg_wr_slice(&w)), ISS, AUD, NOW, &c);
	FUZZ_CHECK(rc == RG_OK || rc == RG_E_PROTO || rc == RG_E_AUTH || rc == RG_E_EXPIRED);
	if (rc != RG_OK)
		return;
	FUZZ_CHECK(strcmp(c.iss, ISS) == 0 && strcmp(c.aud, AUD) == 0 && c.exp > NOW);
	w = rg_wr(token, sizeof(token));
	if (token_issue(key(), &c, jti, &w) != RG_OK) { // longer than one may be
		token_claims_free(&c);
		return;
	}
	FUZZ_CHECK(token_verify(token_key_set(key()), rg_wr_slice(&w), ISS, AUD, NOW, &back) ==
		   RG_OK);
	FUZZ_CHECK(strcmp(c.sub, back.sub) == 0 && strcmp(c.impi, back.impi) == 0 &&
		   strcmp(c.impu, back.impu) == 0 && c.exp == back.exp && c.idx == back.idx &&
		   c.gen == back.gen && c.scenario == back.scenario);
	token_claims_free(&back);
	token_claims_free(&c);
}

static void check_keys(struct rg_slice in) {
	struct jwk_set set = {0};
	struct jws_key back;
	char err[256];
	json_t *jwk;

	if (jwk_set_parse(in, true, &set, err, sizeof(err)) != RG_OK)
		return;
	FUZZ_CHECK(set.n > 0);
	for (size_t i = 0; i < set.n; i++) {
		FUZZ_CHECK(jwk_set_find(&set, set.keys[i].kid) == &set.keys[i]);
		jwk = jwk_export(&set.keys[i]);
		FUZZ_CHECK((jwk == NULL) == (set.keys[i].alg == JWS_HS256));
		if (jwk == NULL)
			continue;
		FUZZ_CHECK(jwk_import(jwk, false, &back) == RG_OK);
		FUZZ_CHECK(back.alg == set.keys[i].alg && strcmp(back.kid, set.keys[i].kid) == 0 &&
			   EVP_PKEY_eq(back.pkey, set.keys[i].pkey) == 1);
		jws_key_fini(&back);
		json_decref(jwk);
	}
	jwk_set_fini(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct rg_slice in;

	if (len > RG_TOKEN_MAX + 100)
		return 0;
	in = fuzz_guard(0, rg_slice(p, len));
	check_text(in);
	check_claims(in);
	check_keys(in);
	return 0;
}
