// SPDX-License-Identifier: BSD-3-Clause
// The generator's packets: segments of its engine to the port, those that came to the engine, with
// the headers of dataplane/net. Generator's thread.
#include <arpa/inet.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ip.h>

#include "gen.h"

#define RX_BURST 64
#define CHECKSUM_AT 16 // of the TCP header

const uint8_t gen_gateway_mac[6] = {2, 0, 0, 0, 0, 0x99};

void gen_wire_init(struct gen *g) {
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, no_ip6[16];

	net_cfg_init(&g->net, mac, htonl(LOAD_CLIENT_NET), no_ip6, 0, 0);
}

void gen_output(void *ctx, const struct tcp_out *o) {
	struct gen *g = ctx;
	struct rte_mbuf *m = rte_pktmbuf_alloc(g->pool);
	size_t l4_len = o->header_len + o->data_len, head_len = net_head_len(&g->net, &o->dst);
	uint8_t *frame, *p;
	uint16_t sum;

	if (m == NULL) {
		g->s.n_lost++;
		return;
	}
	frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(head_len + l4_len)); // an MSS fits
	net_put_headers(frame, &g->net, o->mac, &o->src, &o->dst, l4_len);
	p = frame + head_len;
	memcpy(p, o->header, sizeof(o->header)); // data follows over what is too much
	p += o->header_len;
	for (unsigned i = 0; i < o->n_data; i++) {
		memcpy(p, o->data[i].p, o->data[i].len);
		p += o->data[i].len;
	}
	if (g->is_sum_by_port) {
		m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD; // that the gateway's port would set
	} else {
		sum = net_tcp_checksum(&o->src, &o->dst, rg_slice(frame + head_len, l4_len));
		memcpy(frame + head_len + CHECKSUM_AT, &sum, sizeof(sum));
	}
	g->s.n_packets++;
	g->tx[g->n_tx++] = m;
	if (g->n_tx == RTE_DIM(g->tx))
		gen_flush(g);
}

// A full ring is waited for: the generator is not to lose anything. But nobody may be left to empty it.
void gen_flush(struct gen *g) {
	uint64_t begin = rte_rdtsc();
	unsigned sent = 0;

	while (sent < g->n_tx) {
		sent += rte_eth_tx_burst(g->port, 0, g->tx + sent, (uint16_t)(g->n_tx - sent));
		if (sent < g->n_tx && rte_rdtsc() - begin > rte_get_tsc_hz()) {
			rte_pktmbuf_free_bulk(g->tx + sent, g->n_tx - sent);
			g->s.n_lost += g->n_tx - sent;
			g->s.n_packets -= g->n_tx - sent;
			break;
		}
	}
	g->n_tx = 0;
}

// The gateway has left it to its port, or its sum is right.
static bool is_checksum_good(const struct rte_mbuf *m, const struct net_rx *rx) {
	if ((m->ol_flags & (RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_RX_L4_CKSUM_GOOD)) != 0)
		return true;
	return net_tcp_checksum(&rx->src, &rx->dst, rx->l4) == 0;
}

// Is it a segment for a client? All else is dropped: the gateway asks for nobody's MAC.
static bool begin(struct gen *g, struct rte_mbuf *m, struct tcp_in *in) {
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, NET_ETH_LEN);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	struct net_rx rx;

	if (m->nb_segs != 1 || m->data_len < NET_ETH_LEN + NET_IP4_LEN ||
	    ntohl(ip->dst_addr) - LOAD_CLIENT_NET >= LOAD_N_ADDRS)
		return false;
	if ((m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0)
		ip->hdr_checksum = rte_ipv4_cksum(ip); // as the gateway's port would have
	g->net.ip_be = ip->dst_addr;                   // it knows one address only
	if (net_input(&g->net, frame, m->data_len, m->data_len, &rx) != NET_TCP ||
	    !is_checksum_good(m, &rx))
		return false;
	*in = (struct tcp_in){.src = rx.src, .dst = rx.dst, .seg = rx.l4};
	memcpy(in->mac, rx.mac, sizeof(rx.mac));
	tcp_rx_hash(g->tcp, in);
	return true;
}

// Each stage fetches what the next one reads.
static void fetch(const struct gen *g, const struct tcp_in *in, unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		uint32_t client = load_client(&in[i].dst);

		tcp_rx_prefetch_entry(g->tcp, &in[i]);
		if (client < g->n_clients)
			rte_prefetch0(&g->clients[client]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t conn = tcp_rx_prefetch(g->tcp, &in[i]);

		if (conn != TCP_NO_SLOT)
			rte_prefetch0(&g->owners[conn]);
	}
}

unsigned gen_poll(struct gen *g) {
	struct rte_mbuf *m[RX_BURST];
	struct tcp_in in[RX_BURST];
	unsigned n = rte_eth_rx_burst(g->port, 0, m, RX_BURST), n_in = 0;

	if (n > 0)
		g->came_tsc = rte_rdtsc();
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (unsigned i = 0; i < n; i++)
		n_in += begin(g, m[i], &in[n_in]);
	fetch(g, in, n_in);
	for (unsigned i = 0; i < n_in; i++)
		tcp_input(g->tcp, &in[i], g->now_ns);
	if (n > 0)
		rte_pktmbuf_free_bulk(m, n);
	return n;
}
