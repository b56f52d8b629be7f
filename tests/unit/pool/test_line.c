// SPDX-License-Identifier: BSD-3-Clause
// Lines of import files: pairs, what is skipped, each refusal with its cure, and the way back.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "pool/pool.h"
#include "regate/err.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A252 A63 A63 A63 A63

#define S(text) text, sizeof(text) - 1

static const struct {
	enum pool_format format;
	const char *line;
	size_t len;
	const char *impi, *impu; // NULL: none on it
} good[] = {
	{POOL_CSV, S("u1@a.b,sip:u1@a.b"), "u1@a.b", "sip:u1@a.b"},
	{POOL_CSV, S("u1@a.b,sip:u1@a.b\r"), "u1@a.b", "sip:u1@a.b"},
	{POOL_CSV, S("u1@a.b,sip:u1@a.b,,M\xfcller \"x"), "u1@a.b", "sip:u1@a.b"},
	{POOL_CSV, S("\"u1@a.b\",\"sip:u1@a.b\""), "u1@a.b", "sip:u1@a.b"},
	{POOL_CSV, S("\"u,1@a.b\",\"sip:u,1@a.b\",x"), "u,1@a.b", "sip:u,1@a.b"},
	{POOL_CSV, S("\xef\xbb\xbfu1@a.b,sip:u1@a.b"), "u1@a.b", "sip:u1@a.b"},
	{POOL_CSV, S(A252 "a@a,sip:u@a"), A252 "a@a", "sip:u@a"},
	{POOL_CSV, S("impi,impu"), NULL, NULL},
	{POOL_CSV, S("\xef\xbb\xbf\"impi\",\"impu\",note\r"), NULL, NULL},
	{POOL_CSV, S(""), NULL, NULL},
	{POOL_CSV, S(" \t\r"), NULL, NULL},
	{POOL_JSON, S(""), NULL, NULL},
	{POOL_JSON, S("{\"impi\":\"u1@a.b\",\"impu\":\"sip:u1@a.b\"}"), "u1@a.b", "sip:u1@a.b"},
	{POOL_JSON, S(" {\"impu\" : \"sip:u1@a.b\", \"x\":[1], \"impi\":\"u\\u0031@a.b\"} \r"),
	 "u1@a.b", "sip:u1@a.b"},
};

START_TEST(good_table) {
	struct pool_pair pair;
	const char *why = NULL;
	int rc = pool_line_parse(good[_i].format, guard_copy(rg_slice(good[_i].line, good[_i].len)),
				 &pair, &why);

	if (good[_i].impi == NULL) {
		ck_assert_int_eq(rc, RG_MORE);
		return;
	}
	ck_assert_msg(rc == RG_OK, "%s", why);
	ck_assert_str_eq(pair.impi, good[_i].impi);
	ck_assert_str_eq(pair.impu, good[_i].impu);
}
END_TEST

