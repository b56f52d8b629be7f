// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum (RFC 1071) and the headers we send. Runs in a worker; never reads past a
// length it was given.
#include "net/net_int.h"

// Sums of the two halves of 64-bit words: no carry can be lost below 32 GiB, and the compiler makes
// vector code of it, 32 bytes at a time, which it does not where there is a fold inside.
uint64_t net_sum(const uint8_t *p, size_t len) {
	uint64_t low = 0, high = 0, w;

	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		low += w & UINT32_MAX;
		high += w >> 32;
	}
	if ((len & 4) != 0) {
		uint32_t v;

		memcpy(&v, p, sizeof(v));
		low += v;
		p += sizeof(v);
	}
	if ((len & 2) != 0) {
		uint16_t v;

		memcpy(&v, p, sizeof(v));
		high += v;
		p += sizeof(v);
	}
	if ((len & 1) != 0) { // RFC 1071 section 1: pad with zero
		uint8_t last[2] = {*p, 0};
		uint16_t v;

		memcpy(&v, last, sizeof(v));
		high += v;
	}
	return low + high;
}

uint16_t net_sum_fold(uint64_t sum) {
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t net_l4_checksum(const struct rg_addr *src, const struct rg_addr *dst, uint8_t proto,
			 struct rg_slice msg) {
	// An IPv4 address is the last 4 of the 16 bytes; ffff in front of it, twice, adds nothing
	// to a one's complement sum, so both families sum alike.
	uint64_t sum = net_sum(src->ip, 16) + net_sum(dst->ip, 16);

	// RFC 9293 3.1 and RFC 8200 8.1: the length is 16 or 32 bits, the same once summed.
	sum += htonl((uint32_t)msg.len) + (uint64_t)htons(proto);
	return net_sum_fold(sum + net_sum(msg.p, msg.len));
}

uint16_t net_tcp_checksum(const struct rg_addr *src, const struct rg_addr *dst,
			  struct rg_slice seg) {
	return net_l4_checksum(src, dst, NET_PROTO_TCP, seg);
}

void net_put_eth(uint8_t *frame, const struct net_cfg *cfg, const uint8_t dst_mac[6],
		 uint16_t type) {
	memcpy(frame, dst_mac, 6);
	memcpy(frame + 6, cfg->mac, 6);
	if (cfg->vlan != 0) {
		net_store16(frame + 12, NET_ETHERTYPE_TAG);
		net_store16(frame + 14, cfg->vlan);
	}
	net_store16(frame + cfg->l2_len - 2, type);
}

static void put_ip4(uint8_t *ip, const struct net_head *h) {
	// Version 4, 20 bytes, no DSCP. RFC 6864 4.1: DF makes it atomic, so any ID will do.
	static const uint8_t head[12] = {0x45, [6] = 0x40};
	uint16_t sum;

	memcpy(ip, head, sizeof(head));
	net_store16(ip + 2, NET_IP4_LEN + h->l4_len);
	ip[8] = h->hop_limit;
	ip[9] = h->proto;
	memcpy(ip + 12, h->src->ip + 12, 4);
	memcpy(ip + 16, h->dst->ip + 12, 4);
	sum = net_sum_fold(net_sum(ip, NET_IP4_LEN));
	memcpy(ip + 10, &sum, 2);
}

static void put_ip6(uint8_t *ip, const struct net_head *h) {
	static const uint8_t head[4] = {0x60};

	memcpy(ip, head, sizeof(head));
	net_store16(ip + 4, h->l4_len);
	ip[6] = h->proto;
	ip[7] = h->hop_limit;
	memcpy(ip + 8, h->src->ip, 16);
	memcpy(ip + 24, h->dst->ip, 16);
}

size_t net_put_ip(uint8_t *frame, const struct net_cfg *cfg, const struct net_head *h) {
	bool is_v4 = rg_addr_is_v4(h->dst);

	net_put_eth(frame, cfg, h->dst_mac, is_v4 ? NET_ETHERTYPE_IP4 : NET_ETHERTYPE_IP6);
	if (is_v4)
		put_ip4(frame + cfg->l2_len, h);
	else
		put_ip6(frame + cfg->l2_len, h);
	return net_head_len(cfg, h->dst);
}

// RFC 6437: the same for all packets of a flow, and not to be guessed. Our end is the same for all.
static uint32_t flow_label(const struct net_cfg *cfg, const struct rg_addr *dst) {
	uint64_t a, b;
	unsigned __int128 m;

	memcpy(&a, dst->ip, sizeof(a));
	memcpy(&b, dst->ip + 8, sizeof(b));
	m = (unsigned __int128)(a ^ cfg->label_key) * ((b ^ (cfg->label_key + dst->port)) | 1);
	return (uint32_t)((uint64_t)m ^ (uint64_t)(m >> 64)) & 0xfffff;
}

void net_put_headers(uint8_t *frame, const struct net_cfg *cfg, const uint8_t dst_mac[6],
		     const struct rg_addr *src, const struct rg_addr *dst, size_t l4_len) {
	struct net_head h = {.dst_mac = dst_mac,
			     .src = src,
			     .dst = dst,
			     .proto = NET_PROTO_TCP,
			     .hop_limit = 64,
			     .l4_len = l4_len};
	uint8_t *ip = frame + cfg->l2_len;
	uint32_t label;

	net_put_ip(frame, cfg, &h);
	if (rg_addr_is_v4(dst))
		return;
	label = flow_label(cfg, dst);
	ip[1] = (uint8_t)(label >> 16);
	net_store16(ip + 2, label & 0xffff);
}
