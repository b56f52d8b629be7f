// SPDX-License-Identifier: BSD-3-Clause
// The gateway's own keys: one signs, the others are published until nothing that they signed is left.
// Loop thread. XXX: gateways that share keys get them as files from the operator.
#pragma once

#include <jansson.h>

#include "core/env.h"
#include "token/token.h"

#define TOKEN_KEYS_MAX 16

enum token_key_state {
	TOKEN_KEY_SIGNS,
	TOKEN_KEY_KEPT,   // one of the files, but not the first
	TOKEN_KEY_ENDING, // no file has it any more; gone when its last token has ended
};

struct token_key_info { // strings are valid until the next reload
	const char *kid, *alg, *file;
	enum token_key_state state;
	int64_t since_s, until_s; // UTC; since: in use here. until: 0 = open
};

struct token_keys;
// PEM files, of which the first signs; life_s: of the longest token. Paths are borrowed. NULL with one
// line in err.
[[nodiscard]] struct token_keys *token_keys_new(struct env *env, char *const *paths, size_t n_paths,
						uint32_t life_s, char *err, size_t err_len);
void token_keys_free(struct token_keys *s); // accepts NULL
// Reads the files again. A key that none of them has any more is published for another life. Negative
// with one line in err, and nothing has changed; RG_E_LIMIT: no room beside those still published.
[[nodiscard]] int token_keys_reload(struct token_keys *s, char *err, size_t err_len);
const struct token_key *token_keys_signer(const struct token_keys *s);
bool token_keys_info(struct token_keys *s, size_t i,
		     struct token_key_info *out); // false: past the end
const char *token_key_state_name(enum token_key_state state);
// A new JWK set (RFC 7517 5) of all of them; NULL without memory.
json_t *token_keys_jwks(struct token_keys *s);
