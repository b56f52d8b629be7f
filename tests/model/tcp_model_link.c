// SPDX-License-Identifier: BSD-3-Clause
// The link of the TCP model test: whole frames with the headers and checksums of dataplane/net,
// which may be lost, doubled, late and corrupted. What comes out passed net_input() and the TCP
// checksum, as in a worker.
#include <arpa/inet.h>

#include "net/net.h"
#include "tcp_model.h"

#define BURST_SPAN 15 // bits; every Internet checksum sees what is wrong in no more

void link_init(struct world *w) {
	static const uint8_t macs[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

	for (uint8_t i = 0; i < 2; i++) {
		uint8_t ip6[16] = {0xfd, [15] = (uint8_t)(i + 1)};

		net_cfg_init(&w->nets[i], macs[i], htonl(0x0a000001u + i), ip6, 0, 1);
	}
}

struct rg_addr link_addr(const struct world *w, bool is_engine, uint16_t port) {
	const struct net_cfg *n = &w->nets[is_engine];
	struct rg_addr a = rg_addr_v4(n->ip_be, port);

	if (w->is_v6)
		memcpy(a.ip, n->ip6, sizeof(a.ip));
	return a;
}

static void flip(struct packet *k, size_t bit) {
	k->b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
}

// One bit, some bits, a burst, or a stretch of rubbish. True: no checksum may miss it.
static bool corrupt(struct world *w, struct packet *k) {
	size_t from = NET_ETH_LEN * 8, n = (size_t)k->len * 8 - from;
	size_t at = from + rnd(w, (uint32_t)(n - BURST_SPAN)), len;

	switch (rnd(w, 4)) {
	case 0:
		flip(k, at);
		return true;
	case 1:
		for (unsigned i = 2 + rnd(w, 7); i > 0; i--)
			flip(k, from + rnd(w, (uint32_t)n));
		return false;
	case 2:
		for (unsigned i = 0; i < BURST_SPAN; i++)
			if (i == 0 || rnd(w, 2) == 0)
				flip(k, at + i);
		return true;
	default:
		len = 1 + rnd(w, 32);
		for (size_t i = at / 8; i < k->len && len > 0; i++, len--)
			k->b[i] = (uint8_t)rnd(w, 256);
		return false;
	}
}

static void frame_put(struct world *w, struct packet *k, const uint8_t *seg, size_t len) {
	uint16_t port = w->peers[k->peer].port;
	struct rg_addr peer = link_addr(w, false, port), engine = link_addr(w, true, 443);
	const struct rg_addr *src = k->is_to_peer ? &engine : &peer,
			     *dst = k->is_to_peer ? &peer : &engine;
	const struct net_cfg *from = &w->nets[k->is_to_peer], *to = &w->nets[!k->is_to_peer];
	uint8_t *l4 = k->b + net_head_len(from, dst);
	uint16_t sum;

	k->len = (uint16_t)(l4 - k->b + (ptrdiff_t)len);
	MUST(k->len <= sizeof(k->b));
	net_put_headers(k->b, from, to->mac, src, dst, len);
	memcpy(l4, seg, len);
	memset(l4 + 16, 0, 2);
	sum = net_tcp_checksum(src, dst, rg_slice(l4, len));
	memcpy(l4 + 16, &sum, 2);
	memcpy(k->good, k->b, k->len);
}

void link_put(struct world *w, unsigned peer, bool is_to_peer, const uint8_t *b, size_t len) {
	unsigned n = rnd(w, 1000) < w->dup ? 2 : 1;

	while (n-- > 0) {
		struct packet *k = &w->packets[w->n_packets];

		if (rnd(w, 1000) < w->loss)
			continue;
		MUST(w->n_packets++ < MAX_PACKETS);
		k->at_ns = w->now_ns + 5 * MS + rnd(w, w->jitter_ms * 1000) * RG_NS_PER_US;
		k->peer = peer;
		k->is_to_peer = is_to_peer;
		k->is_detectable = true;
		frame_put(w, k, b, len);
		if (rnd(w, 1000) < w->corrupt)
			k->is_detectable = corrupt(w, k);
	}
}

bool link_take(struct world *w, struct packet *k, struct net_rx *rx) {
	const struct net_cfg *to = &w->nets[!k->is_to_peer];
	bool is_same = memcmp(k->b, k->good, k->len) == 0;
	size_t head_len;

	if (net_input(to, k->b, k->len, k->len, rx) != NET_TCP ||
	    net_tcp_checksum(&rx->src, &rx->dst, rx->l4) != 0) {
		MUST(!is_same);
		w->n_refused++;
		return false;
	}
	if (is_same)
		return true;
	// The addresses, the ports and the segment, or the checksum cannot tell.
	head_len = net_head_len(to, &rx->dst);
	if (rx->l4.len == k->len - head_len && rx->l4.p == k->b + head_len &&
	    memcmp(rx->l4.p, k->good + head_len, rx->l4.len) == 0 &&
	    memcmp(k->b + head_len - 32, k->good + head_len - 32, w->is_v6 ? 32 : 0) == 0)
		return true; // what no checksum covers: hop limit, flow label
	MUST(!k->is_detectable);
	w->n_missed++;
	return false;
}
