// SPDX-License-Identifier: BSD-3-Clause
// The generator: opens connections, makes requests, sends them and takes the answers. One thread,
// one port. What costs time is done before the clock runs.
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdlib.h>

#include "gen.h"
#include "tls/tls_int.h"

#define N_MBUFS 16383
#define N_DESC 1024
#define RX_BURST 64
#define OPEN_WINDOW 512
#define CHECK_EVERY 64
#define SILENCE_NS (10 * RG_NS_PER_S)
#define APART 4096u  // requests between two of one client, when there are enough clients
#define HEADER_LEN 5 // of a record

int gen_init(struct gen *g, const struct load_plan *plan, const char *port, char *err,
	     size_t err_len) {
	struct rte_eth_conf conf = {0};
	int rc;

	g->n_clients = plan->n_conns + plan->n_spare;
	g->n_picks = plan->n_conns;
	g->n_requests = plan->n_requests;
	g->is_ack_timed = plan->sc->is_ack_after == 0;
	g->rx_flags = plan->sc->is_sum_by_port ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0;
	g->rng = plan->sc->seed;
	g->tsc_per_ns = (double)rte_get_tsc_hz() / 1e9;
	g->clients = calloc(g->n_clients, sizeof(*g->clients));
	g->requests = malloc(g->n_requests * sizeof(*g->requests));
	g->crypt = tls_crypt_new(NULL);
	g->pool = rte_pktmbuf_pool_create("generator", N_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					  SOCKET_ID_ANY);
	if (g->clients == NULL || g->requests == NULL || g->crypt == NULL || g->pool == NULL) {
		snprintf(err, err_len, "no memory for the generator; raise 'memory'");
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < g->n_clients; i++)
		g->clients[i].due_tsc = RG_NEVER; // and its page is there from now on
	rc = rte_eth_dev_get_port_by_name(port, &g->port);
	if (rc == 0)
		rc = rte_eth_dev_configure(g->port, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(g->port, 0, N_DESC, SOCKET_ID_ANY, NULL, g->pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(g->port, 0, N_DESC, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(g->port);
	if (rc == 0)
		(void)rte_eth_promiscuous_enable(g->port); // our MAC is not the port's
	g->is_started = rc == 0;
	if (rc != 0)
		snprintf(err, err_len, "port %s: %s", port, strerror(-rc));
	return rc;
}

void gen_fini(struct gen *g) {
	if (g->is_started) {
		(void)rte_eth_dev_stop(g->port);
		(void)rte_eth_dev_close(g->port);
	}
	ssl_clients_free(g->ssl);
	tls_crypt_free(g->crypt);
	rte_mempool_free(g->pool);
	free(g->clients);
	free(g->requests);
}

uint32_t gen_draw(struct gen *g, uint32_t n) {
	return (uint32_t)((load_mix(g->rng++) >> 32) * n >> 32);
}

// The whole records of one segment; returns their length. What is left of one that goes on in the
// next is not acknowledged, and so comes again with the rest.
static uint32_t take_records(struct gen *g, uint32_t client, struct rg_slice d) {
	struct client *c = &g->clients[client];
	const uint8_t *begin = d.p;

	while (d.len >= HEADER_LEN) {
		size_t len = HEADER_LEN + ((size_t)d.p[3] << 8 | d.p[4]);

		if (len > d.len)
			break;
		if (g->s.n_replies++ % CHECK_EVERY == 0) {
			g->s.n_checked++;
			g->s.n_bad += !gen_check(g, client, rg_slice(d.p, len));
		}
		if (g->hist != NULL)
			hist_add(g->hist, rte_rdtsc() - c->due_tsc);
		c->n_opened++;
		d = rg_skip(d, len);
	}
	return (uint32_t)(d.p - begin);
}

static void take_segment(struct gen *g, const struct segment *s) {
	struct client *c = s->client < g->n_clients ? &g->clients[s->client] : NULL;

	if (c == NULL || c->state == CLIENT_NEW)
		return; // for a SYN of a flood, or a client that is done
	if (c->state == CLIENT_SYN_SENT && (s->flags & SEG_SYN) != 0) {
		c->state = CLIENT_OPEN;
		c->rcv_nxt = s->seq + 1;
		c->ts_recent = s->ts_val;
		g->s.n_opened++;
		gen_send(g, s->client, SEG_ACK, (struct rg_slice){0}, 0);
		if (c->flow != 0)
			ssl_opened(g, s->client);
	} else if (s->data.len > 0 && s->seq == c->rcv_nxt && c->flow != 0) {
		c->rcv_nxt += (uint32_t)s->data.len;
		c->ts_recent = s->ts_val;
		ssl_data(g, s->client, s->data);
	} else if (s->data.len > 0 && s->seq == c->rcv_nxt) {
		c->rcv_nxt += take_records(g, s->client, s->data);
		c->ts_recent = s->ts_val;
		c->is_ack_due = !g->is_ack_timed;
		if (g->is_ack_timed)
			gen_send(g, s->client, SEG_ACK, (struct rg_slice){0}, 0);
	} else if (s->data.len > 0) {
		g->s.n_again++;
		gen_send(g, s->client, SEG_ACK, (struct rg_slice){0}, 0);
	}
}

// Returns the packets that came.
static unsigned gen_poll(struct gen *g) {
	struct rte_mbuf *m[RX_BURST];
	struct segment segs[RX_BURST];
	unsigned n = rte_eth_rx_burst(g->port, 0, m, RX_BURST);

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (unsigned i = 0; i < n; i++) {
		struct rg_slice frame = rg_slice(rte_pktmbuf_mtod(m[i], uint8_t *), m[i]->data_len);

		segs[i].client = UINT32_MAX;
		if (!segment_parse(frame, &segs[i]))
			segs[i] = (struct segment){.client = UINT32_MAX};
		if (segs[i].client < g->n_clients)
			rte_prefetch0(&g->clients[segs[i].client]);
	}
	for (unsigned i = 0; i < n; i++) {
		take_segment(g, &segs[i]);
		rte_pktmbuf_free(m[i]);
	}
	return n;
}

bool gen_turn(struct gen *g, bool is_busy) {
	uint64_t tsc = rte_rdtsc(), now;
	unsigned n;

	g->ts_now = (uint32_t)(tsc / (rte_get_tsc_hz() / 1000));
	n = gen_poll(g);
	if (g->n_tx > 0)
		gen_flush(g);
	now = rte_rdtsc();
	if (n > 0)
		g->heard_tsc = now;
	else if (!is_busy)
		g->s.idle_tsc += now - tsc;
	return now - g->heard_tsc < (uint64_t)(SILENCE_NS * g->tsc_per_ns) &&
	       !progress_is_stopped();
}

void gen_begin(struct gen *g) {
	g->s.idle_tsc = 0;
	g->begin_tsc = g->heard_tsc = rte_rdtsc();
}

void gen_end(struct gen *g) {
	g->s.wall_tsc = rte_rdtsc() - g->begin_tsc;
}

double gen_busy(const struct gen *g) {
	return 1 - (double)g->s.idle_tsc / (double)g->s.wall_tsc;
}

void gen_begin_open(struct gen *g, uint32_t client) {
	struct client *c = &g->clients[client];

	c->snd_nxt += (uint32_t)load_mix(client) >> 1; // ahead of an earlier life (RFC 6191)
	c->state = CLIENT_SYN_SENT;
	gen_send(g, client, SEG_SYN, (struct rg_slice){0}, 0);
}

bool gen_open(struct gen *g, uint32_t from, uint32_t to) {
	uint64_t done = g->s.n_opened + (to - from), begun = g->s.n_opened;
	uint32_t next = from;

	g->heard_tsc = rte_rdtsc();
	while (g->s.n_opened < done) {
		bool is_busy = false;

		progress_at(g->progress, g->s.n_opened - begun, to - from);
		for (unsigned i = 0;
		     i < BURST && next < to && next - from < g->s.n_opened - begun + OPEN_WINDOW;
		     i++, next++) {
			gen_begin_open(g, next);
			is_busy = true;
		}
		if (!gen_turn(g, is_busy))
			return false;
	}
	return true;
}

// Whose request number `at` is.
static uint32_t pick_client(struct gen *g, uint32_t at) {
	uint32_t apart = RTE_MIN(APART, g->n_picks / 2), pick;

	if (g->is_in_turn && g->n_first < g->n_picks)
		return g->n_first++;
	do
		pick = gen_draw(g, g->n_picks);
	while (g->clients[pick].n_sealed > 0 && at - g->clients[pick].picked_at < apart);
	return pick;
}

bool gen_make(struct gen *g) {
	for (uint32_t i = 0; i < g->n_requests; i++) {
		uint32_t at = g->n_made++, pick = pick_client(g, at);

		g->clients[pick].picked_at = at;
		if (!gen_seal(g, pick, &g->requests[i]))
			return false;
	}
	return true;
}

void gen_send_request(struct gen *g, const struct request *r) {
	struct client *c = &g->clients[r->client];

	c->is_ack_due = false;
	gen_send(g, r->client, SEG_PSH | SEG_ACK, rg_slice(r->rec, r->len), r->sum);
}
