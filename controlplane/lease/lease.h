// SPDX-License-Identifier: BSD-3-Clause
// The lease engine: who owns which identity pair, from when to when. A pure state machine over the
// pairs of all pools (ims.md section 6): time comes in as arguments, effects go out through
// struct lease_ops. It is the only writer of the lease table.
//
//   FREE > OFFERED > PENDING > ACTIVE > (DEREG_PENDING, UNKNOWN) > QUARANTINE > FREE
//
// Guarantees: a pair has at most one owner (INV-1); its generation grows with every assignment
// (INV-5); it is not assigned again before reassign_at, which only grows while the lease lives
// (INV-4); no token leaves before it is durable (INV-6); free pairs go out oldest first (INV-13).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/env.h"
#include "core/log.h"
#include "regate/lease.h"
#include "regate/punt.h"
#include "store/store.h"

enum lease_state { // persisted: never renumber
	LEASE_FREE = 0,
	LEASE_OFFERED = 1, // token issued
	LEASE_PENDING = 2, // REGISTER under way in the core
	LEASE_ACTIVE = 3,
	LEASE_DEREG_PENDING = 4,
	LEASE_UNKNOWN = 5, // a de-registration or REGISTER got no answer
	LEASE_QUARANTINE = 6,
};

struct lease_token {
	struct rg_digest digest;
	uint64_t end_ns; // CLOCK_BOOTTIME; 0 = slot empty
	uint64_t key;    // its issuer's, of lease_ask; 0 = ours, or not known
};

struct lease_binding {           // what the core confirmed; strings owned by the lease
	struct rg_slice contact; // client's Contact without expires
	struct rg_slice call_id; // client's
	struct rg_slice headers; // lines for the client's 200
	struct rg_slice to_tag;
	uint64_t core_refresh_ns, core_low_ns, core_high_ns; // ims.md 4.2
};

enum lease_suspect { // why a pair is out of rotation; persisted: never renumber
	LEASE_SUSPECT_NONE = 0,
	LEASE_SUSPECT_OPERATOR = 1,
	LEASE_SUSPECT_FORBIDDEN = 2, // the core answered 403 to its first REGISTER
	LEASE_SUSPECT_UNKNOWN = 3,   // and 404
	LEASE_SUSPECT_IDENTITY = 4,  // the core lists another pool's IMPU with it (INV-2)
};

#define LEASE_CALL_ID_MAX 36 // with its NUL

struct lease { // read-only outside this folder; there may be millions
	uint32_t idx;
	enum lease_state state;
	uint64_t gen;
	bool is_stale;     // the next REGISTER must reach the core (4.3 rule 10)
	bool is_fixed;     // belongs to an account; never given to anyone else
	bool is_moved;     // more than one gateway registered this generation
	uint8_t suspect;   // enum lease_suspect: not given out any more
	uint16_t gateway;  // that registered it last, or gave it out: lease_gateway_name()
	uint16_t scenario; // 2 web authentication, 3 pool
	uint16_t wwsf;
	uint16_t pool;
	uint32_t core_cseq;                      // ims/: last used towards the core
	const char *impi, *impu;                 // impu without angle brackets
	char *sub;                               // owner; NULL when FREE
	struct lease_token tokens[STORE_TOKENS]; // [0] newest
	uint64_t reassign_ns;                    // CLOCK_BOOTTIME
	struct lease_binding binding; // contact.len 0 = never registered in this process's life
	uint64_t promise_end_ns;      // what the client was told last; 0 = it is over
	struct rg_conn_id flow;       // gen 0 = none
	char core_call_id[LEASE_CALL_ID_MAX]; // ims/: towards the core; empty = none yet
};

struct lease_ops { // effects; all on the loop
	void *ctx;
	// End the core binding: de-register l, then call lease_dereg_done() or lease_dereg_unknown(),
	// now or later. l is DEREG_PENDING already and has no core transaction under way; never
	// called from within another call of this header. l->binding.contact may be empty (a binding
	// of before a restart). keep_token: whether lease_token_end_ns(l) is still to come.
	void (*deregister)(void *ctx, const struct lease *l);
	// Close this client connection with a WebSocket close code.
	void (*close_flow)(void *ctx, struct rg_conn_id conn, uint16_t code);
};

struct lease_cfg {
	uint64_t clock_error_ns, t_sip_ns, core_slack_ns, release_guard_ns, flow_grace_ns;
	uint64_t reg_max_ns;   // T_reg
	uint64_t token_max_ns; // the longest token life there may be
	uint64_t outage_ns;    // a reboot may have taken that long; 0: 30 days
	uint64_t mark_ns;      // between two marks of the clock in the store; 0: a second
	const char *gateway;   // this gateway's name in the records, borrowed; NULL: ""
	bool is_shared;        // other gateways use the store as well
};

