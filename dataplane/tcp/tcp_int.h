// SPDX-License-Identifier: BSD-3-Clause
// Inside dataplane/tcp: the connection, the engine and what the files of the engine call of each
// other. Everything belongs to one worker. After any op was called the connection may be gone:
// compare its generation before touching it again.
#pragma once

#include "regate/siphash.h"
#include "tcp/tcp.h"
#include "tcp/tcp_buf.h"
#include "tcp/tcp_hdr.h"
#include "tcp/tcp_table.h"
#include "tcp/tcp_wheel.h"

#define TCP_MSS_DEFAULT 536                // RFC 9293 3.7.1, when the peer names none
#define TCP_RTO_INIT_MS 1000               // RFC 6298 2.1
#define TCP_RTO_MIN_MS 200                 // below RFC 6298 2.4 (1 s), as everywhere today
#define TCP_RTO_MAX_MS 60000               // RFC 6298 2.5
#define TCP_DRAIN_SEGS 64                  // segments thrown away after tcp_close()
#define TCP_DELACK_MS 35                   // plus a timer tick stays below 40
#define TCP_LINGER_MS 60000                // TIME-WAIT, and FIN-WAIT-2 without a FIN from the peer
#define TCP_MAX_RETRIES 8                  // of the same data
#define TCP_TS_STALE 31640                 // of 65.536 s: 24 days, RFC 7323 5.5
#define TCP_CHALLENGES_PER_S 10            // per connection, RFC 5961 section 7
#define TCP_SSTHRESH_INIT (UINT32_MAX / 2) // RFC 5681 3.1: arbitrarily high
#define TCP_CWND_MAX (1u << 30)

enum tcp_state {
	TCP_CLOSED,
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
	TCP_F_TS = 1 << 9,          // timestamps on every segment, RFC 7323 3.2
	TCP_F_FIN_QUEUED = 1 << 10, // tcp_close() was called
	TCP_F_FIN_ACKED = 1 << 11,  // and the peer has our FIN
	TCP_F_PEER_FIN = 1 << 12,   // fin_seq is known, data before it is missing
	TCP_F_SACK = 1 << 13,       // both sides know SACK, RFC 2018
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
	uint32_t snd_wl1;          // RFC 9293 3.10.7.4: segment of the last window update
	uint32_t cwnd, ssthresh, recover;
	uint32_t board; // chunk of the SACK scoreboard, TCP_NIL: empty
	struct tcp_sndq q;
	uint8_t snd_wscale;
	uint8_t n_dupacks;
	uint8_t n_retries; // sent again without any progress
	uint8_t n_backoff; // doublings of the RTO; or of the window timer

	// Timers.
	uint32_t timer_at_ms, delack_at_ms;
	struct tcp_wheel_link link;
	union {
		struct { // without timestamps: one segment at a time is timed
			uint32_t rtt_seq, rtt_at_us;
		};
		struct { // what we echo, and what our clock is ahead of the engine's
			uint32_t ts_recent, ts_offset;
		};
	};
	uint32_t srtt_us, rttvar_us; // RFC 6298; srtt_us 0: no sample yet
	uint32_t sent_at_ms;

	// Rare.
	uint16_t challenge_at;
	uint8_t n_challenges;
	uint8_t n_unacked : 4; // data segments received since our last ACK
	uint8_t n_quick : 4;   // data segments received, up to cfg.quick_acks
	uint16_t n_ooo;        // reassembly chunks; after tcp_close() segments thrown away
	uint16_t opened_at;    // in 256 ms
	uint16_t ts_age;       // when ts_recent was taken, in 65.536 s
	uint32_t fin_seq;
	union {
		struct { // reassembly, chunks by rising seq
			uint32_t ooo_head, ooo_tail;
		};
		uint32_t free_next; // free slot
	};
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct tcp_conn) == 192, "a connection is three cache lines");

