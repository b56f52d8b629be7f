// SPDX-License-Identifier: BSD-3-Clause
// Connections that we open: the handshake, what the two sides agree on, every way it can fail, both
// sides opening at once.
#include "tcp_rig.h"

#define OPTS_ALL RG_LIT("\x02\x04\x05\x78\x04\x02\x01\x01\x01\x03\x03\x05") // 1400, SACK, 2^5

static struct tcp_conn *conn(struct rig *r) {
	return &r->t->conns[r->idx];
}

static int dial(struct rig *r) {
	struct rg_addr local = r->local, peer = r->peer;

	local.port = r->our_port;
	peer.port = r->peer_port;
	return tcp_connect(r->t, &local, &peer, (const uint8_t[6]){0x52}, r->now_ns, &r->idx);
}

// A client; its SYN has been sent, and is looked at.
static struct rig *rig_dial(void) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;
	const struct rig_seg *q;

	cfg.listen_port = 0;
	cfg.rcv_wnd = 300000;
	r = rig_new_cfg(&cfg);
	r->our_port = 50000;
	ck_assert_int_eq(dial(r), 0);
	ck_assert(!tcp_is_open(r->t, r->idx));
	ck_assert_int_eq(tcp_send(r->t, r->idx, RG_LIT("x"), r->now_ns), RG_E_STALE);
	ck_assert_uint_eq(tcp_send_room(r->t, r->idx), 0);
	q = rig_expect(r, F_S, 0, 0, 0);
	ck_assert_uint_eq(q->s.ack, 0);
	ck_assert_uint_eq(q->s.mss, 1460);
	ck_assert_uint_eq(q->s.wscale, 3);
	ck_assert_uint_eq(q->s.wnd, 65535);
	ck_assert(q->s.has_sack_ok && q->s.has_ts && q->s.ts_ecr == 0);
	ck_assert_uint_eq(q->src.port, 50000);
	ck_assert_uint_eq(q->dst.port, 40000);
	ck_assert_uint_eq(q->mac0, 0x52);
	return r;
}

// It failed, and ended() said so.
static void rig_failed(struct rig *r, enum tcp_end why) {
	rig_none(r);
	ck_assert_uint_eq(r->n_opened, 0);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, why);
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_opened), 0);
	r->n_failed = 1;
	rig_free_clean(r);
}

START_TEST(dialogue) {
	struct rig *r = rig_dial();

	r->now_ns += 40 * RG_NS_PER_MS;
	IN(r, F_SA, 0, 1, .opts = RIG_MSS_1460, .wnd = 1000);
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_opened), 1);
	ck_assert(tcp_is_open(r->t, r->idx));
	ck_assert_uint_eq(conn(r)->srtt, RIG_RTT(40));
	ck_assert_uint_eq(conn(r)->cwnd, 14600);
	ck_assert(tcp_next_deadline(r->t) > r->now_ns);
	rig_send(r, 1001);
	rig_expect(r, F_A, 1, 1, 1000); // no byte beyond its window
	IN(r, F_A, 1, 1001);
	rig_expect(r, F_PA, 1001, 1, 1);
	IN(r, F_PA, 1, 1002, .data = RG_LIT("answer"));
	ck_assert_uint_eq(r->n_got, 6);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1002, 7, 0);
	ck_assert_int_eq(dial(r), -EADDRINUSE);
	IN(r, F_FA, 7, 1003);
	rig_expect(r, F_A, 1003, 8, 0);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_CLOSED);
	ck_assert_int_eq(dial(r), -EADDRINUSE); // TIME-WAIT
	IN(r, F_S, 100000, 0);                  // nobody listens there
	rig_expect(r, F_A, 1003, 8, 0);
	rig_wait(r, TCP_LINGER_MS);
	ck_assert_int_eq(dial(r), 0);
	rig_expect(r, F_S, 0, 0, 0);
	tcp_abort(r->t, r->idx, r->now_ns);
	ck_assert_uint_eq(r->n_ended, 2);
	r->n_failed = 1;
	rig_free_clean(r);
}
END_TEST

