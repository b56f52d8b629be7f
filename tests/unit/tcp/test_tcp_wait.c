// SPDX-License-Identifier: BSD-3-Clause
// What is left of connections: TIME-WAIT, and those that are too young to be forgotten.
#include "tcp_rig.h"

// Open and, ours first, closed.
static void to_time_wait(struct rig *r) {
	unsigned n = r->n_ended;

	rig_open_opts(r, RIG_MSS_1460);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1, 1, 0);
	IN(r, F_FA, 1, 2);
	rig_expect(r, F_A, 2, 2, 0);
	ck_assert_uint_eq(r->n_ended, n + 1);
	ck_assert_uint_eq(tcp_n_conns(r->t), 0);
}

START_TEST(reuse) {
	struct rig *r = rig_new();
	uint32_t old_iss;

	to_time_wait(r);
	old_iss = r->iss;
	IN(r, F_S, 1, 0); // an old SYN
	rig_expect(r, F_A, 2, 2, 0);
	IN(r, F_S, 2, 0); // not beyond what was seen
	rig_expect(r, F_A, 2, 2, 0);
	IN(r, F_S, 3, 0);
	ck_assert_uint_gt(r->iss - old_iss, 65535);
	ck_assert_uint_lt(r->iss - old_iss, 1u << 31);
	rig_expect(r, F_SA, 0, 4, 0);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 1); // nobody has shown that he got it
	IN(r, F_A, 4, 1);
	ck_assert_uint_eq(r->n_opened, 2);
	ck_assert_uint_eq(tcp_n_conns(r->t), 1);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 0);
	rig_free(r);
}
END_TEST

// Whatever the cookie comes out as, our numbers go on beyond the old ones, and who has seen it is let
// in: within a minute one of 256 cookies lies at the far end of what is beyond.
START_TEST(numbers_go_on) {
	struct rig *r = rig_new();

	for (unsigned i = 0; i < 3000; i++) {
		uint32_t old_iss = r->iss;

		r->peer_isn += 1000;
		to_time_wait(r);
		ck_assert(i == 0 || tcp_seq_lt(old_iss + 2 + UINT16_MAX, r->iss));
		ck_assert_uint_eq(tcp_n_time_wait(r->t), 1);
	}
	rig_free_clean(r);
}
END_TEST

// Late segments of the old connection; nothing of them opens a new one.
START_TEST(late_segments) {
	struct rig *r = rig_new();

	to_time_wait(r);
	IN(r, F_A, 1, 1); // its third packet
	rig_expect(r, F_A, 2, 2, 0);
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_A, 2, 2, 0);
	IN(r, F_A, 2, 2); // the right one asks for no answer
	IN(r, F_R, 2, 0);
	rig_none(r);
	for (unsigned i = 0; i < 20; i++)
		IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_out, TCP_CHALLENGES_PER_S - 2);
	r->n_read = r->n_out = 0;
	rig_wait(r, 1100);
	IN(r, F_A, 1, 1);
	rig_expect(r, F_A, 2, 2, 0);
	ck_assert_uint_eq(r->n_opened, 1);
	rig_free_clean(r);
}
END_TEST

// A copy of the third packet after the end: its cookie is still good.
START_TEST(young_and_gone) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_FPA, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_A, 1, 5, 0);
	if (_i == 0) {
		tcp_close(r->t, r->idx, r->now_ns);
		rig_expect(r, F_FA, 1, 5, 0);
		IN(r, F_A, 5, 2);
	} else {
		tcp_abort(r->t, r->idx, r->now_ns);
		rig_expect(r, F_RA, 1, 5, 0);
	}
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_uint_eq(tcp_n_conns(r->t), 0);
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_R, 1, 0, 0);
	IN(r, F_R, 5, 0);
	rig_none(r);
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_no_conn), 2);
	r->peer_isn -= 77; // any SYN will do, nobody waits
	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 2);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 0);
	rig_free(r);
}
END_TEST

START_TEST(old_and_gone) {
	struct rig *r = rig_new();

	rig_open(r);
	r->now_ns += (_i == 0 ? 123 : 119) * RG_NS_PER_S;
	IN(r, F_R, 1, 0);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), _i); // while its cookie may be good
	IN(r, F_A, 1, 1);                             // the cookie has gone as well
	rig_expect(r, F_R, 1, 0, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(oldest_makes_room) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.max_time_wait = 3;
	r = rig_new_cfg(&cfg);
	for (unsigned i = 0; i < 5; i++, r->peer_port++)
		to_time_wait(r);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 3);
	r->peer_port = 40001;
	IN(r, F_FA, 1, 2); // forgotten
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_cookie), 1);
	rig_expect(r, F_R, 2, 0, 0);
	r->peer_port = 40002;
	r->iss = r->t->waits.recs[r->t->waits.head].snd_max - 2;
	IN(r, F_FA, 1, 2); // still there, and again the youngest
	rig_expect(r, F_A, 2, 2, 0);
	r->peer_port = 40005;
	to_time_wait(r);
	ck_assert_uint_eq(r->t->waits.recs[r->t->waits.head].peer.port, 40004);
	rig_free_clean(r);
}
END_TEST

START_TEST(they_end_in_order) {
	struct rig *r = rig_new();

	for (unsigned i = 0; i < 20; i++, r->peer_port++) {
		to_time_wait(r); // after 10 ms
		rig_wait(r, 100);
	}
	rig_wait(r, TCP_LINGER_MS + 10 - 20 * 110 - 1);
	for (unsigned left = 20; left > 0; left--) {
		ck_assert_uint_eq(tcp_n_time_wait(r->t), left);
		rig_wait(r, 110);
	}
	rig_free_clean(r);
}
END_TEST

START_TEST(tick_keeps_to_its_budget) {
	struct rig *r = rig_new();

	for (unsigned i = 0; i < 10; i++, r->peer_port++)
		to_time_wait(r);
	r->now_ns += 61 * RG_NS_PER_S;
	tcp_tick(r->t, r->now_ns, 4);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 6);
	ck_assert(tcp_next_deadline(r->t) <= r->now_ns);
	tcp_tick(r->t, r->now_ns, 6);
	rig_free_clean(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(reuse),
		RIG_CASE(numbers_go_on),
		RIG_CASE(late_segments),
		RIG_ROWS(young_and_gone, 2),
		RIG_ROWS(old_and_gone, 2),
		RIG_CASE(oldest_makes_room),
		RIG_CASE(they_end_in_order),
		RIG_CASE(tick_keeps_to_its_budget),
	};

	return rig_main("tcp_wait", cases, RIG_LEN(cases));
}
