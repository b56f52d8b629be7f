// SPDX-License-Identifier: BSD-3-Clause
// A copy of a store in use: written beside the file that it is to be, looked through, and only then
// given its name.
#pragma once

#include "store/sqlite_db.h"

struct sqlite_backup;

// Begins a copy of the store at place in file, which must not exist (-EEXIST) unless is_forced, and
// then be such a file itself (-ENOTSUP). file NULL: the copy is only looked through, then removed.
[[nodiscard]] int sqlite_backup_new(const char *place, const char *file, bool is_forced,
				    struct sqlite_backup **out);
void sqlite_backup_free(struct sqlite_backup *b); // removes what is not finished; accepts NULL

// A few pages of db. 0: all; RG_MORE; negative. Calls of db may come between; the copy has what they
// wrote.
[[nodiscard]] int sqlite_backup_step(struct sqlite_backup *b, struct sqlite_db *db);
unsigned sqlite_backup_percent(const struct sqlite_backup *b);
void sqlite_backup_leave(
	struct sqlite_backup *b); // db is to be closed: no step follows; accepts NULL
// After the last step, on any thread: checks the copy, makes it durable, names it. RG_E_PROTO: it is
// damaged, and so is the store.
[[nodiscard]] int sqlite_backup_finish(struct sqlite_backup *b);
