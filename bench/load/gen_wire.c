// SPDX-License-Identifier: BSD-3-Clause
// The generator's Ethernet, IPv4 and TCP: just enough of a client, written apart from the stack
// under test. Nothing is lost between the two, so nothing is sent again.
#include <arpa/inet.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "gen.h"

#define ETH_LEN 14
#define IP_LEN 20
#define TCP_LEN 20
#define TS_LEN 12
#define SYN_OPTS_LEN 8 // MSS, window scale, SACK; timestamps follow
#define HEAD_LEN (ETH_LEN + IP_LEN)

static void put16(uint8_t *p, uint16_t v) {
	v = htons(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v) {
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *p) {
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

uint64_t gen_sum(const uint8_t *p, size_t len) {
	uint64_t sum = 0;
	uint32_t w;

	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&w, p, sizeof(w));
		sum += w;
	}
	if (len > 0) {
		w = 0;
		memcpy(&w, p, len);
		sum += w;
	}
	return sum;
}

static uint16_t fold(uint64_t sum) {
	while (sum >> 16 != 0)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_ip(uint8_t *ip, uint32_t src, size_t len) {
	static const uint8_t fixed[IP_LEN] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, IPPROTO_TCP};
	uint16_t sum;

	memcpy(ip, fixed, IP_LEN);
	put16(ip + 2, (uint16_t)(IP_LEN + len));
	put32(ip + 12, src);
	put32(ip + 16, LOAD_GATEWAY_IP);
	sum = fold(gen_sum(ip, IP_LEN));
	memcpy(ip + 10, &sum, sizeof(sum));
}

// Returns the length of the header.
static size_t put_tcp(struct gen *g, uint8_t *t, const struct tcp_fields *f) {
	static const uint8_t syn_opts[SYN_OPTS_LEN] = {2, 4, 0x05, 0xb4, 4, 2, 1, 1};
	static const uint8_t ts[4] = {1, 1, 8, 10};
	size_t len = TCP_LEN;

	put16(t, f->port);
	put16(t + 2, LOAD_GATEWAY_PORT);
	put32(t + 4, f->seq);
	put32(t + 8, f->ack);
	t[13] = f->flags;
	put16(t + 14, UINT16_MAX);
	memset(t + 16, 0, 4);
	if ((f->flags & SEG_SYN) != 0) {
		memcpy(t + len, syn_opts, SYN_OPTS_LEN);
		len += SYN_OPTS_LEN;
	}
	memcpy(t + len, ts, sizeof(ts));
	put32(t + len + 4, g->ts_now);
	put32(t + len + 8, f->ts_ecr);
	len += TS_LEN;
	t[12] = (uint8_t)(len / 4 << 4);
	return len;
}

void gen_put(struct gen *g, uint32_t src, const struct tcp_fields *f, struct rg_slice data,
	     uint64_t data_sum) {
	static const uint8_t macs[ETH_LEN] = {2, 0, 0, 0, 0, 0x99, 2, 0, 0, 0, 0, 1, 8, 0};
	struct rte_mbuf *m = rte_pktmbuf_alloc(g->pool);
	uint8_t *frame;
	size_t len;
	uint16_t sum;

	if (m == NULL) {
		g->s.n_lost++;
		return;
	}
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(frame, macs, ETH_LEN);
	len = put_tcp(g, frame + HEAD_LEN, f);
	put_ip(frame + ETH_LEN, src, len + data.len);
	data_sum += gen_sum(frame + HEAD_LEN, len) + gen_sum(frame + ETH_LEN + 12, 8) +
		    htons((uint16_t)(len + data.len)) + htons(IPPROTO_TCP);
	sum = fold(data_sum);
	memcpy(frame + HEAD_LEN + 16, &sum, sizeof(sum));
	if (data.len > 0)
		memcpy(frame + HEAD_LEN + len, data.p, data.len);
	m->data_len = (uint16_t)(HEAD_LEN + len + data.len);
	m->pkt_len = m->data_len;
	m->ol_flags = g->rx_flags;
	g->s.n_packets++;
	g->tx[g->n_tx++] = m;
	if (g->n_tx == RTE_DIM(g->tx))
		gen_flush(g);
}

void gen_send(struct gen *g, uint32_t client, uint8_t flags, struct rg_slice data,
	      uint64_t data_sum) {
	struct client *c = &g->clients[client];
	struct tcp_fields f = {
		.port = load_port(client),
		.flags = flags,
		.seq = c->snd_nxt,
		.ack = c->rcv_nxt,
		.ts_ecr = c->ts_recent,
	};

	gen_put(g, LOAD_CLIENT_NET + client, &f, data, data_sum);
	c->snd_nxt += (uint32_t)data.len + ((flags & SEG_SYN) != 0);
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

static uint32_t find_ts(const uint8_t *opts, size_t len) {
	for (size_t i = 0; i < len;) {
		if (opts[i] == 8 && len - i >= 10)
			return get32(opts + i + 2);
		if (opts[i] == 0)
			break;
		i += opts[i] == 1 || i + 1 == len || opts[i + 1] < 2 ? 1 : opts[i + 1];
	}
	return 0;
}

bool segment_parse(struct rg_slice frame, struct segment *out) {
	const uint8_t *ip = frame.p + ETH_LEN, *t = ip + IP_LEN;
	size_t len, head;

	if (frame.len < HEAD_LEN + TCP_LEN || ip[0] != 0x45 || ip[9] != IPPROTO_TCP)
		return false;
	len = (size_t)ip[2] << 8 | ip[3];
	head = (size_t)(t[12] >> 4) * 4;
	if (len > frame.len - ETH_LEN || head < TCP_LEN || len < IP_LEN + head)
		return false;
	out->client = get32(ip + 16) - LOAD_CLIENT_NET;
	out->seq = get32(t + 4);
	out->ack = get32(t + 8);
	out->flags = t[13];
	out->ts_val = find_ts(t + TCP_LEN, head - TCP_LEN);
	out->data = rg_slice(t + head, len - IP_LEN - head);
	return true;
}
