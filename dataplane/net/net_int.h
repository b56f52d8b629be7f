// SPDX-License-Identifier: BSD-3-Clause
// Inside dataplane/net: header offsets, and the one's complement sum (RFC 1071).
#pragma once

#include <arpa/inet.h>

#include "net/net.h"

#define NET_ETHERTYPE_IP4 0x0800
#define NET_ETHERTYPE_ARP 0x0806
#define NET_PROTO_ICMP 1
#define NET_PROTO_TCP 6

static inline uint16_t net_load16(const uint8_t *p) {
	return (uint16_t)(p[0] << 8 | p[1]);
}

// Sum of the bytes as 16-bit words in memory order, not folded. Add several up, then fold.
uint64_t net_sum(const uint8_t *p, size_t len);
// The checksum of a sum, to be stored as it is. 0 over data that holds its own right checksum.
uint16_t net_sum_fold(uint64_t sum);

// Writes the Ethernet and IPv4 headers. The Ethernet addresses and proto are the caller's choice.
struct net_head {
	const uint8_t *dst_mac, *src_mac;
	uint32_t src_be, dst_be;
	uint8_t proto;
	size_t l4_len;
};
void net_head_put(uint8_t *frame, const struct net_head *h);