static const struct {
	enum pool_format format;
	const char *line;
	size_t len;
	const char *why;
} bad[] = {
	{POOL_CSV, S("u1@a"), "only one field: write impi,impu"},
	{POOL_CSV, S("u1@a,"), "only one field"},
	{POOL_CSV, S("u1@a sip:u1@a"), "only one field"},
	{POOL_CSV, S("u1@a;sip:u1@a"), "only one field"},
	{POOL_CSV, S(",sip:u1@a"), "the IMPI is none: write user@realm"},
	{POOL_CSV, S("impu,impi"), "the IMPI is none"},
	{POOL_CSV, S("impi,sip:u1@a"), "the IMPI is none"},
	{POOL_CSV, S(" u1@a,sip:u1@a"), "the IMPI is none"},
	{POOL_CSV, S("u\0001@a,sip:u1@a"), "the IMPI is none"},
	{POOL_CSV, S("u1@a\0,sip:u1@a"), "the IMPI is none"},
	{POOL_CSV, S("\xff@a,sip:u1@a"), "the IMPI is none"},
	{POOL_CSV, S("u\"1@a,sip:u1@a"), "the IMPI is none"},
	{POOL_CSV, S("\"u\"\"1@a\",sip:u1@a"), "the IMPI is none"},
	{POOL_CSV, S(A252 "aa@a,sip:u1@a"), "at most 255 bytes"},
	{POOL_CSV, S("u1@a,u1@a"), "the IMPU is none: write sip:user@host"},
	{POOL_CSV, S("u1@a,tel:+491"), "the IMPU is none"},
	{POOL_CSV, S("u1@a,sip:u1@a:5060"), "without port or parameters"},
	{POOL_CSV, S("u1@a,sip:u1@a "), "the IMPU is none"},
	{POOL_CSV, S("u1@a,sip:" A252 "@a"), "the IMPU is none"},
	{POOL_CSV, S("u1@a,sip:u1@a\0"), "the IMPU is none"},
	{POOL_CSV, S("\"u1@a,sip:u1@a"), "this is no CSV"},
	{POOL_CSV, S("\"u1@a\"x,sip:u1@a"), "this is no CSV"},
	{POOL_CSV, S("u1@a,\"sip:u1@a"), "this is no CSV"},
	{POOL_CSV, S("\""), "this is no CSV"},
	{POOL_CSV, S("{\"impi\":\"u1@a\",\"impu\":\"sip:u1@a\"}"), "this is no CSV"},
	{POOL_JSON, S("u1@a,sip:u1@a"), "this is no JSON object: write {\"impi\":\"..\""},
	{POOL_JSON, S("[{\"impi\":\"u1@a\"}]"), "an array: write one object per line"},
	{POOL_JSON, S("[\r"), "an array"},
	{POOL_JSON, S("{"), "no JSON object"},
	{POOL_JSON, S("null"), "no JSON object"},
	{POOL_JSON, S("{\"impi\":\"u1@a\",\"impu\":\"sip:u1@a\"},"), "no JSON object"},
	{POOL_JSON, S("{\"impi\":\"u1@a\",\"impi\":\"u1@a\",\"impu\":\"sip:u1@a\"}"),
	 "no JSON object"},
	{POOL_JSON, S("{\"impi\":\"u1@a\xff\",\"impu\":\"sip:u1@a\"}"), "no JSON object"},
	{POOL_JSON, S("{\"impi\":\"u\\u00001@a\",\"impu\":\"sip:u1@a\"}"), "no JSON object"},
	{POOL_JSON, S("{\"impu\":\"sip:u1@a\"}"), "the IMPI is none"},
	{POOL_JSON, S("{\"impi\":1,\"impu\":\"sip:u1@a\"}"), "the IMPI is none"},
	{POOL_JSON, S("{\"impi\":\"" A252 "aa@a\",\"impu\":\"sip:u1@a\"}"), "the IMPI is none"},
	{POOL_JSON, S("{\"impi\":\"u1@a\"}"), "the IMPU is none"},
	{POOL_JSON, S("{\"impi\":\"u1@a\",\"impu\":null}"), "the IMPU is none"},
	{POOL_JSON, S("{\"impi\":\"u1@a\",\"impu\":\"sip:u1@a;x\"}"), "the IMPU is none"},
};

START_TEST(bad_table) {
	struct pool_pair pair;
	const char *why = NULL;

	ck_assert_int_eq(pool_line_parse(bad[_i].format,
					 guard_copy(rg_slice(bad[_i].line, bad[_i].len)), &pair,
					 &why),
			 RG_E_PROTO);
	ck_assert_msg(strstr(why, bad[_i].why) != NULL, "%s", why);
}
END_TEST

START_TEST(length) {
	char line[POOL_LINE_MAX + 1];
	struct pool_pair pair;
	const char *why = "";

	memset(line, 'x', sizeof(line));
	memcpy(line, "u@a,sip:u@a,", 12);
	ck_assert_int_eq(pool_line_parse(POOL_CSV, rg_slice(line, POOL_LINE_MAX), &pair, &why),
			 RG_OK);
	ck_assert_int_eq(pool_line_parse(POOL_CSV, rg_slice(line, POOL_LINE_MAX + 1), &pair, &why),
			 RG_E_PROTO);
	ck_assert_str_eq(why, "the line is over 4096 bytes");
}
END_TEST

static const char *const pairs[][2] = {{"u@a", "sip:u@a"},
				       {"u,1@a", "sip:u@a"},
				       {"u@a", "sip:u,'()!*~%41@a"}};

START_TEST(there_and_back) {
	char text[1024];

	for (enum pool_format format = POOL_CSV; format <= POOL_JSON; format++) {
		struct rg_wr w = rg_wr(text, sizeof(text));
		struct pool_pair pair;
		const char *why;

		pool_line_put(&w, format, pairs[_i][0], pairs[_i][1]);
		ck_assert_int_eq(text[w.len - 1], '\n');
		ck_assert_int_eq(pool_line_parse(format, rg_slice(text, w.len - 1), &pair, &why),
				 RG_OK);
		ck_assert_str_eq(pair.impi, pairs[_i][0]);
		ck_assert_str_eq(pair.impu, pairs[_i][1]);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("pool_line");
	TCase *tc = tcase_create("line");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, good_table, 0, sizeof(good) / sizeof(*good));
	tcase_add_loop_test(tc, bad_table, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_test(tc, length);
	tcase_add_loop_test(tc, there_and_back, 0, sizeof(pairs) / sizeof(*pairs));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
