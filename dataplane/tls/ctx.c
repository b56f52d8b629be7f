// SPDX-License-Identifier: BSD-3-Clause
// TLS context of one worker: its memory, crypto and first certificates, SHA-1. Made and freed by the
// control plane before and after the worker runs; tls_sha1() is the worker's.
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "regate/huge.h"
#include "tls_int.h"

// The arrays that connections find by index; not touched before they are needed.
static bool take_memory(struct tls_ctx *c, const struct tls_cfg *cfg) {
	c->max_conns = cfg->max_conns;
	c->max_per_source = cfg->max_per_source;
	c->share = cfg->share;
	c->partials = rg_huge_alloc(TLS_MAX_PARTIAL, sizeof(c->partials[0]));
	c->handshakes = rg_huge_alloc(cfg->max_half_open, sizeof(c->handshakes[0]));
	c->secrets = rg_huge_alloc(cfg->max_conns, sizeof(c->secrets[0]));
	return c->partials != NULL && c->handshakes != NULL && c->secrets != NULL &&
	       tls_pool_init(&c->free_partials, TLS_MAX_PARTIAL) &&
	       tls_pool_init(&c->free_handshakes, cfg->max_half_open);
}

struct tls_ctx *tls_ctx_new(const struct tls_cfg *cfg, char *err, size_t err_len) {
	struct tls_ctx *c = OPENSSL_zalloc(sizeof(*c));

	if (err_len > 0)
		snprintf(err, err_len, "TLS: no memory; give the daemon more");
	if (c == NULL)
		return NULL;
	c->lib = OSSL_LIB_CTX_new();
	if (c->lib == NULL)
		goto err;
	c->method = tls_bio_method_new();
	c->sha1 = EVP_MD_fetch(c->lib, "SHA1", NULL);
	c->sha1_ctx = EVP_MD_CTX_new();
	c->crypt = tls_crypt_new(c->lib);
	if (c->method == NULL || c->sha1 == NULL || c->sha1_ctx == NULL || c->crypt == NULL ||
	    !take_memory(c, cfg) || !tls_tickets_init(c, cfg))
		goto err;
	(void)tls_certs_swap(c, tls_certs_new(c, cfg->certs, cfg->n_certs, err, err_len));
	if (c->certs == NULL)
		goto err;
	ERR_clear_error();
	return c;
err:
	tls_ctx_free(c);
	ERR_clear_error();
	return NULL;
}

void tls_ctx_free(struct tls_ctx *c) {
	if (c == NULL)
		return;
	tls_certs_free(c->certs);
	BIO_meth_free(c->method);
	EVP_MD_CTX_free(c->sha1_ctx);
	EVP_MD_free(c->sha1);
	EVP_CIPHER_free(c->ticket_cipher);
	// Secrets and keys in them were wiped with their connections.
	rg_huge_free(c->partials, TLS_MAX_PARTIAL, sizeof(c->partials[0]));
	rg_huge_free(c->handshakes, c->free_handshakes.n, sizeof(c->handshakes[0]));
	rg_huge_free(c->secrets, c->max_conns, sizeof(c->secrets[0]));
	tls_pool_fini(&c->free_partials);
	tls_pool_fini(&c->free_handshakes);
	tls_crypt_free(c->crypt);
	OSSL_LIB_CTX_free(c->lib);
	OPENSSL_clear_free(c, sizeof(*c));
}

void tls_sha1(struct tls_ctx *c, struct rg_slice in, uint8_t out[20]) {
	// OpenSSL 3.0 makes its state anew each time, so even this can fail. Zeroes then: a client
	// takes no such answer.
	if (EVP_DigestInit_ex(c->sha1_ctx, c->sha1, NULL) != 1 ||
	    EVP_DigestUpdate(c->sha1_ctx, in.p, in.len) != 1 ||
	    EVP_DigestFinal_ex(c->sha1_ctx, out, NULL) != 1) {
		memset(out, 0, 20);
		ERR_clear_error();
	}
}
