// SPDX-License-Identifier: BSD-3-Clause
// The body of POST /v1/lease: what is taken and what is said about the rest.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "wwsf/wwsf_int.h"

#define JSON "Content-Type: application/json\r\n"

static struct wwsf_form form;
static unsigned status;
static const char *why;

static bool parse(const char *headers, struct rg_slice body) {
	char head[1024];
	struct wwsf_req r = {0};

	(void)snprintf(head, sizeof(head), "POST /v1/lease HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
	ck_assert_int_eq(http_req_parse(guard_str(head), &r.http), 0);
	r.body = guard_copy(body);
	form = (struct wwsf_form){0};
	return wwsf_form_parse(&r, &form, &status, &why);
}

#define NAME16 "0123456789abcdef"
#define NAME64 NAME16 NAME16 NAME16 NAME16
#define NAME256 NAME64 NAME64 NAME64 NAME64

static const struct {
	const char *name, *body;
	bool is_good;
} bodies[] = {
	{"anonymous", "{\"anonymous\":true}", true},
	{"with blanks", " {\n\"anonymous\" : true } ", true},
	{"account", "{\"account\":\"alice\",\"password\":\"p\"}", true},
	{"said twice", "{\"anonymous\":false,\"account\":\"alice\",\"password\":\"p\"}", true},
	{"empty password is a wrong one", "{\"account\":\"alice\",\"password\":\"\"}", true},
	{"pool and plmn", "{\"anonymous\":true,\"pool\":\"p\",\"plmn\":\"26201\"}", true},
	{"longest pool", "{\"anonymous\":true,\"pool\":\"" NAME64 "\"}", true},
	{"longest plmn", "{\"anonymous\":true,\"plmn\":\"" NAME16 "\"}", true},
	{"longest account", "{\"account\":\"" NAME64 NAME64 "\",\"password\":\"" NAME256 "\"}",
	 true},
	{"account of 129", "{\"account\":\"" NAME64 NAME64 "x\",\"password\":\"p\"}", false},
	{"password of 257", "{\"account\":\"a\",\"password\":\"" NAME256 "x\"}", false},
	{"pool of 65", "{\"anonymous\":true,\"pool\":\"" NAME64 "x\"}", false},
	{"plmn of 17", "{\"anonymous\":true,\"plmn\":\"" NAME16 "x\"}", false},
	{"nothing", "", false},
	{"empty object", "{}", false},
	{"array", "[{\"anonymous\":true}]", false},
	{"string", "\"anonymous\"", false},
	{"half", "{\"anonymous\":true", false},
	{"more after it", "{\"anonymous\":true}{}", false},
	{"not JSON", "anonymous=true", false},
	{"false", "{\"anonymous\":false}", false},
	{"anonymous 1", "{\"anonymous\":1}", false},
	{"anonymous string", "{\"anonymous\":\"true\"}", false},
	{"anonymous null", "{\"anonymous\":null}", false},
	{"both", "{\"anonymous\":true,\"account\":\"alice\",\"password\":\"p\"}", false},
	{"both by half", "{\"anonymous\":true,\"password\":\"p\"}", false},
	{"no password", "{\"account\":\"alice\"}", false},
	{"no account", "{\"password\":\"p\"}", false},
	{"empty account", "{\"account\":\"\",\"password\":\"p\"}", false},
	{"account number", "{\"account\":7,\"password\":\"p\"}", false},
	{"password list", "{\"account\":\"alice\",\"password\":[\"p\"]}", false},
	{"pool number", "{\"anonymous\":true,\"pool\":1}", false},
	{"plmn number", "{\"anonymous\":true,\"plmn\":26201}", false},
	{"unknown member", "{\"anonymous\":true,\"impi\":\"x\"}", false},
	{"duplicate", "{\"anonymous\":false,\"anonymous\":true}", false},
	{"NUL inside", "{\"account\":\"alice\\u0000x\",\"password\":\"p\"}", false},
	{"not UTF-8", "{\"account\":\"\xff\",\"password\":\"p\"}", false},
};
#define N_BODIES (int)(sizeof(bodies) / sizeof(*bodies))

START_TEST(body_table) {
	bool is_good = parse(JSON, rg_str(bodies[_i].body));

	ck_assert_msg(is_good == bodies[_i].is_good, "%s", bodies[_i].name);
	if (!is_good) {
		ck_assert_uint_eq(status, 400);
		ck_assert_ptr_nonnull(why);
		ck_assert_ptr_null(form.json);
		return;
	}
	json_decref(form.json);
}
END_TEST

// Every proper prefix of a good body is bad, and none is read past its end.
START_TEST(prefixes) {
	static const char body[] = "{\"account\":\"alice\",\"password\":\"secret\",\"pool\":\"p\"}";

	for (size_t n = 0; n < sizeof(body) - 1; n++)
		ck_assert_msg(!parse(JSON, rg_slice(body, n)), "%zu", n);
	ck_assert(parse(JSON, RG_LIT(body)));
	ck_assert_str_eq(form.account, "alice");
	ck_assert_str_eq(form.password, "secret");
	ck_assert_str_eq(form.pool, "p");
	ck_assert(!form.is_anonymous);
	json_decref(form.json);
}
END_TEST

static const struct {
	const char *headers;
	bool is_good;
} types[] = {
	{"Content-Type: application/json\r\n", true},
	{"content-type: Application/JSON\r\n", true},
	{"Content-Type: application/json; charset=utf-8\r\n", true},
	{"Content-Type: application/json ;charset=utf-8\r\n", true},
	{"", false},
	{"Content-Type: text/plain\r\n", false}, // a form could send it without preflight
	{"Content-Type: application/x-www-form-urlencoded\r\n", false},
	{"Content-Type: application/jsonx\r\n", false},
	{"Content-Type: ;application/json\r\n", false},
	{"Content-Type: text/plain;application/json\r\n", false},
	{"Content-Type: application/json\r\nContent-Type: text/plain\r\n", false},
};
#define N_TYPES (int)(sizeof(types) / sizeof(*types))

START_TEST(type_table) {
	bool is_good = parse(types[_i].headers, RG_LIT("{\"anonymous\":true}"));

	ck_assert_msg(is_good == types[_i].is_good, "%s", types[_i].headers);
	if (!is_good)
		ck_assert_uint_eq(status, 415);
	else
		json_decref(form.json);
}
END_TEST

START_TEST(says_nothing_of_the_body) {
	ck_assert(!parse(JSON, RG_LIT("{\"password\":\"hunter2\",\"hunter2\":1}")));
	ck_assert_ptr_null(strstr(why, "hunter2"));
	ck_assert(!parse(JSON, RG_LIT("{\"password\": hunter2}")));
	ck_assert_ptr_null(strstr(why, "hunter2"));
}
END_TEST

int main(void) {
	Suite *s = suite_create("form");
	TCase *t = tcase_create("form");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, body_table, 0, N_BODIES);
	tcase_add_test(t, prefixes);
	tcase_add_loop_test(t, type_table, 0, N_TYPES);
	tcase_add_test(t, says_nothing_of_the_body);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
