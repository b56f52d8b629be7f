// SPDX-License-Identifier: BSD-3-Clause
// The drivers ring, memif and nic: which measurement does a kind, and what all of them report.
#include <rte_ethdev.h>

#include "bed.h"

static const struct measurement measurements[] = {
	{KIND_REFRESH, 65536, measure_refresh, bed_run},
	{KIND_HANDSHAKE, 300, measure_handshake, run_handshake},
	{KIND_LATENCY, 65536, measure_latency, run_latency},
	{KIND_FLOOD, 20000, measure_flood, run_flood},
	{KIND_MEMORY, 1, measure_memory, run_memory},
};

void bed_add_generator(struct bed *b) {
	result_add(b->r, "generator_busy", "1", BETTER_NEITHER, gen_busy(&b->gen));
}

void bed_add_limit(struct bed *b, enum load_cmd which, uint32_t n, double ns) {
	b->sh->n_limit = n;
	gateway_tell(b->sh, which);
	gateway_wait(b->sh);
	if (b->sh->limit_ns <= 0) {
		result_error(b->r, "no yardstick: it needs AVX-512 and memory");
		return;
	}
	result_add(b->r, "limit_ns", "ns", BETTER_NEITHER, b->sh->limit_ns);
	result_add(b->r, "ratio_to_limit", "1", BETTER_HIGHER, b->sh->limit_ns / ns);
}

static void count_stats(struct bed *b, const char *whose, const struct rg_stats *s) {
	char name[64];

	for (int i = 0; i < RG_N_STATS; i++) {
		uint64_t n = rg_stat_get(s, i);

		snprintf(name, sizeof(name), "%s_%s", whose, rg_stat_name(i));
		if (n > 0)
			result_count(b->r, name, n);
	}
}

void bed_report(struct bed *b) {
	const struct gen_stats *s = &b->gen.s;
	struct rte_eth_dev_info info = {0};

	(void)rte_eth_dev_info_get(b->gen.port, &info);
	result_fact(b->r, "port", info.driver_name == NULL ? "none" : info.driver_name);
	result_fact(b->r, "pages", rte_eal_has_hugepages() != 0 ? "2 MiB" : "4 KiB");
	result_fact(b->r, "suite", "AES-128-GCM");
	result_fact_n(b->r, "request_bytes", LOAD_REQUEST_LEN);
	result_fact_n(b->r, "token_bytes", LOAD_TOKEN_LEN);
	result_fact_n(b->r, "poll_burst", BURST);
	result_count(b->r, "connections", b->sh->n_conns);
	result_count(b->r, "answers", s->n_replies);
	result_count(b->r, "answers_looked_at", s->n_checked);
	result_count(b->r, "bad_answers", s->n_bad);
	result_count(b->r, "connections_ended", s->n_ended);
	result_count(b->r, "packets_without_buffer", s->n_lost);
	count_stats(b, "gateway", &b->sh->stats.s);
	count_stats(b, "generator", &b->gen.stats);
}

static int load_run(const struct scenario *sc, struct result *r, struct progress *p, char *err,
		    size_t err_len) {
	static struct bed b; // large
	size_t i = 0;

	while (measurements[i].kind != sc->kind)
		i++;
	b = (struct bed){
		.sc = sc,
		.plan = {.sc = sc,
			 .n_conns = sc->conns,
			 .n_requests = sc->requests > 0 ? sc->requests : measurements[i].n_requests,
			 .share = sc->share},
		.r = r,
		.p = p,
		.err = err,
		.err_len = err_len,
		.what = &measurements[i],
	};
	return b.what->run(&b);
}

const struct driver driver_ring = {
	.name = "ring",
	.help = "one gateway worker and a generator in one process, joined by rings",
	.prepare = rg_dp_prepare_process,
	.run = load_run,
};

const struct driver driver_memif = {
	.name = "memif",
	.help = "the same in two processes: every packet is copied, as a NIC would move it",
	.prepare = rg_dp_prepare_process,
	.run = load_run,
};

const struct driver driver_nic = {
	.name = "nic",
	.help = "the same over two ports that a cable joins",
	.prepare = rg_dp_prepare_process,
	.run = load_run,
};
