// SPDX-License-Identifier: BSD-3-Clause
// Pool files: pairs found, and each refusal with its line.
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "pool/pool.h"
#include "regate/err.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct seen {
	char pairs[256]; // "impi>impu " each
	int fail_at;     // number of the call that fails, from 1; 0 = none
	int rc;
	long n;
};

static int add(void *arg, const char *impi, const char *impu) {
	struct seen *s = arg;
	size_t len = strlen(s->pairs);

	if (++s->n == s->fail_at)
		return s->rc;
	snprintf(s->pairs + len, sizeof(s->pairs) - len, "%s>%s ", impi, impu);
	return 0;
}

static long load(struct env *e, struct seen *s, char *err, size_t err_len) {
	struct pool_sink to = {.add = add, .arg = s};
	long n = pool_load(e, "p.txt", &to, err, err_len);

	free(to.text);
	return n;
}

static const struct {
	const char *text, *pairs;
} good[] = {
	{"", ""},
	{"\n\n", ""},
	{"# a comment\n  # another\n", ""},
	{"u1@a.b sip:u1@a.b\n", "u1@a.b>sip:u1@a.b "},
	{"u1@a.b sip:u1@a.b", "u1@a.b>sip:u1@a.b "},
	{"u1@a.b sip:u1@a.b\r\nu2@a.b sip:u2@a.b\r\n", "u1@a.b>sip:u1@a.b u2@a.b>sip:u2@a.b "},
	{"  u1@a.b \t sip:u1@a.b\t \n", "u1@a.b>sip:u1@a.b "},
	{"# x\n\nu1@a sip:+49.30-1@a\n", "u1@a>sip:+49.30-1@a "},
	{"001010000000001@ims.mnc001.mcc001.3gppnetwork.org sip:%41@192.0.2.1\n",
	 "001010000000001@ims.mnc001.mcc001.3gppnetwork.org>sip:%41@192.0.2.1 "},
};

START_TEST(good_table) {
	struct env *e = env_sim_new(1);
	struct seen s = {0};
	char err[256] = "untouched";

	env_sim_file(e, "p.txt", rg_str(good[_i].text));
	ck_assert_int_eq(load(e, &s, err, sizeof(err)), s.n);
	ck_assert_str_eq(s.pairs, good[_i].pairs);
	ck_assert_str_eq(err, "untouched");
	env_sim_free(e);
}
END_TEST

static const struct {
	const char *text;
	size_t len; // 0 = strlen
	const char *err;
} bad[] = {
	{"u1@a\n", 0, "p.txt:1: only one field: write 'impi impu'"},
	{"u1@a sip:u1@a x\n", 0, "p.txt:1: more than two fields"},
	{"u1@a sip:u1@a # x\n", 0, "comments on lines of their own"},
	{"\n#\nu1 sip:u1@a\n", 0, "p.txt:3: the first field is no IMPI: write user@realm"},
	{"@a sip:u1@a\n", 0, "no IMPI"},
	{"u1@ sip:u1@a\n", 0, "no IMPI"},
	{"u1@a@b sip:u1@a\n", 0, "no IMPI"},
	{"sip:u1@a sip:u1@a\n", 0, "no IMPI"},
	{"u1@-a sip:u1@a\n", 0, "no IMPI"},
	{"u1@a. sip:u1@a\n", 0, "no IMPI"},
	{"<u1@a> sip:u1@a\n", 0, "no IMPI"},
	{"u\"1@a sip:u1@a\n", 0, "no IMPI"},
	{"u\x1b@a sip:u1@a\n", 0, "no IMPI"},
	{"\xef\xbb\xbfu1@a sip:u1@a\n", 0, "no IMPI"},
	{"u1@a\rsip:u1@a\n", 0, "only one field"},
	{"u1@a u1@a\n", 0, "p.txt:1: the second field is no IMPU: write sip:user@host"},
	{"u1@a SIP:u1@a\n", 0, "no IMPU"},
	{"u1@a sips:u1@a\n", 0, "no IMPU"},
	{"u1@a tel:+49301\n", 0, "no IMPU"},
	{"u1@a sip:a\n", 0, "no IMPU"},
	{"u1@a sip:@a\n", 0, "no IMPU"},
	{"u1@a sip:u1@a:5060\n", 0, "no IMPU"},
	{"u1@a sip:u1@a;user=phone\n", 0, "no IMPU"},
	{"u1@a sip:u1:pw@a\n", 0, "no IMPU"},
	{"u1@a <sip:u1@a>\n", 0, "no IMPU"},
	{"u1@a sip:u1@a\nu2@a sip:u2@a\0\n", 29, "p.txt:2: a NUL byte"},
	{A63 A63 A63 A63 "a@aa sip:u1@a\n", 0, "at most 255 bytes"}, // 256
};

