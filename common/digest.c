// SPDX-License-Identifier: BSD-3-Clause
// Token digest over OpenSSL. The calls without EVP: EVP allocates on every init (112 bytes in
// OpenSSL 3.0), and workers digest a token per REGISTER.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>

#include "regate/token.h"

struct rg_digester {
	SHA256_CTX keyed; // the key absorbed already
};

struct rg_digester *rg_digester_new(const uint8_t key[RG_DIGEST_KEY_LEN]) {
	struct rg_digester *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	SHA256_Init(&d->keyed);
	SHA256_Update(&d->keyed, key, RG_DIGEST_KEY_LEN);
	return d;
}

void rg_digester_free(struct rg_digester *d) {
	free(d);
}

void rg_token_digest(struct rg_digester *d, struct rg_slice token, struct rg_digest *out) {
	SHA256_CTX ctx = d->keyed;
	uint8_t full[SHA256_DIGEST_LENGTH];

	SHA256_Update(&ctx, token.p, token.len);
	SHA256_Final(full, &ctx);
	memcpy(out->b, full, sizeof(out->b));
}
