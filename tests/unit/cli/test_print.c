// SPDX-License-Identifier: BSD-3-Clause
// Tables, and answers as people see them.
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

static char *text;
static size_t len;

static const struct {
	const char *data; // of the answer
	const char *text;
} prints[] = {
	{"{}", ""},
	{"{\"version\":\"1.2\",\"uptime_s\":3723,\"core_connected\":true,\"pool\":null}",
	 "version         1.2\n"
	 "uptime          1h2m\n"
	 "core connected  yes\n"
	 "pool            -\n"},
	{"{\"a\":1,\"leases\":{\"free\":12,\"gone\":3},\"b\":2}", "a  1\n"
								  "\n"
								  "leases\n"
								  "  free  12\n"
								  "  gone  3\n"
								  "\n"
								  "b  2\n"},
	{"{\"leases\":[{\"idx\":1,\"impu\":\"sip:a\",\"ends_at\":\"2026-01-01T00:01:00Z\"},"
	 "{\"idx\":100,\"impu\":\"sip:abc\",\"ends_at\":null}],\"next_after\":100}",
	 "IDX  IMPU     ENDS\n"
	 "  1  sip:a    2026-01-01 00:01:00 (in 1m0s)\n"
	 "100  sip:abc  -\n"
	 "\n"
	 "next after  100\n"},
	{"{\"leases\":[],\"next_after\":null}", "leases      -\nnext after  -\n"},
	{"{\"x\":1,\"counters\":[{\"name\":\"polls\",\"total\":30,\"per_worker\":[10,20]}]}",
	 "x  1\n"
	 "\n"
	 "counters\n"
	 "  NAME   TOTAL  PER WORKER\n"
	 "  polls     30  10 20\n"},
	{"{\"total\":{\"busy_percent\":12.3,\"drops_per_s\":3,\"sent_per_s\":1234567.8},\"rows\":["
	 "{\"worker\":0,\"sent_per_s\":0.1},{\"worker\":1,\"sent_per_s\":10.0}]}",
	 "total\n"
	 "  busy percent  12.3\n"
	 "  drops/s       3\n"
	 "  sent/s        1234567.8\n"
	 "\n"
	 "rows\n"
	 "  WORKER  SENT/S\n"
	 "       0     0.1\n"
	 "       1    10.0\n"},
	// hostile strings keep to their cell; a row without a member has an empty place
	{"{\"rows\":[{\"a\":\"x\\ny\",\"b\":1},{\"a\":\"\\u001b[2J\"},{\"b\":\"\\u202e\"}]}",
	 "A             B\n"
	 "x\\x0ay        1\n"
	 "\\x1b[2J  ?\n"
	 "?        \\u202e\n"},
	{"{\"e\\u001bvil\":\"x\",\"s\\n\":{\"k\":1}}", "e\\x1bvil  x\n"
						       "\n"
						       "s\\x0a\n"
						       "  k  1\n"},
	{"{\"ims\":{},\"list\":[],\"word\":\"\"}", "ims   -\nlist  -\nword  \n"},
	{"{\"x_at\":\"no time\",\"y_s\":-5,\"z_s\":\"text\"}", "x  no time\n"
							       "y  -5\n"
							       "z  text\n"},
};

START_TEST(print) {
	FILE *f = open_memstream(&text, &len);
	char answer[1024];
	json_t *a;

	snprintf(answer, sizeof(answer), "{\"now_at\":\"2026-01-01T00:00:00Z\",\"data\":%s}",
		 prints[_i].data);
	a = json_loads(answer, 0, NULL);
	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(cli_print(a, 0, f), 0);
	fclose(f);
	ck_assert_str_eq(text, prints[_i].text);
	json_decref(a);
	free(text);
}
END_TEST

START_TEST(help_names_every_command) {
	FILE *f = open_memstream(&text, &len);

	cli_print_help(f);
	fclose(f);
	for (unsigned i = 0; i < CTL_N_CMDS; i++)
		ck_assert_ptr_nonnull(strstr(text, ctl_cmd_at((enum ctl_cmd_id)i)->help));
	free(text);
}
END_TEST

static const struct {
	const char *text;
	unsigned rows;
	const char *out;
} paints[] = {
	{"a\nb\n", 24, "\033[Ha\033[K\nb\033[K\n\033[J"},
	{"a\nb\nc\n", 3, "\033[Ha\033[K\nb\033[K\n\033[J"},
	{"a\n\nb", 24, "\033[Ha\033[K\n\033[K\nb\033[K\n\033[J"},
	{"a\n", 1, "\033[H\033[J"},
	{"", 0, "\033[H\033[J"},
};

START_TEST(paint) {
	FILE *f = open_memstream(&text, &len);

	cli_paint(paints[_i].text, paints[_i].rows, f);
	fclose(f);
	ck_assert_str_eq(text, paints[_i].out);
	free(text);
}
END_TEST

START_TEST(table_without_rows) {
	struct cli_table *t = cli_table_new(0);
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(cli_table_print(t, f, 0), 0);
	cli_table_free(t);
	cli_table_free(NULL);
	fclose(f);
	ck_assert_uint_eq(len, 0);
	free(text);
}
END_TEST

int main(void) {
	Suite *s = suite_create("cli_print");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	setenv("TZ", "UTC", 1);
	tzset();
	tcase_add_loop_test(t, print, 0, sizeof(prints) / sizeof(*prints));
	tcase_add_loop_test(t, paint, 0, sizeof(paints) / sizeof(*paints));
	tcase_add_test(t, help_names_every_command);
	tcase_add_test(t, table_without_rows);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