struct lease_engine;
[[nodiscard]] struct lease_engine *lease_engine_new(const struct lease_cfg *cfg, struct env *env,
						    struct store *store, struct log *log,
						    const struct lease_ops *ops,
						    uint32_t max_pairs);
void lease_engine_free(struct lease_engine *e);
// What an engine for max_pairs takes when all of them are there, free or (about) registered.
uint64_t lease_engine_bytes(uint32_t max_pairs, bool is_leased);
const struct rg_lease_table *lease_engine_table(const struct lease_engine *e);

// --- provisioning, before lease_engine_load(). RG_E_CONFLICT for an IMPI or IMPU seen before
// (INV-2; ASCII case makes no difference) or an account seen before, RG_E_LIMIT beyond max_pairs.
// fixed_sub: the account that owns the pair, else NULL.
[[nodiscard]] int lease_add_pair(struct lease_engine *e, uint16_t pool, uint16_t wwsf,
				 const char *impi, const char *impu, const char *fixed_sub);
// Pools by name, in the order of their indices (strings are borrowed); accounts use pool UINT16_MAX,
// stored as "".
void lease_set_pool_names(struct lease_engine *e, const char *const *names, size_t n);
// Whose they are, in the same order (borrowed). Without it no record becomes a pair.
void lease_set_pool_wwsfs(struct lease_engine *e, const uint16_t *wwsfs);
// When no worker can still answer from what has left the table; fence is copied. Without one, as
// in tests, no worker is reckoned with.
struct lease_fence {
	void *ctx;
	uint64_t (*ask)(void *ctx); // a ticket > 0 for all that has left until now
	bool (*is_passed)(void *ctx, uint64_t ticket);
};
void lease_set_fence(struct lease_engine *e, const struct lease_fence *fence);
// Restores what the store knows: imported pairs, live leases, which come back STALE, quarantines,
// which run on. A record whose pair is no longer provisioned is kept in the store and never handed
// out. 0 or the store's error; RG_E_CONFLICT and RG_E_LIMIT with one line in lease_load_fault().
[[nodiscard]] int lease_engine_load(struct lease_engine *e);
const char *lease_load_fault(const struct lease_engine *e); // "" = none

// --- provisioning at run time: the pair gets a record of its own, and is handed out once that is
// durable. Returns
//   0                done(arg, rc) runs once, later, on the loop: durable (rc 0), or maybe not
//   LEASE_IS_THERE   imported before, or earlier with the same arg; done will not run
//   RG_E_CONFLICT    its IMPI or IMPU belongs to another pair, or pool (INV-2)
//   -EBUSY           being imported for somebody else; RG_E_LIMIT, -ENOMEM
// lease_engine_free() answers -ECANCELED to what is left.
#define LEASE_IS_THERE 1
typedef void lease_import_fn(void *arg, int rc);
[[nodiscard]] int lease_import(struct lease_engine *e, uint16_t pool, const char *impi,
			       const char *impu, lease_import_fn *done, void *arg);

#define LEASE_SIGNATURE_MAX 512

// --- assignment. done runs on the loop once the token may leave (rc 0) or not (negative).
struct lease_ask {
	bool is_account;
	uint16_t pool;          // !is_account
	const char *sub;        // owner
	uint64_t token_life_ns; // from when it is issued; or
	uint64_t token_end_ns;  // CLOCK_BOOTTIME, not 0: it was issued already
	// Issues the token of this lease: writes at most RG_TOKEN_MAX bytes, 0 or negative.
	int (*issue)(void *arg, const struct lease *l, uint64_t token_end_ns, struct rg_wr *token);
	// NULL: the token is whole. Else appends its signature, at most LEASE_SIGNATURE_MAX bytes, on
	// any thread: arg is good until done(), and nobody else touches what this needs of it.
	int (*sign)(void *arg, struct rg_wr *token);
	// token is valid for the call; rc RG_E_EXHAUSTED (none free, or the account's pair still
	// has to be given back), RG_E_STALE (no such account, generation gone), RG_E_EXPIRED (the
	// store took longer than the token lives), RG_E_LIMIT, -errno (store). l is NULL then.
	void (*done)(void *arg, int rc, const struct lease *l, struct rg_slice token);
	void *arg;
	struct rg_digester *digester;
	uint64_t key; // that its issuer signed it with; 0: ours, or none
	// lease_renew(): the token that the client showed, which stays good beside the new one;
	// copied; NULL: the newest.
	const struct rg_digest *used;
};
// A new owner gets the oldest free pair; an account gets its own, again and again, with a new token
// of the same generation while its lease lives. Always answers through done, once, later; without
// memory at once (-ENOMEM). lease_engine_free() answers -ECANCELED to what is left.
void lease_grant(struct lease_engine *e, const struct lease_ask *ask);
// A new token for a live lease, same generation; the previous one stays good until its end.
void lease_renew(struct lease_engine *e, uint32_t idx, uint64_t gen, const struct lease_ask *ask);

