// SPDX-License-Identifier: BSD-3-Clause
// Backups of a SQLite store in use, and what takes the place of a store: whole or not at all, never over
// what somebody may need, and known for old by whoever opens it.
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regate/err.h"
#include "rows.h"

#define N_ROWS 5000

static char dir[64], path[80], backup[80], kept[160], err[512];
static struct env *env;
static struct store *s;
static uint64_t revs[N_ROWS];
static unsigned n_failed;

static void on_done(void *arg, int rc, uint64_t rev) {
	n_failed += rc != 0;
	*(uint64_t *)arg = rev;
}

static void commit(unsigned i, uint64_t gen) {
	struct row r;

	row_make(&r, i, gen);
	r.l.rev = revs[i];
	ck_assert_int_eq(store_commit(s, &r.l, on_done, &revs[i]), 0);
}

static void open_store(void) {
	ck_assert_msg(store_sqlite_open(env, path, &s, err, sizeof(err)) == 0, "%s", err);
}

static void close_store(void) {
	store_close(s);
	s = NULL;
}

static void setup(void) {
	snprintf(dir, sizeof(dir), "/tmp/store_backup.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db", dir);
	snprintf(backup, sizeof(backup), "%s/backup", dir);
	env = env_real_new();
	ck_assert_ptr_nonnull(env);
	memset(revs, 0, sizeof(revs));
	n_failed = 0;
	open_store();
	for (unsigned i = 0; i < N_ROWS; i++)
		commit(i, 1);
	store_flush(s);
	ck_assert_uint_eq(n_failed, 0);
}

