// SPDX-License-Identifier: BSD-3-Clause
// Sockets of the real environment: non-blocking, close-on-exec, level-triggered epoll. Control
// thread only. MSG_NOSIGNAL everywhere, so that a peer's close is -EPIPE and never a signal.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env_real.h"

struct real_sock {
	struct env_sock base;
	int fd;
	bool is_borrowed;    // env_watch_fd(): not ours to close
	uint32_t registered; // in the epoll set with these events; 0 = not in it
	char *path;          // UNIX listener
	ino_t inode;         // of path
};

static struct real_sock *real_of(struct env_sock *s) {
	return (struct real_sock *)s;
}

static socklen_t to_sockaddr(const struct rg_addr *a, struct sockaddr_storage *out) {
	*out = (struct sockaddr_storage){0};
	if (rg_addr_is_v4(a)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip + 12, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(a->port);
	memcpy(&in6->sin6_addr, a->ip, 16);
	return sizeof(*in6);
}

// False for a family that has no rg_addr (UNIX).
static bool from_sockaddr(const struct sockaddr_storage *ss, struct rg_addr *out) {
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

	if (ss->ss_family == AF_INET) {
		*out = rg_addr_v4(in->sin_addr.s_addr, ntohs(in->sin_port));
		return true;
	}
	if (ss->ss_family != AF_INET6)
		return false;
	memcpy(out->ip, &in6->sin6_addr, 16);
	out->port = ntohs(in6->sin6_port);
	return true;
}

static ssize_t result(ssize_t n) {
	if (n >= 0)
		return n;
	return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t real_recv(struct env_sock *s, void *p, size_t len) {
	return result(recv(real_of(s)->fd, p, len, MSG_DONTWAIT));
}

static ssize_t real_send(struct env_sock *s, const void *p, size_t len) {
	return result(send(real_of(s)->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static ssize_t real_recvfrom(struct env_sock *s, void *p, size_t len, struct rg_addr *peer) {
	struct sockaddr_storage ss = {0};
	socklen_t ss_len = sizeof(ss);
	ssize_t n = recvfrom(real_of(s)->fd, p, len, MSG_DONTWAIT, (struct sockaddr *)&ss, &ss_len);

	if (n >= 0 && !from_sockaddr(&ss, peer))
		return -EAFNOSUPPORT;
	return result(n);
}

static ssize_t real_sendto(struct env_sock *s, const void *p, size_t len,
			   const struct rg_addr *peer) {
	struct sockaddr_storage ss;
	socklen_t ss_len = to_sockaddr(peer, &ss);

	return result(sendto(real_of(s)->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT,
			     (struct sockaddr *)&ss, ss_len));
}

static int real_error(struct env_sock *s) {
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(real_of(s)->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		return -errno;
	return -err;
}

static int real_local(struct env_sock *s, struct rg_addr *out) {
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	if (getsockname(real_of(s)->fd, (struct sockaddr *)&ss, &len) != 0)
		return -errno;
	return from_sockaddr(&ss, out) ? 0 : -EAFNOSUPPORT;
}

// epoll reports EPOLLHUP and EPOLLERR whether asked or not; a socket from which nothing is wanted
// leaves the set, or a peer that hung up would keep the loop spinning.
static int sync_epoll(struct real_sock *s) {
	int epoll_fd = ((struct env_real *)s->base.env)->epoll_fd;
	struct epoll_event ev = {.data.ptr = s};
	int op = EPOLL_CTL_MOD;

	if (s->base.is_connecting)
		ev.events = EPOLLOUT;
	else
		ev.events = (s->base.want & ENV_READ ? (uint32_t)EPOLLIN : 0) |
			    (s->base.want & ENV_WRITE ? (uint32_t)EPOLLOUT : 0);
	if (s->base.is_closed)
		ev.events = 0;
	if (ev.events == s->registered)
		return 0;
	if (s->registered == 0)
		op = EPOLL_CTL_ADD;
	else if (ev.events == 0)
		op = EPOLL_CTL_DEL;
	s->registered = ev.events;
	return epoll_ctl(epoll_fd, op, s->fd, &ev) == 0 ? 0 : -errno;
}

static void real_want(struct env_sock *s) {
	sync_epoll(real_of(s));
}

// Removes a listener's socket file, unless somebody has replaced it.
static void remove_path(const struct real_sock *s) {
	struct stat st;

	if (s->path != NULL && lstat(s->path, &st) == 0 && st.st_ino == s->inode)
		unlink(s->path);
}

static void real_close(struct env_sock *s) {
	sync_epoll(real_of(s));
	remove_path(real_of(s));
	if (!real_of(s)->is_borrowed)
		close(real_of(s)->fd);
}

static void real_free(struct env_sock *s) {
	free(real_of(s)->path);
	free(s);
}

static const struct env_sock_ops sock_ops = {
	.recv = real_recv,
	.send = real_send,
	.recvfrom = real_recvfrom,
	.sendto = real_sendto,
	.error = real_error,
	.local = real_local,
	.want = real_want,
	.close = real_close,
	.free = real_free,
};

int env_real_sock_new(struct env *e, int fd, const struct env_real_sock_opts *opts,
		      struct env_cb cb, struct env_sock **out) {
	struct real_sock *s = calloc(1, sizeof(*s));
	struct stat st;
	int rc = -ENOMEM;

	if (s == NULL)
		return rc;
	s->fd = fd;
	s->is_borrowed = opts->is_borrowed;
	if (opts->path != NULL) {
		s->path = strdup(opts->path);
		if (s->path == NULL)
			goto err;
		if (lstat(opts->path, &st) == 0)
			s->inode = st.st_ino;
	}
	env_sock_add(e, &s->base, &sock_ops, cb);
	s->base.is_connecting = opts->is_connecting;
	rc = sync_epoll(s);
	if (rc == 0) {
		*out = &s->base;
		return 0;
	}
	s->is_borrowed = true; // fd stays the caller's
	env_sock_close(&s->base);
	return rc;
err:
	real_free(&s->base);
	return rc;
}

static unsigned to_events(const struct env_sock *s, uint32_t ev) {
	unsigned events = 0;

	if (s->want == 0) // silenced earlier in this batch
		return 0;
	if ((ev & EPOLLIN) && (s->want & ENV_READ))
		events |= ENV_READ;
	if ((ev & EPOLLOUT) && (s->want & ENV_WRITE))
		events |= ENV_WRITE;
	if (ev & EPOLLERR)
		events |= ENV_ERROR;
	// Both directions are shut: recv() says it to whoever reads, the others are told here.
	if (ev & EPOLLHUP)
		events |= s->want & ENV_READ ? ENV_READ : ENV_ERROR;
	return events;
}

void env_real_sock_event(struct env_sock *s, uint32_t ev) {
	unsigned events;

	if (s->is_closed)
		return;
	if (s->is_connecting) {
		s->is_connecting = false;
		sync_epoll(real_of(s));
		events = ev & (EPOLLERR | EPOLLHUP) ? ENV_ERROR : ENV_WRITE;
	} else {
		events = to_events(s, ev);
	}
	if (events != 0)
		s->cb.fn(s->cb.arg, s, events);
}

// A socket bound to local (may be NULL). The descriptor or -errno.
static int open_bound(const struct rg_addr *local, int family, int type) {
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1, rc;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
				    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))))
		goto err;
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)))
		goto err;
	if (local == NULL)
		return fd;
	len = to_sockaddr(local, &ss);
	if (bind(fd, (struct sockaddr *)&ss, len) == 0)
		return fd;
