// SPDX-License-Identifier: BSD-3-Clause
// What must survive: one record per identity pair, and a few named values. A write is durable
// before its callback says 0. Several gateways may share one store: every record has a revision,
// a write names the one that it replaces, and the store refuses it when another came first.
// Implementations: store_sqlite.c (one gateway; a thread of its own, group commit), store_etcd.c
// (shared; on the loop) and store_mem.c (tests, with injected failures). All keep one contract,
// tests/unit/store/contract.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/env.h"
#include "regate/slice.h"
#include "regate/token.h"

#define STORE_TOKENS 2 // tokens of one lease that may be good at once: current and previous
#define STORE_VALUE_MAX 4096

struct store_token {
	struct rg_digest digest;
	int64_t end_ms; // wall clock; 0 = slot empty
};

struct store_lease {                    // key: impi
	const char *impi, *impu, *pool; // borrowed for the call
	const char *sub;     // whom it was given to: account name or anonymous id; "" = nobody yet
	const char *gateway; // whose client registered it last, or that gave it out; "" = none
	uint64_t gen;        // 0 = provisioned, never assigned
	uint64_t rev;        // of the record that this one is or replaces; 0 = there was none
	uint8_t state;       // enum lease_state as persisted
	uint8_t flags;       // STORE_*
	uint16_t scenario;   // 2 or 3
	int64_t granted_ms;  // wall clock
	int64_t ended_ms;    // wall clock: revoked or given back; 0 = ends with its last token
	int64_t reassign_ms; // wall clock: not free before
	struct store_token tokens[STORE_TOKENS];
};
enum {
	STORE_MOVED = 1 << 0,   // more than one gateway registered this generation
	STORE_SUSPECT = 1 << 1, // out of rotation until an operator says otherwise
	STORE_IMPORTED =
		1 << 2,        // provisioned by this record; else by a pool's or the accounts' file
	STORE_CAUSE_SHIFT = 4, // bits 4 to 7: why it is suspect (enum lease_suspect)
};

struct store;
struct store_load { // called once per record, on the loop thread, from store_load_all()
	int (*lease)(void *arg, const struct store_lease *l); // nonzero stops with that code
	void *arg;
};

// Opens or creates, and reads the values. 0, -errno or RG_E_*, with one line in err (place and cure).
[[nodiscard]] int store_sqlite_open(struct env *e, const char *path, struct store **out, char *err,
				    size_t err_len);
[[nodiscard]] int store_mem_open(struct env *e, struct store **out);
void store_close(struct store *s); // waits for queued writes, calls them back; accepts NULL

// All records.
[[nodiscard]] int store_load_all(struct store *s, const struct store_load *cb);

// Told on the loop from store_load_all() on: what other gateways wrote, and records that are not
// what the last write of ours was said to be. A record comes with the newest revision known.
struct store_watch {
	void (*lease)(void *arg, const struct store_lease *l);
	void (*value)(void *arg, const char *name); // store_get() has it
	void *arg;
};
void store_set_watch(struct store *s, const struct store_watch *w); // copied; members may be NULL

// Queues one record. done(arg, rc, rev) runs on the loop, later, in the order of the calls for one
// record:
//   0               durable; rev is the record's new one
//   RG_E_CONFLICT   not written, the record in the store has another revision than l->rev; the watch
//                   has been told that record before
//   other negative  may be durable or not, and nothing may be acknowledged. The next commit of this
//                   record ends in RG_E_CONFLICT when it was.
// Returns 0, or negative when nothing was queued and done will not run. At most one commit of a
// record may be under way.
typedef void store_done_fn(void *arg, int rc, uint64_t rev);
[[nodiscard]] int store_commit(struct store *s, const struct store_lease *l, store_done_fn *done,
			       void *arg);

// Named values of at most STORE_VALUE_MAX bytes.
// As of the opening, the watch and the last write of ours; no I/O. 0, RG_E_STALE (absent) or RG_E_LIMIT;
// *len in: room, out: size.
[[nodiscard]] int store_get(struct store *s, const char *name, void *value, size_t *len);
// Queues a write; done as above. is_new: only when there is none (RG_E_CONFLICT: store_get() has it
// now); else it replaces whatever is there.
[[nodiscard]] int store_put(struct store *s, const char *name, const void *value, size_t len,
			    bool is_new, store_done_fn *done, void *arg);
// One assignment of a pair, as its last record says.
#define STORE_PASTS 8
struct store_past {
	uint64_t gen;
	const char *sub, *gateway;
	int64_t granted_ms, ended_ms, reassign_ms; // ended_ms: then no token was good; 0 = had none
};
// The last STORE_PASTS assignments, newest first; the first may still go on. past is valid for the
// call. rc 0, RG_E_STALE (no such record) or another negative. Returns as store_commit() does.
typedef void store_history_fn(void *arg, int rc, const struct store_past *past, size_t n);
[[nodiscard]] int store_history(struct store *s, const char *impi, store_history_fn *done,
				void *arg);

// Waits until all that is queued has been called back; blocks, so only at start and in tests.
void store_flush(struct store *s);

struct store_stats {
	uint64_t commits, batches, conflicts, failures;
	uint64_t queued; // waiting now
	bool is_up;      // the last write or contact succeeded: leases may be given out
};
void store_get_stats(const struct store *s, struct store_stats *out);
// Was the name of this handle taken from one that fell silent and did not give it back? That one may live
// on, cut off, and do what its records let it. True for the next handle as well, until
// store_settle_name(): records of that are queued.
bool store_has_taken_name(const struct store *s);
void store_settle_name(struct store *s);

// --- a copy of all that is stored, while it is in use
enum store_backup_state {
	STORE_BACKUP_NONE,
	STORE_BACKUP_COPYING,
	STORE_BACKUP_CHECKING,
	STORE_BACKUP_DONE,
	STORE_BACKUP_FAILED,
};
struct store_backup {     // the last one
	const char *file; // "": a check only
	enum store_backup_state state;
	unsigned percent; // copied
	int rc;           // FAILED: RG_E_PROTO, the store is damaged; -EEXIST; another -errno
	int64_t ended_ms; // wall clock
};
struct store_info {
	const char *kind;            // "sqlite", "etcd", "memory"
	int schema;                  // version of the format; 0 = has none
	uint64_t n_records, n_bytes; // 0 = not known here
	int64_t commit_ms;           // of the last commit, wall clock; 0 = none yet
	struct store_backup backup;
};
void store_get_info(struct store *s, struct store_info *out); // texts until the next store_backup()
// Copies the store into a new file, private to us, and reads all of the copy; NULL: the copy goes then.
// is_forced: an older backup of that name is replaced. How far it is tells store_get_info(). 0: under
// way; -EBUSY another one is; -EEXIST; -ENOTSUP (what is there is no backup); RG_E_UNSUPPORTED, it has
// a tool of its own; another -errno.
[[nodiscard]] int store_backup(struct store *s, const char *file, bool is_forced);

// A value that is 1 in a store which is new or old, and not what it was last: what was given out since
// nobody knows (INV-11).
#define STORE_LOST "store.lost"
// While no regated runs on path: puts a copy of backup there, or a new store (NULL, only when there is
// none), with that value. What was there is kept; its new name is in kept, "" when there was none.
// 0 or negative with one line in err.
[[nodiscard]] int store_sqlite_replace(const char *path, const char *backup, char *kept,
				       size_t kept_len, char *err, size_t err_len);

// Tests: the next n commits of a memory store fail with rc.
void store_mem_fail(struct store *s, unsigned n, int rc);
