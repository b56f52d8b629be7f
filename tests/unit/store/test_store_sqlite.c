// SPDX-License-Identifier: BSD-3-Clause
// The SQLite store on a file of its own: what is committed is there after reopening, what cannot
// be right is refused with one line, and after a failed write nothing is acknowledged any more.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regate/err.h"
#include "rows.h"

#define N_ROWS 200

static char dir[64], path[80], err[256];
static struct env *env;
static unsigned n_done, n_failed, n_wanted;

static void setup(void) {
	snprintf(dir, sizeof(dir), "/tmp/store_sqlite.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db", dir);
	env = env_real_new();
	ck_assert_ptr_nonnull(env);
	n_done = n_failed = 0;
	err[0] = '\0';
}

static void teardown(void) {
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[96];

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	rmdir(dir);
	env_real_free(env);
}

static struct store *open_store(void) {
	struct store *s = NULL;

	ck_assert_msg(store_sqlite_open(env, path, &s, err, sizeof(err)) == 0, "%s", err);
	return s;
}

// Opening must fail with rc and one line that has text in it.
static void refuse(int rc, const char *text) {
	struct store *s;

	ck_assert_int_eq(store_sqlite_open(env, path, &s, err, sizeof(err)), rc);
	ck_assert_msg(strstr(err, text) != NULL && strstr(err, dir) != NULL, "%s", err);
	ck_assert_ptr_null(strchr(err, '\n'));
}

static void on_done(void *, int rc, uint64_t) {
	n_failed += rc != 0;
	if (++n_done == n_wanted)
		env_stop(env);
}

static void commit(struct store *s, unsigned i, uint64_t gen) {
	struct row r;

	row_make(&r, i, gen);
	ck_assert_int_eq(store_commit(s, &r.l, on_done, NULL), 0);
}

static void wait_for(unsigned n) {
	n_wanted = n;
	if (n_done < n)
		ck_assert_int_eq(env_real_run(env), 0);
	ck_assert_uint_eq(n_done, n);
}

static unsigned n_rows;

static int on_row(void *arg, const struct store_lease *l) {
	row_check(l, (unsigned)atoi(l->impi + 1), *(const uint64_t *)arg);
	n_rows++;
	return 0;
}

static void check_rows(struct store *s, unsigned n, uint64_t gen) {
	const struct store_load cb = {on_row, &gen};

	n_rows = 0;
	ck_assert_int_eq(store_load_all(s, &cb), 0);
	ck_assert_uint_eq(n_rows, n);
}

