// SPDX-License-Identifier: BSD-3-Clause
// The socket side of regatectl against a daemon's end that the test holds.
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/cli.h"
#include "regate/err.h"

static int ours, daemons;

static void setup(void) {
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	ours = fd[0];
	daemons = fd[1];
}

static void teardown(void) {
	close(ours);
	close(daemons);
}

static const struct {
	const char *sent; // by the daemon, before it closes
	size_t len;
	int rc;
	const char *answer;
} calls[] = {
	{"\0\0\0\2{}", 6, 0, "{}"},
	{"\0\0\0\2{}more", 10, 0, "{}"},
	{"\0\0\0\0", 4, 0, ""},
	{"", 0, RG_E_CLOSED, NULL},
	{"\0\0", 2, RG_E_CLOSED, NULL},
	{"\0\0\0\3{}", 6, RG_E_CLOSED, NULL},
	{"\0\x10\0\1", 4, RG_E_PROTO, NULL},
	{"HTTP/1.1 400", 12, RG_E_PROTO, NULL},
};

START_TEST(call) {
	char request[16], *answer = NULL;
	size_t len = 0;

	ck_assert_int_eq(send(daemons, calls[_i].sent, calls[_i].len, 0), (int)calls[_i].len);
	shutdown(daemons, SHUT_WR);
	ck_assert_int_eq(cli_call(ours, -1, RG_LIT("hello"), &answer, &len), calls[_i].rc);
	ck_assert_pstr_eq(answer, calls[_i].answer);
	ck_assert_int_eq(recv(daemons, request, sizeof(request), 0), 9);
	ck_assert_mem_eq(request, "\0\0\0\5hello", 9);
	free(answer);
}
END_TEST

// Whoever waits may be told to stop.
START_TEST(stopped) {
	char *answer = NULL;
	size_t len = 0;
	int stop[2];

	ck_assert_int_eq(pipe(stop), 0);
	ck_assert_int_eq(write(stop[1], "", 1), 1);
	ck_assert_int_eq(cli_call(ours, stop[0], RG_LIT("hello"), &answer, &len), -ECANCELED);
	ck_assert_ptr_null(answer);
	ck_assert_int_eq(read(stop[0], &len, 1), 1);
	ck_assert_int_eq(send(daemons, "\0\0\0\2{}", 6, 0), 6);
	ck_assert_int_eq(cli_call(ours, stop[0], RG_LIT("hello"), &answer, &len), 0);
	ck_assert_str_eq(answer, "{}");
	free(answer);
	close(stop[0]);
	close(stop[1]);
}
END_TEST

// A daemon with too many clients answers and closes without reading.
START_TEST(turned_away) {
	char *answer = NULL;
	size_t len = 0;

	ck_assert_int_eq(send(daemons, "\0\0\0\2{}", 6, 0), 6);
	shutdown(daemons, SHUT_RD);
	ck_assert_int_eq(cli_call(ours, -1, RG_LIT("hello"), &answer, &len), 0);
	ck_assert_str_eq(answer, "{}");
	free(answer);
}
END_TEST

START_TEST(connect_fails) {
	char path[200];

	ck_assert_int_eq(cli_connect("/nonexistent/regate.sock"), -ENOENT);
	ck_assert_int_eq(cli_connect("/dev/null"), -ECONNREFUSED);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(cli_connect(path), -ENAMETOOLONG);
}
END_TEST

int main(void) {
	Suite *s = suite_create("cli_client");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, call, 0, sizeof(calls) / sizeof(*calls));
	tcase_add_test(t, stopped);
	tcase_add_test(t, turned_away);
	tcase_add_test(t, connect_fails);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
