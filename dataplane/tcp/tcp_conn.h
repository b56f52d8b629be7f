// SPDX-License-Identifier: BSD-3-Clause
// Inside dataplane/tcp: the connection, the engine. Everything belongs to one worker.
#pragma once

#include "tcp/tcp.h"
#include "tcp/tcp_buf.h"
#include "tcp/tcp_hdr.h"
#include "tcp/tcp_table.h"
#include "tcp/tcp_wheel.h"

#define TCP_MSS_DEFAULT 536 // RFC 9293 3.7.1, when the peer names none
#define TCP_MSS_DEFAULT_V6 1220
#define TCP_MSS_DEFAULT_V6 1220
#define TCP_MSS_V6_LESS 20      // an IPv6 header is longer by that
#define TCP_MSS_LEAST 64        // whatever the peer says; as the cookies have it
#define TCP_MSS_NARROW 984      // RFC 4821 7.2 and 7.7: what every path is to take
#define TCP_SND_SCARCE 8192     // queued per connection while buffers are scarce
#define TCP_RTO_INIT_MS 1000    // RFC 6298 2.1
#define TCP_RTO_MIN_MS 200      // below RFC 6298 2.4 (1 s), as everywhere today
#define TCP_RTO_MAX_MS 60000    // RFC 6298 2.5
#define TCP_DRAIN_SEGS 64       // segments thrown away after tcp_close()
#define TCP_DELACK_MS 35        // plus a timer tick stays below 40
#define TCP_LINGER_MS 60000     // TIME-WAIT, and FIN-WAIT-2 without a FIN from the peer
#define TCP_CLOSING_MS 300000   // from tcp_close() until the peer has all of it
#define TCP_KEEP_MAX_S 604800   // times are compared over 24 days
#define TCP_KEEP_MS 10000       // between keep-alive probes
#define TCP_KEEP_PROBES 6       // unanswered
#define TCP_MAX_RETRIES 8       // of the same data
#define TCP_TS_STALE 31640      // of 65.536 s: 24 days, RFC 7323 5.5
#define TCP_CHALLENGES_PER_S 10 // per connection, RFC 5961 section 7
#define TCP_CWND_MAX 0xffffffu  // also the first ssthresh, RFC 5681 3.1: high
#define TCP_RTT_PER_MS 4u       // round-trip times count quarters of a millisecond

// XXX RFC 9293 3.4.1 has TIME-WAIT last four minutes, so a segment that was lost for more than one can
// meet a new connection with the same addresses; its number, cookie and timestamp then protect that.

enum tcp_state {
	TCP_CLOSED,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED, // after a simultaneous open only
	TCP_ESTABLISHED,
	TCP_CLOSE_WAIT,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSING,
	TCP_LAST_ACK,
};

enum tcp_timer {      // what the connection's main timer waits for
	TCP_T_NONE,   //
	TCP_T_RTO,    // something is in flight
	TCP_T_WINDOW, // nothing is in flight and the window holds back what is queued
	TCP_T_LINGER, // FIN-WAIT-2
	TCP_T_KEEP,   // nothing happens: is the peer still there?
};

enum {                              // flags of a connection
	TCP_F_UP = 1 << 0,          // opened() accepted it, ended() is still to come
	TCP_F_IN_OPENED = 1 << 1,   // opened() is running
	TCP_F_ABORT = 1 << 2,       // tcp_abort() was called inside opened()
	TCP_F_WSCALE = 1 << 3,      // both sides scale
	TCP_F_ACK_NOW = 1 << 4,     // an ACK must leave before this call returns
	TCP_F_DELACK = 1 << 5,      // one is due at delack_at
	TCP_F_TIMED = 1 << 6,       // rtt_seq is being timed
	TCP_F_RECOVERY = 1 << 7,    // RFC 6582 fast recovery
	TCP_F_PARTIAL = 1 << 8,     // its first partial ACK has come
	TCP_F_TS = 1 << 9,          // timestamps on every segment, RFC 7323 3.2
	TCP_F_FIN_QUEUED = 1 << 10, // tcp_close() was called
	TCP_F_FIN_ACKED = 1 << 11,  // and the peer has our FIN
	TCP_F_PEER_FIN = 1 << 12,   // fin_seq is known, data before it is missing
	TCP_F_SACK = 1 << 13,       // both sides know SACK, RFC 2018
	TCP_F_ACTIVE = 1 << 14,     // by tcp_connect()
};

// How often something was answered in the second that `at` names; see tcp_may_challenge().
struct tcp_ration {
	uint8_t at : 4, n : 4;
};

