// SPDX-License-Identifier: BSD-3-Clause
// Inside of the lease engine. One thread, the control loop; the file that owns a group of functions
// is named above it.
#pragma once

#include "lease/identity.h"
#include "lease/lease.h"
#include "lease/lease_table.h"

#define LEASE_N_STATES (LEASE_QUARANTINE + 1)
#define LEASE_WINDOW 64 // shared store: a grant picks among that many of the oldest free pairs
#define LEASE_BOOT_ID_LEN 36
#define LEASE_LOST_MAX 4
#define LEASE_TRIES_MAX 8 // times that a grant or renewal may lose against another gateway

enum { // indices of names; others follow
	LEASE_GATEWAY_NONE,
	LEASE_GATEWAY_OURS,
	LEASE_GATEWAY_OTHER, // whose name there was no memory for
};

struct lease_was { // a pair before its assignment, should that come to nothing
	bool is_void, is_left, is_held, is_moved, is_released, is_unused, is_over;
	uint16_t gateway, scenario;
	uint64_t gen, reassign_ns, lost_register_ns, lost_dereg_ns;
	int64_t granted_ms, ended_ms;
};

struct lease_op { // a grant or a renewal
	struct lease_op *next;
	struct lease_ask ask; // sub is ours
	bool is_new;          // it began the assignment
	bool is_adopted;      // for this pair and generation, or none
	bool has_used;
	struct lease_was was;
	struct rg_digest used; // lease_ask.used
	unsigned n_tries;
	uint64_t gen; // 0 = not known before its turn (account)
	int rc;       // in the list of late answers; of its signature
	struct lease_token issued;
	uint8_t *token; // ours
	size_t token_len, token_room;
	struct lease_pair *pair; // while it is being signed
};

struct lease_news {             // what the watch told while a commit was under way
	struct store_lease row; // only what is the lease's; sub is ours
	uint16_t gateway;
	bool is_apart; // of identities that are paired otherwise here
};

struct lease_pair {     // of a slot that is not FREE, or not yet at rest
	struct lease l; // first: lease_at() hands it out
	struct lease_engine *e;
	struct env_timer timer;

	struct lease_op *ops, **ops_last; // waiting, oldest first
	struct lease_op *running;         // being signed, or in the store's hands
	bool is_committing;               // so, or a record of this pair is; never two at a time
	bool is_dirty;                    // memory is ahead of the store
	bool was_dirty;                   // what is under way says so
	bool is_starting;                 // in lease_pair_run(): not again
	uint16_t n_holds;                 // functions that still need it: not to rest
	uint16_t moved_from;

	// Of what memory is ahead:
	bool is_raised;    // reassign_ns: nothing is promised to the client until it is durable
	bool is_void;      // the lease was ended before its tokens
	bool is_left;      // and only because its client had gone, as it seemed
	bool is_marked;    // suspect
	bool is_moving;    // gateway, which was moved_from
	bool is_unsure;    // the generation: no answer has said that it is durable
	bool is_released;  // reassign_ns is low because the core confirmed the end to us alone
	bool is_unused;    // no REGISTER of this generation, nor of one before, can be in the core
	bool has_proof;    // the core confirmed the end of the binding, and nothing was asked since
	bool is_revived;   // renewed while its binding ended, or elsewhere while it ended here
	bool is_ending;    // tokens over or void: only QUARANTINE is ahead
	uint8_t n_lost;    // below
	uint32_t heap_pos; // in the pool's quarantine; 0 = not

	// Tokens that may be on record, but that nobody was given; more than LEASE_LOST_MAX: any.
	struct rg_digest *lost; // LEASE_LOST_MAX of them; NULL: none
	struct lease_wait *waits;
	struct lease_news *news;
	enum lease_state before;      // PENDING: what to go back to
	unsigned n_tries;             // de-registrations without an answer
	uint64_t lost_register_ns;    // one without an answer may reach the core until then
	uint64_t lost_dereg_ns;       // the same
	uint64_t dereg_asked_ns;      // DEREG_PENDING: its answer is no newer than that
	uint64_t grace_ns;            // de-register then, if no flow comes; RG_NEVER = no
	uint64_t dereg_ns;            // call ops.deregister then
	uint64_t store_ns;            // store it then, after a failure
	int64_t granted_ms, ended_ms; // of the records; ended: 0 = goes on
	uint64_t fence;               // ticket: not free before it has passed; 0 = none

