// SPDX-License-Identifier: BSD-3-Clause
// Inside dataplane/tcp: what the files of the engine call of each other. After any op was called the
// connection may be gone: compare its generation before touching it again.
#pragma once

#include "tcp/tcp_calc.h"
#include "tcp/tcp_conn.h"

// tcp.c: slots.
// NULL: table full. To one of our addresses.
struct tcp_conn *tcp_conn_new(struct tcp *t, const struct tcp_in *in);
struct tcp_conn *tcp_conn_find(struct tcp *t, const struct tcp_in *in, uint32_t hash); // NULL: none
uint32_t tcp_local_idx(const struct tcp *t, const struct rg_addr *a); // TCP_NIL: not ours
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

// Is the upper layer told of it, once it is established. False: it does not want it, it has gone.
bool tcp_conn_offer(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
// What both SYNs said, opts->mss before options.
struct tcp_cookie_opts;
void tcp_conn_agree(struct tcp *t, struct tcp_conn *c, const struct tcp_cookie_opts *opts);

// tcp_open.c: from tcp_connect() to ESTABLISHED.
void tcp_open_input(struct tcp *t, struct tcp_conn *c, struct tcp_rx *rx); // in SYN-SENT
// In SYN-RECEIVED: the peer's SYN-ACK becomes the ACK that it is; anything else stays.
void tcp_open_take_syn_ack(struct tcp_conn *c, struct tcp_rx *rx);
// In SYN-RECEIVED. True: it is established now, and takes this segment.
bool tcp_open_acked(struct tcp *t, struct tcp_conn *c, struct tcp_rx *rx);

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
// A measurement, in TCP_RTT_PER_MS.
void tcp_ack_rtt(struct tcp_conn *c, uint32_t rtt, uint32_t flight);
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
bool tcp_may_challenge(struct tcp_ration *r, uint64_t now_ns);
void tcp_out_challenge(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
void tcp_out_syn(struct tcp *t, struct tcp_conn *c);                        // ours; or its SYN-ACK
void tcp_out_syn_ack(struct tcp *t, const struct tcp_rx *rx, uint32_t iss); // to a SYN
void tcp_out_wait_ack(struct tcp *t, const struct tcp_wait *r, const struct tcp_rx *rx);
void tcp_out_rst(struct tcp *t, struct tcp_conn *c);
void tcp_out_rst_for(struct tcp *t, const struct tcp_rx *rx); // for a segment of no connection
// Sends at most len bytes from seq again. Returns the sequence numbers that took.
uint32_t tcp_out_resend(struct tcp *t, struct tcp_conn *c, uint32_t seq, uint32_t len,
			uint64_t now_ns);
void tcp_out_keepalive(struct tcp *t, struct tcp_conn *c);
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
// The main one.
void tcp_timer_stop(struct tcp *t, struct tcp_conn *c);
// Nothing is to be waited for: keep-alive, when it is wanted. For every sign of life.
void tcp_timer_idle(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
void tcp_timer_delack(struct tcp *t, struct tcp_conn *c, uint64_t now_ns);
// Time-out: RFC 6298 2.1 to 2.4; and with the doublings there are now.
uint32_t tcp_timer_base_ms(const struct tcp_conn *c);
uint32_t tcp_timer_rto_ms(const struct tcp_conn *c);
