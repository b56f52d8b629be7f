// SPDX-License-Identifier: BSD-3-Clause
// The timing wheel against a plain array of deadlines.
#include "tcp_rig.h"

#define MAX 200

static uint32_t rng;

static uint32_t rnd(uint32_t n) {
	rng = rng * 1664525 + 1013904223;
	return (rng >> 8) % n;
}

// Entries come out at their time, not before and, seen from a clock that follows next_ms, not after.
START_TEST(against_array) {
	static const uint32_t spans[] = {3, 300, 70000, 7200000, 20000000};
	static const uint64_t starts[] = {0, 255, 123456789, UINT32_MAX - 5000ull, 1ull << 40};
	struct tcp_wheel w;
	struct tcp_wheel_link links[MAX] = {0};
	uint64_t at[MAX], now = starts[_i];
	unsigned n_early[MAX] = {0}, n_in = 0;

	rng = 7;
	tcp_wheel_init(&w, links, sizeof(*links));
	for (unsigned step = 0; step < 60000; step++) {
		uint32_t i = rnd(MAX);
		unsigned budget = 1 + rnd(8);

		if (links[i].slot == 0) {
			at[i] = now + rnd(spans[rnd(5)]);
			n_early[i] = 0;
			tcp_wheel_add(&w, i, (uint32_t)at[i], now);
			if (tcp_wheel_at_ms(&w, i) > (at[i] > now ? at[i] : now + 1))
				ck_abort_msg("%u is to come out late", i);
			n_in++;
		} else if (rnd(4) == 0) {
			tcp_wheel_del(&w, i);
			n_in--;
		}
		if (rnd(3) == 0 && tcp_wheel_next_ms(&w) != UINT64_MAX &&
		    tcp_wheel_next_ms(&w) > now)
			now = tcp_wheel_next_ms(&w);
		else if (rnd(50) == 0)
			now += rnd(rnd(10) == 0 ? 100000 : 1000);
		while ((i = tcp_wheel_pop(&w, now, &budget)) != TCP_NIL) {
			n_in--;
			if (at[i] > now) { // of an upper level, or beyond the wheel: back in
				if (++n_early[i] > TCP_WHEEL_LEVELS)
					ck_abort_msg("%u came early %u times", i, n_early[i]);
				tcp_wheel_add(&w, i, (uint32_t)at[i], now);
				n_in++;
			}
		}
		if (w.n != n_in)
			ck_abort_msg("%u entries, not %u", w.n, n_in);
		if (step % 16 == 0) {
			uint64_t first = UINT64_MAX;

			for (i = 0; i < MAX; i++)
				if (links[i].slot != 0 && at[i] < first)
					first = at[i];
			if (tcp_wheel_next_ms(&w) > (first > now + 1 ? first : now + 1))
				ck_abort_msg("next is too late");
		}
	}
}
END_TEST

START_TEST(long_silence) {
	struct tcp_wheel w;
	struct tcp_wheel_link links[2] = {0};
	unsigned budget = 10;

	tcp_wheel_init(&w, links, sizeof(*links));
	tcp_wheel_add(&w, 0, 1100, 1000);
	ck_assert_uint_eq(tcp_wheel_next_ms(&w), 1100);
	tcp_wheel_add(&w, 1, 40000, 1000);
	// Hours later: both come out, with no work per tick in between.
	ck_assert_uint_eq(tcp_wheel_pop(&w, 90000000, &budget), 0);
	ck_assert_uint_eq(tcp_wheel_pop(&w, 90000000, &budget), 1);
	ck_assert_uint_eq(budget, 8);
	ck_assert_uint_eq(tcp_wheel_pop(&w, 90000000, &budget), TCP_NIL);
	ck_assert(tcp_wheel_next_ms(&w) == UINT64_MAX);
	tcp_wheel_add(&w, 0, 90001000, 90000000);
	ck_assert_uint_le(tcp_wheel_next_ms(&w), 90001000);
	ck_assert_uint_gt(tcp_wheel_next_ms(&w), 90000000);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {RIG_ROWS(against_array, 5), RIG_CASE(long_silence)};

	return rig_main("tcp_wheel", cases, RIG_LEN(cases));
}
