// SPDX-License-Identifier: BSD-3-Clause
// Segments of a known connection: order, windows, RST and SYN attacks, closing in every order.
#include "tcp_rig.h"

START_TEST(in_order_and_delayed_ack) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	rig_none(r);
	ck_assert_uint_le(rig_wait_out(r), 40);
	rig_expect(r, F_A, 1, 4, 0);
	IN(r, F_A, 4, 1, .data = RG_LIT("de"));
	rig_none(r);
	IN(r, F_PA, 6, 1, .data = RG_LIT("f")); // every second one at once
	rig_expect(r, F_A, 1, 7, 0);
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	ck_assert_uint_eq(r->n_got, 6);
	ck_assert_mem_eq(r->got, "abcdef", 6);
	r->on_data = DO_SEND;
	IN(r, F_PA, 7, 1, .data = RG_LIT("g")); // the ACK rides on data
	rig_expect(r, F_PA, 1, 8, 5);
	IN(r, F_A, 8, 6);
	rig_none(r);
	ck_assert_uint_eq(r->n_sent, 1);
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	rig_free(r);
}
END_TEST

// The first segments are acknowledged at once, then the delay begins.
START_TEST(quick_acks) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.quick_acks = 2;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	IN(r, F_PA, 1, 1, .data = RG_LIT("a"));
	rig_expect(r, F_A, 1, 2, 0);
	IN(r, F_PA, 2, 1, .data = RG_LIT("b"));
	rig_expect(r, F_A, 1, 3, 0);
	IN(r, F_PA, 3, 1, .data = RG_LIT("c"));
	rig_none(r);
	ck_assert_uint_le(rig_wait_out(r), 40);
	rig_expect(r, F_A, 1, 4, 0);
	rig_free(r);
}
END_TEST

// More often than the counter of the first ones goes.
START_TEST(quick_acks_always) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.quick_acks = TCP_QUICK_ALWAYS;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	for (uint32_t seq = 1; seq <= 40; seq++) {
		IN(r, F_PA, seq, 1, .data = RG_LIT("a"));
		rig_expect(r, F_A, 1, seq + 1, 0);
	}
	rig_free(r);
}
END_TEST

START_TEST(out_of_order) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 4, 1, .data = RG_LIT("def"));
	rig_expect(r, F_A, 1, 1, 0); // duplicate ACK at once
	IN(r, F_A, 10, 1, .data = RG_LIT("jkl"));
	rig_expect(r, F_A, 1, 1, 0);
	IN(r, F_A, 5, 1, .data = RG_LIT("efgh")); // overlaps
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(r->n_got, 0);
	IN(r, F_A, 1, 1, .data = RG_LIT("abcde")); // overlaps too
	rig_expect(r, F_A, 1, 9, 0);
	IN(r, F_A, 7, 1, .data = RG_LIT("ghijk")); // partly old
	rig_expect(r, F_A, 1, 13, 0);
	ck_assert_uint_eq(r->n_got, 12);
	ck_assert_mem_eq(r->got, "abcdefghijkl", 12);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	rig_free(r);
}
END_TEST

START_TEST(wrap_around) {
	struct rig *r = rig_new();

	r->peer_isn = UINT32_MAX - 4;
	rig_open(r);
	IN(r, F_A, 7, 1, .data = RG_LIT("ghij")); // behind the wrap
	rig_expect(r, F_A, 1, 1, 0);
	IN(r, F_A, 1, 1, .data = RG_LIT("abcdef"));
	rig_expect(r, F_A, 1, 11, 0);
	ck_assert_mem_eq(r->got, "abcdefghij", 10);
	rig_free(r);
}
END_TEST

START_TEST(old_duplicate_and_beyond_window) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 1, 1, .data = RG_LIT("abc"));
	IN(r, F_A, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_A, 1, 4, 0);
	IN(r, F_A, 2, 1, .data = RG_LIT("bcd")); // half of it is new
	ck_assert_uint_eq(r->n_got, 4);
	IN(r, F_A, 5 + 65535, 1, .data = RG_LIT("x"));
	rig_expect(r, F_A, 1, 5, 0);
	IN(r, F_A, 5 + 65534, 1, .data = RG_LIT("xyz")); // cut to one byte
	rig_expect(r, F_A, 1, 5, 0);
	ck_assert_uint_eq(r->t->pool.chunks[r->t->conns[r->idx].ooo].len, 1);
	IN(r, F_A, 4, 1); // keep-alive
	rig_expect(r, F_A, 1, 5, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_window), 3);
	rig_free(r);
}
END_TEST

