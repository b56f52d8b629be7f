// SPDX-License-Identifier: BSD-3-Clause
// Takes what a worker needs before it runs, and gives it back after. Control thread only.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "hooks.h"
#include "packet.h"
#include "regate/huge.h"

#define ECHO_MAX_MESSAGE (UINT32_C(1) << 24) // what public suites send
#define MAX_SMALL_BUFS 65536u                // of a worker: half a GiB when all are used
#define MAX_LARGE_BUFS 1024u
#define BUFFERS_PER_CONN 2 // TCP chunks on average; idle connections hold none

static int worker_memory(struct worker *w) {
	const struct rg_dp_cfg *cfg = w->cfg;
	uint32_t n_small = RTE_MAX(64u, cfg->max_conns / 8), n_large = RTE_MAX(16u, n_small / 32);
	struct buf_cfg bufs = {
		.n_small = RTE_MIN(n_small, MAX_SMALL_BUFS),
		.n_large = RTE_MIN(n_large, MAX_LARGE_BUFS),
		.small_cap = RX_SMALL_LEN,
		.large_cap = RX_LARGE_LEN,
	};
	uint8_t *rings = malloc(PUNT_RING_LEN + REPLY_RING_LEN);

	if (cfg->test.is_echo)
		bufs.small_cap = bufs.large_cap = ECHO_MAX_MESSAGE + RX_SMALL_LEN;
	if (rings == NULL)
		return -ENOMEM;
	rg_ring_init(&w->punts, rings, PUNT_RING_LEN);
	rg_ring_init(&w->replies, rings + PUNT_RING_LEN, REPLY_RING_LEN);
	w->conns = rg_huge_alloc(cfg->max_conns, sizeof(*w->conns));
	w->more = rg_huge_alloc(cfg->max_conns, sizeof(*w->more));
	w->backlog = calloc(cfg->max_conns, sizeof(*w->backlog));
	if (w->conns == NULL || w->more == NULL || w->backlog == NULL)
		return -ENOMEM;
	tcp_wheel_init(&w->wheel, &w->more->link, sizeof(*w->more));
	return buf_pool_init(&w->bufs, &bufs);
}

// Random bytes; a signal may cut one call short.
static bool draw(void *p, size_t len) {
	for (size_t n = 0; n < len;) {
		ssize_t got = getrandom((uint8_t *)p + n, len - n, 0);

		if (got < 0 && errno != EINTR)
			return false;
		n += got > 0 ? (size_t)got : 0;
	}
	return true;
}

static int worker_engines(struct worker *w, char *err, size_t err_len) {
	const struct rg_dp_cfg *cfg = w->cfg;
	uint32_t n_bufs = RTE_MAX(1024u, cfg->max_conns * BUFFERS_PER_CONN);
	struct rg_addr locals[2] = {0};
	struct tcp_cfg tc = {
		.max_conns = cfg->max_conns,
		.n_buffers = RTE_MIN(n_bufs, TCP_MAX_BUFFERS),
		.locals = locals,
		.listen_port = cfg->listen_port,
		.mss = NET_MTU - 40,
		.rcv_wnd = 65535,
		.snd_max = 128 * 1024,
		.keepalive_s = cfg->tcp_keepalive_s,
		.quick_acks = 8, // TLS, upgrade, first REGISTER
	};
	struct tls_cfg tls = {
		.certs = cfg->certs,
		.n_certs = cfg->n_certs,
		.max_conns = cfg->max_conns,
		.max_half_open = RTE_MIN(cfg->tls.max_half_open, cfg->max_conns),
		.max_per_source = (uint16_t)cfg->tls.max_per_source,
		.share = cfg->tls.handshake_share,
		.n_tickets = cfg->tls.n_tickets,
		.ticket_life_s = cfg->tls.ticket_life_s,
		.ticket_offset_ns = cfg->tls.ticket_offset_ns,
		.ticket_secret = cfg->tls.ticket_secret,
	};
	struct tcp_ops ops = {
		.ctx = w,
		.output = packet_output,
		.opened = conn_opened,
		.data = conn_data,
		.sent = conn_sent,
		.peer_closed = conn_peer_closed,
		.ended = conn_ended,
	};

	if (w->net.has_ip4)
		locals[tc.n_locals++] = rg_addr_v4(cfg->ip_be, 0);
	if (w->net.has_ip6)
		memcpy(locals[tc.n_locals++].ip, cfg->ip6, 16);
	w->n_tcp_bufs = tc.n_buffers;
	memcpy(tc.secret, cfg->secret, sizeof(tc.secret));
	w->tcp = tcp_new(&tc, &ops, w->stats);
	w->digester = rg_digester_new(cfg->digest_key);
	if (w->tcp == NULL || w->digester == NULL)
		return -ENOMEM;
	if (!draw(&w->tag_key, sizeof(w->tag_key)))
		return -EIO;
	w->tokens = (struct reg_tokens){cfg->leases, w->digester, &w->tag_key};
	w->tls = tls_ctx_new(&tls, err, err_len);
	return w->tls == NULL ? -EINVAL : 0;
}

