// SPDX-License-Identifier: BSD-3-Clause
// One frame in, a verdict out: Ethernet, ARP, IPv4, ICMP echo. Runs in a worker; keeps no state and
// trusts no length of the peer's before it has been held against the frame.
#include "net/net_int.h"

#define ARP_LEN 28
#define ICMP_LEN 8
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8

static enum net_verdict drop(struct net_rx *out, enum rg_stat why) {
	out->event = why;
	return NET_DROP;
}

static enum net_verdict reply(struct net_rx *out, enum rg_stat what, size_t len) {
	out->event = what;
	out->reply_len = len;
	return NET_REPLY;
}

// May this be the source of a packet to us? RFC 1122 3.2.1.3: no network 0, loopback, multicast,
// reserved or broadcast. Our own address is a LAND attack or an address conflict.
static bool is_source(const struct net_cfg *cfg, const uint8_t *ip) {
	return ip[0] != 0 && ip[0] != 127 && ip[0] < 224 && memcmp(ip, &cfg->ip_be, 4) != 0;
}

// RFC 826, answered only when it asks for us.
static enum net_verdict arp_input(const struct net_cfg *cfg, uint8_t *frame, size_t len,
				  struct net_rx *out) {
	static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1}; // Ethernet, IPv4, 6, 4, request
	static const uint8_t unspecified[4];
	uint8_t *arp = frame + NET_ETH_LEN;
	uint8_t *sha = arp + 8, *spa = arp + 14, *tha = arp + 18, *tpa = arp + 24;

	if (len < NET_ETH_LEN + ARP_LEN || memcmp(arp, request, sizeof(request)) != 0)
		return drop(out, RG_DROP_arp_bad);
	if (memcmp(tpa, &cfg->ip_be, 4) != 0)
		return drop(out, RG_DROP_ip_not_ours);
	// RFC 5227 2.1.1: a probe has sender 0.0.0.0 and wants to hear that the address is taken.
	if ((sha[0] & 1) != 0 || (!is_source(cfg, spa) && memcmp(spa, unspecified, 4) != 0))
		return drop(out, RG_DROP_arp_bad);
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, cfg->mac, 6);
	arp[7] = 2;
	memcpy(tha, sha, 10); // sha and spa become tha and tpa
	memcpy(sha, cfg->mac, 6);
	memcpy(spa, &cfg->ip_be, 4);
	return reply(out, RG_STAT_arp_replies, NET_ETH_LEN + ARP_LEN);
}

// RFC 792 echo, RFC 1122 3.2.2.6. IP options of the request are not sent back: the answer has a
// fresh 20-byte header.
static enum net_verdict icmp_input(const struct net_cfg *cfg, uint8_t *frame, struct rg_slice icmp,
				   struct net_rx *out) {
	uint8_t *msg = frame + NET_ETH_LEN + NET_IP4_LEN;
	struct net_head h = {.dst_mac = out->mac,
			     .src_mac = cfg->mac,
			     .src_be = cfg->ip_be,
			     .proto = NET_PROTO_ICMP,
			     .l4_len = icmp.len};
	uint16_t sum;

	if (icmp.len < ICMP_LEN || icmp.p[0] != ICMP_ECHO || icmp.p[1] != 0 ||
	    net_sum_fold(net_sum(icmp.p, icmp.len)) != 0)
		return drop(out, RG_DROP_icmp_bad);
	memcpy(&h.dst_be, out->src.ip + 12, 4);
	memmove(msg, icmp.p, icmp.len);
	net_head_put(frame, &h);
	msg[0] = ICMP_ECHO_REPLY;
	memset(msg + 2, 0, 2);
	sum = net_sum_fold(net_sum(msg, icmp.len));
	memcpy(msg + 2, &sum, 2);
	return reply(out, RG_STAT_icmp_echo, NET_ETH_LEN + NET_IP4_LEN + icmp.len);
}

static enum net_verdict ip4_input(const struct net_cfg *cfg, uint8_t *frame, size_t len,
				  struct net_rx *out) {
	const uint8_t *ip = frame + NET_ETH_LEN;
	size_t hdr_len, total_len;
	uint32_t src_be, dst_be;

	len -= NET_ETH_LEN;
	if (len < NET_IP4_LEN || ip[0] >> 4 != 4)
		return drop(out, RG_DROP_ip_bad);
	hdr_len = (size_t)(ip[0] & 15) * 4;
	total_len = net_load16(ip + 2);
	// RFC 791 3.1; total_len below len is Ethernet padding.
	if (hdr_len < NET_IP4_LEN || total_len < hdr_len || total_len > len)
		return drop(out, RG_DROP_ip_bad);
	if (net_sum_fold(net_sum(ip, hdr_len)) != 0) // RFC 1122 3.2.1.2
		return drop(out, RG_DROP_ip_checksum);
	memcpy(&src_be, ip + 12, 4);
	memcpy(&dst_be, ip + 16, 4);
	if (dst_be != cfg->ip_be)
		return drop(out, RG_DROP_ip_not_ours);
	if (!is_source(cfg, ip + 12))
		return drop(out, RG_DROP_ip_bad);
	if ((net_load16(ip + 6) & 0x3fff) != 0) // more fragments, or an offset
		return drop(out, RG_DROP_ip_fragment);
	out->src = rg_addr_v4(src_be, 0);
	out->dst = rg_addr_v4(dst_be, 0);
	out->l4 = rg_slice(ip + hdr_len, total_len - hdr_len);
	if (ip[9] == NET_PROTO_ICMP)
		return icmp_input(cfg, frame, out->l4, out);
	if (ip[9] != NET_PROTO_TCP)
		return drop(out, RG_DROP_ip_proto);
	if (out->l4.len >= 4) {
		out->src.port = net_load16(out->l4.p);
		out->dst.port = net_load16(out->l4.p + 2);
	}
	return NET_TCP;
}

enum net_verdict net_input(const struct net_cfg *cfg, uint8_t *frame, size_t len,
			   struct net_rx *out) {
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	bool is_to_us;

	if (len < NET_ETH_LEN)
		return drop(out, RG_DROP_eth_short);
	is_to_us = memcmp(frame, cfg->mac, 6) == 0;
	memcpy(out->mac, frame + 6, 6);
	// A group address never sends (IEEE 802.3 3.2.3); our own address does not send to us.
	if ((out->mac[0] & 1) != 0 || memcmp(out->mac, cfg->mac, 6) == 0)
		return drop(out, RG_DROP_eth_not_ours);
	switch (net_load16(frame + 12)) {
	case NET_ETHERTYPE_ARP:
		if (!is_to_us && memcmp(frame, broadcast, 6) != 0)
			return drop(out, RG_DROP_eth_not_ours);
		return arp_input(cfg, frame, len, out);
	case NET_ETHERTYPE_IP4: // RFC 1122 3.3.6: not when it came as a link-layer broadcast
		return is_to_us ? ip4_input(cfg, frame, len, out) : drop(out, RG_DROP_eth_not_ours);
	default:
		return drop(out, is_to_us ? RG_DROP_eth_type : RG_DROP_eth_not_ours);
	}
}
