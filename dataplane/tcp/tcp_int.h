// SPDX-License-Identifier: BSD-3-Clause
// Inside dataplane/tcp: the engine and what the files of the engine call of each
// other. Everything belongs to one worker. After any op was called the connection may be gone:
// compare its generation before touching it again.
#pragma once

#include "tcp/tcp.h"
#include "tcp/tcp_buf.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_hdr.h"
#include "tcp/tcp_table.h"

#define TCP_MSS_DEFAULT 536                // RFC 9293 3.7.1, when the peer names none
#define TCP_MSS_MIN 64                     // less than this would be a packet amplifier
#define TCP_MSS_NARROW 984                 // RFC 4821 7.2 and 7.7: what every path is to take
#define TCP_RTO_INIT_MS 1000               // RFC 6298 2.1
#define TCP_RTO_INIT_LOST_MS 3000          // RFC 6298 5.7, after a lost SYN-ACK
#define TCP_RTO_MIN_MS 200                 // below RFC 6298 2.4 (1 s), as everywhere today
#define TCP_RTO_MAX_MS 60000               // RFC 6298 2.5
#define TCP_DRAIN_SEGS 64                  // segments thrown away after tcp_close()
#define TCP_DELACK_MS 35                   // plus a timer tick stays below 40
#define TCP_LINGER_MS 60000                // TIME-WAIT, and FIN-WAIT-2 without a FIN from the peer
#define TCP_MAX_RETRIES 8                  // of the same data
#define TCP_MAX_SYN_RETRIES 4              // of a SYN-ACK: 31 s
#define TCP_CHALLENGES_PER_S 10            // per connection, RFC 5961 section 7
#define TCP_SSTHRESH_INIT (UINT32_MAX / 2) // RFC 5681 3.1: arbitrarily high
#define TCP_SND_SCARCE 8192                // queued per connection while buffers are scarce
#define TCP_CWND_MAX (1u << 30)

struct tcp_list { // of slots, oldest first
	uint32_t head, tail;
};

struct tcp {
	struct tcp_cfg cfg;
	struct tcp_ops ops;
	struct rg_stats *stats;
	struct tcp_conn *conns;
	struct tcp_table table;
	struct tcp_pool pool;
	struct tcp_wheel wheel;
	uint8_t isn_key[16], table_key[16];
	uint32_t n_conns, n_half, max_half;
	uint32_t n_used; // slots ever used; the rest has never been touched
	uint32_t free_head;
	struct tcp_list wait, half; // TIME-WAIT and half-open slots
	uint16_t max_ooo;           // reassembly chunks per connection
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

// tcp.c: slots.
struct tcp_conn *tcp_conn_new(struct tcp *t, const struct tcp_in *in); // NULL: table full
void tcp_conn_free(struct tcp *t, struct tcp_conn *c);
// Ends it without a word to the peer: ended() when it is due, then the slot is free.
void tcp_conn_end(struct tcp *t, struct tcp_conn *c, enum tcp_end why, uint64_t now_ns);
// RST to the peer, then tcp_conn_end().
void tcp_conn_reset(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
// Both FINs are through and ours went first: ended(), then the slot lingers.
void tcp_conn_wait(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);

// Into SYN-RECEIVED, and out of it.
void tcp_half_add(struct tcp *t, struct tcp_conn *c);
void tcp_half_del(struct tcp *t, struct tcp_conn *c);

// tcp_in.c: a segment of a connection.
void tcp_conn_input(struct tcp *t, struct tcp_conn *c, struct tcp_rx *rx);

// tcp_listen.c: from nothing to ESTABLISHED.
void tcp_listen_input(struct tcp *t, const struct tcp_rx *rx);
// A SYN for TIME-WAIT connection c, RFC 9293 3.10.7.4: it makes way when the SYN is certainly new.
// False: it is not.
bool tcp_listen_reuse(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx);
// The ACK of our SYN-ACK. False: the segment is done with (and the connection maybe gone).
bool tcp_listen_establish(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx);

// tcp_ack.c: RFC 5681, 6298, 6582.
void tcp_ack_rtt(struct tcp_conn *c, uint64_t now_ns);
uint32_t tcp_ack_initial_cwnd(const struct tcp_conn *c);
// Takes the acknowledgement and window of an acceptable segment. False: drop the segment.
// *acked: bytes of data that left the queue.
bool tcp_ack_input(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx, uint32_t *acked);

// tcp_out.c: everything that leaves.
void tcp_out_flush(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
void tcp_out_ack(struct tcp *t, struct tcp_conn *c);
// RFC 5961 section 7: answers to what should not have come are rationed. True: one may go.
bool tcp_out_may_challenge(struct tcp_conn *c, uint64_t now_ns);
void tcp_out_challenge(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
void tcp_out_syn_ack(struct tcp *t, struct tcp_conn *c);
void tcp_out_rst(struct tcp *t, struct tcp_conn *c);
void tcp_out_rst_for(struct tcp *t, const struct tcp_rx *rx); // for a segment of no connection
void tcp_out_resend(struct tcp *t, struct tcp_conn *c, uint64_t now_ns); // from snd_una
void tcp_out_probe(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);

// tcp_reasm.c
// Stores data (seq > rcv_nxt, inside the window). False: no room for all of it.
bool tcp_reasm_add(struct tcp *t, struct tcp_conn *c, uint32_t seq, struct rg_slice d);
// Hands up what has become in order. False: the connection is gone.
bool tcp_reasm_deliver(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
void tcp_reasm_free(struct tcp *t, struct tcp_conn *c);

// tcp_timer.c
void tcp_timer_set(struct tcp *t, struct tcp_conn *c, enum tcp_timer what, uint32_t in_ms,
		   uint64_t now_ns);
static inline void tcp_timer_stop(struct tcp_conn *c) {
	c->timer = TCP_T_NONE; // the wheel finds out when it gets there
}
void tcp_timer_delack(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
// Time-out now, doublings included.
uint32_t tcp_timer_rto_ms(const struct tcp_conn *c);