	lease_import_fn *import_done; // waits for the record that provisions it; NULL = nobody
	void *import_arg;
	char text[]; // l.impi, l.impu
};

// What there is of every pair; the rest only from its assignment until it is free again.
struct lease_slot {
	struct lease_pair *pair; // NULL: FREE, and nothing under way
	struct lease_text *text; // identities
	uint64_t gen;            // of the last assignment
	uint64_t rev;            // of the record in the store; 0 = none
	uint8_t state;           // enum lease_state
	uint8_t suspect;         // enum lease_suspect
	uint16_t pool, wwsf;
	uint16_t owner; // tag of the pair's sub; 0 = none
	uint32_t domain;
	uint32_t next_free, prev_free; // FREE list
	// Not beside state: who asks for both by one load would wait for a flag just written.
	bool is_fixed : 1;
	bool is_filed : 1;    // a file provisions it
	bool is_imported : 1; // its record provisions it
	bool is_withheld : 1; // FREE, but its first record is not durable yet, or it is removed
	bool is_listed : 1;   // in the FREE list
	bool is_removed : 1;  // provisioned no more: as if it were not there
	bool is_over : 1;     // gen was ended before its tokens, here or elsewhere
};

struct lease_pool {
	struct lease_pool *next;
	struct lease_engine *e;
	uint16_t idx;
	bool is_foreign; // its WWSF hands it out: no free list
	uint32_t n_pairs, n_state[LEASE_N_STATES];
	uint32_t first_free, last_free; // oldest first (INV-13); accounts have no list
	uint32_t n_listed, n_disabled, n_suspect, n_removed;
	bool is_draining;
	uint32_t *heap; // pairs in QUARANTINE by reassign_ns, from 1
	uint32_t n_heap, heap_cap;
	struct env_timer timer; // its first
};

struct lease_clock {           // disk_clock.c
	int64_t offset_ms;     // from CLOCK_BOOTTIME to the times in the store
	int64_t wall_ahead_ms; // of those, at the last look
	uint64_t frozen_ns;    // until then
	char boot_id[LEASE_BOOT_ID_LEN];
	bool is_putting;
	struct env_timer timer;
};

struct lease_baseline { // registration.c
	bool is_on;     // ims.md 6.2: the formula without feedback
	bool is_dirty;  // and the store does not know it yet: nothing is acknowledged
	struct env_timer timer;
};

struct lease_engine {
	struct lease_cfg cfg;
	struct env *env;
	struct store *store;
	struct log *log;
	struct lease_ops ops;
	struct lease_fence fence;
	struct lease_clock clock;
	uint64_t hold_until_ns; // INV-11
	uint64_t gen_floor;     // the same: no generation of before comes again (I4)
	struct lease_baseline baseline;
	uint32_t n_busy; // pairs that are not FREE
	struct lease_counters counters;
	char **gateways; // names from LEASE_GATEWAY_OTHER + 1 on
	uint16_t n_gateways;
	uint64_t probe_ns; // the store is away: until then no grant tries it
	struct rg_lease_table *table;
	struct lease_slot *slots;
	uint32_t n_pairs, max_pairs;
	struct lease_domain **domains;
	uint32_t n_domains, last_domain; // last: of the pair that was added last
	struct lease *view;              // of a pair at rest, for lease_at()
	size_t view_room;                // bytes behind it, for its texts
	struct lease_pool **pools;       // by uint16_t, NULL = none of its pairs
	struct lease_pool *first_pool;   // the same, as a list
	const char *const *pool_names;
	const uint16_t *pool_wwsfs; // NULL = none of the store's pairs is ours
	size_t n_pool_names;
	char load_fault[512];
	struct lease_index by_impi, by_impu, by_sub, by_domain;
	struct lease_op *late, **late_last; // answers that wait for the next turn
	struct env_timer late_timer;
	struct lease_op *to_sign, **to_sign_last; // oldest first
	unsigned n_to_sign, n_batches;            // n_batches: in the crypto pool
	struct env_timer sign_timer;
	struct lease_withdrawal *withdrawals; // oldest first; the first is under way
	struct env_timer walk_timer;
	uint32_t n_commits; // being signed, or in the store's hands
	bool is_dead;       // goes with the last of them
	uint8_t scratch[RG_TOKEN_MAX];
};

