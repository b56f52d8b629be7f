// SPDX-License-Identifier: BSD-3-Clause
// Operator commands: a table of name, handler, help; a UNIX socket that speaks ctlproto.h.
#pragma once

#include "conf/conf.h"
#include "core/env.h"
#include "core/log.h"
#include "ims/ims.h"
#include "lease/lease.h"
#include "regate/ctlproto.h"
#include "regate/dp.h"
#include "store/store.h"
#include "token/keys.h"
#include "wwsf/wwsf.h"

struct ctl_deps { // all borrowed
	const struct conf *conf;
	struct env *env;
	struct log *log;
	struct lease_engine *leases;
	struct ims *ims;
	struct wwsf *wwsf;
	struct token_keys *keys;
	// Of other issuers; NULL: there are none. 0 or negative with one line in err.
	int (*reload_issuers)(void *arg, char *err, size_t err_len);
	// After that: the n-th WWSF whose keys have not come yet; NULL: past the end.
	const char *(*issuer_pending)(void *arg, size_t n);
	void *reload_arg; // of both
	struct store *store;
	struct rg_dp *dp; // NULL in tests without a dataplane
};

struct ctl;
[[nodiscard]] struct ctl *ctl_new(const struct ctl_deps *deps, char *err, size_t err_len);
void ctl_free(struct ctl *c);
// RG_PUNT_CONN_INFO and RG_PUNT_CONN_END answers to `conn list`.
void ctl_conn_info(struct ctl *c, const struct rg_punt *p, struct rg_slice payload);