err:
	rc = -errno;
	close(fd);
	return rc;
}

static int family_of(const struct rg_addr *a) {
	return rg_addr_is_v4(a) ? AF_INET : AF_INET6;
}

// Wraps fd, which is closed on failure.
static int adopt(struct env *e, int fd, const struct env_real_sock_opts *opts, struct env_cb cb,
		 struct env_sock **out) {
	int rc = env_real_sock_new(e, fd, opts, cb, out);

	if (rc != 0)
		close(fd);
	return rc;
}

int env_real_tcp_connect(struct env *e, const struct rg_addr *peer, const struct rg_addr *local,
			 struct env_cb cb, struct env_sock **out) {
	const struct env_real_sock_opts opts = {.is_connecting = true};
	struct sockaddr_storage ss;
	socklen_t len = to_sockaddr(peer, &ss);
	int fd = open_bound(local, family_of(peer), SOCK_STREAM);
	int rc;

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&ss, len) != 0 && errno != EINPROGRESS) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return adopt(e, fd, &opts, cb, out);
}

int env_real_tcp_listen(struct env *e, const struct rg_addr *local, struct env_cb cb,
			struct env_sock **out) {
	const struct env_real_sock_opts opts = {0};
	int fd = open_bound(local, family_of(local), SOCK_STREAM);
	int rc;

	if (fd < 0)
		return fd;
	if (listen(fd, SOMAXCONN) == 0)
		return adopt(e, fd, &opts, cb, out);
	rc = -errno;
	close(fd);
	return rc;
}

int env_real_udp_open(struct env *e, const struct rg_addr *local, struct env_cb cb,
		      struct env_sock **out) {
	const struct env_real_sock_opts opts = {0};
	int fd = open_bound(local, family_of(local), SOCK_DGRAM);

	return fd < 0 ? fd : adopt(e, fd, &opts, cb, out);
}

int env_real_watch_fd(struct env *e, int fd, struct env_cb cb, struct env_sock **out) {
	const struct env_real_sock_opts opts = {.is_borrowed = true};

	return env_real_sock_new(e, fd, &opts, cb, out);
}

int env_real_accept(struct env *e, struct env_sock *listener, struct env_cb cb,
		    struct env_sock **out) {
	const struct env_real_sock_opts opts = {0};
	int fd = accept4(real_of(listener)->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int one = 1;

	// ECONNABORTED: that client has gone already; the next call finds the others.
	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED ? -EAGAIN : -errno;
	// A UNIX connection has no TCP_NODELAY; the failure says nothing.
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return adopt(e, fd, &opts, cb, out);
}
