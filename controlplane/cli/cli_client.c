// SPDX-License-Identifier: BSD-3-Clause
// The socket side of regatectl: connect, one message out, one message in (ctlproto.h). Blocking.
// Never waits longer than TIMEOUT_S for a daemon that says nothing.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "regate/err.h"

#define HEAD_LEN 4
#define TIMEOUT_S 60

int cli_connect(const char *path) {
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = TIMEOUT_S};
	int fd, rc;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int send_all(int fd, struct rg_slice s) {
	while (s.len > 0) {
		ssize_t n = send(fd, s.p, s.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		s = rg_skip(s, (size_t)n);
	}
	return 0;
}

static int recv_all(int fd, void *p, size_t len) {
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(fd, (char *)p + done, len - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return RG_E_CLOSED;
		done += (size_t)n;
	}
	return 0;
}

// 0 when fd is readable, -ECANCELED when stop_fd is, -ETIMEDOUT.
static int wait_for_answer(int fd, int stop_fd) {
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
	int n;

	do
		n = poll(fds, 2, TIMEOUT_S * 1000);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? -ETIMEDOUT : -errno;
	return fds[1].revents != 0 ? -ECANCELED : 0;
}

int cli_call(int fd, int stop_fd, struct rg_slice request, char **answer, size_t *len) {
	uint8_t head[HEAD_LEN];
	struct rg_wr w = rg_wr(head, sizeof(head));
	struct rg_rd rd = rg_rd(rg_slice(head, sizeof(head)));
	size_t n;
	char *p;
	int rc;

	rg_put_be(&w, request.len, HEAD_LEN);
	rc = send_all(fd, rg_wr_slice(&w));
	if (rc == 0)
		rc = send_all(fd, request);
	// A daemon that turns us away answers before it reads: what it says is worth more.
	if (rc != 0 && rc != -EPIPE)
		return rc;
	rc = wait_for_answer(fd, stop_fd);
	if (rc == 0)
		rc = recv_all(fd, head, sizeof(head));
	if (rc != 0)
		return rc;
	n = rg_rd_be(&rd, HEAD_LEN);
	if (n > RG_CTL_MAX)
		return RG_E_PROTO;
	p = malloc(n + 1);
	if (p == NULL)
		return -ENOMEM;
	rc = recv_all(fd, p, n);
	if (rc != 0) {
		free(p);
		return rc;
	}
	p[n] = '\0';
	*answer = p;
	*len = n;
	return 0;
}
