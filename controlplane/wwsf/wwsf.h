// SPDX-License-Identifier: BSD-3-Clause
// HTTP side (W1): the lease API of ims.md 2.6 and the WIC page. Requests arrive as punts, answers
// leave through dpport. The page's files are read at start and answered by the workers.
#pragma once

#include "account/account.h"
#include "conf/conf.h"
#include "core/dpport.h"
#include "core/env.h"
#include "core/log.h"
#include "lease/lease.h"
#include "regate/dp.h"
#include "regate/punt.h"
#include "token/keys.h"
#include "wwsf/quota.h"

struct wwsf;
struct wwsf_clients;
struct wwsf_stats {
	uint64_t requests, leases, refreshes, releases, refused;
	uint64_t short_of[QUOTA_N_VERDICTS]; // refused for want of pairs or quota
};

[[nodiscard]] struct wwsf *wwsf_new(const struct conf *conf, struct env *env, struct log *log,
				    struct lease_engine *leases, struct account_db *accounts,
				    struct token_keys *keys, struct rg_digester *digester,
				    const struct dpport *port);
// Who may introspect and revoke; borrowed. Without them nobody.
void wwsf_set_clients(struct wwsf *w, struct wwsf_clients *clients);
void wwsf_free(struct wwsf *w);
// A RG_PUNT_HTTP: one whole request; answers once, now or later.
void wwsf_request(struct wwsf *w, const struct rg_punt *p, struct rg_slice request);
// Those that take a POST, and so a body; static.
const char *const *wwsf_post_paths(size_t *n);
const struct wwsf_stats *wwsf_get_stats(const struct wwsf *w);

// Reads every file of dir (flat) into ready responses with CSP, ETag-free, nosniff headers;
// index.html also as "/". Caller frees with wwsf_page_free(). Negative with one line in err.
[[nodiscard]] int wwsf_page_load(struct env *e, const char *dir, const struct conf *conf,
				 struct rg_file **files, size_t *n, char *err, size_t err_len);
void wwsf_page_free(struct rg_file *files, size_t n);
