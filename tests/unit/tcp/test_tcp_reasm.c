// SPDX-License-Identifier: BSD-3-Clause
// Reassembly: random pieces against the stream they were cut from, and its limits.
#include "tcp_rig.h"

START_TEST(random_pieces) {
	static uint8_t flat[60000];
	struct rig *r = rig_new();
	uint32_t rng = 4u + (uint32_t)_i;

	for (size_t i = 0; i < sizeof(flat); i++)
		flat[i] = (uint8_t)(i * 11 + i / 256);
	r->peer_isn = UINT32_MAX - 30000;
	rig_open(r);
	while (r->n_got < sizeof(flat)) {
		size_t base = r->n_got > 3000 ? r->n_got - 3000 : 0, off, len;

		rng = rng * 1664525 + 1013904223;
		off = base + (rng >> 8) % 20000;
		rng = rng * 1664525 + 1013904223;
		len = 1 + (rng >> 8) % 1460;
		if (rng >> 29 == 0)
			off = r->n_got; // now and then what is wanted
		if (off >= sizeof(flat))
			continue;
		len = len < sizeof(flat) - off ? len : sizeof(flat) - off;
		IN(r, F_A, 1 + (uint32_t)off, 1, .data = rg_slice(flat + off, len));
		r->n_read = r->n_out = 0;
		if (memcmp(r->got, flat, r->n_got) != 0)
			ck_abort_msg("wrong bytes before %zu", r->n_got);
	}
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	rig_free(r);
}
END_TEST

START_TEST(adjacent_pieces_share_a_chunk) {
	struct rig *r = rig_new();

	rig_open(r);
	for (uint32_t i = 0; i < 2048; i++)
		IN(r, F_A, 2 + i, 1, .data = RG_LIT("x")), r->n_read = r->n_out = 0;
	ck_assert_uint_eq(r->cfg.n_buffers - tcp_n_free_buffers(r->t), 1);
	IN(r, F_A, 2 + 2048, 1, .data = RG_LIT("x")), r->n_read = r->n_out = 0;
	ck_assert_uint_eq(r->cfg.n_buffers - tcp_n_free_buffers(r->t), 2);
	IN(r, F_A, 1, 1, .data = RG_LIT("x")), r->n_read = r->n_out = 0;
	ck_assert_uint_eq(r->n_got, 2050);
	rig_free(r);
}
END_TEST

// Lone bytes with holes between them: the peer may not take more than its share of the pool.
START_TEST(limit_per_connection) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.n_buffers = 1000;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	for (uint32_t i = 0; i < 500; i++)
		IN(r, F_A, 3 + 2 * i, 1, .data = RG_LIT("x")), r->n_read = r->n_out = 0;
	ck_assert_uint_eq(cfg.n_buffers - tcp_n_free_buffers(r->t), 65535 / 1024 + 4);
	ck_assert_uint_gt(rig_stat(r, RG_DROP_tcp_no_buffer), 0);
	tcp_abort(r->t, r->idx, r->now_ns);
	r->n_read = r->n_out;
	rig_free_clean(r);
}
END_TEST

START_TEST(reserve_of_the_pool) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.n_buffers = 16;
	cfg.max_conns = 2;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	for (uint32_t i = 0; i < 60; i++)
		IN(r, F_A, 3 + 2 * i, 1, .data = RG_LIT("x")), r->n_read = r->n_out = 0;
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), 2);
	rig_send(r, 2000); // still goes
	ck_assert_uint_eq(tcp_send_room(r->t, r->idx), 48);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_ROWS(random_pieces, 8),
		RIG_CASE(adjacent_pieces_share_a_chunk),
		RIG_CASE(limit_per_connection),
		RIG_CASE(reserve_of_the_pool),
	};

	return rig_main("tcp_reasm", cases, RIG_LEN(cases));
}
