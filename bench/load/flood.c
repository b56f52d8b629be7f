// SPDX-License-Identifier: BSD-3-Clause
// A SYN flood: as many SYNs as the port takes, from random sources, among them refreshes of
// connections that stand and the handshakes of new ones. What of these gets through, and what the
// gateway keeps of a SYN.
#include <arpa/inet.h>
#include <rte_cycles.h>

#include "bed.h"
#include "tcp/tcp_hdr.h"

#define NEW_EVERY 8         // requests for each new connection
#define NEW_WINDOW 64       // new connections under way at once
#define SYN_NET 0x0c000000u // up to 76.0.0.0: no client of ours
#define SYN_NET_LEN 0x40000000u
#define PATIENCE_S 10 // once all is sent

int run_flood(struct bed *b) {
	b->plan.n_spare =
		RTE_MAX(b->plan.n_requests / NEW_EVERY, 1u) * (b->sc->warmup + b->sc->runs);
	return bed_run(b);
}

static void put_syn(struct gen *g) {
	uint64_t w = load_mix(g->rng++);
	struct tcp_out o = {
		.src = rg_addr_v4(htonl(SYN_NET + gen_draw(g, SYN_NET_LEN)), (uint16_t)w | 1),
		.dst = g->gateway,
		.mac = gen_gateway_mac,
	};
	const struct tcp_seg seg = {
		.seq = (uint32_t)(w >> 16),
		.wnd = UINT16_MAX,
		.flags = TCP_SYN,
		.wscale = TCP_WSCALE_NONE,
		.mss = 1460,
		.has_sack_ok = true,
		.has_ts = true,
		.ts_val = (uint32_t)(g->now_ns / RG_NS_PER_MS),
	};

	tcp_hdr_put(&o, &seg);
	gen_output(g, &o);
}

// What was sent in this run.
struct flood {
	uint64_t replies, opened, again; // as of its begin
	uint32_t first, n_spare;         // newcomers
	uint32_t n_requests, n_new;
	uint64_t n_syns; // of the flood
};

// Segments of clients, SYNs too, that were sent again.
static uint64_t n_again(const struct gen *g) {
	return rg_stat_get(&g->stats, RG_STAT_tcp_retransmits);
}

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
	if (!gen_send_request(g, &g->requests[f->n_requests]))
		return false;
	f->n_requests++;
	return true;
}

static bool is_complete(const struct bed *b, const struct flood *f) {
	return b->gen.s.n_replies - f->replies == b->gen.n_requests &&
	       b->gen.s.n_opened - f->opened == f->n_spare;
}

// Until all is answered, or has been given its time. The flood ends when all is sent and something
// has been sent again: it shows what got through at once.
static void flood(struct bed *b, struct flood *f) {
	struct gen *g = &b->gen;
	uint64_t sent_tsc = rte_rdtsc(), patience_tsc = rte_get_tsc_hz() * PATIENCE_S;

	gen_begin(g);
	while (!is_complete(b, f) && rte_rdtsc() - sent_tsc < patience_tsc &&
	       !progress_is_stopped()) {
		bool is_all = f->n_requests == g->n_requests && f->n_new == f->n_spare;
		bool is_flood = !is_all || n_again(g) == f->again;

		(void)send_legit(b, f);
		for (unsigned i = 0; is_flood && i < b->sc->syns; i++, f->n_syns++)
			put_syn(g);
		(void)gen_turn(g, is_flood);
		progress_at(b->p, f->n_requests, g->n_requests);
		if (!is_all)
			sent_tsc = rte_rdtsc();
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
	result_count(r, "segments_again", n_again(g) - f->again);
}

static int one_run(void *ctx, int run) {
	struct bed *b = ctx;
	struct gen *g = &b->gen;
	struct flood f = {
		.replies = g->s.n_replies,
		.opened = g->s.n_opened,
		.again = n_again(g),
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
