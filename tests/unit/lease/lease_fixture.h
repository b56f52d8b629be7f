// SPDX-License-Identifier: BSD-3-Clause
// A lease engine in a simulated environment, with what it did written down.
#pragma once

#include <check.h>

#include "core/env_sim.h"
#include "lease/lease.h"
#include "store/store_mem.h"

#define SEC RG_NS_PER_S
#define FIX_LIFE (1800 * SEC)
// ims.md 6.5: eps 5, T_sip 69, S_core 360
#define FIX_GUARD (434 * SEC)

struct fix_done { // last answer of a grant or renewal
	unsigned n;
	int rc;
	uint32_t idx;
	uint64_t gen;
	char token[64];
	struct rg_digest digest;
};

struct fix {
	struct env *env;
	struct store *store;
	struct lease_engine *e;
	struct rg_digester *digester;
	struct fix_done done;
	int issue_rc;
	unsigned n_issued;
	unsigned n_deregister;
	uint64_t dereg_gen;
	unsigned n_close;
	struct rg_conn_id closed;
	uint16_t close_code;
	unsigned n_pairs;
	const char *gateway;   // NULL: alone
	struct lease_cfg more; // of what the fixture leaves 0
	bool is_guest;         // env and digester belong to the other one
	unsigned n_room;       // for as many more, from the next restart on
};

// n pairs "p<i>@x" in pool 0, then account "alice" with "alice@x".
void fix_init(struct fix *f, unsigned n_pairs);
void fix_fini(struct fix *f);
void fix_start(struct fix *f); // a new engine on env and store
// Two gateways "a" and "b" on one store, in one environment; fini b first.
void fix_init_two(struct fix *a, struct fix *b, unsigned n_pairs);
// The process ends as by kill -9 and comes back; the first n queued commits made it to the disk.
void fix_restart(struct fix *f, unsigned n_durable);
void fix_advance(struct fix *f, uint64_t ns); // and checks all invariants
struct lease_ask fix_ask(struct fix *f, const char *sub);
void fix_grant(struct fix *f, const char *sub);   // pool 0; waits for the answer
void fix_account(struct fix *f, const char *sub); // the same for an account
void fix_renew(struct fix *f, uint32_t idx, uint64_t gen);
// Registers idx up to its token's end, flow number conn.
void fix_register(struct fix *f, uint32_t idx, uint64_t gen, uint32_t conn);
struct rg_conn_id fix_conn(uint32_t n);
// Are the pieces, put together, the text?
bool fix_is_text(const struct rg_slice *pieces, unsigned n, struct rg_slice text);
// What a worker would find: enum rg_lease_state, or -1.
int fix_seen(const struct fix *f, const struct rg_digest *d);
const struct lease *fix_lease(const struct fix *f, uint32_t idx);
int fix_main(Suite *s);
