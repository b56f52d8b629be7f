// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors: which are believed, smaller segments for a narrow path, unreachable peers.
#include "tcp_rig.h"

static struct tcp_conn *conn(struct rig *r) {
	return &r->t->conns[r->idx];
}

// About the segment that began at seq.
static void tell(struct rig *r, enum tcp_icmp kind, uint32_t mtu, uint32_t seq) {
	struct tcp_error e = {
		.kind = kind, .mtu = mtu, .local = r->local, .peer = r->peer, .seq = r->iss + seq};

	e.local.port = r->our_port;
	e.peer.port = r->peer_port;
	tcp_icmp_error(r->t, &e, r->now_ns);
}

START_TEST(narrow_path) {
	struct rig *r = rig_new();
	uint32_t cwnd;

	rig_open(r);
	cwnd = conn(r)->cwnd;
	rig_send(r, 4000);
	rig_expect(r, F_A, 1, 1, 1460);
	rig_expect(r, F_A, 1461, 1, 1460);
	rig_expect(r, F_PA, 2921, 1, 1080);
	IN(r, F_A, 1, 1461); // one router knew a longer way
	tell(r, TCP_ICMP_TOO_BIG, 1400, 1461);
	rig_expect(r, F_A, 1461, 1, 1360);
	rig_expect(r, F_PA, 2821, 1, 1180);
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_path_mtu), 1);
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_retransmits), 2);
	ck_assert_uint_ge(conn(r)->cwnd, cwnd);
	ck_assert_uint_eq(conn(r)->n_retries, 0);
	tell(r, TCP_ICMP_TOO_BIG, 1400, 1461); // the others of the same burst
	tell(r, TCP_ICMP_TOO_BIG, 1401, 1461);
	tell(r, TCP_ICMP_TOO_BIG, 9000, 1461); // never up
	rig_none(r);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_icmp), 3);
	IN(r, F_A, 1, 4001);
	rig_send(r, 1361);
	rig_expect(r, F_A, 4001, 1, 1360);
	rig_expect(r, F_PA, 5361, 1, 1);
	IN(r, F_A, 1, 5362);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 5362, 1, 0);
	rig_free_clean(r);
}
END_TEST

// What the timer would have sent again once more is still there, and lost again it is sent again.
START_TEST(narrow_path_and_loss) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 1460);
	rig_expect(r, F_PA, 1, 1, 1460);
	tell(r, TCP_ICMP_TOO_BIG, 1000, 1);
	rig_expect(r, F_A, 1, 1, 960);
	rig_expect(r, F_PA, 961, 1, 500);
	ck_assert_uint_eq(rig_wait_out(r), 201);
	rig_expect(r, F_A, 1, 1, 960);
	IN(r, F_A, 1, 961);
	rig_expect(r, F_PA, 961, 1, 500);
	IN(r, F_A, 1, 1461);
	tcp_close(r->t, r->idx, r->now_ns);
	rig_expect(r, F_FA, 1461, 1, 0);
	tell(r, TCP_ICMP_TOO_BIG, 900, 1461); // of a FIN: strange, but it is in flight
	rig_expect(r, F_FA, 1461, 1, 0);
	IN(r, F_FA, 1, 1462);
	rig_expect(r, F_A, 1462, 2, 0);
	rig_free_clean(r);
}
END_TEST

static const struct {
	const char *name;
	bool is_v6, has_ts;
	uint32_t mtu;
	uint16_t mss;
} floors[] = {
	{"IPv4", false, false, 1400, 1360},
	{"IPv4 floor", false, false, 552, 512},
	{"below it", false, false, 68, 512},
	{"IPv4, timestamps", false, true, 1400, 1348},
	{"IPv4 floor, timestamps", false, true, 100, 500},
	{"old router", false, false, 0, 984},
	{"IPv6", true, false, 1400, 1340},
	{"IPv6 floor", true, false, 1280, 1220},
	{"below it", true, false, 1279, 1220},
	{"IPv6, timestamps", true, true, 1, 1208},
	{"IPv6, old router", true, false, 0, 1220},
};

