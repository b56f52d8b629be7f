// SPDX-License-Identifier: BSD-3-Clause
// The token digest: what the lease table and the store know of a bearer token. It is the first
// 128 bits of SHA-256(key || token); the key is drawn once per store, so that a copied digest
// means nothing elsewhere.
#pragma once

#include "regate/slice.h"

#define RG_TOKEN_MAX 4096 // bytes of a bearer token (ims.md 2.5)
#define RG_DIGEST_LEN 16
#define RG_DIGEST_KEY_LEN 16

struct rg_digest {
	uint8_t b[RG_DIGEST_LEN];
};

// Keeps a prepared SHA-256 context; one per thread. NULL without memory.
struct rg_digester;
[[nodiscard]] struct rg_digester *rg_digester_new(const uint8_t key[RG_DIGEST_KEY_LEN]);
void rg_digester_free(struct rg_digester *d); // accepts NULL

// No allocation. Implemented in common/.
void rg_token_digest(struct rg_digester *d, struct rg_slice token, struct rg_digest *out);
