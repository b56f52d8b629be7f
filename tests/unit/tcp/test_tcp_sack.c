// SPDX-License-Identifier: BSD-3-Clause
// SACK (RFC 2018): what we report, also twice (RFC 2883), and what we make of reports (RFC 6675).
#include "tcp_rig.h"

#define MSS 1460u

static struct tcp_conn *conn(struct rig *r) {
	return &r->t->conns[r->idx];
}

static struct rig *rig_sack(void) {
	struct rig *r = rig_new();

	rig_open_opts(r, RG_LIT("\x02\x04\x05\xb4\x01\x01\x04\x02"));
	ck_assert_uint_eq(r->n_opened, 1);
	return r;
}

// An ACK with blocks, in segments of ours: ack, then from and to of each block.
static void sack(struct rig *r, uint32_t ack, unsigned n, const uint32_t *seg) {
	uint8_t b[40];
	struct rg_wr w = rg_wr(b, sizeof(b));

	rg_put_be(&w, 0x01010502 + 8 * n, 4);
	for (unsigned i = 0; i < 2 * n; i++)
		rg_put_be(&w, r->iss + 1 + seg[i] * MSS, 4);
	IN(r, F_A, 1, 1 + ack * MSS, .opts = rg_wr_slice(&w));
}

#define SACK(r, ack, ...) \
	sack(r, ack, sizeof((uint32_t[]){__VA_ARGS__}) / 8, (const uint32_t[]){__VA_ARGS__})

// Sends n full segments, which the window allows.
static void send_full(struct rig *r, unsigned n) {
	rig_send(r, n * MSS);
	for (unsigned i = 0; i < n; i++)
		rig_expect(r, i + 1 < n ? F_A : F_PA, 1 + i * MSS, 1, MSS);
	rig_none(r);
}

static void expect_seg(struct rig *r, uint32_t seg) {
	rig_expect(r, F_A, 1 + seg * MSS, 1, MSS);
}

// Blocks of what was sent, relative to the peer's first byte: from, to, from, to.
static void expect_blocks(struct rig *r, uint32_t ack, unsigned n, const uint32_t *want) {
	const struct rig_seg *q = rig_expect(r, F_A, 1, ack, 0);

	ck_assert_uint_eq(q->s.n_sack, n);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(q->s.sack[i].seq - r->peer_isn, want[2 * i]);
		ck_assert_uint_eq(q->s.sack[i].end - r->peer_isn, want[2 * i + 1]);
	}
}

#define BLOCKS(r, ack, ...)                                          \
	expect_blocks(r, ack, sizeof((uint32_t[]){__VA_ARGS__}) / 8, \
		      (const uint32_t[]){__VA_ARGS__})

START_TEST(negotiated) {
	struct rig *r = rig_new();

	IN(r, F_S, 0, 0, .opts = RG_LIT("\x01\x01\x04\x02"));
	ck_assert(rig_expect(r, F_SA, 0, 1, 0)->s.has_sack_ok);
	IN(r, F_S, 0, 0);
	ck_assert(!rig_expect(r, F_SA, 0, 1, 0)->s.has_sack_ok);
	IN(r, F_A, 1, 1);
	IN(r, F_A, 4, 1, .data = RG_LIT("def"));
	ck_assert_uint_eq(rig_expect(r, F_A, 1, 1, 0)->s.n_sack, 0); // not offered
	rig_free(r);
}
END_TEST

