// SPDX-License-Identifier: BSD-3-Clause
// A SYN flood: as many SYNs as the port takes, from random sources, among them refreshes of
// connections that stand and the handshakes of new ones. What of these gets through, and what the
// gateway keeps of a SYN.
#include <rte_cycles.h>

#include "bed.h"

#define NEW_EVERY 8         // requests for each new connection
#define NEW_WINDOW 64       // new connections under way at once
#define SYN_NET 0x0c000000u // up to 76.0.0.0: no client of ours
#define SYN_NET_LEN 0x40000000u
#define RETRY_MS 1000 // until a client repeats its SYN (RFC 6298), once all is sent
#define MAX_RETRIES 10

int run_flood(struct bed *b) {
	b->o.is_memif = false; // the generator reads the gateway's memory use
	b->o.n_spare = RTE_MAX(b->o.n_requests / NEW_EVERY, 1u);
	return bed_run(b);
}

static void put_syn(struct gen *g) {
	uint64_t w = load_mix(g->rng++);
	struct tcp_fields f = {
		.port = (uint16_t)w,
		.flags = SEG_SYN,
		.seq = (uint32_t)(w >> 16),
	};

	gen_put(g, SYN_NET + gen_draw(g, SYN_NET_LEN), &f, (struct rg_slice){0}, 0);
}

// What was sent so far.
struct flood {
	uint64_t replies, opened; // as of the start
	uint32_t n_requests, n_new;
	uint64_t n_syns, n_again; // of the flood; of new connections, repeated
};

static bool send_legit(struct bed *b, struct flood *f) {
	struct gen *g = &b->gen;

	if (f->n_requests / NEW_EVERY > f->n_new && f->n_new < b->o.n_spare &&
	    f->n_new - (g->s.n_opened - f->opened) < NEW_WINDOW) {
		gen_begin_open(g, b->o.n_conns + f->n_new++);
		return true;
	}
	if (f->n_requests == g->n_requests ||
	    f->n_requests - (g->s.n_replies - f->replies) >= b->o.window)
		return false;
	gen_send_request(g, &g->requests[f->n_requests++]);
	return true;
}

static bool is_complete(const struct bed *b, const struct flood *f) {
	return b->gen.s.n_replies - f->replies == b->gen.n_requests &&
	       b->gen.s.n_opened - f->opened == b->o.n_spare;
}

static void repeat_syns(struct bed *b, struct flood *f) {
	struct gen *g = &b->gen;

	for (uint32_t i = b->o.n_conns; i < g->n_clients; i++) {
		if (g->clients[i].state != CLIENT_SYN_SENT)
			continue;
		g->clients[i].snd_nxt--;
		gen_send(g, i, SEG_SYN, (struct rg_slice){0}, 0);
		f->n_again++;
	}
}

// Until all is answered, or has been given its time. The flood ends with the first repetition: it
// shows what got through at once.
static void flood(struct bed *b, struct flood *f) {
	struct gen *g = &b->gen;
	uint64_t sent_tsc = 0, retry_tsc = rte_get_tsc_hz() / 1000 * RETRY_MS;
	unsigned n_retries = 0;

	while (!is_complete(b, f) && n_retries < MAX_RETRIES) {
		bool is_all = f->n_requests == g->n_requests && f->n_new == b->o.n_spare;

		(void)send_legit(b, f);
		for (unsigned i = 0; n_retries == 0 && i < b->o.n_syns; i++, f->n_syns++)
			put_syn(g);
		(void)gen_turn(g, true);
		if (!is_all)
			sent_tsc = rte_rdtsc();
		if (rte_rdtsc() - sent_tsc > retry_tsc) {
			repeat_syns(b, f);
			n_retries++;
			sent_tsc = rte_rdtsc();
		}
	}
}

static void print(const struct bed *b, const struct flood *f, double seconds) {
	const struct gen *g = &b->gen;
	const struct load_memory *m = b->sh->marks;
	double busy_s = bed_busy_ns(b) / 1e9;
	double n_packets = (double)(f->n_syns + f->n_requests * 2 + f->n_new * 2);

	printf("{\"bench\": \"flood\", \"conns\": %u, ", b->o.n_conns);
	report_host(&b->o);
	printf(",\n \"syns_per_packet\": %u, \"syns\": %lu, \"seconds\": %.3f, "
	       "\"gateway_busy_s\": %.3f, \"syns_per_busy_s\": %.0f, \"packets_per_busy_s\": "
	       "%.0f,\n"
	       " \"requests\": %u, \"answers\": %lu, \"bad_answers\": %lu, \"segments_again\": "
	       "%lu,\n"
	       " \"new_begun\": %u, \"new_opened\": %lu, \"syns_again\": %lu, \"slots_after\": "
	       "%lu,\n"
	       " \"rss_grown_kib\": %ld,\n ",
	       b->o.n_syns, f->n_syns, seconds, busy_s, (double)f->n_syns / busy_s,
	       n_packets / busy_s, f->n_requests, g->s.n_replies - f->replies, g->s.n_bad,
	       g->s.n_again, f->n_new, g->s.n_opened - f->opened, f->n_again,
	       rg_stat_get(&b->sh->stats.s, RG_STAT_tcp_opened) -
		       rg_stat_get(&b->sh->stats.s, RG_STAT_tcp_closed),
	       ((long)m[MARK_END].rss - (long)m[MARK_SET].rss) / 1024);
	report_drops(b);
	printf("}\n");
}

int measure_flood(struct bed *b) {
	struct gen *g = &b->gen;
	struct flood f = {0};
	uint64_t tsc;
	int rc = bed_open(b, 0, b->o.n_conns);

	if (rc != 0)
		return rc;
	if (!gen_make(g))
		return -EIO;
	gateway_mark(b->sh, MARK_SET); // with the requests
	f.replies = g->s.n_replies;
	f.opened = g->s.n_opened;
	gateway_tell(b->sh, LOAD_RUN);
	tsc = rte_rdtsc();
	flood(b, &f);
	tsc = rte_rdtsc() - tsc;
	bed_settle(b);
	gateway_stop(b->sh);
	gateway_mark(b->sh, MARK_END);
	print(b, &f, (double)tsc / g->tsc_per_ns / 1e9);
	return 0;
}
