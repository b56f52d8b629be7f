// SPDX-License-Identifier: BSD-3-Clause
// What happened in a simulated run, as clients and the core saw it, and the check of it. The check
// knows no engine, no store and no record: it reads the history alone, in true time. An operation
// whose answer was lost is "unknown": it may have happened at any time from its invocation on
// (Jepsen's rule).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/clock.h"

#define HISTORY_MAX 8192
#define HISTORY_PAIRS 9
#define HISTORY_TOKENS 1024

enum history_kind {
	// a client's operation
	EV_INVOKE,
	EV_OK,
	EV_FAIL,
	EV_UNKNOWN,
	EV_ISSUE, // a token is being made for an operation; it need not arrive
	// the core
	EV_BIND, // end_ns: of the binding; told_ns: as the gateway hears; asked_ns: how long it asked for
	EV_UNBIND,      // on request of generation gen; n_left: bindings that are still there
	EV_NET_DEREG,   // by itself: nothing is left
	EV_CORE_REFUSE, // with status
	// why a gateway may end a lease by itself
	EV_FLOW_LOST, // connection closed, promise over, or a REGISTER failed without a flow
	// of the gateways
	EV_START,
	EV_CRASH,
	EV_PAUSE,
	EV_WALL_STEP,
	// flows: token is the connection, end_ns what its client was promised
	EV_FLOW,
	EV_FLOW_END,
	// a record became durable: asked_ns is its reassign time in milliseconds of its own, told_ns how
	// far that is from its last token's end; token and token2: who it knows; is_over,
	// is_free, flags
	EV_RECORD,
	EV_STORE_LOST, // with all that was durable
	// pairs: token is the number of its IMPI, token2 of its IMPU
	EV_PROVISION,
	EV_FREE, // from now on; asked_ns counts the moments, RG_NEVER: not, or nobody knows when
	EV_OTHER_ID, // the gateway heard from the core that another pair's identity goes with it
	EV_CLEAR,    // an operator put it back
	EV_SUSPECT,  // or took it out of rotation
	EV_IMPORT,   // flags 1: begins here; 0: has ended
	EV_DRAIN,    // pool; flags 1: durable at this gateway; 0: it is opened from now on
};
enum history_op { OP_NONE, OP_GRANT, OP_RENEW, OP_REGISTER, OP_DEREGISTER, OP_REVOKE, OP_RELEASE };

struct history_event {
	uint64_t at_ns;  // true time, as end_ns
	uint64_t end_ns; // of the token, of the promise, of the binding
	uint64_t asked_ns, told_ns;
	uint64_t gen;
	uint32_t pair, token, token2; // token: its number, from 1; 0 = none
	uint16_t client, n_left, status, pool;
	uint8_t kind, op, gateway;
	uint8_t flags; // of a record: STORE_*
	bool is_star, is_over, is_free;
	bool is_late; // an answer: its gateway may not have been told what another one did
};

struct history {
	size_t n;
	uint64_t hash; // of all that was added and noted
	struct history_event ev[HISTORY_MAX];
};

struct history_rules {             // the promises
	uint64_t guard_ns;         // from a token's end to the next owner
	uint64_t release_guard_ns; // from the core's word to the next owner
	uint64_t flow_grace_ns, reg_max_ns, core_slack_ns, token_floor_ns;
	uint64_t clock_ns; // the gateways' clocks and true time may differ by so much
	uint64_t hold_ns;  // from the loss of a store to the next assignment
	uint16_t pool_of[HISTORY_PAIRS];
	unsigned imported;      // pairs that records provision, as bits
	bool is_revoke_durable; // an acknowledged revocation outlives a crash
};

void history_clear(struct history *h);
void history_add(struct history *h, const struct history_event *e);
void history_note(struct history *h, const void *p, size_t len); // into the hash alone
void history_print(const struct history *h, uint32_t pair);      // its events, to stderr
// NULL, or the first broken promise as text, with its event and pair.
const char *history_check(const struct history *h, const struct history_rules *r, size_t *at);
