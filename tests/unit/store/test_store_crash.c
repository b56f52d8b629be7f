// SPDX-License-Identifier: BSD-3-Clause
// kill -9 while commits are under way: what was acknowledged is in the file, in order (I2). The
// child tells of every acknowledgement through a pipe before it goes on.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rows.h"

#define N_KILLS 8
#define N_ROWS 16

static char dir[64], path[80];
static uint64_t acked[N_ROWS], found[N_ROWS]; // generations

struct child {
	struct env *env;
	struct store *s;
	int fd;
	unsigned i;
	uint64_t gen, rev[N_ROWS];
};

struct note {
	unsigned i;
	uint64_t gen;
};

static void on_done(void *arg, int rc, uint64_t);

static void commit_next(struct child *c) {
	struct row r;

	c->i = (c->i + 1) % N_ROWS;
	c->gen++;
	row_make(&r, c->i, c->gen);
	r.l.rev = c->rev[c->i];
	if (store_commit(c->s, &r.l, on_done, c) != 0)
		_exit(2);
}

static void on_done(void *arg, int rc, uint64_t rev) {
	struct child *c = arg;
	struct note n = {c->i, c->gen};

	if (rc != 0 || write(c->fd, &n, sizeof(n)) != sizeof(n))
		_exit(3);
	c->rev[c->i] = rev;
	commit_next(c);
}

static int on_rev(void *arg, const struct store_lease *l) {
	((struct child *)arg)->rev[atoi(l->impi + 1)] = l->rev;
	return 0;
}

static void child_main(int fd, uint64_t gen) {
	struct child c = {.env = env_real_new(), .fd = fd, .gen = gen};
	char err[256];

	if (c.env == NULL || store_sqlite_open(c.env, path, &c.s, err, sizeof(err)) != 0)
		_exit(4);
	if (store_load_all(c.s, &(struct store_load){on_rev, &c}) != 0)
		_exit(6);
	commit_next(&c);
	(void)!env_real_run(c.env);
	_exit(5);
}

static int on_row(void *, const struct store_lease *l) {
	unsigned i = (unsigned)atoi(l->impi + 1);

	row_check(l, i, l->gen);
	found[i] = l->gen;
	return 0;
}

// Reads acknowledgements, kills after n_before of them, reads the rest.
static uint64_t run_and_kill(uint64_t gen, unsigned n_before) {
	struct note n;
	int fds[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		child_main(fds[1], gen);
	close(fds[1]);
	for (unsigned k = 0; read(fds[0], &n, sizeof(n)) == sizeof(n); k++) {
		acked[n.i] = gen = n.gen;
		if (k == n_before)
			kill(pid, SIGKILL);
	}
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	return gen;
}

START_TEST(acknowledged_is_durable) {
	const struct store_load cb = {on_row, NULL};
	uint64_t gen = 0;
	char err[256];

	for (unsigned k = 0; k < N_KILLS; k++) {
		struct env *env;
		struct store *s;

		// No thread of ours may be there at the fork: the child would inherit its locks, and
		// a sanitizer's are taken while a thread starts.
		gen = run_and_kill(gen, 3 * k) + 1; // one may be durable without its answer
		env = env_real_new();
		ck_assert_ptr_nonnull(env);
		ck_assert_msg(store_sqlite_open(env, path, &s, err, sizeof(err)) == 0, "%s", err);
		ck_assert_int_eq(store_load_all(s, &cb), 0);
		store_close(s);
		env_real_free(env);
		for (unsigned i = 0; i < N_ROWS; i++)
			ck_assert(found[i] == acked[i] || found[i] == gen);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("store_crash");
	TCase *tc = tcase_create("crash");
	SRunner *sr;
	char command[96];
	int failed;

	snprintf(dir, sizeof(dir), "/tmp/store_crash.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/db", dir);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, acknowledged_is_durable);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) == 0 && failed == 0 ? 0 : 1;
}
