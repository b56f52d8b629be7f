// SPDX-License-Identifier: BSD-3-Clause
// Time-outs: retransmission and its back-off, giving up, window probes, the tick's budget.
#include "tcp_rig.h"

START_TEST(backoff_and_giving_up) {
	struct rig *r = rig_new();
	uint32_t want_ms = 200;

	rig_open(r);
	rig_send(r, 100);
	rig_expect(r, F_PA, 1, 1, 100);
	for (unsigned i = 0; i < TCP_MAX_RETRIES; i++, want_ms *= 2) {
		uint32_t ms = rig_wait_out(r);

		ck_assert_msg(ms >= want_ms && ms <= want_ms + 2, "%u: %u ms", i, ms);
		rig_expect(r, F_PA, 1, 1, 100);
	}
	ck_assert_uint_eq(r->n_ended, 0);
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_TIMEOUT);
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_retransmits), TCP_MAX_RETRIES);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_timeout), 1);
	rig_free_clean(r);
}
END_TEST

// RFC 4821 7.7: the second time that a full segment is lost it is sent in smaller ones from then on.
START_TEST(narrow_path) {
	struct rig *r = rig_new();

	rig_open_opts(r, RIG_MSS_1460);
	rig_send(r, 3000);
	rig_expect(r, F_A, 1, 1, 1460);
	r->n_read = r->n_out;
	rig_wait_out(r);
	rig_expect(r, F_A, 1, 1, 1460);
	rig_wait_out(r);
	rig_expect(r, F_A, 1, 1, TCP_MSS_NARROW);
	IN(r, F_A, 1, 1 + TCP_MSS_NARROW);
	rig_expect(r, F_A, 1 + TCP_MSS_NARROW, 1, TCP_MSS_NARROW);
	rig_expect(r, F_A, 1 + 2 * TCP_MSS_NARROW, 1, TCP_MSS_NARROW);
	IN(r, F_A, 1, 1 + 3 * TCP_MSS_NARROW);
	rig_expect(r, F_PA, 1 + 3 * TCP_MSS_NARROW, 1, 3000 - 3 * TCP_MSS_NARROW);
	IN(r, F_A, 1, 3001);
	rig_free(r);
}
END_TEST

// What was small already stays as it is.
START_TEST(small_segment_lost_twice) {
	struct rig *r = rig_new();

	rig_open_opts(r, RIG_MSS_1460);
	rig_send(r, 1200);
	rig_expect(r, F_PA, 1, 1, 1200);
	for (unsigned i = 0; i < 3; i++) {
		rig_wait_out(r);
		rig_expect(r, F_PA, 1, 1, 1200);
	}
	rig_free(r);
}
END_TEST

START_TEST(progress_resets_the_count) {
	struct rig *r = rig_new();

	rig_open_opts(r, RG_LIT("")); // segments of 536
	rig_send(r, 5360);
	r->n_read = r->n_out = 0;
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned k = 0; k < 3; k++) {
			rig_wait_out(r);
			ck_assert_uint_eq(r->out[0].s.seq - r->iss, 1 + i * 536);
			r->n_read = r->n_out = 0;
		}
		IN(r, F_A, 1, 1 + (i + 1) * 536);
		r->n_read = r->n_out = 0;
	}
	ck_assert_uint_eq(r->n_ended, 0);
	ck_assert_uint_eq(r->t->conns[r->idx].q.len, 0);
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	rig_free(r);
}
END_TEST

START_TEST(rto_is_at_most_a_minute) {
	struct rig *r = rig_new();
	struct tcp_conn *c;

	rig_open(r);
	c = &r->t->conns[r->idx];
	c->n_backoff = 31;
	ck_assert_uint_eq(tcp_timer_rto_ms(c), 60000);
	rig_free(r);
}
END_TEST

START_TEST(lost_fin) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 100);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_PA, 1, 1, 100);
	rig_expect(r, F_FA, 101, 1, 0);
	IN(r, F_A, 1, 101);
	ck_assert_uint_le(rig_wait_out(r), 202);
	rig_expect(r, F_FA, 101, 1, 0);
	rig_wait_out(r);
	rig_expect(r, F_FA, 101, 1, 0);
	for (unsigned i = 2; i < TCP_MAX_RETRIES; i++) {
		rig_wait_out(r);
		rig_expect(r, F_FA, 101, 1, 0);
	}
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	ck_assert_int_eq(r->why, TCP_END_TIMEOUT);
	rig_free_clean(r);
}
END_TEST

START_TEST(fin_rides_on_resent_data) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 100);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_PA, 1, 1, 100);
	rig_expect(r, F_FA, 101, 1, 0);
	rig_wait_out(r);
	rig_expect(r, F_FPA, 1, 1, 100);
	IN(r, F_A, 1, 102);
	ck_assert_uint_eq(rig_state(r), TCP_FIN_WAIT_2);
	rig_free(r);
}
END_TEST

