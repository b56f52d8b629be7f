// SPDX-License-Identifier: BSD-3-Clause
// How many full handshakes a second one gateway core does, each with its upgrade and a first REGISTER
// answered from the lease table, amid connections that stand. Handshakes may take all of its time.
#include <rte_cycles.h>

#include "bed.h"

#define WINDOW 32
#define ALL_PERCENT 100
#define LIMIT_HANDSHAKES 200

struct result {
	struct series ns, rate, limit_ns, ratio;
};

int run_handshake(struct bed *b) {
	b->o.share = ALL_PERCENT;
	b->o.n_spare = b->o.n_requests * b->o.n_runs;
	return bed_run(b);
}

static int one_run(struct bed *b, unsigned run, struct result *r) {
	struct gen *g = &b->gen;
	uint32_t next = b->o.n_conns + run * b->o.n_requests, end = next + b->o.n_requests;
	uint64_t done = ssl_n_done(g->ssl) + b->o.n_requests;
	double ns;

	g->heard_tsc = rte_rdtsc();
	gateway_tell(b->sh, LOAD_RUN);
	while (ssl_n_done(g->ssl) < done && ssl_n_failed(g->ssl) == 0) {
		while (next < end && ssl_begin(g, next, WINDOW))
			next++;
		if (!gen_turn(g, true))
			return bed_silent(b, "amid handshakes");
	}
	bed_settle(b);
	gateway_stop(b->sh);
	if (ssl_n_failed(g->ssl) > 0) {
		snprintf(b->err, sizeof(b->err), "a handshake failed");
		return -EIO;
	}
	ns = bed_busy_ns(b) / b->o.n_requests;
	b->sh->n_limit = LIMIT_HANDSHAKES;
	gateway_tell(b->sh, LOAD_LIMIT_HANDSHAKE);
	gateway_wait(b->sh);
	series_add(&r->ns, ns);
	series_add(&r->rate, 1e9 / ns);
	series_add(&r->limit_ns, b->sh->limit_ns);
	series_add(&r->ratio, b->sh->limit_ns / ns);
	return 0;
}

int measure_handshake(struct bed *b) {
	struct result r = {0};
	int rc = bed_open(b, 0, b->o.n_conns);

	b->gen.ssl = ssl_clients_new(SSL_FULL);
	if (rc == 0 && b->gen.ssl == NULL)
		rc = -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < b->o.n_runs; i++)
		rc = one_run(b, i, &r);
	if (rc != 0)
		return rc;
	printf("{\"bench\": \"handshake\", \"conns\": %u, \"handshakes_per_run\": %u,\n ",
	       b->o.n_conns, b->o.n_requests);
	report_host(&b->o);
	printf(",\n \"done\": %lu, \"certificate\": \"ECDSA P-256\", \"group\": \"X25519\",\n ",
	       ssl_n_done(b->gen.ssl));
	report_table(
		(const struct named_series[]){
			{"ns_per_handshake", &r.ns},
			{"limit_ns", &r.limit_ns},
			{"ratio_to_limit", &r.ratio},
			{"handshakes_per_s", &r.rate},
		},
		4);
	printf("}\n");
	return 0;
}
