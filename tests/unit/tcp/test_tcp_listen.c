// SPDX-License-Identifier: BSD-3-Clause
// Handshakes: from nothing to ESTABLISHED, and refusals on the way.
#include "tcp/tcp_cookie.h"
#include "tcp_rig.h"

START_TEST(handshake) {
	struct rig *r = rig_new();
	const struct rig_seg *q;

	IN(r, F_S, 0, 0, .opts = RIG_MSS_1460);
	q = rig_expect(r, F_SA, 0, 1, 0);
	ck_assert_uint_eq(q->s.mss, 1460);
	ck_assert_uint_eq(q->s.wscale, TCP_WSCALE_NONE); // not offered, so not answered
	ck_assert_uint_eq(q->s.wnd, 65535);
	ck_assert_uint_eq(q->dst.port, 40000);
	ck_assert_uint_eq(q->mac0, 0x52);
	ck_assert_uint_eq(tcp_n_conns(r->t), 0); // RFC 4987: no slot, no timer
	ck_assert(tcp_next_deadline(r->t) == RG_NEVER);
	ck_assert_uint_eq(r->n_opened, 0);
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert(tcp_is_open(r->t, r->idx));
	ck_assert_uint_eq(tcp_peer(r->t, r->idx)->port, 40000);
	rig_none(r);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1, 1, 0);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_ABORTED);
	rig_free_clean(r);
}
END_TEST

START_TEST(window_scale) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.rcv_wnd = 1 << 20;
	r = rig_new_cfg(&cfg);
	IN(r, F_S, 0, 0, .opts = RG_LIT("\x02\x04\x05\xb4\x01\x03\x03\x07"));
	ck_assert_uint_eq(rig_expect(r, F_SA, 0, 1, 0)->s.wscale, 5);
	IN(r, F_A, 1, 1, .wnd = 100); // 12800 bytes
	rig_send(r, 20000);
	for (unsigned i = 0; i < 8; i++)
		rig_expect(r, F_A, 1 + i * 1460, 1, 1460);
	rig_none(r);
	IN(r, F_A, 1, 1 + 8 * 1460, .wnd = 1000);
	for (unsigned i = 8; i < 13; i++)
		ck_assert_uint_eq(rig_expect(r, F_A, 1 + i * 1460, 1, 1460)->s.wnd, 1 << 15);
	rig_expect(r, F_PA, 1 + 13 * 1460, 1, 20000 - 13 * 1460);
	rig_free(r);
}
END_TEST

START_TEST(unscaled_peer_gets_64k) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.rcv_wnd = 1 << 20;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	IN(r, F_A, 70000, 1, .data = RG_LIT("x")); // beyond 65535
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 1, 0)->s.wnd, 65535);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), cfg.n_buffers);
	rig_free(r);
}
END_TEST

START_TEST(data_on_the_third_packet) {
	struct rig *r = rig_new();

	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_PA, 1, 1, .data = RG_LIT("hello"));
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert_uint_eq(r->n_got, 5);
	ck_assert_mem_eq(r->got, "hello", 5);
	rig_none(r);
	rig_wait(r, 40);
	rig_expect(r, F_A, 1, 6, 0);
	rig_free(r);
}
END_TEST

START_TEST(data_on_the_syn_is_not_taken) {
	struct rig *r = rig_new();

	IN(r, F_S, 0, 0, .data = RG_LIT("early"));
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_PA, 1, 1, .data = RG_LIT("early"));
	ck_assert_uint_eq(r->n_got, 5);
	rig_free(r);
}
END_TEST

// Our answer was lost: the same SYN gets the same answer, and then either will do.
START_TEST(syn_again_is_answered_again) {
	struct rig *r = rig_new();
	uint32_t first;

	IN(r, F_S, 0, 0);
	first = rig_expect(r, F_SA, 0, 1, 0)->s.seq;
	IN(r, F_S, 0, 0);
	ck_assert_uint_eq(rig_expect(r, F_SA, 0, 1, 0)->s.seq, first);
	r->now_ns += TCP_COOKIE_MINUTE_NS;
	IN(r, F_S, 0, 0);
	ck_assert_uint_ne(rig_expect(r, F_SA, 0, 1, 0)->s.seq, first);
	r->iss = _i == 0 ? first : r->iss;
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 1);
	IN(r, F_S, 0, 0); // a late copy: RFC 5961 4.2
	rig_expect(r, F_A, 1, 1, 0);
	for (unsigned i = 0; i < 20; i++) // rationed
		IN(r, F_S, 0, 0);
	ck_assert_uint_lt(r->n_out, TCP_CHALLENGES_PER_S);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

