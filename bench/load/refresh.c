// SPDX-License-Identifier: BSD-3-Clause
// How many REGISTER refreshes a second one gateway core answers, with so many connections open: as
// fast as answers come, at a rate, or at the highest rate without more than a given loss. Each run is
// made and sealed first, then timed. Generator's lcore.
#include "bed.h"
#include "search.h"
#include "stages.h"

#define SEARCH_PRECISION 0.01
#define SHORT_SHARE 0.03 // of the rate: the generator did not send what it should

int bed_refresh(struct bed *b, struct open_loop *loop, struct timed *out) {
	struct gen *g = &b->gen;
	struct rg_stats *s = &b->sh->stats.s;
	uint64_t ok = rg_stat_get(s, RG_STAT_reg_local_ok);
	uint64_t rx = rg_stat_get(s, RG_STAT_rx_packets), tx = rg_stat_get(s, RG_STAT_tx_packets);

	if (!gen_make(g))
		return -EIO;
	gateway_tell(b->sh, LOAD_RUN);
	g->has_no_timers = !g->is_ack_timed;
	if (loop != NULL ? !gen_open_loop(g, loop) : !gen_closed_loop(g, b->sc->window))
		return bed_silent(b, "under refreshes");
	bed_settle(b);
	gateway_stop(b->sh);
	out->ns = bed_busy_ns(b) / g->n_requests;
	out->n_rx = rg_stat_get(s, RG_STAT_rx_packets) - rx;
	out->n_tx = rg_stat_get(s, RG_STAT_tx_packets) - tx;
	out->n_polls = b->sh->polls_busy;
	g->has_no_timers = false;
	if (!g->is_ack_timed) {
		gateway_tell(b->sh, LOAD_RUN);
		gen_ack_all(g);
		bed_settle(b);
		gateway_stop(b->sh);
	}
	if (rg_stat_get(s, RG_STAT_reg_local_ok) - ok == g->n_requests && g->s.n_bad == 0)
		return 0;
	snprintf(b->err, b->err_len, "%u requests, %lu answered 200, %lu bad answers",
		 g->n_requests, rg_stat_get(s, RG_STAT_reg_local_ok) - ok, g->s.n_bad);
	return -EIO;
}

int bed_find_rate(struct bed *b, double *rate) {
	struct timed t = {0};
	int rc;

	progress_phase(b->p, "looking for a rate");
	rc = bed_refresh(b, NULL, &t);
	*rate = 1e9 / t.ns;
	return rc;
}

// Once more at the rate at hand; the share that was lost, or negative. At most 1: the generator did
// not get as far as that.
static int try_rate(struct bed *b, struct search *s, bool *is_generator) {
	struct open_loop loop = {.rate = search_rate(s), .room = b->sc->window};
	double n = b->plan.n_requests, lost, sent;
	struct timed t = {0};
	int rc = bed_refresh(b, &loop, &t);

	if (rc != 0)
		return rc;
	lost = (double)loop.n_lost / (n + (double)loop.n_lost);
	sent = (n + (double)loop.n_lost) / loop.sent_s;
	*is_generator = sent < loop.rate * (1 - SHORT_SHARE);
	search_tell(s, *is_generator ? 1 : lost);
	return 0;
}

static int search(struct bed *b, bool is_counted) {
	double first = b->sc->search_from;
	bool is_generator = false, was_generator = false;
	struct search s;
	int rc = first > 0 ? 0 : bed_find_rate(b, &first);

	search_init(&s, scenario_loss_share(b->sc->search_loss), first, SEARCH_PRECISION);
	while (rc == 0 && search_rate(&s) > 0) {
		progress_phase(b->p, "trying %.0f refreshes per second", search_rate(&s));
		rc = try_rate(b, &s, &is_generator);
		was_generator |= is_generator;
	}
	if (rc == 0 && is_counted) {
		result_add(b->r, "highest_rate", "1/s", BETTER_HIGHER, s.good);
		result_count(b->r, "trials", s.n_trials);
		result_count(b->r, "searches_ended_by_generator", was_generator);
	}
	return rc;
}

static void add_open_loop(struct bed *b, const struct open_loop *l) {
	result_count(b->r, "sent_late", l->n_late);
	result_add(b->r, "sent_late_share", "1", BETTER_NEITHER,
		   (double)l->n_late / b->plan.n_requests);
}

static void add_run(struct bed *b, const struct timed *t) {
	const struct gen *g = &b->gen;
	double n = b->plan.n_requests;

	bed_add_limit(b, LOAD_LIMIT, b->plan.n_requests, t->ns);
	result_add(b->r, "ns_per_refresh", "ns", BETTER_LOWER, t->ns);
	result_add(b->r, "refreshes_per_s", "1/s", BETTER_HIGHER, 1e9 / t->ns);
	result_add(b->r, "refreshes_per_s_wall", "1/s", BETTER_HIGHER,
		   n * g->tsc_per_ns * 1e9 / (double)g->s.wall_tsc);
	result_add(b->r, "packets_per_refresh", "1", BETTER_LOWER, (double)(t->n_rx + t->n_tx) / n);
	result_add(b->r, "packets_per_poll", "1", BETTER_NEITHER,
		   (double)t->n_rx / (double)t->n_polls);
	bed_add_generator(b);
	if (b->sh->is_heap_counted)
		result_count(b->r, "heap_bytes", b->sh->allocated);
}

static int one_run(void *ctx, int run) {
	struct bed *b = ctx;
	struct open_loop loop = {.rate = b->sc->rate};
	bool is_open = b->sc->rate > 0, is_counted = run >= 0;
	struct rg_stages stages = {0};
	struct timed t = {0};
	int rc;

	if (b->sc->search_loss != LOSS_OFF)
		return search(b, is_counted);
	if (is_open && is_counted)
		b->gen.hist = result_hist(b->r, "latency", "us", 1e-3 / b->gen.tsc_per_ns);
	rg_stages_sub(&stages, &b->sh->stats.stages);
	rc = bed_refresh(b, is_open ? &loop : NULL, &t);
	b->gen.hist = NULL;
	if (rc == 0 && is_counted) {
		add_run(b, &t);
		rg_stages_add(&stages, &b->sh->stats.stages);
		stages_report(b->r, &stages, b->gen.tsc_per_ns);
	}
	if (rc == 0 && is_counted && is_open)
		add_open_loop(b, &loop);
	return rc;
}

// The first refresh of a connection teaches the gateway what the others look like.
static int first_refreshes(struct bed *b) {
	struct timed t = {0};
	int rc = 0;

	b->gen.is_in_turn = true;
	while (rc == 0 && b->gen.n_first < b->gen.n_picks)
		rc = bed_refresh(b, NULL, &t);
	return rc;
}

int measure_refresh(struct bed *b) {
	int rc = bed_open(b, 0, b->plan.n_conns);

	if (rc == 0) {
		progress_phase(b->p, "first refreshes");
		rc = first_refreshes(b);
	}
	if (rc == 0)
		rc = progress_runs(b->p, b->sc->warmup, b->sc->runs, one_run, b);
	result_fact_n(b->r, "requests_per_run", b->plan.n_requests);
	bed_report(b);
	return rc;
}
