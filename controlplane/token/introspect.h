// SPDX-License-Identifier: BSD-3-Clause
// A token shown to the server that issued it (RFC 7662), and what it says of it. Loop thread.
#pragma once

#include "core/http_client.h"
#include "token/token.h"

// The header line with which we are known there (RFC 6749 2.3.1).
void introspect_put_authorization(struct rg_wr *w, const char *id, struct rg_slice secret);

struct introspect_ask {
	const char *uri;
	const char *ca_file;       // NULL: the system's
	const char *authorization; // whole header line
	struct rg_slice token;
};
// done as of http_client.h. 0 or -ENOMEM.
[[nodiscard]] int introspect_ask(struct http_client *http, const struct introspect_ask *ask,
				 void (*done)(void *arg, const struct http_answer *a), void *arg,
				 struct http_request **out);
// What the answer says, for the next cache_s seconds at most: out->exp is not later. 0, RG_E_STALE (not
// active), -EAGAIN (no answer, or none of a server that knows us), else as token_introspected().
[[nodiscard]] int introspect_read(const struct http_answer *a, const char *iss, const char *aud,
				  int64_t now, uint32_t cache_s, struct token_claims *out);
