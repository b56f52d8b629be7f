// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
	const char *line; // words before the one begun
	const char *last;
	const char *found;
} cases[] = {
	{"", "", "status stats metrics stages top pool lease store conn log tls token help "},
	{"", "st", "status stats stages store "},
	{"", "x", ""},
	{"lease", "", "list show revoke release suspect clear history "},
	{"lease", "re", "revoke release "},
	{"lease list", "", "--pool --state --wwsf --sub --impu --suspect --limit --after "},
	{"lease list", "--p", "--pool "},
	{"lease list --state", "de", "dereg-pending "},
	{"lease list --limit", "", ""},
	{"stats --all", "", "--all "},
	{"top", "", "--once --interval "},
	{"top --interval", "", ""},
	{"log level", "", "error warn info debug "},
	{"lease show", "", ""},
	{"nonsense", "", ""},
	{"nonsense more", "", ""},
};

static void add(void *arg, const char *word) {
	strcat(arg, word);
	strcat(arg, " ");
}

START_TEST(complete) {
	struct cli_words w;
	char err[64], found[256] = "";

	ck_assert_int_eq(cli_split(cases[_i].line, &w, err, sizeof(err)), 0);
	cli_complete(w.n, w.word, cases[_i].last, add, found);
	ck_assert_str_eq(found, cases[_i].found);
}
END_TEST

int main(void) {
	Suite *s = suite_create("cli_complete");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, complete, 0, sizeof(cases) / sizeof(*cases));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
