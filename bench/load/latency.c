// SPDX-License-Identifier: BSD-3-Clause
// How long a refresh takes at half load, from when it was to be sent: an open loop, so that a slow
// answer holds back nothing. Once alone, once while handshakes use their whole share: there is always
// one that waits for its turn. Those send a recorded ClientHello, so that the generator, which has to
// send in time, does not do the client's half on the same core.
#include <stdlib.h>

#include "bed.h"

#define HALF 0.5
#define LATENCY_SPARE 4096u // clients that take turns at it

struct latency {
	struct bed *b;
	double rate;
	struct ssl_clients *ssl;
	uint32_t next_taker;
	struct hist *hist; // of one part of one run
};

// One half of a run.
struct part {
	const char *name, *p50, *p99, *p999, *late, *busy;
	bool is_amid; // handshakes
};

static const struct part parts[] = {
	{"alone", "alone_p50", "alone_p99", "alone_p999", "alone_sent_late", "alone_generator_busy",
	 false},
	{"amid_handshakes", "amid_p50", "amid_p99", "amid_p999", "amid_sent_late",
	 "amid_generator_busy", true},
};

int run_latency(struct bed *b) {
	b->plan.n_spare = LATENCY_SPARE;
	return bed_run(b);
}

static int add_part(const struct latency *l, const struct part *p, const struct open_loop *loop) {
	struct result *r = l->b->r;
	double us = 1e-3 / l->b->gen.tsc_per_ns;
	struct hist *all = result_hist(r, p->name, "us", us);

	if (all == NULL)
		return -ENOMEM;
	hist_merge(all, l->hist);
	result_add(r, p->p50, "us", BETTER_LOWER, (double)hist_quantile(l->hist, 0.5) * us);
	result_add(r, p->p99, "us", BETTER_LOWER, (double)hist_quantile(l->hist, 0.99) * us);
	result_add(r, p->p999, "us", BETTER_LOWER, (double)hist_quantile(l->hist, 0.999) * us);
	result_count(r, p->late, loop->n_late);
	result_add(r, p->busy, "1", BETTER_NEITHER, gen_busy(&l->b->gen));
	return 0;
}

static int one_part(struct latency *l, const struct part *p, bool is_counted) {
	struct gen *g = &l->b->gen;
	struct open_loop loop = {
		.rate = l->rate,
		.n_takers = p->is_amid ? LATENCY_SPARE : 0,
		.next_taker = l->next_taker,
	};
	uint64_t n = ssl_n_done(l->ssl);
	struct timed t = {0};
	int rc;

	memset(l->hist, 0, sizeof(*l->hist));
	g->hist = l->hist;
	rc = bed_refresh(l->b, &loop, &t);
	g->hist = NULL;
	l->next_taker = loop.next_taker;
	if (rc != 0 || !is_counted)
		return rc;
	if (p->is_amid)
		result_count(l->b->r, "handshakes", ssl_n_done(l->ssl) - n);
	return add_part(l, p, &loop);
}

static int one_run(void *ctx, int run) {
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < RTE_DIM(parts); i++)
		rc = one_part(ctx, &parts[i], run >= 0);
	return rc;
}

int measure_latency(struct bed *b) {
	struct latency l = {.b = b, .rate = b->sc->rate, .hist = calloc(1, sizeof(*l.hist))};
	double most = 0;
	int rc = bed_open(b, 0, b->plan.n_conns);

	l.ssl = b->gen.ssl = ssl_clients_new(SSL_HELLO);
	if (rc == 0 && (l.ssl == NULL || l.hist == NULL))
		rc = -ENOMEM;
	if (rc == 0 && l.rate == 0) {
		rc = bed_find_rate(b, &most);
		l.rate = HALF * most;
	}
	if (rc == 0)
		rc = progress_runs(b->p, b->sc->warmup, b->sc->runs, one_run, &l);
	result_fact_n(b->r, "refreshes_per_s", l.rate);
	result_fact_n(b->r, "requests_per_run", b->plan.n_requests);
	bed_report(b);
	free(l.hist);
	return rc;
}
