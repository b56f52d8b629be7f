// SPDX-License-Identifier: BSD-3-Clause
// A world under simulation: gateways (the real lease engine and the real ims/), one store, a core
// that really holds bindings, and clients, in one thread. Time, network, disk and randomness are
// virtual, and every choice comes from one seed: a run is a function of its seed.
//
// True time is w->now_ns; each gateway has clocks of its own (an environment each), which run at
// the same speed from another start, stand still in its view while it is paused, and whose wall
// clock is stepped.
#pragma once

#include "core.h"
#include "core/env_sim.h"
#include "history.h"
#include "ims/ims.h"
#include "operator.h"
#include "regate/sip.h"
#include "store/store_mem.h"
#include "user.h"

#define N_PAIRS HISTORY_PAIRS // 6 in pool 0, 1 in pool 1, 2 accounts
#define N_ACCOUNTS 2
#define N_POOLED (N_PAIRS - N_ACCOUNTS)
#define N_FILED (N_PAIRS - 1)
#define PAIR_IMPORTED N_FILED // the sixth of pool 0: its record provisions it, or nothing
#define POOL_ACCOUNTS UINT16_MAX
#define MAX_GATEWAYS 3
#define MAX_USERS 192
#define MAX_REVOCATIONS 64
#define MAX_DRAINS 64
#define MAX_CONNS 1024
#define MAX_ASKS 512
#define WALL_ERROR_MS 2000 // at a boot, then steps come: NTP
#define MAX_CLOSED 16
#define TOKEN_LEAST_S 60
#define TOKEN_MAX_NS ((TOKEN_LEAST_S + 7200) * RG_NS_PER_S)

struct world;

struct gateway {
	struct world *w;
	unsigned id; // from 1
	struct env *env;
	uint64_t boot_true_ns, boot_env_ns; // one moment in two clocks
	unsigned n_boots;
	struct lease_cfg cfg;
	struct store *store;
	struct conf conf;
	struct lease_engine *e; // NULL: down
	struct ims *ims;
	struct dpport port;
	bool is_paused, is_booting, is_load_failed, is_idle;
	uint64_t timer_env_ns, timer_ns; // its next timer, in both clocks
	uint64_t down_ns;                // since then
	uint64_t behind_ns;              // until then it may not know what the others wrote
	int drift_ppm;                   // of its clock
	uint64_t resume_ns;              // or start again, when down
	unsigned life;                   // of the process, counted
	bool is_store_lost;              // since it ran last
	uint64_t fence_n, fence_ns;      // the last ticket, and when it passes
	uint32_t closed[MAX_CLOSED];     // connections that had gone when they were bound
	unsigned n_closed;
	bool has_imported; // PAIR_IMPORTED may be given out here
	struct operator_ask imports[2];
	// its connection to the core, at the core's end
	struct env_sim_end *core;
	size_t in_len;
	char in[4 * SIP_MAX_MSG];
};

struct conn { // a client's connection to a gateway
	bool is_open;
	uint16_t client;
	uint8_t gateway;
	unsigned life;           // of the gateway
	struct rg_binding bound; // as its worker knows
};

struct ask { // a grant or renewal under way
	struct gateway *g;
	uint16_t client;
	uint8_t op;
	bool is_done;
	struct user_token token;
};

struct revocation { // that is not durable yet
	struct lease_wait wait;
	struct world *w;
	struct history_event e;
};

struct world {
	uint64_t seed, rng;
	uint64_t now_ns; // true time
	unsigned step;
	unsigned n_gateways;
	struct gateway gw[MAX_GATEWAYS];
	struct user users[MAX_USERS];
	unsigned n_users; // [0] is nobody
	struct conn conns[MAX_CONNS];
	unsigned n_conns; // [0] is none
	struct ask asks[MAX_ASKS];
	unsigned n_asks;
	uint32_t n_tokens;
	struct rg_digest digests[HISTORY_TOKENS]; // by number
	struct revocation revocations[MAX_REVOCATIONS];
	unsigned n_revocations;
	struct binding bindings[N_PAIRS][MAX_BINDINGS];
	struct core_job jobs[MAX_CORE_JOBS]; // first to be done first
	unsigned n_jobs;
	enum core_mood mood;
	bool is_calm;                     // the run ends: no more faults
	uint64_t other_id_ns[N_PAIRS];    // since then the core lists another's identity; 0 = not
	uint64_t freed[N_PAIRS], n_freed; // when each became free, counted; RG_NEVER: it is not
	uint64_t free_seen;               // of the pairs, last looked at
	uint64_t n_conflicts, outage_ns;  // the store's, last looked at; of all reboots
	uint64_t calm_until_ns;           // no crash and no failing store before
	uint64_t horizon_ns;              // when every lease of until now is over, true time
	struct rg_digester *digester;
	struct lease_cfg cfg;
	struct history_rules rules;
	struct operator_ask drains[MAX_DRAINS];
	unsigned n_drains;
	uint64_t n_opened[2]; // pools
	struct history h;
	struct world_counts {
		uint64_t steps, granted, renewed, registered, local, deregistered, revoked,
			reassigned, crashes, boots, pauses, wall_steps, store_faults, core_faults,
			moves, cuts, lost_stores, suspected, put_back, drained, imported, removed,
			released, overtaken;
	} n;
};

// --- world.c
uint64_t world_random(struct world *w, uint64_t below);
bool world_chance(struct world *w, unsigned percent);
_Noreturn void world_fail(struct world *w, const char *what, uint32_t pair);
#define world_assert(w, x, pair)                 \
	do {                                     \
		if (!(x))                        \
			world_fail(w, #x, pair); \
	} while (0)
void world_init(struct world *w, uint64_t seed);
void world_run(struct world *w, unsigned n_steps); // to the end, and checks it
void world_fini(struct world *w);
void world_settle(struct world *w); // until nothing is ready anywhere
void world_advance(struct world *w, uint64_t ns);
void world_log(struct world *w, struct history_event e); // at is now
void world_extend(struct world *w, uint64_t end_ns);     // the horizon

// --- gateway.c
uint64_t gateway_to_true(const struct gateway *g, uint64_t env_ns);
uint64_t gateway_to_env(const struct gateway *g, uint64_t true_ns);
void gateway_init(struct gateway *g, unsigned id);
void gateway_start(struct gateway *g);
void gateway_crash(struct gateway *g, bool is_reboot);
void gateway_lose_store(struct gateway *g); // which is down
void gateway_fini(struct gateway *g), gateway_check(struct gateway *g);
bool gateway_serves(const struct gateway *g);
struct gateway *gateway_any(struct world *w); // NULL: it does not serve
bool gateway_is_behind(const struct gateway *g);
void gateway_heal(struct gateway *g); // its way to the store
// A client's REGISTER arrives at a worker.
void gateway_register(struct gateway *g, struct user *c, uint32_t conn, const struct user_token *t,
		      struct rg_slice text);
