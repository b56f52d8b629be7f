// SPDX-License-Identifier: BSD-3-Clause
// The record ciphers by the direct calls of libipsec-mb, for processors with AES and carry-less
// multiplication. Runs on a worker; never allocates, never fails but on a wrong tag.
#include <openssl/crypto.h>

#include "tls_int.h"

static bool is_tag(const uint8_t *tag, struct rg_slice rec) {
	return CRYPTO_memcmp(tag, rec.p + rec.len - TLS_TAG_LEN, TLS_TAG_LEN) == 0;
}

static bool aes128_seal(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce, uint8_t *rec,
			size_t n) {
	uint8_t *d = rec + TLS_HEADER_LEN;

	IMB_AES128_GCM_PRE(x->imb, key, &x->gcm_key);
	IMB_AES128_GCM_ENC(x->imb, &x->gcm_key, &x->gcm, d, d, n, nonce, rec, TLS_HEADER_LEN, d + n,
			   TLS_TAG_LEN);
	return true;
}

static bool aes128_open(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce,
			struct rg_slice rec, uint8_t *out) {
	uint8_t tag[TLS_TAG_LEN];

	IMB_AES128_GCM_PRE(x->imb, key, &x->gcm_key);
	IMB_AES128_GCM_DEC(x->imb, &x->gcm_key, &x->gcm, out, rec.p + TLS_HEADER_LEN,
			   rec.len - TLS_HEADER_LEN - TLS_TAG_LEN, nonce, rec.p, TLS_HEADER_LEN,
			   tag, TLS_TAG_LEN);
	return is_tag(tag, rec);
}

static bool aes256_seal(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce, uint8_t *rec,
			size_t n) {
	uint8_t *d = rec + TLS_HEADER_LEN;

	IMB_AES256_GCM_PRE(x->imb, key, &x->gcm_key);
	IMB_AES256_GCM_ENC(x->imb, &x->gcm_key, &x->gcm, d, d, n, nonce, rec, TLS_HEADER_LEN, d + n,
			   TLS_TAG_LEN);
	return true;
}

static bool aes256_open(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce,
			struct rg_slice rec, uint8_t *out) {
	uint8_t tag[TLS_TAG_LEN];

	IMB_AES256_GCM_PRE(x->imb, key, &x->gcm_key);
	IMB_AES256_GCM_DEC(x->imb, &x->gcm_key, &x->gcm, out, rec.p + TLS_HEADER_LEN,
			   rec.len - TLS_HEADER_LEN - TLS_TAG_LEN, nonce, rec.p, TLS_HEADER_LEN,
			   tag, TLS_TAG_LEN);
	return is_tag(tag, rec);
}

static bool chacha_seal(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce, uint8_t *rec,
			size_t n) {
	uint8_t *d = rec + TLS_HEADER_LEN;

	IMB_CHACHA20_POLY1305_INIT(x->imb, key, &x->chacha, nonce, rec, TLS_HEADER_LEN);
	IMB_CHACHA20_POLY1305_ENC_UPDATE(x->imb, key, &x->chacha, d, d, n);
	IMB_CHACHA20_POLY1305_ENC_FINALIZE(x->imb, &x->chacha, d + n, TLS_TAG_LEN);
	return true;
}

static bool chacha_open(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce,
			struct rg_slice rec, uint8_t *out) {
	uint8_t tag[TLS_TAG_LEN];

	IMB_CHACHA20_POLY1305_INIT(x->imb, key, &x->chacha, nonce, rec.p, TLS_HEADER_LEN);
	IMB_CHACHA20_POLY1305_DEC_UPDATE(x->imb, key, &x->chacha, out, rec.p + TLS_HEADER_LEN,
					 rec.len - TLS_HEADER_LEN - TLS_TAG_LEN);
	IMB_CHACHA20_POLY1305_DEC_FINALIZE(x->imb, &x->chacha, tag, TLS_TAG_LEN);
	return is_tag(tag, rec);
}

const struct tls_aead *tls_aead_imb(void) {
	static const struct tls_aead aeads[TLS_N_SUITES] = {
		[TLS_AES128] = {16, TLS_SHA256, aes128_seal, aes128_open},
		[TLS_AES256] = {32, TLS_SHA384, aes256_seal, aes256_open},
		[TLS_CHACHA] = {32, TLS_SHA256, chacha_seal, chacha_open},
	};

	return aeads;
}
