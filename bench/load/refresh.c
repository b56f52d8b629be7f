// SPDX-License-Identifier: BSD-3-Clause
// How many REGISTER refreshes a second one gateway core answers, with so many connections open.
// Each run is made and sealed first, then timed. Generator's lcore.
#include "bed.h"

struct result {
	uint64_t allocated;
	struct series ns, rate, wall_rate, limit_ns, ratio, generator_busy, packets, poll_batch;
};

// The yardstick, in the gateway's place, right after it.
static void add_limit(struct bed *b, struct result *r, double ns) {
	b->sh->n_limit = b->o.n_requests;
	gateway_tell(b->sh, LOAD_LIMIT);
	gateway_wait(b->sh);
	if (b->sh->limit_ns <= 0)
		return;
	series_add(&r->limit_ns, b->sh->limit_ns);
	series_add(&r->ratio, b->sh->limit_ns / ns);
}

int bed_refresh(struct bed *b, struct timed *out) {
	struct gen *g = &b->gen;
	struct rg_stats *s = &b->sh->stats.s;
	uint64_t ok = rg_stat_get(s, RG_STAT_reg_local_ok);
	uint64_t rx = rg_stat_get(s, RG_STAT_rx_packets), tx = rg_stat_get(s, RG_STAT_tx_packets);

	if (!gen_make(g))
		return -EIO;
	gateway_tell(b->sh, LOAD_RUN);
	if (!gen_refresh(g, b->o.window))
		return bed_silent(b, "under refreshes");
	bed_settle(b);
	gateway_stop(b->sh);
	out->ns = bed_busy_ns(b) / g->n_requests;
	out->n_rx = rg_stat_get(s, RG_STAT_rx_packets) - rx;
	out->n_tx = rg_stat_get(s, RG_STAT_tx_packets) - tx;
	out->n_polls = b->sh->polls_busy;
	if (!g->is_ack_timed) {
		gateway_tell(b->sh, LOAD_RUN);
		gen_ack_all(g);
		bed_settle(b);
		gateway_stop(b->sh);
	}
	if (rg_stat_get(s, RG_STAT_reg_local_ok) - ok == g->n_requests && g->s.n_bad == 0)
		return 0;
	snprintf(b->err, sizeof(b->err), "%u requests, %lu answered 200, %lu bad answers",
		 g->n_requests, rg_stat_get(s, RG_STAT_reg_local_ok) - ok, g->s.n_bad);
	return -EIO;
}

static int one_run(struct bed *b, struct result *r) {
	const struct gen *g = &b->gen;
	double n = b->o.n_requests;
	struct timed t = {0};
	int rc = bed_refresh(b, &t);

	if (rc != 0)
		return rc;
	add_limit(b, r, t.ns);
	series_add(&r->ns, t.ns);
	series_add(&r->rate, 1e9 / t.ns);
	r->allocated += b->sh->allocated;
	series_add(&r->wall_rate, n * g->tsc_per_ns * 1e9 / (double)g->s.wall_tsc);
	series_add(&r->generator_busy, 1 - (double)g->s.idle_tsc / (double)g->s.wall_tsc);
	series_add(&r->packets, (double)(t.n_rx + t.n_tx) / n);
	series_add(&r->poll_batch, (double)t.n_rx / (double)t.n_polls);
	return 0;
}

int measure_refresh(struct bed *b) {
	struct result r = {0}, warm_up = {0};
	int rc = bed_open(b, 0, b->o.n_conns);

	if (rc == 0)
		rc = one_run(b, &warm_up);
	for (unsigned i = 0; rc == 0 && i < b->o.n_runs; i++)
		rc = one_run(b, &r);
	if (rc != 0)
		return rc;
	printf("{\"bench\": \"refresh\", \"port\": \"%s\", \"checksums\": \"%s\", \"conns\": %u, "
	       "\"requests_per_run\": "
	       "%u, \"window\": "
	       "%u,\n ",
	       b->o.port, b->o.checksums, b->sh->n_conns, b->o.n_requests, b->o.window);
	report_host(&b->o);
	printf(b->sh->is_heap_counted ? ",\n \"heap_bytes\": %lu" : ",\n \"heap_bytes\": null",
	       r.allocated);
	printf(",\n \"request_bytes\": %u, \"token_bytes\": %u, \"suite\": \"AES-128-GCM\", "
	       "\"pages\": \"%s\",\n "
	       "\"answers\": %lu, \"answers_opened\": %lu, \"segments_again\": %lu, "
	       "\"empty_poll_ns\": %.1f, \"limit_batch\": %u,\n ",
	       LOAD_REQUEST_LEN, LOAD_TOKEN_LEN, rte_eal_has_hugepages() ? "huge" : "4K",
	       b->gen.s.n_replies, b->gen.s.n_checked, b->gen.s.n_again, b->empty_poll_ns,
	       b->o.batch);
	report_table(
		(const struct named_series[]){
			{"ns_per_refresh", &r.ns},
			{"limit_ns", &r.limit_ns},
			{"ratio_to_limit", &r.ratio},
			{"refreshes_per_s", &r.rate},
			{"refreshes_per_s_wall", &r.wall_rate},
			{"generator_busy", &r.generator_busy},
			{"packets_per_refresh", &r.packets},
			{"packets_per_poll", &r.poll_batch},
		},
		8);
	printf("}\n");
	return 0;
}
