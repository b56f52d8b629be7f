// SPDX-License-Identifier: BSD-3-Clause
// Ethernet with one VLAN tag at most (IEEE 802.1Q), ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200),
// neighbour discovery (RFC 4861) and ICMP, an engine without I/O: frames in, a verdict out.
// Fragments are dropped. Answers go to the MAC that asked; there is no neighbour table and no
// routing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/addr.h"
#include "regate/slice.h"
#include "regate/stats.h"

#define NET_ETH_LEN 14
#define NET_TAG_LEN 4
#define NET_IP4_LEN 20
#define NET_IP6_LEN 40
#define NET_HEAD_MAX (NET_ETH_LEN + NET_TAG_LEN + NET_IP6_LEN)
#define NET_MTU 1500
#define NET_VLAN_MAX 4094

struct net_cfg { // made by net_cfg_init(), then constant
	uint8_t mac[6];
	uint16_t vlan;  // 0 = untagged
	uint8_t l2_len; // Ethernet header of what we send, tag included
	bool has_ip4, has_ip6;
	uint32_t ip_be;
	uint8_t ip6[16], link_local[16];
	uint64_t label_key; // of flow labels
};

// ip_be 0 and ip6 all zero: none. The link-local address is made from mac.
void net_cfg_init(struct net_cfg *cfg, const uint8_t mac[6], uint32_t ip_be, const uint8_t ip6[16],
		  uint16_t vlan, uint64_t label_key);

enum net_verdict {
	NET_DROP,  // event says why
	NET_REPLY, // the frame was rewritten in place into its answer: send reply_len bytes
	NET_TCP,   // one TCP segment for us: src, dst, mac, l4
	NET_ERROR, // an ICMP error about a segment of ours: src, dst, error
};

struct net_error {
	enum {
		NET_TOO_BIG, // path MTU
		NET_HARD,    // nobody there will ever answer: port, protocol, policy
		NET_SOFT,    // cannot be reached now
	} kind;
	uint32_t mtu; // NET_TOO_BIG: of the next hop, as the router said: 0 from old ones
	uint32_t seq; // of the segment
};

struct net_rx {
	struct rg_addr src, dst; // src is the peer; port filled from the TCP header (0: too short)
	uint8_t mac[6];          // who sent it
	struct rg_slice l4;      // TCP header and data, Ethernet padding cut off
	struct net_error error;
	size_t reply_len;
	enum rg_stat event; // NET_DROP: the drop reason; NET_REPLY: what was answered
};

// frame holds len bytes, cap may be written. Verifies MAC, tag, IP header and its checksum, not the
// TCP checksum. An answer may be longer than what asked; without room for it, it is dropped.
enum net_verdict net_input(const struct net_cfg *cfg, uint8_t *frame, size_t len, size_t cap,
			   struct net_rx *out);

// The i-th frame, from 0, that tells the link where we are and which groups we want: ARP
// announcement (RFC 5227 2.3), unsolicited neighbour advertisements, MLD report. Its length, 0
// after the last.
#define NET_ANNOUNCE_MAX 128
size_t net_announce(const struct net_cfg *cfg, unsigned i, uint8_t frame[NET_ANNOUNCE_MAX]);

// TCP checksum (RFC 9293 3.1) of src, dst and the segment as it stands; 0 when the checksum in it
// is right. For a new segment: zero the field, store the result as is (already in network order).
uint16_t net_tcp_checksum(const struct rg_addr *src, const struct rg_addr *dst,
			  struct rg_slice seg);

// The sum of its pseudo-header alone, not inverted: what a port wants in the field that fills it in.
uint16_t net_tcp_pseudo_sum(const struct rg_addr *src, const struct rg_addr *dst, size_t len);

// Bytes of Ethernet and IP header in front of a segment to dst.
static inline size_t net_head_len(const struct net_cfg *cfg, const struct rg_addr *dst) {
	return cfg->l2_len + (size_t)(rg_addr_is_v4(dst) ? NET_IP4_LEN : NET_IP6_LEN);
}
// Writes them for a TCP segment of l4_len bytes. IPv4: DF set, checksum filled.
void net_put_headers(uint8_t *frame, const struct net_cfg *cfg, const uint8_t dst_mac[6],
		     const struct rg_addr *src, const struct rg_addr *dst, size_t l4_len);

// The connection a frame is about, as net_input() would name it: of a TCP segment, or of the one
// that an ICMP error quotes. False when it is about none. Reads no more than it must: net_input()
// checks.
bool net_flow(const uint8_t *frame, size_t len, struct rg_addr *src, struct rg_addr *dst);

// Which worker owns a flow: the hash that network adapters use, so that one can be programmed to
// the same. Linear in its input: whoever learnt 32 bits of it could steer flows, so it spreads work
// and orders no table.
#define NET_TOEPLITZ_KEY_LEN 40
struct net_toeplitz {
	uint32_t nibble[72][16]; // [place][value]: their part of the hash
};
void net_toeplitz_init(struct net_toeplitz *t, const uint8_t key[NET_TOEPLITZ_KEY_LEN]);
uint32_t net_toeplitz_hash(const struct net_toeplitz *t, const struct rg_addr *src,
			   const struct rg_addr *dst);
