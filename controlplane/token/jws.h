// SPDX-License-Identifier: BSD-3-Clause
// JWS compact serialisation (RFC 7515 7.1) with ES256 and nothing else: the algorithm is the key's,
// the header may only agree with it (RFC 8725 3.1). No key or URL in a header is ever looked at.
#pragma once

#include <jansson.h>
#include <openssl/evp.h>

#include "regate/slice.h"
#include "regate/token.h"

// header: base64url text of the protected header. Appends the whole token. 0, RG_E_LIMIT, RG_E_AUTH.
[[nodiscard]] int jws_sign(EVP_PKEY *key, struct rg_slice header, struct rg_slice payload,
			   struct rg_wr *out);
// The same in two steps: what is signed, then its signature, over what out has from start on.
[[nodiscard]] int jws_prepare(struct rg_slice header, struct rg_slice payload, struct rg_wr *out);
[[nodiscard]] int jws_seal(EVP_PKEY *key, size_t start, struct rg_wr *out);

struct jws {
	json_t *header; // object; its alg is ES256, it has no crit
	uint8_t payload[RG_TOKEN_MAX];
	size_t payload_len;
	bool is_canonical; // the signature has the low s
};
// RG_E_PROTO, RG_E_LIMIT or RG_E_AUTH. On 0 the caller drops out->header with json_decref().
[[nodiscard]] int jws_open(EVP_PKEY *key, struct rg_slice token, struct jws *out);
// A JSON object without duplicate members, NUL or bytes after it; NULL when it is anything else.
json_t *jws_parse_object(struct rg_slice text);
