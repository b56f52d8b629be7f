// SPDX-License-Identifier: BSD-3-Clause
// Timestamps (RFC 7323): negotiation, echo, round-trip times, old segments, TIME-WAIT (RFC 6191).
#include "tcp/tcp_cookie.h"
#include "tcp_rig.h"

static struct rig *rig_ts(uint32_t ts_val) {
	struct rig *r = rig_new();

	r->has_ts = true;
	r->ts_val = ts_val;
	rig_open(r);
	return r;
}

static struct tcp_conn *conn(struct rig *r) {
	return &r->t->conns[r->idx];
}

START_TEST(negotiated) {
	struct rig *r = rig_new();
	const struct rig_seg *q;
	uint32_t first;

	r->has_ts = true;
	r->ts_val = 7777;
	IN(r, F_S, 0, 0, .opts = RIG_MSS_1460);
	q = rig_expect(r, F_SA, 0, 1, 0);
	ck_assert(q->s.has_ts);
	ck_assert_uint_eq(q->s.ts_ecr, 7777);
	first = q->s.ts_val;
	r->now_ns += 25 * RG_NS_PER_MS;
	r->ts_val = 7800;
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert_uint_eq(conn(r)->srtt, RIG_RTT(25)); // of the SYN-ACK
	ck_assert_uint_eq(conn(r)->mss, 1448);
	rig_send(r, 3000);
	q = rig_expect(r, F_A, 1, 1, 1448);
	ck_assert_uint_eq(q->s.ts_val, first + 25); // one clock
	ck_assert_uint_eq(q->s.ts_ecr, 7800);
	rig_expect(r, F_A, 1449, 1, 1448);
	rig_expect(r, F_PA, 2897, 1, 104);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 3001, 1, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(not_offered) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 10);
	ck_assert(!rig_expect(r, F_PA, 1, 1, 10)->s.has_ts);
	r->has_ts = true; // now it is too late
	r->ts_val = 1;
	IN(r, F_A, 1, 11);
	r->ts_val = 0;
	IN(r, F_PA, 1, 11, .data = RG_LIT("abc"));
	ck_assert_uint_eq(r->n_got, 3);
	rig_free(r);
}
END_TEST

START_TEST(clock_differs_by_peer) {
	struct rig *r = rig_new();
	uint32_t ts[2];

	r->has_ts = true;
	for (unsigned i = 0; i < 2; i++, r->peer_port++) {
		IN(r, F_S, 0, 0);
		ts[i] = rig_expect(r, F_SA, 0, 1, 0)->s.ts_val;
	}
	ck_assert_uint_gt(ts[0] - ts[1], 1000000);
	ck_assert_uint_gt(ts[1] - ts[0], 1000000);
	rig_free_clean(r);
}
END_TEST

// The cookie is right, but the third packet says other than the SYN, or echoes what we never sent.
START_TEST(third_packet) {
	struct rig *r = rig_new();

	r->has_ts = _i != 1;
	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	r->has_ts = _i != 0;
	if (_i == 2)
		r->ts_ecr++; // of the future
	if (_i == 3)
		r->ts_ecr -= 2 * TCP_COOKIE_MINUTE_NS / RG_NS_PER_MS + 1;
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_cookie), 1);
	r->n_read = r->n_out;
	rig_free_clean(r);
}
END_TEST

// RFC 7323 4.3: the echo is of the first segment that the ACK answers.
START_TEST(echo) {
	struct rig *r = rig_ts(100);

	r->ts_val = 110;
	IN(r, F_PA, 1, 1, .data = RG_LIT("a"));
	rig_none(r);
	r->ts_val = 120;
	IN(r, F_PA, 2, 1, .data = RG_LIT("b"));
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 3, 0)->s.ts_ecr, 110);
	r->ts_val = 130; // a hole: its time does not count
	IN(r, F_PA, 4, 1, .data = RG_LIT("d"));
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 3, 0)->s.ts_ecr, 110);
	r->ts_val = 140;
	IN(r, F_PA, 3, 1, .data = RG_LIT("c"));
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 5, 0)->s.ts_ecr, 140);
	rig_free(r);
}
END_TEST