// The last byte of the peer is its RST: nothing is left that could be mistaken, so no record.
START_TEST(no_record_of_a_client) {
	struct rig *r = rig_dial();

	IN(r, F_SA, 0, 1);
	rig_expect(r, F_A, 1, 1, 0);
	IN(r, F_R, 1, 0);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 0);
	ck_assert_int_eq(dial(r), 0);
	rig_expect(r, F_S, 0, 0, 0);
	tcp_close(r->t, r->idx, r->now_ns);
	r->n_failed = 1;
	rig_free_clean(r);
}
END_TEST

static const struct {
	const char *name;
	bool has_ts;
	struct rg_slice opts;
	uint16_t flags, mss;
	uint8_t wscale;
} agreed[] = {
	{"nothing", false, {0}, 0, 536, 0},
	{"MSS", false, {(const uint8_t *)"\x02\x04\x05\xb4", 4}, 0, 1460, 0},
	{"a larger MSS than ours", false, {(const uint8_t *)"\x02\x04\x23\x00", 4}, 0, 1460, 0},
	{"timestamps", true, {0}, TCP_F_TS, 536 - 12, 0},
	{"all",
	 true,
	 {(const uint8_t *)"\x02\x04\x05\x78\x04\x02\x01\x01\x01\x03\x03\x05", 12},
	 TCP_F_TS | TCP_F_SACK | TCP_F_WSCALE,
	 1400 - 12,
	 5},
};

START_TEST(agreement) {
	struct rig *r = rig_dial();
	uint16_t mask = TCP_F_TS | TCP_F_SACK | TCP_F_WSCALE;

	r->has_ts = agreed[_i].has_ts;
	r->ts_val = 77;
	r->now_ns += 8 * RG_NS_PER_MS;
	IN(r, F_SA, 0, 1, .opts = agreed[_i].opts, .wnd = 6400);
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 1, 0)->s.ts_ecr, r->has_ts ? 77 : 0);
	ck_assert_msg((conn(r)->flags & mask) == agreed[_i].flags, "%s", agreed[_i].name);
	ck_assert_uint_eq(conn(r)->mss, agreed[_i].mss);
	ck_assert_uint_eq(conn(r)->snd_wscale, agreed[_i].wscale);
	ck_assert_uint_eq(tcp_snd_wnd(conn(r)), 6400); // RFC 7323 2.2: not scaled
	ck_assert_uint_eq(conn(r)->srtt, RIG_RTT(8));
	IN(r, F_A, 1, 1, .wnd = 100);
	ck_assert_uint_eq(tcp_snd_wnd(conn(r)), 100u << agreed[_i].wscale);
	rig_send(r, 1);
	ck_assert(rig_expect(r, F_PA, 1, 1, 1)->s.has_ts == r->has_ts);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 2, 1, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(nobody_answers) {
	static const uint32_t gaps[] = {1001, 2001, 4001, 8001, 16001, 32001, 60001, 60001};
	struct rig *r = rig_dial();

	for (unsigned i = 0; i < RIG_LEN(gaps); i++) {
		ck_assert_uint_eq(rig_wait_out(r), gaps[i]);
		rig_expect(r, F_S, 0, 0, 0);
	}
	ck_assert_uint_eq(r->n_ended, 0);
	rig_wait(r, 60001);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_timeout), 1);
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_retransmits), RIG_LEN(gaps));
	rig_failed(r, TCP_END_TIMEOUT);
}
END_TEST

START_TEST(late_answer) {
	struct rig *r = rig_dial();

	rig_wait_out(r);
	rig_expect(r, F_S, 0, 0, 0);
	r->now_ns += (_i == 0 ? 10 : 1500) * RG_NS_PER_MS; // of which SYN nobody knows
	IN(r, F_SA, 0, 1, .opts = RIG_MSS_1460);
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(conn(r)->cwnd, 1460);             // RFC 5681 3.1
	ck_assert_uint_eq(tcp_timer_rto_ms(conn(r)), 3000); // RFC 6298 5.7
	rig_send(r, 1);
	rig_expect(r, F_PA, 1, 1, 1);
	ck_assert_uint_eq(rig_wait_out(r), 3001);
	rig_expect(r, F_PA, 1, 1, 1);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 2, 1, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(late_answer_with_timestamp) {
	struct rig *r = rig_dial();
	uint32_t first = r->ts_ecr;

	rig_wait_out(r);
	rig_expect(r, F_S, 0, 0, 0);
	r->has_ts = true;
	r->ts_ecr = first; // the answer to the first SYN was slow
	IN(r, F_SA, 0, 1);
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(conn(r)->srtt, RIG_RTT(1001));
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1, 1, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(refused) {
	struct rig *r = rig_dial();

	IN(r, F_R, 0, 0); // RFC 9293 3.10.7.3: an RST must acknowledge our SYN
	IN(r, F_RA, 0, 2);
	IN(r, F_RA, 0, 0);
	rig_none(r);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_window), 3);
	IN(r, F_RA, 0, 1);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_reset), 1);
	rig_failed(r, TCP_END_RESET);
}
END_TEST

