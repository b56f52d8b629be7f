// SPDX-License-Identifier: BSD-3-Clause
// WWSFs of the configuration that issue tokens by themselves. Control thread.
#pragma once

#include "conf/conf.h"
#include "lease/lease.h"
#include "token/issuers.h"

struct issuers {
	struct token_issuer_cfg *cfgs; // their keys are ours
	size_t n;
	struct http_client *http;
	struct lease_engine *leases;
	struct store *store; // where the next process finds which keys there were
	const struct conf *conf;
	struct log *log;
	struct token_issuers *issuers; // NULL: there are none
};

// Reads key files. 0 or negative with one line in err.
[[nodiscard]] int issuers_load(struct issuers *s, const struct conf *conf, struct env *env,
			       char *err, size_t err_len);
// Begins to fetch keys. 0 or negative with one line in err.
[[nodiscard]] int issuers_start(struct issuers *s, const struct conf *conf, struct env *env,
				struct log *log, struct lease_engine *leases, struct store *store,
				char *err, size_t err_len);
// Reads and fetches all keys, and secrets, anew. What their WWSF withdrew meanwhile is good no more, and tokens that it
// verified end. 0 or negative with one line in err: the first bad file, whose WWSF keeps what it had.
[[nodiscard]] int issuers_reload(struct issuers *s, const struct conf *conf, struct env *env,
				 char *err, size_t err_len);
// After that: the n-th WWSF whose keys have not come yet, so that nothing is withdrawn. NULL: past the end.
const char *issuers_pending(const struct issuers *s, size_t n);
bool issuers_has_opaque(const struct issuers *s); // tokens that are no JWT may be one's
void issuers_fini(struct issuers *s);             // accepts a zeroed one