START_TEST(cookie_is_good_for_two_minutes) {
	struct rig *r = rig_new();

	r->now_ns = 1020 * RG_NS_PER_S + RG_NS_PER_MS; // a minute begins
	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	r->now_ns += 2 * TCP_COOKIE_MINUTE_NS - (_i == 0 ? 2 : 0) * RG_NS_PER_MS;
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, _i == 0);
	if (_i == 1) {
		rig_expect(r, F_R, 1, 0, 0);
		ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_cookie), 1);
	}
	rig_none(r);
	rig_free(r);
}
END_TEST

// What a third packet must prove: one wrong bit anywhere and it is none.
START_TEST(cookie_is_forged) {
	struct rig *r = rig_new();
	unsigned n_later = 0;

	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	for (unsigned bit = 0; bit < 31; bit++) { // the topmost is free
		uint64_t before = rig_stat(r, RG_STAT_tcp_segs_out);

		IN(r, F_A, 1, ((r->iss ^ 1u << bit) - r->iss) + 1);
		n_later += rig_stat(r, RG_STAT_tcp_segs_out) == before;
		r->n_read = r->n_out = 0;
	}
	ck_assert_uint_eq(n_later, 16); // those that prove the peer's number only
	r->peer_port++;
	IN(r, F_A, 1, 1);
	rig_expect(r, F_R, 1, 0, 0);
	r->peer_port--;
	IN(r, F_A, 2, 1); // something before it is missing: it is not an error
	IN(r, F_PA, 1461, 1, .data = RG_LIT("abc"));
	rig_none(r);
	ck_assert_uint_eq(r->n_opened, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_cookie), 34);
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert_uint_eq(r->n_got, 3);
	rig_free(r);
}
END_TEST

// All that a cookie says comes back, whatever else it says.
START_TEST(cookie_carries) {
	static const uint8_t key[16] = "0123456789abcde";
	struct tcp_in in = {.src = rg_addr_v4(1, 2), .dst = rg_addr_v4(3, 443)};

	for (unsigned i = 0; i < 8 * 16 * 4; i++) {
		static const uint16_t mss[] = {64, 536, 1220, 1300, 1360, 1400, 1440, 1460};
		uint8_t wscale = i / 8 % 16;
		struct tcp_cookie_opts o = {mss[i % 8], wscale == 15 ? TCP_WSCALE_NONE : wscale,
					    (i & 128) != 0, (i & 256) != 0};
		struct tcp_cookie_opts got = {.has_ts = o.has_ts}, not = {.has_ts = !o.has_ts};
		uint32_t c = tcp_cookie_make(key, &in, 77, &o, i);

		ck_assert_int_eq(tcp_cookie_check(key, &in, 77, c, &got, i), TCP_COOKIE_GOOD);
		ck_assert(got.mss == o.mss && got.wscale == o.wscale && got.has_sack == o.has_sack);
		ck_assert_int_ne(tcp_cookie_check(key, &in, 77, c, &not, i), TCP_COOKIE_GOOD);
	}
}
END_TEST

// Guesses at random: 2 of 2^23 may pass.
START_TEST(cookie_is_guessed) {
	struct rig *r = rig_new();

	for (uint32_t i = 0; i < 100000; i++) {
		IN(r, F_A, 1, i * 2654435761u);
		r->n_read = r->n_out = 0;
	}
	ck_assert_uint_le(r->n_opened, 1);
	rig_free(r);
}
END_TEST

START_TEST(syn_flood_leaves_nothing) {
	struct rig *r = rig_new();

	rig_open(r);
	for (unsigned i = 0; i < 50000; i++) {
		r->peer_port = (uint16_t)(i + 1);
		if (r->peer_port == 40000)
			continue;
		IN(r, F_S, i, 0);
		r->n_read = r->n_out = 0;
	}
	ck_assert_uint_eq(tcp_n_conns(r->t), 1);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	ck_assert(tcp_next_deadline(r->t) == RG_NEVER);
	rig_free(r);
}
END_TEST

