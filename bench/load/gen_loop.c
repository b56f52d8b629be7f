// SPDX-License-Identifier: BSD-3-Clause
// The loops that send refreshes: closed, where an answer makes room for the next request, and open,
// where each has its time. Generator's thread; nothing here makes a system call.
#include <math.h>
#include <rte_cycles.h>

#include "gen.h"

#define AHEAD 8     // requests whose connection is fetched; its client is as much earlier
#define REC_AHEAD 2 // whose record is
#define HANDSHAKES_AT_ONCE 16
#define LATE_NS 1e5
#define ACKS_NS (50 * RG_NS_PER_MS) // no ACK is delayed for longer

static void fetch(const struct gen *g, uint32_t next) {
	if (next + 2 * AHEAD < g->n_requests)
		rte_prefetch0(&g->clients[g->requests[next + 2 * AHEAD].client]);
	if (next + AHEAD < g->n_requests)
		tcp_prefetch(g->tcp, g->clients[g->requests[next + AHEAD].client].conn);
	for (unsigned at = 0; next + REC_AHEAD < g->n_requests && at < LOAD_REQUEST_LEN; at += 64)
		rte_prefetch0(g->requests[next + REC_AHEAD].rec + at);
}

bool gen_closed_loop(struct gen *g, unsigned window) {
	uint64_t begun = g->s.n_replies;
	uint32_t next = 0;

	gen_begin(g);
	while (g->s.n_replies - begun < g->n_requests) {
		bool is_busy = false;

		for (unsigned i = 0;
		     i < BURST && next < g->n_requests && next < g->s.n_replies - begun + window;
		     i++, next++) {
			fetch(g, next);
			if (!gen_send_request(g, &g->requests[next]))
				break;
			is_busy = true;
		}
		if (!gen_turn(g, is_busy))
			return false;
		progress_at(g->progress, next, g->n_requests);
	}
	gen_end(g);
	return true;
}

// Times between arrivals as of many independent clients: exponential.
static uint64_t gap_tsc(struct gen *g, double mean_tsc) {
	double u = (double)(load_mix(g->rng++) >> 11) * 0x1p-53;

	return (uint64_t)(-log1p(-u) * mean_tsc);
}

static void keep_handshakes(struct gen *g, struct open_loop *l) {
	if (l->n_takers > 0 &&
	    ssl_begin(g, g->n_picks + l->next_taker % l->n_takers, HANDSHAKES_AT_ONCE))
		l->next_taker++;
}

bool gen_open_loop(struct gen *g, struct open_loop *l) {
	double mean_tsc = g->tsc_per_ns * 1e9 / l->rate;
	uint64_t begun = g->s.n_replies, due, late = (uint64_t)(g->tsc_per_ns * LATE_NS);
	uint32_t next = 0;

	gen_begin(g);
	due = g->begin_tsc;
	while (g->s.n_replies - begun < g->n_requests) {
		bool is_busy = false;
		uint64_t now = rte_rdtsc();

		// A backlog goes out in parts, so that its answers have where to go.
		for (unsigned i = 0; i < BURST && next < g->n_requests && due <= now;
		     i++, due += gap_tsc(g, mean_tsc)) {
			if (l->room > 0 && next - (g->s.n_replies - begun) >= l->room) {
				l->n_lost++; // the request waits for the next one's time
				continue;
			}
			g->clients[g->requests[next].client].due_tsc = due;
			fetch(g, next);
			if (!gen_send_request(g, &g->requests[next]))
				break;
			next++;
			l->n_late += now - due > late;
			is_busy = true;
			l->sent_s = (double)(now - g->begin_tsc) / g->tsc_per_ns / 1e9;
		}
		if (g->n_tx > 0) // before it takes what came: that takes its time
			gen_flush(g);
		keep_handshakes(g, l);
		if (!gen_turn(g, is_busy))
			return false;
		progress_at(g->progress, next, g->n_requests);
	}
	gen_end(g);
	while (l->n_takers > 0 && ssl_n_busy(g->ssl) > 0) // their clients are needed again
		if (!gen_turn(g, false))
			return false;
	return true;
}

void gen_ack_all(struct gen *g) {
	uint64_t end_ns;

	gen_begin(g);
	end_ns = g->now_ns + ACKS_NS;
	while (g->now_ns < end_ns && gen_turn(g, false))
		;
}
