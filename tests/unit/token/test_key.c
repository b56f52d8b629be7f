// SPDX-License-Identifier: BSD-3-Clause
// Keys that are taken and keys that are refused.
#include <unistd.h>

#include "tokens.h"

START_TEST(thumbprint_is_rfc_7638) {
	struct token_key *k = key_new();
	uint8_t x[32], y[32], sha[32];
	char jwk[256], text[64];
	struct rg_wr w = rg_wr(jwk, sizeof(jwk));

	ck_assert_int_eq(es256_public(token_key_jws(k)->pkey, x, y), 0);
	rg_puts(&w, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
	rg_b64_put(&w, RG_B64_URL, rg_slice(x, 32));
	rg_puts(&w, "\",\"y\":\"");
	rg_b64_put(&w, RG_B64_URL, rg_slice(y, 32));
	rg_puts(&w, "\"}");
	EVP_Digest(jwk, w.len, sha, NULL, EVP_sha256(), NULL);
	w = rg_wr(text, sizeof(text));
	rg_b64_put(&w, RG_B64_URL, rg_slice(sha, 32));
	ck_assert(rg_eq(rg_str(token_key_kid(k)), rg_wr_slice(&w)));
	token_key_free(k);
}
END_TEST

static void refuse(const char *pem, const char *text) {
	char err[256] = "";

	ck_assert_ptr_null(token_key_parse("k.pem", rg_str(pem), err, sizeof(err)));
	ck_assert_msg(strstr(err, "k.pem: ") == err && strstr(err, text) != NULL, "%s", err);
	ck_assert_ptr_null(strchr(err, '\n'));
}

START_TEST(other_keys_are_refused) {
	EVP_PKEY *p256 = EVP_EC_gen("P-256"), *p384 = EVP_EC_gen("P-384");
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
	EVP_PKEY *others[] = {p384, rsa, ed448};
	char *pem = pem_of(p256, "secret");

	refuse(pem, "not an unencrypted PEM private key"); // and no prompt
	free(pem);
	refuse("", "not an unencrypted PEM private key");
	refuse("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	       "not an unencrypted PEM private key");
	for (size_t i = 0; i < 3; i++) {
		pem = pem_of(others[i], NULL);
		refuse(pem, "not an EC P-256 or Ed25519 key");
		free(pem);
		EVP_PKEY_free(others[i]);
	}
	EVP_PKEY_free(p256);
}
END_TEST

START_TEST(key_from_a_file) {
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	char *pem = pem_of(pkey, NULL), path[] = "/tmp/token_key.XXXXXX", err[256];
	int fd = mkstemp(path);
	struct token_key *k;

	ck_assert_int_eq(write(fd, pem, strlen(pem)), (ssize_t)strlen(pem));
	close(fd);
	k = token_key_load(path, err, sizeof(err));
	ck_assert_ptr_nonnull(k);
	ck_assert_uint_eq(strlen(token_key_kid(k)), 43);
	unlink(path);
	ck_assert_ptr_null(token_key_load(path, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, path));
	token_key_free(k);
	token_key_free(NULL);
	free(pem);
	EVP_PKEY_free(pkey);
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_key");
	TCase *tc = tcase_create("key");

	tcase_add_test(tc, thumbprint_is_rfc_7638);
	tcase_add_test(tc, other_keys_are_refused);
	tcase_add_test(tc, key_from_a_file);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
