// SPDX-License-Identifier: BSD-3-Clause
// Which connection a frame belongs to, and the hash that spreads connections over workers. Runs in
// the worker that read the frame, before the checks of net_input().
#include "net/net_int.h"

// The quote has our end as its source.
static bool quoted(bool is_quote, struct rg_addr *src, struct rg_addr *dst) {
	struct rg_addr ours = *src;

	*src = *dst;
	*dst = ours;
	return is_quote;
}

static bool take_ports(struct rg_slice l4, struct rg_addr *src, struct rg_addr *dst) {
	if (l4.len < 4)
		return false;
	src->port = net_load16(l4.p);
	dst->port = net_load16(l4.p + 2);
	return true;
}

static bool flow4(struct rg_slice l3, struct rg_addr *src, struct rg_addr *dst) {
	size_t hdr_len = l3.len < NET_IP4_LEN ? 0 : (size_t)(l3.p[0] & 15) * 4;
	struct rg_slice l4 = rg_skip(l3, hdr_len);
	uint32_t seq;

	if (hdr_len < NET_IP4_LEN)
		return false;
	if (l3.p[9] == NET_PROTO_ICMP && net_is_error4(l4))
		return quoted(net_quote4(rg_skip(l4, 8), src, dst, &seq), src, dst);
	if (l3.p[9] != NET_PROTO_TCP)
		return false;
	*src = net_addr4(l3.p + 12);
	*dst = net_addr4(l3.p + 16);
	return take_ports(l4, src, dst);
}

static bool flow6(struct rg_slice l3, struct rg_addr *src, struct rg_addr *dst) {
	struct rg_slice l4 = rg_skip(l3, NET_IP6_LEN);
	enum rg_stat why;
	uint8_t proto;
	uint32_t seq;

	if (l3.len < NET_IP6_LEN)
		return false;
	proto = l3.p[6];
	if (!net_ip6_skip(&l4, &proto, &why))
		return false;
	if (proto == NET_PROTO_ICMP6 && net_is_error6(l4))
		return quoted(net_quote6(rg_skip(l4, 8), src, dst, &seq), src, dst);
	if (proto != NET_PROTO_TCP)
		return false;
	*src = net_addr6(l3.p + 8);
	*dst = net_addr6(l3.p + 24);
	return take_ports(l4, src, dst);
}

bool net_flow(const uint8_t *frame, size_t len, struct rg_addr *src, struct rg_addr *dst) {
	struct rg_slice l3 = rg_skip(rg_slice(frame, len), NET_ETH_LEN);
	uint16_t type;

	if (l3.len < NET_TAG_LEN)
		return false;
	type = net_load16(frame + 12);
	if (type == NET_ETHERTYPE_TAG) {
		type = net_load16(l3.p + 2);
		l3 = rg_skip(l3, NET_TAG_LEN);
	}
	if (type == NET_ETHERTYPE_IP4)
		return flow4(l3, src, dst);
	return type == NET_ETHERTYPE_IP6 && flow6(l3, src, dst);
}

// The 32 bits of the key that begin at a bit; zero behind its end.
static uint32_t key_window(const uint8_t key[NET_TOEPLITZ_KEY_LEN], size_t bit) {
	uint64_t w = 0;

	for (size_t i = bit / 8; i < bit / 8 + 5; i++)
		w = w << 8 | (i < NET_TOEPLITZ_KEY_LEN ? key[i] : 0);
	return (uint32_t)(w >> (8 - bit % 8));
}

void net_toeplitz_init(struct net_toeplitz *t, const uint8_t key[NET_TOEPLITZ_KEY_LEN]) {
	for (size_t place = 0; place < 72; place++)
		for (unsigned v = 0; v < 16; v++) {
			t->nibble[place][v] = 0;
			for (unsigned bit = 0; bit < 4; bit++)
				if ((v & 8 >> bit) != 0)
					t->nibble[place][v] ^= key_window(key, place * 4 + bit);
		}
}

uint32_t net_toeplitz_hash(const struct net_toeplitz *t, const struct rg_addr *src,
			   const struct rg_addr *dst) {
	size_t ip_len = rg_addr_is_v4(src) && rg_addr_is_v4(dst) ? 4 : 16;
	uint8_t in[36];
	uint32_t hash = 0;

	memcpy(in, src->ip + 16 - ip_len, ip_len);
	memcpy(in + ip_len, dst->ip + 16 - ip_len, ip_len);
	net_store16(in + 2 * ip_len, src->port);
	net_store16(in + 2 * ip_len + 2, dst->port);
	for (size_t i = 0; i < 2 * ip_len + 4; i++)
		hash ^= t->nibble[2 * i][in[i] >> 4] ^ t->nibble[2 * i + 1][in[i] & 15];
	return hash;
}
