// SPDX-License-Identifier: BSD-3-Clause
// The generator: opens connections, makes requests, sends them and takes the answers. One thread,
// one port. What costs time is done before the clock runs.
#include <arpa/inet.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdlib.h>

#include "gen.h"
#include "regate/huge.h"
#include "tcp/tcp_conn.h"
#include "tls/tls_int.h"

#define N_MBUFS 16383
#define N_DESC 1024
#define N_BUFFERS 8192 // and two for each request of a closed loop
#define TICK_BUDGET 64
#define OPEN_WINDOW 512
#define SILENCE_NS (10 * RG_NS_PER_S)
#define APART 4096u // requests between two of one client, when there are enough clients

// What takes memory when connections open would be charged to the gateway: its pages are taken now.
static void touch(struct gen *g) {
	struct tcp *t = g->tcp;

	memset(t->conns, 0, g->n_clients * sizeof(*t->conns));
	memset(t->table.entries, 0, t->table.n * sizeof(*t->table.entries));
	memset(t->pool.mem, 0, (size_t)t->pool.n * TCP_CHUNK_BYTES);
	memset(t->pool.chunks, 0, t->pool.n * sizeof(*t->pool.chunks));
	for (uint32_t i = 0; i < g->n_clients; i++) {
		g->clients[i].due_tsc = RG_NEVER;
		g->owners[i] = UINT32_MAX;
	}
}

static struct tcp *new_engine(struct gen *g, const struct load_plan *plan) {
	struct rg_addr locals[LOAD_N_ADDRS];
	const struct tcp_cfg cfg = {
		.max_conns = g->n_clients,
		.n_buffers = N_BUFFERS + 2 * plan->sc->window,
		.locals = locals,
		.n_locals = LOAD_N_ADDRS,
		.mss = 1460,
		.rcv_wnd = UINT16_MAX,
		.snd_max = UINT16_MAX,
		.quick_acks = g->is_ack_timed ? TCP_QUICK_ALWAYS : 0,
		.max_time_wait = 64,
		.secret = "thirty-two octets of a generator",
	};
	const struct tcp_ops ops = {
		.ctx = g,
		.output = gen_output,
		.opened = client_opened,
		.data = client_data,
		.sent = client_sent,
		.peer_closed = client_peer_closed,
		.ended = client_ended,
	};

	for (uint32_t i = 0; i < LOAD_N_ADDRS; i++)
		locals[i] = load_addr(i);
	return tcp_new(&cfg, &ops, &g->stats);
}

static int new_memory(struct gen *g, const struct load_plan *plan) {
	g->clients = rg_huge_alloc(g->n_clients, sizeof(*g->clients));
	g->owners = rg_huge_alloc(g->n_clients, sizeof(*g->owners));
	g->requests = malloc(g->n_requests * sizeof(*g->requests));
	g->tcp = new_engine(g, plan);
	g->crypt = tls_crypt_new(NULL);
	g->pool = rte_pktmbuf_pool_create("generator", N_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					  SOCKET_ID_ANY);
	if (g->clients == NULL || g->owners == NULL || g->requests == NULL || g->tcp == NULL ||
	    g->crypt == NULL || g->pool == NULL)
		return -ENOMEM;
	touch(g);
	return 0;
}

int gen_init(struct gen *g, const struct load_plan *plan, const char *port, char *err,
	     size_t err_len) {
	struct rte_eth_conf conf = {0};
	int rc;

	g->n_clients = plan->n_conns + plan->n_spare;
	g->n_picks = plan->n_conns;
	g->n_requests = plan->n_requests;
	g->is_ack_timed = plan->sc->is_ack_after == 0;
	g->is_sum_by_port = plan->sc->is_sum_by_port != 0;
	g->gateway = rg_addr_v4(htonl(LOAD_GATEWAY_IP), LOAD_GATEWAY_PORT);
	gen_wire_init(g);
	g->rng = plan->sc->seed;
	g->tsc_per_ns = (double)rte_get_tsc_hz() / 1e9;
	g->ns_per_tsc = 1 / g->tsc_per_ns;
	if (g->n_clients > LOAD_MAX_CLIENTS) {
		snprintf(err, err_len, "%u connections in all, at most %u have an address",
			 g->n_clients, LOAD_MAX_CLIENTS);
		return -E2BIG;
	}
	if (new_memory(g, plan) != 0) {
		snprintf(err, err_len, "no memory for the generator; raise 'memory'");
		return -ENOMEM;
	}
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
	tcp_free(g->tcp);
	rg_huge_free(g->clients, g->n_clients, sizeof(*g->clients));
	rg_huge_free(g->owners, g->n_clients, sizeof(*g->owners));
	free(g->requests);
}

uint32_t gen_draw(struct gen *g, uint32_t n) {
	return (uint32_t)((load_mix(g->rng++) >> 32) * n >> 32);
}

static void set_now(struct gen *g, uint64_t tsc) {
	g->turned_tsc = tsc;
	g->now_ns = (uint64_t)((double)(int64_t)tsc * g->ns_per_tsc);
}

bool gen_turn(struct gen *g, bool is_busy) {
	unsigned n = gen_poll(g);
	uint64_t tsc;

	if (!g->has_no_timers && tcp_next_deadline(g->tcp) <= g->now_ns) {
		tcp_tick(g->tcp, g->now_ns, TICK_BUDGET);
		is_busy = true;
	}
	if (g->n_tx > 0)
		gen_flush(g);
	tsc = rte_rdtsc();
	if (n > 0)
		g->heard_tsc = tsc;
	else if (!is_busy)
		g->idle_tsc += tsc - g->turned_tsc;
	set_now(g, tsc);
	return tsc - g->heard_tsc < (uint64_t)(SILENCE_NS * g->tsc_per_ns) && g->s.n_ended == 0 &&
	       !progress_is_stopped();
}

void gen_begin(struct gen *g) {
	set_now(g, rte_rdtsc());
	g->idle_tsc = 0;
	g->begin_tsc = g->heard_tsc = g->turned_tsc;
}

void gen_end(struct gen *g) {
	g->s.wall_tsc = rte_rdtsc() - g->begin_tsc;
	g->s.busy_tsc = g->s.wall_tsc - g->idle_tsc;
}

double gen_busy(const struct gen *g) {
	return (double)g->s.busy_tsc / (double)g->s.wall_tsc;
}

void gen_begin_open(struct gen *g, uint32_t client) {
	struct rg_addr local = load_addr(client);
	uint32_t *conn = &g->clients[client].conn;

	if (tcp_connect(g->tcp, &local, &g->gateway, gen_gateway_mac, g->now_ns, conn) == 0)
		g->owners[*conn] = client;
	else
		g->s.n_ended++; // cannot be: there is a slot for each
}

bool gen_open(struct gen *g, uint32_t from, uint32_t to) {
	uint64_t done = g->s.n_opened + (to - from), begun = g->s.n_opened;
	uint32_t next = from;

	gen_begin(g);
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

bool gen_send_request(struct gen *g, const struct request *r) {
	uint32_t conn = g->clients[r->client].conn;

	return tcp_send(g->tcp, conn, rg_slice(r->rec, r->len), g->now_ns) == 0;
}
