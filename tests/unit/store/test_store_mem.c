// SPDX-License-Identifier: BSD-3-Clause
// The memory store keeps what the tests of others rely on: order, delay, failures, crashes.
#include <errno.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "regate/err.h"
#include "rows.h"
#include "store/store_mem.h"

static struct env *env;
static struct store *s;
static unsigned n_done;
static int last_rc;
static char order[16];
static uint64_t gens[4], revs[4]; // revs: of the records, when all commits succeed

static void setup(void) {
	env = env_sim_new(1);
	ck_assert_int_eq(store_mem_open(env, &s), 0);
	n_done = 0;
	memset(order, 0, sizeof(order));
	memset(revs, 0, sizeof(revs));
}

static void teardown(void) {
	store_close(s);
	env_sim_free(env);
}

static void on_done(void *arg, int rc, uint64_t) {
	last_rc = rc;
	order[n_done++] = *(const char *)arg;
}

static void commit(unsigned i, uint64_t gen, const char *name) {
	struct row r;

	row_make(&r, i, gen);
	r.l.rev = revs[i]++;
	ck_assert_int_eq(store_commit(s, &r.l, on_done, (void *)name), 0);
	memset(&r, 0xff, sizeof(r)); // the store has its own copy
}

static int on_row(void *, const struct store_lease *l) {
	unsigned i = (unsigned)atoi(l->impi + 1);

	row_check(l, i, l->gen);
	gens[i] = l->gen;
	revs[i] = l->rev;
	return 0;
}

static void load(void) {
	const struct store_load cb = {on_row, NULL};

	memset(gens, 0, sizeof(gens));
	memset(revs, 0, sizeof(revs));
	ck_assert_int_eq(store_load_all(s, &cb), 0);
}

START_TEST(commits_end_in_order_and_later) {
	store_mem_set_delay(s, 5 * RG_NS_PER_S);
	commit(1, 10, "a");
	store_mem_set_delay(s, RG_NS_PER_MS);
	commit(2, 20, "b");
	commit(1, 11, "c");
	env_sim_advance(env, RG_NS_PER_S);
	ck_assert_uint_eq(n_done, 0);
	load();
	ck_assert_uint_eq(gens[1], 0);
	env_sim_advance(env, 5 * RG_NS_PER_S);
	ck_assert_str_eq(order, "abc");
	ck_assert_int_eq(last_rc, 0);
	load();
	ck_assert_uint_eq(gens[1], 11);
	ck_assert_uint_eq(gens[2], 20);
}
END_TEST

START_TEST(failures_on_demand) {
	struct store_stats st;

	store_mem_fail(s, 1, -EIO);
	commit(1, 10, "a");
	env_sim_advance(env, RG_NS_PER_S);
	ck_assert_int_eq(last_rc, -EIO);
	store_mem_fail_late(s, 1, -ENOSPC);
	commit(2, 20, "b");
	env_sim_advance(env, RG_NS_PER_S);
	ck_assert_int_eq(last_rc, -ENOSPC);
	commit(3, 30, "c");
	env_sim_advance(env, RG_NS_PER_S);
	ck_assert_int_eq(last_rc, 0);
	load();
	ck_assert_uint_eq(gens[1], 0);
	ck_assert_uint_eq(gens[2], 20); // late: durable, but nobody was told
	ck_assert_uint_eq(gens[3], 30);
	store_get_stats(s, &st);
	ck_assert_uint_eq(st.commits, 1);
	ck_assert_uint_eq(st.failures, 2);
	ck_assert_uint_eq(st.queued, 0);
}
END_TEST

static void on_record(void *arg, const struct store_lease *l) {
	row_check(l, 1, 10);
	*(uint64_t *)arg = l->rev;
}

START_TEST(a_write_names_the_record_that_it_replaces) {
	uint64_t told = 0;
	const struct store_watch w = {.lease = on_record, .arg = &told};
	struct store_stats st;

	store_set_watch(s, &w);
	commit(1, 10, "a");
	store_flush(s);
	ck_assert_uint_eq(told, 0);
	revs[1] = 0;
	commit(1, 11, "b");
	store_flush(s);
	ck_assert_int_eq(last_rc, RG_E_CONFLICT);
	ck_assert_uint_eq(told, 1);
	store_get_stats(s, &st);
	ck_assert_uint_eq(st.conflicts, 1);
	ck_assert_uint_eq(st.failures, 0);
	load();
	ck_assert_uint_eq(gens[1], 10);
}
END_TEST

START_TEST(crash_keeps_a_prefix) {
	commit(1, 10, "a");
	commit(2, 20, "b");
	commit(3, 30, "c");
	store_mem_crash(s, 2);
	ck_assert_int_eq(last_rc, -EIO);
	load();
	ck_assert_uint_eq(gens[1], 10);
	ck_assert_uint_eq(gens[2], 20);
	ck_assert_uint_eq(gens[3], 0);
	commit(3, 31, "d");
	env_sim_advance(env, RG_NS_PER_S);
	load();
	ck_assert_uint_eq(gens[3], 31);
}
END_TEST

START_TEST(close_ends_what_is_queued) {
	struct env *e = env_sim_new(1);
	struct store *other;
	struct row r;

	ck_assert_int_eq(store_mem_open(e, &other), 0);
	row_make(&r, 1, 1);
	ck_assert_int_eq(store_commit(other, &r.l, on_done, "x"), 0);
	store_close(other);
	ck_assert_uint_eq(n_done, 1);
	store_close(NULL);
	env_sim_free(e);
}
END_TEST

START_TEST(named_values) {
	char buf[STORE_TOKENS * 32];
	size_t len = sizeof(buf);

	ck_assert_int_eq(store_get(s, "key", buf, &len), RG_E_STALE);
	ck_assert_int_eq(store_put(s, "key", "0123", 4, false, NULL, NULL), 0);
	ck_assert_int_eq(store_put(s, "key", "45678", 5, false, NULL, NULL), 0);
	store_flush(s);
	ck_assert_int_eq(store_get(s, "key", buf, &len), 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(buf, "45678", 5);
	len = 4;
	ck_assert_int_eq(store_get(s, "key", buf, &len), RG_E_LIMIT);
	ck_assert_int_eq(store_put(s, "key", buf, STORE_VALUE_MAX + 1, false, NULL, NULL),
			 RG_E_LIMIT);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("store_mem");
	TCase *tc = tcase_create("mem");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, commits_end_in_order_and_later);
	tcase_add_test(tc, failures_on_demand);
	tcase_add_test(tc, a_write_names_the_record_that_it_replaces);
	tcase_add_test(tc, crash_keeps_a_prefix);
	tcase_add_test(tc, close_ends_what_is_queued);
	tcase_add_test(tc, named_values);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