START_TEST(zero_window_and_probes) {
	struct rig *r = rig_new();
	uint32_t last = 0;

	rig_open(r);
	IN(r, F_A, 1, 1, .wnd_zero = true);
	rig_send(r, 3000);
	rig_none(r);
	for (unsigned i = 0; i < 20; i++) { // for ever, as long as it answers
		uint32_t ms = rig_wait_out(r);

		ck_assert_uint_le(ms, 60001);
		ck_assert_uint_ge(ms, last);
		last = ms;
		rig_expect(r, F_PA, 1, 1, 1);
		IN(r, F_A, 1, 1, .wnd_zero = true);
		rig_none(r);
	}
	ck_assert_uint_eq(last, 60001);
	IN(r, F_A, 1, 2, .wnd_zero = true); // takes the probe's byte
	ck_assert_uint_eq(r->t->conns[r->idx].q.len, 2999);
	rig_wait_out(r);
	rig_expect(r, F_PA, 2, 1, 1);
	IN(r, F_A, 1, 2, .wnd = 10000);
	rig_expect(r, F_A, 2, 1, 1460);
	rig_expect(r, F_A, 1462, 1, 1460);
	rig_expect(r, F_PA, 2922, 1, 79);
	rig_free(r);
}
END_TEST

START_TEST(zero_window_unanswered) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 1, 1, .wnd_zero = true);
	rig_send(r, 10);
	for (unsigned i = 0; i < TCP_MAX_RETRIES; i++) {
		rig_wait_out(r);
		rig_expect(r, F_PA, 1, 1, 1);
	}
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_TIMEOUT);
	rig_free_clean(r);
}
END_TEST

// Once we have closed, a peer that keeps its window shut is not waited for for ever.
START_TEST(zero_window_after_close) {
	struct rig *r = rig_new();
	unsigned n = 0;

	rig_open(r);
	IN(r, F_A, 1, 1, .wnd_zero = true);
	tcp_close(r->t, r->idx, r->now_ns);
	while (rig_wait_out(r) != UINT32_MAX) {
		rig_expect(r, F_FA, 1, 1, 0); // the FIN is what the probe carries
		IN(r, F_A, 1, 1, .wnd_zero = true);
		n++;
	}
	ck_assert_uint_eq(n, TCP_MAX_RETRIES + 1);
	ck_assert_int_eq(r->why, TCP_END_TIMEOUT);
	rig_free_clean(r);
}
END_TEST

START_TEST(window_closes_on_data_in_flight) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 3000);
	r->n_read = r->n_out = 0;
	IN(r, F_A, 1, 1461, .wnd_zero = true);
	for (unsigned i = 0; i < 20; i++) { // never gives up: it answers
		rig_wait_out(r);
		rig_expect(r, F_PA, 1461, 1, 1);
		IN(r, F_A, 1, 1461, .wnd_zero = true);
	}
	IN(r, F_A, 1, 1461, .wnd = 5000);
	rig_expect(r, F_A, 1461, 1, 1460);
	rig_expect(r, F_PA, 2921, 1, 80);
	IN(r, F_A, 1, 3001);
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	rig_free(r);
}
END_TEST

START_TEST(silly_window) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 1, 1, .wnd = 100);
	rig_send(r, 3000);
	rig_none(r); // 100 of 3000 would be silly
	ck_assert_uint_le(rig_wait_out(r), 202);
	rig_expect(r, F_A, 1, 1, 100); // but not for ever
	IN(r, F_A, 1, 101, .wnd = 3000);
	rig_expect(r, F_A, 101, 1, 1460);
	rig_expect(r, F_PA, 1561, 1, 1440);
	rig_free(r);
}
END_TEST

START_TEST(budget) {
	struct rig *r = rig_new();

	for (unsigned i = 0; i < 8; i++, r->peer_port++) {
		rig_open_opts(r, RIG_MSS_1460);
		rig_send(r, 10);
		r->n_read = r->n_out = 0;
	}
	r->now_ns += 1100 * RG_NS_PER_MS;
	for (unsigned i = 0; i < 100 && tcp_next_deadline(r->t) <= r->now_ns; i++) {
		unsigned before = r->n_out;

		tcp_tick(r->t, r->now_ns, 3);
		ck_assert_uint_le(r->n_out - before, 3);
	}
	ck_assert_uint_eq(r->n_out, 8);
	ck_assert_uint_gt(tcp_next_deadline(r->t), r->now_ns);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

START_TEST(nothing_to_do) {
	struct rig *r = rig_new();

	ck_assert(tcp_next_deadline(r->t) == RG_NEVER);
	tcp_tick(r->t, r->now_ns, 10);
	rig_free_clean(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(backoff_and_giving_up),
		RIG_CASE(narrow_path),
		RIG_CASE(small_segment_lost_twice),
		RIG_CASE(progress_resets_the_count),
		RIG_CASE(rto_is_at_most_a_minute),
		RIG_CASE(lost_fin),
		RIG_CASE(fin_rides_on_resent_data),
		RIG_CASE(zero_window_and_probes),
		RIG_CASE(zero_window_unanswered),
		RIG_CASE(zero_window_after_close),
		RIG_CASE(window_closes_on_data_in_flight),
		RIG_CASE(silly_window),
		RIG_CASE(budget),
		RIG_CASE(nothing_to_do),
	};

	return rig_main("tcp_timer", cases, RIG_LEN(cases));
}
