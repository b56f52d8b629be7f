// SPDX-License-Identifier: BSD-3-Clause
// Requests to etcd's JSON gateway, and its answers as 3.4 gives them.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "store/etcd_json.h"

static char buf[4096];

static const char *text(const struct rg_wr *w) {
	ck_assert(!w->overflow && w->len < sizeof(buf));
	buf[w->len] = '\0';
	return buf;
}

START_TEST(requests) {
	struct rg_wr w = rg_wr(buf, sizeof(buf) - 1);

	etcd_put_range(&w, &(struct etcd_range){RG_LIT("a"), RG_LIT("b"), 5, 6, 7});
	ck_assert_str_eq(text(&w), "{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"revision\":5,"
				   "\"min_mod_revision\":6,\"limit\":7}");
	w = rg_wr(buf, sizeof(buf) - 1);
	etcd_put_login(&w, "u\"\\", "p\n");
	ck_assert_str_eq(text(&w), "{\"name\":\"u\\\"\\\\\",\"password\":\"p\\u000a\"}");
	w = rg_wr(buf, sizeof(buf) - 1);
	etcd_txn_begin(&w);
	etcd_txn_put(&w, &(struct etcd_put){.key = RG_LIT("k"),
					    .value = RG_LIT("v"),
					    .new_key = RG_LIT("n"),
					    .new_value = RG_LIT("m"),
					    .also_key = RG_LIT("a"),
					    .also_value = RG_LIT("b")});
	etcd_txn_put(&w, &(struct etcd_put){.key = RG_LIT("l"),
					    .value = RG_LIT("v"),
					    .mod_revision = 9});
	etcd_txn_end(&w);
	ck_assert_str_eq(
		text(&w),
		"{\"success\":[{\"request_txn\":{\"compare\":["
		"{\"key\":\"aw==\",\"target\":\"MOD\",\"mod_revision\":0},"
		"{\"key\":\"bg==\",\"target\":\"MOD\",\"mod_revision\":0}],"
		"\"success\":[{\"request_put\":{\"key\":\"aw==\",\"value\":\"dg==\"}},"
		"{\"request_put\":{\"key\":\"bg==\",\"value\":\"bQ==\"}},"
		"{\"request_put\":{\"key\":\"YQ==\",\"value\":\"Yg==\"}}],"
		"\"failure\":[{\"request_range\":{\"key\":\"aw==\"}},"
		"{\"request_range\":{\"key\":\"bg==\"}}]}},"
		"{\"request_txn\":{\"compare\":[{\"key\":\"bA==\",\"target\":\"MOD\","
		"\"mod_revision\":9}],\"success\":[{\"request_put\":{\"key\":\"bA==\","
		"\"value\":\"dg==\"}}],\"failure\":[{\"request_range\":{\"key\":\"bA==\"}}]}}]}");
}
END_TEST

START_TEST(together) {
	const struct etcd_put puts[] = {
		{.key = RG_LIT("k"), .value = RG_LIT("v"), .new_key = RG_LIT("n")},
		{.key = RG_LIT("l"),
		 .value = RG_LIT("v"),
		 .mod_revision = 9,
		 .also_key = RG_LIT("a")},
	};
	struct rg_wr w = rg_wr(buf, sizeof(buf) - 1);

	etcd_txn_begin_together(&w);
	for (unsigned i = 0; i < 2; i++)
		etcd_txn_if(&w, &puts[i]);
	etcd_txn_then(&w);
	for (unsigned i = 0; i < 2; i++)
		etcd_txn_do(&w, &puts[i]);
	etcd_txn_end(&w);
	ck_assert_str_eq(text(&w),
			 "{\"compare\":[{\"key\":\"aw==\",\"target\":\"MOD\",\"mod_revision\":0},"
			 "{\"key\":\"bg==\",\"target\":\"MOD\",\"mod_revision\":0},"
			 "{\"key\":\"bA==\",\"target\":\"MOD\",\"mod_revision\":9}],\"success\":["
			 "{\"request_put\":{\"key\":\"aw==\",\"value\":\"dg==\"}},"
			 "{\"request_put\":{\"key\":\"bg==\",\"value\":\"\"}},"
			 "{\"request_put\":{\"key\":\"bA==\",\"value\":\"dg==\"}},"
			 "{\"request_put\":{\"key\":\"YQ==\",\"value\":\"\"}}]}");
}
END_TEST

