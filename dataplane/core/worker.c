// SPDX-License-Identifier: BSD-3-Clause
// The worker: one lcore, one rx and tx queue, its own connections. Polls, hands packets to the
// worker that owns the flow, runs TCP, sends. Never allocates, locks or logs once it runs.
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_prefetch.h>
#include <rte_tcp.h>
#include <urcu/urcu-qsbr.h>

#include "core_int.h"

#define TX_RETRIES 8

static void tx_flush(struct worker *w) {
	unsigned sent = 0;

	for (unsigned i = 0; i < TX_RETRIES && sent < w->n_tx; i++)
		sent += rte_eth_tx_burst(w->port_id, w->queue, w->tx + sent,
					 (uint16_t)(w->n_tx - sent));
	rg_stat_add(w->stats, RG_STAT_tx_packets, sent);
	rg_stat_add(w->stats, RG_DROP_tx_full, w->n_tx - sent);
	for (; sent < w->n_tx; sent++)
		rte_pktmbuf_free(w->tx[sent]); // TCP sends it again
	w->n_tx = 0;
}

// m is consumed.
static void tx_put(struct worker *w, struct rte_mbuf *m) {
	rg_stat_add(w->stats, RG_STAT_tx_bytes, m->pkt_len);
	w->tx[w->n_tx++] = m;
	if (w->n_tx == RTE_DIM(w->tx))
		tx_flush(w);
}

static void tx_checksums(const struct worker *w, struct rte_mbuf *m, const struct tcp_out *o,
			 uint8_t *frame, size_t l4_len) {
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + NET_ETH_LEN);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

	if (!w->has_tx_checksum) {
		tcp->cksum = net_tcp_checksum(&o->src, &o->dst, rg_slice(tcp, l4_len));
		return;
	}
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM;
	m->l2_len = NET_ETH_LEN;
	m->l3_len = NET_IP4_LEN;
	m->l4_len = o->header_len;
	ip->hdr_checksum = 0;
	tcp->cksum = rte_ipv4_phdr_cksum(ip, m->ol_flags);
}

void worker_output(void *ctx, const struct tcp_out *o) {
	struct worker *w = ctx;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	size_t l4_len = o->header_len + o->data_len;
	uint8_t *frame, *p;

	if (m == NULL) {
		rg_stat_inc(w->stats, RG_DROP_no_mbuf);
		return;
	}
	frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(NET_ETH_LEN + NET_IP4_LEN + l4_len));
	if (frame == NULL) { // cannot be: an MSS fits a buffer
		rte_pktmbuf_free(m);
		rg_stat_inc(w->stats, RG_DROP_no_mbuf);
		return;
	}
	net_put_headers(frame, &w->net, o->mac, &o->dst, l4_len);
	p = frame + NET_ETH_LEN + NET_IP4_LEN;
	memcpy(p, o->header, o->header_len);
	p += o->header_len;
	for (unsigned i = 0; i < o->n_data; i++) {
		memcpy(p, o->data[i].p, o->data[i].len);
		p += o->data[i].len;
	}
	tx_checksums(w, m, o, frame, l4_len);
	tx_put(w, m);
}

// Who owns this packet's flow? TCP by 4-tuple, anything else stays here. Reads no more than the
// fixed headers; net_input() checks them properly later.
static unsigned owner_of(const struct worker *w, const struct rte_mbuf *m) {
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	size_t len = rte_pktmbuf_data_len(m), ihl;
	struct rg_addr src, dst;
	uint32_t ip;

	if (w->n_workers == 1 || len < NET_ETH_LEN + NET_IP4_LEN + 4 || p[12] != 8 || p[13] != 0 ||
	    p[23] != 6)
		return w->id;
	ihl = (size_t)(p[14] & 15) * 4;
	if (ihl < NET_IP4_LEN || len < NET_ETH_LEN + ihl + 4)
		return w->id;
	memcpy(&ip, p + 26, 4);
	src = rg_addr_v4(ip, (uint16_t)(p[NET_ETH_LEN + ihl] << 8 | p[NET_ETH_LEN + ihl + 1]));
	memcpy(&ip, p + 30, 4);
	dst = rg_addr_v4(ip, (uint16_t)(p[NET_ETH_LEN + ihl + 2] << 8 | p[NET_ETH_LEN + ihl + 3]));
	return net_flow_hash(w->cfg->secret, &src, &dst) % w->n_workers;
}

