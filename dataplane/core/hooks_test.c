// SPDX-License-Identifier: BSD-3-Clause
// The hooks of regated-test: a bad path between the port and the worker, both ways. Runs in a
// worker, hooks_check(), _init() and _fini() on the control thread; allocates at start only.
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>

#include "hooks.h"
#include "impair.h"

#define HELD_MAX 2048 // packets of one direction on their way; one more is lost

enum way { RX, TX };

struct held {
	uint64_t due_ns;
	struct rte_mbuf *m;
};

struct path {
	struct impair dice;
	struct held held[HELD_MAX]; // by rising due_ns, then in order
	unsigned n_held;
	uint64_t n, n_lost, n_corrupt, n_dup, n_late;
};

struct hooks {
	struct path paths[2];
};

int hooks_check(const struct rg_dp_test *cfg, char *err, size_t err_len) {
	struct impair_cfg im;

	return cfg->impair == NULL ? 0 : impair_parse(cfg->impair, &im, err, err_len);
}

int hooks_init(struct worker *w) {
	struct impair_cfg im;
	char err[256];
	int rc;

	if (w->cfg->test.impair == NULL)
		return 0;
	rc = impair_parse(w->cfg->test.impair, &im, err, sizeof(err));
	if (rc != 0)
		return rc; // cannot be: hooks_check() took it
	w->hooks = calloc(1, sizeof(*w->hooks));
	if (w->hooks == NULL)
		return -ENOMEM;
	impair_init(&w->hooks->paths[RX].dice, &im, 2 * w->id);
	impair_init(&w->hooks->paths[TX].dice, &im, 2 * w->id + 1);
	return 0;
}

void hooks_fini(struct worker *w) {
	for (enum way way = RX; w->hooks != NULL && way <= TX; way++) {
		struct path *p = &w->hooks->paths[way];

		fprintf(stderr,
			"regated-test: worker %u %s: %lu packets, %lu lost, %lu corrupted, %lu "
			"twice, %lu late\n",
			w->id, way == RX ? "rx" : "tx", p->n, p->n_lost, p->n_corrupt, p->n_dup,
			p->n_late);
		for (unsigned i = 0; i < p->n_held; i++)
			rte_pktmbuf_free(p->held[i].m);
	}
	free(w->hooks);
	w->hooks = NULL;
}

// m is consumed.
static void hold(struct path *p, struct rte_mbuf *m, uint64_t due_ns) {
	unsigned i = p->n_held;

	if (i == HELD_MAX) {
		p->n_lost++;
		rte_pktmbuf_free(m);
		return;
	}
	for (; i > 0 && p->held[i - 1].due_ns > due_ns; i--)
		p->held[i] = p->held[i - 1];
	p->held[i] = (struct held){due_ns, m};
	p->n_held++;
}

// An ARP packet has no checksum: whoever takes a wrong one keeps it for minutes.
static bool has_checksum(const struct rte_mbuf *m) {
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *) + 12;

	if (rte_pktmbuf_data_len(m) < NET_ETH_LEN + NET_IP4_LEN)
		return false;
	if (p[0] == 0x81 && p[1] == 0) // VLAN tag
		p += NET_TAG_LEN;
	return p[0] != 8 || p[1] != 6;
}

// m is consumed.
static void put(struct worker *w, enum way way, struct rte_mbuf *m) {
	struct path *p = &w->hooks->paths[way];
	struct impair_fate f = impair_next(&p->dice);
	struct rte_mbuf *copy = NULL;

	p->n++;
	if (f.is_lost) {
		p->n_lost++;
		rte_pktmbuf_free(m);
		return;
	}
	if (f.is_dup)
		copy = rte_pktmbuf_copy(m, w->pool, 0, UINT32_MAX);
	if (copy != NULL) {
		p->n_dup++;
		hold(p, copy, w->now_ns);
	}
	if (f.is_corrupt && has_checksum(m)) {
		p->n_corrupt++;
		impair_flip(&p->dice, rte_pktmbuf_mtod(m, uint8_t *) + NET_ETH_LEN,
			    rte_pktmbuf_data_len(m) - NET_ETH_LEN);
		m->ol_flags = 0; // the port has found its checksums right
	}
	p->n_late += f.hold_ns > p->dice.cfg.delay_ms * RG_NS_PER_MS;
	hold(p, m, w->now_ns + f.hold_ns);
}

// What is due, at most max; the caller owns it.
static uint16_t take(struct worker *w, enum way way, struct rte_mbuf **m, uint16_t max) {
	struct path *p = &w->hooks->paths[way];
	unsigned n = 0;

	for (; n < max && n < p->n_held && p->held[n].due_ns <= w->now_ns; n++)
		m[n] = p->held[n].m;
	p->n_held -= n;
	memmove(p->held, p->held + n, p->n_held * sizeof(*p->held));
	return (uint16_t)n;
}

static void send_due(struct worker *w) {
	struct rte_mbuf *m[BURST];
	uint16_t n, sent;

	while ((n = take(w, TX, m, BURST)) > 0) {
		sent = rte_eth_tx_burst(w->port_id, w->queue, m, n);
		w->hooks->paths[TX].n_lost += n - sent;
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	}
}

uint16_t hooks_rx(struct worker *w, struct rte_mbuf **m, uint16_t max) {
	uint16_t n = rte_eth_rx_burst(w->port_id, w->queue, m, max);

	if (w->hooks == NULL)
		return n;
	for (unsigned i = 0; i < n; i++)
		put(w, RX, m[i]);
	send_due(w);
	return take(w, RX, m, max);
}

uint16_t hooks_tx(struct worker *w, struct rte_mbuf **m, uint16_t n) {
	if (w->hooks == NULL)
		return rte_eth_tx_burst(w->port_id, w->queue, m, n);
	for (unsigned i = 0; i < n; i++)
		put(w, TX, m[i]);
	send_due(w);
	return n;
}

uint64_t hooks_deadline(const struct worker *w) {
	uint64_t next = RG_NEVER;

	for (enum way way = RX; w->hooks != NULL && way <= TX; way++)
		if (w->hooks->paths[way].n_held > 0)
			next = RTE_MIN(next, w->hooks->paths[way].held[0].due_ns);
	return next;
}

void hooks_echo(struct worker *w, struct conn *c, struct buf *b, struct ws_event *ev) {
	struct conn_more *m = conn_more(w, c);
	uint8_t header[10];
	struct rg_wr wr = rg_wr(header, sizeof(header));

	ws_put_header(&wr, ev->opcode, ev->data.len);
	conn_write(w, c, rg_wr_slice(&wr));
	m->src_file = SRC_ECHO;
	m->src_left = (uint32_t)ev->data.len;
	c->has_src = m->src_left > 0;
	b->head.echo_end = (uint32_t)(ev->data.p + ev->data.len - b->data);
	ev->drop -= b->head.echo_end - ev->keep; // conn_ws_input() drops it when it has gone
	ev->keep = b->head.echo_end;
}