static struct etcd_reply parse(const char *json) {
	struct etcd_reply r;

	ck_assert_int_eq(etcd_reply_parse(guard_str(json), &r), 0);
	return r;
}

START_TEST(range) {
	struct etcd_reply r = parse(
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"42\"},\"kvs\":[{\"key\":\"YQ==\","
		"\"create_revision\":\"3\",\"mod_revision\":\"41\",\"value\":\"aGk=\"},"
		"{\"key\":\"Yg==\",\"mod_revision\":40}],\"more\":true,\"count\":\"9\"}");
	struct etcd_kv kv;

	ck_assert_uint_eq(r.revision, 42);
	ck_assert_uint_eq(r.code, 0);
	ck_assert(r.more);
	ck_assert_uint_eq(r.n, 2);
	ck_assert_int_eq(etcd_reply_kv(&r, 0, &kv), 0);
	ck_assert(rg_eq(kv.key, RG_LIT("a")) && rg_eq(kv.value, RG_LIT("hi")));
	ck_assert_uint_eq(kv.mod_revision, 41);
	ck_assert_int_eq(etcd_reply_kv(&r, 1, &kv), 0);
	ck_assert_uint_eq(kv.value.len, 0);
	ck_assert_uint_eq(kv.mod_revision, 40);
	ck_assert_int_eq(etcd_reply_kv(&r, 2, &kv), RG_E_PROTO);
	etcd_reply_fini(&r);
}
END_TEST

START_TEST(transaction) {
	struct etcd_reply r = parse(
		"{\"header\":{\"revision\":\"8\"},\"succeeded\":true,\"responses\":["
		"{\"response_txn\":{\"header\":{\"revision\":\"7\"},\"succeeded\":true,"
		"\"responses\":["
		"{\"response_put\":{}}]}},"
		"{\"response_txn\":{\"responses\":[{\"response_range\":{\"kvs\":[{\"key\":\"YQ==\","
		"\"mod_revision\":\"5\",\"value\":\"aGk=\"}],\"count\":\"1\"}},"
		"{\"response_range\":{}}]}},"
		"{\"response_txn\":{\"responses\":[{\"response_range\":{}}]}},"
		"{\"response_range\":{}},{\"response_txn\":{}}]}");
	struct etcd_kv now, other;

	ck_assert_uint_eq(r.n, 5);
	ck_assert_int_eq(etcd_reply_put(&r, 0, &now, &other), 0);
	ck_assert_int_eq(etcd_reply_put(&r, 1, &now, &other), RG_E_CONFLICT);
	ck_assert(rg_eq(now.value, RG_LIT("hi")) && now.mod_revision == 5 && other.key.len == 0);
	ck_assert_int_eq(etcd_reply_put(&r, 2, &now, &other), RG_E_CONFLICT);
	ck_assert_uint_eq(now.key.len, 0);
	ck_assert_int_eq(etcd_reply_put(&r, 3, &now, &other), RG_E_PROTO);
	ck_assert_int_eq(etcd_reply_read(&r, 3, &now), RG_E_STALE);
	ck_assert_int_eq(etcd_reply_read(&r, 0, &now), RG_E_PROTO);
	ck_assert_int_eq(etcd_reply_put(&r, 4, &now, &other), RG_E_PROTO);
	ck_assert_int_eq(etcd_reply_put(&r, 5, &now, &other), RG_E_PROTO);
	etcd_reply_fini(&r);
}
END_TEST