// --- waiting for the store. A wait is the caller's until done has run or it was cancelled.
struct lease_wait {
	// 0: durable. Negative: nothing may be acknowledged; the store is tried again all the same.
	void (*done)(struct lease_wait *w, int rc);
	struct lease_wait *next; // private
};
// Is all that is known of the pair durable? 0: yes. RG_MORE: done runs on the loop, later, once
// (-ECANCELED from lease_engine_free()).
[[nodiscard]] int lease_await(struct lease_engine *e, uint32_t idx, struct lease_wait *w);
void lease_await_cancel(struct lease_engine *e, uint32_t idx, struct lease_wait *w);

// --- rotation
// Takes a pair out of rotation for cause, or puts it back (LEASE_SUSPECT_NONE): it is not given out;
// a lease that lives ends as usual. 0, RG_E_STALE (no such pair), -ENOMEM. Durable: lease_await().
[[nodiscard]] int lease_set_suspect(struct lease_engine *e, uint32_t idx, enum lease_suspect cause);
const char *lease_suspect_name(enum lease_suspect cause);
// A draining pool gives out nothing, what lives runs out. Kept in the store by the pool's name; all
// gateways follow. done runs once it is durable (it may be NULL). 0, RG_E_STALE (no such pool) or
// the store's error.
[[nodiscard]] int lease_pool_drain(struct lease_engine *e, uint16_t pool, bool is_draining,
				   store_done_fn *done, void *arg);

// --- look-up; NULL when not that generation, or FREE or QUARANTINE
const struct lease *lease_get(const struct lease_engine *e, uint32_t idx, uint64_t gen);
// Has a later one begun, or was this one ended before its tokens? False: not that anybody here knows.
bool lease_is_over(const struct lease_engine *e, const char *impi, uint64_t gen);
// By a digest of one of its live tokens.
const struct lease *lease_by_digest(const struct lease_engine *e, const struct rg_digest *d);
// Any state; NULL past the end. Of a FREE pair it is good until the next call.
const struct lease *lease_at(const struct lease_engine *e, uint32_t idx);
uint32_t lease_n_pairs(const struct lease_engine *e);
// The pair of this IMPU or IMPI, ASCII case aside; RG_LEASE_NONE when there is none.
uint32_t lease_find(const struct lease_engine *e, const char *name);
struct lease_filter {
	int32_t pool, wwsf, state; // -1: any, state: any but FREE, or any at all of the suspect
	bool is_suspect;           // out of rotation only
	const char *sub;           // NULL: any
	struct rg_slice impu;      // it begins with this, ASCII case aside
};
// Looks at pairs from *idx on, *n at most, and counts *n down for each. True: *idx fits. False: *idx is
// where to go on, lease_n_pairs() at the end.
bool lease_scan(const struct lease_engine *e, const struct lease_filter *f, uint32_t *idx,
		unsigned *n);
uint64_t lease_token_end_ns(const struct lease *l); // of the token that lives longest
const char *lease_gateway_name(const struct lease_engine *e, const struct lease *l); // "": none

// --- registration, driven by ims/. 0, RG_E_STALE (generation gone), RG_E_CONFLICT (wrong state).
// sent_end_ns: when a binding made by this request may end at the latest. RG_MORE: begun, but the core
// may only be asked once lease_await() says that the record is durable (another gateway registered
// it last, or the pair is free later than the record says).
[[nodiscard]] int lease_register_begin(struct lease_engine *e, uint32_t idx, uint64_t gen,
				       uint64_t sent_end_ns);
// Binding confirmed: copies b, publishes ACTIVE to the workers. RG_MORE: done, but what it means for the
// pair's end is not durable yet: the client is told once lease_await() says so.
[[nodiscard]] int lease_register_done(struct lease_engine *e, uint32_t idx, uint64_t gen,
				      const struct lease_binding *b, struct rg_conn_id flow,
				      uint64_t promise_end_ns);
