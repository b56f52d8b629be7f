// SPDX-License-Identifier: BSD-3-Clause
// A WWSF over the real lease engine, memory store, token and account code, in simulated time. Two
// WWSFs: "demo" (0) with pools closed, open (3 pairs) and accounts; "other" (1) with one pool.
#pragma once

#include "account/account.h"
#include "core/env_sim.h"
#include "lease/lease.h"
#include "store/store.h"
#include "token/token.h"
#include "wwsf/wwsf.h"

#define DEMO "Origin: https://wic.example.net\r\n"
#define OTHER "Origin: https://other.example.net\r\n"
#define JSON "Content-Type: application/json\r\n"
#define ANON "{\"anonymous\":true}"
#define ALICE "{\"account\":\"alice\",\"password\":\"secret\"}"

enum { POOL_CLOSED, POOL_OPEN, POOL_OTHER, N_POOLS };
#define OPEN_PAIRS 3

struct fx {
	struct env *env;
	struct store *store;
	struct lease_engine *leases;
	struct account_db *accounts;
	struct token_keys *keys;
	struct rg_digester *digester;
	struct wwsf *w;
	struct conf conf;
	struct conf_wwsf wwsfs[2];
	struct conf_pool pools[N_POOLS];

	unsigned n_sent; // requests
	unsigned n_replies;
	struct rg_reply reply; // the last one
	char text[16384];      // its bytes
	unsigned n_deregs;     // the engine asked for
	uint32_t dereg_idx;
	uint64_t dereg_gen;
	unsigned n_closes;
	uint16_t close_code;
};

void fx_init(struct fx *f);
void fx_fini(struct fx *f);
// A new WWSF in the place of the old one, with these accounts.
void fx_replace(struct fx *f, struct account_db *accounts);

// Sends one request; the answer may come later. headers: whole lines; body may be NULL.
void fx_send(struct fx *f, const char *method, const char *path, const char *headers,
	     const char *body);
void fx_send_raw(struct fx *f, struct rg_slice request);
void fx_run(struct fx *f); // until everything has finished
// Sends, lets everything finish, and returns the status of the one answer.
unsigned fx_ask(struct fx *f, const char *method, const char *path, const char *headers,
		const char *body);
unsigned fx_status(const struct fx *f);
// Is this line in the head of the last answer?
bool fx_has_line(const struct fx *f, const char *line);
// Value of a header in the last answer, "" when absent; valid until the next call.
const char *fx_header(const struct fx *f, const char *name);
// Member of the JSON body of the last answer; fails the test when it is not there.
const char *fx_str(const struct fx *f, const char *name);
long long fx_int(const struct fx *f, const char *name);
const char *fx_body(const struct fx *f);

// "Authorization: Bearer <token of the last answer>", and the origin; static storage per slot.
const char *fx_bearer(const struct fx *f, const char *origin);
// The lease of the last answer's token.
const struct lease *fx_lease(const struct fx *f);
// Takes that lease to ACTIVE, as ims/ does.
void fx_register(struct fx *f, const struct lease *l);
