// SPDX-License-Identifier: BSD-3-Clause
// Token digest over OpenSSL, with the algorithm fetched and the context made once.
#include <openssl/evp.h>
#include <stdlib.h>

#include "regate/token.h"

struct rg_digester {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	uint8_t key[RG_DIGEST_KEY_LEN];
};

struct rg_digester *rg_digester_new(const uint8_t key[RG_DIGEST_KEY_LEN]) {
	struct rg_digester *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	memcpy(d->key, key, sizeof(d->key));
	d->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	d->ctx = EVP_MD_CTX_new();
	if (d->md == NULL || d->ctx == NULL || EVP_DigestInit_ex(d->ctx, d->md, NULL) != 1) {
		rg_digester_free(d);
		return NULL;
	}
	return d;
}

void rg_digester_free(struct rg_digester *d) {
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	EVP_MD_free(d->md);
	free(d);
}

void rg_token_digest(struct rg_digester *d, struct rg_slice token, struct rg_digest *out) {
	uint8_t full[32];

	// With a prepared context these cannot fail: no allocation, no I/O.
	(void)EVP_DigestInit_ex(d->ctx, NULL, NULL);
	(void)EVP_DigestUpdate(d->ctx, d->key, sizeof(d->key));
	(void)EVP_DigestUpdate(d->ctx, token.p, token.len);
	(void)EVP_DigestFinal_ex(d->ctx, full, NULL);
	memcpy(out->b, full, sizeof(out->b));
}