// The core's answer says that it may hold a binding until high_ns (with its slack), whatever becomes
// of the rest of the request: the pair is not free before.
void lease_register_held(struct lease_engine *e, uint32_t idx, uint64_t gen, uint64_t high_ns);
// An answer of the core granted more than was asked: from now on the formula without feedback holds
// (ims.md 6.2). The store remembers it.
void lease_core_exceeded(struct lease_engine *e);
// The same for a refresh that no client waits for: the flow and its promise stay what they are.
[[nodiscard]] int lease_refresh_done(struct lease_engine *e, uint32_t idx, uint64_t gen,
				     const struct lease_binding *b);
// And when it failed, as below: the core is asked again at retry_ns; 0: the next REGISTER asks it.
void lease_refresh_failed(struct lease_engine *e, uint32_t idx, uint64_t gen, bool is_unknown,
			  uint64_t retry_ns);
// Refused by the core (is_unknown false: back to what it was) or without an answer (true).
void lease_register_failed(struct lease_engine *e, uint32_t idx, uint64_t gen, bool is_unknown);
// De-registration for a client: begin fences the workers (ENDING); RG_E_CONFLICT while another request
// is under way; RG_MORE as above, and resume is told what lease_await() said: 0, the core may be asked;
// else nothing was begun (RG_E_STALE: the lease is over). done: the core confirmed, or said so by
// itself (reg-event); keep_token false gives the pair back. unknown: no answer; tried again through
// ops.deregister. A flow whose promise is not over is closed 1008 at the end; that of a client whose
// answer unbinds it is lease_flow_closed() before.
[[nodiscard]] int lease_dereg_begin(struct lease_engine *e, uint32_t idx, uint64_t gen);
[[nodiscard]] int lease_dereg_resume(struct lease_engine *e, uint32_t idx, uint64_t gen, int rc);
void lease_dereg_done(struct lease_engine *e, uint32_t idx, uint64_t gen, bool keep_token);
// The core confirmed what proves nothing (a 200 to "Contact: *"): the token stays, as above.
void lease_dereg_unproved(struct lease_engine *e, uint32_t idx, uint64_t gen);
void lease_dereg_unknown(struct lease_engine *e, uint32_t idx, uint64_t gen);
// Saves Call-ID and CSeq used towards the core (ims.md 1.5).
void lease_set_core_dialog(struct lease_engine *e, uint32_t idx, const char *call_id,
			   uint32_t cseq);

// --- flow events from the workers; of a generation that is gone flow_bound closes conn, 1008
void lease_flow_bound(struct lease_engine *e, uint32_t idx, uint64_t gen, struct rg_conn_id conn,
		      uint64_t promise_end_ns); // closes the old flow 1008 if it differs
void lease_flow_closed(struct lease_engine *e, uint32_t idx, uint64_t gen, struct rg_conn_id conn);
void lease_flow_expired(struct lease_engine *e, uint32_t idx, uint64_t gen, struct rg_conn_id conn);

// --- ends a lease early (operator, DELETE /v1/lease): tokens void at once, workers fenced, flow
// closed 1008, core de-registered; the pair is free only after the evidence. 0, RG_E_STALE. Nothing
// is to be answered before it is durable: lease_await().
[[nodiscard]] int lease_revoke(struct lease_engine *e, uint32_t idx, uint64_t gen);

struct lease_pool_stats {
	uint32_t n_pairs; // the sum of the next five (I3)
	uint32_t n_free, n_offered, n_registered, n_quarantine;
	uint32_t n_disabled; // would be free, but suspect
	uint32_t n_suspect;  // in any state
	bool is_draining;
	uint64_t next_free_ns; // CLOCK_BOOTTIME of the next pair out of quarantine; RG_NEVER
};
void lease_get_pool_stats(const struct lease_engine *e, uint16_t pool,
			  struct lease_pool_stats *out);
struct lease_counters {
	uint64_t n_granted, n_renewed, n_revoked;
	uint64_t n_conflicts; // another gateway had the pair first
	uint64_t n_moved_in, n_moved_out;
	uint64_t n_broken; // another gateway gave out a pair whose lease lived here: must stay 0
};
void lease_get_counters(const struct lease_engine *e, struct lease_counters *out);
// The clocks of the gateways, or of this one before and after a boot, differ by more than the bound:
// no pair is given out nor leaves its quarantine while they do.
bool lease_is_frozen(const struct lease_engine *e);
const char *lease_state_name(enum lease_state s);
// Looks through everything: the first broken invariant as text, NULL when all hold. O(pairs), for
// tests and `regatectl`.
const char *lease_engine_check(const struct lease_engine *e);
