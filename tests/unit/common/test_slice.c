// SPDX-License-Identifier: BSD-3-Clause
// Slices, the bounded reader and the bounded writer, against a guard page.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/slice.h"

static const struct rg_slice none; // p NULL

START_TEST(compare) {
	ck_assert(rg_eq(guard_str("abc"), RG_LIT("abc")));
	ck_assert(!rg_eq(guard_str("abc"), RG_LIT("abd")) &&
		  !rg_eq(guard_str("ab"), RG_LIT("abc")));
	ck_assert(rg_eq(none, RG_LIT("")) && rg_eq(none, none));
	ck_assert(rg_ieq(guard_str("aBc-1"), RG_LIT("AbC-1")) && rg_ieq(none, RG_LIT("")));
	ck_assert(!rg_ieq(guard_str("a["), RG_LIT("a{")) && !rg_ieq(guard_str("@"), RG_LIT("`")));
	ck_assert(!rg_ieq(guard_str("ab"), RG_LIT("abc")));
	ck_assert(rg_is_prefix(guard_str("abc"), RG_LIT("ab")) && rg_is_prefix(none, none));
	ck_assert(rg_is_prefix(guard_str("abc"), RG_LIT("abc")));
	ck_assert(!rg_is_prefix(guard_str("ab"), RG_LIT("abc")));
	ck_assert(!rg_is_prefix(guard_str("abc"), RG_LIT("b")));
	ck_assert_uint_eq(rg_str(NULL).len, 0);
}
END_TEST

START_TEST(skip_and_trim) {
	ck_assert(rg_eq(rg_skip(guard_str("abc"), 2), RG_LIT("c")));
	ck_assert_uint_eq(rg_skip(guard_str("abc"), 3).len, 0);
	ck_assert_uint_eq(rg_skip(guard_str("abc"), SIZE_MAX).len, 0);
	ck_assert_ptr_null(rg_skip(none, 5).p);
	ck_assert(rg_eq(rg_trim(guard_str(" \t\r\na b\n\r\t ")), RG_LIT("a b")));
	ck_assert_uint_eq(rg_trim(guard_str(" \t")).len, 0);
	ck_assert_uint_eq(rg_trim(none).len, 0);
	ck_assert(rg_eq(rg_trim(guard_str("a")), RG_LIT("a")));
}
END_TEST

static const struct {
	const char *text;
	bool is_ok;
	uint64_t value;
} numbers[] = {
	{"0", true, 0},
	{"7", true, 7},
	{"0000000000000000000000000042", true, 42},
	{"18446744073709551615", true, UINT64_MAX},
	{"18446744073709551616", false, 0},
	{"18446744073709551620", false, 0},
	{"28446744073709551615", false, 0},
	{"99999999999999999999999", false, 0},
	{"", false, 0},
	{"+1", false, 0},
	{"-1", false, 0},
	{" 1", false, 0},
	{"1 ", false, 0},
	{"1a", false, 0},
	{"/", false, 0},
	{":", false, 0},
};

START_TEST(parse_u64) {
	uint64_t v = 77;

	ck_assert_msg(rg_parse_u64(guard_str(numbers[_i].text), &v) == numbers[_i].is_ok, "%s",
		      numbers[_i].text);
	ck_assert_uint_eq(v, numbers[_i].is_ok ? numbers[_i].value : 77);
}
END_TEST

START_TEST(reader) {
	struct rg_rd rd = rg_rd(guard_hex("01 0203 0405060708090a0b 0c0d0e"));
	struct rg_slice s;

	ck_assert_uint_eq(rg_rd_be(&rd, 1), 0x01);
	ck_assert_uint_eq(rg_rd_be(&rd, 0), 0);
	ck_assert_uint_eq(rg_rd_be(&rd, 2), 0x0203);
	ck_assert_uint_eq(rg_rd_be(&rd, 8), 0x0405060708090a0b);
	s = rg_rd_bytes(&rd, 2);
	ck_assert(rg_eq(s, guard_hex("0c0d")) && !rd.bad);
	ck_assert_uint_eq(rg_rd_be(&rd, 2), 0);
	ck_assert(rd.bad);
	ck_assert_uint_eq(rg_rd_be(&rd, 1), 0); // stays bad, though one byte is there
	ck_assert_uint_eq(rg_rd_bytes(&rd, 1).len, 0);
	rd = rg_rd(guard_hex("0102"));
	ck_assert_uint_eq(rg_rd_bytes(&rd, SIZE_MAX).len, 0);
	ck_assert(rd.bad);
	rd = rg_rd(none);
	ck_assert(rg_rd_bytes(&rd, 0).len == 0 && !rd.bad);
	ck_assert(rg_rd_be(&rd, 1) == 0 && rd.bad);
}
END_TEST

// All puts in one, at every capacity: whole, or overflow and a prefix made of whole puts.
static void put_all(struct rg_wr *w) {
	rg_puts(w, "ab");
	rg_putc(w, '-');
	rg_put_u64(w, 0);
	rg_put_u64(w, UINT64_MAX);
	rg_put_be(w, 0x0102, 2);
	rg_put_be(w, 0x1122334455667788, 8);
	rg_put(w, none);
	rg_puts(w, NULL);
	rg_put(w, RG_LIT("z"));
}

START_TEST(writer) {
	static const char want[] =
		"ab-018446744073709551615\x01\x02\x11\x22\x33\x44\x55\x66\x77\x88z";
	size_t len = sizeof(want) - 1;

	for (size_t cap = 0; cap <= len + 1; cap++) {
		struct rg_slice room = guard_copy(rg_slice(want, cap < len ? cap : len));
		struct rg_wr w = rg_wr((void *)(uintptr_t)room.p, cap < len ? cap : len);

		put_all(&w);
		ck_assert(w.overflow == (cap < len));
		ck_assert(rg_is_prefix(rg_slice(want, len), rg_wr_slice(&w)));
		if (cap >= len)
			ck_assert_uint_eq(w.len, len);
	}
}
END_TEST

START_TEST(overflow_is_sticky) {
	char buf[4];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	rg_puts(&w, "ab");
	rg_puts(&w, "cde");
	ck_assert(w.overflow);
	rg_puts(&w, "f"); // would fit
	ck_assert(rg_eq(rg_wr_slice(&w), RG_LIT("ab")));
	w = rg_wr(NULL, 0);
	rg_puts(&w, "");
	ck_assert(!w.overflow);
	rg_putc(&w, 'x');
	ck_assert(w.overflow);
}
END_TEST

START_TEST(hex) {
	char buf[8];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	rg_put_hex(&w, guard_hex("00 9a ff f0"));
	ck_assert(rg_eq(rg_wr_slice(&w), RG_LIT("009afff0")) && !w.overflow);
	rg_put_hex(&w, RG_LIT("x"));
	ck_assert(w.overflow);
}
END_TEST

int main(void) {
	Suite *s = suite_create("slice");
	TCase *t = tcase_create("slice");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, compare);
	tcase_add_test(t, skip_and_trim);
	tcase_add_loop_test(t, parse_u64, 0, sizeof(numbers) / sizeof(numbers[0]));
	tcase_add_test(t, reader);
	tcase_add_test(t, writer);
	tcase_add_test(t, overflow_is_sticky);
	tcase_add_test(t, hex);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
