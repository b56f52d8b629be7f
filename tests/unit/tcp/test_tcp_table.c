// SPDX-License-Identifier: BSD-3-Clause
// The connection table against a plain array, with few hashes so that clusters form and wrap.
#include "tcp_rig.h"

#define MAX 64

static bool has(const struct tcp_table *tb, uint32_t hash, uint32_t idx) {
	uint32_t pos = hash, i;

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
	ck_assert_uint_eq(tb.mask, 127);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t i;

		rng = rng * 1664525 + 1013904223;
		i = rng >> 10 & (MAX - 1);
		if (is_in[i]) {
			tcp_table_del(&tb, hash[i], i);
		} else {
			hash[i] = 120 + (rng >> 20 & 15) + (rng >> 30) * 128;
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
	for (uint32_t k = 0; k <= tb.mask; k++)
		ck_assert_uint_eq(tb.entries[k].slot, 0);
	tcp_table_fini(&tb);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {RIG_ROWS(against_array, 4)};

	return rig_main("tcp_table", cases, RIG_LEN(cases));
}
