// SPDX-License-Identifier: BSD-3-Clause
// The connection table against a plain array, with few hashes so that clusters form and wrap.
#include "tcp_rig.h"

#define MAX 64

static bool has(const struct tcp_table *tb, uint32_t hash, uint32_t idx) {
	uint32_t pos = tcp_table_home(tb, hash), i;

	while ((i = tcp_table_next(tb, hash, &pos)) != TCP_NIL)
		if (i == idx)
			return true;
	return false;
}

START_TEST(against_array) {
	struct tcp_table tb;
	uint32_t hash[MAX], rng = 99u + (uint32_t)_i;
	bool is_in[MAX] = {false};

	ck_assert_int_eq(tcp_table_init(&tb, MAX), 0);
	ck_assert_uint_eq(tb.n, 128);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t i;

		rng = rng * 1664525 + 1013904223;
		i = rng >> 10 & (MAX - 1);
		if (is_in[i]) {
			tcp_table_del(&tb, hash[i], i);
		} else {
			hash[i] = UINT32_MAX - (rng >> 20 & 15) * (1u << 25) - (rng >> 30);
			tcp_table_add(&tb, hash[i], i);
		}
		is_in[i] = !is_in[i];
		for (uint32_t k = 0; k < MAX; k++)
			if (is_in[k] && !has(&tb, hash[k], k))
				ck_abort_msg("step %u: lost %u", step, k);
		if (!is_in[i] && has(&tb, hash[i], i))
			ck_abort_msg("step %u: still has %u", step, i);
	}
	for (uint32_t k = 0; k < MAX; k++)
		if (is_in[k])
			tcp_table_del(&tb, hash[k], k);
	for (uint32_t k = 0; k < tb.n; k++)
		ck_assert_uint_eq(tb.entries[k].slot, 0);
	tcp_table_fini(&tb);
}
END_TEST

// What it costs, and that every index is told apart, at the most connections there may be.
START_TEST(sixteen_bytes_each) {
	static const uint32_t sizes[] = {0, 1, 4, 5, 1000, 10000000, TCP_NIL};
	struct tcp_table tb;
	uint32_t max = sizes[_i], last = max - 1;

	ck_assert_int_eq(tcp_table_init(&tb, max), 0);
	ck_assert_uint_le(tb.n * sizeof(*tb.entries), 16 * (size_t)max + 64);
	ck_assert_uint_ge(tb.n, 2 * max);
	for (uint64_t hash = 0; max > 0 && hash <= UINT32_MAX; hash += UINT32_MAX) {
		tcp_table_add(&tb, (uint32_t)hash, 0);
		if (last > 0)
			tcp_table_add(&tb, (uint32_t)hash, last);
		ck_assert(has(&tb, (uint32_t)hash, 0));
		ck_assert(has(&tb, (uint32_t)hash, last));
		tcp_table_del(&tb, (uint32_t)hash, 0);
		ck_assert(last == 0 || has(&tb, (uint32_t)hash, last));
	}
	tcp_table_fini(&tb);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {RIG_ROWS(against_array, 4),
					 RIG_ROWS(sixteen_bytes_each, 7)};

	return rig_main("tcp_table", cases, RIG_LEN(cases));
}
