// SPDX-License-Identifier: BSD-3-Clause
// The SQLite store keeps the contract.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "contract.h"

static char dir[64], path[80];

static void start(void) {
	snprintf(dir, sizeof(dir), "/tmp/contract_sqlite.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db", dir);
}

static void stop(void) {
	static const char *const ends[] = {"", "-wal", ".lock"};
	char name[96];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct store *open_handle(struct env *e) {
	struct store *s = NULL;
	char err[256];

	ck_assert_msg(store_sqlite_open(e, path, &s, err, sizeof(err)) == 0, "%s", err);
	return s;
}

struct end {
	struct env_timer timer; // first
	struct env *env;
};

static void on_timer(struct env_timer *t, uint64_t) {
	env_stop(((struct end *)t)->env);
}

static void turn(struct env *e) {
	struct end end = {{.fn = on_timer}, e};

	env_timer_set(e, &end.timer, env_now_ns(e) + 50 * RG_NS_PER_MS);
	ck_assert_int_eq(env_real_run(e), 0);
}

int main(void) {
	static const struct contract c = {"sqlite",    start, stop, env_real_new, env_real_free,
					  open_handle, turn,  true, false};
	Suite *suite = suite_create("contract_sqlite");
	SRunner *sr;
	int failed;

	contract_add(suite, &c);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