START_TEST(floor_of_mtu) {
	struct rig *r = rig_new();

	if (floors[_i].is_v6)
		rig_go_v6(r);
	r->has_ts = floors[_i].has_ts;
	rig_open(r);
	rig_send(r, 1);
	rig_expect(r, F_PA, 1, 1, 1);
	tell(r, TCP_ICMP_TOO_BIG, floors[_i].mtu, 1);
	rig_expect(r, F_PA, 1, 1, 1);
	ck_assert_msg(conn(r)->mss == floors[_i].mss, "%s: %u", floors[_i].name, conn(r)->mss);
	r->has_ts = false;
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 2, 1, 0);
	rig_free_clean(r);
}
END_TEST

// RFC 5927 4.1: only what is in flight; and only of this connection.
START_TEST(forged) {
	static const uint32_t seqs[] = {0, 1, 1461, 1u << 31, 2921, 100000};
	struct rig *r = rig_new();
	uint16_t port = r->peer_port;

	rig_open(r);
	tell(r, TCP_ICMP_TOO_BIG, 600, 1); // nothing is
	rig_send(r, 2920);
	rig_expect(r, F_A, 1, 1, 1460);
	rig_expect(r, F_PA, 1461, 1, 1460);
	IN(r, F_A, 1, 1461);
	for (unsigned i = 0; i < RIG_LEN(seqs); i++)
		if (seqs[i] != 1461)
			tell(r, TCP_ICMP_TOO_BIG, 600, seqs[i]);
	r->peer_port++;
	tell(r, TCP_ICMP_TOO_BIG, 600, 1461);
	r->peer_port = port;
	rig_none(r);
	ck_assert_uint_eq(conn(r)->mss, 1460);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_icmp), 7);
	tell(r, TCP_ICMP_HARD, 0, 1461); // RFC 5461: no reason to end what stands
	tell(r, TCP_ICMP_SOFT, 0, 1461);
	ck_assert_uint_eq(r->n_ended, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_icmp), 9);
	tell(r, TCP_ICMP_TOO_BIG, 600, 2920); // the last byte in flight
	ck_assert_uint_eq(conn(r)->mss, 560);
	r->n_read = r->n_out = 0;
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 2921, 1, 0);
	rig_free_clean(r);
}
END_TEST

// What the peer has said it has is not sent again, and recovery ends.
START_TEST(with_a_scoreboard) {
	struct rig *r = rig_new();
	uint8_t block[12] = {1, 1, 5, 10};
	struct rg_wr w = rg_wr(block + 4, 8);

	rig_open_opts(r, RG_LIT("\x02\x04\x05\xb4\x04\x02\x01\x01"));
	rig_send(r, 5 * 1460);
	r->n_read = r->n_out = 0;
	rg_put_be(&w, r->iss + 1461, 4);
	rg_put_be(&w, r->iss + 1 + 4 * 1460, 4);
	IN(r, F_A, 1, 1, .opts = rg_slice(block, 12));
	rig_expect(r, F_A, 1, 1, 1460); // recovery
	ck_assert((conn(r)->flags & TCP_F_RECOVERY) != 0);
	tell(r, TCP_ICMP_TOO_BIG, 1400, 1);
	rig_expect(r, F_A, 1, 1, 1360);
	rig_expect(r, F_A, 1361, 1, 100);
	rig_expect(r, F_A, 1 + 4 * 1460, 1, 1360);
	rig_expect(r, F_PA, 1 + 4 * 1460 + 1360, 1, 100);
	rig_none(r);
	ck_assert((conn(r)->flags & TCP_F_RECOVERY) == 0);
	IN(r, F_A, 1, 1 + 5 * 1460);
	ck_assert_uint_eq(conn(r)->board, TCP_NIL);
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1 + 5 * 1460, 1, 0);
	rig_free_clean(r);
}
END_TEST

