// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>

#include "ctl/grammar.h"
#include "guard.h"
#include "regate/err.h"

static const struct {
	const char *typed, *nearest;
} near[] = {
	{"status", "status"},
	{"stauts", "status"},
	{"stat", "stats"},
	{"lease lst", "lease list"},
	{"lease sohw", "lease show"},
	{"Pool List", "pool list"},
	{"conn", NULL},
	{"xyzzy", NULL},
	{"", NULL},
	{"hlep", "help"},
	{"revoke", NULL},
	{"a word that is longer than any command of the table", NULL},
};

START_TEST(nearest) {
	const struct ctl_cmd *c = ctl_cmd_nearest(guard_str(near[_i].typed));

	ck_assert_pstr_eq(c == NULL ? NULL : c->name, near[_i].nearest);
}
END_TEST

static const struct {
	const char *cmd, *arg, *value;
	int rc;
} values[] = {
	{"lease list", "limit", "1", 0},
	{"lease list", "limit", "1000", 0},
	{"lease list", "limit", "0", RG_E_PROTO},
	{"lease list", "limit", "1001", RG_E_PROTO},
	{"lease list", "limit", "-1", RG_E_PROTO},
	{"lease list", "limit", "1x", RG_E_PROTO},
	{"lease list", "limit", "", RG_E_PROTO},
	{"lease list", "after", "4294967295", 0},
	{"lease list", "after", "4294967296", RG_E_PROTO},
	{"lease list", "state", "active", 0},
	{"lease list", "state", "Active", RG_E_PROTO},
	{"lease list", "state", "activ", RG_E_PROTO},
	{"lease show", "lease", "x", 0},
	{"lease show", "lease", "", RG_E_PROTO},
	{"log level", "level", "debug", 0},
	{"log level", "level", "loud", RG_E_PROTO},
};

START_TEST(arg_check) {
	const struct ctl_cmd *c = ctl_cmd_find(rg_str(values[_i].cmd), NULL);
	const struct ctl_arg *a = ctl_arg_find(c, rg_str(values[_i].arg));
	char err[200] = "";

	ck_assert_int_eq(ctl_arg_check(a, guard_str(values[_i].value), err, sizeof(err)),
			 values[_i].rc);
	ck_assert((err[0] != '\0') == (values[_i].rc != 0));
}
END_TEST

START_TEST(arg_check_short_err) {
	const struct ctl_arg *a = ctl_arg_find(ctl_cmd_at(CTL_LEASE_LIST), rg_str("state"));

	for (size_t n = 1; n < 120; n++) {
		char *err = malloc(n);

		ck_assert_int_eq(ctl_arg_check(a, rg_str("x"), err, n), RG_E_PROTO);
		free(err);
	}
}
END_TEST

START_TEST(word_limit) {
	const struct ctl_arg *a = ctl_arg_find(ctl_cmd_at(CTL_LEASE_SHOW), rg_str("lease"));
	uint8_t text[CTL_WORD_MAX + 1] = {0};
	char err[100];

	ck_assert_int_eq(ctl_arg_check(a, rg_slice(text, CTL_WORD_MAX), err, sizeof(err)), 0);
	ck_assert_int_eq(ctl_arg_check(a, rg_slice(text, CTL_WORD_MAX + 1), err, sizeof(err)),
			 RG_E_PROTO);
}
END_TEST

// What the users of the table rely on.
START_TEST(table_is_sound) {
	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		const struct ctl_cmd *c = ctl_cmd_at((enum ctl_cmd_id)i);
		enum ctl_cmd_id id = CTL_N_CMDS;

		ck_assert_ptr_nonnull(c->name);
		ck_assert_ptr_eq(ctl_cmd_find(rg_str(c->name), &id), c);
		ck_assert_uint_eq(id, i);
		ck_assert_ptr_nonnull(strstr(c->schema, "/1"));
		ck_assert_ptr_nonnull(c->help);
		ck_assert_ptr_null(c->args[CTL_ARGS_MAX].name);
		for (const struct ctl_arg *a = c->args; a->name != NULL; a++) {
			ck_assert_ptr_nonnull(a->help);
			ck_assert(a->kind == CTL_ARG_FLAG || a->metavar != NULL);
			ck_assert((a->kind == CTL_ARG_CHOICE) == (a->choices != NULL));
			ck_assert(a->kind != CTL_ARG_NUMBER || a->max > a->min);
		}
	}
}
END_TEST

START_TEST(as_json) {
	json_t *o = ctl_grammar_json();

	ck_assert_uint_eq(json_array_size(json_object_get(o, "commands")), CTL_N_CMDS);
	json_decref(o);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_grammar");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, nearest, 0, sizeof(near) / sizeof(*near));
	tcase_add_loop_test(t, arg_check, 0, sizeof(values) / sizeof(*values));
	tcase_add_test(t, arg_check_short_err);
	tcase_add_test(t, word_limit);
	tcase_add_test(t, table_is_sound);
	tcase_add_test(t, as_json);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
