// SPDX-License-Identifier: BSD-3-Clause
// What the files of ctl/ share: clients, the request of each, and how a handler answers. A handler
// either answers before it returns or leaves the request open and answers on a later loop turn.
#pragma once

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/grammar.h"
#include "lease/operator.h"
#include "pool/pool.h"
#include "regate/err.h"

#define CTL_MAX_CLIENTS 64
#define CTL_IDLE_NS (30 * RG_NS_PER_S)    // to send a whole request, to take a whole answer
#define CTL_PAUSE_NS (1 * RG_NS_PER_S)    // no accept() after it failed
#define CTL_QUERY_NS (1 * RG_NS_PER_S)    // for all workers to answer `conn list`
#define CTL_RETRY_NS (10 * RG_NS_PER_MS)  // a worker's ring was full
#define CTL_RELEASE_NS (10 * RG_NS_PER_S) // for the core to confirm the end of a lease
#define CTL_RELEASE_STEP_NS (50 * RG_NS_PER_MS)
#define CTL_SCAN_STEP 8192 // pairs looked at in one loop turn
#define CTL_MAX_WORKERS 64
#define CTL_LIMIT_DEFAULT 200

struct ctl_client;
struct ctl_look;   // ctl_top.c
struct ctl_import; // ctl_import.c
struct ctl_text;   // ctl_export.c
struct ctl_later;  // ctl_rotation.c

struct ctl_req {                   // the request under way
	const struct ctl_cmd *cmd; // NULL = none
	enum ctl_cmd_id id;
	json_t *args;
	json_t *rows;                        // collected so far
	uint64_t limit;                      // rows at most
	bool (*step)(struct ctl_client *cl); // of a walk
	uint32_t next_idx;                   // the pair it looks at next
	struct lease_filter filter;          // lease list; texts of args
	uint64_t ticket;                     // conn list: place in the queue, 0 = not queued
	struct ctl_look *look;               // top: the first one, owned; NULL = none
	struct ctl_later *later;             // what waits for the store; NULL = none
	uint64_t until_ns;                   // lease release: waits no longer for the core
	struct ctl_import *import;           // NULL = none
	struct ctl_text *text;               // pool export: the page, owned; NULL = none
};

struct ctl_client {
	struct ctl *ctl;
	struct env_sock *sock; // NULL = slot is free
	struct env_timer idle; // armed while the client is to move
	struct env_timer step; // armed while this request goes on in the next loop turn
	uint8_t *in;           // owned; bytes of requests not yet served
	size_t in_len, in_cap;
	uint8_t *out; // owned; the answer on its way, NULL = none
	size_t out_len, out_sent;
	bool is_eof;    // it will send nothing more
	bool is_ending; // close once the answer is out
	struct ctl_req req;
};

struct ctl_query {                     // the one `conn list` the workers are asked for
	struct ctl_client *for_client; // NULL = none, or its client has gone
	bool is_open;
	uint32_t number;
	uint64_t unasked, unanswered; // bit per worker
	uint64_t deadline_ns;
	uint64_t n_conns; // seen, listed or not
	struct env_timer timer;
};

struct ctl {
	struct ctl_deps deps;
	struct env_sock *listener;
	struct env_timer pause;
	uint64_t start_ns;
	uint64_t last_ticket;
	struct ctl_query query;
	struct ctl_client clients[CTL_MAX_CLIENTS];
};

static inline struct ctl_client *ctl_client_of_step(struct env_timer *t) {
	return (struct ctl_client *)((char *)t - offsetof(struct ctl_client, step));
}

// --- ctl_server.c: end the request with data (consumed; NULL = no memory) or with an error.
void ctl_answer(struct ctl_client *cl, json_t *data);
__attribute__((format(printf, 3, 4))) void ctl_refuse(struct ctl_client *cl, enum rg_ctl_exit code,
						      const char *fmt, ...);
