// SPDX-License-Identifier: BSD-3-Clause
// ES256 over OpenSSL, which speaks DER where JWS speaks r || s. OpenSSL refuses r and s outside
// 1..n-1 when it verifies ("psychic" signatures). Signing goes by the calls without EVP, which spare a
// sixth: EVP makes contexts and DER on the way.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "token/es256.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/sha.h>

#include "regate/err.h"

// n and n / 2 of P-256 (FIPS 186-4 D.1.2.3)
static const uint8_t order[ES256_COORD_LEN] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
					       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					       0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
					       0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t half_order[ES256_COORD_LEN] = {0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00,
						    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
						    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42,
						    0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

bool es256_is_low_s(const uint8_t sig[ES256_SIG_LEN]) {
	return memcmp(sig + ES256_COORD_LEN, half_order, ES256_COORD_LEN) <= 0;
}

// s becomes n - s
static void negate_s(uint8_t s[ES256_COORD_LEN]) {
	int borrow = 0;

	for (size_t i = ES256_COORD_LEN; i-- > 0;) {
		int d = order[i] - s[i] - borrow;

		borrow = d < 0;
		s[i] = (uint8_t)(d & 0xff);
	}
}

int es256_sign(EVP_PKEY *key, struct rg_slice in, uint8_t sig[ES256_SIG_LEN]) {
	uint8_t hash[SHA256_DIGEST_LENGTH];
	const EC_KEY *ec = EVP_PKEY_get0_EC_KEY(key); // made once, then kept with the key
	ECDSA_SIG *es = NULL;
	SHA256_CTX sha;
	bool is_ok;

	if (ec != NULL && SHA256_Init(&sha) == 1 && SHA256_Update(&sha, in.p, in.len) == 1 &&
	    SHA256_Final(hash, &sha) == 1)
		es = ECDSA_do_sign(hash, sizeof(hash), (EC_KEY *)ec);
	is_ok = es != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(es), sig, ES256_COORD_LEN) > 0 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(es), sig + ES256_COORD_LEN, ES256_COORD_LEN) > 0;
	ECDSA_SIG_free(es);
	if (is_ok && !es256_is_low_s(sig))
		negate_s(sig + ES256_COORD_LEN);
	return is_ok ? 0 : RG_E_AUTH;
}

// malloc'd by OpenSSL; NULL without memory
static uint8_t *raw_to_der(const uint8_t sig[ES256_SIG_LEN], int *len) {
	ECDSA_SIG *es = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, ES256_COORD_LEN, NULL);
	BIGNUM *s = BN_bin2bn(sig + ES256_COORD_LEN, ES256_COORD_LEN, NULL);
	uint8_t *der = NULL;

	if (es == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(es, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else {
		*len = i2d_ECDSA_SIG(es, &der);
	}
	ECDSA_SIG_free(es);
	return der;
}

int es256_verify(EVP_PKEY *key, struct rg_slice in, const uint8_t sig[ES256_SIG_LEN]) {
	int len = 0;
	uint8_t *der = raw_to_der(sig, &len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc = RG_E_AUTH;

	if (der != NULL && len > 0 && ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, der, (size_t)len, in.p, in.len) == 1)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	return rc;
}

bool es256_is_p256(const EVP_PKEY *key) {
	char name[32];
	size_t len;

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, name, sizeof(name), &len) == 1 &&
	       strcmp(name, "prime256v1") == 0;
}

static int coordinate(const EVP_PKEY *key, const char *name, uint8_t out[ES256_COORD_LEN]) {
	BIGNUM *bn = NULL;
	bool is_ok = EVP_PKEY_get_bn_param(key, name, &bn) == 1 &&
		     BN_bn2binpad(bn, out, ES256_COORD_LEN) > 0;

	BN_free(bn);
	return is_ok ? 0 : RG_E_AUTH;
}

int es256_public(const EVP_PKEY *key, uint8_t x[ES256_COORD_LEN], uint8_t y[ES256_COORD_LEN]) {
	int rc = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, x);

	return rc != 0 ? rc : coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, y);
}
