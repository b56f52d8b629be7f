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
	b->plan.n_spare =
		RTE_MAX(b->plan.n_requests / NEW_EVERY, 1u) * (b->sc->warmup + b->sc->runs);
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

// What was sent in this run.
struct flood {
	uint64_t replies, opened; // as of its begin
	uint32_t first, n_spare;  // newcomers
	uint32_t n_requests, n_new;
	uint64_t n_syns, n_again; // of the flood; of newcomers, repeated
};

static bool send_legit(struct bed *b, struct flood *f) {
	struct gen *g = &b->gen;

	if (f->n_requests / NEW_EVERY > f->n_new && f->n_new < f->n_spare &&
	    f->n_new - (g->s.n_opened - f->opened) < NEW_WINDOW) {
		gen_begin_open(g, f->first + f->n_new++);
		return true;
	}
	if (f->n_requests == g->n_requests ||
	    f->n_requests - (g->s.n_replies - f->replies) >= b->sc->window)
		return false;
	gen_send_request(g, &g->requests[f->n_requests++]);
	return true;
}

static bool is_complete(const struct bed *b, const struct flood *f) {
	return b->gen.s.n_replies - f->replies == b->gen.n_requests &&
	       b->gen.s.n_opened - f->opened == f->n_spare;
}

static void repeat_syns(struct bed *b, struct flood *f) {
	struct gen *g = &b->gen;

	for (uint32_t i = f->first; i < f->first + f->n_spare; i++) {
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

	gen_begin(g);
	while (!is_complete(b, f) && n_retries < MAX_RETRIES && !progress_is_stopped()) {
		bool is_all = f->n_requests == g->n_requests && f->n_new == f->n_spare;

		(void)send_legit(b, f);
		for (unsigned i = 0; n_retries == 0 && i < b->sc->syns; i++, f->n_syns++)
			put_syn(g);
		(void)gen_turn(g, n_retries == 0);
		progress_at(b->p, f->n_requests, g->n_requests);
		if (!is_all)
			sent_tsc = rte_rdtsc();
		if (rte_rdtsc() - sent_tsc > retry_tsc) {
			repeat_syns(b, f);
			n_retries++;
			sent_tsc = rte_rdtsc();
		}
	}
	gen_end(g);
}

static void add_run(struct bed *b, const struct flood *f) {
	const struct gen *g = &b->gen;
	const struct load_memory *m = b->sh->marks;
	struct result *r = b->r;
	double busy_s = bed_busy_ns(b) / 1e9;
	double n_packets =
		(double)(f->n_syns + (uint64_t)f->n_requests * 2 + (uint64_t)f->n_new * 2);

	result_add(r, "syns_per_busy_s", "1/s", BETTER_HIGHER, (double)f->n_syns / busy_s);
	result_add(r, "packets_per_busy_s", "1/s", BETTER_HIGHER, n_packets / busy_s);
	result_add(r, "answered_share", "1", BETTER_HIGHER,
		   (double)(g->s.n_replies - f->replies) / f->n_requests);
	result_add(r, "opened_share", "1", BETTER_HIGHER,
		   (double)(g->s.n_opened - f->opened) / f->n_new);
	result_add(r, "rss_growth", "KiB", BETTER_LOWER,
		   ((double)m[MARK_END].rss - (double)m[MARK_SET].rss) / 1024);
	bed_add_generator(b);
	result_count(r, "syns", f->n_syns);
	result_count(r, "requests", f->n_requests);
	result_count(r, "new_begun", f->n_new);
	result_count(r, "new_opened", g->s.n_opened - f->opened);
	result_count(r, "syns_again", f->n_again);
}

static int one_run(void *ctx, int run) {
	struct bed *b = ctx;
	struct gen *g = &b->gen;
	struct flood f = {
		.replies = g->s.n_replies,
		.opened = g->s.n_opened,
		.n_spare = RTE_MAX(b->plan.n_requests / NEW_EVERY, 1u),
	};

	f.first = b->plan.n_conns + f.n_spare * (uint32_t)(run + (int)b->sc->warmup);
	if (!gen_make(g))
		return -EIO;
	gateway_mark(b->sh, MARK_SET); // with the requests
	gateway_tell(b->sh, LOAD_RUN);
	flood(b, &f);
	bed_settle(b);
	gateway_stop(b->sh);
	gateway_mark(b->sh, MARK_END);
	if (progress_is_stopped())
		return -ECANCELED;
	if (run >= 0)
		add_run(b, &f);
	return 0;
}

int measure_flood(struct bed *b) {
	const struct rg_stats *s = &b->sh->stats.s;
	int rc = bed_open(b, 0, b->plan.n_conns);

	if (rc == 0)
		rc = progress_runs(b->p, b->sc->warmup, b->sc->runs, one_run, b);
	result_fact_n(b->r, "requests_per_run", b->plan.n_requests);
	result_count(b->r, "slots_after",
		     rg_stat_get(s, RG_STAT_tcp_opened) - rg_stat_get(s, RG_STAT_tcp_closed));
	bed_report(b);
	return rc;
}
