// SPDX-License-Identifier: BSD-3-Clause
// The rate of a flow: the burst, one 503, drops, close, and the way back.
#include <stdlib.h>

#include "ask.h"

static struct reg_flow f;
static struct reg_out out;
static const struct rg_reg_cfg usual = {.rate_per_s = 2, .rate_burst = 5};

enum { GO, LIMITED, DROP, CLOSE };

static int ask_rate(const struct rg_reg_cfg *cfg, uint64_t now_ns) {
	memset(&out, 0xff, sizeof(out));
	reg_rate(cfg, &f, now_ns, &out);
	if (out.verdict == REG_DROP)
		return DROP;
	if (out.verdict == REG_CLOSE)
		return CLOSE;
	ck_assert_int_eq(out.verdict, REG_ANSWER);
	ck_assert(!out.is_bind && !out.is_moved);
	return out.answer.status == 0 ? GO : LIMITED;
}

static void setup(void) {
	f = (struct reg_flow){0};
}

START_TEST(burst) {
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ask_rate(&usual, NOW), GO);
	ck_assert_int_eq(ask_rate(&usual, NOW), LIMITED);
	ck_assert_uint_eq(out.answer.status, 503);
	ck_assert(rg_eq(out.answer.headers, RG_LIT("Retry-After: 5\r\n")));
	ck_assert_uint_gt(out.answer.to_tag.len, 0);
	ck_assert_ptr_null(out.answer.peer);
	ck_assert_int_eq(ask_rate(&usual, NOW), DROP);
}
END_TEST

// After the burst one more every half second, not a nanosecond sooner.
START_TEST(boundary) {
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ask_rate(&usual, NOW), GO);
	ck_assert_int_eq(ask_rate(&usual, NOW + S / 2 - 1), LIMITED);
	ck_assert_int_eq(ask_rate(&usual, NOW + S / 2), GO);
	ck_assert_int_eq(ask_rate(&usual, NOW + S / 2), LIMITED); // inside again: told again
	ck_assert_int_eq(ask_rate(&usual, NOW + S - 1), DROP);
	ck_assert_int_eq(ask_rate(&usual, NOW + S), GO);
}
END_TEST

START_TEST(sustained) {
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ask_rate(&usual, NOW), GO);
	ck_assert_int_eq(ask_rate(&usual, NOW), LIMITED);
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(ask_rate(&usual, NOW), DROP);
	ck_assert_int_eq(ask_rate(&usual, NOW), CLOSE);
	ck_assert_int_eq(ask_rate(&usual, NOW), CLOSE);
}
END_TEST

START_TEST(reset) {
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ask_rate(&usual, NOW), GO);
	ck_assert_int_eq(ask_rate(&usual, NOW), LIMITED);
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(ask_rate(&usual, NOW), DROP);
	ck_assert_int_eq(ask_rate(&usual, NOW + S), GO);
	ck_assert_int_eq(ask_rate(&usual, NOW + S), GO);
	ck_assert_int_eq(ask_rate(&usual, NOW + S), LIMITED);
	ck_assert_int_eq(ask_rate(&usual, NOW + S), DROP);
}
END_TEST

// Ten times the usual pace for an hour: what passes is the rate and one burst.
START_TEST(long_run) {
	unsigned n_go = 0;

	for (unsigned i = 0; i < 3600 * 20; i++)
		n_go += ask_rate(&usual, NOW + i * (S / 20)) == GO;
	ck_assert_uint_ge(n_go, 7200);
	ck_assert_uint_le(n_go, 7205);
}
END_TEST

// The flow's ticks have 32 bits: their end changes nothing, nor does a long silence.
START_TEST(ticks_wrap) {
	uint64_t end_ns = (UINT64_C(1) << 32) * REG_TICK_NS;
	static const uint64_t pauses_s[] = {3, 600, 20000, 21600, 40000, 43200, 86400};

	ck_assert_int_eq(ask_rate(&usual, end_ns - 20 * S), GO);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ask_rate(&usual, end_ns - S / 2), GO);
	// Not one tick: 0 is kept for flows that never sent.
	ck_assert_int_eq(ask_rate(&usual, end_ns - 2 * REG_TICK_NS), LIMITED);
	ck_assert_int_eq(ask_rate(&usual, end_ns), GO);
	ck_assert_int_eq(ask_rate(&usual, end_ns), LIMITED);
	for (size_t k = 0; k < sizeof(pauses_s) / sizeof(*pauses_s); k++) {
		end_ns += pauses_s[k] * S;
		for (unsigned i = 0; i < 5; i++)
			ck_assert_int_eq(ask_rate(&usual, end_ns), GO);
		ck_assert_int_eq(ask_rate(&usual, end_ns), LIMITED);
	}
}
END_TEST

// A flow that has never sent is not ahead of itself, however near the end of the ticks.
START_TEST(fresh_flow_before_the_wrap) {
	uint64_t end_ns = (UINT64_C(1) << 32) * REG_TICK_NS;

	for (uint64_t t = end_ns - 5 * S; t < end_ns + S; t += S / 100) {
		f = (struct reg_flow){0};
		ck_assert_int_eq(ask_rate(&usual, t), GO);
	}
}
END_TEST

START_TEST(odd_limits) {
	static const struct rg_reg_cfg none = {0}, single = {.rate_per_s = 1, .rate_burst = 0};

	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(ask_rate(&none, NOW), GO);
	ck_assert_int_eq(ask_rate(&single, NOW), GO);
	ck_assert_int_eq(ask_rate(&single, NOW), LIMITED);
	ck_assert_int_eq(ask_rate(&single, NOW + S), GO);
}
END_TEST

int main(void) {
	Suite *s = suite_create("reg_rate");
	TCase *t = tcase_create("rate");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, burst);
	tcase_add_test(t, boundary);
	tcase_add_test(t, sustained);
	tcase_add_test(t, reset);
	tcase_add_test(t, long_run);
	tcase_add_test(t, ticks_wrap);
	tcase_add_test(t, fresh_flow_before_the_wrap);
	tcase_add_test(t, odd_limits);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
