// SPDX-License-Identifier: BSD-3-Clause
// SYN cookies (RFC 4987 3.6): our initial sequence number, which carries what the peer's SYN said
// and a keyed proof that we chose it. Nothing is remembered between the SYN and its third packet.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp.h"

#define TCP_COOKIE_MINUTE_NS (60 * RG_NS_PER_S) // a cookie is good for one to two of them
// The one bit of a cookie that proves and says nothing: whoever sends it may choose it.
#define TCP_COOKIE_FREE_BIT (UINT32_C(1) << 31)

struct tcp_cookie_opts {
	uint16_t mss;   // ours to send at most; comes back rounded down
	uint8_t wscale; // TCP_WSCALE_NONE: the peer does not scale
	bool has_sack;
	bool has_ts; // not carried: the third packet shows it; but part of the proof
};

enum tcp_cookie {
	TCP_COOKIE_BAD,   // not ours, or too old
	TCP_COOKIE_LATER, // ours, but this is not the third packet: an earlier one is missing
	TCP_COOKIE_GOOD,
};

uint32_t tcp_cookie_make(const uint8_t key[16], const struct tcp_in *in, uint32_t peer_isn,
			 const struct tcp_cookie_opts *opts, uint64_t now_ns);
// opts->has_ts is read, the rest is written, when it is good.
enum tcp_cookie tcp_cookie_check(const uint8_t key[16], const struct tcp_in *in, uint32_t peer_isn,
				 uint32_t cookie, struct tcp_cookie_opts *opts, uint64_t now_ns);