// Nothing was measured yet.
START_TEST(first_timeout_is_a_second) {
	struct rig *r = rig_new();

	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	r->now_ns += 10 * RG_NS_PER_MS;
	IN(r, F_A, 1, 1);
	rig_send(r, 10);
	rig_expect(r, F_PA, 1, 1, 10);
	ck_assert_uint_le(rig_wait_out(r) - 1000, 2); // RFC 6298 2.1
	rig_expect(r, F_PA, 1, 1, 10);
	rig_free(r);
}
END_TEST

START_TEST(wrong_ack_of_syn_ack) {
	struct rig *r = rig_new();

	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 2);
	rig_expect(r, F_R, 2, 0, 0);
	IN(r, F_A, 1, 0);
	rig_expect(r, F_R, 0, 0, 0);
	ck_assert_uint_eq(r->n_opened, 0);
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 1);
	rig_free(r);
}
END_TEST

START_TEST(rst_of_half_open) {
	struct rig *r = rig_new();

	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_R, 1, 0); // there is nothing it could end
	rig_none(r);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_no_conn), 1);
	rig_free_clean(r);
}
END_TEST

START_TEST(no_connection) {
	struct rig *r = rig_new();

	IN(r, F_A, 10, 77);
	rig_expect(r, F_R, 77, 0, 0);
	IN(r, F_PA, 10, 77, .data = RG_LIT("abc"));
	rig_expect(r, F_R, 77, 0, 0);
	IN(r, F_SA, 10, 77);
	rig_expect(r, F_R, 77, 0, 0);
	IN(r, F_RA, 10, 77);
	IN(r, F_R, 10, 0);
	IN(r, 0, 10, 0);
	IN(r, TCP_FIN, 10, 0);
	rig_none(r);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_no_conn), 5);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_cookie), 2);
	IN(r, TCP_SYN | TCP_FIN, 10, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_bad), 1);
	rig_free_clean(r);
}
END_TEST

START_TEST(other_port) {
	struct rig *r = rig_new();
	uint8_t syn[20] = {0x9c, 0x40, 0, 80, 0, 0, 0, 9, [12] = 0x50, [13] = F_S};

	rig_raw(r, syn, sizeof(syn));
	r->iss = 0;
	r->peer_isn = 0;
	rig_expect(r, F_RA, 0, 10, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_port), 1);
	rig_free_clean(r);
}
END_TEST

START_TEST(table_full) {
	struct rig *r = rig_new();

	for (unsigned i = 0; i < 8; i++, r->peer_port++) {
		IN(r, F_S, 0, 0);
		rig_expect(r, F_SA, 0, 1, 0);
		IN(r, F_A, 1, 1);
	}
	IN(r, F_S, 0, 0); // whether there is room shows when it comes back
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_R, 1, 0, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_table_full), 1);
	ck_assert_uint_eq(r->n_got, 0);
	tcp_abort(r->t, 3, r->now_ns);
	r->n_read = r->n_out = 0;
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 9);
	rig_none(r);
	rig_free(r);
}
END_TEST

// Each row: what the SYN says, and how large our segments may be.
static const struct {
	const char *name;
	struct rg_slice opts;
	unsigned mss; // 0: the SYN is malformed
} mss_cases[] = {
	{"none", {NULL, 0}, 536},
	{"usual", RIG_MSS_1460, 1460},
	{"more than ours", RG_LIT("\x02\x04\xff\xff"), 1460},
	{"tiny", RG_LIT("\x02\x04\x00\x01"), 64},
	{"zero", RG_LIT("\x02\x04\x00\x00"), 536},
	{"behind others", RG_LIT("\x01\xfd\x0a\1\1\1\1\1\1\1\1\x02\x04\x05\x78\x00"), 1400},
	{"rounded down", RG_LIT("\x02\x04\x05\xac"), 1440},
	{"just too little", RG_LIT("\x02\x04\x04\xc3"), 536},
	{"after the end", RG_LIT("\x00\x02\x04\x03\xe8\x00\x00\x00"), 536},
	{"odd length", RG_LIT("\x02\x03\x05\x00"), 536},
	{"scale too big", RG_LIT("\x03\x03\xff\x00"), 536},
	{"unknown", RG_LIT("\xfe\x04\x05\xb4"), 536},
	{"length 0", RG_LIT("\x02\x00\x05\xb4"), 0},
	{"length 1", RG_LIT("\x02\x01\x05\xb4"), 0},
	{"past the end", RG_LIT("\x01\x02\x04\x05"), 0},
	{"no length", RG_LIT("\x01\x01\x01\x02"), 0},
	{"40 bytes",
	 RG_LIT("\x02\x04\x05\x14\x01\x01\x01\x01\xfe\x20"
		"abcdefghijabcdefghijabcdefghij"),
	 1300},
};

