// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "regate/err.h"

static const struct {
	const char *line;
	const char *words; // joined by '|'; NULL = refused
} splits[] = {
	{"", ""},
	{"  \t \n", ""},
	{"# all of it", ""},
	{"a b", "a|b|"},
	{"  a\tb  # c", "a|b|"},
	{"a#b", "a#b|"},
	{"\"a b\" 'c d'", "a b|c d|"},
	{"a\"b c\"d", "ab cd|"},
	{"\"it's\" '\"'", "it's|\"|"},
	{"\"\"", "|"},
	{"\"a", NULL},
	{"a'", NULL},
	{"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32",
	 "1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18|19|20|21|22|23|24|25|26|27|28|29|30|31|32|"},
	{"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 "
	 "33",
	 NULL},
};

START_TEST(split) {
	struct cli_words w;
	char err[128] = "", got[256] = "";
	int rc = cli_split(splits[_i].line, &w, err, sizeof(err));

	ck_assert_int_eq(rc, splits[_i].words == NULL ? RG_E_PROTO : RG_OK);
	if (rc != RG_OK) {
		ck_assert_str_ne(err, "");
		return;
	}
	for (int i = 0; i < w.n; i++) {
		strcat(got, w.word[i]);
		strcat(got, "|");
	}
	ck_assert_str_eq(got, splits[_i].words);
}
END_TEST

START_TEST(split_long) {
	static struct cli_words w;
	static char line[CLI_LINE_MAX + 1];
	char err[128];

	memset(line, 'a', CLI_LINE_MAX);
	ck_assert_int_eq(cli_split(line, &w, err, sizeof(err)), RG_E_PROTO);
	line[CLI_LINE_MAX - 1] = '\0';
	ck_assert_int_eq(cli_split(line, &w, err, sizeof(err)), RG_OK);
	ck_assert_uint_eq(strlen(w.word[0]), CLI_LINE_MAX - 1);
}
END_TEST

static const struct {
	const char *line;
	const char *cmd;  // NULL = refused
	const char *text; // args as JSON, or part of the error
} parses[] = {
	{"status", "status", "{}"},
	{"stats --all", "stats", "{\"all\":true}"},
	{"stats --all=1", NULL, "takes no value"},
	{"lease list", "lease list", "{}"},
	{"top --once --interval 30", "top", "{\"once\":true,\"interval\":\"30\"}"},
	{"top --interval 31", NULL, "from 1 to 30"},
	{"top --interval 0", NULL, "from 1 to 30"},
	{"top 5", NULL, "no further argument"},
	{"tls", NULL, "`tls` needs one of: show reload"},
	{"tpo", NULL, "did you mean `top`?"},
	{"lease list --limit 5 --state active", "lease list",
	 "{\"limit\":\"5\",\"state\":\"active\"}"},
	{"lease list --limit=5", "lease list", "{\"limit\":\"5\"}"},
	{"lease list --pool=a=b", "lease list", "{\"pool\":\"a=b\"}"},
	{"lease list --limit", NULL, "--limit needs a value: N"},
	{"lease list --limit x", NULL, "from 1 to 1000"},
	{"lease list --limit=", NULL, "from 1 to 1000"},
	{"lease list --colour", NULL, "no such option"},
	{"lease list 5", NULL, "no further argument"},
	{"lease show 17", "lease show", "{\"lease\":\"17\"}"},
	{"lease show --lease 17", NULL, "no such option"},
	{"lease show", NULL, "needs IDX|IMPU|IMPI"},
	{"lease show 1 2", NULL, "no further argument"},
	{"lease show ''", NULL, "1 to 256 bytes"},
	{"lease show \xff", NULL, "not UTF-8"},
	{"log level", "log level", "{}"},
	{"log level warn", "log level", "{\"level\":\"warn\"}"},
	{"log level loud", NULL, "error, warn, info, debug"},
	{"lease", NULL, "`lease` needs one of: list show revoke"},
	{"lease xyzzyx", NULL, "`lease` needs one of"},
	{"lease lst", NULL, "did you mean `lease list`?"},
	{"leas revoke 5", NULL, "did you mean `lease revoke`?"},
	{"stauts", NULL, "did you mean `status`?"},
	{"xyzzy", NULL, "`help` lists them"},
};

START_TEST(parse) {
	struct cli_words w;
	struct cli_request r = {0};
	char err[256] = "";
	int rc;

	ck_assert_int_eq(cli_split(parses[_i].line, &w, err, sizeof(err)), RG_OK);
	rc = cli_parse(w.n, w.word, &r, err, sizeof(err));
	ck_assert_int_eq(rc, parses[_i].cmd == NULL ? RG_E_PROTO : RG_OK);
	if (rc != RG_OK) {
		ck_assert_msg(strstr(err, parses[_i].text) != NULL, "%s", err);
		ck_assert_ptr_null(r.cmd);
		return;
	}
	ck_assert_str_eq(r.cmd->name, parses[_i].cmd);
	ck_assert_ptr_eq(ctl_cmd_at(r.id), r.cmd);
	char *args = json_dumps(r.args, JSON_COMPACT);

	ck_assert_str_eq(args, parses[_i].text);
	free(args);
	json_decref(r.args);
}
END_TEST

int main(void) {
	Suite *s = suite_create("cli_parse");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, split, 0, sizeof(splits) / sizeof(*splits));
	tcase_add_test(t, split_long);
	tcase_add_loop_test(t, parse, 0, sizeof(parses) / sizeof(*parses));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
