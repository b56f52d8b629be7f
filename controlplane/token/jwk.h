// SPDX-License-Identifier: BSD-3-Clause
// JSON Web Keys (RFC 7517, 7518 6, 8037 2) and sets of them. A key in hand has one algorithm and passed
// every check; the rest of the program never sees the JSON.
#pragma once

#include <jansson.h>

#include "token/alg.h"

#define JWK_SET_MAX 64 // keys that are taken from a set

struct jwk_set { // immutable once made
	struct jws_key *keys;
	size_t n;
};

// may_be_secret: symmetric keys are taken, of a file of the operator's; else the set of a WWSF is public
// and a secret in it is none. 0, RG_E_UNSUPPORTED (another kind, use or algorithm: RFC 7517 5 lets it
// stand), RG_E_PROTO (members missing or malformed), RG_E_AUTH (weak, or a private key that everybody
// has seen). On 0 jws_key_fini() ends *out.
[[nodiscard]] int jwk_import(const json_t *jwk, bool may_be_secret, struct jws_key *out);
// A set from its text. What is unsupported is passed over; anything else that is wrong, two keys of one
// name, secrets beside public keys, and no key at all refuse the whole set with one line in err.
[[nodiscard]] int jwk_set_parse(struct rg_slice text, bool may_be_secret, struct jwk_set *out,
				char *err, size_t err_len);
void jwk_set_fini(struct jwk_set *s); // accepts a zeroed one
// NULL when none has that name.
const struct jws_key *jwk_set_find(const struct jwk_set *s, const char *kid);

// The public part as a new object with kid, alg and use; NULL for a secret or without memory.
json_t *jwk_export(const struct jws_key *k);
// RFC 7638: SHA-256 of the required members as base64url. 0 or RG_E_AUTH.
[[nodiscard]] int jwk_thumbprint(const EVP_PKEY *pkey, struct rg_wr *out);
