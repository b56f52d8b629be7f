// SPDX-License-Identifier: BSD-3-Clause
// Inside of sqlite_*.c.
#pragma once

#include <sqlite3.h>

#include "store/sqlite_db.h"

struct sqlite_db {
	sqlite3 *h;
	sqlite3_stmt *begin, *commit, *get_lease, *add_lease, *set_lease, *drop_lease;
	sqlite3_stmt *get_value, *set_value, *set_total;
	struct sqlite_total total, next; // committed; with what the transaction wrote
	uint8_t *past;                   // of the row that is written
	size_t past_room;
};

int sqlite_error(int rc);                     // a SQLite code as ours
int sqlite_exec(sqlite3 *h, const char *sql); // ours
// First column of the first row; 0, RG_E_STALE without a row, or negative.
[[nodiscard]] int sqlite_ask_text(sqlite3 *h, const char *sql, char *out, size_t len);
[[nodiscard]] int sqlite_ask_int(sqlite3 *h, const char *sql, int64_t *out);
// Steps a statement that gives no rows and makes it ready for the next use.
[[nodiscard]] int sqlite_finish(sqlite3_stmt *st);

// Brings the file to this version, from nothing or an older one, in one transaction. 0 or negative
// with one line in err.
[[nodiscard]] int sqlite_schema(sqlite3 *h, const char *path, char *err, size_t err_len);
// 0 when all of the file is as it was written; RG_E_PROTO, or another negative.
[[nodiscard]] int sqlite_check(sqlite3 *h);
int sqlite_complain(const char *path, int rc, char *err, size_t err_len); // one line; rc

// Makes durable what the log shows, after a crash or a failed fsync, and empties it. RG_E_PROTO when
// commits are lost in it.
[[nodiscard]] int sqlite_wal_settle(sqlite3 *h);

// --- rows
#define SQLITE_LEASE_COLUMNS                                                                       \
	"impi, impu, pool, sub, gateway, gen, rev, state, flags, scenario, granted_ms, ended_ms, " \
	"reassign_ms, digest_0, end_0_ms, digest_1, end_1_ms, checksum, past"
uint64_t sqlite_mix(uint64_t h, const void *p, size_t len);
int64_t sqlite_lease_sum(const struct store_lease *l);
int64_t sqlite_value_sum(const char *name, const void *value, size_t len);
// From a SELECT of SQLITE_LEASE_COLUMNS; strings are the statement's. RG_E_PROTO when damaged.
[[nodiscard]] int sqlite_read_lease(sqlite3_stmt *st, struct store_lease *l);
// Into parameters 1 to 18, in the same order, with rev + 1; strings must live until the step.
void sqlite_bind_lease(sqlite3_stmt *st, const struct store_lease *l);
// Parameter 19: the earlier assignments that st, a SELECT, has, and before them old's (may be NULL).
// 0 or -ENOMEM, RG_E_PROTO when they are damaged.
[[nodiscard]] int sqlite_bind_past(struct sqlite_db *db, sqlite3_stmt *to, sqlite3_stmt *st,
				   const struct store_lease *old);
// Earlier assignments of a row.
[[nodiscard]] int sqlite_read_past(sqlite3_stmt *st, struct store_history *out);