START_TEST(fin_beyond_window_is_cut) {
	struct rig *r = rig_new();
	static const uint8_t big[65536];

	rig_open(r);
	IN(r, F_FA, 1, 1, .data = rg_slice(big, 65535));
	ck_assert_uint_eq(r->n_got, 65535);
	ck_assert_uint_eq(r->n_peer_closed, 0);
	rig_wait(r, 40);
	rig_expect(r, F_A, 1, 65536, 0);
	rig_free(r);
}
END_TEST

START_TEST(rst_in_and_out_of_window) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_RA, 0, 1); // old
	rig_none(r);
	IN(r, F_RA, 1 + 65535, 1); // beyond
	rig_none(r);
	IN(r, F_RA, 2, 1); // inside, not exact: challenge ACK
	rig_expect(r, F_A, 1, 1, 0);
	IN(r, F_R, 65535, 0);
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(r->n_ended, 0);
	IN(r, F_R, 1, 0);
	rig_none(r);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_RESET);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_reset), 1);
	ck_assert_int_eq(tcp_send(r->t, r->idx, RG_LIT("x"), r->now_ns), RG_E_STALE);
	tcp_close(r->t, r->idx, r->now_ns);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_free_clean(r);
}
END_TEST

START_TEST(challenges_are_rationed) {
	struct rig *r = rig_new();

	rig_open(r);
	for (unsigned i = 0; i < 50; i++)
		IN(r, F_RA, 2, 1);
	ck_assert_uint_eq(r->n_out, TCP_CHALLENGES_PER_S);
	r->n_read = r->n_out = 0;
	rig_wait(r, 1001);
	IN(r, F_S, 77, 0); // a SYN, anywhere
	rig_expect(r, F_A, 1, 1, 0);
	IN(r, F_SA, 1, 1);
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(r->n_ended, 0);
	rig_free(r);
}
END_TEST

START_TEST(ack_not_acceptable) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_PA, 1, 2, .data = RG_LIT("abc")); // of what was never sent
	rig_expect(r, F_A, 1, 1, 0);
	IN(r, F_PA, 1, 1 - 65536u, .data = RG_LIT("abc")); // older than a window, RFC 5961 5.2
	rig_expect(r, F_A, 1, 1, 0);
	IN(r, 0, 1, 0, .data = RG_LIT("abc")); // without ACK
	rig_none(r);
	ck_assert_uint_eq(r->n_got, 0);
	IN(r, F_PA, 1, 1 - 65535u, .data = RG_LIT("abc"));
	ck_assert_uint_eq(r->n_got, 3);
	rig_free(r);
}
END_TEST

// Header lengths that lie: 0 to 16 bytes, more than the segment, less than a header at all.
START_TEST(bad_header) {
	static const struct {
		uint8_t len, offset;
	} bad[] = {{20, 0x00}, {20, 0x40}, {20, 0x60}, {20, 0xf0}, {24, 0x70}, {19, 0x50}, {0, 0}};
	struct rig *r = rig_new();
	uint8_t seg[24] = {0x9c, 0x40, 1, 0xbb, [12] = bad[_i].offset, [13] = F_S};

	rig_raw(r, seg, bad[_i].len);
	rig_none(r);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_bad), 1);
	rig_free_clean(r);
}
END_TEST

START_TEST(odd_options_on_data) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"),
	   .opts = RG_LIT("\x02\x00\xff\x01\x08\x0a\x01\x02\x03\x04\x05\x06"));
	ck_assert_uint_eq(r->n_got, 3);
	rig_free(r);
}
END_TEST

START_TEST(peer_closes_first) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_FPA, 1, 1, .data = RG_LIT("bye"));
	rig_expect(r, F_A, 1, 5, 0);
	ck_assert_uint_eq(r->n_peer_closed, 1);
	ck_assert(tcp_is_open(r->t, r->idx)); // half-closed: we may still send
	rig_send(r, 10);
	rig_expect(r, F_PA, 1, 5, 10);
	IN(r, F_FPA, 1, 1, .data = RG_LIT("bye")); // our ACK was lost
	rig_expect(r, F_A, 11, 5, 0);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 11, 5, 0);
	ck_assert(!tcp_is_open(r->t, r->idx));
	IN(r, F_A, 5, 11);
	ck_assert_uint_eq(r->n_ended, 0);
	IN(r, F_A, 5, 12);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_CLOSED);
	rig_free_clean(r);
}
END_TEST

