// SPDX-License-Identifier: BSD-3-Clause
// Identity pairs from the files of pools and accounts: read before the store is open, given to the
// lease engine after. Control thread, at start.
#pragma once

#include "account/account.h"
#include "conf/conf.h"
#include "core/env.h"
#include "core/log.h"
#include "lease/lease.h"

#define PAIRS_POOL_ACCOUNTS UINT16_MAX

struct pairs { // zeroed before
	const struct conf *conf;
	struct env *env;
	struct log *log;
	struct pairs_one *all;
	size_t n, room;
	uint8_t **texts; // of the files: the identities are in them
	uint16_t pool;   // whose file is read
};

// Is there memory for conf->leases_max? Warns when there is for none but idle ones. 0, or -ENOMEM with
// one line in err.
[[nodiscard]] int pairs_check_room(const struct conf *conf, struct env *env, struct log *log,
				   char *err, size_t err_len);
// Reads the files of all pools. 0, or negative with one line in err.
[[nodiscard]] int pairs_load(struct pairs *p, char *err, size_t err_len);
// To the engine, and those of the accounts (may be NULL); frees what was read. As above.
[[nodiscard]] int pairs_give(struct pairs *p, struct lease_engine *leases,
			     const struct account_db *accounts, char *err, size_t err_len);
void pairs_fini(struct pairs *p);