START_TEST(not_an_answer) {
	struct rig *r = rig_dial();

	for (uint32_t ack = 0; ack < 4; ack += 2) { // of what was not sent
		IN(r, F_SA, 0, ack);
		rig_expect(r, F_R, ack, 0, 0);
		IN(r, F_A, 0, ack);
		rig_expect(r, F_R, ack, 0, 0);
	}
	IN(r, F_A, 1, 1);
	IN(r, F_FA, 1, 1);
	IN(r, F_SA | TCP_FIN, 0, 1);
	IN(r, 0, 1, 0);
	rig_none(r);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_window), 8);
	ck_assert_uint_eq(r->n_opened, 0);
	IN(r, F_SA, 0, 1);
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(r->n_opened, 1);
	IN(r, F_SA, 0, 1); // our ACK was lost: RFC 5961 4.2
	rig_expect(r, F_A, 1, 1, 0);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1, 1, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(given_up) {
	struct rig *r = rig_dial();

	if (_i == 0)
		tcp_abort(r->t, r->idx, r->now_ns);
	else
		tcp_close(r->t, r->idx, r->now_ns);
	IN(r, F_SA, 0, 1); // too late
	rig_expect(r, F_R, 1, 0, 0);
	rig_failed(r, TCP_END_ABORTED);
}
END_TEST

static const struct {
	enum rig_do what;
	uint8_t flags;
	uint32_t seq;
	size_t len;
	unsigned n_ended;
} at_once[] = {
	{DO_SEND, F_PA, 1, 5, 0},   {DO_CLOSE, F_FA, 1, 0, 0},        {DO_ABORT, F_RA, 1, 0, 1},
	{DO_REFUSE, F_RA, 1, 0, 0}, {DO_ABORT_REFUSE, F_RA, 1, 0, 0},
};

START_TEST(inside_opened) {
	struct rig *r = rig_dial();

	r->on_opened = at_once[_i].what;
	IN(r, F_SA, 0, 1);
	rig_expect(r, at_once[_i].flags, at_once[_i].seq, 1, at_once[_i].len);
	rig_none(r); // the first segment carries the ACK
	ck_assert_uint_eq(r->n_ended, at_once[_i].n_ended);
	if (tcp_n_conns(r->t) == 1) {
		tcp_abort(r->t, r->idx, r->now_ns);
		r->n_read = r->n_out = 0;
	}
	rig_free_clean(r);
}
END_TEST

START_TEST(no_place) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.max_conns = 1;
	r = rig_new_cfg(&cfg);
	r->our_port = 50000;
	r->local.ip[15]++;
	ck_assert_int_eq(dial(r), -EADDRNOTAVAIL);
	r->local.ip[15]--;
	ck_assert_int_eq(dial(r), 0);
	rig_expect(r, F_S, 0, 0, 0);
	ck_assert_int_eq(dial(r), -EADDRINUSE);
	r->our_port++;
	ck_assert_int_eq(dial(r), -ENOBUFS);
	r->our_port--;
	IN(r, F_RA, 0, 1);
	rig_failed(r, TCP_END_RESET);
}
END_TEST

// Both SYNs cross. RFC 9293 figure 8.
static struct rig *rig_crossed(void) {
	struct rig *r = rig_dial();

	r->has_ts = true;
	r->ts_val = 500;
	IN(r, F_S, 0, 0, .opts = OPTS_ALL);
	ck_assert_uint_eq(r->n_opened, 0);
	ck_assert_uint_eq(rig_state(r), TCP_SYN_RECEIVED);
	return r;
}

