// SPDX-License-Identifier: BSD-3-Clause
// Text of records and history in etcd: what is written is read, what is not as written is refused.
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "rows.h"
#include "store/etcd_record.h"
#include "store/store_impl.h"

#define DIGEST_0 "07070707070707070707070707070707"
#define DIGEST_1 "08080808080808080808080808080808"
#define GOOD                                                                                    \
	"1\tsip:p1@x\tpool\tsub-7\tgw-1\t7\t3\t3\t2\t49\t63\t9223372036854775800\t7\t" DIGEST_0 \
	"\t17\t" DIGEST_1 "\t11\t12"

START_TEST(a_record_is_text) {
	uint8_t buf[ETCD_RECORD_MAX];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct etcd_record r;
	struct row row;

	row_make(&row, 1, 7);
	etcd_record_put(&w, &row.l, (struct etcd_author){11, 12});
	ck_assert(rg_eq(rg_wr_slice(&w), RG_LIT(GOOD)));
	ck_assert_int_eq(etcd_record_read(RG_LIT("p1@x"), guard_str(GOOD), &r), 0);
	row_check(&r.lease, 1, 7);
	ck_assert_str_eq(r.lease.gateway, "gw-1");
	ck_assert_int_eq(r.lease.ended_ms, 63);
	ck_assert_uint_eq(r.author.tag, 11);
	ck_assert_uint_eq(r.author.seq, 12);
}
END_TEST

static const struct {
	const char *text;
	int rc;
} bad[] = {
	{"", RG_E_PROTO},
	{"1", RG_E_PROTO},
	{"2\tanything", RG_E_VERSION},
	{"x" GOOD, RG_E_PROTO},
	{GOOD "\t", RG_E_PROTO},
	{GOOD "\t1", RG_E_PROTO},
	{"1\tsip:%0\tp\ts\tg\t7\t3\t3\t2\t4\t6\t9\t7\t" DIGEST_0 "\t17\t" DIGEST_1 "\t1\t2",
	 RG_E_PROTO},
	{"1\tsip:%00\tp\ts\tg\t7\t3\t3\t2\t4\t6\t9\t7\t" DIGEST_0 "\t17\t" DIGEST_1 "\t1\t2",
	 RG_E_PROTO},
	{"1\tsip:\tp\ts\tg\t7\t256\t3\t2\t4\t6\t9\t7\t" DIGEST_0 "\t17\t" DIGEST_1 "\t1\t2",
	 RG_E_PROTO},
	{"1\tsip:\tp\ts\tg\t7\t3\t3\t2\t4\t6\t--9\t7\t" DIGEST_0 "\t17\t" DIGEST_1 "\t1\t2",
	 RG_E_PROTO},
	{"1\tsip:\tp\ts\tg\t7\t3\t3\t2\t4\t6\t9\t7\t07\t17\t" DIGEST_1 "\t1\t2", RG_E_PROTO},
};

START_TEST(refused) {
	struct etcd_record r;

	ck_assert_int_eq(etcd_record_read(RG_LIT("p1@x"), guard_str(bad[_i].text), &r), bad[_i].rc);
}
END_TEST

START_TEST(every_cut_is_refused) {
	struct etcd_record r;

	for (size_t n = 0; n + 1 < sizeof(GOOD) - 1; n++) { // the last number may be shorter
		struct rg_slice cut = guard_copy(rg_slice(GOOD, n));

		ck_assert_int_ne(etcd_record_read(RG_LIT("p1@x"), cut, &r), 0);
	}
}
END_TEST

START_TEST(too_long) {
	static char text[ETCD_TEXT_MAX + sizeof(GOOD)];
	struct etcd_record r;

	snprintf(text, sizeof(text), "1\tsip:%0*u", ETCD_TEXT_MAX, 1);
	ck_assert_int_eq(etcd_record_read(RG_LIT("p1@x"), rg_str(text), &r), RG_E_LIMIT);
	memset(text, 'x', ETCD_TEXT_MAX);
	ck_assert_int_eq(etcd_record_read(rg_slice(text, ETCD_TEXT_MAX), RG_LIT(GOOD), &r),
			 RG_E_LIMIT);
}
END_TEST

START_TEST(pasts) {
	static uint8_t buf[2][ETCD_PASTS_MAX];
	struct rg_slice old = RG_LIT("");
	struct etcd_past p;

	for (uint64_t gen = 1; gen <= 12; gen++) {
		struct rg_wr w = rg_wr(buf[gen % 2], ETCD_PASTS_MAX);
		struct row row;
		struct store_past past;

		row_make(&row, 1, gen);
		past = store_past_of(&row.l);
		etcd_pasts_put(&w, &past, old);
		old = rg_wr_slice(&w);
	}
	for (uint64_t gen = 12; gen > 12 - (STORE_PASTS - 1); gen--) {
		ck_assert_int_eq(etcd_past_read(&old, &p), 0);
		ck_assert_uint_eq(p.past.gen, gen);
		ck_assert_int_eq(p.past.granted_ms, (int64_t)gen * 7);
	}
	ck_assert_int_eq(etcd_past_read(&old, &p), RG_E_STALE);
	old = guard_str("1\ta\tb\t1\t2\t3\t");
	ck_assert_int_eq(etcd_past_read(&old, &p), RG_E_PROTO);
	old = guard_str("1\ta\tb\t1\t2\n");
	ck_assert_int_eq(etcd_past_read(&old, &p), RG_E_PROTO);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("etcd_record");
	TCase *tc = tcase_create("record");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, a_record_is_text);
	tcase_add_loop_test(tc, refused, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, every_cut_is_refused);
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, pasts);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
