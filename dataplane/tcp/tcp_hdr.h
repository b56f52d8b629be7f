// SPDX-License-Identifier: BSD-3-Clause
// TCP header and options (RFC 9293 3.1, 3.2; RFC 7323, RFC 2018), read and written.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/slice.h"
#include "tcp/tcp.h"

#define TCP_HDR_LEN 20

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

#define TCP_WSCALE_NONE 0xff
#define TCP_WSCALE_MAX 14 // RFC 7323 2.3
#define TCP_TS_LEN 12     // of the timestamps option with its padding

#define TCP_SACK_MAX 4 // blocks: what the 40 bytes of options hold

struct tcp_range { // of sequence numbers, end excluded
	uint32_t seq, end;
};

struct tcp_seg {
	uint32_t seq, ack;
	uint16_t wnd; // as sent, not scaled
	uint8_t flags;
	uint8_t wscale;   // SYN: TCP_WSCALE_NONE when absent
	uint16_t mss;     // SYN: 0 when absent
	bool has_sack_ok; // SYN: SACK-permitted
	bool has_ts;
	uint8_t n_sack;
	uint32_t ts_val, ts_ecr;
	struct tcp_range sack[TCP_SACK_MAX];
	struct rg_slice data;
};

// RG_OK or RG_E_PROTO.
[[nodiscard]] int tcp_hdr_parse(struct rg_slice in, struct tcp_seg *out);

// Sequence numbers it takes.
static inline uint32_t tcp_seg_len(const struct tcp_seg *s) {
	return (uint32_t)s->data.len + ((s->flags & TCP_SYN) != 0) + ((s->flags & TCP_FIN) != 0);
}

// Writes o->header from o's ports and these fields; MSS, SACK-permitted and window scale with SYN only.
void tcp_hdr_put(struct tcp_out *o, const struct tcp_seg *s);
