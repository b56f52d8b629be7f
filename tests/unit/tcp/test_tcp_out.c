// SPDX-License-Identifier: BSD-3-Clause
// What leaves: segmentation over chunk borders, windows, FIN placement, RST numbers.
#include "tcp_rig.h"

START_TEST(segments_over_chunks) {
	struct rig *r = rig_new();
	size_t n = 0;

	rig_open(r);
	rig_send(r, 8000);
	for (unsigned i = 0; i < 6; i++) {
		size_t len = i < 5 ? 1460 : 700;
		const struct rig_seg *q =
			rig_expect(r, i < 5 ? F_A : F_PA, 1 + (uint32_t)n, 1, len);

		for (size_t k = 0; k < len; k++, n++)
			if (q->s.data.p[k] != (uint8_t)(n * 7 + n / 251))
				ck_abort_msg("byte %zu", n);
	}
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_segs_out), 7);
	IN(r, F_A, 1, 8001);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	ck_assert_uint_eq(r->n_sent, 1);
	rig_free(r);
}
END_TEST

START_TEST(peer_window_limits) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 1, 1, .wnd = 4000);
	rig_send(r, 10000);
	rig_expect(r, F_A, 1, 1, 1460);
	rig_expect(r, F_A, 1461, 1, 1460);
	rig_none(r); // 1080 more would be a part of a segment
	IN(r, F_A, 1, 1461, .wnd = 4000);
	rig_expect(r, F_A, 2921, 1, 1460);
	rig_none(r);
	rig_free(r);
}
END_TEST

START_TEST(room_and_limits) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;
	static const uint8_t b[8000];

	cfg.n_buffers = 3;
	cfg.snd_max = 5000;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	IN(r, F_A, 1, 1, .wnd_zero = true);
	ck_assert_uint_eq(tcp_send_room(r->t, r->idx), 5000);
	ck_assert_int_eq(tcp_send(r->t, r->idx, rg_slice(b, 5001), r->now_ns), -ENOBUFS);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), 3);
	ck_assert_int_eq(tcp_send(r->t, r->idx, rg_slice(b, 4100), r->now_ns), 0);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), 0);
	ck_assert_uint_eq(tcp_send_room(r->t, r->idx), 900);
	ck_assert_int_eq(tcp_send(r->t, r->idx, rg_slice(NULL, 0), r->now_ns), 0);
	ck_assert_int_eq(tcp_send(r->t, r->idx, rg_slice(b, 900), r->now_ns), 0);
	ck_assert_uint_eq(tcp_send_room(r->t, r->idx), 0);
	rig_free(r);
}
END_TEST

// Two that do not read, and a third: it still gets enough for an answer, and so does every later one.
START_TEST(room_while_buffers_are_scarce) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;
	static const uint8_t b[65536];
	uint32_t idx[3];

	cfg.n_buffers = 64;
	r = rig_new_cfg(&cfg);
	for (unsigned i = 0; i < 3; i++) {
		r->peer_port++;
		r->n_opened = 0;
		rig_open(r);
		IN(r, F_A, 1, 1, .wnd_zero = true);
		idx[i] = r->idx;
		ck_assert_uint_eq(tcp_send_room(r->t, r->idx), i == 0 ? 65536 : 8192);
		ck_assert_int_eq(tcp_send(r->t, r->idx, rg_slice(b, i == 0 ? 65536 : 8193),
					  r->now_ns),
				 i == 0 ? 0 : -ENOBUFS);
		r->n_read = r->n_out;
	}
	ck_assert_int_eq(tcp_send(r->t, idx[1], rg_slice(b, 8000), r->now_ns), 0);
	ck_assert_uint_eq(tcp_send_room(r->t, idx[1]), 192);
	ck_assert_uint_eq(tcp_send_room(r->t, idx[0]), 0);
	tcp_abort(r->t, idx[0], r->now_ns);
	ck_assert_uint_eq(tcp_send_room(r->t, idx[1]), 65536 - 8000);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

START_TEST(fin_waits_for_the_window) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 1, 1, .wnd = 100);
	rig_send(r, 100);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_PA, 1, 1, 100);
	rig_none(r);                          // the FIN would lie beyond the window
	IN(r, F_A, 1, 101, .wnd_zero = true); // and it has not been acknowledged by this
	ck_assert_uint_eq(rig_state(r), TCP_FIN_WAIT_1);
	IN(r, F_A, 1, 101, .wnd = 1);
	rig_expect(r, F_FA, 101, 1, 0);
	IN(r, F_A, 1, 102);
	ck_assert_uint_eq(rig_state(r), TCP_FIN_WAIT_2);
	rig_free(r);
}
END_TEST

START_TEST(rst_numbers) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 100);
	rig_expect(r, F_PA, 1, 1, 100);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 101, 1, 0); // what was sent is taken as received
	r->peer_port++;
	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 1, .wnd_zero = true);
	rig_send(r, 100);
	rig_wait_out(r);
	rig_expect(r, F_PA, 1, 1, 1);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1, 1, 0); // a window probe is taken as refused
	rig_free_clean(r);
}
END_TEST

START_TEST(send_in_every_op) {
	struct rig *r = rig_new();

	r->on_data = r->on_peer_closed = r->on_ended = DO_SEND;
	rig_open(r);
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_PA, 1, 4, 5);
	r->on_sent = DO_SEND;
	IN(r, F_A, 4, 6);
	rig_expect(r, F_PA, 6, 4, 5);
	r->on_sent = DO_NOTHING;
	IN(r, F_FA, 4, 11);
	rig_expect(r, F_PA, 11, 5, 5);
	IN(r, F_R, 5, 0); // send() in ended() is refused
	rig_none(r);
	rig_free_clean(r);
}
END_TEST

// Opens another connection, of another port. Its index.
static uint32_t open_next(struct rig *r) {
	r->peer_port++;
	rig_open_opts(r, RIG_MSS_1460);
	return r->idx;
}

// However much one lets lie, each connection can queue its first 2 KiB.
START_TEST(first_chunk_is_reserved) {
	struct tcp_cfg cfg = rig_cfg;
	uint32_t idx[4];
	struct rig *r;

	cfg.max_conns = 4;
	cfg.n_buffers = 16;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	idx[0] = r->idx;
	while (tcp_send_room(r->t, idx[0]) > 0)
		rig_send(r, tcp_send_room(r->t, idx[0]));
	r->n_read = r->n_out = 0;
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), 3);
	for (int i = 1; i < 4; i++) {
		idx[i] = open_next(r);
		ck_assert_uint_eq(tcp_send_room(r->t, idx[i]), TCP_CHUNK_BYTES);
		rig_send(r, 2000);
		ck_assert_uint_eq(tcp_send_room(r->t, idx[i]), 48); // what its chunk still takes
		r->n_read = r->n_out = 0;
	}
	IN(r, F_PA, 100, 1, .data = RG_LIT("behind a hole"));
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_no_buffer), 1);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), 0);
	for (int i = 0; i < 4; i++)
		tcp_abort(r->t, idx[i], r->now_ns);
	r->n_read = r->n_out = 0;
	rig_free_clean(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(segments_over_chunks),
		RIG_CASE(peer_window_limits),
		RIG_CASE(room_and_limits),
		RIG_CASE(fin_waits_for_the_window),
		RIG_CASE(rst_numbers),
		RIG_CASE(send_in_every_op),
		RIG_CASE(room_while_buffers_are_scarce),
		RIG_CASE(first_chunk_is_reserved),
	};

	return rig_main("tcp_out", cases, RIG_LEN(cases));
}
