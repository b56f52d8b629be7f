// SPDX-License-Identifier: BSD-3-Clause
// The file of a SQLite store among other files: who holds it, and whether it is the one that was there.
#pragma once

#include <stddef.h>

// Takes PATH.lock, which goes with the process, however that ends. 0 or negative with one line in err.
[[nodiscard]] int sqlite_file_lock(const char *path, int *fd, char *err, size_t err_len);
// There is a store: PATH.lock remembers it, and lost is what refuses to go on without, RG_E_STALE with
// one line in err.
[[nodiscard]] int sqlite_file_mark(const char *path, int lock_fd, char *err, size_t err_len);
[[nodiscard]] int sqlite_file_lost(const char *path, int lock_fd, char *err, size_t err_len);

int sqlite_file_sync_path(const char *path); // a file, or a directory
int sqlite_file_sync_dir_of(const char *path);