int worker_init(struct rg_dp *dp, unsigned id, char *err, size_t err_len) {
	struct worker *w = &dp->workers[id];
	int rc;

	w->cfg = dp->cfg;
	w->id = id;
	w->n_workers = dp->n_workers;
	w->peers = dp->workers;
	w->handoff = dp->handoff;
	w->stats = &dp->stats[id].s;
	stages_init(&w->stages, id + 1, w->stats, &dp->stats[id].stages);
	stages_calibrate(&w->stages);
	w->ctl_event_fd = dp->event_fd;
	w->is_stopping = &dp->is_stopping;
	w->rss = &dp->rss;
	net_cfg_init(&w->net, dp->cfg->mac, dp->cfg->ip_be, dp->cfg->ip6, dp->cfg->vlan,
		     secret_derive(dp->cfg->secret, SECRET_FLOW_LABEL));
	w->ws_limits = w->cfg->test.is_echo ? (struct ws_limits){ECHO_MAX_MESSAGE, UINT32_MAX}
					    : (struct ws_limits){WS_MAX_MESSAGE, WS_MAX_FRAGMENTS};
	w->ws_policy = (struct ws_policy){
		.path = dp->cfg->ws_path,
		.origins = dp->origins,
		.n_origins = dp->cfg->n_origins,
		.is_origin_optional = dp->cfg->is_origin_optional,
		.is_echo = dp->cfg->test.is_echo,
	};
	err[0] = '\0';
	rc = worker_memory(w);
	if (rc == 0)
		rc = worker_engines(w, err, err_len);
	if (rc == 0)
		rc = hooks_init(w);
	if (rc != 0 && err[0] == '\0')
		snprintf(err, err_len,
			 "dataplane.connections: no memory for %u connections of worker %u; lower "
			 "it",
			 dp->cfg->max_conns, id);
	return rc;
}

void worker_fini(struct worker *w) {
	if (w->cfg == NULL)
		return; // one before it could not be made
	for (uint32_t i = 0; w->conns != NULL && i < w->cfg->max_conns; i++)
		if (w->conns[i].is_open)
			tls_conn_fini(w->tls, &w->conns[i].tls);
	for (unsigned i = 0; i < w->n_spare; i++)
		rte_pktmbuf_free(w->spare[i]);
	for (unsigned i = 0; i < w->n_tx; i++)
		rte_pktmbuf_free(w->tx[i]);
	hooks_fini(w);
	idle_fini(w);
	tcp_free(w->tcp);
	tls_ctx_free(w->tls);
	rg_digester_free(w->digester);
	rg_huge_free(w->conns, w->cfg->max_conns, sizeof(*w->conns));
	rg_huge_free(w->more, w->cfg->max_conns, sizeof(*w->more));
	free(w->backlog);
	buf_pool_fini(&w->bufs);
	free(w->punts.mem);
}