static inline bool lease_is_live(const struct lease *l) {
	return l->state != LEASE_FREE && l->state != LEASE_QUARANTINE;
}

static inline bool lease_is_registered(const struct lease *l) {
	return l->state >= LEASE_PENDING && l->state <= LEASE_UNKNOWN;
}

// Does the record name us as who registers it? Alone we always are.
static inline bool lease_is_ours(const struct lease_pair *p) {
	return !p->e->cfg.is_shared || p->l.gateway == LEASE_GATEWAY_OURS;
}

static inline uint64_t lease_later_ns(uint64_t a, uint64_t b) {
	return a > b ? a : b;
}

// In memory; lease_pair_raise() for what has to be on record before it counts.
static inline void lease_pair_not_before(struct lease_pair *p, uint64_t reassign_ns) {
	p->l.reassign_ns = lease_later_ns(p->l.reassign_ns, reassign_ns);
}

// --- engine.c
// The live pair of that generation; NULL otherwise.
struct lease_pair *lease_pair_find(const struct lease_engine *e, uint32_t idx, uint64_t gen);
// The pair of a slot, made if it is at rest. NULL without memory.
struct lease_pair *lease_pair_get(struct lease_engine *e, uint32_t idx);
void lease_pair_rest(struct lease_pair *p); // consumed if it is FREE and nothing is under way
void lease_pair_set_state(struct lease_pair *p, enum lease_state s);
void lease_pair_set_gen(struct lease_pair *p, uint64_t gen);
void lease_engine_destroy(struct lease_engine *e); // once is_dead and n_commits is 0
// lease_add_pair() without giving it to the free list.
[[nodiscard]] int lease_pair_add(struct lease_engine *e, uint16_t pool, uint16_t wwsf,
				 const char *impi, const char *impu, const char *fixed_sub);

uint16_t lease_gateway_idx(struct lease_engine *e, const char *name);
const char *lease_pool_name(const struct lease_engine *e, uint16_t pool); // "": accounts
// Ends the process with one line: it would break a promise to go on.
_Noreturn void lease_bug(const struct lease_engine *e, uint32_t idx, const char *what);

// --- list.c
void lease_pair_set_sub(struct lease_pair *p, char *sub); // consumed; NULL = no owner
uint16_t lease_owner_tag(const char *sub);                // of lease_slot; 0 = NULL

// --- pool.c: free list and quarantine
struct lease_pool *lease_pool_of(const struct lease_pair *p);
// Makes room for one more pair. NULL without memory.
struct lease_pool *lease_pool_grow(struct lease_engine *e, uint16_t idx);
void lease_pool_free(struct lease_pool *pool);
void lease_pool_give(struct lease_engine *e, uint32_t idx);   // to the end of the free list
void lease_pool_unlink(struct lease_engine *e, uint32_t idx); // out of it, if it is there
uint32_t lease_pool_take(struct lease_pool *pool); // off it; LEASE_NO_PAIR when none may go
void lease_pool_hold(struct lease_pair *p);        // into quarantine
void lease_pool_release(struct lease_pair *p);     // out of it

// --- merge.c: what others wrote
void lease_on_record(void *engine, const struct store_lease *row); // the store's watch
void lease_on_value(void *engine, const char *name);
void lease_news_take(struct lease_pair *p); // merges what was told meanwhile
void lease_news_free(struct lease_pair *p);
// Is the record of this pair as it is provisioned here?
bool lease_is_same_pair(const struct lease_engine *e, uint32_t idx, const struct store_lease *row);

