// SPDX-License-Identifier: BSD-3-Clause
// Round-trip time, congestion control, the peer's window.
#include "tcp_rig.h"

static struct tcp_conn *conn(struct rig *r) {
	return &r->t->conns[r->idx];
}

static void expect_full(struct rig *r, unsigned first, unsigned n) {
	for (unsigned i = first; i < first + n; i++)
		rig_expect(r, F_A, 1 + i * 1460, 1, 1460);
	rig_none(r);
}

START_TEST(initial_window_and_slow_start) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 60000);
	expect_full(r, 0, 10);
	IN(r, F_A, 1, 1 + 1460);
	expect_full(r, 10, 2); // one acknowledged, one more for growth
	IN(r, F_A, 1, 1 + 3 * 1460);
	expect_full(r, 12, 3); // growth is at most one segment per ACK
	ck_assert_uint_eq(conn(r)->cwnd, 12 * 1460);
	ck_assert_uint_eq(r->n_sent, 2);
	rig_free(r);
}
END_TEST

START_TEST(congestion_avoidance) {
	struct rig *r = rig_new();

	rig_open(r);
	conn(r)->ssthresh = 14600;
	rig_send(r, 60000);
	expect_full(r, 0, 10);
	IN(r, F_A, 1, 1 + 1460);
	ck_assert_uint_eq(conn(r)->cwnd, 14600 + 146);
	expect_full(r, 10, 1);
	rig_free(r);
}
END_TEST

START_TEST(no_growth_when_not_limited) {
	struct rig *r = rig_new();

	rig_open(r);
	for (unsigned i = 0; i < 50; i++) {
		rig_send(r, 100);
		rig_expect(r, F_PA, 1 + i * 100, 1, 100);
		IN(r, F_A, 1, 1 + (i + 1) * 100);
	}
	ck_assert_uint_eq(conn(r)->cwnd, 14600);
	rig_free(r);
}
END_TEST

START_TEST(round_trip_time) {
	struct rig *r = rig_new();
	uint32_t seq = 1;

	rig_open(r);
	ck_assert_uint_eq(conn(r)->srtt, RIG_RTT(10)); // of the SYN-ACK
	ck_assert_uint_eq(conn(r)->rttvar, RIG_RTT(5));
	ck_assert_uint_eq(tcp_timer_base_ms(conn(r)), 200);
	for (unsigned i = 0; i < 40; i++, seq += 10) {
		rig_send(r, 10);
		rig_expect(r, F_PA, seq, 1, 10);
		r->now_ns += 300 * RG_NS_PER_MS - (i == 0 ? 150 * RG_NS_PER_MS : 0);
		tcp_tick(r->t, r->now_ns, 0); // no timer in between
		IN(r, F_A, 1, seq + 10);
	}
	ck_assert_uint_gt(conn(r)->srtt, RIG_RTT(290));
	ck_assert_uint_le(conn(r)->srtt, RIG_RTT(300));
	ck_assert_uint_gt(tcp_timer_base_ms(conn(r)), 300);
	rig_free(r);
}
END_TEST

START_TEST(karn) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 10);
	rig_expect(r, F_PA, 1, 1, 10);
	rig_wait_out(r);
	rig_expect(r, F_PA, 1, 1, 10);
	r->now_ns += RG_NS_PER_MS;
	IN(r, F_A, 1, 11); // of which of the two?
	ck_assert_uint_eq(conn(r)->srtt, RIG_RTT(10));
	ck_assert_uint_eq(tcp_timer_rto_ms(conn(r)), 400); // the back-off stays
	rig_send(r, 10);
	rig_expect(r, F_PA, 11, 1, 10);
	r->now_ns += 10 * RG_NS_PER_MS;
	IN(r, F_A, 1, 21);
	ck_assert_uint_eq(tcp_timer_rto_ms(conn(r)), 200);
	rig_free(r);
}
END_TEST

START_TEST(fast_retransmit_and_newreno) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 40000);
	expect_full(r, 0, 10); // 0 and 4 get lost
	IN(r, F_A, 1, 1);
	expect_full(r, 10, 1); // RFC 3042
	IN(r, F_A, 1, 1);
	expect_full(r, 11, 1);
	IN(r, F_A, 1, 1);
	rig_expect(r, F_A, 1, 1, 1460); // the third: again
	ck_assert_uint_eq(conn(r)->ssthresh, 7300);
	ck_assert_uint_eq(conn(r)->cwnd, 7300 + 3 * 1460);
	for (unsigned i = 0; i < 5; i++)
		IN(r, F_A, 1, 1);
	expect_full(r, 12, 1);       // inflated: 13 segments, 12 of them are out
	IN(r, F_A, 1, 1 + 4 * 1460); // partial: the next hole at once
	rig_expect(r, F_A, 1 + 4 * 1460, 1, 1460);
	expect_full(r, 13, 1);
	IN(r, F_A, 1, 1 + 12 * 1460); // all that was out at the time
	ck_assert_uint_eq(conn(r)->flags & TCP_F_RECOVERY, 0);
	ck_assert_uint_le(conn(r)->cwnd, 7300);
	r->n_read = r->n_out;
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_retransmits), 2);
	rig_free(r);
}
END_TEST

