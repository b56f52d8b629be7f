// SPDX-License-Identifier: BSD-3-Clause
// Local accounts from a file, one per line: "user argon2id-hash impi impu" ('#' comments).
// Hashing runs off the loop (env_work): about 50 ms of CPU each, by design.
#pragma once

#include "core/env.h"
#include "regate/slice.h"

struct account {
	char *user, *hash, *impi, *impu;
};

struct account_db;
// NULL with one line "file:line: what, cure" in err.
[[nodiscard]] struct account_db *account_load(struct env *e, const char *path, char *err,
					      size_t err_len);
void account_free(struct account_db *db);
size_t account_count(const struct account_db *db);
const struct account *account_at(const struct account_db *db, size_t i);

// Checks a password; done(arg, a) with the account, or NULL: same time and same answer for an
// unknown user and a wrong password. -EAGAIN when too many checks wait. password is copied, wiped.
[[nodiscard]] int account_check(struct account_db *db, struct rg_slice user,
				struct rg_slice password,
				void (*done)(void *arg, const struct account *a), void *arg);

// For `regated --hash-password`. 0 or -ENOMEM. out has room for 128 bytes.
[[nodiscard]] int account_hash(const char *password, char *out, size_t len);
