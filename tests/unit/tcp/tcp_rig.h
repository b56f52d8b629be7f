// SPDX-License-Identifier: BSD-3-Clause
// Bench for one engine: the peer's segments are typed in with sequence numbers relative to each side's
// first, what was caught is compared, and time passes.
#pragma once

#include "tcp_rig_engine.h"

// Any bytes as a segment; the buffer is exact, so that ASan sees reading past it.
static inline void rig_raw(struct rig *r, const uint8_t *seg, size_t len) {
	uint8_t *b = malloc(len == 0 ? 1 : len);
	struct tcp_in in = {.src = r->peer,
			    .dst = r->local,
			    .mac = {0x52},
			    .seg = rg_slice(b, len)};

	memcpy(b, seg, len);
	in.src.port = r->peer_port;
	if (len >= 4)
		in.dst.port = (uint16_t)(seg[2] << 8 | seg[3]);
	tcp_input(r->t, &in, r->now_ns);
	free(b);
}

struct rig_in {
	uint8_t flags;
	uint32_t seq, ack; // relative
	uint32_t wnd;      // 0: 65535; use wnd_zero for 0
	bool wnd_zero;
	struct rg_slice data;
	struct rg_slice opts;
};

static inline void rig_in(struct rig *r, struct rig_in i) {
	uint8_t b[70000];
	struct rg_wr w = rg_wr(b, sizeof(b));
	uint32_t wnd = i.wnd_zero ? 0 : i.wnd == 0 ? 65535 : i.wnd;

	rg_put_be(&w, r->peer_port, 2);
	rg_put_be(&w, r->our_port, 2);
	rg_put_be(&w, r->peer_isn + i.seq, 4);
	rg_put_be(&w, (i.flags & F_A) != 0 ? r->iss + i.ack : 0, 4);
	rg_put_be(&w, (20 + i.opts.len + (r->has_ts ? 12 : 0)) / 4 << 4, 1);
	rg_put_be(&w, i.flags, 1);
	rg_put_be(&w, wnd, 2);
	rg_put_be(&w, 0, 4);
	if (r->has_ts) {
		rg_put_be(&w, 0x0101080a, 4);
		rg_put_be(&w, r->ts_val, 4);
		rg_put_be(&w, (i.flags & F_A) != 0 ? r->ts_ecr : 0, 4);
	}
	rg_put(&w, i.opts);
	rg_put(&w, i.data);
	ck_assert(!w.overflow);
	rig_raw(r, b, w.len);
}

// The usual segment of the peer.
#define IN(r, f, s, a, ...) \
	rig_in(r, (struct rig_in){.flags = (f), .seq = (s), .ack = (a), ##__VA_ARGS__})

static inline const struct rig_seg *rig_expect(struct rig *r, uint8_t flags, uint32_t seq,
					       uint32_t ack, size_t len) {
	const struct rig_seg *q = &r->out[r->n_read];

	ck_assert_msg(r->n_read < r->n_out, "nothing was sent");
	ck_assert_msg(q->s.flags == flags && q->s.seq - r->iss == seq &&
			      ((flags & F_A) == 0 || q->s.ack - r->peer_isn == ack) &&
			      q->s.data.len == len,
		      "sent flags %02x seq %u ack %u len %zu, expected %02x %u %u %zu", q->s.flags,
		      q->s.seq - r->iss, q->s.ack - r->peer_isn, q->s.data.len, flags, seq, ack,
		      len);
	if (++r->n_read == r->n_out)
		r->n_read = r->n_out = 0;
	return q;
}

static inline void rig_none(struct rig *r) {
	if (r->n_read < r->n_out) {
		const struct rig_seg *q = &r->out[r->n_read];

		ck_abort_msg("sent flags %02x seq %u ack %u len %zu, expected nothing", q->s.flags,
			     q->s.seq - r->iss, q->s.ack - r->peer_isn, q->s.data.len);
	}
}

// Lets time pass, timers firing on the way.
static inline void rig_wait(struct rig *r, uint32_t ms) {
	uint64_t end_ns = r->now_ns + ms * RG_NS_PER_MS;

	while (tcp_next_deadline(r->t) <= end_ns) {
		uint64_t at = tcp_next_deadline(r->t);

		r->now_ns = at > r->now_ns ? at : r->now_ns;
		tcp_tick(r->t, r->now_ns, 16);
	}
	r->now_ns = end_ns;
}

// The whole pool is back, no slot is left, and after a minute no record.
static inline void rig_free_clean(struct rig *r) {
	ck_assert_uint_eq(tcp_n_conns(r->t), 0);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	ck_assert_uint_eq(r->t->wheel.n, 0);
	rig_wait(r, TCP_LINGER_MS);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 0);
	ck_assert(tcp_next_deadline(r->t) == RG_NEVER);
	rig_free(r);
}

// Lets time pass until something is sent; returns the milliseconds it took, UINT32_MAX if never.
static inline uint32_t rig_wait_out(struct rig *r) {
	uint64_t start_ns = r->now_ns;

	while (r->n_read == r->n_out) {
		uint64_t at = tcp_next_deadline(r->t);

		if (at == RG_NEVER)
			return UINT32_MAX;
		r->now_ns = at > r->now_ns ? at : r->now_ns;
		tcp_tick(r->t, r->now_ns, 16);
	}
	return (uint32_t)((r->now_ns - start_ns) / RG_NS_PER_MS);
}

// Handshake. Then the peer's next byte is 1 and ours is 1, and a round trip took 10 ms.
static inline void rig_open_opts(struct rig *r, struct rg_slice opts) {
	IN(r, F_S, 0, 0, .opts = opts);
	rig_expect(r, F_SA, 0, 1, 0);
	r->now_ns += 10 * RG_NS_PER_MS;
	IN(r, F_A, 1, 1);
	if (r->n_opened > 0 && tcp_is_open(r->t, r->idx)) {
		r->t->conns[r->idx].srtt = RIG_RTT(10);
		r->t->conns[r->idx].rttvar = RIG_RTT(5);
	}
}

static inline void rig_open(struct rig *r) {
	rig_open_opts(r, RIG_MSS_1460);
	ck_assert_uint_eq(r->n_opened, 1);
	rig_none(r);
}

// Queues n bytes of a pattern.
static inline void rig_send(struct rig *r, size_t n) {
	static uint8_t b[1 << 17];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(i * 7 + i / 251);
	ck_assert_int_eq(tcp_send(r->t, r->idx, rg_slice(b, n), r->now_ns), 0);
}

static inline uint8_t rig_state(const struct rig *r) {
	return r->t->conns[r->idx].state;
}

static inline uint64_t rig_stat(const struct rig *r, enum rg_stat s) {
	return rg_stat_get(&r->stats, s);
}

// main() of a test program is one table of cases.
struct rig_case {
	const char *name;
	const TTest *test;
	int n; // rows of a loop test
};

#define RIG_CASE(test) \
	{ #test, test, 1 }
#define RIG_ROWS(test, rows) \
	{ #test, test, rows }
#define RIG_LEN(a) (sizeof(a) / sizeof(*(a)))

static inline int rig_main(const char *name, const struct rig_case *cases, size_t n) {
	Suite *s = suite_create(name);
	SRunner *sr;
	int failed;

	for (size_t i = 0; i < n; i++) {
		TCase *tc = tcase_create(cases[i].name);

		tcase_add_loop_test(tc, cases[i].test, 0, cases[i].n);
		suite_add_tcase(s, tc);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
