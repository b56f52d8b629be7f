// SPDX-License-Identifier: BSD-3-Clause
// The engine of a test: what it sends is caught in a queue, its ops are logged and can be told what to
// do. tcp_rig.h types in what the peer says.
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"
#include "tcp/tcp_int.h"

#define RIG_OUT 1024
#define RIG_MSS_1460 RG_LIT("\x02\x04\x05\xb4")
#define RIG_RTT(ms) ((ms)*TCP_RTT_PER_MS) // as a connection keeps it
#define F_S TCP_SYN
#define F_A TCP_ACK
#define F_SA (TCP_SYN | TCP_ACK)
#define F_PA (TCP_PSH | TCP_ACK)
#define F_FA (TCP_FIN | TCP_ACK)
#define F_FPA (TCP_FIN | TCP_PSH | TCP_ACK)
#define F_R TCP_RST
#define F_RA (TCP_RST | TCP_ACK)

struct rig_seg {
	struct tcp_seg s;
	struct rg_addr src, dst;
	uint8_t mac0;
	uint8_t data[1500];
};

enum rig_do { DO_NOTHING, DO_CLOSE, DO_ABORT, DO_SEND, DO_REFUSE, DO_ABORT_REFUSE };

struct rig {
	struct tcp *t;
	struct tcp_cfg cfg;
	struct rg_stats stats;
	uint64_t now_ns;
	uint32_t peer_isn, iss;     // base of the peer's and of our sequence numbers
	struct rg_addr peer, local; // ports apart
	uint16_t peer_port, our_port;
	bool has_ts; // the peer sends timestamps: ts_val, and what it last saw
	uint32_t ts_val, ts_ecr;
	struct rig_seg out[RIG_OUT];
	unsigned n_out, n_read;
	uint32_t idx; // of the last op
	unsigned n_opened, n_sent, n_peer_closed, n_ended;
	unsigned n_failed; // of n_ended, before they were opened: a test says so
	enum tcp_end why;
	uint8_t got[1 << 17];
	size_t n_got;
	enum rig_do on_opened, on_data, on_sent, on_peer_closed, on_ended;
};

static void rig_act(struct rig *r, enum rig_do what) {
	if (what == DO_CLOSE)
		tcp_close(r->t, r->idx, r->now_ns);
	else if (what == DO_ABORT || what == DO_ABORT_REFUSE)
		tcp_abort(r->t, r->idx, r->now_ns);
	else if (what == DO_SEND)
		(void)!tcp_send(r->t, r->idx, RG_LIT("reply"), r->now_ns);
}

static void rig_output(void *ctx, const struct tcp_out *o) {
	struct rig *r = ctx;
	struct rig_seg *q = &r->out[r->n_out];
	uint8_t b[2000];
	size_t n = o->header_len;

	ck_assert_uint_lt(r->n_out++, RIG_OUT);
	memcpy(b, o->header, n);
	for (unsigned i = 0; i < o->n_data; i++) {
		ck_assert_uint_le(n + o->data[i].len, sizeof(b));
		memcpy(b + n, o->data[i].p, o->data[i].len);
		n += o->data[i].len;
	}
	ck_assert_uint_eq(n - o->header_len, o->data_len);
	ck_assert_int_eq(tcp_hdr_parse(rg_slice(b, n), &q->s), RG_OK);
	ck_assert_uint_le(q->s.data.len, sizeof(q->data));
	memcpy(q->data, q->s.data.p, q->s.data.len);
	q->s.data.p = q->data;
	q->src = o->src;
	q->dst = o->dst;
	q->mac0 = o->mac[0];
	if (q->s.has_ts)
		r->ts_ecr = q->s.ts_val;
	if ((q->s.flags & F_S) != 0)
		r->iss = q->s.seq;
}

static int rig_opened(void *ctx, uint32_t idx, uint64_t) {
	struct rig *r = ctx;

	r->n_opened++;
	r->idx = idx;
	rig_act(r, r->on_opened);
	return r->on_opened == DO_REFUSE || r->on_opened == DO_ABORT_REFUSE ? -1 : 0;
}

static void rig_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t) {
	struct rig *r = ctx;

	r->idx = idx;
	ck_assert_uint_le(r->n_got + d.len, sizeof(r->got));
	memcpy(r->got + r->n_got, d.p, d.len);
	r->n_got += d.len;
	rig_act(r, r->on_data);
}

static void rig_sent(void *ctx, uint32_t idx, uint64_t) {
	struct rig *r = ctx;

	r->n_sent++;
	r->idx = idx;
	rig_act(r, r->on_sent);
}

static void rig_peer_closed(void *ctx, uint32_t idx, uint64_t) {
	struct rig *r = ctx;

	r->n_peer_closed++;
	r->idx = idx;
	rig_act(r, r->on_peer_closed);
}

static void rig_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t) {
	struct rig *r = ctx;

	r->n_ended++;
	r->idx = idx;
	r->why = why;
	rig_act(r, r->on_ended);
}

static const struct rg_addr rig_locals[2] = {{.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2}},
					     {.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 2}}};
static const struct tcp_cfg rig_cfg = {.max_conns = 8,
				       .n_buffers = 64,
				       .locals = rig_locals,
				       .n_locals = 2,
				       .listen_port = 443,
				       .mss = 1460,
				       .rcv_wnd = 65535,
				       .snd_max = 65536,
				       .secret = "0123456789abcdef0123456789abcde"};

static inline struct rig *rig_new_cfg(const struct tcp_cfg *cfg) {
	struct rig *r = calloc(1, sizeof(*r));
	struct tcp_ops ops = {r,        rig_output,      rig_opened, rig_data,
			      rig_sent, rig_peer_closed, rig_ended};

	ck_assert_ptr_nonnull(r);
	r->cfg = *cfg;
	r->now_ns = 1000 * RG_NS_PER_S;
	r->peer_isn = 1000000;
	r->peer = rg_addr_v4(htonl(0x0a000001), 0);
	r->local = cfg->locals[0];
	r->peer_port = 40000;
	r->our_port = cfg->listen_port;
	r->t = tcp_new(cfg, &ops, &r->stats);
	ck_assert_ptr_nonnull(r->t);
	return r;
}

// Both ends speak IPv6 from here on.
static inline void rig_go_v6(struct rig *r) {
	r->local = rig_locals[1];
	r->peer = rig_locals[1];
	r->peer.ip[15] = 1;
}

static inline struct rig *rig_new(void) {
	return rig_new_cfg(&rig_cfg);
}

// Ends a test: no caught segment was overlooked, ended() came as often as opened() was accepted.
static inline void rig_free(struct rig *r) {
	ck_assert_uint_eq(r->n_read, r->n_out);
	ck_assert_uint_eq(rg_stat_get(&r->stats, RG_STAT_tcp_closed) + r->n_failed, r->n_ended);
	tcp_free(r->t);
	free(r);
}
