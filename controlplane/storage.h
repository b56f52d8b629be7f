// SPDX-License-Identifier: BSD-3-Clause
// Which store the configuration asks for, and what it needs to be opened.
#pragma once

#include <stdio.h>

#include "conf/conf.h"
#include "core/env.h"
#include "store/store_etcd.h"

struct storage {
	struct store_etcd_cfg etcd;
	char *password;  // of etcd.user
	char place[256]; // for messages: "store.path: regate.db"
};

// Reads the files that are named. 0, -errno or RG_E_*, with one line in err.
[[nodiscard]] int storage_init(struct storage *st, const struct conf *conf, struct env *env,
			       char *err, size_t err_len);
// st stays where it is until the store is closed.
[[nodiscard]] int storage_open(struct storage *st, const struct conf *conf, struct env *env,
			       struct store **out, char *err, size_t err_len);
// While no regated runs: puts backup (store.type: sqlite only) in place of the store, or, NULL, makes a
// new one, or marks etcd's. At the next start all pairs are held as long as a lease of before may
// last (ims.md INV-11). 0, with a line on out, or negative with one line in err.
[[nodiscard]] int storage_replace(const struct conf *conf, struct env *env, const char *backup,
				  FILE *out, char *err, size_t err_len);
void storage_fini(struct storage *st);