START_TEST(watch) {
	struct etcd_reply r =
		parse("{\"result\":{\"header\":{\"revision\":\"3\"},\"created\":true}}");
	struct etcd_kv kv;

	ck_assert(r.is_created && !r.is_canceled && r.n == 0);
	etcd_reply_fini(&r);
	r = parse(
		"{\"result\":{\"header\":{\"revision\":\"9\"},\"events\":[{\"kv\":{\"key\":"
		"\"YQ==\",\"mod_revision\":\"9\",\"value\":\"aGk=\"}},{\"type\":\"DELETE\",\"kv\":"
		"{\"key\":\"YQ==\",\"mod_revision\":\"9\"}}],\"fragment\":true}}");
	ck_assert(r.is_fragment && r.n == 2);
	ck_assert_int_eq(etcd_reply_kv(&r, 0, &kv), 0);
	ck_assert(!kv.is_delete && rg_eq(kv.value, RG_LIT("hi")));
	ck_assert_int_eq(etcd_reply_kv(&r, 1, &kv), 0);
	ck_assert(kv.is_delete);
	etcd_reply_fini(&r);
	r = parse("{\"result\":{\"header\":{},\"canceled\":true,\"compact_revision\":\"77\","
		  "\"cancel_reason\":\"compacted\"}}");
	ck_assert(r.is_canceled && r.compact_revision == 77);
	ck_assert_str_eq(r.message, "compacted");
	etcd_reply_fini(&r);
}
END_TEST

START_TEST(errors) {
	struct etcd_reply r = parse("{\"error\":\"etcdserver: no leader\",\"code\":14,"
				    "\"message\":\"etcdserver: no leader\"}");

	ck_assert_uint_eq(r.code, 14);
	ck_assert_str_eq(r.message, "etcdserver: no leader");
	etcd_reply_fini(&r);
	r = parse("{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"no leader\"}}");
	ck_assert_uint_eq(r.code, 14);
	ck_assert_str_eq(r.message, "no leader");
	etcd_reply_fini(&r);
	r = parse("{\"error\":\"?\"}");
	ck_assert_uint_eq(r.code, 2);
	etcd_reply_fini(&r);
}
END_TEST

static const char *const bad[] = {
	"",
	"[]",
	"{",
	"{} x",
	"\"x\"",
	"{\"header\":{\"revision\":\"x\"}}",
	"{\"header\":{\"revision\":\"-1\"}}",
	"{\"header\":{\"revision\":-1}}",
	"{\"header\":{\"revision\":1.5}}",
	"{\"header\":{\"revision\":\"18446744073709551616\"}}",
};

START_TEST(refused) {
	struct etcd_reply r;

	ck_assert_int_eq(etcd_reply_parse(guard_str(bad[_i]), &r), RG_E_PROTO);
}
END_TEST

static const char *const bad_kvs[] = {
	"{}",
	"5",
	"{\"key\":5}",
	"{\"key\":\"YQ=\"}",
	"{\"key\":\"Y!==\"}",
	"{\"key\":\"YR==\"}", // has another text already
	"{\"key\":\"Y===\"}",
	"{\"key\":\"====\"}",
	"{\"key\":\"YQ==\",\"mod_revision\":\"x\"}",
	"{\"value\":\"YQ==\"}",
};

START_TEST(refused_kv) {
	char json[256];
	struct etcd_reply r;
	struct etcd_kv kv;

	snprintf(json, sizeof(json), "{\"kvs\":[%s]}", bad_kvs[_i]);
	r = parse(json);
	ck_assert_int_eq(etcd_reply_kv(&r, 0, &kv), RG_E_PROTO);
	etcd_reply_fini(&r);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("etcd_json");
	TCase *tc = tcase_create("json");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, requests);
	tcase_add_test(tc, together);
	tcase_add_test(tc, range);
	tcase_add_test(tc, transaction);
	tcase_add_test(tc, watch);
	tcase_add_test(tc, errors);
	tcase_add_loop_test(tc, refused, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_loop_test(tc, refused_kv, 0, (int)(sizeof(bad_kvs) / sizeof(bad_kvs[0])));
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
