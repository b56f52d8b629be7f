// SPDX-License-Identifier: BSD-3-Clause
// Access tokens: JWS compact (RFC 7515) with the claims of ims.md 2.5. Verification follows RFC 8725:
// the algorithm is the key's, never the header's.
#pragma once

#include <stdint.h>

#include "regate/slice.h"

struct jwk_set;
struct token_key; // one of ours: it signs

struct token_claims {
	const char *iss, *aud, *sub, *impi, *impu, *wwsf,
		*pool;         // owned by the caller or token_claims_free
	int64_t iat, nbf, exp; // seconds, UTC
	uint32_t idx;
	uint64_t gen;
	uint16_t scenario;
	uint64_t key; // tag of the issuer's key that verified it; 0: none
};

// PEM of an EC P-256 or Ed25519 private key. NULL with one line in err. kid is the key's thumbprint (RFC 7638).
[[nodiscard]] struct token_key *token_key_load(const char *path, char *err, size_t err_len);
void token_key_free(struct token_key *k);
const char *token_key_kid(const struct token_key *k);
const struct jwk_set *token_key_set(const struct token_key *k); // to verify with; lives with k

// jti: 16 random bytes. 0 or negative; at most RG_TOKEN_MAX bytes to out.
[[nodiscard]] int token_issue(const struct token_key *k, const struct token_claims *c,
			      const uint8_t jti[16], struct rg_wr *out);
// The same in two steps, of which the second is the longer and may be done on any thread.
[[nodiscard]] int token_prepare(const struct token_key *k, const struct token_claims *c,
				const uint8_t jti[16], struct rg_wr *out);
struct token_signer; // outlives its key
[[nodiscard]] struct token_signer *token_signer_get(const struct token_key *k);
void token_signer_put(struct token_signer *s); // accepts NULL
// out: what token_prepare() wrote, from its begin. 0, RG_E_LIMIT, RG_E_AUTH.
[[nodiscard]] int token_sign(struct token_signer *s, struct rg_wr *out);
// Signature by the key of the set that the header names, header, and the claims iss, aud, exp, nbf,
// scope. now: seconds UTC. Any thread. 0, RG_E_PROTO, RG_E_STALE (no key of that name), RG_E_AUTH,
// RG_E_EXPIRED. On 0 *out must be given to token_claims_free().
[[nodiscard]] int token_verify(const struct jwk_set *keys, struct rg_slice token, const char *iss,
			       const char *aud, int64_t now, struct token_claims *out);
// The answer of the server that issued a token (RFC 7662 2.2), which speaks for iss. It must name sub,
// exp, scope and ims as a token does; iss, aud, nbf and iat are held against it if they are there. 0,
// RG_E_STALE (not active), RG_E_PROTO, RG_E_AUTH, RG_E_EXPIRED, -ENOMEM. As above for *out.
[[nodiscard]] int token_introspected(struct rg_slice answer, const char *iss, const char *aud,
				     int64_t now, struct token_claims *out);
void token_claims_free(struct token_claims *c);
// What it says; nothing of that is verified. False: no access token of iss. As above for *out.
bool token_peek(struct rg_slice token, const char *iss, struct token_claims *out);