// m is consumed.
static void packet_input(struct worker *w, struct rte_mbuf *m) {
	struct net_rx rx;
	struct tcp_in in;

	if (m->nb_segs != 1) { // larger than our MTU
		rg_stat_inc(w->stats, RG_DROP_ip_bad);
		rte_pktmbuf_free(m);
		return;
	}
	switch (net_input(&w->net, rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_data_len(m), &rx)) {
	case NET_REPLY:
		rg_stat_inc(w->stats, rx.event);
		m->pkt_len = m->data_len = (uint16_t)rx.reply_len;
		m->ol_flags = 0;
		tx_put(w, m);
		return;
	case NET_TCP:
		if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_GOOD &&
		    net_tcp_checksum(&rx.src, &rx.dst, rx.l4) != 0) {
			rg_stat_inc(w->stats, RG_DROP_tcp_checksum);
			break;
		}
		in = (struct tcp_in){.src = rx.src, .dst = rx.dst, .seg = rx.l4};
		memcpy(in.mac, rx.mac, sizeof(in.mac));
		tcp_input(w->tcp, &in, w->now_ns);
		break;
	case NET_DROP:
		rg_stat_inc(w->stats, rx.event);
		break;
	}
	rte_pktmbuf_free(m);
}

static unsigned poll_port(struct worker *w) {
	struct rte_mbuf *m[BURST];
	unsigned n = rte_eth_rx_burst(w->port_id, w->queue, m, BURST);
	uint64_t woken = 0;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (unsigned i = 0; i < n; i++) {
		unsigned owner = owner_of(w, m[i]);

		rg_stat_add(w->stats, RG_STAT_rx_bytes, m[i]->pkt_len);
		if (owner == w->id) {
			packet_input(w, m[i]);
		} else if (rte_ring_sp_enqueue(w->handoff[w->id * w->n_workers + owner], m[i]) ==
			   0) {
			rg_stat_inc(w->stats, RG_STAT_handoff);
			woken |= UINT64_C(1) << owner;
		} else {
			rg_stat_inc(w->stats, RG_DROP_handoff_full);
			rte_pktmbuf_free(m[i]);
		}
	}
	for (; woken != 0; woken &= woken - 1)
		idle_wake(&w->peers[__builtin_ctzll(woken)]);
	rg_stat_add(w->stats, RG_STAT_rx_packets, n);
	return n;
}

static unsigned poll_handoff(struct worker *w) {
	void *m[BURST];
	unsigned sum = 0;

	for (unsigned from = 0; from < w->n_workers; from++) {
		unsigned n;

		if (from == w->id)
			continue;
		n = rte_ring_sc_dequeue_burst(w->handoff[from * w->n_workers + w->id], m, BURST,
					      NULL);
		for (unsigned i = 0; i < n; i++)
			packet_input(w, m[i]);
		sum += n;
	}
	return sum;
}

static void poll_once(struct worker *w) {
	unsigned n;

	w->now_ns = idle_now_ns();
	n = poll_port(w);
	n += poll_handoff(w);
	n += punt_poll_replies(w);
	if (tcp_next_deadline(w->tcp) <= w->now_ns)
		tcp_tick(w->tcp, w->now_ns, BURST);
	sweep_run(w);
	if (w->n_tx > 0)
		tx_flush(w);
	if (w->is_punted) {
		w->is_punted = false;
		idle_kick_ctl(w);
	}
	urcu_qsbr_quiescent_state();
	rg_stat_inc(w->stats, RG_STAT_polls);
	if (n > 0) {
		rg_stat_inc(w->stats, RG_STAT_polls_busy);
		w->idle_since_ns = w->now_ns;
	} else {
		idle_wait(w);
	}
}

int worker_run(void *arg) {
	struct worker *w = arg;

	urcu_qsbr_register_thread();
	w->now_ns = w->idle_since_ns = idle_now_ns();
	atomic_store_explicit(&w->is_up, 1, memory_order_release);
	while (!atomic_load_explicit(w->is_stopping, memory_order_relaxed))
		poll_once(w);
	urcu_qsbr_unregister_thread();
	return 0;
}
