// SPDX-License-Identifier: BSD-3-Clause
// Ethernet, ARP (RFC 826), IPv4 (RFC 791) and ICMP echo (RFC 792), an engine without I/O: frames in,
// a verdict out. Fragments are dropped. Answers go to the MAC that asked; there is no neighbour
// table and no routing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/addr.h"
#include "regate/slice.h"
#include "regate/stats.h"

#define NET_ETH_LEN 14
#define NET_IP4_LEN 20
#define NET_MTU 1500

struct net_cfg {
	uint8_t mac[6]; // ours
	uint32_t ip_be; // ours
};

enum net_verdict {
	NET_DROP,  // *drop says why
	NET_REPLY, // the frame was rewritten in place into its answer: send reply_len bytes
	NET_TCP,   // one TCP segment for us: src, dst, mac, l4
};

struct net_rx {
	struct rg_addr src, dst; // port filled from the TCP header (0 when too short)
	uint8_t mac[6];          // who sent it
	struct rg_slice l4;      // TCP header and data, Ethernet padding cut off
	size_t reply_len;
	enum rg_stat event; // NET_DROP: the drop reason; NET_REPLY: arp_replies or icmp_echo
};

// frame is writable, len bytes. Verifies MAC, IP header and its checksum, not the TCP checksum.
enum net_verdict net_input(const struct net_cfg *cfg, uint8_t *frame, size_t len,
			   struct net_rx *out);

// TCP checksum (RFC 9293 3.1) of src, dst and the segment as it stands; 0 when the checksum in it is
// right. For a new segment: zero the field, store the result as is (already in network order).
uint16_t net_tcp_checksum(const struct rg_addr *src, const struct rg_addr *dst,
			  struct rg_slice seg);

// Writes the Ethernet and IPv4 headers (34 bytes; DF set, TTL 64, checksum filled) for a TCP
// segment of l4_len bytes.
void net_put_headers(uint8_t *frame, const struct net_cfg *cfg, const uint8_t dst_mac[6],
		     const struct rg_addr *dst, size_t l4_len);

// Keyed hash of a 4-tuple (SipHash-2-4, low 32 bits): which worker owns the flow.
uint32_t net_flow_hash(const uint8_t key[16], const struct rg_addr *src, const struct rg_addr *dst);
