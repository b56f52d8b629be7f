// SPDX-License-Identifier: BSD-3-Clause
// The data base file of store_sqlite.c: schema, rows, transactions. One caller at a time; it knows
// no thread and no loop.
#pragma once

#include "store/store.h"

struct sqlite_db;
// Opens or creates, checks everything. 0 or negative with one line in err.
[[nodiscard]] int sqlite_db_open(const char *path, struct sqlite_db **out, char *err,
				 size_t err_len);
void sqlite_db_close(struct sqlite_db *db); // accepts NULL

// 0 or negative; after a failure the transaction is gone (rolled back).
[[nodiscard]] int sqlite_db_begin(struct sqlite_db *db);
[[nodiscard]] int sqlite_db_commit(struct sqlite_db *db); // durable on 0
[[nodiscard]] int sqlite_db_put_lease(struct sqlite_db *db, const struct store_lease *l);
[[nodiscard]] int sqlite_db_put_value(struct sqlite_db *db, const char *name, const void *value,
				      size_t len);
void sqlite_db_rollback(struct sqlite_db *db);

// Nonzero from keep stops with that code.
[[nodiscard]] int sqlite_db_load_values(struct sqlite_db *db,
					int (*keep)(void *arg, const char *name, const void *value,
						    size_t len),
					void *arg);
// RG_E_PROTO for a row whose checksum is wrong.
[[nodiscard]] int sqlite_db_load(struct sqlite_db *db, const struct store_load *cb);
