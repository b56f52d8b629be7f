// SPDX-License-Identifier: BSD-3-Clause
// A connection of the TCP engine: its states, timers and flags, three cache lines by how often they
// are touched. Belongs to one worker.
#pragma once

#include "regate/addr.h"
#include "tcp/tcp_buf.h"
#include "tcp/tcp_wheel.h"

enum tcp_state {
	TCP_CLOSED,
	TCP_SYN_RCVD,
	TCP_ESTABLISHED,
	TCP_CLOSE_WAIT,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
};

enum tcp_timer {      // what the connection's main timer waits for
	TCP_T_NONE,   //
	TCP_T_RTO,    // something is in flight
	TCP_T_WINDOW, // nothing is in flight and the window holds back what is queued
	TCP_T_LINGER, // TIME-WAIT, FIN-WAIT-2
};

enum {                              // flags of a connection
	TCP_F_UP = 1 << 0,          // opened() accepted it, ended() is still to come
	TCP_F_IN_OPENED = 1 << 1,   // opened() is running
	TCP_F_ABORT = 1 << 2,       // tcp_abort() was called inside opened()
	TCP_F_WSCALE = 1 << 3,      // both sides scale
	TCP_F_ACK_NOW = 1 << 4,     // an ACK must leave before this call returns
	TCP_F_DELACK = 1 << 5,      // one is due at delack_at_ms
	TCP_F_TIMED = 1 << 6,       // rtt_seq is being timed
	TCP_F_RECOVERY = 1 << 7,    // RFC 6582 fast recovery
	TCP_F_PARTIAL = 1 << 8,     // its first partial ACK has come
	TCP_F_SYN_LOST = 1 << 9,    // the SYN-ACK was sent again
	TCP_F_FIN_QUEUED = 1 << 10, // tcp_close() was called
	TCP_F_FIN_ACKED = 1 << 11,  // and the peer has our FIN
	TCP_F_PEER_FIN = 1 << 12,   // fin_seq is known, data before it is missing
};

// Times are milliseconds or microseconds modulo 2^32; all of them lie within minutes of now.
struct tcp_conn {
	// Look-up and receiving.
	struct rg_addr peer, local;
	uint8_t mac[6];
	uint16_t mss; // we send at most
	uint16_t flags;
	uint8_t state;
	uint8_t timer;
	uint32_t gen; // 0 only while the slot has never been used
	uint32_t rcv_nxt, snd_una, snd_nxt;

	// Sending. snd_nxt goes back to snd_una on a time-out, snd_max never goes back.
	uint32_t snd_max;
	uint32_t snd_wnd, max_wnd; // the peer's window now, and the largest ever
	uint32_t snd_wl1, snd_wl2; // RFC 9293 3.10.7.4: segment of the last window update
	uint32_t cwnd, ssthresh, recover;
	struct tcp_sndq q;
	uint8_t snd_wscale;
	uint8_t n_dupacks;
	uint8_t n_retries; // sent again without any progress
	uint8_t n_backoff; // doublings of rto_us; or of the window timer

	// Timers.
	uint32_t timer_at_ms, delack_at_ms;
	struct tcp_wheel_link link;
	uint32_t rtt_seq, rtt_at_us;
	uint32_t srtt_us, rttvar_us, rto_us; // RFC 6298; srtt_us 0: no sample yet
	uint32_t sent_at_ms;

	// Rare.
	uint32_t challenge_at_ms;
	uint8_t n_challenges;
	uint8_t n_unacked : 4; // data segments received since our last ACK
	uint8_t n_quick : 4;   // data segments received, up to cfg.quick_acks
	uint16_t n_ooo;        // reassembly chunks; after tcp_close() segments thrown away
	uint32_t fin_seq;
	union {
		struct { // reassembly, chunks by rising seq
			uint32_t ooo_head, ooo_tail;
		};
		struct { // free slot, TIME-WAIT, half-open: the list it is in
			uint32_t list_prev, list_next;
		};
	};
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct tcp_conn) == 192, "a connection is three cache lines");
