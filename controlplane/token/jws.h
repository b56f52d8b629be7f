// SPDX-License-Identifier: BSD-3-Clause
// JWS compact serialisation (RFC 7515 7.1). The algorithm is the key's, the header may only agree with
// it (RFC 8725 3.1). No key or URL in a header is ever looked at. Any thread.
#pragma once

#include <jansson.h>

#include "regate/slice.h"
#include "regate/token.h"
#include "token/alg.h"

// header: base64url text of the protected header. Appends the whole token. 0, RG_E_LIMIT, RG_E_AUTH,
// RG_E_UNSUPPORTED.
[[nodiscard]] int jws_sign(const struct jws_key *key, struct rg_slice header,
			   struct rg_slice payload, struct rg_wr *out);

// The same in two steps: what is signed, then its signature, over what out has from start on.
[[nodiscard]] int jws_prepare(struct rg_slice header, struct rg_slice payload, struct rg_wr *out);
[[nodiscard]] int jws_seal(const struct jws_key *key, size_t start, struct rg_wr *out);

struct jws {
	json_t *header; // object with an alg, without crit, b64, zip or cty; see jws_close()
	struct rg_slice signed_part; // of the token
	uint8_t sig[JWS_SIG_MAX];
	size_t sig_len;
	uint8_t payload[RG_TOKEN_MAX];
	size_t payload_len;
};
// Takes a token apart; nothing in it is true before jws_verify(). RG_E_PROTO, RG_E_LIMIT, or RG_E_AUTH
// (a header that asks for what is not done here). The token stays the caller's, and in use.
[[nodiscard]] int jws_parse(struct rg_slice token, struct jws *out);
// 0 or RG_E_AUTH.
[[nodiscard]] int jws_verify(const struct jws *jws, const struct jws_key *key);
void jws_close(struct jws *jws);
// A JSON object without duplicate members, NUL or bytes after it; NULL when it is anything else.
json_t *jws_parse_object(struct rg_slice text);
