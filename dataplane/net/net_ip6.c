// SPDX-License-Identifier: BSD-3-Clause
// IPv6 (RFC 8200): header and extension headers of what comes in. Runs in a worker.
#include "net/net_int.h"

#define MAX_EXT_HEADERS 8
#define MAX_EXT_BYTES 256
#define MAX_OPTIONS 8 // RFC 8504 5.3

bool net_ip6_is_ours(const struct net_cfg *cfg, const uint8_t ip[16]) {
	return memcmp(ip, cfg->ip6, 16) == 0 || memcmp(ip, cfg->link_local, 16) == 0;
}

struct rg_addr net_solicited_node(const uint8_t ip[16]) {
	return (struct rg_addr){
		.ip = {0xff, 2, [11] = 1, 0xff, ip[13], ip[14], ip[15]},
	};
}

// Groups that we are in: all nodes, and those of our addresses.
static bool is_our_group(const struct net_cfg *cfg, const uint8_t ip[16]) {
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	struct rg_addr a = net_solicited_node(cfg->ip6), b = net_solicited_node(cfg->link_local);

	return memcmp(ip, all_nodes, 16) == 0 || memcmp(ip, a.ip, 16) == 0 ||
	       memcmp(ip, b.ip, 16) == 0;
}

// RFC 4291 2.5.2, 2.5.3, 2.7: neither unspecified, loopback nor a group sends. What begins with ten
// zero bytes holds an IPv4 address, which comes in IPv4 packets or is a lie.
static bool is_source(const struct net_cfg *cfg, const uint8_t ip[16]) {
	static const uint8_t zero[10];

	return ip[0] != 0xff && memcmp(ip, zero, sizeof(zero)) != 0 && !net_ip6_is_ours(cfg, ip);
}

// RFC 8200 4.2: an unknown option may be skipped when its type begins with 00.
static bool are_options_ok(struct rg_slice opts) {
	struct rg_rd rd = rg_rd(opts);
	unsigned n = 0;

	while (rd.p < rd.end) {
		uint8_t type = (uint8_t)rg_rd_be(&rd, 1);

		if (type == 0) // Pad1
			continue;
		rg_rd_bytes(&rd, rg_rd_be(&rd, 1));
		if (rd.bad || type >> 6 != 0 || ++n > MAX_OPTIONS)
			return false;
	}
	return true;
}

bool net_ip6_skip(struct rg_slice *l4, uint8_t *proto, enum rg_stat *why) {
	size_t len, sum = 0;
	uint8_t next;

	for (unsigned n = 0;; n++) {
		if (*proto == NET_PROTO_FRAGMENT) {
			*why = RG_DROP_ip_fragment;
			return false;
		}
		if (*proto != NET_PROTO_ROUTING && *proto != NET_PROTO_DEST_OPTIONS &&
		    *proto != NET_PROTO_HOP_BY_HOP)
			return true;
		*why = RG_DROP_ip_extension;
		// RFC 8200 4.1: hop-by-hop options stand first or not at all.
		if ((*proto == NET_PROTO_HOP_BY_HOP && n > 0) || n == MAX_EXT_HEADERS ||
		    l4->len < 8)
			return false;
		next = l4->p[0];
		len = (l4->p[1] + 1u) * 8;
		sum += len;
		if (len > l4->len || sum > MAX_EXT_BYTES)
			return false;
		// RFC 8200 4.4: with segments left we would have to forward it. RFC 5095: type 0
		// is not to be used.
		if (*proto == NET_PROTO_ROUTING && (l4->p[2] == 0 || l4->p[3] != 0)) {
			*why = RG_DROP_ip_routing;
			return false;
		}
		if (*proto != NET_PROTO_ROUTING && !are_options_ok(rg_slice(l4->p + 2, len - 2)))
			return false;
		*l4 = rg_skip(*l4, len);
		*proto = next;
	}
}

bool net_quote6(struct rg_slice quote, struct rg_addr *src, struct rg_addr *dst, uint32_t *seq) {
	// We send no extension headers.
	if (quote.len < NET_IP6_LEN + 8 || quote.p[0] >> 4 != 6 || quote.p[6] != NET_PROTO_TCP)
		return false;
	*src = net_addr6(quote.p + 8);
	*dst = net_addr6(quote.p + 24);
	src->port = net_load16(quote.p + NET_IP6_LEN);
	dst->port = net_load16(quote.p + NET_IP6_LEN + 2);
	*seq = net_load32(quote.p + NET_IP6_LEN + 4);
	return true;
}

enum net_verdict net_ip6_input(struct net_in *in) {
	static const uint8_t unspecified[16];
	const uint8_t *ip = in->l3.p;
	struct net_rx *out = in->out;
	enum rg_stat why;
	uint8_t proto;
	size_t len;

	if (in->l3.len < NET_IP6_LEN || ip[0] >> 4 != 6)
		return net_drop(in, RG_DROP_ip_bad);
	len = net_load16(ip + 4);
	if (len > in->l3.len - NET_IP6_LEN) // below it: Ethernet padding
		return net_drop(in, RG_DROP_ip_bad);
	// A group's frame may hold a packet to that group only.
	if (!(ip[24] == 0xff ? is_our_group(in->cfg, ip + 24)
			     : in->is_to_us && net_ip6_is_ours(in->cfg, ip + 24)))
		return net_drop(in, RG_DROP_ip_not_ours);
	// RFC 4861 4.3: from the unspecified address comes a probe, see the solicitation.
	if (!is_source(in->cfg, ip + 8) && memcmp(ip + 8, unspecified, 16) != 0)
		return net_drop(in, RG_DROP_ip_bad);
	out->src = net_addr6(ip + 8);
	out->dst = net_addr6(ip + 24);
	out->l4 = rg_slice(ip + NET_IP6_LEN, len);
	proto = ip[6];
	if (!net_ip6_skip(&out->l4, &proto, &why))
		return net_drop(in, why);
	if (proto == NET_PROTO_ICMP6)
		return net_icmp6_input(in);
	if (ip[24] == 0xff || memcmp(ip + 8, unspecified, 16) == 0)
		return net_drop(in, RG_DROP_ip_bad); // RFC 1122 4.2.3.10, for IPv6 as well
	return proto == NET_PROTO_TCP ? net_tcp_input(in) : net_drop(in, RG_DROP_ip_proto);
}
