// SPDX-License-Identifier: BSD-3-Clause
// SYN cookies. Pure functions, run in a worker.
//
// Bit 31 is free, 30 to 24 prove the 4-tuple, the minute and the low byte, 23 to 8 prove the peer's
// initial sequence number as well, 7 to 0 say SACK, window scale and MSS. The proof is in two parts
// because the third packet may be lost and a later one come first: its cookie is ours, but what it
// must follow is not known, so it can neither open the connection nor be answered with an RST.
// XXX one such later packet in 65536 passes for the third, and the stream lacks its beginning: TLS
// ends it. Of the segments that deserve an RST, one in 64 gets it only in another minute.
#include "tcp/tcp_cookie.h"

#include "regate/siphash.h"
#include "tcp/tcp_hdr.h"

#define LATER_MASK UINT32_C(0x7f000000)
#define GOOD_MASK UINT32_C(0x7fffff00)
#define NO_WSCALE 15

// What networks really have: below Ethernet's 1460, IPv6, tunnels, the IPv6 minimum, RFC 9293 3.7.1.
static const uint16_t mss_table[8] = {64, 536, 1220, 1300, 1360, 1400, 1440, 1460};

static uint8_t pack(const struct tcp_cookie_opts *o) {
	uint8_t mss = 7, wscale = o->wscale == TCP_WSCALE_NONE ? NO_WSCALE : o->wscale;

	while (mss > 0 && mss_table[mss] > o->mss)
		mss--;
	return (uint8_t)(o->has_sack << 7 | wscale << 3 | mss);
}

static void unpack(uint8_t b, struct tcp_cookie_opts *o) {
	uint8_t wscale = b >> 3 & 15;

	o->mss = mss_table[b & 7];
	o->wscale = wscale == NO_WSCALE ? TCP_WSCALE_NONE : wscale;
	o->has_sack = (b & 0x80) != 0;
}

static uint32_t proof(const uint8_t key[16], const struct tcp_in *in, uint32_t peer_isn,
		      uint64_t minute, bool has_ts, uint8_t said) {
	uint64_t m[3] = {rg_siphash_flow(key, &in->src, &in->dst), minute,
			 (uint64_t)has_ts << 8 | said};
	uint64_t h = rg_siphash(key, m, sizeof(m));

	m[0] = h;
	m[1] = peer_isn;
	return ((uint32_t)h & LATER_MASK) |
	       ((uint32_t)rg_siphash(key, m, 2 * sizeof(*m)) & ~(LATER_MASK | 0xff)) | said;
}

uint32_t tcp_cookie_make(const uint8_t key[16], const struct tcp_in *in, uint32_t peer_isn,
			 const struct tcp_cookie_opts *opts, uint64_t now_ns) {
	return proof(key, in, peer_isn, now_ns / TCP_COOKIE_MINUTE_NS, opts->has_ts, pack(opts));
}

enum tcp_cookie tcp_cookie_check(const uint8_t key[16], const struct tcp_in *in, uint32_t peer_isn,
				 uint32_t cookie, struct tcp_cookie_opts *opts, uint64_t now_ns) {
	uint64_t minute = now_ns / TCP_COOKIE_MINUTE_NS;
	enum tcp_cookie rc = TCP_COOKIE_BAD;

	// Whole words are compared: how long it takes does not tell how much of a guess was right.
	for (uint64_t age = 0; age <= 1 && age <= minute; age++) {
		uint32_t diff = cookie ^ proof(key, in, peer_isn, minute - age, opts->has_ts,
					       (uint8_t)cookie);

		if ((diff & GOOD_MASK) == 0)
			rc = TCP_COOKIE_GOOD;
		else if ((diff & LATER_MASK) == 0 && rc == TCP_COOKIE_BAD)
			rc = TCP_COOKIE_LATER;
	}
	if (rc == TCP_COOKIE_GOOD)
		unpack((uint8_t)cookie, opts);
	return rc;
}
