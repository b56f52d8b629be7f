// SPDX-License-Identifier: BSD-3-Clause
// A client connection as the worker sees it, and the calls between the files that serve it. With
// TCP's part it is 256 bytes: what a refresh touches. The rest lies apart.
#pragma once

#include "buf.h"
#include "reg/reg.h"
#include "tcp/tcp.h"
#include "tcp/tcp_wheel.h"
#include "tick.h"
#include "tls/tls.h"
#include "ws/ws.h"

#define CLOSE_WAIT_S 2 // for the peer's WebSocket close, or its FIN

#define SRC_ECHO UINT32_MAX

struct worker;

enum conn_end { // how a connection is to end once the call stack is out of TLS
	END_NO,
	END_CLOSE,  // close_notify and FIN after what is queued
	END_LINGER, // close_notify now, FIN after the peer's; what it still sends is thrown away
	END_ABORT,  // RST
};

struct conn { // slot idx is the TCP slot idx, and that of TLS
	struct tls_conn tls;
	bool is_open : 1;    // slot in use
	uint32_t phase : 2;  // enum rg_conn_phase
	uint32_t end : 2;    // enum conn_end
	bool has_buf : 1;    // a message is partial
	bool has_src : 1;    // of a static response or an echo, something is still to be queued
	bool is_watched : 1; // looked at often, since it is not just idle
	bool is_http_pending : 1; // the control plane has our request: no deadline
	bool is_keep_alive : 1;   // of the HTTP request being answered
	bool is_head : 1;         // that request was HEAD
	bool is_echo : 1;         // WS: messages go back (hooks.h)
	bool is_half_closed : 1;  // the peer says no more; it still gets what it asked for
	uint32_t pings : 8;       // sent and unanswered
	struct reg_flow flow;
} __attribute__((aligned(64)));
static_assert(sizeof(struct conn) == 128, "two cache lines, and two of TCP");

struct conn_more { // what an idle connection and a refresh leave alone; times are ticks
	struct tcp_wheel_link link;
	uint32_t buf;           // with has_buf: of the pool
	uint32_t since;         // it was opened
	uint32_t deadline;      // TLS, HTTP, CLOSING: give up; WS: next ping
	uint32_t record_since;  // while watched: last seen without part of a TLS record
	uint32_t unbound_since; // WS: last seen registered, or opened
	uint32_t src_left;      // with has_src: bytes
	uint32_t src_file;      // which one; SRC_ECHO = the message in buf
};

// --- conn.c: tcp_ops and the life of a connection
// Makes the next step of a handshake, if one waits and has its turn. True when it did.
bool conn_handshake(struct worker *w);
int conn_opened(void *ctx, uint32_t idx, uint64_t now_ns);
void conn_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t now_ns);
void conn_sent(void *ctx, uint32_t idx, uint64_t now_ns);
void conn_peer_closed(void *ctx, uint32_t idx, uint64_t now_ns);
void conn_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t now_ns);
// Seals and queues; on failure the connection is marked for END_ABORT.
void conn_write(struct worker *w, struct conn *c, struct rg_slice d);
void conn_pump(struct worker *w, struct conn *c);   // moves the static response towards TCP
void conn_finish(struct worker *w, struct conn *c); // carries out c->end; not inside TLS
void conn_settle(struct worker *w, struct conn *c); // after work outside TLS: pump, finish
uint32_t conn_idx(const struct worker *w, const struct conn *c);
struct rg_conn_id conn_id(const struct worker *w, const struct conn *c);
struct conn_more *conn_more(const struct worker *w, const struct conn *c);
void conn_deadline(struct worker *w, struct conn *c, uint64_t s); // in s seconds from now

// is_whole: for data; an acknowledgement needs no keys.
static inline void conn_prefetch(const struct conn *c, bool is_whole) {
	if (is_whole)
		__builtin_prefetch(c, 1);
	__builtin_prefetch((const void *)((uintptr_t)c + 64), 1);
}

// --- conn_http.c, conn_ws.c: take one request, one event, out of b, or nothing
void conn_http_input(struct worker *w, struct conn *c, struct buf *b);
// What b holds of a request is not all of it. May it have a long buffer? Else it is answered and ends.
bool conn_http_may_be_long(struct worker *w, struct conn *c, const struct buf *b);
void conn_http_no_buffer(struct worker *w, struct conn *c); // says so and ends it
void conn_http_late(struct worker *w, struct conn *c);      // the same
void conn_ws_input(struct worker *w, struct conn *c, struct buf *b);
void conn_ws_send(struct worker *w, struct conn *c, enum ws_opcode op, struct rg_slice payload);
void conn_ws_close(struct worker *w, struct conn *c, uint16_t code, const char *reason);
void conn_sip_input(struct worker *w, struct conn *c, struct rg_slice message);
