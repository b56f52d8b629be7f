// SPDX-License-Identifier: BSD-3-Clause
// The algorithms over OpenSSL, one row each.
#include "token/alg.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "regate/err.h"
#include "token/es256.h"

#define RSA_BITS_MIN 2048 // RFC 7518 3.3
#define RSA_BITS_MAX 4096 // more only costs whoever verifies
#define RSA_E_MIN 65537   // FIPS 186-5 5.4

static int verify_es256(const struct jws_key *k, struct rg_slice in, struct rg_slice sig) {
	return sig.len == ES256_SIG_LEN ? es256_verify(k->pkey, in, sig.p) : RG_E_AUTH;
}

// md NULL: the key's own (EdDSA); padding 0: none.
static int verify_evp(EVP_PKEY *pkey, const EVP_MD *md, int padding, struct rg_slice in,
		      struct rg_slice sig) {
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	int rc = RG_E_AUTH;

	if (ctx == NULL || EVP_DigestVerifyInit(ctx, &pctx, md, NULL, pkey) != 1)
		goto done;
	if (padding != 0 && EVP_PKEY_CTX_set_rsa_padding(pctx, padding) != 1)
		goto done;
	if (padding == RSA_PKCS1_PSS_PADDING && // RFC 7518 3.5: salt as long as the hash, MGF1 too
	    (EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) != 1 ||
	     EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, md) != 1))
		goto done;
	if (EVP_DigestVerify(ctx, sig.p, sig.len, in.p, in.len) == 1)
		rc = 0;
done:
	EVP_MD_CTX_free(ctx);
	return rc;
}

static int verify_eddsa(const struct jws_key *k, struct rg_slice in, struct rg_slice sig) {
	return verify_evp(k->pkey, NULL, 0, in, sig);
}

static int verify_rs256(const struct jws_key *k, struct rg_slice in, struct rg_slice sig) {
	return verify_evp(k->pkey, EVP_sha256(), RSA_PKCS1_PADDING, in, sig);
}

static int verify_ps256(const struct jws_key *k, struct rg_slice in, struct rg_slice sig) {
	return verify_evp(k->pkey, EVP_sha256(), RSA_PKCS1_PSS_PADDING, in, sig);
}

static int verify_hs256(const struct jws_key *k, struct rg_slice in, struct rg_slice sig) {
	uint8_t mac[32];
	unsigned len = 0;

	if (sig.len != sizeof(mac) ||
	    HMAC(EVP_sha256(), k->secret, (int)k->secret_len, in.p, in.len, mac, &len) == NULL)
		return RG_E_AUTH;
	return CRYPTO_memcmp(mac, sig.p, sizeof(mac)) == 0 ? 0 : RG_E_AUTH;
}

static int sign_es256(const struct jws_key *k, struct rg_slice in, uint8_t *sig, size_t *len) {
	*len = ES256_SIG_LEN;
	return es256_sign(k->pkey, in, sig);
}

static int sign_eddsa(const struct jws_key *k, struct rg_slice in, uint8_t *sig, size_t *len) {
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc = RG_E_AUTH;

	*len = JWS_SIG_MAX;
	if (ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
	    EVP_DigestSign(ctx, sig, len, in.p, in.len) == 1)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	return rc;
}

static const struct {
	const char *name;
	int (*verify)(const struct jws_key *k, struct rg_slice in, struct rg_slice sig);
	int (*sign)(const struct jws_key *k, struct rg_slice in, uint8_t *sig, size_t *len);
} algs[JWS_N_ALGS] = {
	[JWS_ES256] = {"ES256", verify_es256, sign_es256},
	[JWS_EDDSA] = {"EdDSA", verify_eddsa, sign_eddsa},
	[JWS_RS256] = {"RS256", verify_rs256, NULL},
	[JWS_PS256] = {"PS256", verify_ps256, NULL},
	[JWS_HS256] = {"HS256", verify_hs256, NULL},
};

const char *jws_alg_name(enum jws_alg alg) {
	return algs[alg].name;
}

bool jws_alg_find(const char *name, enum jws_alg *out) {
	for (enum jws_alg a = 0; a < JWS_N_ALGS; a++) {
		if (strcmp(algs[a].name, name) == 0) {
			*out = a;
			return true;
		}
	}
	return false;
}

// CVE-2017-15361: primes of the form k M + 65537^a mod M give a modulus that is a power of 65537 modulo
// every small prime; one in 2^27 others is, too.
static bool is_roca(const BIGNUM *n) {
	static const uint8_t primes[] = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,
					 37,  41,  43,  47,  53,  59,  61,  67,  71,  73,
					 79,  83,  89,  97,  101, 103, 107, 109, 113, 127,
					 131, 137, 139, 149, 151, 157, 163, 167};

	for (size_t i = 0; i < sizeof(primes); i++) {
		unsigned p = primes[i], rest = (unsigned)BN_mod_word(n, p), power = 1;

		do
			power = power * 65537 % p;
		while (power != rest && power != 1);
		if (power != rest)
			return false;
	}
	return true;
}

static bool is_good_rsa(const EVP_PKEY *pkey) {
	int bits = EVP_PKEY_get_bits(pkey);
	BIGNUM *n = NULL, *e = NULL;
	bool is_good = bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX &&
		       EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
		       EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
		       BN_is_odd(n) && BN_is_odd(e) && BN_num_bits(e) <= 64 &&
		       (BN_num_bits(e) > 17 || BN_get_word(e) >= RSA_E_MIN) && !is_roca(n);

	BN_free(n);
	BN_free(e);
	return is_good;
}

bool jws_alg_of(const EVP_PKEY *pkey, enum jws_alg *out) {
	if (es256_is_p256(pkey))
		*out = JWS_ES256;
	else if (EVP_PKEY_is_a(pkey, "ED25519"))
		*out = JWS_EDDSA;
	else if (EVP_PKEY_is_a(pkey, "RSA") && is_good_rsa(pkey))
		*out = JWS_RS256;
	else
		return false;
	return true;
}

bool jws_alg_fits(const EVP_PKEY *pkey, enum jws_alg alg) {
	enum jws_alg own;

	return jws_alg_of(pkey, &own) && (own == alg || (own == JWS_RS256 && alg == JWS_PS256));
}

int jws_key_sign(const struct jws_key *k, struct rg_slice in, uint8_t sig[JWS_SIG_MAX],
		 size_t *len) {
	return algs[k->alg].sign == NULL ? RG_E_UNSUPPORTED : algs[k->alg].sign(k, in, sig, len);
}

int jws_key_verify(const struct jws_key *k, struct rg_slice in, struct rg_slice sig) {
	return algs[k->alg].verify(k, in, sig);
}

void jws_key_fini(struct jws_key *k) {
	EVP_PKEY_free(k->pkey);
	explicit_bzero(k, sizeof(*k));
}
