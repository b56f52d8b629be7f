// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum (RFC 1071) and the headers we send. Runs in a worker; never reads past a
// length it was given.
#include "net/net_int.h"

#define HOP_LIMIT 64

typedef uint64_t lanes __attribute__((vector_size(32)));
typedef lanes any_lanes __attribute__((aligned(1), may_alias)); // wherever it lies

static inline uint64_t load64(const uint8_t *p) {
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

// One's complement sum of 64 bits (RFC 1071 section 2: any width will do). The dependency keeps the
// compiler from vectors, which cost more than they save below 64 bytes.
static inline uint64_t add_carry(uint64_t a, uint64_t b) {
	a += b;
	return a + (a < b);
}

static inline uint64_t half_fold(uint64_t v) {
	return (v & UINT32_MAX) + (v >> 32);
}

// 64 bytes a round: no carry is lost where 32-bit halves are summed in 64 bits.
static uint64_t sum_blocks(const uint8_t *p, size_t n) {
	lanes a_even = {0}, a_odd = {0}, b_even = {0}, b_odd = {0};

	for (; n > 0; n--, p += 64) {
		lanes a = *(const any_lanes *)p, b = *(const any_lanes *)(p + 32);

		a_even += a & UINT32_MAX;
		a_odd += a >> 32;
		b_even += b & UINT32_MAX;
		b_odd += b >> 32;
	}
	a_even += a_odd + b_even + b_odd;
	return a_even[0] + a_even[1] + a_even[2] + a_even[3];
}

uint64_t net_sum(const uint8_t *p, size_t len) {
	uint64_t sum = 0;

	if (len >= 64) {
		sum = sum_blocks(p, len / 64);
		p += len & ~(size_t)63;
		len &= 63;
	}
	for (; len >= 8; p += 8, len -= 8)
		sum = add_carry(sum, load64(p));
	sum = half_fold(sum);
	if ((len & 4) != 0) {
		uint32_t v;

		memcpy(&v, p, sizeof(v));
		sum += v;
		p += sizeof(v);
	}
	if ((len & 2) != 0) {
		uint16_t v;

		memcpy(&v, p, sizeof(v));
		sum += v;
		p += sizeof(v);
	}
	if ((len & 1) != 0) { // RFC 1071 section 1: pad with zero
		uint8_t last[2] = {*p, 0};
		uint16_t v;

		memcpy(&v, last, sizeof(v));
		sum += v;
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

static uint64_t pseudo_sum(const struct rg_addr *src, const struct rg_addr *dst, uint8_t proto,
			   size_t len) {
	// An IPv4 address is the last 4 of the 16 bytes; ffff in front of it, twice, adds nothing
	// to a one's complement sum, so both families sum alike.
	uint64_t sum = add_carry(add_carry(load64(src->ip), load64(src->ip + 8)),
				 add_carry(load64(dst->ip), load64(dst->ip + 8)));

	// RFC 9293 3.1 and RFC 8200 8.1: the length is 16 or 32 bits, the same once summed.
	return half_fold(sum) + htonl((uint32_t)len) + htons(proto);
}

uint16_t net_l4_checksum(const struct rg_addr *src, const struct rg_addr *dst, uint8_t proto,
			 struct rg_slice msg) {
	return net_sum_fold(pseudo_sum(src, dst, proto, msg.len) + net_sum(msg.p, msg.len));
}

uint16_t net_tcp_pseudo_sum(const struct rg_addr *src, const struct rg_addr *dst, size_t len) {
	return (uint16_t)~net_sum_fold(pseudo_sum(src, dst, NET_PROTO_TCP, len));
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

// Nothing is read back of what was written: it waits for memory that another core has used last.
// RFC 6864 4.1: DF makes it atomic, so any ID will do.
static void put_ip4(uint8_t *ip, const struct rg_addr *src, const struct rg_addr *dst,
		    size_t l4_len, uint32_t ttl_proto) {
	uint64_t len = NET_IP4_LEN + l4_len;
	uint32_t from = net_load32(src->ip + 12), to = net_load32(dst->ip + 12);
	uint64_t sum = 0x4500 + len + 0x4000 + ttl_proto + from + to;

	net_store64(ip, UINT64_C(0x4500) << 48 | len << 32 | 0x4000);
	net_store64(ip + 8, (uint64_t)ttl_proto << 48 | (uint64_t)net_sum_fold(sum) << 32 | from);
	net_store32(ip + 16, to);
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
		put_ip4(frame + cfg->l2_len, h->src, h->dst, h->l4_len,
			(uint32_t)h->hop_limit << 8 | h->proto);
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
	m = (unsigned __int128)(a ^ cfg->label_key) * (b ^ (cfg->label_key + dst->port));
	return (uint32_t)((uint64_t)m ^ (uint64_t)(m >> 64)) & 0xfffff;
}

static void put_headers6(uint8_t *frame, const struct net_cfg *cfg, const uint8_t dst_mac[6],
			 const struct rg_addr *src, const struct rg_addr *dst, size_t l4_len) {
	struct net_head h = {.dst_mac = dst_mac,
			     .src = src,
			     .dst = dst,
			     .proto = NET_PROTO_TCP,
			     .hop_limit = HOP_LIMIT,
			     .l4_len = l4_len};
	uint32_t label = flow_label(cfg, dst);
	uint8_t *ip = frame + cfg->l2_len;

	net_put_ip(frame, cfg, &h);
	ip[1] = (uint8_t)(label >> 16);
	net_store16(ip + 2, label & 0xffff);
}

void net_put_headers(uint8_t *frame, const struct net_cfg *cfg, const uint8_t dst_mac[6],
		     const struct rg_addr *src, const struct rg_addr *dst, size_t l4_len) {
	if (!rg_addr_is_v4(dst)) {
		put_headers6(frame, cfg, dst_mac, src, dst, l4_len);
		return;
	}
	net_put_eth(frame, cfg, dst_mac, NET_ETHERTYPE_IP4);
	put_ip4(frame + cfg->l2_len, src, dst, l4_len, HOP_LIMIT << 8 | NET_PROTO_TCP);
}