// Times are milliseconds or microseconds modulo 2^32; all of them lie within minutes of now. Shorter
// fields: delack_at in ms, sent_at in 256 ms, opened_at in 2.048 s, each modulo its width.
struct tcp_conn {
	// Look-up, receiving and sending in order.
	struct rg_addr peer;
	uint16_t local_port;
	uint8_t state : 4;
	uint8_t n_quick : 4; // data segments received, up to cfg.quick_acks; else it goes round
	uint8_t opened_at;
	uint16_t flags;
	uint32_t gen; // 0 only while the slot has never been used
	uint32_t rcv_nxt, snd_una, snd_nxt;
	uint32_t snd_max; // snd_nxt goes back to snd_una on a time-out, this never goes back
	uint16_t snd_wnd, max_wnd; // the peer's now, and the largest ever; as sent, not scaled
	uint32_t snd_wl1;          // RFC 9293 3.10.7.4: segment of the last window update
	union {
		struct { // without timestamps: one segment at a time is timed
			uint32_t rtt_seq, rtt_at_us;
		};
		struct { // what we echo, and what our clock is ahead of the engine's
			uint32_t ts_recent, ts_offset;
		};
	};
	uint32_t cwnd : 24;
	uint32_t snd_wscale : 4;
	uint32_t n_retries : 4; // sent again without any progress

	// Second line: the queue, timers, what loss needs.
	struct tcp_sndq q;
	uint16_t mss; // we send at most
	uint8_t mac[6];
	uint32_t timer_at_ms;
	struct tcp_wheel_link link;
	uint16_t delack_at, sent_at;
	uint16_t srtt, rttvar; // RFC 6298, in TCP_RTT_PER_MS; srtt 0: no sample yet
	uint32_t ssthresh : 24;
	uint32_t n_backoff : 5; // doublings of the RTO; or of the window timer
	uint32_t timer : 3;
	uint32_t recover;
	uint64_t board : 24; // chunk of the SACK scoreboard, TCP_NIL: empty
	uint64_t ooo : 24;   // reassembly: last chunk of a ring by rising seq, TCP_NIL: empty
	uint64_t n_ooo : 11; // its chunks; after tcp_close() segments thrown away
	uint64_t n_dupacks : 3;
	uint64_t n_unacked : 2; // data segments received since our last ACK
	union {
		uint32_t fin_seq;
		uint32_t closed_at_ms; // with TCP_F_FIN_QUEUED, then there is no fin_seq
		uint32_t free_next;    // free slot
	};
	struct tcp_ration challenges;
	uint8_t local;   // index into the engine's
	uint16_t ts_age; // when ts_recent was taken, in 65.536 s
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct tcp_conn) == 128, "a connection is two cache lines");
_Static_assert(offsetof(struct tcp_conn, q) == 64, "what every segment needs is in the first");
#define TCP_DUPACKS_MAX 7
#define TCP_OOO_MAX 2047

// What is left of one, see tcp_wait.c.
struct tcp_wait {
	struct rg_addr peer, local;
	uint32_t rcv_nxt, snd_max, ts_recent;
	uint32_t at_ms;      // since when it lingers
	uint32_t next, prev; // by at_ms; free: next
	struct tcp_ration challenges;
	bool has_ts : 1, has_wscale : 1;
	bool is_time_wait : 1; // else it was closed, but is too young to be forgotten
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct tcp_wait) == 64, "a record is one cache line");

struct tcp_waits {
	struct tcp_wait *recs;
	struct tcp_table table;
	uint32_t max, n;
	uint32_t n_used; // ever used; those above it have never been touched
	uint32_t free, head, tail;
};

struct tcp {
	struct tcp_cfg cfg;
	struct tcp_ops ops;
	struct rg_stats *stats;
	struct tcp_conn *conns;
	struct rg_addr locals[TCP_MAX_LOCALS];
	struct tcp_table table;
	struct tcp_pool pool;
	struct tcp_wheel wheel;
	uint64_t now_ns;        // of the call we are in
	struct tcp_range dsack; // data of the segment in hand that we had already; empty: none
	const struct tcp_conn *dsack_of;
	uint32_t ooo_stamp;
	uint8_t cookie_key[16], table_key[16], ts_key[16], iss_key[16];
	uint32_t n_conns;
	uint32_t n_used; // slots ever used; the rest has never been touched
	uint32_t free_head;
	struct tcp_waits waits;
	uint16_t max_ooo; // reassembly chunks per connection
	uint8_t rcv_wscale;
};

// The segment in the hands of tcp_input().
struct tcp_rx {
	const struct tcp_in *in;
	struct tcp_seg seg;
	uint64_t now_ns;
};
