// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "cli/cli.h"
#include "guard.h"

static const struct {
	const char *in, *out;
	size_t width;
} escapes[] = {
	{"", "", 0},
	{"sip:a@b", "sip:a@b", 7},
	{"a\nb\tc\r", "a\\x0ab\\x09c\\x0d", 15},
	{"\033[31mred", "\\x1b[31mred", 11},
	{"\177", "\\x7f", 4},
	{"a\\b", "a\\\\b", 4},
	{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", 4},
	{"\xe2\x82\xac", "\xe2\x82\xac", 1},
	{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 1},
	{"\xc2\x9b"
	 "31m",
	 "\\u009b31m", 9}, // C1 control sequence introducer
	{"\xe2\x80\xae"
	 "gpj",
	 "\\u202egpj", 9}, // right-to-left override
	{"\xe2\x81\xa6", "\\u2066", 6},
	{"\xe2\x80\xa8", "\\u2028", 6},
	{"\xe2\x80\x8b", "\\u200b", 6},
	{"\xef\xbb\xbf", "\\ufeff", 6},
	{"\xf3\xa0\x81\x81", "\\ue0041", 7},
	{"\x80\xff", "\\x80\\xff", 8}, // not UTF-8
	{"a\xe2\x82", "a\\xe2\\x82", 9},
};

START_TEST(escape) {
	size_t width = 99;
	char *out = cli_escape(guard_str(escapes[_i].in), &width);

	ck_assert_str_eq(out, escapes[_i].out);
	ck_assert_uint_eq(width, escapes[_i].width);
	free(out);
}
END_TEST

// Whatever the bytes, what comes out holds no control character.
START_TEST(escape_any_bytes) {
	uint32_t x = 1;

	for (unsigned round = 0; round < 2000; round++) {
		uint8_t in[8];
		size_t width;
		char *out;

		for (unsigned i = 0; i < sizeof(in); i++)
			in[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
		out = cli_escape(rg_slice(in, 1 + round % sizeof(in)), &width);
		for (const char *p = out; *p != '\0'; p++)
			ck_assert((uint8_t)*p >= ' ' && *p != 0x7f);
		ck_assert_uint_le(width, strlen(out));
		free(out);
	}
}
END_TEST

static const struct {
	uint64_t s;
	const char *text;
} durations[] = {
	{0, "0s"},        {59, "59s"},      {60, "1m0s"},
	{3599, "59m59s"}, {3600, "1h0m"},   {86399, "23h59m"},
	{86400, "1d0h"},  {183600, "2d3h"}, {UINT64_MAX, "213503982334601d7h"},
};

START_TEST(duration) {
	char out[32];

	cli_duration(durations[_i].s, out, sizeof(out));
	ck_assert_str_eq(out, durations[_i].text);
}
END_TEST

static const struct {
	const char *text;
	bool is_time;
	int64_t t;
} times[] = {
	{"1970-01-01T00:00:00Z", true, 0}, {"2026-01-02T03:04:05Z", true, 1767323045},
	{"2026-01-02T03:04:05", false, 0}, {"2026-01-02T03:04:05Zx", false, 0},
	{"yesterday", false, 0},           {"", false, 0},
};

START_TEST(time_parse) {
	int64_t t = 0;

	ck_assert_int_eq(cli_time_parse(times[_i].text, &t), times[_i].is_time);
	ck_assert_int_eq(t, times[_i].t);
}
END_TEST

START_TEST(time_print) {
	char out[96];

	cli_time_print(1767323045, 1767323045 - 90, out, sizeof(out));
	ck_assert_str_eq(out, "2026-01-02 04:04:05 (in 1m30s)");
	cli_time_print(1767323045, 1767323045 + 3600, out, sizeof(out));
	ck_assert_str_eq(out, "2026-01-02 04:04:05 (1h0m ago)");
}
END_TEST

int main(void) {
	Suite *s = suite_create("cli_text");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	setenv("TZ", "UTC-1", 1); // one hour east
	tzset();
	tcase_add_loop_test(t, escape, 0, sizeof(escapes) / sizeof(*escapes));
	tcase_add_test(t, escape_any_bytes);
	tcase_add_loop_test(t, duration, 0, sizeof(durations) / sizeof(*durations));
	tcase_add_loop_test(t, time_parse, 0, sizeof(times) / sizeof(*times));
	tcase_add_test(t, time_print);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
