// SPDX-License-Identifier: BSD-3-Clause
// The loops that send refreshes: closed, where an answer makes room for the next request, and open,
// where each has its time. Generator's thread; nothing here makes a system call.
#include <math.h>
#include <rte_cycles.h>

#include "gen.h"

#define AHEAD 8 // requests whose client is prefetched
#define HANDSHAKES_AT_ONCE 16
#define LATE_NS 1e5

bool gen_closed_loop(struct gen *g, unsigned window) {
	uint64_t begun = g->s.n_replies;
	uint32_t next = 0;

	gen_begin(g);
	while (g->s.n_replies - begun < g->n_requests) {
		bool is_busy = false;

		for (unsigned i = 0;
		     i < BURST && next < g->n_requests && next < g->s.n_replies - begun + window;
		     i++, next++) {
			if (next + AHEAD < g->n_requests)
				rte_prefetch0(&g->clients[g->requests[next + AHEAD].client]);
			gen_send_request(g, &g->requests[next]);
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

		for (; next < g->n_requests && due <= now; due += gap_tsc(g, mean_tsc)) {
			if (l->room > 0 && next - (g->s.n_replies - begun) >= l->room) {
				l->n_lost++; // the request waits for the next one's time
				continue;
			}
			g->clients[g->requests[next].client].due_tsc = due;
			l->n_late += now - due > late;
			gen_send_request(g, &g->requests[next++]);
			is_busy = true;
			l->sent_s = (double)(now - g->begin_tsc) / g->tsc_per_ns / 1e9;
		}
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
	for (uint32_t i = 0; i < g->n_requests; i++) {
		uint32_t client = g->requests[i].client;

		if (!g->clients[client].is_ack_due)
			continue;
		g->clients[client].is_ack_due = false;
		gen_send(g, client, SEG_ACK, (struct rg_slice){0}, 0);
	}
	gen_flush(g);
}