// What duplicate ACKs added to the window is no window.
START_TEST(in_fast_recovery) {
	struct rig *r = rig_new();

	rig_open(r);
	rig_send(r, 6 * 1460);
	r->n_read = r->n_out = 0;
	for (unsigned i = 0; i < 4; i++)
		IN(r, F_A, 1, 1);
	r->n_read = r->n_out = 0;
	ck_assert_uint_eq(conn(r)->cwnd, 3 * 1460 + 4 * 1460);
	tell(r, TCP_ICMP_TOO_BIG, 1400, 1);
	ck_assert_uint_eq(conn(r)->cwnd, 3 * 1460);
	rig_expect(r, F_A, 1, 1, 1360);
	rig_expect(r, F_A, 1361, 1, 1360);
	rig_expect(r, F_A, 2721, 1, 1360);
	rig_expect(r, F_A, 4081, 1, 300);
	tcp_abort(r->t, r->idx, r->now_ns);
	r->n_read = r->n_out = 0;
	rig_free_clean(r);
}
END_TEST

START_TEST(window_probe_is_left_alone) {
	struct rig *r = rig_new();

	rig_open(r);
	IN(r, F_A, 1, 1, .wnd_zero = true);
	rig_send(r, 3000);
	rig_wait_out(r);
	rig_expect(r, F_PA, 1, 1, 1);
	tell(r, TCP_ICMP_TOO_BIG, 1000, 1);
	rig_none(r);
	ck_assert_uint_eq(conn(r)->n_backoff, 1);
	ck_assert_uint_eq(conn(r)->mss, 960);
	IN(r, F_A, 1, 2);
	rig_expect(r, F_A, 2, 1, 960);
	r->n_read = r->n_out = 0;
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 3001, 1, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(called_in_vain) {
	struct rig *r = rig_new();
	struct rg_addr local = r->local, peer = r->peer;

	r->our_port = local.port = 50000;
	peer.port = r->peer_port;
	ck_assert_int_eq(tcp_connect(r->t, &local, &peer, (const uint8_t[6]){1}, r->now_ns,
				     &r->idx),
			 0);
	rig_expect(r, F_S, 0, 0, 0);
	tell(r, TCP_ICMP_SOFT, 0, 0);
	tell(r, TCP_ICMP_TOO_BIG, 600, 0);
	tell(r, TCP_ICMP_HARD, 0, 1);
	ck_assert_uint_eq(r->n_ended, 0);
	if (_i >= 1) { // both SYNs crossed
		IN(r, F_S, 0, 0, .opts = RIG_MSS_1460);
		rig_expect(r, F_SA, 0, 1, 0);
		tell(r, TCP_ICMP_TOO_BIG, 600, 0);
		ck_assert_uint_eq(conn(r)->mss, 560);
	}
	if (_i == 2) { // and more
		IN(r, F_A, 1, 1);
		ck_assert_uint_eq(r->n_opened, 1);
		tcp_abort(r->t, r->idx, r->now_ns);
		rig_expect(r, F_RA, 1, 1, 0);
		rig_free_clean(r);
		return;
	}
	tell(r, TCP_ICMP_HARD, 0, 0);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_int_eq(r->why, TCP_END_UNREACHABLE);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_unreachable), 1);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_icmp), 3);
	r->n_failed = 1;
	rig_free_clean(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(narrow_path),
		RIG_CASE(narrow_path_and_loss),
		RIG_ROWS(floor_of_mtu, RIG_LEN(floors)),
		RIG_CASE(forged),
		RIG_CASE(with_a_scoreboard),
		RIG_CASE(in_fast_recovery),
		RIG_CASE(window_probe_is_left_alone),
		RIG_ROWS(called_in_vain, 3),
	};

	return rig_main("tcp_icmp", cases, RIG_LEN(cases));
}