static void teardown(void) {
	char cmd[96];

	store_close(s);
	env_real_free(env);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static struct store_backup wait_for_end(void) {
	struct store_info info;

	do {
		usleep(1000);
		store_get_info(s, &info);
	} while (info.backup.state == STORE_BACKUP_COPYING ||
		 info.backup.state == STORE_BACKUP_CHECKING);
	return info.backup;
}

static void take(void) {
	struct store_backup b;

	ck_assert_int_eq(store_backup(s, backup, false), 0);
	b = wait_for_end();
	ck_assert_int_eq(b.rc, 0);
	ck_assert_int_eq(b.state, STORE_BACKUP_DONE);
	ck_assert_uint_eq(b.percent, 100);
	ck_assert_str_eq(b.file, backup);
}

static void write_file(const char *name, const char *text, off_t at) {
	int fd = open(name, O_WRONLY | O_CREAT, 0644);

	ck_assert_int_eq(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
	close(fd);
}

static unsigned n_loaded;
static uint64_t sum_of_gens;

static int on_row(void *, const struct store_lease *l) {
	row_check(l, (unsigned)atoi(l->impi + 1), l->gen);
	n_loaded++;
	sum_of_gens += l->gen;
	return 0;
}

static void load(void) {
	n_loaded = 0;
	sum_of_gens = 0;
	ck_assert_int_eq(store_load_all(s, &(struct store_load){on_row, NULL}), 0);
	ck_assert_uint_eq(n_loaded, N_ROWS);
}

static bool is_lost(void) {
	uint8_t lost = 0;
	size_t len = 1;

	return store_get(s, STORE_LOST, &lost, &len) == 0 && lost == 1;
}

static int replace(const char *by) {
	int rc = store_sqlite_replace(path, by, kept, sizeof(kept), err, sizeof(err));

	if (rc != 0) {
		ck_assert_ptr_null(strchr(err, '\n'));
		ck_assert_ptr_nonnull(strstr(err, dir));
		ck_assert_ptr_nonnull(strstr(err, "; "));
	}
	return rc;
}

static void check_left(void) { // no piece of a copy lies about
	char cmd[160];

	snprintf(cmd, sizeof(cmd), "test -z \"$(ls %s | grep -E 'part|check|new|journal')\"", dir);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(commits_go_on) {
	struct store_info info;
	unsigned n = 0;

	store_get_info(s, &info);
	ck_assert_str_eq(info.kind, "sqlite");
	ck_assert_uint_eq(info.n_records, N_ROWS);
	ck_assert_uint_gt(info.n_bytes, N_ROWS * 100);
	ck_assert_int_eq(store_backup(s, backup, false), 0);
	ck_assert_int_eq(store_backup(s, backup, false), -EBUSY);
	do {
		commit(n % N_ROWS, 2 + n / N_ROWS);
		store_flush(s);
		n++;
		store_get_info(s, &info);
	} while (info.backup.state == STORE_BACKUP_COPYING);
	ck_assert_int_eq(wait_for_end().state, STORE_BACKUP_DONE);
	ck_assert_uint_eq(n_failed, 0);
	close_store();
	ck_assert_int_eq(replace(backup), 0);
	open_store();
	load();
	ck_assert_uint_ge(sum_of_gens, N_ROWS); // and what came while it was made
	ck_assert_uint_le(sum_of_gens, N_ROWS + n);
	check_left();
}
END_TEST

START_TEST(private_and_never_over_another) {
	struct stat st;

	take();
	ck_assert_int_eq(stat(backup, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(store_backup(s, backup, false), -EEXIST);
	ck_assert_int_eq(store_backup(s, backup, true), 0);
	ck_assert_int_eq(wait_for_end().state, STORE_BACKUP_DONE);
	ck_assert_int_eq(store_backup(s, path, true), -ENOTSUP); // the store itself
	ck_assert_int_eq(store_backup(s, dir, true), -ENOTSUP);
	unlink(backup);
	write_file(backup, "the only copy of a letter", 0);
	ck_assert_int_eq(store_backup(s, backup, true), -ENOTSUP);
	unlink(backup);
	ck_assert_int_eq(symlink(path, backup), 0);
	ck_assert_int_eq(store_backup(s, backup, true), -ENOTSUP);
	ck_assert_int_eq(store_backup(s, "/nowhere/backup", false), -ENOENT);
	check_left();
}
END_TEST

START_TEST(a_check_keeps_nothing) {
	struct store_backup b;

	ck_assert_int_eq(store_backup(s, NULL, false), 0);
	b = wait_for_end();
	ck_assert_int_eq(b.state, STORE_BACKUP_DONE);
	ck_assert_str_eq(b.file, "");
	check_left();
}
END_TEST

// A digest: what SQLite takes for good, our checksum does not.
static void spoil(void) {
	sqlite3 *h;

	close_store();
	ck_assert_int_eq(sqlite3_open(path, &h), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_exec(h, "UPDATE lease SET digest_0 = zeroblob(16) WHERE impi = 'p77@x'",
			     NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(h);
	open_store();
}

START_TEST(damage_is_found) {
	spoil();
	ck_assert_int_eq(store_backup(s, _i == 0 ? NULL : backup, false), 0);
	ck_assert_int_eq(wait_for_end().rc, RG_E_PROTO);
	ck_assert_int_ne(access(backup, F_OK), 0);
	check_left();
}
END_TEST

START_TEST(closed_on_the_way) {
	ck_assert_int_eq(store_backup(s, backup, false), 0);
	close_store();
	check_left();
}
END_TEST

START_TEST(restored) {
	take();
	commit(0, 2);
	store_flush(s);
	ck_assert_int_eq(replace(backup), -EBUSY); // it is in use
	close_store();
	ck_assert_int_eq(replace(backup), 0);
	ck_assert_int_eq(access(kept, R_OK), 0);
	open_store();
	load();
	ck_assert_uint_eq(sum_of_gens, N_ROWS);
	ck_assert(is_lost());
	close_store();
	ck_assert_int_eq(rename(kept, path), 0); // the old one is whole
	open_store();
	load();
	ck_assert_uint_eq(sum_of_gens, N_ROWS + 1);
	ck_assert(!is_lost());
}
END_TEST

// After kill -9 the last commits are in the log alone: it goes aside with its file.
START_TEST(the_log_goes_with_its_file) {
	char cmd[512];

	take();
	commit(0, 2);
	store_flush(s);
	snprintf(cmd, sizeof(cmd), "cp %s %s.copy && cp %s-wal %s.copy-wal", path, path, path,
		 path);
	ck_assert_int_eq(system(cmd), 0);
	close_store();
	snprintf(cmd, sizeof(cmd), "mv %s.copy %s && mv %s.copy-wal %s-wal", path, path, path,
		 path);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(replace(backup), 0);
	open_store();
	load();
	ck_assert_uint_eq(sum_of_gens, N_ROWS);
	close_store();
	snprintf(cmd, sizeof(cmd), "mv %s %s && mv %s-wal %s-wal", kept, path, kept, path);
	ck_assert_int_eq(system(cmd), 0);
	open_store();
	load();
	ck_assert_uint_eq(sum_of_gens, N_ROWS + 1);
}
END_TEST

// A crash came when the old file had been put aside, and not yet its log.
START_TEST(the_log_follows_its_file) {
	char cmd[512];

	take();
	commit(0, 2);
	store_flush(s);
	snprintf(cmd, sizeof(cmd), "cp %s %s.copy && cp %s-wal %s.copy-wal", path, path, path,
		 path);
	ck_assert_int_eq(system(cmd), 0);
	close_store();
	snprintf(cmd, sizeof(cmd), "mv %s.copy %s.old-1 && mv %s.copy-wal %s-wal && rm %s", path,
		 path, path, path, path);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(replace(backup), 0);
	snprintf(cmd, sizeof(cmd), "mv %s.old-1 %s && mv %s.old-1-wal %s-wal", path, path, path,
		 path);
	ck_assert_int_eq(system(cmd), 0);
	open_store();
	load();
	ck_assert_uint_eq(sum_of_gens, N_ROWS + 1);
}
END_TEST

static void make_bad(int how) {
	char log[96];

	snprintf(log, sizeof(log), "%s-wal", backup);
	if (how == 0)
		unlink(backup);
	else if (how == 1)
		ck_assert_int_eq(truncate(backup, 0), 0);
	else if (how == 2)
		ck_assert_int_eq(truncate(backup, 40960), 0);
	else if (how == 3)
		write_file(backup, "not SQLite at all", 0);
	else if (how == 4)
		write_file(log, "it was copied while in use", 0);
	else
		write_file(backup, "sip:somebody@else", 60000);
}
#define N_BAD 6

START_TEST(a_bad_backup_changes_nothing) {
	take();
	close_store();
	make_bad(_i);
	ck_assert_int_lt(replace(backup), 0);
	ck_assert_int_lt(replace(path), 0); // the store itself
	check_left();
	open_store();
	load();
	ck_assert(!is_lost());
}
END_TEST

START_TEST(a_store_that_is_gone_is_missed) {
	struct stat st;

	close_store();
	ck_assert_int_eq(replace(NULL), -EEXIST); // it is not gone
	if (_i == 0)
		unlink(path);
	else
		ck_assert_int_eq(truncate(path, 0), 0);
	for (int i = 0; i < 2; i++) { // nor is there a new one because somebody asked
		ck_assert_int_eq(store_sqlite_open(env, path, &s, err, sizeof(err)), RG_E_STALE);
		s = NULL;
		ck_assert_ptr_nonnull(strstr(err, "--store-lost"));
		ck_assert_ptr_null(strchr(err, '\n'));
	}
	ck_assert_int_eq(replace(NULL), 0);
	open_store();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert(is_lost());
}
END_TEST

START_TEST(the_first_store_is_not_missed) {
	snprintf(path, sizeof(path), "%s/first", dir);
	close_store();
	open_store();
	ck_assert(!is_lost());
}
END_TEST

int main(void) {
	Suite *suite = suite_create("store_backup");
	TCase *tc = tcase_create("backup");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, commits_go_on);
	tcase_add_test(tc, private_and_never_over_another);
	tcase_add_test(tc, a_check_keeps_nothing);
	tcase_add_loop_test(tc, damage_is_found, 0, 2);
	tcase_add_test(tc, closed_on_the_way);
	tcase_add_test(tc, restored);
	tcase_add_test(tc, the_log_goes_with_its_file);
	tcase_add_test(tc, the_log_follows_its_file);
	tcase_add_loop_test(tc, a_bad_backup_changes_nothing, 0, N_BAD);
	tcase_add_loop_test(tc, a_store_that_is_gone_is_missed, 0, 2);
	tcase_add_test(tc, the_first_store_is_not_missed);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
