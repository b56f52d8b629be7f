// SPDX-License-Identifier: BSD-3-Clause
// Inside of dataplane/core: the worker, its connections, and the calls between the files of this
// folder. A worker owns everything reachable from struct worker but what is marked shared.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdatomic.h>
#include <stdio.h>

#include "buf.h"
#include "net/net.h"
#include "reg/reg.h"
#include "regate/dp.h"
#include "regate/err.h"
#include "regate/ring.h"
#include "tcp/tcp.h"
#include "tick.h"
#include "tls/tls.h"
#include "ws/ws.h"

#define BURST 32
#define BATCH 8 // packets that go through the stages of packet.c together
#define MAX_WORKERS 64
// An HTTP head, or a WebSocket message with the header of its last frame and a control frame.
#define RX_SMALL_LEN (RTE_MAX(HTTP_MAX_HEAD, WS_MAX_MESSAGE) + 256)
// One HTTP request: head, body, chunk framing.
#define RX_LARGE_LEN (HTTP_MAX_HEAD + HTTP_MAX_BODY + HTTP_MAX_FRAMING)
#define TX_BUF_LEN (SIP_MAX_MSG + 512)
#define PUNT_RING_LEN (UINT64_C(1) << 22)
#define REPLY_RING_LEN (UINT64_C(1) << 22)
#define HANDOFF_LEN 1024
#define CLOSE_WAIT_S 2                // for the peer's WebSocket close, or its FIN
#define SWEEP_NS (500 * RG_NS_PER_MS) // every connection is looked at this often

enum conn_end { // how a connection is to end once the call stack is out of TLS
	END_NO,
	END_CLOSE,  // close_notify and FIN after what is queued
	END_LINGER, // close_notify now, FIN after the peer's; what it still sends is thrown away
	END_ABORT,  // RST
};

struct conn { // slot idx is the TCP slot idx, and that of TLS
	struct tls_conn tls;
	uint32_t gen; // of the TCP slot
	uint32_t buf; // of the pool while a message is partial, else BUF_NONE
	uint32_t since;
	uint32_t deadline;      // TLS, HTTP, CLOSING: give up; WS: next ping
	uint32_t record_since;  // WS: last seen without part of a TLS record, as of the last sweep
	uint32_t unbound_since; // WS: last seen registered, or opened; as of the last sweep
	uint32_t src_left;      // bytes of a static response still to be queued
	uint16_t src_file;      // which one
	bool is_open;           // slot in use
	uint8_t phase;          // enum rg_conn_phase
	uint8_t end;            // enum conn_end
	uint8_t pings;          // sent and unanswered
	bool is_http_pending;   // the control plane has our request: no deadline
	bool is_keep_alive;     // of the HTTP request being answered
	bool is_head;           // that request was HEAD
	struct reg_flow flow;
};

struct worker_stats { // kept apart from what the worker reads on its path
	struct rg_stats s;
} __attribute__((aligned(64)));

