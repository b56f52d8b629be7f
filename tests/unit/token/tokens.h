// SPDX-License-Identifier: BSD-3-Clause
// A key and a good token for the token tests.
#pragma once

#include <check.h>
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "regate/base64.h"
#include "regate/err.h"
#include "regate/token.h"
#include "token/es256.h"
#include "token/jws.h"
#include "token/key.h"
#include "token/token.h"

#define NOW 1760000000
#define ISS "https://wwsf.example.net"
#define AUD "ep-cscf.ims.example.net"

// PEM of a private key, malloc'd.
static inline char *pem_of(EVP_PKEY *pkey, const char *password) {
	BIO *bio = BIO_new(BIO_s_mem());
	char *mem, *text;
	long len;

	ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(
				 bio, pkey, password == NULL ? NULL : EVP_aes_128_cbc(), password,
				 password == NULL ? 0 : (int)strlen(password), NULL, NULL),
			 1);
	len = BIO_get_mem_data(bio, &mem);
	text = strndup(mem, (size_t)len);
	BIO_free(bio);
	return text;
}

static inline struct token_key *key_new(void) {
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	char *pem = pem_of(pkey, NULL), err[256];
	struct token_key *k = token_key_parse("test", rg_str(pem), err, sizeof(err));

	ck_assert_msg(k != NULL, "%s", err);
	free(pem);
	EVP_PKEY_free(pkey);
	return k;
}

static inline struct token_claims good_claims(void) {
	return (struct token_claims){.iss = ISS,
				     .aud = AUD,
				     .sub = "anon-7f3c",
				     .impi = "pool-00017@ims.example.net",
				     .impu = "sip:pool-00017@ims.example.net",
				     .wwsf = "wwsf-a",
				     .pool = "p1",
				     .iat = NOW,
				     .nbf = NOW,
				     .exp = NOW + 3600,
				     .idx = 17,
				     .gen = 42,
				     .scenario = 3};
}

static inline int run_suite(Suite *s) {
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
