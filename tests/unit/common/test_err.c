// SPDX-License-Identifier: BSD-3-Clause
// Texts of return codes: each its own, never NULL.
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"

START_TEST(texts) {
	for (int rc = RG_E_PROTO; rc <= RG_E_TAKEN; rc++) {
		ck_assert_str_ne(rg_strerror(rc), "unknown error");
		for (int other = RG_E_PROTO; other < rc; other++)
			ck_assert_str_ne(rg_strerror(rc), rg_strerror(other));
	}
	ck_assert_str_eq(rg_strerror(RG_OK), "ok");
	ck_assert_str_eq(rg_strerror(RG_MORE), "more input needed");
	ck_assert_str_eq(rg_strerror(-ENOENT), strerror(ENOENT));
	ck_assert_str_eq(rg_strerror(2), "unknown error");
	ck_assert_str_eq(rg_strerror(-1001), "unknown error");
	ck_assert_str_eq(rg_strerror(INT_MIN), "unknown error");
}
END_TEST

int main(void) {
	Suite *s = suite_create("err");
	TCase *t = tcase_create("err");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, texts);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