// RFC 2018 section 4: the block that grew last comes first, then those before it.
START_TEST(blocks) {
	struct rig *r = rig_sack();

	IN(r, F_A, 10, 1, .data = RG_LIT("ab"));
	BLOCKS(r, 1, 10, 12);
	IN(r, F_A, 30, 1, .data = RG_LIT("ab"));
	BLOCKS(r, 1, 30, 32, 10, 12);
	IN(r, F_A, 20, 1, .data = RG_LIT("ab"));
	BLOCKS(r, 1, 20, 22, 30, 32, 10, 12);
	IN(r, F_A, 12, 1, .data = RG_LIT("ab"));
	BLOCKS(r, 1, 10, 14, 20, 22, 30, 32);
	IN(r, F_A, 40, 1, .data = RG_LIT("ab"));
	BLOCKS(r, 1, 40, 42, 10, 14, 20, 22, 30, 32);
	IN(r, F_A, 50, 1, .data = RG_LIT("ab"));
	BLOCKS(r, 1, 50, 52, 40, 42, 10, 14, 20, 22);
	IN(r, F_A, 14, 1, .data = RG_LIT("abcdef"));
	BLOCKS(r, 1, 10, 22, 50, 52, 40, 42, 30, 32);
	IN(r, F_A, 1, 1, .data = RG_LIT("abcdefghi"));
	BLOCKS(r, 22, 50, 52, 40, 42, 30, 32);
	rig_send(r, 10);
	ck_assert_uint_eq(rig_expect(r, F_PA, 1, 22, 10)->s.n_sack, 3); // there is room
	rig_send(r, MSS);
	ck_assert_uint_eq(rig_expect(r, F_PA, 11, 22, MSS)->s.n_sack, 0); // there is none
	rig_free(r);
}
END_TEST

START_TEST(three_blocks_beside_a_timestamp) {
	struct rig *r = rig_new();

	r->has_ts = true;
	rig_open_opts(r, RG_LIT("\x01\x01\x04\x02"));
	for (unsigned i = 0; i < 4; i++) {
		IN(r, F_A, 10 + 10 * i, 1, .data = RG_LIT("ab"));
		ck_assert_uint_eq(rig_expect(r, F_A, 1, 1, 0)->s.n_sack, i < 3 ? i + 1 : 3);
	}
	rig_free(r);
}
END_TEST

// RFC 2883 section 4: duplicates, below the ACK, in a hole's neighbour, and in part.
START_TEST(duplicates) {
	struct rig *r = rig_sack();

	IN(r, F_A, 1, 1, .data = RG_LIT("abc"));
	IN(r, F_A, 1, 1, .data = RG_LIT("abc"));
	BLOCKS(r, 4, 1, 4);
	IN(r, F_A, 10, 1, .data = RG_LIT("abcdef"));
	BLOCKS(r, 4, 10, 16);
	IN(r, F_A, 20, 1, .data = RG_LIT("ab"));
	BLOCKS(r, 4, 20, 22, 10, 16);
	IN(r, F_A, 12, 1, .data = RG_LIT("cd"));
	BLOCKS(r, 4, 12, 14, 10, 16, 20, 22);
	IN(r, F_A, 2, 1, .data = RG_LIT("bcd"));
	BLOCKS(r, 5, 2, 4, 10, 16, 20, 22);
	IN(r, F_A, 14, 1, .data = RG_LIT("efgh"));
	BLOCKS(r, 5, 14, 16, 10, 18, 20, 22);
	rig_none(r);
	rig_free(r);
}
END_TEST

// Three discontiguous reports, or more than two segments' bytes: what is below them is lost.
START_TEST(recovery) {
	struct rig *r = rig_sack();

	send_full(r, 10); // 0, 3 and 9 get lost
	SACK(r, 0, 1, 2);
	SACK(r, 0, 1, 3);
	rig_none(r);
	ck_assert_uint_eq(conn(r)->flags & TCP_F_RECOVERY, 0);
	SACK(r, 0, 4, 5, 1, 3);
	expect_seg(r, 0);
	ck_assert_uint_ne(conn(r)->flags & TCP_F_RECOVERY, 0);
	ck_assert_uint_eq(conn(r)->ssthresh, 5 * MSS);
	ck_assert_uint_eq(conn(r)->cwnd, 5 * MSS);
	rig_none(r); // 3, 5 to 9 may be on their way, and 0 again: 7 of 5
	SACK(r, 0, 4, 6, 1, 3);
	rig_none(r); // 6 of 5
	SACK(r, 0, 4, 7, 1, 3);
	expect_seg(r, 3); // more than two above it: lost; 0, 7, 8, 9 are out
	rig_none(r);
	SACK(r, 0, 4, 8, 1, 3);
	expect_seg(r, 9); // nothing else is left: rule 4
	SACK(r, 0, 4, 9, 1, 3);
	rig_none(r); // but only once
	SACK(r, 3, 4, 9);
	rig_none(r);
	IN(r, F_A, 1, 1 + 9 * MSS);
	ck_assert_uint_ne(conn(r)->flags & TCP_F_RECOVERY, 0);
	IN(r, F_A, 1, 1 + 10 * MSS);
	ck_assert_uint_eq(conn(r)->flags & TCP_F_RECOVERY, 0);
	ck_assert_uint_le(conn(r)->cwnd, 5 * MSS);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	ck_assert_uint_eq(rig_stat(r, RG_STAT_tcp_retransmits), 3);
	rig_free(r);
}
END_TEST

