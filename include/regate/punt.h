// SPDX-License-Identifier: BSD-3-Clause
// Messages between a worker and the control loop, carried by two rings per worker (ring.h): punts
// go up, replies come down. A header of fixed size, then `len` bytes of payload.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/addr.h"
#include "regate/lease.h"
#include "regate/slice.h"
#include "regate/token.h"

// A client connection of a worker; gen tells apart two uses of the same slot.
struct rg_conn_id {
	uint32_t idx;
	uint32_t gen; // 0 = no connection
	uint16_t worker;
};

static inline bool rg_conn_eq(struct rg_conn_id a, struct rg_conn_id b) {
	return a.idx == b.idx && a.gen == b.gen && a.worker == b.worker;
}

// Where a client stands on a flow: which assignment it registered, and until when we promised it.
// 20 bytes: every connection has one.
struct rg_binding {
	uint32_t lease_idx; // RG_LEASE_NONE = not bound
	uint64_t gen;
	uint64_t promise_end_ns; // CLOCK_BOOTTIME
} __attribute__((packed, aligned(4)));

enum rg_punt_kind {
	RG_PUNT_REGISTER = 1, // payload: one SIP REGISTER
	RG_PUNT_HTTP,         // payload: one whole HTTP request, head and body
	RG_PUNT_FLOW_BOUND,   // a local 200 moved a registration to this connection
	RG_PUNT_FLOW_CLOSED,  // a bound connection has gone
	RG_PUNT_FLOW_EXPIRED, // the client let its promise end; the connection is still there
	RG_PUNT_CORE_DUE,  // answered here, but the binding in the core is due (ims.md 4.3 rule 11)
	RG_PUNT_CONN_INFO, // payload: struct rg_conn_info[]
	RG_PUNT_CONN_END,  // the last CONN_INFO of a query was sent
};

// Why a REGISTER was not answered 200 in the worker (ims.md 4.3). The counters RG_STAT_why_* have the
// same order.
enum rg_punt_reason {
	RG_WHY_NONE,
	// passed to the control plane
	RG_WHY_DEREG,     // rule 4
	RG_WHY_TOKEN_NEW, // no entry for this token: the control plane verifies it
	RG_WHY_INITIAL,   // rule 8
	RG_WHY_CHANGED,   // rule 9
	RG_WHY_STALE,     // rule 10
	RG_WHY_CORE_DUE,  // rule 11: what is left of the core's binding does not last for an answer
	RG_WHY_SHORT,     // the granted time would fall under the floor
	// refused
	RG_WHY_TWO_TOKENS,   // rule 1
	RG_WHY_NO_TOKEN,     // rule 5
	RG_WHY_BAD_TOKEN,    // rule 5: no token of ours
	RG_WHY_TOKEN_ENDED,  // rule 5
	RG_WHY_TOKEN_ENDING, // rule 5: too little is left of it
	RG_WHY_LEASE_ENDING, // rule 5: de-registration or revocation under way
	RG_WHY_IDENTITY,     // rule 6: To or From is not the token's
	RG_WHY_FOREIGN_PAGE, // rule 6: token of another WWSF
	RG_WHY_CSEQ,         // rule 12
	RG_N_WHY,
};

struct rg_punt {
	uint16_t kind;   // enum rg_punt_kind
	uint16_t reason; // enum rg_punt_reason
	uint16_t wwsf;   // of the connection's Origin; UINT16_MAX = none
	bool has_digest;
	struct rg_conn_id conn;
	struct rg_addr peer;
	struct rg_digest digest; // of the token in the REGISTER or of the HTTP Bearer
	struct rg_binding bound; // of the connection, as the worker knows it
	uint64_t now_ns;         // when the worker saw it
	uint32_t query;          // CONN_INFO, CONN_END: number of the query
	uint32_t len;            // payload bytes that follow
};

enum rg_reply_kind {
	RG_REPLY_SIP = 1, // payload: SIP message to send as one WebSocket text message
	RG_REPLY_HTTP,    // payload: whole HTTP response
	RG_REPLY_CLOSE,   // send WebSocket close `code`, then end the connection
	RG_REPLY_QUERY,   // list connections; answered by CONN_INFO punts
};

enum rg_reply_flag {
	RG_REPLY_F_BIND = 1, // take over `bound` (lease_idx RG_LEASE_NONE unbinds)
	RG_REPLY_F_END = 2,  // close the connection after this
};

struct rg_reply {
	uint16_t kind;  // enum rg_reply_kind
	uint16_t flags; // enum rg_reply_flag
	uint16_t code;  // CLOSE: RFC 6455 7.4.1
	struct rg_conn_id conn;
	struct rg_binding bound;
	uint32_t query; // QUERY
	uint32_t len;   // payload bytes that follow
};

// One line of `regatectl conn list`.
struct rg_conn_info {
	struct rg_conn_id conn;
	struct rg_addr peer;
	struct rg_binding bound;
	uint64_t since_ns;
	uint8_t phase; // enum rg_conn_phase
};

enum rg_conn_phase { RG_PHASE_TLS, RG_PHASE_HTTP, RG_PHASE_WS, RG_PHASE_CLOSING };
