// SPDX-License-Identifier: BSD-3-Clause
// base64url: RFC 4648 10 without padding, and everything that is not the one text of its bytes.
#include "guard.h"
#include "tokens.h"

static const struct {
	const char *text;
	int rc; // 0: bytes is what it means
	const char *bytes;
} cases[] = {
	{"", 0, ""},
	{"Zg", 0, "f"},
	{"Zm8", 0, "fo"},
	{"Zm9v", 0, "foo"},
	{"Zm9vYg", 0, "foob"},
	{"Zm9vYmE", 0, "fooba"},
	{"Zm9vYmFy", 0, "foobar"},
	{"_-8", 0, "\xff\xef"},
	{"Z", RG_E_PROTO, NULL},
	{"Zm9vY", RG_E_PROTO, NULL},
	{"Zg==", RG_E_PROTO, NULL}, // padding
	{"Zg=", RG_E_PROTO, NULL},
	{"Zh", RG_E_PROTO, NULL}, // unused bits
	{"Zm9", RG_E_PROTO, NULL},
	{"/+8", RG_E_PROTO, NULL}, // the other alphabet
	{"Zm 9v", RG_E_PROTO, NULL},
	{"Zm9v\n", RG_E_PROTO, NULL},
	{"Zm9\xc3", RG_E_PROTO, NULL},
	{"Zm9vYmFyYmF6", RG_E_LIMIT, NULL}, // 9 bytes into 8
};

START_TEST(decode_table) {
	uint8_t out[8];
	size_t len = 99;

	ck_assert_int_eq(b64url_decode(guard_str(cases[_i].text), out, sizeof(out), &len),
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
	b64url_put(&w, guard_str(cases[_i].bytes));
	ck_assert(rg_eq(rg_wr_slice(&w), rg_str(cases[_i].text)));
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_b64url");
	TCase *tc = tcase_create("b64url");
	int n = sizeof(cases) / sizeof(*cases);

	tcase_add_loop_test(tc, decode_table, 0, n);
	tcase_add_loop_test(tc, encode_table, 0, n);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
