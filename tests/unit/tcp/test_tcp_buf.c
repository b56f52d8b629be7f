// SPDX-License-Identifier: BSD-3-Clause
// Chunk pool and send queue, against a flat array.
#include "tcp_rig.h"

START_TEST(pool) {
	struct tcp_pool p;
	uint32_t got[5];

	ck_assert_int_eq(tcp_pool_init(&p, 5), 0);
	for (unsigned i = 0; i < 5; i++) {
		got[i] = tcp_pool_take(&p);
		ck_assert_uint_lt(got[i], 5);
		for (unsigned k = 0; k < i; k++)
			ck_assert_uint_ne(got[i], got[k]);
	}
	ck_assert_uint_eq(tcp_pool_take(&p), TCP_NIL);
	ck_assert_uint_eq(p.n_free, 0);
	tcp_pool_put(&p, got[2]);
	ck_assert_uint_eq(tcp_pool_take(&p), got[2]);
	tcp_pool_fini(&p);
	ck_assert_int_eq(tcp_pool_init(&p, 0), 0);
	ck_assert_uint_eq(tcp_pool_take(&p), TCP_NIL);
	tcp_pool_fini(&p);
}
END_TEST

// Random appends, sends, acknowledgements and rewinds; the bytes must be those of the model.
START_TEST(queue_against_model) {
	static uint8_t flat[4000000];
	struct tcp_pool p;
	struct tcp_sndq q;
	struct tcp_pos pos;
	size_t una = 0, nxt = 0, end = 0;
	uint32_t rng = 12345u + (uint32_t)_i;

	for (size_t i = 0; i < sizeof(flat); i++)
		flat[i] = (uint8_t)(i * 13 + i / 256);
	ck_assert_int_eq(tcp_pool_init(&p, 12), 0);
	tcp_sndq_init(&q);
	while (end + 8192 < sizeof(flat)) {
		size_t n, len;
		struct rg_slice s[4];

		rng = rng * 1664525 + 1013904223;
		n = rng >> 8 & 8191;
		n = (rng & 7) == 7 ? n / TCP_CHUNK_BYTES * TCP_CHUNK_BYTES : n;
		switch (rng >> 28 & 3) {
		case 0:
			len = tcp_sndq_room(&q, &p, 0);
			len = n < len ? n : len;
			tcp_sndq_append(&q, &p, rg_slice(flat + end, len));
			end += len;
			break;
		case 1:
			len = n % 1460 < end - nxt ? n % 1460 : end - nxt;
			pos = tcp_sndq_at(&q, &p, (uint32_t)(nxt - una));
			n = len == 0 ? 0 : tcp_sndq_get(&p, &pos, s, 4, &len);
			for (size_t i = 0; i < n; i++) {
				if (memcmp(s[i].p, flat + nxt, s[i].len) != 0)
					ck_abort_msg("wrong bytes at %zu", nxt);
				nxt += s[i].len;
			}
			break;
		case 2: // also beyond what was sent, as after a rewind
			len = n < end - una ? n : end - una;
			tcp_sndq_ack(&q, &p, (uint32_t)len);
			una += len;
			nxt = nxt < una ? una : nxt;
			break;
		default:
			if ((rng >> 20 & 7) == 0) {
				nxt = una;
			}
		}
		n = (q.off + q.len + TCP_CHUNK_BYTES - 1) / TCP_CHUNK_BYTES;
		if (q.len != end - una || p.n_free != 12 - n || q.off >= TCP_CHUNK_BYTES)
			ck_abort_msg("length %u, free %u", q.len, p.n_free);
	}
	tcp_sndq_fini(&q, &p);
	ck_assert_uint_eq(p.n_free, 12);
	tcp_pool_fini(&p);
}
END_TEST

START_TEST(pieces_are_limited) {
	static const uint8_t b[3 * TCP_CHUNK_BYTES];
	struct tcp_pool p;
	struct tcp_sndq q;
	struct tcp_pos pos;
	struct rg_slice s[4];
	size_t len = sizeof(b);

	ck_assert_int_eq(tcp_pool_init(&p, 3), 0);
	tcp_sndq_init(&q);
	tcp_sndq_append(&q, &p, rg_slice(b, sizeof(b)));
	pos = tcp_sndq_at(&q, &p, 0);
	ck_assert_uint_eq(tcp_sndq_get(&p, &pos, s, 2, &len), 2);
	ck_assert_uint_eq(len, 2 * TCP_CHUNK_BYTES);
	len = 10;
	ck_assert_uint_eq(tcp_sndq_get(&p, &pos, s, 2, &len), 1);
	ck_assert_uint_eq(len, 10);
	tcp_sndq_fini(&q, &p);
	tcp_pool_fini(&p);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(pool),
		RIG_ROWS(queue_against_model, 4),
		RIG_CASE(pieces_are_limited),
	};

	return rig_main("tcp_buf", cases, RIG_LEN(cases));
}