START_TEST(peer_closes_and_we_at_once) {
	struct rig *r = rig_new();

	rig_open(r);
	r->on_peer_closed = DO_CLOSE;
	IN(r, F_FA, 1, 1);
	rig_expect(r, F_FA, 1, 2, 0);
	IN(r, F_A, 2, 2);
	ck_assert_uint_eq(r->n_ended, 1);
	rig_free_clean(r);
}
END_TEST

START_TEST(we_close_first) {
	struct rig *r = rig_new();

	rig_open(r);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1, 1, 0);
	ck_assert_int_eq(tcp_send(r->t, r->idx, RG_LIT("x"), r->now_ns), RG_E_STALE);
	ck_assert_uint_eq(tcp_send_room(r->t, r->idx), 0);
	IN(r, F_A, 1, 2);
	ck_assert_uint_eq(rig_state(r), TCP_FIN_WAIT_2);
	IN(r, F_FA, 1, 2);
	rig_expect(r, F_A, 2, 2, 0);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_CLOSED);
	ck_assert_uint_eq(r->n_peer_closed, 0);
	ck_assert_uint_eq(tcp_n_conns(r->t), 0);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 1);
	rig_wait(r, 50000);
	IN(r, F_FA, 1, 2); // our last ACK was lost: once more, and 2 MSL from now
	rig_expect(r, F_A, 2, 2, 0);
	IN(r, F_R, 2, 0); // RFC 1337: an RST neither ends it nor is answered
	IN(r, F_RA, 1, 2);
	IN(r, F_RA, 7, 2);
	rig_none(r);
	rig_wait(r, 50000);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 1);
	rig_wait(r, 11000);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 0);
	ck_assert_uint_eq(r->n_ended, 1);
	rig_free_clean(r);
}
END_TEST

START_TEST(fin_acked_with_fin) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 3);
	rig_expect(r, F_PA, 1, 1, 3);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 4, 1, 0);
	IN(r, F_FA, 1, 5);
	rig_expect(r, F_A, 5, 2, 0);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 1);
	ck_assert_uint_eq(r->n_ended, 1);
	rig_free(r);
}
END_TEST

START_TEST(simultaneous_close) {
	struct rig *r = rig_new();

	rig_open(r);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1, 1, 0);
	IN(r, F_FA, 1, 1);
	rig_expect(r, F_A, 2, 2, 0);
	ck_assert_uint_eq(rig_state(r), TCP_CLOSING);
	ck_assert_uint_eq(r->n_ended, 0);
	IN(r, F_A, 2, 2);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 1);
	ck_assert_uint_eq(r->n_ended, 1);
	rig_wait(r, 61000);
	rig_free_clean(r);
}
END_TEST

START_TEST(fin_before_its_data) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_FA, 4, 1, .data = RG_LIT("def"));
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(r->n_peer_closed, 0);
	IN(r, F_A, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_A, 1, 8, 0);
	ck_assert_uint_eq(r->n_peer_closed, 1);
	ck_assert_uint_eq(r->n_got, 6);
	IN(r, F_A, 8, 1, .data = RG_LIT("more")); // after its FIN: not taken
	ck_assert_uint_eq(r->n_got, 6);
	rig_free(r);
}
END_TEST

START_TEST(data_after_our_close) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 1, 1, .data = RG_LIT("abc"));
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1, 4, 0);
	IN(r, F_A, 1, 2, .data = RG_LIT("abc")); // an old duplicate does no harm
	rig_expect(r, F_A, 2, 4, 0);
	for (uint32_t i = 0; i < 64; i++) { // what was under way is thrown away
		IN(r, F_A, 4 + 3 * i, 2, .data = RG_LIT("def"));
		rig_expect(r, F_A, 2, 7 + 3 * i, 0);
	}
	ck_assert_uint_eq(r->n_ended, 0);
	IN(r, F_A, 4 + 3 * 64, 2, .data = RG_LIT("def")); // but it goes on and on
	rig_expect(r, F_RA, 2, 4 + 3 * 64, 0);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_uint_eq(r->n_got, 3);
	ck_assert_int_eq(r->why, TCP_END_ABORTED);
	rig_free_clean(r);
}
END_TEST

