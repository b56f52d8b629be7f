// SPDX-License-Identifier: BSD-3-Clause
// What the other files of this folder need of a token key.
#pragma once

#include <openssl/evp.h>

#include "token/token.h"

EVP_PKEY *token_key_pkey(const struct token_key *k);
struct rg_slice token_key_header(const struct token_key *k); // base64url, ready to sign
// token_key_load() from memory; name stands for the path in err.
[[nodiscard]] struct token_key *token_key_parse(const char *name, struct rg_slice pem, char *err,
						size_t err_len);