// What is left of one, see tcp_wait.c.
struct tcp_wait {
	struct rg_addr peer, local;
	uint32_t rcv_nxt, snd_max, ts_recent;
	uint32_t at_ms;      // since when it lingers
	uint32_t next, prev; // by at_ms; free: next
	uint16_t challenge_at;
	uint8_t n_challenges;
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
	struct tcp_table table;
	struct tcp_pool pool;
	struct tcp_wheel wheel;
	uint64_t now_ns;        // of the call we are in
	struct tcp_range dsack; // data of the segment in hand that we had already; empty: none
	const struct tcp_conn *dsack_of;
	uint32_t ooo_stamp;
	uint8_t cookie_key[16], table_key[16], ts_key[16];
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

static inline bool tcp_seq_lt(uint32_t a, uint32_t b) {
	return (int32_t)(a - b) < 0;
}

static inline bool tcp_seq_leq(uint32_t a, uint32_t b) {
	return (int32_t)(a - b) <= 0;
}

static inline uint32_t tcp_min(uint32_t a, uint32_t b) {
	return a < b ? a : b;
}

static inline uint32_t tcp_max(uint32_t a, uint32_t b) {
	return a > b ? a : b;
}

static inline uint32_t tcp_ms(uint64_t now_ns) {
	return (uint32_t)(now_ns / RG_NS_PER_MS);
}

static inline uint32_t tcp_idx(const struct tcp *t, const struct tcp_conn *c) {
	return (uint32_t)(c - t->conns);
}

// May data or a FIN of ours be unsent or unacknowledged?
static inline bool tcp_is_sending(const struct tcp_conn *c) {
	return c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT ||
	       c->state == TCP_FIN_WAIT_1 || c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
}

// Receive window of this connection. All data is consumed at once, so it never shrinks.
static inline uint32_t tcp_rcv_wnd(const struct tcp *t, const struct tcp_conn *c) {
	if ((c->flags & TCP_F_WSCALE) != 0)
		return t->cfg.rcv_wnd >> t->rcv_wscale << t->rcv_wscale;
	return tcp_min(t->cfg.rcv_wnd, UINT16_MAX);
}

// For ages of hours: a clock of 256 ms.
static inline uint16_t tcp_coarse(uint64_t now_ns) {
	return (uint16_t)(tcp_ms(now_ns) >> 8);
}

// Our timestamp clock, in milliseconds.
static inline uint32_t tcp_ts_now(const struct tcp *t, uint32_t offset) {
	return tcp_ms(t->now_ns) + offset;
}

static inline uint32_t tcp_hash(const struct tcp *t, const struct rg_addr *peer,
				const struct rg_addr *local) {
	return (uint32_t)rg_siphash_flow(t->table_key, peer, local);
}

static inline bool tcp_is_between(const struct tcp_in *in, const struct rg_addr *peer,
				  const struct rg_addr *local) {
	return peer->port == in->src.port && local->port == in->dst.port &&
	       memcmp(peer->ip, in->src.ip, 16) == 0 && memcmp(local->ip, in->dst.ip, 16) == 0;
}

// tcp.c: slots.
struct tcp_conn *tcp_conn_new(struct tcp *t, const struct tcp_in *in); // NULL: table full
void tcp_conn_free(struct tcp *t, struct tcp_conn *c);
// Ends it without a word to the peer: ended() when it is due, then the slot is free.
void tcp_conn_end(struct tcp *t, struct tcp_conn *c, enum tcp_end why, uint64_t now_ns);
// RST to the peer, then tcp_conn_end().
void tcp_conn_reset(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
// Both FINs are through and ours went first: a TIME-WAIT record takes its place.
void tcp_conn_wait(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);

// tcp_in.c: a segment of a connection.
void tcp_conn_input(struct tcp *t, struct tcp_conn *c, struct tcp_rx *rx);
void tcp_conn_take_ts(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now_ns);

// What is added to our timestamp clock for these two addresses: nobody can tell from the clock he
// sees what others see, nor when we started (RFC 7323 section 7.1).
uint32_t tcp_listen_ts_offset(const struct tcp *t, const struct tcp_in *in);
// tcp_listen.c: from nothing to ESTABLISHED.
void tcp_listen_input(struct tcp *t, struct tcp_rx *rx);
// Answers a SYN. iss_min: our number comes after it; NULL: any.
void tcp_listen_syn(struct tcp *t, const struct tcp_rx *rx, const uint32_t *iss_min);
bool tcp_listen_has_cookie(const struct tcp *t, const struct tcp_rx *rx); // of a third packet

// tcp_wait.c
[[nodiscard]] int tcp_wait_init(struct tcp_waits *w, uint32_t max); // 0 or -ENOMEM; max > 0
void tcp_wait_fini(struct tcp_waits *w);
void tcp_wait_add(struct tcp *t, const struct tcp_conn *c, bool is_time_wait, uint64_t now_ns);
void tcp_wait_del(struct tcp *t, struct tcp_wait *r);
struct tcp_wait *tcp_wait_find(struct tcp *t, const struct tcp_in *in, uint32_t hash);
void tcp_wait_input(struct tcp *t, struct tcp_wait *r, struct tcp_rx *rx);
uint64_t tcp_wait_deadline(const struct tcp *t); // RG_NEVER: none
void tcp_wait_tick(struct tcp *t, uint64_t now_ns, unsigned budget);

// tcp_ack.c: RFC 5681, 6298, 6582.
void tcp_ack_rtt(struct tcp_conn *c, uint32_t rtt_us, uint32_t flight); // a measurement
uint32_t tcp_ack_initial_cwnd(const struct tcp_conn *c);
// Takes the acknowledgement and window of an acceptable segment. False: drop the segment.
// *acked: bytes of data that left the queue.
bool tcp_ack_input(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx, uint32_t *acked);

// tcp_out.c: everything that leaves.
void tcp_out_flush(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
void tcp_out_ack(struct tcp *t, struct tcp_conn *c);
// The segment in hand brought what we had: the next ACK of this call says so (RFC 2883).
void tcp_out_note_dup(struct tcp *t, struct tcp_conn *c, uint32_t seq, uint32_t len);
// RFC 5961 section 7: answers to what should not have come are rationed. True: one may go.
bool tcp_may_challenge(uint16_t *at, uint8_t *n, uint64_t now_ns);
void tcp_out_challenge(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
void tcp_out_syn_ack(struct tcp *t, const struct tcp_rx *rx, uint32_t iss); // to a SYN
void tcp_out_wait_ack(struct tcp *t, const struct tcp_wait *r, const struct tcp_rx *rx);
void tcp_out_rst(struct tcp *t, struct tcp_conn *c);
void tcp_out_rst_for(struct tcp *t, const struct tcp_rx *rx); // for a segment of no connection
// Sends at most len bytes from seq again. Returns the sequence numbers that took.
uint32_t tcp_out_resend(struct tcp *t, struct tcp_conn *c, uint32_t seq, uint32_t len,
			uint64_t now_ns);
void tcp_out_probe(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);

// tcp_reasm.c
// Stores data (seq > rcv_nxt, inside the window). False: no room for all of it.
bool tcp_reasm_add(struct tcp *t, struct tcp_conn *c, uint32_t seq, struct rg_slice d);
// Hands up what has become in order. False: the connection is gone.
bool tcp_reasm_deliver(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
// The up to `max` runs that changed last, the last one first (RFC 2018 section 4).
unsigned tcp_reasm_blocks(const struct tcp *t, const struct tcp_conn *c, struct tcp_range *out,
			  unsigned max);
void tcp_reasm_free(struct tcp *t, struct tcp_conn *c);

// tcp_sack.c: RFC 2018, RFC 6675.
// Takes the blocks of an acknowledgement. True: they told something new.
bool tcp_sack_take(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s);
void tcp_sack_trim(struct tcp *t, struct tcp_conn *c); // snd_una has moved, or recovery has ended
void tcp_sack_free(struct tcp *t, struct tcp_conn *c);
bool tcp_sack_is_lost(const struct tcp *t, const struct tcp_conn *c); // what snd_una names
// Recovery begins, and goes on to `end`. There is a scoreboard.
void tcp_sack_enter(struct tcp *t, struct tcp_conn *c);
void tcp_sack_resent(struct tcp *t, struct tcp_conn *c, uint32_t end);
uint32_t tcp_sack_pipe(const struct tcp *t, const struct tcp_conn *c);
// The next hole to fill in recovery, NextSeg() rule 1; is_any: rule 3. False: none.
bool tcp_sack_next(const struct tcp *t, const struct tcp_conn *c, bool is_any,
		   struct tcp_range *out);
bool tcp_sack_rescue(const struct tcp *t, const struct tcp_conn *c,
		     struct tcp_range *out); // rule 4
// What the peer lacks at or above seq: the first such range, up to snd_max.
struct tcp_range tcp_sack_gap(const struct tcp *t, const struct tcp_conn *c, uint32_t seq);

// tcp_timer.c
void tcp_timer_set(struct tcp *t, struct tcp_conn *c, enum tcp_timer what, uint32_t in_ms,
		   uint64_t now_ns);
static inline void tcp_timer_stop(struct tcp_conn *c) {
	c->timer = TCP_T_NONE; // the wheel finds out when it gets there
}
void tcp_timer_delack(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
// RFC 6298 2.1 to 2.4.
static inline uint32_t tcp_timer_rto_us(const struct tcp_conn *c) {
	uint32_t us = c->srtt_us + tcp_max(4 * c->rttvar_us, 1000);

	if (c->srtt_us == 0)
		return TCP_RTO_INIT_MS * 1000;
	return tcp_min(tcp_max(us, TCP_RTO_MIN_MS * 1000u), TCP_RTO_MAX_MS * 1000u);
}
// Time-out now, doublings included.
uint32_t tcp_timer_rto_ms(const struct tcp_conn *c);
