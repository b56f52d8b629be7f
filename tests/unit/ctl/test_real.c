// SPDX-License-Identifier: BSD-3-Clause
// On the real environment: a socket file of the right mode, and a client that shuts down its side
// after its last request and still gets every answer. The loop ends when the client has read all.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

static struct env *env;
static uint8_t got[65536];
static size_t n_got;

static void on_answer(void *arg, struct env_sock *s, unsigned events) {
	ssize_t n = read(*(int *)arg, got + n_got, sizeof(got) - n_got);

	(void)s;
	(void)events;
	ck_assert_int_ge(n, 0);
	n_got += (size_t)n;
	if (n == 0)
		env_stop(env);
}

static int dial(const char *path) {
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sa.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static unsigned count_answers(void) {
	unsigned n = 0;

	for (size_t at = 0; at < n_got; n++) {
		struct rg_rd rd = rg_rd(rg_slice(got + at, n_got - at));
		size_t len = rg_rd_be(&rd, 4);
		json_t *a = json_loadb((char *)rd.p, len, 0, NULL);

		ck_assert(json_is_true(json_object_get(a, "ok")));
		json_decref(a);
		at += 4 + len;
	}
	return n;
}

START_TEST(half_closed_client) {
	char dir[] = "/tmp/regate-ctl-XXXXXX", path[64], err[256];
	struct conf conf = {.ctl_socket = path};
	struct env_sock *watch;
	struct ctl_deps deps;
	struct ctl *ctl;
	struct stat st;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ctl", dir);
	env = env_real_new();
	deps = (struct ctl_deps){.conf = &conf,
				 .env = env,
				 .log = log_new(STDERR_FILENO, LOG_ERROR)};
	ctl = ctl_new(&deps, err, sizeof(err));
	ck_assert_msg(ctl != NULL, "%s", err);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0660);
	fd = dial(path);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(write(fd, "\0\0\0\x0e{\"cmd\":\"help\"}", 18), 18);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert_int_eq(env_watch_fd(env, fd, on_answer, &fd, &watch), 0);
	ck_assert_int_eq(env_real_run(env), 0);
	ck_assert_uint_eq(count_answers(), 3);
	ctl_free(ctl);
	env_sock_close(watch);
	env_real_free(env);
	log_free(deps.log);
	close(fd);
	unlink(path);
	rmdir(dir);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_real");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, half_closed_client);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
