// SPDX-License-Identifier: BSD-3-Clause
// Frames of a worker: builds and sends those of TCP, reads those that came, and says which worker
// owns one. Never allocates but from the worker's pool of packet buffers.
#include <rte_ip.h>
#include <rte_tcp.h>

#include "hooks.h"

#define TX_RETRIES 8

void packet_flush(struct worker *w) {
	unsigned sent = 0;

	if (w->n_tx == 0)
		return;
	for (unsigned i = 0; i < TX_RETRIES && sent < w->n_tx; i++)
		sent += hooks_tx(w, w->tx + sent, (uint16_t)(w->n_tx - sent));
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
		packet_flush(w);
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

void packet_output(void *ctx, const struct tcp_out *o) {
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

// TCP by 4-tuple, anything else stays here. Reads no more than the fixed headers; net_input()
// checks them properly later.
unsigned packet_owner(const struct worker *w, const struct rte_mbuf *m) {
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

void packet_input(struct worker *w, struct rte_mbuf *m) {
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