struct worker {
	const struct rg_dp_cfg *cfg;
	unsigned id, n_workers;
	uint16_t port_id, queue;
	bool has_tx_checksum; // the port fills in IPv4 and TCP checksums
	struct rte_mempool *pool;
	struct rte_mbuf *tx[BURST * 2];
	unsigned n_tx;
	struct rte_ring **handoff; // [from * n_workers + to]; SP/SC; shared, rings are thread-safe
	struct worker *peers;      // all workers, for waking
	struct net_cfg net;
	const struct net_toeplitz *toeplitz; // of all workers
	struct tcp *tcp;
	struct tls_ctx *tls;
	struct rg_digester *digester;
	struct reg_tokens tokens;
	struct reg_tag_key tag_key;
	struct ws_policy ws_policy;
	struct conn *conns;     // cfg->max_conns
	uint32_t n_conns;       // in use
	struct rg_stats *stats; // worker: rw, ctl: ro
	uint64_t now_ns;        // one reading per poll
	uint64_t sweep_at_ns;
	uint32_t sweep_pos;
	struct buf_pool bufs; // of partial messages
	uint32_t n_tcp_bufs;
	struct rg_punt *backlog; // flow events that found the punt ring full, oldest first
	uint32_t n_backlog;
	uint32_t query, query_pos; // conn list under way; query 0 = none
	bool is_punted;            // something went into the punt ring in this poll
	uint64_t idle_since_ns;
	int event_fd, epoll_fd;    // wake-ups
	bool has_rx_fd;            // the port can wake us
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
	uint8_t rss_key[NET_TOEPLITZ_KEY_LEN];
	struct net_toeplitz toeplitz;
	unsigned n_workers;
	int event_fd;
	uint16_t port_id;
	FILE *said; // what DPDK logs during start-up, kept back in `log`
	char *log;
	size_t log_len;
	bool is_eal_up, is_port_up;
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

// --- worker.c
int worker_run(void *arg); // lcore main

// --- packet.c: frames
unsigned packet_owner(const struct worker *w, const struct rte_mbuf *m);    // worker of its flow
void packet_input(struct worker *w, struct rte_mbuf *const *m, unsigned n); // all are consumed
void packet_output(void *ctx, const struct tcp_out *o);                     // tcp_ops.output
void packet_flush(struct worker *w);    // sends what the poll has put together
void packet_announce(struct worker *w); // tells the link where we are

// --- start.c
[[nodiscard]] int worker_init(struct rg_dp *dp, unsigned id, char *err, size_t err_len);
void worker_fini(struct worker *w);
void rss_key_init(struct rg_dp *dp); // which worker owns a flow, from the secret

// --- idle.c
[[nodiscard]] int idle_init(struct worker *w);
void idle_fini(struct worker *w);
uint64_t idle_now_ns(void);
void idle_wait(struct worker *w);     // called after a poll without work
void idle_wake(struct worker *w);     // from ctl or a peer: ends its sleep
void idle_kick_ctl(struct worker *w); // the control loop has punts to read

// --- conn.c: tcp_ops and the life of a connection
// Makes the next step of a handshake, if one waits and has its turn.
void conn_handshake(struct worker *w);
int conn_opened(void *ctx, uint32_t idx, uint64_t now_ns);
void conn_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t now_ns);
void conn_sent(void *ctx, uint32_t idx, uint64_t now_ns);
void conn_peer_closed(void *ctx, uint32_t idx, uint64_t now_ns);
void conn_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t now_ns);
// Seals and queues; on failure the connection is marked for END_ABORT.
void conn_write(struct worker *w, struct conn *c, struct rg_slice d);
void conn_pump(struct worker *w, struct conn *c);        // moves the static response towards TCP
void conn_finish(struct worker *w, struct conn *c);      // carries out c->end; not inside TLS
void conn_settle(struct worker *w, struct conn *c);      // after work outside TLS: pump, finish
static inline void conn_prefetch(const struct conn *c) { // accepts NULL
	for (size_t i = 0; i < sizeof(*c); i += 64)
		__builtin_prefetch((const uint8_t *)c + i, 1);
}
struct rg_conn_id conn_id(const struct worker *w, const struct conn *c);

// --- conn_http.c, conn_ws.c: take one request, one event, out of b, or nothing
void conn_http_input(struct worker *w, struct conn *c, struct buf *b);
void conn_http_no_buffer(struct worker *w, struct conn *c); // says so and ends it
void conn_http_late(struct worker *w, struct conn *c);      // the same
void conn_ws_input(struct worker *w, struct conn *c, struct buf *b);
void conn_ws_send(struct worker *w, struct conn *c, enum ws_opcode op, struct rg_slice payload);
void conn_ws_close(struct worker *w, struct conn *c, uint16_t code, const char *reason);
void conn_sip_input(struct worker *w, struct conn *c, struct rg_slice message);

// --- punt.c
// False when the ring is full: counted, the caller answers for itself.
bool punt_put(struct worker *w, struct conn *c, struct rg_punt *p, struct rg_slice payload);
void punt_event(struct worker *w, struct conn *c, enum rg_punt_kind kind); // never lost
unsigned punt_poll_replies(struct worker *w); // and answers a running connection query

// --- sweep.c: deadlines, pings, promises
void sweep_run(struct worker *w);
