// SPDX-License-Identifier: BSD-3-Clause
// The record ciphers by OpenSSL's EVP, for processors that libipsec-mb does not serve. Runs on a
// worker; the contexts are the worker's and take a new key for each record, without allocating.
#include "tls_int.h"

static bool seal(EVP_CIPHER_CTX *e, const uint8_t *key, const uint8_t *nonce, uint8_t *rec,
		 size_t n) {
	uint8_t *d = rec + TLS_HEADER_LEN;
	int len;

	return EVP_EncryptInit_ex(e, NULL, NULL, key, nonce) == 1 &&
	       EVP_EncryptUpdate(e, NULL, &len, rec, TLS_HEADER_LEN) == 1 &&
	       EVP_EncryptUpdate(e, d, &len, d, (int)n) == 1 &&
	       EVP_EncryptFinal_ex(e, d + n, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(e, EVP_CTRL_AEAD_GET_TAG, TLS_TAG_LEN, d + n) == 1;
}

// The comparison of the tags is OpenSSL's, in constant time.
static bool open_record(EVP_CIPHER_CTX *e, const uint8_t *key, const uint8_t *nonce,
			struct rg_slice rec, uint8_t *out) {
	size_t n = rec.len - TLS_HEADER_LEN - TLS_TAG_LEN;
	uint8_t tag[TLS_TAG_LEN];
	int len;

	memcpy(tag, rec.p + rec.len - TLS_TAG_LEN, TLS_TAG_LEN);
	return EVP_DecryptInit_ex(e, NULL, NULL, key, nonce) == 1 &&
	       EVP_DecryptUpdate(e, NULL, &len, rec.p, TLS_HEADER_LEN) == 1 &&
	       EVP_DecryptUpdate(e, out, &len, rec.p + TLS_HEADER_LEN, (int)n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(e, EVP_CTRL_AEAD_SET_TAG, TLS_TAG_LEN, tag) == 1 &&
	       EVP_DecryptFinal_ex(e, out + n, &len) == 1;
}

static bool aes128_seal(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce, uint8_t *rec,
			size_t n) {
	return seal(x->evp[TLS_AES128][TLS_WR], key, nonce, rec, n);
}

static bool aes128_open(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce,
			struct rg_slice rec, uint8_t *out) {
	return open_record(x->evp[TLS_AES128][TLS_RD], key, nonce, rec, out);
}

static bool aes256_seal(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce, uint8_t *rec,
			size_t n) {
	return seal(x->evp[TLS_AES256][TLS_WR], key, nonce, rec, n);
}

static bool aes256_open(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce,
			struct rg_slice rec, uint8_t *out) {
	return open_record(x->evp[TLS_AES256][TLS_RD], key, nonce, rec, out);
}

static bool chacha_seal(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce, uint8_t *rec,
			size_t n) {
	return seal(x->evp[TLS_CHACHA][TLS_WR], key, nonce, rec, n);
}

static bool chacha_open(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce,
			struct rg_slice rec, uint8_t *out) {
	return open_record(x->evp[TLS_CHACHA][TLS_RD], key, nonce, rec, out);
}

const struct tls_aead *tls_aead_evp(void) {
	static const struct tls_aead aeads[TLS_N_SUITES] = {
		[TLS_AES128] = {16, TLS_SHA256, aes128_seal, aes128_open},
		[TLS_AES256] = {32, TLS_SHA384, aes256_seal, aes256_open},
		[TLS_CHACHA] = {32, TLS_SHA256, chacha_seal, chacha_open},
	};

	return aeads;
}
