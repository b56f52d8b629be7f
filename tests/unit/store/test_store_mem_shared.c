// SPDX-License-Identifier: BSD-3-Clause
// Several handles on one memory store: compare and swap between them, the watch, and cuts.
#include <errno.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "regate/err.h"
#include "rows.h"
#include "store/store_mem.h"

struct node {
	struct store *s;
	unsigned n_told, n_values, n_done;
	uint64_t rev, gen, done_rev; // of the last record told; of the last answer
	int rc;
};

static struct env *env;
static struct node a, b;

static void on_record(void *arg, const struct store_lease *l) {
	struct node *n = arg;

	row_check(l, 1, l->gen);
	n->n_told++;
	n->rev = l->rev;
	n->gen = l->gen;
}

static void on_value(void *arg, const char *) {
	((struct node *)arg)->n_values++;
}

static void on_done(void *arg, int rc, uint64_t rev) {
	struct node *n = arg;

	n->n_done++;
	n->rc = rc;
	n->done_rev = rev;
}

static void setup(void) {
	const struct store_watch wa = {on_record, on_value, &a}, wb = {on_record, on_value, &b};

	env = env_sim_new(1);
	a = b = (struct node){0};
	ck_assert_int_eq(store_mem_open(env, &a.s), 0);
	ck_assert_int_eq(store_put(a.s, "first", "1", 1, true, NULL, NULL), 0);
	store_flush(a.s);
	ck_assert_int_eq(store_mem_join(a.s, env, &b.s), 0);
	store_set_watch(a.s, &wa);
	store_set_watch(b.s, &wb);
}

static void teardown(void) {
	store_close(a.s);
	store_close(b.s);
	env_sim_free(env);
}

static void commit(struct node *n, uint64_t rev, uint64_t gen) {
	struct row r;

	row_make(&r, 1, gen);
	r.l.rev = rev;
	ck_assert_int_eq(store_commit(n->s, &r.l, on_done, n), 0);
}

static void wait_ms(unsigned ms) {
	env_sim_advance(env, ms * RG_NS_PER_MS);
}

static const char *value(struct node *n, const char *name) {
	static char buf[8];
	size_t len = sizeof(buf) - 1;

	if (store_get(n->s, name, buf, &len) != 0)
		return "";
	buf[len] = '\0';
	return buf;
}

START_TEST(one_of_two_writes_wins) {
	commit(&a, 0, 10);
	commit(&b, 0, 20);
	wait_ms(1);
	ck_assert_int_eq(a.rc, 0);
	ck_assert_uint_eq(a.done_rev, 1);
	ck_assert_int_eq(b.rc, RG_E_CONFLICT);
	ck_assert_uint_eq(b.gen, 10);
	wait_ms(10);
	ck_assert_uint_eq(b.n_told, 1); // not twice
	ck_assert_uint_eq(a.n_told, 0);
	commit(&b, 1, 20);
	wait_ms(10);
	ck_assert_int_eq(b.rc, 0);
	ck_assert_uint_eq(a.gen, 20);
	ck_assert_uint_eq(a.rev, 2);
}
END_TEST

START_TEST(the_watch_takes_its_time) {
	store_mem_set_watch_delay(b.s, 500 * RG_NS_PER_MS);
	commit(&a, 0, 10);
	wait_ms(2);
	commit(&a, 1, 11);
	wait_ms(498);
	ck_assert_uint_eq(b.n_told, 0);
	wait_ms(1);
	ck_assert_uint_eq(b.gen, 10);
	wait_ms(5);
	ck_assert_uint_eq(b.gen, 11);
	ck_assert_uint_eq(b.n_told, 2);
}
END_TEST

START_TEST(own_writes_outdate_the_news) {
	store_mem_set_watch_delay(b.s, 500 * RG_NS_PER_MS);
	commit(&a, 0, 10);
	ck_assert_int_eq(store_put(a.s, "k", "old", 3, false, NULL, NULL), 0);
	wait_ms(5);
	commit(&b, 1, 11);
	ck_assert_int_eq(store_put(b.s, "k", "new", 3, false, NULL, NULL), 0);
	wait_ms(1000);
	ck_assert_int_eq(b.rc, 0);
	ck_assert_uint_eq(b.n_told, 0);
	ck_assert_str_eq(value(&b, "k"), "new");
	ck_assert_str_eq(value(&a, "k"), "new");
}
END_TEST

