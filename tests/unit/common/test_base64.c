// SPDX-License-Identifier: BSD-3-Clause
// RFC 4648 10 with and without padding, and everything that is not the one text of its bytes.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/base64.h"
#include "regate/err.h"

static const struct {
	enum rg_b64 kind;
	const char *text;
	int rc; // 0: bytes is what it means
	const char *bytes;
} cases[] = {
	{RG_B64_URL, "", 0, ""},
	{RG_B64_URL, "Zg", 0, "f"},
	{RG_B64_URL, "Zm8", 0, "fo"},
	{RG_B64_URL, "Zm9v", 0, "foo"},
	{RG_B64_URL, "Zm9vYg", 0, "foob"},
	{RG_B64_URL, "Zm9vYmE", 0, "fooba"},
	{RG_B64_URL, "Zm9vYmFy", 0, "foobar"},
	{RG_B64_URL, "_-8", 0, "\xff\xef"},
	{RG_B64_URL, "Z", RG_E_PROTO, NULL},
	{RG_B64_URL, "Zm9vY", RG_E_PROTO, NULL},
	{RG_B64_URL, "Zg==", RG_E_PROTO, NULL}, // padding
	{RG_B64_URL, "Zg=", RG_E_PROTO, NULL},
	{RG_B64_URL, "Zh", RG_E_PROTO, NULL}, // unused bits
	{RG_B64_URL, "Zm9", RG_E_PROTO, NULL},
	{RG_B64_URL, "/+8", RG_E_PROTO, NULL}, // the other alphabet
	{RG_B64_URL, "Zm 9v", RG_E_PROTO, NULL},
	{RG_B64_URL, "Zm9v\n", RG_E_PROTO, NULL},
	{RG_B64_URL, "Zm9\xc3", RG_E_PROTO, NULL},
	{RG_B64_URL, "Zm9vYmFyYmF6", RG_E_LIMIT, NULL}, // 9 bytes into 8
	{RG_B64_PADDED, "", 0, ""},
	{RG_B64_PADDED, "Zg==", 0, "f"},
	{RG_B64_PADDED, "Zm8=", 0, "fo"},
	{RG_B64_PADDED, "Zm9v", 0, "foo"},
	{RG_B64_PADDED, "///+", 0, "\xff\xff\xfe"},
	{RG_B64_PADDED, "Zg", RG_E_PROTO, NULL},
	{RG_B64_PADDED, "Zg=", RG_E_PROTO, NULL},
	{RG_B64_PADDED, "Z===", RG_E_PROTO, NULL},
	{RG_B64_PADDED, "====", RG_E_PROTO, NULL},
	{RG_B64_PADDED, "=", RG_E_PROTO, NULL},
	{RG_B64_PADDED, "Zh==", RG_E_PROTO, NULL},
	{RG_B64_PADDED, "Zg==Zg==", RG_E_PROTO, NULL},
	{RG_B64_PADDED, "Zg=v", RG_E_PROTO, NULL},
	{RG_B64_PADDED, "__8=", RG_E_PROTO, NULL},
};

START_TEST(decode_table) {
	uint8_t out[8];
	size_t len = 99;

	ck_assert_int_eq(rg_b64_read(guard_str(cases[_i].text), cases[_i].kind, out, sizeof(out),
				     &len),
			 cases[_i].rc);
	if (cases[_i].rc != 0) {
		ck_assert_uint_eq(len, 99);
		return;
	}
	ck_assert(rg_eq(rg_slice(out, len), rg_str(cases[_i].bytes)));
}
END_TEST

START_TEST(encode_table) {
	char buf[32];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	if (cases[_i].rc != 0)
		return;
	rg_b64_put(&w, cases[_i].kind, guard_str(cases[_i].bytes));
	ck_assert(rg_eq(rg_wr_slice(&w), rg_str(cases[_i].text)));
}
END_TEST

// All or nothing.
START_TEST(encode_no_room) {
	static const struct {
		const char *bytes;
		size_t cap;
		enum rg_b64 kind;
	} full[] = {{"foo", 3, RG_B64_URL},
		    {"f", 1, RG_B64_URL},
		    {"f", 3, RG_B64_PADDED},
		    {"fooba", 6, RG_B64_URL},
		    {"foobar", 7, RG_B64_PADDED}};
	char buf[8] = "unused!";
	struct rg_wr w = rg_wr(buf, full[_i].cap);

	rg_b64_put(&w, full[_i].kind, rg_str(full[_i].bytes));
	ck_assert(w.overflow);
	ck_assert_uint_eq(w.len, 0);
	ck_assert_str_eq(buf, "unused!");
}
END_TEST

int main(void) {
	Suite *s = suite_create("common_base64");
	TCase *tc = tcase_create("base64");
	int n = sizeof(cases) / sizeof(*cases), n_failed;
	SRunner *sr = srunner_create(s);

	tcase_add_loop_test(tc, decode_table, 0, n);
	tcase_add_loop_test(tc, encode_table, 0, n);
	tcase_add_loop_test(tc, encode_no_room, 0, 5);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
