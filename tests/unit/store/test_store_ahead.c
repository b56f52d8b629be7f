// SPDX-License-Identifier: BSD-3-Clause
// Loading more records than the SQLite store reads ahead.
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/env_real.h"
#include "rows.h"

#define N_ROWS 20000
#define LONG 400000 // bytes of a text: more than a batch has room for

static struct env *env;
static struct store *store;
static char dir[] = "/tmp/regate-ahead-XXXXXX", path[64];
static char *text;

static void setup(void) {
	char err[256];

	text = calloc(1, LONG + 1);
	memset(text, 's', LONG);
	env = env_real_new();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s.db", dir);
	ck_assert_int_eq(store_sqlite_open(env, path, &store, err, sizeof(err)), 0);
	for (unsigned i = 0; i < N_ROWS; i++) {
		struct row r;

		row_make(&r, i, 1);
		if (i % 5000 == 1)
			r.l.sub = text;
		ck_assert_int_eq(store_commit(store, &r.l, NULL, NULL), 0);
	}
	store_flush(store);
}

static void teardown(void) {
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[80];

	store_close(store);
	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	rmdir(dir);
	env_real_free(env);
	free(text);
}

struct seen {
	unsigned n, stop_at;
	char last[32];
};

static int on_row(void *arg, const struct store_lease *l) {
	unsigned i = (unsigned)atoi(l->impi + 1);
	struct store_lease row = *l;
	struct seen *s = arg;
	char sub[] = "sub-1";

	ck_assert_int_lt(strcmp(s->last, l->impi), 0); // by IMPI: none twice
	snprintf(s->last, sizeof(s->last), "%s", l->impi);
	if (i % 5000 == 1) {
		ck_assert_str_eq(l->sub, text);
		row.sub = sub;
	}
	row_check(&row, i, 1);
	return ++s->n == s->stop_at ? -ENOSPC : 0;
}

START_TEST(all_come_in_order) {
	struct seen s = {0};
	const struct store_load cb = {on_row, &s};

	ck_assert_int_eq(store_load_all(store, &cb), 0);
	ck_assert_uint_eq(s.n, N_ROWS);
}
END_TEST

START_TEST(who_takes_may_stop) {
	static const unsigned at[] = {1, 512, 700, N_ROWS};

	for (size_t i = 0; i < 4; i++) {
		struct seen s = {.stop_at = at[i]};
		const struct store_load cb = {on_row, &s};

		ck_assert_int_eq(store_load_all(store, &cb), -ENOSPC);
		ck_assert_uint_eq(s.n, at[i]);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("store_ahead");
	TCase *tc = tcase_create("load");
	SRunner *sr = srunner_create(s);
	int n_failed;

	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, all_come_in_order);
	tcase_add_test(tc, who_takes_may_stop);
	suite_add_tcase(s, tc);
	srunner_set_fork_status(sr, CK_NOFORK); // the store's thread
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
