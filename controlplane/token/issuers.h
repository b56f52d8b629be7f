// SPDX-License-Identifier: BSD-3-Clause
// Issuers besides ourselves: WWSFs that sign tokens for their own part of the identities. Their key sets
// are fetched and kept here; signatures are verified on the crypto pool. Loop thread.
#pragma once

#include "core/env.h"
#include "core/http_client.h"
#include "core/log.h"
#include "token/token.h"

struct token_known {  // a key of an issuer
	uint64_t tag; // as token_claims.key, or TOKEN_KEY_*
	int64_t until_s; // wall clock: no token that it signed is good for longer, if we are told no more
};
// In the list of the process before: nobody knows which keys there were; keys were being withdrawn.
enum { TOKEN_KEY_UNKNOWN = 0, TOKEN_KEY_WITHDRAWN = 1 };
#define TOKEN_KNOWN_MAX 256

struct token_issuer_cfg {     // strings are borrowed
	const char *issuer;   // iss
	const char *jwks_uri; // of its keys
	const char *ca_file;  // NULL: the system's
	struct rg_slice keys; // jwks_uri NULL: a set of the operator's, which may be symmetric
	// Instead of keys: it is asked about every token (RFC 7662), once in cache_s seconds.
	const char *introspection_uri; // NULL: not so
	const char *authorization;     // header line for it
	uint32_t cache_s;
	const char *wwsf; // ims.wwsf: it speaks for no other
	uint16_t wwsf_idx;
	// What known() told last, in the process before this one.
	const struct token_known *before;
	size_t n_before;
};

struct token_issuers_cfg {
	const char *audience;
	uint32_t
		life_max_s; // tokens that end later are refused; keys are kept so long after removal
	uint64_t poll_ns;   // between fetches, such as 15 min
	uint64_t refetch_ns; // between fetches for an unknown key at least, such as 60 s
	// Keys of that WWSF were withdrawn: what they verified is no good. tags: as token_claims.key;
	// n > 0; good for the call. 0: token_issuers_ended() follows, later; negative: is called again after
	// refetch_ns. May be NULL.
	int (*gone)(void *arg, uint16_t wwsf_idx, const uint64_t *tags, size_t n);
	void *arg;
	// The keys of that WWSF, once in poll_ns and when they are others; at most TOKEN_KNOWN_MAX; good for
	// the call. May be NULL.
	void (*known)(void *arg, uint16_t wwsf_idx, const struct token_known *known, size_t n);
};

struct token_issuers;
// list is borrowed. Begins to fetch; http may be NULL when there is nothing to. NULL with one line in err.
[[nodiscard]] struct token_issuers *token_issuers_new(const struct token_issuers_cfg *cfg,
						      const struct token_issuer_cfg *list, size_t n,
						      struct env *env, struct http_client *http,
						      struct log *log, char *err, size_t err_len);
// Answers -ECANCELED to what is under way. Accepts NULL.
void token_issuers_free(struct token_issuers *s);

// rc 0: c is good until return; else NULL. RG_E_PROTO, RG_E_AUTH, RG_E_EXPIRED as token_verify();
// RG_E_STALE: no such key, not after a fetch either, or its issuer says that it is not active;
// RG_E_LIMIT: it ends too late; -EAGAIN: its issuer cannot be asked.
typedef void token_issuers_fn(void *arg, int rc, uint16_t wwsf_idx, const struct token_claims *c);
// token is copied. wwsf: whose page shows it; the issuer of a token that names none. 0: done follows, once, later. RG_E_PROTO, RG_E_STALE (not one of these issuers),
// -EAGAIN (too many at once, or of an issuer that is asked in one second), -ENOMEM.
[[nodiscard]] int token_issuers_verify(struct token_issuers *s, struct rg_slice token,
				       uint16_t wwsf, token_issuers_fn *done, void *arg);
// The same for a token that a lease has: what anybody sends cannot keep it from being asked about.
[[nodiscard]] int token_issuers_verify_again(struct token_issuers *s, struct rg_slice token,
					     uint16_t wwsf, token_issuers_fn *done, void *arg);
// The set of that WWSF is fetched anew, or is as given by token_issuers_give(); what is not in it is
// withdrawn, also what was kept for the tokens that it had signed.
void token_issuers_forget(struct token_issuers *s, uint16_t wwsf);
// All that the keys of one gone() had verified has ended.
void token_issuers_ended(struct token_issuers *s, uint16_t wwsf);
// The n-th WWSF whose set is still to come: until then its old keys are good. NULL: past the end.
const char *token_issuers_pending(const struct token_issuers *s, size_t n);
// A new set for an issuer without URI, before that. Negative with one line in err.
[[nodiscard]] int token_issuers_give(struct token_issuers *s, uint16_t wwsf, struct rg_slice keys,
				     char *err, size_t err_len);
// How long an answer about a token of that WWSF holds, in seconds; 0: its tokens speak for themselves.
uint32_t token_issuers_cache_s(const struct token_issuers *s, uint16_t wwsf);