// --- rotation.c
void lease_mark(struct lease_engine *e, uint32_t idx, enum lease_suspect cause);
enum lease_suspect lease_row_cause(const struct store_lease *row);
void lease_drain_load(struct lease_engine *e, const char *value_name); // NULL: all pools
void lease_drain_load_pool(struct lease_engine *e, uint16_t idx);
bool lease_drain_is_stored(const struct lease_engine *e,
			   uint16_t idx); // also of a pool without pairs

// --- persist.c
void lease_pair_persist(struct lease_pair *p); // stores the record as soon as may be
void lease_pair_run(struct lease_pair *p);     // starts what waits, if nothing is under way
void lease_pair_go(struct lease_pair *p);      // and all that follows // may consume p
// Hands the record to the store, with the token of op if there is one. 0 or negative.
[[nodiscard]] int lease_pair_commit(struct lease_pair *p, struct lease_op *op);
uint64_t lease_reassign_ns(const struct lease_engine *e, uint64_t token_end_ns);
uint64_t lease_reassign_floor_ns(const struct lease_engine *e, uint64_t token_end_ns);
void lease_lost_clear(struct lease_pair *p);
bool lease_pair_raise(struct lease_pair *p, uint64_t reassign_ns); // and persists, if higher
void lease_waits_end(struct lease_pair *p, int rc);
uint64_t lease_add_ns(uint64_t a, uint64_t b); // stops at RG_NEVER

// --- disk_clock.c
[[nodiscard]] int lease_clock_init(struct lease_engine *e); // 0 or the store's error
int64_t lease_clock_now_ms(const struct lease_engine *e);   // in the times of the store
int64_t lease_clock_to_disk_ms(const struct lease_engine *e, uint64_t ns);
uint64_t lease_clock_to_boot_ns(const struct lease_engine *e, int64_t disk_ms);
void lease_clock_run(struct lease_engine *e); // a pair has become busy
void lease_clock_on_value(struct lease_engine *e, const char *name);

// --- publish.c: the workers' view
// All tokens; where the snapshot cannot be shown, an entry that sends every REGISTER here.
[[nodiscard]] int lease_pair_publish(struct lease_pair *p);
[[nodiscard]] int lease_token_publish(const struct lease_pair *p, const struct lease_token *t);
void lease_pair_show_state(struct lease_pair *p); // the state words alone
enum rg_lease_state lease_shown_state(const struct lease_pair *p);
void lease_token_drop(struct lease_pair *p, unsigned slot);
void lease_pair_drop_tokens(struct lease_pair *p);
void lease_pair_drop_ended(struct lease_pair *p); // and moves what is left to the front

// --- registration.c
void lease_binding_clear(struct lease_pair *p);
// Out of the core's sight: as if its token had just been issued. is_stale: as far as we know.
void lease_pair_offer(struct lease_pair *p, bool is_stale);
void lease_pair_release(struct lease_pair *p); // RELEASED; evidence is there
bool lease_may_release(const struct lease_pair *p);
void lease_pair_lower(struct lease_pair *p); // reassign_ns to the guard: evidence is there

// --- baseline.c
void lease_baseline_load(struct lease_engine *e);

// --- adopt.c
void lease_withdrawal_fn(struct env_timer *t, uint64_t now_ns);
void lease_withdrawals_stop(struct lease_engine *e);

// --- timers.c
void lease_pair_void(struct lease_pair *p); // none of its tokens is good, whatever they say
void lease_pair_fn(struct env_timer *t, uint64_t now_ns);
void lease_pair_arm(struct lease_pair *p);
void lease_pair_deregister(struct lease_pair *p); // DEREG_PENDING; ops.deregister next turn
void lease_pair_quarantine(struct lease_pair *p); // until reassign_ns
void lease_pair_end(struct lease_pair *p);        // no token is left: towards QUARANTINE
void lease_pair_settle(struct lease_pair *p);     // drops tokens that ended, then maybe the lease
