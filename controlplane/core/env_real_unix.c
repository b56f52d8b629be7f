// SPDX-License-Identifier: BSD-3-Clause
// UNIX listener of the real environment. The socket file never exists with more rights than asked
// for, and nothing listens before they are set. Control thread, at start.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/env_real.h"

// Removes the socket file that a killed process left behind. 0, or -EADDRINUSE when somebody
// answers there or the file is no socket.
// XXX two processes started at the same moment can both find the file stale and the second removes
// the socket of the first, which then listens where nobody can reach it; systemd starts one.
static int remove_stale(const struct sockaddr_un *sun) {
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ? 0 : errno;
	close(fd);
	if (rc != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sun->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

// The mode of the descriptor before bind(2), less the umask, becomes that of the file; chmod(2)
// then adds what the umask took.
static int bind_and_listen(int fd, const struct sockaddr_un *sun, mode_t mode) {
	int rc;

	if (fchmod(fd, mode) != 0 || bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0)
		return -errno;
	if (chmod(sun->sun_path, mode) == 0 && listen(fd, SOMAXCONN) == 0)
		return 0;
	rc = -errno;
	unlink(sun->sun_path);
	return rc;
}

int env_real_unix_listen(struct env *e, const char *path, mode_t mode, struct env_cb cb,
			 struct env_sock **out) {
	const struct env_real_sock_opts opts = {.path = path};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, rc;

	if (path[0] == '\0' || strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path));
	rc = remove_stale(&sun);
	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = bind_and_listen(fd, &sun, mode);
	if (rc == 0)
		rc = env_real_sock_new(e, fd, &opts, cb, out);
	if (rc != 0)
		close(fd);
	return rc;
}
