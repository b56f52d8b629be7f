// SPDX-License-Identifier: BSD-3-Clause
// What must survive: one record per identity pair that was ever assigned, and a few named values.
// A commit is durable (fsynced) before its callback says 0. Implementations: store_sqlite.c (a
// thread of its own, group commit) and store_mem.c (tests, with injected failures).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/env.h"
#include "regate/slice.h"
#include "regate/token.h"

#define STORE_TOKENS 2 // tokens of one lease that may be good at once: current and previous

struct store_token {
	struct rg_digest digest;
	int64_t end_ms; // wall clock; 0 = slot empty
};

struct store_lease {                    // key: impi
	const char *impi, *impu, *pool; // borrowed for the call
	const char *sub;                // whom it was given to: account name or anonymous id
	uint64_t gen;
	uint8_t state;       // enum lease_state as persisted
	uint16_t scenario;   // 2 or 3
	int64_t granted_ms;  // wall clock
	int64_t reassign_ms; // wall clock: not free before
	struct store_token tokens[STORE_TOKENS];
};

struct store;
struct store_load { // called once per row, on the loop thread, from store_load_all()
	int (*lease)(void *arg, const struct store_lease *l); // nonzero stops with that code
	void *arg;
};

// Opens or creates. 0, -errno or RG_E_*, with one line in err (place and cure).
[[nodiscard]] int store_sqlite_open(struct env *e, const char *path, struct store **out, char *err,
				    size_t err_len);
[[nodiscard]] int store_mem_open(struct env *e, struct store **out);
void store_close(struct store *s); // waits for queued commits; accepts NULL

[[nodiscard]] int store_load_all(struct store *s, const struct store_load *cb);

// Named value of at most 64 bytes: get 0 or RG_E_STALE (absent), *len in: room, out: size.
[[nodiscard]] int store_get(struct store *s, const char *name, void *value, size_t *len);
[[nodiscard]] int store_put(struct store *s, const char *name, const void *value,
			    size_t len); // durable on return

// Queues one lease record. done(arg, rc) runs on the loop once the record is durable (0) or is
// known to have failed (negative: nothing may be acknowledged). Order of commits is kept.
typedef void store_done_fn(void *arg, int rc);
[[nodiscard]] int store_commit(struct store *s, const struct store_lease *l, store_done_fn *done,
			       void *arg);

struct store_stats {
	uint64_t commits, batches, failures;
	uint64_t queued; // waiting now
};
void store_get_stats(const struct store *s, struct store_stats *out);

// Tests: the next n commits of a memory store fail with rc.
void store_mem_fail(struct store *s, unsigned n, int rc);
