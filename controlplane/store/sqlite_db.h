// SPDX-License-Identifier: BSD-3-Clause
// The data base file of store_sqlite.c: schema, rows, transactions. One caller at a time; it knows
// no thread and no loop.
#pragma once

#include "store/store_impl.h"

#define SQLITE_SCHEMA_VERSION 2

struct sqlite_db;
struct sqlite_total { // of all rows: one that is missing, doubled or of yesterday shows
	uint64_t n, sum;
};

// Opens or creates, migrates, makes what is in the log durable, and commits once: on 0 there is room
// for more. Else negative with one line in err.
[[nodiscard]] int sqlite_db_open(const char *path, struct sqlite_db **out, char *err,
				 size_t err_len);
void sqlite_db_close(struct sqlite_db *db); // accepts NULL
// Closes after a failure: writes nothing more.
void sqlite_db_abandon(struct sqlite_db *db);
// Committed last; in_flight: what the transaction that failed would have made it.
struct sqlite_total sqlite_db_total(const struct sqlite_db *db);
struct sqlite_total sqlite_db_in_flight(const struct sqlite_db *db);

// 0 or negative; after a failure the transaction is gone (rolled back).
[[nodiscard]] int sqlite_db_begin(struct sqlite_db *db);
[[nodiscard]] int sqlite_db_commit(struct sqlite_db *db); // durable on 0
void sqlite_db_rollback(struct sqlite_db *db);
// One job within the transaction, its answer into j->rc. Negative: the transaction is lost.
//   RG_E_CONFLICT  j->found is what is there, if anything
//   -EEXIST        another record has its IMPU
//   -EINVAL        a value that no record can have
//   RG_E_PROTO     the record that is there is damaged
[[nodiscard]] int sqlite_db_run(struct sqlite_db *db, struct store_job *j);

// Nonzero from keep stops with that code.
typedef int sqlite_keep_fn(void *arg, const char *name, const void *value, size_t len);
[[nodiscard]] int sqlite_db_load_values(struct sqlite_db *db, sqlite_keep_fn *keep, void *arg);
// RG_E_PROTO for a row whose checksum is wrong, and for rows that do not add up.
[[nodiscard]] int sqlite_db_load(struct sqlite_db *db, const struct store_load *cb);