START_TEST(old_segments) {
	struct rig *r = rig_ts(UINT32_MAX - 2);

	r->ts_val += 5; // wraps
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	rig_wait(r, 40);
	rig_expect(r, F_A, 1, 4, 0);
	r->ts_val -= 3;
	IN(r, F_PA, 4, 1, .data = RG_LIT("old")); // in the window, but of an earlier time
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 4, 0)->s.ts_ecr, 2);
	ck_assert_uint_eq(r->n_got, 3);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_window), 1);
	r->has_ts = false;
	IN(r, F_PA, 4, 1, .data = RG_LIT("old")); // RFC 7323 3.2: not without one
	rig_none(r);
	ck_assert_uint_eq(r->n_got, 3);
	IN(r, F_R, 4, 0); // an RST counts without, and with an old one
	ck_assert_uint_eq(r->n_ended, 1);
	rig_free_clean(r);
}
END_TEST

// RFC 7323 5.5: after 24 days the peer's clock may have wrapped.
START_TEST(stale_after_24_days) {
	struct rig *r = rig_ts(1000);

	r->now_ns += (_i == 0 ? 23 : 25) * UINT64_C(86400) * RG_NS_PER_S;
	r->ts_val = 900;
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	ck_assert_uint_eq(r->n_got, _i == 0 ? 0 : 3);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

// An ACK of data that was sent again measures as well: the echo tells which of the two it answers.
START_TEST(round_trip_after_retransmission) {
	struct rig *r = rig_ts(1);

	rig_send(r, 10);
	rig_expect(r, F_PA, 1, 1, 10);
	rig_wait_out(r);
	rig_expect(r, F_PA, 1, 1, 10);
	r->now_ns += 34 * RG_NS_PER_MS;
	IN(r, F_A, 1, 11);
	ck_assert_uint_eq(conn(r)->srtt, RIG_RTT(13)); // 10 + (34 - 10) / 8
	ck_assert_uint_eq(tcp_timer_rto_ms(conn(r)), 200);
	rig_free(r);
}
END_TEST

// RFC 7323 appendix G: the many samples of one window weigh as one.
START_TEST(many_samples) {
	struct rig *r = rig_ts(1);

	rig_send(r, 14480);
	r->n_read = r->n_out = 0;
	r->now_ns += 50 * RG_NS_PER_MS;
	IN(r, F_A, 1, 1449);
	ck_assert_uint_eq(conn(r)->srtt, RIG_RTT(11)); // 10 + (50 - 10) / 8 / 5
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

static void to_time_wait(struct rig *r) {
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1, 1, 0);
	IN(r, F_FA, 1, 2);
	rig_expect(r, F_A, 2, 2, 0);
}

// RFC 6191 section 2: with a newer timestamp any sequence number will do.
START_TEST(time_wait) {
	static const struct {
		uint32_t ts, seq;
		bool has_ts, had_ts, is_taken;
	} cases[] = {
		{101, 0xff000000, true, true, true}, // older number, newer time
		{99, 1000, true, true, false},       // the other way round
		{100, 3, true, true, true},          // same time: the number decides
		{100, 2, true, true, false},         //
		{0, 3, false, true, true},           // no longer any
		{0, 2, false, true, false},          //
		{5, 1, true, false, true},           // none before
		{0, 1, false, false, false},         //
	};
	struct rig *r = rig_new();
	uint32_t old_iss;

	r->has_ts = cases[_i].had_ts;
	r->ts_val = 100;
	rig_open(r);
	to_time_wait(r);
	old_iss = r->iss;
	r->has_ts = cases[_i].has_ts;
	r->ts_val = cases[_i].ts;
	IN(r, F_S, cases[_i].seq, 0);
	if (!cases[_i].is_taken) {
		rig_expect(r, F_A, 2, 2, 0);
	} else {
		rig_expect(r, F_SA, 0, cases[_i].seq + 1, 0);
		ck_assert(tcp_seq_lt(old_iss + 2, r->iss));
		IN(r, F_A, cases[_i].seq + 1, 1);
		ck_assert_uint_eq(r->n_opened, 2);
		rig_none(r);
	}
	ck_assert_uint_eq(tcp_n_conns(r->t) + tcp_n_time_wait(r->t), 1);
	rig_free(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(negotiated),
		RIG_CASE(not_offered),
		RIG_CASE(clock_differs_by_peer),
		RIG_ROWS(third_packet, 4),
		RIG_CASE(echo),
		RIG_CASE(old_segments),
		RIG_ROWS(stale_after_24_days, 2),
		RIG_CASE(round_trip_after_retransmission),
		RIG_CASE(many_samples),
		RIG_ROWS(time_wait, 8),
	};

	return rig_main("tcp_ts", cases, RIG_LEN(cases));
}
