// SPDX-License-Identifier: BSD-3-Clause
// The world around a lease engine under simulation: a core that answers, refuses, keeps silent and
// is late, clients with flows, a store that fails, crashes; and an oracle that remembers what was
// acknowledged and never asks the engine what it believes.
#pragma once

#include "core/env_sim.h"
#include "lease/lease.h"
#include "store/store_mem.h"

#define N_PAIRS 8 // 5 in pool 0, 1 in pool 1, 2 accounts
#define N_ACCOUNTS 2
#define N_POOLS 2
#define MAX_ACKS 512 // per seed
#define MAX_TXS 256
#define MAX_FLOWS 512
#define MAX_REQUESTS 512

struct ack { // one acknowledged token
	uint32_t idx;
	uint64_t gen;
	char sub[16];
	struct rg_digest digest;
	uint64_t end_ns;
	enum { ACK_GOOD, ACK_VOID, ACK_UNSURE } state; // UNSURE: void, but a crash may undo it
};

struct owner { // last acknowledged owner of a pair
	char sub[16];
	uint64_t gen;
	uint64_t end_ns;     // of the longest token
	uint64_t release_ns; // given back then, confirmed by the core; RG_NEVER = not
	bool is_restored;    // a crash came in between
};

struct core_binding { // what the core really holds for a pair
	char sub[16];
	uint64_t gen;
	uint64_t end_ns; // 0 = nothing
};

struct tx { // a request to the core
	struct env_timer timer;
	struct world *w;
	bool is_used, is_dereg, is_late; // late: nobody waits for the answer any more
	bool keep_token;
	enum { TX_OK, TX_REFUSED, TX_SILENT } outcome;
	uint32_t idx;
	uint64_t gen, expires_ns;
	struct rg_conn_id flow;
	char sub[16];
};

struct request { // a grant or renewal of a client
	struct world *w;
	char sub[16];
	struct rg_digest digest; // of the token issued for it
	uint64_t end_ns;
	bool is_unsigned; // signing fails
};

struct world {
	uint64_t rng, seed;
	unsigned step;
	struct env *env;
	struct store *store;
	struct lease_engine *e;
	struct rg_digester *digester;
	struct lease_cfg cfg;
	struct ack acks[MAX_ACKS];
	size_t n_acks;
	struct owner owners[N_PAIRS];
	struct core_binding core[N_PAIRS];
	struct tx txs[MAX_TXS];
	struct {
		bool is_open;
		uint32_t idx;
		uint64_t gen;
	} flows[MAX_FLOWS];
	uint32_t n_flows; // conn.gen is the number of the flow
	struct request requests[MAX_REQUESTS];
	size_t n_requests;
	unsigned n_subs, n_tokens;
	unsigned n_grants_ok, n_registered, n_released, n_crashes, n_reassigned;
};

// lease_world.c
uint64_t world_random(struct world *w, uint64_t below);
void world_init(struct world *w, uint64_t seed);
void world_fini(struct world *w);
void world_crash(struct world *w);
void world_grant(struct world *w);
void world_renew(struct world *w);
void world_register(struct world *w);
void world_deregister(struct world *w);
void world_revoke(struct world *w);
void world_flow(struct world *w);

// lease_oracle.c: each aborts with seed and step when the engine is wrong
#define world_assert(w, x)                                       \
	do {                                                     \
		if (!(x))                                        \
			world_fail((w), #x, __FILE__, __LINE__); \
	} while (0)
_Noreturn void world_fail(const struct world *w, const char *what, const char *file, int line);
// A token is being issued for l.
void oracle_on_issue(struct world *w, const struct lease *l);
void oracle_on_ack(struct world *w, const struct lease *l, uint64_t end_ns,
		   const struct rg_digest *d);
void oracle_on_revoke(struct world *w, uint32_t idx, uint64_t gen);
void oracle_on_release(struct world *w, uint32_t idx, uint64_t gen);
void oracle_on_restart(struct world *w);
// The core now holds a binding of tx's owner.
void oracle_on_binding(struct world *w, const struct tx *tx, uint64_t end_ns);
void oracle_check(struct world *w);
