// SPDX-License-Identifier: BSD-3-Clause
#include "wire.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <stdlib.h>

#include "guard.h"
#include "peer.h"

static void expand(const struct wire_key *k, const char *label, uint8_t *out, size_t out_len) {
	uint8_t info[64] = {0, (uint8_t)out_len, (uint8_t)(6 + strlen(label))};
	size_t info_len = 3 + 6 + strlen(label) + 1;
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	uint8_t secret[48];
	OSSL_PARAM params[] = {
		OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)k->hash, 6),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, secret, k->hash_len),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, info, info_len),
		OSSL_PARAM_END,
	};

	memcpy(secret, k->secret, k->hash_len);
	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	if (EVP_KDF_derive(ctx, out, out_len, params) != 1)
		abort();
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

void wire_derive(struct wire_key *k) {
	expand(k, "key", k->key, k->key_len);
	expand(k, "iv", k->iv, sizeof(k->iv));
	k->seq = 0;
}

void wire_update(struct wire_key *k) {
	uint8_t next[48];

	expand(k, "traffic upd", next, k->hash_len);
	memcpy(k->secret, next, k->hash_len);
	wire_derive(k);
}

struct wire *wire_new(struct tls_ctx *ctx, int combo) {
	static const struct wire_key kinds[TLS_N_SUITES] = {
		{.cipher = "AES-128-GCM", .hash = "SHA256", .hash_len = 32, .key_len = 16},
		{.cipher = "AES-256-GCM", .hash = "SHA384", .hash_len = 48, .key_len = 32},
		{.cipher = "ChaCha20-Poly1305", .hash = "SHA256", .hash_len = 32, .key_len = 32},
	};
	const enum tls_suite suite = (enum tls_suite)(combo % TLS_N_SUITES);
	struct tls_handshake h = {0};
	struct wire *w = calloc(1, sizeof(*w));

	w->ctx = ctx;
	w->server = &w->conn;
	tls_conn_init(w->server, slot_take());
	if (combo >= TLS_N_SUITES || ctx->crypt->imb == NULL)
		ctx->crypt->aeads = tls_aead_evp();
	for (int dir = 0; dir < TLS_N_DIRS; dir++) {
		w->keys[dir] = kinds[suite];
		for (size_t i = 0; i < sizeof(h.secret[dir]); i++)
			h.secret[dir][i] = (uint8_t)(i * 7 + (size_t)dir * 100 + suite + 1);
		memcpy(w->keys[dir].secret, h.secret[dir], kinds[suite].hash_len);
		wire_derive(&w->keys[dir]);
	}
	w->server->suite = suite;
	w->server->is_established = true;
	if (!tls_keys_init(ctx, w->server, &h))
		abort();
	return w;
}

void wire_free(struct wire *w) {
	tls_conn_fini(w->ctx, w->server);
	free(w);
}

static void take_plain(void *arg, struct rg_slice d) {
	struct wire *w = arg;

	if (d.len > sizeof(w->plain) - w->n_plain)
		abort();
	memcpy(w->plain + w->n_plain, d.p, d.len);
	w->n_plain += d.len;
	w->n_plain_calls++;
}

static int take_cipher(void *arg, struct rg_slice d) {
	struct wire *w = arg;

	if (w->n_refuse > 0 && --w->n_refuse == 0)
		return -1;
	if (d.len > sizeof(w->cipher) - w->n_cipher)
		abort();
	memcpy(w->cipher + w->n_cipher, d.p, d.len);
	w->n_cipher += d.len;
	return 0;
}

static uint32_t source_of(void *arg) {
	return ((struct wire *)arg)->source;
}

struct tls_sink wire_sink(struct wire *w) {
	return (struct tls_sink){w, take_plain, take_cipher, source_of};
}

static EVP_CIPHER_CTX *begin(struct wire_key *k, const uint8_t *header, bool is_seal) {
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, k->cipher, NULL);
	EVP_CIPHER_CTX *e = EVP_CIPHER_CTX_new();
	uint8_t nonce[12];
	int n;

	memcpy(nonce, k->iv, sizeof(nonce));
	for (int i = 0; i < 4; i++)
		nonce[11 - i] ^= (uint8_t)(k->seq >> (8 * i));
	k->seq++;
	if (EVP_CipherInit_ex2(e, cipher, k->key, nonce, is_seal, NULL) != 1 ||
	    EVP_CipherUpdate(e, NULL, &n, header, 5) != 1)
		abort();
	EVP_CIPHER_free(cipher);
	return e;
}