START_TEST(syn_options) {
	struct rig *r = rig_new();

	IN(r, F_S, 0, 0, .opts = mss_cases[_i].opts);
	if (mss_cases[_i].mss == 0) {
		ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_bad), 1);
		rig_free_clean(r);
		return;
	}
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 1);
	ck_assert_msg(r->t->conns[r->idx].mss == mss_cases[_i].mss, "%s: %u", mss_cases[_i].name,
		      r->t->conns[r->idx].mss);
	ck_assert_uint_le(r->t->conns[r->idx].snd_wscale, 14);
	rig_send(r, 2000);
	rig_expect(r, F_A, 1, 1, mss_cases[_i].mss);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

// RFC 6528: differs by tuple, grows with time for one tuple.
// RFC 6528: it tells nothing to who does not know the secret.
START_TEST(initial_sequence_numbers) {
	struct rig *r = rig_new();
	uint32_t iss[4];

	for (unsigned i = 0; i < 4; i++) {
		r->peer_port += i == 1;
		r->peer_isn += i == 2;
		r->now_ns += i == 3 ? TCP_COOKIE_MINUTE_NS : 0;
		IN(r, F_S, 0, 0);
		iss[i] = rig_expect(r, F_SA, 0, 1, 0)->s.seq;
		for (unsigned k = 0; k < i; k++)
			ck_assert_uint_ne(iss[k] >> 8, iss[i] >> 8);
	}
	rig_free_clean(r);
}
END_TEST

START_TEST(refused_by_opened) {
	static const enum rig_do how[] = {DO_REFUSE, DO_ABORT_REFUSE, DO_ABORT};
	struct rig *r = rig_new();

	r->on_opened = how[_i];
	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
	rig_expect(r, F_RA, 1, 1, 0);
	ck_assert_uint_eq(r->n_ended, how[_i] == DO_ABORT);
	ck_assert_uint_eq(r->n_got, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(send_and_close_in_opened) {
	struct rig *r = rig_new();

	r->on_opened = DO_SEND;
	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 1);
	rig_expect(r, F_PA, 1, 1, 5);
	r->on_opened = DO_CLOSE;
	r->peer_port++;
	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 1);
	rig_expect(r, F_FA, 1, 1, 0);
	rig_free(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(handshake),
		RIG_CASE(window_scale),
		RIG_CASE(unscaled_peer_gets_64k),
		RIG_CASE(data_on_the_third_packet),
		RIG_CASE(data_on_the_syn_is_not_taken),
		RIG_ROWS(syn_again_is_answered_again, 2),
		RIG_ROWS(cookie_is_good_for_two_minutes, 2),
		RIG_CASE(cookie_is_forged),
		RIG_CASE(cookie_carries),
		RIG_CASE(cookie_is_guessed),
		RIG_CASE(syn_flood_leaves_nothing),
		RIG_CASE(first_timeout_is_a_second),
		RIG_CASE(wrong_ack_of_syn_ack),
		RIG_CASE(rst_of_half_open),
		RIG_CASE(no_connection),
		RIG_CASE(other_port),
		RIG_CASE(table_full),
		RIG_ROWS(syn_options, RIG_LEN(mss_cases)),
		RIG_CASE(initial_sequence_numbers),
		RIG_ROWS(refused_by_opened, 3),
		RIG_CASE(send_and_close_in_opened),
	};

	return rig_main("tcp_listen", cases, RIG_LEN(cases));
}