// Too few bytes to say that something is lost, but three reports do.
START_TEST(small_segments) {
	struct rig *r = rig_sack();

	for (unsigned i = 0; i < 5; i++) {
		rig_send(r, 10);
		rig_expect(r, F_PA, 1 + 10 * i, 1, 10);
	}
	for (uint32_t i = 1; i < 4; i++) {
		uint32_t from = htonl(r->iss + 11), to = htonl(r->iss + 11 + 10 * i);
		uint8_t b[12] = {1, 1, 5, 10};

		memcpy(b + 4, &from, 4);
		memcpy(b + 8, &to, 4);
		rig_none(r);
		IN(r, F_A, 1, 1, .opts = rg_slice(b, 12));
	}
	rig_expect(r, F_A, 1, 1, 10); // no more than the hole
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

// Of two segments that answer, the first reports the duplicate.
START_TEST(duplicate_is_reported_once) {
	struct rig *r = rig_sack();

	rig_send(r, 10);
	rig_expect(r, F_PA, 1, 1, 10);
	IN(r, F_A, 1, 1, .data = RG_LIT("abc"));
	r->on_sent = r->on_data = DO_SEND;
	IN(r, F_A, 2, 11, .data = RG_LIT("bcd"));
	ck_assert_uint_eq(rig_expect(r, F_PA, 11, 4, 5)->s.n_sack, 1);
	ck_assert_uint_eq(rig_expect(r, F_PA, 16, 5, 5)->s.n_sack, 0);
	rig_none(r);
	rig_free(r);
}
END_TEST

START_TEST(new_data) {
	struct rig *r = rig_sack();

	rig_send(r, 30 * MSS);
	for (unsigned i = 0; i < 10; i++)
		expect_seg(r, i);
	SACK(r, 0, 1, 2); // one has left the network, one may follow (RFC 3042)
	expect_seg(r, 10);
	SACK(r, 0, 1, 3);
	expect_seg(r, 11);
	SACK(r, 0, 1, 4);
	expect_seg(r, 0);
	for (unsigned i = 0; i < 4; i++) {
		SACK(r, 0, 1, 5 + i);
		rig_none(r);
	}
	SACK(r, 0, 1, 9); // 9, 10, 11 and 0: room for one
	expect_seg(r, 12);
	rig_none(r);
	SACK(r, 0, 1, 9); // no news
	rig_none(r);
	SACK(r, 11, 12, 13); // 11 is missing, but not yet lost
	for (unsigned i = 13; i < 17; i++)
		expect_seg(r, i);
	rig_none(r);
	IN(r, F_A, 1, 1 + 13 * MSS);
	ck_assert_uint_eq(conn(r)->flags & TCP_F_RECOVERY, 0);
	r->n_read = r->n_out;
	rig_free(r);
}
END_TEST

// A time-out forgets the reports, and then believes new ones.
START_TEST(timeout) {
	struct rig *r = rig_sack();

	send_full(r, 10);
	SACK(r, 0, 5, 10);
	for (unsigned i = 0; i < 5; i++)
		expect_seg(r, i);
	ck_assert_uint_ne(conn(r)->board, TCP_NIL);
	rig_wait_out(r);
	expect_seg(r, 0);
	ck_assert_uint_eq(conn(r)->board, TCP_NIL);
	SACK(r, 1, 5, 9);
	expect_seg(r, 1);
	expect_seg(r, 2);
	SACK(r, 2, 5, 10);
	ck_assert_uint_eq(conn(r)->flags & TCP_F_RECOVERY, 0); // RFC 6675 5.1
	expect_seg(r, 3);
	expect_seg(r, 4);
	rig_none(r); // 5 to 9 are there
	IN(r, F_A, 1, 1 + 10 * MSS);
	ck_assert_uint_eq(rig_wait_out(r), UINT32_MAX);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	rig_free(r);
}
END_TEST

// The peer threw away what it had reported (RFC 2018 section 8).
START_TEST(reneging) {
	struct rig *r = rig_sack();

	send_full(r, 3);
	SACK(r, 0, 1, 3);
	rig_wait_out(r);
	expect_seg(r, 0);
	IN(r, F_A, 1, 1 + MSS);
	expect_seg(r, 1);
	rig_expect(r, F_PA, 1 + 2 * MSS, 1, MSS);
	IN(r, F_A, 1, 1 + 3 * MSS);
	ck_assert_uint_eq(conn(r)->q.len, 0);
	rig_free(r);
}
END_TEST

START_TEST(useless_blocks) {
	struct rig *r = rig_sack();

	send_full(r, 10);
	IN(r, F_A, 1, 1 + 4 * MSS);
	SACK(r, 4, 0, 2);       // a duplicate
	SACK(r, 4, 5, 6, 5, 9); // the same, in a block: of the two only the second counts
	ck_assert_uint_eq(conn(r)->n_dupacks, 1); // and it is enough on its own
	ck_assert_uint_ne(conn(r)->flags & TCP_F_RECOVERY, 0);
	r->n_read = r->n_out = 0;
	IN(r, F_A, 1, 1 + 10 * MSS);
	ck_assert_uint_eq(conn(r)->board, TCP_NIL);
	rig_send(r, 10 * MSS);
	r->n_read = r->n_out = 0;
	SACK(r, 10, 8, 12, 12, 11, 18, 30, 12, 12); // old in part, the wrong way, never sent, empty
	ck_assert_uint_eq(conn(r)->board, TCP_NIL);
	rig_none(r);
	rig_free(r);
}
END_TEST

// A peer that reports single bytes, more of them than the scoreboard holds.
START_TEST(very_many_blocks) {
	struct rig *r = rig_sack();

	send_full(r, 10);
	memset(tcp_pool_mem(&r->t->pool, 9), 0xee, TCP_CHUNK_BYTES); // behind the scoreboard
	for (uint32_t i = 0; i < 1200; i++) {
		uint32_t at = r->iss + 3000 + (i * 7919 % 1200) * 4;
		uint8_t b[12] = {1, 1, 5, 10};

		for (unsigned k = 0; k < 4; k++) {
			b[4 + k] = (uint8_t)(at >> (24 - 8 * k));
			b[8 + k] = (uint8_t)((at + 1) >> (24 - 8 * k));
		}
		IN(r, F_A, 1, 1, .opts = rg_slice(b, 12));
		ck_assert_uint_le(tcp_sack_pipe(r->t, conn(r)), 20 * MSS);
		r->n_read = r->n_out = 0;
	}
	ck_assert_uint_eq(conn(r)->board, 8);
	for (unsigned i = 0; i < TCP_CHUNK_BYTES; i++)
		ck_assert(tcp_pool_mem(&r->t->pool, 9)[i] == 0xee);
	IN(r, F_A, 1, 1 + 10 * MSS);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), r->cfg.n_buffers);
	rig_free(r);
}
END_TEST

