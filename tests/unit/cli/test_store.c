// SPDX-License-Identifier: BSD-3-Clause
// `store backup` until it has ended, against a daemon's end that the test holds.
#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "regate/slice.h"

#define BACKUP(state, file, more) \
	"{\"ok\":true,\"data\":{\"backup\":{\"state\":\"" state "\",\"file\":" file more "}}}"
#define FAILED ",\"error\":\"no room\""

static const struct {
	const char *answers[3];
	int rc;
} cases[] = {
	{{BACKUP("done", "\"/a\"", "")}, RG_CTL_DONE},
	{{BACKUP("copying", "\"/a\"", ""), BACKUP("done", "\"/a\"", "")}, RG_CTL_DONE},
	{{BACKUP("copying", "null", ""), BACKUP("done", "null", "")}, RG_CTL_DONE},
	{{BACKUP("copying", "\"/a\"", ""), BACKUP("failed", "\"/a\"", FAILED)}, RG_CTL_REFUSED},
	{{"{\"ok\":false,\"error\":\"x\",\"code\":2}"}, RG_CTL_USAGE},
	{{BACKUP("copying", "\"/a\"", ""), "{\"ok\":false,\"error\":\"x\",\"code\":2}"},
	 RG_CTL_USAGE},
	// Somebody else's, begun since
	{{BACKUP("copying", "\"/a\"", ""), BACKUP("done", "\"/b\"", "")}, RG_CTL_REFUSED},
	{{BACKUP("copying", "\"/a\"", ""), BACKUP("copying", "\"/b\"", "")}, RG_CTL_REFUSED},
	{{BACKUP("copying", "\"/a\"", ""), BACKUP("done", "null", "")}, RG_CTL_REFUSED},
};

static void serve(int listener, const char *const *answers) {
	int fd = accept(listener, NULL, NULL);
	char request[4096], head[4];

	for (unsigned i = 0; i < 3 && answers[i] != NULL; i++) {
		struct rg_rd rd = rg_rd(rg_slice(head, sizeof(head)));
		struct rg_wr w = rg_wr(head, sizeof(head));
		size_t len;

		if (recv(fd, head, 4, MSG_WAITALL) != 4)
			_exit(1);
		len = (size_t)rg_rd_be(&rd, 4);
		if (len > sizeof(request) || recv(fd, request, len, MSG_WAITALL) != (ssize_t)len)
			_exit(1);
		rg_put_be(&w, strlen(answers[i]), 4);
		if (send(fd, head, 4, MSG_MORE) != 4 ||
		    send(fd, answers[i], strlen(answers[i]), 0) != (ssize_t)strlen(answers[i]))
			_exit(1);
	}
	_exit(recv(fd, request, sizeof(request), 0) == 0 ? 0 : 1); // asked no further
}

START_TEST(copy) {
	char dir[] = "/tmp/regate-store-XXXXXX";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct cli_opts o = {.socket = at.sun_path};
	struct cli_request r = {ctl_cmd_at(CTL_STORE_BACKUP), CTL_STORE_BACKUP,
				json_pack("{s:s}", "file", "/a")};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), status;
	pid_t pid;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", dir);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	pid = fork();
	if (pid == 0)
		serve(listener, cases[_i].answers);
	ck_assert_int_eq(cli_store_copy(&o, &r, ""), cases[_i].rc);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	json_decref(r.args);
	close(listener);
	unlink(at.sun_path);
	rmdir(dir);
}
END_TEST

int main(void) {
	Suite *s = suite_create("cli_store");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, copy, 0, sizeof(cases) / sizeof(*cases));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