static void sql(const char *text) {
	sqlite3 *h;

	ck_assert_int_eq(sqlite3_open(path, &h), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(h, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
}

static void on_put(void *arg, int rc, uint64_t) {
	*(int *)arg = rc;
}

// The store's answer.
static int put(struct store *s, const char *name, const void *value, size_t len) {
	int answer = -1, rc = store_put(s, name, value, len, false, on_put, &answer);

	store_flush(s);
	return rc == 0 ? answer : rc;
}

START_TEST(rows_survive) {
	struct store *s = open_store();
	struct store_stats st;

	for (unsigned i = 0; i < N_ROWS; i++)
		commit(s, i, 1);
	for (unsigned i = 0; i < N_ROWS; i++)
		commit(s, i, 2);
	wait_for(2 * N_ROWS);
	ck_assert_uint_eq(n_failed, 0);
	store_get_stats(s, &st);
	ck_assert_uint_eq(st.commits, 2 * N_ROWS);
	ck_assert_uint_eq(st.queued, 0);
	ck_assert_uint_lt(st.batches, 2 * N_ROWS); // group commit
	check_rows(s, N_ROWS, 2);
	store_close(s);
	s = open_store();
	check_rows(s, N_ROWS, 2);
	store_close(s);
}
END_TEST

START_TEST(callbacks_come_on_the_loop_only) {
	struct store *s = open_store();

	commit(s, 1, 1);
	usleep(20000); // the thread has surely written by now; the loop has not turned
	ck_assert_uint_eq(n_done, 0);
	wait_for(1);
	store_close(s);
}
END_TEST

START_TEST(close_waits_for_commits) {
	struct store *s = open_store();

	for (unsigned i = 0; i < N_ROWS; i++)
		commit(s, i, 7);
	store_close(s);
	ck_assert_uint_eq(n_done, N_ROWS);
	ck_assert_uint_eq(n_failed, 0);
	s = open_store();
	check_rows(s, N_ROWS, 7);
	store_close(s);
}
END_TEST

START_TEST(named_values_survive) {
	struct store *s = open_store();
	uint8_t v[64];
	size_t len = sizeof(v);

	ck_assert_int_eq(store_get(s, "digest_key", v, &len), RG_E_STALE);
	ck_assert_int_eq(put(s, "digest_key", "\0\1\2", 3), 0);
	ck_assert_int_eq(put(s, "empty", NULL, 0), 0);
	store_close(s);
	s = open_store();
	ck_assert_int_eq(store_get(s, "digest_key", v, &len), 0);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(v, "\0\1\2", 3);
	ck_assert_int_eq(store_get(s, "empty", v, &len), 0);
	ck_assert_uint_eq(len, 0);
	len = 2;
	ck_assert_int_eq(store_get(s, "digest_key", v, &len), RG_E_LIMIT);
	store_close(s);
}
END_TEST

START_TEST(files_are_private) {
	struct store *s = open_store();
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	store_close(s);
}
END_TEST

START_TEST(second_process_is_refused) {
	struct store *s = open_store();

	refuse(-EBUSY, "in use by another regated");
	store_close(s);
	store_close(open_store());
}
END_TEST

START_TEST(other_schema_is_refused) {
	store_close(open_store());
	sql("UPDATE schema_version SET version = 7");
	refuse(RG_E_UNSUPPORTED, "schema version 7");
}
END_TEST

START_TEST(other_database_is_refused) {
	sql("CREATE TABLE recipes (soup TEXT)");
	refuse(RG_E_PROTO, "not a store of regate");
}
END_TEST

START_TEST(lacking_column_is_refused) {
	store_close(open_store());
	sql("ALTER TABLE lease DROP COLUMN checksum");
	refuse(RG_E_PROTO, "not a store of regate");
}
END_TEST

static void overwrite(off_t at, const char *text) {
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
	close(fd);
}

START_TEST(other_file_is_refused) {
	overwrite(0, "this is a shopping list, and a long one, with milk and bread");
	refuse(RG_E_PROTO, "damaged");
}
END_TEST

START_TEST(damaged_page_is_refused) {
	struct store *s = open_store();

	for (unsigned i = 0; i < N_ROWS; i++)
		commit(s, i, 1);
	store_close(s);
	for (off_t at = 3 * 4096; at < 4 * 4096; at += 64)
		overwrite(at, "................................................................");
	refuse(RG_E_PROTO, "damaged");
}
END_TEST

// SQLite notices nothing of this; the row's checksum does.
START_TEST(changed_value_is_refused) {
	static const char *const changes[] = {
		"gen = gen - 1",        "state = 0",
		"impu = 'sip:q@x'",     "sub = 'mallory'",
		"reassign_ms = 0",      "end_1_ms = end_1_ms + 1",
		"impi = 'p1@y'",        "digest_0 = x'00112233445566778899aabbccddeeff'",
		"digest_1 = x'00'",     "pool = ''",
		"scenario = 3",         "granted_ms = 1",
		"checksum = checksum+1"};
	const struct store_load cb = {on_row, &(uint64_t){1}};
	struct store *s = open_store();
	char text[128];

	commit(s, 1, 1);
	store_close(s);
	snprintf(text, sizeof(text), "UPDATE lease SET %s", changes[_i]);
	sql(text);
	s = open_store();
	ck_assert_int_eq(store_load_all(s, &cb), RG_E_PROTO);
	store_close(s);
}
END_TEST

START_TEST(no_directory) {
	snprintf(path, sizeof(path), "%s/no/db", dir);
	refuse(-ENOENT, "the directory must exist");
}
END_TEST

START_TEST(path_is_a_directory) {
	ck_assert_int_eq(mkdir(path, 0700), 0);
	refuse(-EISDIR, "must be readable and writable");
	rmdir(path);
}
END_TEST

// A limit on the file size makes the next write fail, as a full disk does.
START_TEST(fails_closed) {
	struct store *s = open_store();
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit small = {8192, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	commit(s, 1, 1);
	wait_for(1);
	ck_assert_uint_eq(n_failed, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	commit(s, 2, 1);
	wait_for(2);
	ck_assert_uint_eq(n_failed, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	commit(s, 3, 1); // there is room again, but nobody knows what the disk holds
	wait_for(3);
	ck_assert_uint_eq(n_failed, 2);
	ck_assert_int_lt(put(s, "a", "b", 1), 0);
	store_close(s);
	s = open_store();
	check_rows(s, 1, 1);
	commit(s, 2, 1);
	wait_for(4);
	ck_assert_uint_eq(n_failed, 2);
	store_close(s);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("store_sqlite");
	TCase *tc = tcase_create("sqlite");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rows_survive);
	tcase_add_test(tc, callbacks_come_on_the_loop_only);
	tcase_add_test(tc, close_waits_for_commits);
	tcase_add_test(tc, named_values_survive);
	tcase_add_test(tc, files_are_private);
	tcase_add_test(tc, second_process_is_refused);
	tcase_add_test(tc, other_schema_is_refused);
	tcase_add_test(tc, other_database_is_refused);
	tcase_add_test(tc, lacking_column_is_refused);
	tcase_add_test(tc, other_file_is_refused);
	tcase_add_test(tc, damaged_page_is_refused);
	tcase_add_loop_test(tc, changed_value_is_refused, 0, 13);
	tcase_add_test(tc, no_directory);
	tcase_add_test(tc, path_is_a_directory);
	tcase_add_test(tc, fails_closed);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