START_TEST(fin_wait_2_ends) {
	struct rig *r = rig_new();

	rig_open(r);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1, 1, 0);
	IN(r, F_A, 1, 2);
	rig_wait(r, 59000);
	ck_assert_uint_eq(r->n_ended, 0);
	rig_wait(r, 2000);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_TIMEOUT);
	rig_free_clean(r);
}
END_TEST

// The op ends the connection under the engine's feet, with more behind the segment in hand.
START_TEST(ops_that_end) {
	static const enum rig_do how[] = {DO_ABORT, DO_CLOSE};
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_FA, 4, 1, .data = RG_LIT("def"));
	rig_expect(r, F_A, 1, 1, 0);
	r->on_data = how[_i];
	r->on_ended = DO_ABORT; // must do nothing
	IN(r, F_A, 1, 1, .data = RG_LIT("abc"));
	ck_assert_uint_eq(r->n_got, 3);
	ck_assert_uint_eq(r->n_peer_closed, 0);
	if (how[_i] == DO_ABORT) {
		rig_expect(r, F_RA, 1, 4, 0);
		ck_assert_uint_eq(r->n_ended, 1);
		rig_free_clean(r);
		return;
	}
	rig_expect(r, F_FA, 1, 4, 0);
	IN(r, F_FA, 4, 2, .data = RG_LIT("def")); // thrown away, its FIN counts
	rig_expect(r, F_A, 2, 8, 0);
	ck_assert_uint_eq(r->n_got, 3);
	ck_assert_uint_eq(r->n_ended, 1);
	rig_free_clean(r);
}
END_TEST

// The FIN behind the data must find nobody: no second segment from a slot that is free.
START_TEST(abort_in_data_of_a_last_segment) {
	struct rig *r = rig_new();

	rig_open(r);
	r->on_data = DO_ABORT;
	IN(r, F_FPA, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_RA, 1, 4, 0);
	rig_none(r);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_uint_eq(r->n_peer_closed, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(ops_that_end_later) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 10);
	rig_expect(r, F_PA, 1, 1, 10);
	r->on_sent = _i == 0 ? DO_ABORT : DO_CLOSE;
	r->on_peer_closed = DO_ABORT;
	IN(r, F_FA, 1, 11);
	if (_i == 0) {
		rig_expect(r, F_RA, 11, 1, 0);
	} else {
		rig_expect(r, F_FA, 11, 1, 0);
		rig_expect(r, F_A, 12, 2, 0);
		ck_assert_uint_eq(rig_state(r), TCP_CLOSING);
		tcp_abort(r->t, r->idx, r->now_ns);
		rig_expect(r, F_RA, 12, 2, 0);
	}
	ck_assert_uint_eq(r->n_ended, 1);
	rig_free_clean(r);
}
END_TEST

START_TEST(mac_follows) {
	struct rig *r = rig_new();

	rig_open(r);
	memset(r->t->conns[r->idx].mac, 0, 6);
	IN(r, F_RA, 2, 1); // not trusted for it
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 1, 0)->mac0, 0);
	IN(r, F_A, 2, 1, .data = RG_LIT("x"));
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 1, 0)->mac0, 0x52);
	rig_free(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(in_order_and_delayed_ack),
		RIG_CASE(quick_acks),
		RIG_CASE(quick_acks_always),
		RIG_CASE(out_of_order),
		RIG_CASE(wrap_around),
		RIG_CASE(old_duplicate_and_beyond_window),
		RIG_CASE(fin_beyond_window_is_cut),
		RIG_CASE(rst_in_and_out_of_window),
		RIG_CASE(challenges_are_rationed),
		RIG_CASE(ack_not_acceptable),
		RIG_ROWS(bad_header, 7),
		RIG_CASE(odd_options_on_data),
		RIG_CASE(peer_closes_first),
		RIG_CASE(peer_closes_and_we_at_once),
		RIG_CASE(we_close_first),
		RIG_CASE(fin_acked_with_fin),
		RIG_CASE(simultaneous_close),
		RIG_CASE(fin_before_its_data),
		RIG_CASE(data_after_our_close),
		RIG_CASE(fin_wait_2_ends),
		RIG_ROWS(ops_that_end, 2),
		RIG_CASE(abort_in_data_of_a_last_segment),
		RIG_ROWS(ops_that_end_later, 2),
		RIG_CASE(mac_follows),
	};

	return rig_main("tcp_in", cases, RIG_LEN(cases));
}
