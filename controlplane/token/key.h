// SPDX-License-Identifier: BSD-3-Clause
// What the other files of this folder need of a token key.
#pragma once

#include "token/jwk.h"
#include "token/token.h"

const struct jws_key *token_key_jws(const struct token_key *k);
struct rg_slice token_key_header(const struct token_key *k); // base64url, ready to sign
// token_key_load() from memory; name stands for the path in err.
[[nodiscard]] struct token_key *token_key_parse(const char *name, struct rg_slice pem, char *err,
						size_t err_len);
