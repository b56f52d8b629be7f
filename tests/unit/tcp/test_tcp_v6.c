// SPDX-License-Identifier: BSD-3-Clause
// Whole dialogues over IPv4 and IPv6: sizes of segments, addresses, cookies, TIME-WAIT.
#include "tcp_rig.h"

static const struct {
	bool is_v6;
	uint16_t mss, mss_default;
} families[] = {{false, 1460, 536}, {true, 1440, 1220}};

static struct rig *rig_of(int i) {
	struct rig *r = rig_new();

	if (families[i].is_v6)
		rig_go_v6(r);
	return r;
}

static const struct rig_seg *expect(struct rig *r, uint8_t flags, uint32_t seq, uint32_t ack,
				    size_t len) {
	const struct rig_seg *q = rig_expect(r, flags, seq, ack, len);

	ck_assert_mem_eq(q->src.ip, r->local.ip, 16);
	ck_assert_mem_eq(q->dst.ip, r->peer.ip, 16);
	ck_assert_uint_eq(q->src.port, r->our_port);
	ck_assert_uint_eq(q->dst.port, r->peer_port);
	return q;
}

START_TEST(served) {
	struct rig *r = rig_of(_i);
	uint16_t mss = families[_i].mss_default;

	IN(r, F_S, 0, 0);
	ck_assert_uint_eq(expect(r, F_SA, 0, 1, 0)->s.mss, families[_i].mss);
	IN(r, F_PA, 1, 1, .data = RG_LIT("hello"));
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert_uint_eq(r->n_got, 5);
	ck_assert_mem_eq(tcp_peer(r->t, r->idx)->ip, r->peer.ip, 16);
	rig_send(r, mss + 1u);
	expect(r, F_A, 1, 6, mss);
	expect(r, F_PA, mss + 1u, 6, 1);
	ck_assert_uint_eq(rig_wait_out(r), 1001);
	expect(r, F_A, 1, 6, mss);
	IN(r, F_A, 6, mss + 2u);
	tcp_close(r->t, r->idx, r->now_ns);
	expect(r, F_FA, mss + 2u, 6, 0);
	IN(r, F_FA, 6, mss + 3u);
	expect(r, F_A, mss + 3u, 7, 0);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 1);
	IN(r, F_FA, 6, mss + 3u); // our ACK was lost
	expect(r, F_A, mss + 3u, 7, 0);
	r->peer_isn += 70000;
	IN(r, F_S, 0, 0); // RFC 6191
	expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 2);
	ck_assert_uint_eq(tcp_n_time_wait(r->t), 0);
	tcp_abort(r->t, r->idx, r->now_ns);
	expect(r, F_RA, 1, 1, 0);
	r->peer_port++;
	IN(r, F_A, 1, 1);
	expect(r, F_R, 1, 0, 0);
	rig_free_clean(r);
}
END_TEST

START_TEST(called) {
	struct rig *r = rig_of(_i);
	struct rg_addr local = r->local, peer = r->peer;

	r->our_port = local.port = 50000;
	peer.port = r->peer_port;
	ck_assert_int_eq(tcp_connect(r->t, &local, &peer, (const uint8_t[6]){1}, r->now_ns,
				     &r->idx),
			 0);
	ck_assert_uint_eq(expect(r, F_S, 0, 0, 0)->s.mss, families[_i].mss);
	IN(r, F_SA, 0, 1);
	expect(r, F_A, 1, 1, 0);
	ck_assert_uint_eq(r->t->conns[r->idx].mss, families[_i].mss_default);
	tcp_abort(r->t, r->idx, r->now_ns);
	expect(r, F_RA, 1, 1, 0);
	rig_free_clean(r);
}
END_TEST

// What the peer takes, and what comes of it.
static const struct {
	struct rg_slice opts;
	uint16_t mss;
} named[] = {
	{{(const uint8_t *)"\x02\x04\x05\xb4", 4}, 1440},
	{{(const uint8_t *)"\x02\x04\x05\xa0", 4}, 1440},
	{{(const uint8_t *)"\x02\x04\x04\xc4", 4}, 1220},
	{{(const uint8_t *)"\x02\x04\x23\x00", 4}, 1440},
	{{0}, 1220},
};

START_TEST(segment_size) {
	struct rig *r = rig_of(1);

	rig_open_opts(r, named[_i].opts);
	ck_assert_uint_eq(r->t->conns[r->idx].mss, named[_i].mss);
	tcp_abort(r->t, r->idx, r->now_ns);
	expect(r, F_RA, 1, 1, 0);
	rig_free_clean(r);
}
END_TEST

// The same ports over both are two connections; the cookie of one opens no other.
START_TEST(apart) {
	struct rig *r = rig_of(0);
	uint32_t first;

	IN(r, F_S, 0, 0);
	rig_expect(r, F_SA, 0, 1, 0);
	rig_go_v6(r);
	IN(r, F_A, 1, 1);
	expect(r, F_R, 1, 0, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_cookie), 1);
	IN(r, F_S, 0, 0);
	expect(r, F_SA, 0, 1, 0);
	r->peer.ip[7] ^= 1; // another network's host of the same number
	IN(r, F_A, 1, 1);
	expect(r, F_R, 1, 0, 0);
	r->peer.ip[7] ^= 1;
	IN(r, F_A, 1, 1);
	ck_assert_uint_eq(r->n_opened, 1);
	first = r->idx;
	r->local = rig_locals[0];
	r->peer = rg_addr_v4(htonl(0x0a000001), 0);
	rig_open_opts(r, RIG_MSS_1460);
	ck_assert_uint_eq(r->n_opened, 2);
	ck_assert_uint_ne(r->idx, first);
	tcp_abort(r->t, r->idx, r->now_ns);
	expect(r, F_RA, 1, 1, 0);
	ck_assert(tcp_is_open(r->t, first));
	tcp_abort(r->t, first, r->now_ns);
	r->n_read = r->n_out = 0;
	rig_free_clean(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_ROWS(served, 2),
		RIG_ROWS(called, 2),
		RIG_ROWS(segment_size, RIG_LEN(named)),
		RIG_CASE(apart),
	};

	return rig_main("tcp_v6", cases, RIG_LEN(cases));
}
