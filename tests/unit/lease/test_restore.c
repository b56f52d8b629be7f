// SPDX-License-Identifier: BSD-3-Clause
// A backup of a real SQLite store takes the place of a store that went on: in virtual time nobody gets
// what was given out meanwhile, until all of that is over.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lease_fixture.h"
#include "regate/err.h"

#define N_PAIRS 6
#define GEN_LOW ((1u << 20) - 1) // what the etcd store tells assignments apart by
#define HOLD ((7200 + 5 + 69 + 3600 + 360) * SEC)

static struct fix f;
static char dir[64], path[80], backup[80], kept[160], err[512];
static uint64_t gens[N_PAIRS];          // highest that was given out
static uint64_t busy_until_ns[N_PAIRS]; // of the last lease

static void open_store(void) {
	ck_assert_msg(store_sqlite_open(f.env, path, &f.store, err, sizeof(err)) == 0, "%s", err);
	fix_start(&f);
}

static void close_store(void) {
	lease_engine_free(f.e);
	store_close(f.store);
}

static void setup(void) {
	snprintf(dir, sizeof(dir), "/tmp/lease_restore.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db", dir);
	snprintf(backup, sizeof(backup), "%s/backup", dir);
	fix_init(&f, N_PAIRS);
	f.more.token_max_ns = 7200 * SEC;
	close_store(); // the one in memory
	open_store();
	memset(gens, 0, sizeof(gens));
	memset(busy_until_ns, 0, sizeof(busy_until_ns));
}

static void teardown(void) {
	char cmd[96];

	fix_fini(&f);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void advance(uint64_t ns) {
	store_flush(f.store);
	fix_advance(&f, ns);
	store_flush(f.store);
}

// Holds every grant against all that was given out before, whatever the store knows of it.
static int grant(void) {
	struct lease_ask ask = fix_ask(&f, "u");
	const struct lease *l;
	unsigned n = f.done.n;

	ask.token_life_ns = 7200 * SEC;
	lease_grant(f.e, &ask);
	store_flush(f.store);
	fix_advance(&f, 0);
	ck_assert_uint_eq(f.done.n, n + 1);
	if (f.done.rc != 0)
		return f.done.rc;
	l = fix_lease(&f, f.done.idx);
	ck_assert_uint_gt(l->gen, gens[l->idx]);
	ck_assert_uint_ne((l->gen ^ gens[l->idx]) & GEN_LOW, 0);
	ck_assert_uint_ge(env_now_ns(f.env), busy_until_ns[l->idx]);
	gens[l->idx] = l->gen;
	busy_until_ns[l->idx] = l->reassign_ns;
	return 0;
}

static void take_backup(void) {
	struct store_info info;

	ck_assert_int_eq(store_backup(f.store, backup, false), 0);
	do {
		usleep(1000);
		store_get_info(f.store, &info);
		ck_assert_int_ne(info.backup.state, STORE_BACKUP_FAILED);
	} while (info.backup.state != STORE_BACKUP_DONE);
}

static void replace(const char *by) {
	close_store();
	if (by == NULL)
		unlink(path);
	ck_assert_msg(store_sqlite_replace(path, by, kept, sizeof(kept), err, sizeof(err)) == 0,
		      "%s", err);
	open_store();
}

static void nothing_goes_out(uint64_t ns) {
	uint64_t end_ns = env_now_ns(f.env) + ns;

	while (env_now_ns(f.env) < end_ns) {
		ck_assert_int_eq(grant(), RG_E_EXHAUSTED);
		advance(end_ns - env_now_ns(f.env) < 600 * SEC ? end_ns - env_now_ns(f.env)
							       : 600 * SEC);
	}
}

static void all_goes_out(void) {
	for (unsigned i = 0; i < N_PAIRS; i++)
		ck_assert_int_eq(grant(), 0);
	ck_assert_int_eq(grant(), RG_E_EXHAUSTED);
}

START_TEST(restored) {
	struct rg_digest before, after;

	ck_assert_int_eq(grant(), 0);
	before = f.done.digest;
	take_backup();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(grant(), 0);
		advance(60 * SEC);
	}
	after = f.done.digest;
	replace(backup);
	ck_assert_int_eq(fix_seen(&f, &before), -1); // who knows whether it was revoked
	ck_assert_int_eq(fix_seen(&f, &after), -1);
	nothing_goes_out(HOLD / 2);
	close_store();
	open_store(); // the hold is in the store by now, and does not begin anew
	nothing_goes_out(HOLD / 2 - 2 * SEC);
	advance(4 * SEC);
	all_goes_out();
}
END_TEST

START_TEST(restored_twice) {
	take_backup();
	ck_assert_int_eq(grant(), 0);
	replace(backup);
	advance(HOLD + 2 * SEC);
	all_goes_out();
	advance(2 * HOLD);
	all_goes_out();
	replace(backup);
	nothing_goes_out(HOLD - 2 * SEC);
	advance(4 * SEC);
	all_goes_out();
}
END_TEST

START_TEST(lost) {
	ck_assert_int_eq(grant(), 0);
	for (unsigned i = 0; i < 2; i++) {
		replace(NULL);
		nothing_goes_out(HOLD - 2 * SEC);
		advance(4 * SEC);
		all_goes_out();
	}
}
END_TEST

// Neither the backup nor anything that looks like it holds back a store that was not replaced.
START_TEST(not_replaced) {
	take_backup();
	close_store();
	open_store();
	all_goes_out();
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_restore");
	TCase *tc = tcase_create("restore");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, restored);
	tcase_add_test(tc, restored_twice);
	tcase_add_test(tc, lost);
	tcase_add_test(tc, not_replaced);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
