// SPDX-License-Identifier: BSD-3-Clause
// Traffic secrets to keys (RFC 8446 7.1, 7.2, 7.3). Runs on a worker, at the hand-over and at a
// KeyUpdate only: OpenSSL's HMAC allocates.
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "tls_int.h"

bool tls_expand_label(struct tls_crypt *x, enum tls_hash hash, const uint8_t *secret,
		      const char *label, uint8_t *out, size_t out_len) {
	size_t hash_len = tls_hash_len(hash);
	uint8_t info[64];
	uint8_t md[TLS_MAX_SECRET];
	struct rg_wr w = rg_wr(info, sizeof(info));
	size_t len;
	bool is_ok;

	// HkdfLabel, then the counter of HKDF-Expand: one block is enough for all we ask.
	rg_put_be(&w, out_len, 2);
	rg_put_be(&w, strlen("tls13 ") + strlen(label), 1);
	rg_puts(&w, "tls13 ");
	rg_puts(&w, label);
	rg_put_be(&w, 0, 1);
	rg_put_be(&w, 1, 1);
	is_ok = !w.overflow && out_len <= hash_len &&
		EVP_MAC_init(x->hmac[hash], secret, hash_len, NULL) == 1 &&
		EVP_MAC_update(x->hmac[hash], info, w.len) == 1 &&
		EVP_MAC_final(x->hmac[hash], md, &len, sizeof(md)) == 1;
	if (is_ok)
		memcpy(out, md, out_len);
	OPENSSL_cleanse(md, sizeof(md));
	return is_ok;
}

// The context would keep the last secret.
bool tls_crypt_forget(struct tls_crypt *x, enum tls_hash hash) {
	static const uint8_t zero[TLS_MAX_SECRET];
	bool is_ok = EVP_MAC_init(x->hmac[hash], zero, tls_hash_len(hash), NULL) == 1;

	ERR_clear_error();
	return is_ok;
}

static const struct tls_aead *aead_of(const struct tls_ctx *x, const struct tls_conn *c) {
	return &x->crypt->aeads[c->suite];
}

static uint8_t *secret_of(struct tls_ctx *x, const struct tls_conn *c, enum tls_dir dir) {
	union tls_secrets *s = &x->secrets[c->slot];

	return c->suite == TLS_AES128 ? s->secret[dir] : s->more->secret[dir];
}

const uint8_t *tls_key_of(const struct tls_ctx *x, const struct tls_conn *c, enum tls_dir dir) {
	return c->suite == TLS_AES128 ? c->key[dir] : x->secrets[c->slot].more->key[dir];
}

static bool derive(struct tls_ctx *x, struct tls_conn *c, enum tls_dir dir) {
	const struct tls_aead *a = aead_of(x, c);
	const uint8_t *secret = secret_of(x, c, dir);
	uint8_t *key = c->suite == TLS_AES128 ? c->key[dir] : x->secrets[c->slot].more->key[dir];

	c->seq[dir] = 0;
	return tls_expand_label(x->crypt, a->hash, secret, "key", key, a->key_len) &&
	       tls_expand_label(x->crypt, a->hash, secret, "iv", c->iv[dir], TLS_NONCE_LEN);
}

bool tls_keys_init(struct tls_ctx *x, struct tls_conn *c, const struct tls_handshake *h) {
	enum tls_hash hash = aead_of(x, c)->hash;
	bool is_ok = true;

	if (c->suite != TLS_AES128) {
		x->secrets[c->slot].more = OPENSSL_malloc(sizeof(struct tls_long));
		if (x->secrets[c->slot].more == NULL)
			return false;
	}
	for (int dir = 0; dir < TLS_N_DIRS; dir++) {
		memcpy(secret_of(x, c, dir), h->secret[dir], tls_hash_len(hash));
		is_ok = is_ok && derive(x, c, dir);
	}
	return tls_crypt_forget(x->crypt, hash) && is_ok;
}

bool tls_keys_update(struct tls_ctx *x, struct tls_conn *c, enum tls_dir dir) {
	enum tls_hash hash = aead_of(x, c)->hash;
	uint8_t *secret = secret_of(x, c, dir);
	bool is_ok = tls_expand_label(x->crypt, hash, secret, "traffic upd", secret,
				      tls_hash_len(hash)) &&
		     derive(x, c, dir);

	return tls_crypt_forget(x->crypt, hash) && is_ok;
}

void tls_keys_fini(struct tls_ctx *x, struct tls_conn *c) {
	union tls_secrets *s = &x->secrets[c->slot];

	if (c->suite != TLS_AES128)
		OPENSSL_clear_free(s->more, sizeof(*s->more));
	OPENSSL_cleanse(s, sizeof(*s));
}