// Goes on with this client outside of its handler: sends, then serves what it sent meanwhile.
void ctl_client_run(struct ctl_client *cl);
// Calls fn in the next loop turn.
void ctl_go_on(struct ctl_client *cl, void (*fn)(struct env_timer *t, uint64_t now_ns));
// Calls step now and in each loop turn until it has answered (true).
void ctl_walk(struct ctl_client *cl, bool (*step)(struct ctl_client *cl));

// --- ctl_dispatch.c: serves one request message.
void ctl_dispatch(struct ctl_client *cl, struct rg_slice msg);
// Argument as text or number; absent: NULL, dflt.
const char *ctl_arg_str(const struct ctl_req *r, const char *name);
uint64_t ctl_arg_u64(const struct ctl_req *r, const char *name, uint64_t dflt);
uint32_t ctl_arg_after(const struct ctl_req *r);          // the pair to look at first
enum pool_format ctl_arg_format(const struct ctl_req *r); // of a file of pairs

// --- handlers
void ctl_status(struct ctl_client *cl);
void ctl_stats(struct ctl_client *cl);
void ctl_metrics(struct ctl_client *cl);
void ctl_stages(struct ctl_client *cl);
void ctl_top(struct ctl_client *cl);
void ctl_pool_list(struct ctl_client *cl);
void ctl_pool_show(struct ctl_client *cl);
void ctl_pool_import(struct ctl_client *cl); // and pool remove
void ctl_pool_export(struct ctl_client *cl);
void ctl_lease_list(struct ctl_client *cl);
void ctl_lease_show(struct ctl_client *cl); // and all that names a pair
void ctl_store_show(struct ctl_client *cl);
void ctl_store_backup(struct ctl_client *cl); // and store check
void ctl_conn_list(struct ctl_client *cl);
void ctl_log_level(struct ctl_client *cl);
void ctl_tls_show(struct ctl_client *cl);
void ctl_tls_reload(struct ctl_client *cl);
void ctl_token_keys(struct ctl_client *cl);
void ctl_token_reload(struct ctl_client *cl);
void ctl_pool_drain(struct ctl_client *cl); // and pool undrain
// --- ctl_rotation.c: of the pair that was named
void ctl_lease_mark(struct ctl_client *cl, const struct lease *l); // lease suspect, lease clear
void ctl_lease_history(struct ctl_client *cl, const struct lease *l);
void ctl_refuse_state(struct ctl_client *cl, const struct lease *l); // ctl_lease.c: it has no lease
void ctl_lease_release(struct ctl_client *cl, const struct lease *l);
void ctl_answer_durable(struct ctl_client *cl, uint32_t idx); // the pair, once it is
void ctl_later_drop(struct ctl_client *cl);                   // nobody waits for it any more
void ctl_import_drop(struct ctl_client *cl);                  // nobody waits for it any more
// --- ctl_pool.c
// The pool that an argument names. False after the refusal.
[[nodiscard]] bool ctl_pool_arg(struct ctl_client *cl, uint16_t *pool);
json_t *ctl_json_pool(const struct ctl *c, uint16_t pool); // UINT16_MAX: the pairs of accounts
// Forgets what a request that will not be answered has open elsewhere.
void ctl_conn_drop(struct ctl_client *cl);
void ctl_conn_fini(struct ctl *c);

// --- ctl_kpi.c
json_t *ctl_json_kpis(const struct ctl *c, bool is_all); // without is_all: those above zero

// --- ctl_json.c: values from untrusted bytes and from loop times. NULL without memory.
// Appends v (consumed) to *list; without memory *list is given up and stays NULL, which ends in an
// answer that cannot be made instead of one that lacks a row.
void ctl_json_add(json_t **list, json_t *v);
json_t *ctl_json_text(struct rg_slice s);       // bytes that are not UTF-8, and NUL, become \xNN
json_t *ctl_json_addr(const struct rg_addr *a); // "192.0.2.7:5060"
json_t *ctl_json_time(const struct ctl *c, uint64_t t_ns); // RFC 3339 UTC; 0, RG_NEVER: null
json_t *ctl_json_utc(int64_t s);                           // seconds since 1970
json_t *ctl_json_lease(const struct ctl *c, const struct lease *l, bool is_whole);
