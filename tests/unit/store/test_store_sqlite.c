// SPDX-License-Identifier: BSD-3-Clause
// The SQLite store on a file of its own: what is committed is there after reopening, what cannot
// be right is refused with one line, and after a failed write nothing is acknowledged until the file was opened anew.
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
static uint64_t revs[N_ROWS]; // of the next record that is written

static void setup(void) {
	snprintf(dir, sizeof(dir), "/tmp/store_sqlite.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db", dir);
	env = env_real_new();
	ck_assert_ptr_nonnull(env);
	n_done = n_failed = 0;
	memset(revs, 0, sizeof(revs));
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

static int ignore(void *, const struct store_lease *) {
	return 0;
}

static void refuse_or_fail_to_load(void) {
	const struct store_load cb = {ignore, NULL};
	struct store *s = NULL;

	if (store_sqlite_open(env, path, &s, err, sizeof(err)) == 0)
		ck_assert_int_eq(store_load_all(s, &cb), RG_E_PROTO);
	store_close(s);
}

static void on_done(void *, int rc, uint64_t) {
	n_failed += rc != 0;
	if (++n_done == n_wanted)
		env_stop(env);
}

static void commit(struct store *s, unsigned i, uint64_t gen) {
	struct row r;

	row_make(&r, i, gen);
	r.l.rev = revs[i];
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
	for (unsigned i = 0; i < N_ROWS; i++) {
		revs[i] = 1;
		commit(s, i, 2);
	}
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
	sql("ALTER TABLE lease DROP COLUMN past");
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
	refuse_or_fail_to_load();
}
END_TEST

// SQLite notices nothing of this; the row's checksum does.
START_TEST(changed_value_is_refused) {
	static const char *const changes[] = {"gen = gen - 1",
					      "state = 1",
					      "impu = 'sip:q@x'",
					      "sub = 'mallory'",
					      "reassign_ms = 0",
					      "end_1_ms = end_1_ms + 1",
					      "impi = 'p1@y'",
					      "digest_0 = x'00112233445566778899aabbccddeeff'",
					      "digest_1 = zeroblob(16)",
					      "pool = ''",
					      "scenario = 3",
					      "granted_ms = 1",
					      "checksum = checksum+1",
					      "rev = 2",
					      "flags = 2",
					      "ended_ms = 1",
					      "gateway = ''"};
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

// A row that is gone, or of yesterday, is as it was written; the total is not.
START_TEST(lost_and_old_rows_are_refused) {
	static const char *const changes[] = {
		"DELETE FROM lease WHERE impi = 'p7@x'",
		"DELETE FROM value",
		("DELETE FROM lease WHERE impi = 'p1@x';"
		 "INSERT INTO lease SELECT * FROM yesterday"),
	};
	struct store *s = open_store();

	for (unsigned i = 0; i < 10; i++)
		commit(s, i, 1);
	ck_assert_int_eq(put(s, "a", "b", 1), 0);
	store_close(s);
	sql("CREATE TABLE yesterday AS SELECT * FROM lease WHERE impi = 'p1@x'");
	s = open_store();
	revs[1] = 1;
	commit(s, 1, 1);
	store_close(s);
	sql(changes[_i]);
	refuse_or_fail_to_load();
}
END_TEST

START_TEST(no_impu_has_two_owners) {
	struct store *s = open_store();
	struct row r;

	commit(s, 1, 1);
	wait_for(1);
	row_make(&r, 2, 1);
	r.l.impu = "sip:P1@X"; // the same, RFC 3261 section 19.1.4 or not
	ck_assert_int_eq(store_commit(s, &r.l, on_done, NULL), 0);
	commit(s, 3, 1);
	wait_for(3);
	ck_assert_uint_eq(n_failed, 1);
	check_rows(s, 2, 1);
	store_close(s);
}
END_TEST

// Another IMPU for the same IMPI is a row that moves in the index.
START_TEST(a_pair_put_together_anew) {
	struct store *s = open_store();
	struct row r;

	commit(s, 1, 1);
	commit(s, 2, 1);
	wait_for(2);
	row_make(&r, 1, 1);
	r.l.rev = 1;
	r.l.impu = "sip:p2@x";
	ck_assert_int_eq(store_commit(s, &r.l, on_done, NULL), 0);
	wait_for(3);
	ck_assert_uint_eq(n_failed, 1);
	check_rows(s, 2, 1);
	r.l.impu = "sip:p3@x";
	ck_assert_int_eq(store_commit(s, &r.l, on_done, NULL), 0);
	wait_for(4);
	ck_assert_uint_eq(n_failed, 1);
	revs[1] = 2;
	commit(s, 1, 1);
	wait_for(5);
	ck_assert_uint_eq(n_failed, 1);
	check_rows(s, 2, 1);
	store_close(s);
}
END_TEST

// What version 1 wrote: p1@x of row_make() with generation 1, and a value.
#define VERSION_1                                                                        \
	"CREATE TABLE schema_version (version INTEGER NOT NULL);"                        \
	"INSERT INTO schema_version VALUES (1);"                                         \
	"CREATE TABLE value (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;" \
	"INSERT INTO value VALUES ('key', x'00ff');"                                     \
	"CREATE TABLE lease ("                                                           \
	" impi TEXT PRIMARY KEY, impu TEXT NOT NULL, pool TEXT NOT NULL,"                \
	" sub TEXT NOT NULL, gen INTEGER NOT NULL, state INTEGER NOT NULL,"              \
	" scenario INTEGER NOT NULL, granted_ms INTEGER NOT NULL,"                       \
	" reassign_ms INTEGER NOT NULL, digest_0 BLOB NOT NULL,"                         \
	" end_0_ms INTEGER NOT NULL, digest_1 BLOB NOT NULL,"                            \
	" end_1_ms INTEGER NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;"          \
	"INSERT INTO lease VALUES ('p1@x', 'sip:p1@x', 'pool', 'sub-1', 1, 3, 2, 7,"     \
	" 9223372036854775806, x'01010101010101010101010101010101', 1,"                  \
	" x'02020202020202020202020202020202', 11, -2588433063689732191);"

static int on_migrated(void *, const struct store_lease *l) {
	struct row want;

	row_make(&want, 1, 1);
	ck_assert_str_eq(l->impi, want.impi);
	ck_assert_str_eq(l->impu, want.impu);
	ck_assert_str_eq(l->sub, want.sub);
	ck_assert_str_eq(l->gateway, "");
	ck_assert_uint_eq(l->gen, 1);
	ck_assert_uint_eq(l->rev, 1);
	ck_assert_uint_eq(l->state, want.l.state);
	ck_assert_uint_eq(l->flags, 0);
	ck_assert_int_eq(l->reassign_ms, want.l.reassign_ms);
	ck_assert_mem_eq(l->tokens, want.l.tokens, sizeof(l->tokens));
	n_rows++;
	return 0;
}

START_TEST(version_1_is_brought_up) {
	const struct store_load cb = {on_migrated, NULL};
	size_t len = 2;
	char value[2];
	struct store *s;

	sql(VERSION_1);
	for (unsigned k = 0; k < 2; k++) {
		s = open_store();
		n_rows = 0;
		ck_assert_int_eq(store_load_all(s, &cb), 0);
		ck_assert_uint_eq(n_rows, 1);
		ck_assert_int_eq(store_get(s, "key", value, &len), 0);
		ck_assert_mem_eq(value, "\0\xff", 2);
		store_close(s);
	}
}
END_TEST

START_TEST(version_1_that_cannot_be_right_is_left_alone) {
	static const struct {
		const char *change, *text;
		int rc;
	} cases[] = {
		{"UPDATE lease SET gen = 2", "damaged", RG_E_PROTO},
		{"UPDATE lease SET gen = 'x'", "damaged", RG_E_PROTO},
		{"ALTER TABLE lease DROP COLUMN checksum", "damaged", RG_E_PROTO},
		{"INSERT INTO lease VALUES ('p2@x', 'SIP:P1@X', '', '', 0, 0, 0, 0, 0,"
		 " zeroblob(16), 0, zeroblob(16), 0, 7990433701163318120)",
		 "two records have one IMPU: sip:p1@x of p1@x and p2@x", RG_E_CONFLICT},
	};

	sql(VERSION_1);
	sql(cases[_i].change);
	for (unsigned k = 0; k < 2; k++) // the second time the same
		refuse(cases[_i].rc, cases[_i].text);
}
END_TEST

static void wait_until_up(struct store *s) {
	struct store_stats st = {0};

	for (unsigned i = 0; i < 500 && !st.is_up; i++) {
		usleep(10000);
		store_get_stats(s, &st);
	}
	ck_assert(st.is_up);
}

// A limit on the file size makes the next write fail, as a full disk does.
START_TEST(fails_closed_and_comes_back) {
	struct store *s = open_store();
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit small = {8192, RLIM_INFINITY};
	struct store_stats st;

	signal(SIGXFSZ, SIG_IGN);
	commit(s, 1, 1);
	wait_for(1);
	ck_assert_uint_eq(n_failed, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	commit(s, 2, 1);
	wait_for(2);
	ck_assert_uint_eq(n_failed, 1);
	usleep(600000); // it tries in vain
	commit(s, 3, 1);
	wait_for(3);
	ck_assert_uint_eq(n_failed, 2);
	ck_assert_int_lt(put(s, "a", "b", 1), 0);
	store_get_stats(s, &st);
	ck_assert(!st.is_up);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	wait_until_up(s);
	check_rows(s, 1, 1);
	commit(s, 2, 1);
	commit(s, 3, 1);
	wait_for(5);
	ck_assert_uint_eq(n_failed, 2);
	store_close(s);
	s = open_store();
	check_rows(s, 3, 1);
	store_close(s);
}
END_TEST

// What was acknowledged is not in the file any more: another file, or an old one.
START_TEST(another_file_is_not_taken) {
	struct store *s = open_store();
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit small = {8192, RLIM_INFINITY};
	struct store_stats st;
	char wal[96];

	signal(SIGXFSZ, SIG_IGN);
	commit(s, 1, 1);
	wait_for(1);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	commit(s, 2, 1);
	wait_for(2);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	unlink(path);
	unlink(wal);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	usleep(800000);
	store_get_stats(s, &st);
	ck_assert(!st.is_up);
	store_close(s);
}
END_TEST

// What is asked of it meanwhile does not keep it from coming back.
START_TEST(it_comes_back_under_load) {
	struct store *s = open_store();
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit small = {8192, RLIM_INFINITY};
	unsigned i = 1;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (; i < 20; i++) {
		commit(s, i, 1);
		store_flush(s);
	}
	ck_assert_uint_eq(n_failed, n_done);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	while (n_failed == n_done && i < N_ROWS) {
		usleep(20000);
		commit(s, i++, 1);
		store_flush(s);
	}
	ck_assert_uint_lt(n_failed, n_done);
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
	tcase_add_loop_test(tc, changed_value_is_refused, 0, 17);
	tcase_add_test(tc, no_directory);
	tcase_add_test(tc, path_is_a_directory);
	tcase_add_test(tc, fails_closed_and_comes_back);
	tcase_add_test(tc, another_file_is_not_taken);
	tcase_add_test(tc, it_comes_back_under_load);
	tcase_add_loop_test(tc, lost_and_old_rows_are_refused, 0, 3);
	tcase_add_test(tc, no_impu_has_two_owners);
	tcase_add_test(tc, a_pair_put_together_anew);
	tcase_add_test(tc, version_1_is_brought_up);
	tcase_add_loop_test(tc, version_1_that_cannot_be_right_is_left_alone, 0, 4);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
