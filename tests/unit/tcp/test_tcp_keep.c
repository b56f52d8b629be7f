// SPDX-License-Identifier: BSD-3-Clause
// Keep-alive, RFC 9293 3.8.4.
#include "tcp_rig.h"

#define IDLE_S 7200

static struct rig *rig_keep(void) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.keepalive_s = IDLE_S;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	return r;
}

START_TEST(peer_is_gone) {
	struct rig *r = rig_keep();

	ck_assert_uint_eq(rig_wait_out(r), IDLE_S * 1000 + 1);
	rig_expect(r, F_A, 0, 1, 0);
	for (unsigned i = 1; i < TCP_KEEP_PROBES; i++) {
		ck_assert_uint_eq(rig_wait_out(r), TCP_KEEP_MS + 1);
		rig_expect(r, F_A, 0, 1, 0);
	}
	ck_assert_uint_eq(r->n_ended, 0);
	rig_wait(r, TCP_KEEP_MS + 1);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_TIMEOUT);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_timeout), 1);
	rig_free_clean(r);
}
END_TEST

// Each sign of life begins the silence anew, an answer to a probe as well.
START_TEST(peer_lives) {
	struct rig *r = rig_keep();

	rig_wait(r, IDLE_S * 1000 - 5000);
	if (_i == 0) {
		IN(r, F_PA, 1, 1, .data = RG_LIT("x"));
		rig_wait(r, 100);
		rig_expect(r, F_A, 1, 2, 0);
	} else {
		rig_send(r, 3);
		rig_expect(r, F_PA, 1, 1, 3);
		IN(r, F_A, 1, 4);
	}
	rig_wait(r, IDLE_S * 1000 - 200);
	rig_none(r);
	for (unsigned i = 0; i < TCP_KEEP_PROBES; i++) { // each time two
		ck_assert_uint_le(rig_wait_out(r), IDLE_S * 1000 + 1);
		rig_expect(r, F_A, _i == 0 ? 0 : 3, _i == 0 ? 2 : 1, 0);
		rig_wait_out(r); // the second one is heard
		rig_expect(r, F_A, _i == 0 ? 0 : 3, _i == 0 ? 2 : 1, 0);
		IN(r, F_A, _i == 0 ? 2 : 1, _i == 0 ? 1 : 4);
		rig_wait(r, IDLE_S * 1000);
		rig_none(r);
	}
	tcp_abort(r->t, r->idx, r->now_ns);
	r->n_read = r->n_out = 0;
	rig_free_clean(r);
}
END_TEST

// Unanswered probes are not counted against the data that follows them.
START_TEST(data_after_probes) {
	struct rig *r = rig_keep();
	unsigned n = 0;

	for (unsigned i = 0; i < TCP_KEEP_PROBES; i++)
		rig_wait_out(r);
	r->n_read = r->n_out = 0;
	rig_send(r, 3);
	rig_expect(r, F_PA, 1, 1, 3);
	while (r->n_ended == 0 && rig_wait_out(r) != UINT32_MAX) {
		rig_expect(r, F_PA, 1, 1, 3);
		n++;
	}
	ck_assert_uint_eq(n, TCP_MAX_RETRIES);
	ck_assert_int_eq(r->why, TCP_END_TIMEOUT);
	rig_free_clean(r);
}
END_TEST

START_TEST(after_half_close) {
	struct rig *r = rig_keep();

	IN(r, F_FA, 1, 1);
	rig_expect(r, F_A, 1, 2, 0);
	ck_assert_uint_eq(rig_state(r), TCP_CLOSE_WAIT);
	ck_assert_uint_eq(rig_wait_out(r), IDLE_S * 1000 + 1);
	rig_expect(r, F_A, 0, 2, 0);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1, 2, 0);
	ck_assert_uint_le(rig_wait_out(r), 1001);
	rig_expect(r, F_FA, 1, 2, 0);
	IN(r, F_A, 2, 2);
	ck_assert_uint_eq(r->n_ended, 1);
	rig_free_clean(r);
}
END_TEST

// The window timer ends without anything to send.
START_TEST(after_a_closed_window) {
	struct rig *r = rig_keep();

	IN(r, F_A, 1, 1, .wnd_zero = true);
	rig_send(r, 1);
	rig_wait_out(r);
	rig_expect(r, F_PA, 1, 1, 1);
	IN(r, F_A, 1, 2, .wnd_zero = true);
	ck_assert_uint_ge(rig_wait_out(r), IDLE_S * 1000);
	rig_expect(r, F_A, 1, 1, 0);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 2, 1, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(called_peer) {
	struct tcp_cfg cfg = rig_cfg;
	struct rg_addr local, peer;
	struct rig *r;

	cfg.keepalive_s = 1;
	r = rig_new_cfg(&cfg);
	local = r->local;
	peer = r->peer;
	local.port = r->our_port = 50000;
	peer.port = r->peer_port;
	ck_assert_int_eq(tcp_connect(r->t, &local, &peer, (const uint8_t[6]){1}, r->now_ns,
				     &r->idx),
			 0);
	rig_expect(r, F_S, 0, 0, 0);
	r->now_ns += 900 * RG_NS_PER_MS;
	IN(r, F_SA, 0, 1);
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(rig_wait_out(r), 1001);
	rig_expect(r, F_A, 0, 1, 0);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1, 1, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(off) {
	struct rig *r = rig_new();

	rig_open(r);
	ck_assert(tcp_next_deadline(r->t) == RG_NEVER);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1, 1, 0);
	rig_free_clean(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(peer_is_gone),
		RIG_ROWS(peer_lives, 2),
		RIG_CASE(data_after_probes),
		RIG_CASE(after_half_close),
		RIG_CASE(after_a_closed_window),
		RIG_CASE(called_peer),
		RIG_CASE(off),
	};

	return rig_main("tcp_keep", cases, RIG_LEN(cases));
}
