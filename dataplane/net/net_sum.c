// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum (RFC 1071), the headers we send, and the flow hash. Runs in a worker; never
// reads past a length it was given.
#include "net/net_int.h"

#include "regate/siphash.h"

// 32-bit words into a 64-bit sum: no carry can be lost below 16 GiB, and the compiler makes vector
// code of it, which it does not for a 16-bit loop with a fold inside.
uint64_t net_sum(const uint8_t *p, size_t len) {
	uint64_t sum = 0;
	uint32_t w;
	uint16_t h;

	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&w, p, sizeof(w));
		sum += w;
	}
	if (len >= 2) {
		memcpy(&h, p, sizeof(h));
		sum += h;
		p += 2;
		len -= 2;
	}
	if (len > 0) {
		uint8_t last[2] = {*p, 0}; // RFC 1071 section 1: pad with zero

		memcpy(&h, last, sizeof(h));
		sum += h;
	}
	return sum;
}

uint16_t net_sum_fold(uint64_t sum) {
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t net_tcp_checksum(const struct rg_addr *src, const struct rg_addr *dst,
			  struct rg_slice seg) {
	bool is_v4 = rg_addr_is_v4(src) && rg_addr_is_v4(dst);
	size_t skip = is_v4 ? 12 : 0;
	uint64_t sum = net_sum(src->ip + skip, 16 - skip) + net_sum(dst->ip + skip, 16 - skip);

	// RFC 9293 3.1 and RFC 8200 8.1: the length is 16 or 32 bits, the same once summed.
	sum += htonl((uint32_t)seg.len) + (uint64_t)htons(NET_PROTO_TCP);
	return net_sum_fold(sum + net_sum(seg.p, seg.len));
}

void net_head_put(uint8_t *frame, const struct net_head *h) {
	uint8_t *ip = frame + NET_ETH_LEN;
	struct rg_wr w = rg_wr(frame, NET_ETH_LEN + NET_IP4_LEN);
	uint16_t sum;

	rg_put(&w, rg_slice(h->dst_mac, 6));
	rg_put(&w, rg_slice(h->src_mac, 6));
	rg_put_be(&w, NET_ETHERTYPE_IP4, 2);
	rg_put_be(&w, 0x4500, 2); // version 4, 20 bytes, no DSCP
	rg_put_be(&w, NET_IP4_LEN + h->l4_len, 2);
	rg_put_be(&w, 0x4000, 4); // RFC 6864 4.1: DF makes it atomic, so any ID will do
	rg_put_be(&w, 64, 1);
	rg_put_be(&w, h->proto, 1);
	rg_put_be(&w, 0, 2);
	rg_put(&w, rg_slice(&h->src_be, 4));
	rg_put(&w, rg_slice(&h->dst_be, 4));
	sum = net_sum_fold(net_sum(ip, NET_IP4_LEN));
	memcpy(ip + 10, &sum, 2);
}

void net_put_headers(uint8_t *frame, const struct net_cfg *cfg, const uint8_t dst_mac[6],
		     const struct rg_addr *dst, size_t l4_len) {
	struct net_head h = {.dst_mac = dst_mac,
			     .src_mac = cfg->mac,
			     .src_be = cfg->ip_be,
			     .proto = NET_PROTO_TCP,
			     .l4_len = l4_len};

	memcpy(&h.dst_be, dst->ip + 12, 4);
	net_head_put(frame, &h);
}

uint32_t net_flow_hash(const uint8_t key[16], const struct rg_addr *src,
		       const struct rg_addr *dst) {
	return (uint32_t)rg_siphash_flow(key, src, dst);
}
