// SPDX-License-Identifier: BSD-3-Clause
// Inside dataplane/net: numbers of the protocols, the one's complement sum (RFC 1071), and the
// calls between the files of this folder.
#pragma once

#include <arpa/inet.h>
#include <endian.h>

#include "net/net.h"

#define NET_ETHERTYPE_IP4 0x0800
#define NET_ETHERTYPE_ARP 0x0806
#define NET_ETHERTYPE_TAG 0x8100
#define NET_ETHERTYPE_IP6 0x86dd
#define NET_ETHERTYPE_STAG 0x88a8
#define NET_PROTO_HOP_BY_HOP 0
#define NET_PROTO_ICMP 1
#define NET_PROTO_TCP 6
#define NET_PROTO_ROUTING 43
#define NET_PROTO_FRAGMENT 44
#define NET_PROTO_ICMP6 58
#define NET_PROTO_DEST_OPTIONS 60

static inline uint16_t net_load16(const uint8_t *p) {
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t net_load32(const uint8_t *p) {
	return (uint32_t)net_load16(p) << 16 | net_load16(p + 2);
}

static inline void net_store16(uint8_t *p, size_t v) {
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void net_store32(uint8_t *p, uint32_t v) {
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void net_store64(uint8_t *p, uint64_t v) {
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static inline struct rg_addr net_addr4(const uint8_t *ip) {
	uint32_t ip_be;

	memcpy(&ip_be, ip, sizeof(ip_be));
	return rg_addr_v4(ip_be, 0);
}

static inline struct rg_addr net_addr6(const uint8_t *ip) {
	struct rg_addr a = {.port = 0};

	memcpy(a.ip, ip, sizeof(a.ip));
	return a;
}

// Sum of the bytes as 16-bit words in memory order, not folded. Add several up, then fold.
uint64_t net_sum(const uint8_t *p, size_t len);
// The checksum of a sum, to be stored as it is. 0 over data that holds its own right checksum.
uint16_t net_sum_fold(uint64_t sum);
// Of a message with a pseudo-header in front, see net_tcp_checksum().
uint16_t net_l4_checksum(const struct rg_addr *src, const struct rg_addr *dst, uint8_t proto,
			 struct rg_slice msg);

// One frame on its way through the layers.
struct net_in {
	const struct net_cfg *cfg;
	uint8_t *frame;
	size_t cap;
	struct rg_slice l3; // in the frame, behind the Ethernet header
	bool is_to_us;      // by its MAC address; else to a group
	struct net_rx *out;
};

static inline enum net_verdict net_drop(struct net_in *in, enum rg_stat why) {
	in->out->event = why;
	return NET_DROP;
}

// Headers of anything but ARP. The Ethernet header is cfg->l2_len bytes long.
struct net_head {
	const uint8_t *dst_mac;
	const struct rg_addr *src, *dst;
	uint8_t proto, hop_limit;
	size_t l4_len;
};
// Returns the length of what it wrote.
size_t net_put_ip(uint8_t *frame, const struct net_cfg *cfg, const struct net_head *h);
void net_put_eth(uint8_t *frame, const struct net_cfg *cfg, const uint8_t dst_mac[6],
		 uint16_t type);

enum net_verdict net_ip4_input(struct net_in *in);
enum net_verdict net_ip6_input(struct net_in *in);
// in->out has src, dst and l4 of the message.
enum net_verdict net_icmp4_input(struct net_in *in);
enum net_verdict net_icmp6_input(struct net_in *in);
enum net_verdict net_tcp_input(struct net_in *in);

// Walks extension headers from *proto on. True: l4 and *proto are what follows. False: *why.
bool net_ip6_skip(struct rg_slice *l4, uint8_t *proto, enum rg_stat *why);
// The TCP segment that an ICMP error quotes: src is the sender's, that is ours. False when the
// quote is of something else or too short.
bool net_quote4(struct rg_slice quote, struct rg_addr *src, struct rg_addr *dst, uint32_t *seq);
bool net_quote6(struct rg_slice quote, struct rg_addr *src, struct rg_addr *dst, uint32_t *seq);
// Is it an ICMP error, and not an answer or a request?
bool net_is_error4(struct rg_slice icmp);
bool net_is_error6(struct rg_slice icmp);

// May this be the source of a packet to us?
bool net_ip4_is_source(const struct net_cfg *cfg, const uint8_t ip[4]);
bool net_ip6_is_ours(const struct net_cfg *cfg, const uint8_t ip[16]);
// ff02::1:ff00:0/104 and the last three bytes of ip (RFC 4291 2.7.1).
struct rg_addr net_solicited_node(const uint8_t ip[16]);

// Multicast listener report (RFC 9777) for our solicited-node groups. Its length.
size_t net_put_mld_report(uint8_t *frame, const struct net_cfg *cfg);
// Advertisement of ip, one of ours; solicited or not. Its length.
size_t net_put_advert(uint8_t *frame, const struct net_cfg *cfg, const uint8_t ip[16],
		      const uint8_t dst_mac[6], const struct rg_addr *dst, bool is_solicited);
