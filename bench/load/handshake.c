// SPDX-License-Identifier: BSD-3-Clause
// How many full handshakes a second one gateway core does, each with its upgrade and a first REGISTER
// answered from the lease table unless they are not wanted, amid connections that stand. Handshakes
// may take all of its time.
#include <rte_cycles.h>

#include "bed.h"

#define WINDOW 32
#define ALL_PERCENT 100
#define LIMIT_HANDSHAKES 200
#define SETTLE_MS 1000

int run_handshake(struct bed *b) {
	b->plan.share = ALL_PERCENT;
	b->plan.n_spare = b->plan.n_requests * (b->sc->warmup + b->sc->runs);
	return bed_run(b);
}

static int one_run(void *ctx, int run) {
	struct bed *b = ctx;
	struct gen *g = &b->gen;
	struct rg_stats *s = &b->sh->stats.s;
	uint32_t n = b->plan.n_requests;
	uint32_t next = b->plan.n_conns + n * (uint32_t)(run + (int)b->sc->warmup), end = next + n;
	uint64_t begun = ssl_n_done(g->ssl), done = rg_stat_get(s, RG_STAT_tls_handshakes);
	double ns;

	gateway_tell(b->sh, LOAD_RUN);
	gen_begin(g);
	while (ssl_n_done(g->ssl) - begun < n && ssl_n_failed(g->ssl) == 0) {
		bool is_busy = false;

		for (; next < end && ssl_begin(g, next, WINDOW); next++)
			is_busy = true;
		if (!gen_turn(g, is_busy))
			return bed_silent(b, "amid handshakes");
		progress_at(b->p, ssl_n_done(g->ssl) - begun, n);
	}
	gen_end(g);
	bed_settle(b);
	for (int i = 0; i < SETTLE_MS && rg_stat_get(s, RG_STAT_tls_handshakes) - done < n; i++)
		rte_delay_us_sleep(1000); // what has come may wait for its turn
	gateway_stop(b->sh);
	done = rg_stat_get(s, RG_STAT_tls_handshakes) - done;
	if (ssl_n_failed(g->ssl) > 0 || done != n) {
		snprintf(b->err, b->err_len, "%u handshakes, %lu failed, %lu done by the gateway",
			 n, ssl_n_failed(g->ssl), done);
		return -EIO;
	}
	if (run < 0)
		return 0;
	ns = bed_busy_ns(b) / n;
	result_count(b->r, "handshakes", n);
	result_add(b->r, "ns_per_handshake", "ns", BETTER_LOWER, ns);
	result_add(b->r, "handshakes_per_s", "1/s", BETTER_HIGHER, 1e9 / ns);
	bed_add_generator(b);
	bed_add_limit(b, LOAD_LIMIT_HANDSHAKE, LIMIT_HANDSHAKES, ns);
	return 0;
}

int measure_handshake(struct bed *b) {
	int rc = bed_open(b, 0, b->plan.n_conns);

	b->gen.ssl = ssl_clients_new(b->sc->is_tls_only ? SSL_ONLY : SSL_FULL);
	if (rc == 0 && b->gen.ssl == NULL)
		rc = -ENOMEM;
	// Warm-ups have the clients of run -warmup to -1.
	if (rc == 0)
		rc = progress_runs(b->p, b->sc->warmup, b->sc->runs, one_run, b);
	result_fact_n(b->r, "handshakes_per_run", b->plan.n_requests);
	result_fact(b->r, "certificate", "ECDSA P-256");
	result_fact(b->r, "group", "X25519");
	bed_report(b);
	return rc;
}
