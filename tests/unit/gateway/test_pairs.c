// SPDX-License-Identifier: BSD-3-Clause
// Pairs on their way from files to the engine, and whether there is memory for as many as may come.
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "pairs.h"
#include "regate/err.h"
#include "store/store_mem.h"

static struct env *env;
static struct store *store;
static struct conf_pool pools[] = {{.name = "a", .file = "a.txt", .wwsf = 1},
				   {.name = "b", .file = "b.txt", .wwsf = 2}};
static struct conf conf;
static char err[256];

static void setup(void) {
	env = env_sim_new(1);
	ck_assert_int_eq(store_mem_open(env, &store), 0);
	conf = (struct conf){.leases_max = 1000000, .pools = pools, .n_pools = 2};
	err[0] = '\0';
	env_sim_file(env, "a.txt", RG_LIT("p0@x sip:p0@x\np1@x sip:p1@x\n"));
	env_sim_file(env, "b.txt", RG_LIT("p2@x sip:p2@x\n"));
}

static void teardown(void) {
	store_close(store);
	env_sim_free(env);
}

static const struct {
	const char *meminfo, *max, *now;
	int rc;
	const char *says;
} rooms[] = {
	{"MemTotal: 9 kB\nMemAvailable:   16000000 kB\n", NULL, NULL, 0, ""},
	{"MemTotal: 9 kB\nMemAvailable:   100000 kB\n", NULL, NULL, 0, ""}, // all free: it fits
	{"MemTotal: 16000000 kB\nMemAvailable:   80000 kB\n", NULL, NULL, -ENOMEM,
	 " and 78 MiB are free; lower leases.max"},
	{"MemAvailable: 16000000 kB\n", "max\n", "5\n", 0, ""},
	{"MemAvailable: 16000000 kB\n", "104857600\n", "52428800\n", -ENOMEM,
	 " and 50 MiB are free"},
	{"MemAvailable: 16000000 kB\n", "1000\n", "2000\n", -ENOMEM, " and 0 MiB are free"},
	{"MemAvailable: 1 kB\n", "100000000000\n", "0\n", -ENOMEM, " and 0 MiB are free"},
	{"nothing known", NULL, NULL, 0, ""},
	{NULL, NULL, NULL, 0, ""},
};

static void put_file(const char *path, const char *text) {
	if (text != NULL)
		env_sim_file(env, path, rg_str(text));
}

START_TEST(room) {
	put_file("/proc/meminfo", rooms[_i].meminfo);
	put_file("/sys/fs/cgroup/memory.max", rooms[_i].max);
	put_file("/sys/fs/cgroup/memory.current", rooms[_i].now);
	ck_assert_int_eq(pairs_check_room(&conf, env, NULL, err, sizeof(err)), rooms[_i].rc);
	ck_assert_msg(strstr(err, rooms[_i].says) != NULL, "%s", err);
	ck_assert(rooms[_i].rc == 0 || strncmp(err, "leases.max: 1000000 pairs take ", 31) == 0);
}
END_TEST

static void on_deregister(void *, const struct lease *) {
}

static void on_close(void *, struct rg_conn_id, uint16_t) {
}

static int give(uint32_t max, struct lease_engine **out) {
	const struct lease_ops ops = {NULL, on_deregister, on_close};
	struct pairs p = {.conf = &conf, .env = env};
	int rc;

	conf.leases_max = max;
	*out = lease_engine_new(&(struct lease_cfg){0}, env, store, NULL, &ops, max);
	rc = pairs_load(&p, err, sizeof(err));
	if (rc == 0)
		rc = pairs_give(&p, *out, NULL, err, sizeof(err));
	pairs_fini(&p);
	return rc;
}

START_TEST(all_come) {
	struct lease_engine *e;

	ck_assert_int_eq(give(3, &e), 0);
	ck_assert_uint_eq(lease_n_pairs(e), 3);
	ck_assert_str_eq(lease_at(e, 2)->impi, "p2@x");
	ck_assert_uint_eq(lease_at(e, 2)->pool, 1);
	ck_assert_uint_eq(lease_at(e, 2)->wwsf, 2);
	lease_engine_free(e);
}
END_TEST

START_TEST(one_too_many) {
	struct lease_engine *e;

	ck_assert_int_eq(give(2, &e), RG_E_LIMIT);
	ck_assert_str_eq(err,
			 "b.txt:1: more pairs than leases.max: raise it, or shorten the pools");
	lease_engine_free(e);
}
END_TEST

START_TEST(given_twice) {
	struct lease_engine *e;

	env_sim_file(env, "b.txt", RG_LIT("p2@x sip:P1@X\n"));
	ck_assert_int_eq(give(9, &e), RG_E_CONFLICT);
	ck_assert_msg(strstr(err, "pools: b.txt: pair 'p2@x sip:P1@X' is given twice") != NULL,
		      "%s", err);
	lease_engine_free(e);
}
END_TEST

int main(void) {
	Suite *s = suite_create("pairs");
	TCase *tc = tcase_create("pairs");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, room, 0, sizeof(rooms) / sizeof(*rooms));
	tcase_add_test(tc, all_come);
	tcase_add_test(tc, one_too_many);
	tcase_add_test(tc, given_twice);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