START_TEST(no_chunk_for_a_scoreboard) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.n_buffers = 8;
	cfg.max_conns = 1;
	r = rig_new_cfg(&cfg);
	rig_open_opts(r, RG_LIT("\x02\x04\x05\xb4\x01\x01\x04\x02"));
	rig_send(r, 8 * TCP_CHUNK_BYTES);
	for (unsigned i = 0; i < 10; i++)
		expect_seg(r, i);
	for (unsigned i = 2; i < 9; i++)
		SACK(r, 0, 1, i);
	rig_none(r);
	ck_assert_uint_le(rig_wait_out(r), 202);
	expect_seg(r, 0);
	rig_free(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(negotiated),
		RIG_CASE(blocks),
		RIG_CASE(three_blocks_beside_a_timestamp),
		RIG_CASE(duplicates),
		RIG_CASE(recovery),
		RIG_CASE(small_segments),
		RIG_CASE(duplicate_is_reported_once),
		RIG_CASE(new_data),
		RIG_CASE(timeout),
		RIG_CASE(reneging),
		RIG_CASE(useless_blocks),
		RIG_CASE(very_many_blocks),
		RIG_CASE(no_chunk_for_a_scoreboard),
	};

	return rig_main("tcp_sack", cases, RIG_LEN(cases));
}