START_TEST(bad_table) {
	struct env *e = env_sim_new(1);
	struct seen s = {0};
	char err[256] = "";
	size_t len = bad[_i].len != 0 ? bad[_i].len : strlen(bad[_i].text);

	env_sim_file(e, "p.txt", rg_slice(bad[_i].text, len));
	ck_assert_int_eq(load(e, &s, err, sizeof(err)), RG_E_PROTO);
	ck_assert_msg(strstr(err, bad[_i].err) != NULL, "%s", err);
	ck_assert_ptr_null(strchr(err, '\n'));
	env_sim_free(e);
}
END_TEST

static const struct {
	int rc;
	const char *err;
} refused[] = {
	{RG_E_CONFLICT, "p.txt:3: this IMPI or IMPU is there already"},
	{RG_E_LIMIT, "p.txt:3: more pairs than leases.max"},
	{-ENOMEM, "p.txt:3: Cannot allocate memory"},
};

START_TEST(refused_by_add) {
	struct env *e = env_sim_new(1);
	struct seen s = {.fail_at = 2, .rc = refused[_i].rc};
	char err[256] = "";

	env_sim_file(e, "p.txt", RG_LIT("u1@a sip:u1@a\n\nu2@a sip:u1@a\nu3@a sip:u3@a\n"));
	ck_assert_int_eq(load(e, &s, err, sizeof(err)), refused[_i].rc);
	ck_assert_msg(strstr(err, refused[_i].err) == err, "%s", err);
	ck_assert_int_eq(s.n, 2); // it stops there
	env_sim_free(e);
}
END_TEST

START_TEST(limits) {
	struct env *e = env_sim_new(1);
	struct seen s = {0};
	char err[256] = "", longest[300], *lines = malloc(1000001);

	snprintf(longest, sizeof(longest), "%sa@a sip:u1@a\n", A63 A63 A63 A63); // 255
	env_sim_file(e, "p.txt", rg_str(longest));
	ck_assert_int_eq(load(e, &s, err, sizeof(err)), 1);
	memset(lines, '\n', 1000001);
	env_sim_file(e, "p.txt", rg_slice(lines, 1000000));
	ck_assert_int_eq(load(e, &s, err, sizeof(err)), 0);
	env_sim_file(e, "p.txt", rg_slice(lines, 1000001));
	ck_assert_int_eq(load(e, &s, err, sizeof(err)), RG_E_LIMIT);
	ck_assert_str_eq(err, "p.txt:1000001: more than 1000000 lines: split the pool");
	free(lines);
	env_sim_free(e);
}
END_TEST

START_TEST(unreadable) {
	struct env *e = env_sim_new(1);
	struct seen s = {0};
	char err[256] = "";

	ck_assert_int_eq(load(e, &s, err, sizeof(err)), -ENOENT);
	ck_assert_str_eq(err, "p.txt: cannot read the pool file: No such file or directory");
	env_sim_file_error(e, "p.txt", EFBIG);
	ck_assert_int_eq(load(e, &s, err, sizeof(err)), -EFBIG);
	ck_assert_str_eq(err, "p.txt: cannot read the pool file: larger than 256 MiB");
	env_sim_free(e);
}
END_TEST

int main(void) {
	Suite *s = suite_create("pool");
	TCase *tc = tcase_create("file");
	SRunner *sr = srunner_create(s);
	int n_failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, good_table, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tc, bad_table, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_loop_test(tc, refused_by_add, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, limits);
	tcase_add_test(tc, unreadable);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