// What does not count as a duplicate ACK (RFC 5681 section 2).
START_TEST(not_duplicates) {
	struct rig *r = rig_new();

	rig_open(r);
	for (unsigned i = 0; i < 5; i++)
		IN(r, F_A, 1, 1); // nothing is out
	rig_send(r, 100);
	rig_expect(r, F_PA, 1, 1, 100);
	for (unsigned i = 0; i < 5; i++)
		IN(r, F_A, 1, 1, .wnd = 60000 + i); // window updates
	ck_assert_uint_eq(conn(r)->n_dupacks, 0);
	for (unsigned i = 0; i < 5; i++)
		IN(r, F_A, 1 + i, 1, .data = RG_LIT("x"), .wnd = 60004);
	ck_assert_uint_eq(conn(r)->n_dupacks, 0);
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_retransmits), 0);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

START_TEST(duplicates_after_timeout_are_ignored) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 14600);
	r->n_read = r->n_out;
	r->n_read = r->n_out = 0;
	rig_wait_out(r);
	rig_expect(r, F_A, 1, 1, 1460);
	ck_assert_uint_eq(conn(r)->cwnd, 1460);
	ck_assert_uint_eq(conn(r)->ssthresh, 7300);
	IN(r, F_A, 1, 1 + 1460);
	rig_expect(r, F_A, 1 + 1460, 1, 1460);
	rig_expect(r, F_A, 1 + 2920, 1, 1460);
	for (unsigned i = 0; i < 3; i++)
		IN(r, F_A, 1, 1 + 1460);
	ck_assert_uint_eq(conn(r)->flags & TCP_F_RECOVERY, 0); // RFC 6582 3.2 step 4
	r->n_read = r->n_out = 0;
	IN(r, F_A, 1, 1 + 14600); // it had all but the first
	ck_assert_uint_eq(conn(r)->q.len, 0);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	rig_free(r);
}
END_TEST

START_TEST(old_segment_does_not_set_window) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 1, 1, .data = RG_LIT("abc"), .wnd = 3000);
	IN(r, F_A, 4, 1, .wnd = 2000);
	ck_assert_uint_eq(conn(r)->snd_wnd, 2000);
	IN(r, F_A, 3, 1, .data = RG_LIT("cd"), .wnd = 1000); // seq after cutting: 4
	ck_assert_uint_eq(conn(r)->snd_wnd, 1000);
	IN(r, F_A, 10, 1, .data = RG_LIT("x"), .wnd = 500);
	IN(r, F_A, 5, 1, .wnd = 9000); // before the one that spoke last
	ck_assert_uint_eq(conn(r)->snd_wnd, 500);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

// A segment sent again is older by its number, newer by what it acknowledges.
START_TEST(newer_ack_sets_window) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 5000);
	r->n_read = r->n_out = 0;
	IN(r, F_A, 4, 1, .data = RG_LIT("d"));
	IN(r, F_A, 1, 2921, .data = RG_LIT("abc"), .wnd = 3000);
	ck_assert_uint_eq(conn(r)->snd_wnd, 3000);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

START_TEST(restart_after_idle) {
	struct rig *r = rig_new();

	rig_open(r);
	conn(r)->cwnd = 100000;
	rig_send(r, 10);
	rig_expect(r, F_PA, 1, 1, 10);
	IN(r, F_A, 1, 11);
	rig_wait(r, 5000);
	rig_send(r, 40000);
	ck_assert_uint_eq(r->n_out, 10); // RFC 5681 4.1
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(initial_window_and_slow_start),
		RIG_CASE(congestion_avoidance),
		RIG_CASE(no_growth_when_not_limited),
		RIG_CASE(round_trip_time),
		RIG_CASE(karn),
		RIG_CASE(fast_retransmit_and_newreno),
		RIG_CASE(not_duplicates),
		RIG_CASE(duplicates_after_timeout_are_ignored),
		RIG_CASE(old_segment_does_not_set_window),
		RIG_CASE(newer_ack_sets_window),
		RIG_CASE(restart_after_idle),
	};

	return rig_main("tcp_ack", cases, RIG_LEN(cases));
}
