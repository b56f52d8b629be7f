// SPDX-License-Identifier: BSD-3-Clause
// Inside of dataplane/core: the worker, its connections, and the calls between the files of this
// folder. A worker owns everything reachable from struct worker but what is marked shared.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdatomic.h>
#include <stdio.h>

#include "conn.h"
#include "net/net.h"
#include "reg/reg.h"
#include "regate/dp.h"
#include "regate/err.h"
#include "regate/ring.h"
#include "rss.h"
#include "stage.h"
#include "tcp/tcp.h"
#include "tls/tls.h"
#include "ws/ws.h"

#define BURST 32
#define BATCH 8 // connections that are looked at together
#define MAX_WORKERS 64
// An HTTP head, or a WebSocket message with the header of its last frame and a control frame.
#define RX_SMALL_LEN (RTE_MAX(HTTP_MAX_HEAD, WS_MAX_MESSAGE) + 256)
// One HTTP request: head, body, chunk framing.
#define RX_LARGE_LEN (HTTP_MAX_HEAD + HTTP_MAX_BODY + HTTP_MAX_FRAMING)
#define TX_BUF_LEN (SIP_MAX_MSG + 512)
#define PUNT_RING_LEN (UINT64_C(1) << 22)
#define REPLY_RING_LEN (UINT64_C(1) << 22)
#define HANDOFF_LEN 1024

struct worker_stats { // kept apart from what the worker reads on its path
	struct rg_stats s;
	struct rg_stages stages;
} __attribute__((aligned(64)));

struct worker {
	const struct rg_dp_cfg *cfg;
	unsigned id, n_workers;
	uint16_t port_id, queue;
	bool has_rx, has_tx;  // a queue of the port; else its peers receive, or send, for it
	bool has_tx_checksum; // the port fills in IPv4 and TCP checksums
	uint16_t n_tx_queues;
	struct rte_ring **tx_rings; // [worker]: what one without a queue has to send; SP/SC; shared
	struct rte_mempool *pool;
	struct rte_mbuf *tx[BURST * 2];
	unsigned n_tx;
	struct rte_mbuf *spare[BURST * 2]; // taken from the pool ahead of their use, as they are
	unsigned n_spare, n_fetched;       // of these the last ones are on their way to the cache
	struct rte_ring **handoff; // [from * n_workers + to]; SP/SC; shared, rings are thread-safe
	struct worker *peers;      // all workers, for waking
	struct net_cfg net;
	const struct rss *rss; // of all workers
	struct tcp *tcp;
	struct tls_ctx *tls;
	struct rg_digester *digester;
	struct reg_tokens tokens;
	struct reg_tag_key tag_key;
	struct ws_policy ws_policy;
	struct ws_limits ws_limits;
	struct conn *conns;     // cfg->max_conns
	struct conn_more *more; // the same
	struct tcp_wheel wheel; // of ticks (tick.h): when to look at a connection
	uint32_t n_conns;       // in use
	struct rg_stats *stats; // worker: rw, ctl: ro
	uint64_t now_ns;        // one reading per poll
	struct stages stages;   // where its time goes
	uint64_t count_at_ns;
	struct buf_pool bufs; // of partial messages
	uint32_t n_tcp_bufs;
	struct rg_punt *backlog; // flow events that found the punt ring full, oldest first
	uint32_t n_backlog;
	uint32_t query, query_pos; // conn list under way; query 0 = none
	bool is_punted;            // something went into the punt ring in this poll
	uint64_t idle_since_ns;
	int event_fd, epoll_fd;    // wake-ups
	bool is_woken;             // what comes in ends its sleep; else it looks from time to time
	struct rg_lease_view view; // of the REGISTER at hand; nothing of it outlives the poll
	struct sip_msg msg;
	struct http_req req;
	uint8_t tx_buf[TX_BUF_LEN];

	struct hooks *hooks; // NULL without a test build's (hooks.h)

	_Alignas(64) struct rg_ring punts;        // worker produces, ctl consumes
	struct rg_ring replies;                   // ctl produces, worker consumes
	_Alignas(64) _Atomic(uint32_t) is_asleep; // worker: rw; ctl and peers: ro
	_Atomic(uint32_t) is_kicked;      // worker sets, ctl clears: an event_fd write is under way
	_Atomic(uint32_t) is_up;          // worker: w, ctl: ro
	int ctl_event_fd;                 // immutable
	const _Atomic(bool) *is_stopping; // ctl: w, worker: ro
} __attribute__((aligned(64)));

struct rg_dp {
	const struct rg_dp_cfg *cfg;
	struct worker *workers;
	struct worker_stats *stats;
	struct rte_ring **handoff;
	struct ws_origin *origins;
	struct rss rss;
	uint16_t n_rx_queues, n_tx_queues; // of the port; at most one per worker
	struct rte_ring **tx_rings;        // [worker]: NULL for one that has a queue
	unsigned n_workers;
	int event_fd;
	uint16_t port_id;
	FILE *said; // what DPDK logs during start-up, kept back in `log`
	char *log;
	size_t log_len;
	bool is_eal_up, is_port_up;
	bool is_retiring;          // certificates were read again: old ones may still be in use
	_Atomic(bool) is_stopping; // ctl: w, workers: ro
};

// --- eal.c, port.c: start-up, control thread only
[[nodiscard]] int eal_start(struct rg_dp *dp, char *err, size_t err_len);
void eal_log_begin(struct rg_dp *dp);
// The first line DPDK said since eal_log_begin() or the last call, without newline; "" for none.
// Valid until eal_log_end().
const char *eal_log_first(struct rg_dp *dp);
void eal_log_end(struct rg_dp *dp);
void eal_stop(void);
[[nodiscard]] int port_start(struct rg_dp *dp, char *err, size_t err_len);
void port_stop(struct rg_dp *dp);

void certs_stop(struct rg_dp *dp); // dp_certs.c; when no worker runs any more

// --- worker.c
int worker_run(void *arg); // lcore main

// --- start.c
[[nodiscard]] int worker_init(struct rg_dp *dp, unsigned id, char *err, size_t err_len);
void worker_fini(struct worker *w);

// --- idle.c
[[nodiscard]] int idle_init(struct worker *w);
void idle_fini(struct worker *w);
uint64_t idle_now_ns(void);
void idle_wait(struct worker *w);     // called after a poll without work
void idle_wake(struct worker *w);     // from ctl or a peer: ends its sleep
void idle_kick_ctl(struct worker *w); // the control loop has punts to read

// --- punt.c
// False when the ring is full: counted, the caller answers for itself.
bool punt_put(struct worker *w, struct conn *c, struct rg_punt *p, struct rg_slice payload);
void punt_event(struct worker *w, struct conn *c, enum rg_punt_kind kind); // never lost
unsigned punt_poll_replies(struct worker *w); // and answers a running connection query

// --- due.c: deadlines, pings, promises
void due_run(struct worker *w);
void due_by(struct worker *w, struct conn *c, uint32_t tick); // look at c then, or before
void due_settle(struct worker *w, struct conn *c); // after work on c: is it more than idle now?
void due_bound(struct worker *w, struct conn *c);  // the flow's binding is another
void due_never(struct worker *w, struct conn *c);