size_t wire_seal_inner(struct wire_key *k, struct rg_slice inner, uint8_t *out) {
	EVP_CIPHER_CTX *e;
	int n = 0;

	memcpy(out,
	       (uint8_t[]){23, 3, 3, (uint8_t)((inner.len + 16) >> 8), (uint8_t)(inner.len + 16)},
	       5);
	e = begin(k, out, true);
	if ((inner.len > 0 && EVP_CipherUpdate(e, out + 5, &n, inner.p, (int)inner.len) != 1) ||
	    EVP_CipherFinal_ex(e, out + 5 + n, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(e, EVP_CTRL_AEAD_GET_TAG, 16, out + 5 + inner.len) != 1)
		abort();
	EVP_CIPHER_CTX_free(e);
	return 5 + inner.len + 16;
}

size_t wire_seal(struct wire_key *k, uint8_t type, struct rg_slice d, size_t n_padding,
		 uint8_t *out) {
	static uint8_t inner[WIRE_MAX];

	if (d.len > 0)
		memcpy(inner, d.p, d.len);
	inner[d.len] = type;
	memset(inner + d.len + 1, 0, n_padding);
	return wire_seal_inner(k, rg_slice(inner, d.len + 1 + n_padding), out);
}

int wire_send(struct wire *w, uint8_t type, struct rg_slice d) {
	static uint8_t rec[WIRE_MAX];
	const struct tls_sink sink = wire_sink(w);

	return tls_input(w->ctx, w->server,
			 rg_slice(rec, wire_seal(&w->keys[TLS_RD], type, d, 0, rec)), &sink);
}

int wire_input(struct wire *w, const void *p, size_t len) {
	const struct tls_sink sink = wire_sink(w);

	return tls_input(w->ctx, w->server, guard_copy(rg_slice(p, len)), &sink);
}

int wire_output(struct wire *w, const void *p, size_t len) {
	const struct tls_sink sink = wire_sink(w);

	return tls_write(w->ctx, w->server, rg_slice(p, len), &sink);
}

int wire_send_update(struct wire *w, bool is_request) {
	int rc = wire_send(w, 22,
			   is_request ? RG_LIT("\x18\0\0\x01\x01") : RG_LIT("\x18\0\0\x01\0"));

	wire_update(&w->keys[TLS_RD]);
	return rc;
}

int wire_next(struct wire *w, struct rg_slice *d) {
	static uint8_t inner[WIRE_MAX];
	size_t n = (size_t)w->cipher[3] << 8 | w->cipher[4];
	EVP_CIPHER_CTX *e;
	int len = 0;
	bool is_ok;

	if (w->n_cipher == 0)
		return -1;
	e = begin(&w->keys[TLS_WR], w->cipher, false);
	is_ok = memcmp(w->cipher, "\x17\x03\x03", 3) == 0 && n > 16 && w->n_cipher >= 5 + n &&
		EVP_CIPHER_CTX_ctrl(e, EVP_CTRL_AEAD_SET_TAG, 16, w->cipher + 5 + n - 16) == 1 &&
		EVP_CipherUpdate(e, inner, &len, w->cipher + 5, (int)n - 16) == 1 &&
		EVP_CipherFinal_ex(e, inner + len, &len) == 1;
	EVP_CIPHER_CTX_free(e);
	if (!is_ok)
		return -2;
	w->n_cipher -= 5 + n;
	memmove(w->cipher, w->cipher + 5 + n, w->n_cipher);
	*d = rg_slice(inner, n - 17);
	return inner[n - 17];
}

int wire_alert(struct wire *w) {
	struct rg_slice d = {0};
	int last = -1;

	for (int type; (type = wire_next(w, &d)) != -1;) {
		if (type == -2)
			return -2;
		last = type == 21 && d.len == 2 && d.p[0] == 2 ? d.p[1] : -1;
	}
	return last;
}