// What came after ours may be told before the answer to ours.
START_TEST(answers_may_be_late) {
	store_mem_set_answer_delay(a.s, 500 * RG_NS_PER_MS);
	commit(&a, 0, 10);
	wait_ms(3);
	commit(&b, 1, 11);
	wait_ms(3);
	ck_assert_uint_eq(a.n_done, 0);
	ck_assert_uint_eq(a.rev, 2);
	wait_ms(500);
	ck_assert_int_eq(a.rc, 0);
	ck_assert_uint_eq(a.done_rev, 1);
}
END_TEST

START_TEST(lost_answers_are_told) {
	store_mem_fail_late(a.s, 1, -EIO);
	commit(&a, 0, 10);
	wait_ms(5);
	ck_assert_int_eq(a.rc, -EIO);
	ck_assert_uint_eq(a.gen, 10);
	ck_assert_uint_eq(a.rev, 1);
}
END_TEST

static int on_row(void *arg, const struct store_lease *l) {
	(void)l;
	++*(unsigned *)arg;
	return 0;
}

START_TEST(cut_off) {
	unsigned n = 0;
	const struct store_load cb = {on_row, &n};
	struct store_stats st;

	commit(&b, 0, 10); // under way: it gets there, its answer does not come back
	store_mem_cut(b.s, true);
	wait_ms(5);
	ck_assert_int_eq(b.rc, -ETIMEDOUT);
	ck_assert_uint_eq(a.gen, 10);
	commit(&b, 1, 20);
	commit(&a, 1, 11);
	ck_assert_int_eq(store_put(a.s, "k", "v", 1, false, NULL, NULL), 0);
	wait_ms(5);
	ck_assert_int_eq(b.rc, -ETIMEDOUT);
	ck_assert_int_eq(a.rc, 0);
	ck_assert_int_eq(store_load_all(b.s, &cb), -ETIMEDOUT);
	store_get_stats(b.s, &st);
	ck_assert(!st.is_up);
	ck_assert_uint_eq(b.n_told, 0);
	store_mem_cut(b.s, false);
	wait_ms(5);
	ck_assert_uint_eq(b.n_told, 2);
	ck_assert_uint_eq(b.gen, 11);
	ck_assert_uint_eq(b.n_values, 1);
	ck_assert_str_eq(value(&b, "k"), "v");
	ck_assert_int_eq(store_load_all(b.s, &cb), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(values_are_shared) {
	ck_assert_str_eq(value(&b, "first"), "1"); // of before it joined
	ck_assert_int_eq(store_put(a.s, "k", "a", 1, true, on_done, &a), 0);
	ck_assert_int_eq(store_put(b.s, "k", "b", 1, true, on_done, &b), 0);
	wait_ms(1);
	ck_assert_int_eq(a.rc, 0);
	ck_assert_int_eq(b.rc, RG_E_CONFLICT);
	ck_assert_str_eq(value(&b, "k"), "a");
	wait_ms(5);
	ck_assert_uint_eq(b.n_values, 1);
}
END_TEST

START_TEST(crash_of_one) {
	commit(&a, 0, 10);
	store_mem_crash(a.s, 1);
	ck_assert_int_eq(a.rc, -EIO);
	commit(&a, 1, 11);
	store_mem_crash(a.s, 0);
	wait_ms(5);
	ck_assert_uint_eq(b.gen, 10);
	store_close(a.s); // the records stay
	commit(&b, 1, 12);
	wait_ms(5);
	ck_assert_int_eq(b.rc, 0);
	ck_assert_int_eq(store_mem_join(b.s, env, &a.s), 0);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("store_mem_shared");
	TCase *tc = tcase_create("mem");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_of_two_writes_wins);
	tcase_add_test(tc, the_watch_takes_its_time);
	tcase_add_test(tc, own_writes_outdate_the_news);
	tcase_add_test(tc, answers_may_be_late);
	tcase_add_test(tc, lost_answers_are_told);
	tcase_add_test(tc, cut_off);
	tcase_add_test(tc, values_are_shared);
	tcase_add_test(tc, crash_of_one);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
