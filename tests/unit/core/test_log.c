// SPDX-License-Identifier: BSD-3-Clause
// The log: text of a line, byte for byte, and what reaches the descriptor.
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "core/log_format.h"
#include "guard.h"
#include "regate/err.h"

static const struct {
	const char *value;
	size_t len; // 0 = strlen
	const char *text;
} values[] = {
	{"plain", 0, "plain"},
	{"sip:a@b:5060", 0, "sip:a@b:5060"},
	{"", 0, "\"\""},
	{"two words", 0, "\"two words\""},
	{"a=b", 0, "\"a=b\""},
	{"say \"x\"", 0, "\"say \\\"x\\\"\""},
	{"back\\slash", 0, "\"back\\\\slash\""},
	{"x\nlevel=error", 0, "\"x\\x0alevel=error\""},
	{"\r\t\x1b[31m", 0, "\"\\x0d\\x09\\x1b[31m\""},
	{"a\0b", 3, "\"a\\x00b\""},
	{"\x7f", 0, "\"\\x7f\""},
	{"caf\xc3\xa9", 0, "\"caf\\xc3\\xa9\""},
	{"\xff", 0, "\"\\xff\""},
};

START_TEST(value_table) {
	size_t len = values[_i].len != 0 ? values[_i].len : strlen(values[_i].value);
	struct rg_slice v = guard_copy(rg_slice(values[_i].value, len));
	const struct log_kv kv[] = {LOG_B("k", v), {.key = NULL}};
	char line[LOG_LINE_MAX], want[256];
	struct rg_wr w = rg_wr(line, sizeof(line));

	log_format(&w, 1767323045678, LOG_INFO, "a.b", kv);
	snprintf(want, sizeof(want), "2026-01-02T03:04:05.678Z level=info msg=a.b k=%s\n",
		 values[_i].text);
	ck_assert_uint_eq(w.len, strlen(want));
	ck_assert_mem_eq(line, want, w.len);
}
END_TEST

START_TEST(every_byte_stays_in_its_field) {
	for (unsigned c = 0; c < 256; c++) {
		uint8_t bytes[3] = {'a', (uint8_t)c, 'b'};
		const struct log_kv kv[] = {LOG_B("k", rg_slice(bytes, 3)),
					    LOG_U("end", 1),
					    {.key = NULL}};
		char line[LOG_LINE_MAX];
		struct rg_wr w = rg_wr(line, sizeof(line));

		log_format(&w, 0, LOG_WARN, "m", kv);
		ck_assert_ptr_eq(memchr(line, '\n', w.len), line + w.len - 1);
		for (size_t i = 0; i + 1 < w.len; i++)
			ck_assert(line[i] >= ' ' && line[i] < 0x7f);
		ck_assert_mem_eq(line + w.len - 7, " end=1\n", 7);
	}
}
END_TEST

START_TEST(numbers_and_times) {
	const struct log_kv kv[] = {LOG_U("u", UINT64_MAX), LOG_I("i", INT64_MIN), LOG_I("j", 7),
				    LOG_S("s", "x"),        LOG_S("n", NULL),      {.key = NULL}};
	const char *want = "1969-12-31T23:59:59.999Z level=error msg=m u=18446744073709551615 "
			   "i=-9223372036854775808 j=7 s=x n=\"\"\n";
	char line[LOG_LINE_MAX];
	struct rg_wr w = rg_wr(line, sizeof(line));

	log_format(&w, -1, LOG_ERROR, "m", kv);
	ck_assert_uint_eq(w.len, strlen(want));
	ck_assert_mem_eq(line, want, w.len);
}
END_TEST

START_TEST(long_values_are_cut) {
	char big[600];
	const struct log_kv kv[] = {LOG_B("k", rg_slice(big, sizeof(big))),
				    LOG_U("end", 1),
				    {.key = NULL}};
	char line[LOG_LINE_MAX];
	struct rg_wr w = rg_wr(line, sizeof(line));

	memset(big, 'x', sizeof(big));
	log_format(&w, 0, LOG_INFO, "m", kv);
	ck_assert_mem_eq(line + w.len - 13, "xxx... end=1\n", 13);
	ck_assert_uint_eq(w.len, strlen("1970-01-01T00:00:00.000Z level=info msg=m k=") + 512 +
					 strlen("... end=1\n"));
}
END_TEST

// Fields of n bytes each until the line is full: it always ends well and never overflows.
START_TEST(full_lines) {
	char big[512];
	struct log_kv kv[16];
	char line[LOG_LINE_MAX];

	memset(big, _i % 2 == 0 ? 'x' : '\n', sizeof(big));
	for (int i = 0; i < 15; i++)
		kv[i] = LOG_B("key", rg_slice(big, (size_t)(512 - _i)));
	kv[15] = (struct log_kv){.key = NULL};
	struct rg_wr w = rg_wr(line, sizeof(line));
	log_format(&w, 0, LOG_INFO, "m", kv);
	ck_assert(!w.overflow);
	ck_assert_mem_eq(line + w.len - 7, " cut=1\n", 7);
	ck_assert(line[w.len - 8] == (_i % 2 == 0 ? 'x' : '"'));
}
END_TEST

START_TEST(levels) {
	enum log_level level = LOG_WARN;

	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		ck_assert_int_eq(log_level_parse(rg_str(log_level_name((enum log_level)i)), &level),
				 RG_OK);
		ck_assert_int_eq(level, i);
	}
	ck_assert_int_eq(log_level_parse(RG_LIT("INFO"), &level), RG_E_PROTO);
	ck_assert_int_eq(log_level_parse(RG_LIT(""), &level), RG_E_PROTO);
	ck_assert_int_eq(level, LOG_DEBUG);
}
END_TEST

START_TEST(one_write_per_line) {
	char buf[512];
	int fds[2];
	struct log *l;
	ssize_t n;

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_DIRECT), 0); // a read gives one write
	l = log_new(fds[1], LOG_INFO);
	ck_assert_int_eq(log_get_level(l), LOG_INFO);
	log_put(l, LOG_DEBUG, "not.shown", LOG_U("x", 1));
	log_put(l, LOG_INFO, "shown", LOG_U("x", 1), LOG_S("y", "a b"));
	log_put(l, LOG_ERROR, "bare");
	log_put(NULL, LOG_ERROR, "nowhere");
	n = read(fds[0], buf, sizeof(buf));
	ck_assert_int_gt(n, 24);
	ck_assert_int_eq(n, 24 + (int)strlen(" level=info msg=shown x=1 y=\"a b\"\n"));
	ck_assert_mem_eq(buf + 24, " level=info msg=shown x=1 y=\"a b\"\n", (size_t)n - 24);
	ck_assert_mem_eq(buf, "20", 2);
	ck_assert_int_eq(read(fds[0], buf, sizeof(buf)),
			 24 + (int)strlen(" level=error msg=bare\n"));
	ck_assert_int_lt(read(fds[0], buf, sizeof(buf)), 0);
	log_set_level(l, LOG_DEBUG);
	log_put(l, LOG_DEBUG, "now");
	ck_assert_int_gt(read(fds[0], buf, sizeof(buf)), 0);
	log_free(l);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void) {
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *sr = srunner_create(s);
	int n_failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, value_table, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(tc, every_byte_stays_in_its_field);
	tcase_add_test(tc, numbers_and_times);
	tcase_add_test(tc, long_values_are_cut);
	tcase_add_loop_test(tc, full_lines, 0, 20);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, one_write_per_line);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
