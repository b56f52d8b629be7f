// SPDX-License-Identifier: BSD-3-Clause
// Inside of token/issuers.h: an issuer with its key sets. Loop thread.
#pragma once

#include "token/issuers.h"
#include "token/jwk.h"

#define SETS_MAX 16 // the newest, and those before it

struct set {
	unsigned n_refs; // loop only
	struct jwk_set keys;
	struct rg_slice text; // ours, to see whether it has changed
	uint64_t until_ns;    // RG_NEVER: the newest
};

struct issuer {
	const struct token_issuer_cfg *cfg;
	struct token_issuers *all;
	struct set *sets[SETS_MAX]; // newest first
	size_t n_sets;
	struct http_request *fetch; // NULL = none under way
	struct parse *parse;        // the same, of what was fetched
	uint64_t fetched_ns;        // when the last one began; 0 = never
	struct env_timer poll;
	unsigned n_jobs, n_agains;
	unsigned n_asks;    // first ones, in
	uint64_t asks_s;    // this second
	bool is_forgetting; // with the next good set
	size_t n_before;    // of cfg->before, while they are not forgotten
	unsigned n_ending;  // calls of gone() whose leases have not all ended
};

struct token_issuers {
	struct token_issuers_cfg cfg;
	struct env *env;
	struct http_client *http;
	struct log *log;
	struct issuer *issuers;
	size_t n_issuers;
	struct job *jobs;
};

// --- issuers.c
void issuer_wake_jobs(struct issuer *is); // those that waited for its keys

// --- issuer_keys.c
// Begins with the keys of its cfg. 0 or negative with one line in err.
[[nodiscard]] int issuer_keys_start(struct issuer *is, char *err, size_t err_len);
void issuer_keys_stop(struct issuer *is);
// The newest set with that key that is good still; borrowed. NULL: none.
struct set *issuer_set_with(const struct issuer *is, const char *kid);
bool issuer_has_key(const struct issuer *is, uint64_t tag); // in a set that is good still
void issuer_set_put(struct set *s);                         // one reference less; accepts NULL
// Will there be new keys soon? Fetches them for one that nobody has heard of, at most once in a while.
bool issuer_keys_are_coming(struct issuer *is);
