// SPDX-License-Identifier: BSD-3-Clause
// How long a refresh takes at half load, from when it was to be sent: an open loop, so that a slow
// answer holds back nothing. Once alone, once while handshakes use their whole share: there is always
// one that waits for its turn. Those send a recorded ClientHello, so that the generator, which has to
// send in time, does not do the client's half on the same core.
#include <math.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "bed.h"

#define HALF 0.5
#define HANDSHAKES_AT_ONCE 16
#define LATENCY_SPARE 4096u // clients that take turns at it

int run_latency(struct bed *b) {
	b->o.n_spare = LATENCY_SPARE;
	return bed_run(b);
}

// Times between arrivals as of many independent clients: exponential.
static uint64_t gap_tsc(struct gen *g, double mean_tsc) {
	double u = (double)(load_mix(g->rng++) >> 11) * 0x1p-53;

	return (uint64_t)(-log1p(-u) * mean_tsc);
}

struct part {
	struct hist hist;
	uint64_t n_handshakes, n_late; // requests sent more than a tenth of a millisecond late
	uint64_t n_answers;
};

static void keep_handshakes(struct gen *g, uint32_t first, uint32_t *next) {
	if (g->ssl != NULL && ssl_begin(g, first + *next % LATENCY_SPARE, HANDSHAKES_AT_ONCE))
		++*next;
}

static int one_part(struct bed *b, double rate, struct part *p) {
	struct gen *g = &b->gen;
	double mean_tsc = g->tsc_per_ns * 1e9 / rate;
	uint64_t replies = g->s.n_replies, due, late = (uint64_t)(g->tsc_per_ns * 1e5);
	uint32_t next = 0, next_handshake = 0;

	if (!gen_make(g))
		return -EIO;
	g->hist = &p->hist;
	gateway_tell(b->sh, LOAD_RUN);
	g->heard_tsc = due = rte_rdtsc();
	while (g->s.n_replies - replies < g->n_requests) {
		bool is_busy = false;
		uint64_t now = rte_rdtsc();

		for (; next < g->n_requests && due <= now; next++, due += gap_tsc(g, mean_tsc)) {
			g->clients[g->requests[next].client].due_tsc = due;
			p->n_late += now - due > late;
			gen_send_request(g, &g->requests[next]);
			is_busy = true;
		}
		keep_handshakes(g, b->o.n_conns, &next_handshake);
		if (!gen_turn(g, is_busy))
			return bed_silent(
				b, "in the open loop (too fast for this machine? lower --rate)");
	}
	bed_settle(b);
	gateway_stop(b->sh);
	g->hist = NULL;
	p->n_answers = g->s.n_replies - replies;
	p->n_handshakes = g->ssl == NULL ? 0 : ssl_n_done(g->ssl);
	return 0;
}

static void print_part(const struct bed *b, const char *name, const struct part *p) {
	double us = 1 / (b->gen.tsc_per_ns * 1e3);

	printf(",\n \"%s\": {\"answers\": %lu, \"sent_late\": %lu, \"handshakes\": %lu, "
	       "\"us\": {\"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f}}",
	       name, p->n_answers, p->n_late, p->n_handshakes,
	       (double)hist_quantile(&p->hist, 0.5) * us,
	       (double)hist_quantile(&p->hist, 0.99) * us,
	       (double)hist_quantile(&p->hist, 0.999) * us, (double)p->hist.max * us);
}

static int measure(struct bed *b, struct part parts[2], double *rate) {
	struct timed t = {0};
	int rc = bed_open(b, 0, b->o.n_conns);

	if (rc == 0)
		rc = bed_refresh(b, &t);
	if (rc != 0)
		return rc;
	*rate = b->o.rate > 0 ? b->o.rate : HALF * 1e9 / t.ns;
	rc = one_part(b, *rate, &parts[0]);
	b->gen.ssl = ssl_clients_new(SSL_HELLO);
	if (rc == 0 && b->gen.ssl == NULL)
		rc = -ENOMEM;
	return rc == 0 ? one_part(b, *rate, &parts[1]) : rc;
}

int measure_latency(struct bed *b) {
	struct part *parts = calloc(2, sizeof(*parts));
	double rate = 0;
	int rc = parts == NULL ? -ENOMEM : measure(b, parts, &rate);

	if (rc == 0) {
		printf("{\"bench\": \"latency\", \"conns\": %u, \"refreshes_per_s\": %.0f, "
		       "\"handshake_share\": %u,\n ",
		       b->o.n_conns, rate, b->o.share);
		report_host(&b->o);
		print_part(b, "alone", &parts[0]);
		print_part(b, "amid_handshakes", &parts[1]);
		printf("}\n");
	}
	free(parts);
	return rc;
}
