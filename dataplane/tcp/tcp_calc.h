// SPDX-License-Identifier: BSD-3-Clause
// Inside dataplane/tcp: sequence numbers, clocks, addresses, and what follows from the fields of a
// connection.
#pragma once

#include "regate/siphash.h"
#include "tcp/tcp_conn.h"

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

// Chunks that are kept for the first answer of each connection: who has one queued gets none of
// them, nor does what waits behind a hole. So an idle client is always answered.
static inline uint32_t tcp_reserve(const struct tcp *t) {
	return tcp_min(t->cfg.max_conns, t->pool.n / 2);
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

// Progress. Stored when it changes only: what shares its word is read next, and a narrow store in
// front of a wide load makes the load wait.
static inline void tcp_progress(struct tcp_conn *c) {
	if (c->n_retries != 0)
		c->n_retries = 0;
}

static inline void tcp_set_cwnd(struct tcp_conn *c, uint32_t cwnd) {
	if (cwnd != c->cwnd)
		c->cwnd = cwnd;
}

// For the age of a young connection: a clock of 2.048 s.
static inline uint8_t tcp_age_clock(uint64_t now_ns) {
	return (uint8_t)(tcp_ms(now_ns) >> 11);
}

// The peer's window as it stands.
static inline uint32_t tcp_snd_wnd(const struct tcp_conn *c) {
	return (uint32_t)c->snd_wnd << c->snd_wscale;
}

static inline bool tcp_is_served(const struct tcp *t, uint16_t port) {
	return port == t->cfg.listen_port && port != 0;
}

static inline struct rg_addr tcp_local(const struct tcp *t, const struct tcp_conn *c) {
	struct rg_addr a = t->locals[c->local];

	a.port = c->local_port;
	return a;
}

// Our timestamp clock, in milliseconds.
static inline uint32_t tcp_ts_now(const struct tcp *t, uint32_t offset) {
	return tcp_ms(t->now_ns) + offset;
}

// What a peer takes whose SYN said `named`.
static inline uint16_t tcp_mss_of(const struct rg_addr *peer, uint16_t named) {
	if (named != 0)
		return named;
	return rg_addr_is_v4(peer) ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT_V6;
}

static inline uint32_t tcp_hash(const struct tcp *t, const struct rg_addr *peer,
				const struct rg_addr *local) {
	return (uint32_t)rg_siphash_flow_fast(t->table_key, peer, local);
}

static inline bool tcp_is_between(const struct tcp_in *in, const struct rg_addr *peer,
				  const uint8_t local_ip[16], uint16_t local_port) {
	return peer->port == in->src.port && local_port == in->dst.port &&
	       memcmp(peer->ip, in->src.ip, 16) == 0 && memcmp(local_ip, in->dst.ip, 16) == 0;
}

// What we take and send at most: cfg.mss is for IPv4, whose header is 20 bytes shorter (RFC 6691).
static inline uint16_t tcp_our_mss(const struct tcp *t, const struct rg_addr *peer) {
	return (uint16_t)(t->cfg.mss - (rg_addr_is_v4(peer) ? 0 : 20));
}

// What is added to our timestamp clock for these two addresses: nobody can tell from the clock he
// sees what others see, nor when we started (RFC 7323 section 7.1).
static inline uint32_t tcp_ts_offset(const struct tcp *t, const struct tcp_in *in) {
	return (uint32_t)rg_siphash_flow(t->ts_key, &in->src, &in->dst);
}