START_TEST(crossing_syns) {
	struct rig *r = rig_crossed();
	const struct rig_seg *q = rig_expect(r, F_SA, 0, 1, 0);

	ck_assert_uint_eq(q->s.mss, 1460);
	ck_assert_uint_eq(q->s.wscale, 3);
	ck_assert(q->s.has_sack_ok && q->s.ts_ecr == 500);
	rig_wait_out(r); // it is lost, or seems so
	rig_expect(r, F_SA, 0, 1, 0);
	if (_i == 0) {
		IN(r, F_SA, 0, 1, .opts = OPTS_ALL, .wnd = 3200);
		rig_expect(r, F_A, 1, 1, 0);
		ck_assert_uint_eq(tcp_snd_wnd(conn(r)), 3200);
	} else {
		IN(r, F_PA, 1, 1, .data = RG_LIT("abc"));
		ck_assert_uint_eq(r->n_got, 3);
	}
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert_uint_eq(conn(r)->mss, 1388);
	rig_none(r);
	tcp_abort(r->t, r->idx, r->now_ns);
	r->n_read = r->n_out = 0;
	rig_free_clean(r);
}
END_TEST

START_TEST(crossing_goes_wrong) {
	struct rig *r = rig_crossed();

	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 2); // not what we sent
	rig_expect(r, F_R, 2, 0, 0);
	IN(r, F_S, 0, 0); // once more: RFC 9293 3.10.7.4, fourth
	rig_expect(r, F_A, 1, 1, 0);
	IN(r, F_SA, 1, 1); // not its SYN
	rig_expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(r->n_opened, 0);
	if (_i == 0) {
		IN(r, F_R, 1, 0);
		rig_failed(r, TCP_END_RESET);
		return;
	}
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1, 1, 0);
	rig_failed(r, TCP_END_ABORTED);
}
END_TEST

// Numbers of the same 4-tuple rise with time; those of two say nothing about each other.
START_TEST(initial_numbers) {
	struct rig *r = rig_dial();
	uint32_t first = r->iss, other;

	tcp_abort(r->t, r->idx, r->now_ns);
	r->our_port++;
	ck_assert_int_eq(dial(r), 0);
	rig_expect(r, F_S, 0, 0, 0);
	other = r->iss;
	ck_assert(other - first > 1000 && first - other > 1000);
	tcp_abort(r->t, r->idx, r->now_ns);
	r->our_port--;
	r->now_ns += 4096 * 1000;
	ck_assert_int_eq(dial(r), 0);
	rig_expect(r, F_S, 0, 0, 0);
	ck_assert_uint_eq(r->iss - first, 1000);
	tcp_abort(r->t, r->idx, r->now_ns);
	r->n_failed = 3;
	rig_free_clean(r);
}
END_TEST

START_TEST(nobody_listens) {
	struct rig *r = rig_dial();

	for (unsigned port = 0; port < 2; port++) {
		r->our_port = (uint16_t)port;
		IN(r, F_S, 0, 0);
		rig_expect(r, F_RA, -r->iss, 1, 0);
		IN(r, F_A, 1, 1);
		rig_expect(r, F_R, 1, 0, 0);
	}
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_port), 4);
	r->our_port = 50000;
	IN(r, F_RA, 0, 1);
	rig_failed(r, TCP_END_RESET);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(dialogue),
		RIG_CASE(no_record_of_a_client),
		RIG_ROWS(agreement, RIG_LEN(agreed)),
		RIG_CASE(nobody_answers),
		RIG_ROWS(late_answer, 2),
		RIG_CASE(late_answer_with_timestamp),
		RIG_CASE(refused),
		RIG_CASE(not_an_answer),
		RIG_ROWS(given_up, 2),
		RIG_ROWS(inside_opened, RIG_LEN(at_once)),
		RIG_CASE(no_place),
		RIG_ROWS(crossing_syns, 2),
		RIG_ROWS(crossing_goes_wrong, 2),
		RIG_CASE(initial_numbers),
		RIG_CASE(nobody_listens),
	};

	return rig_main("tcp_open", cases, RIG_LEN(cases));
}
