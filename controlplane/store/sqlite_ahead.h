// SPDX-License-Identifier: BSD-3-Clause
// Loading with two threads.
#pragma once

#include <pthread.h>

#include "store/sqlite_db.h"

// sqlite_db_load(), but that a thread of its own reads ahead while cb, on the caller's, takes what has
// been read. Same records, same order, same codes; or -errno when there is no thread.
[[nodiscard]] int sqlite_load_ahead(struct sqlite_db *db, const struct store_load *cb);
// A thread that gets no signals: they are the loop's. 0 or -errno.
[[nodiscard]] int sqlite_thread_start(pthread_t *out, void *(*main)(void *arg), void *arg);
