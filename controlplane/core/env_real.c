// SPDX-License-Identifier: BSD-3-Clause
// The real environment: one epoll loop in the control thread. A turn waits, reads both clocks once,
// hands back finished work, tells sockets, fires timers, and last frees what was closed, so that a
// callback may close any socket, also one with an event still in this turn's batch.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/env_real.h"

#define BATCH 64 // events per turn

static struct env_real *real_of(struct env *e) {
	return (struct env_real *)e;
}

static void read_clocks(struct env *e) {
	struct timespec boot, wall;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &wall);
	e->now_ns = (uint64_t)boot.tv_sec * RG_NS_PER_S + (uint64_t)boot.tv_nsec;
	e->wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
}

// Without randomness there are no secrets, and a caller cannot do better than stop: getrandom()
// fails for no reason a running kernel has.
static void real_random(struct env *, void *p, size_t len) {
	uint8_t *at = p;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			perror("getrandom");
			abort();
		}
		at += n;
		len -= (size_t)n;
	}
}

static int real_work(struct env *e, void (*run)(void *arg), void (*done)(void *arg), void *arg,
		     bool is_first) {
	return env_work_pool_add(real_of(e)->work, (struct env_job){run, done, arg}, is_first);
}

static int real_read_file(struct env *, const char *path, size_t max, uint8_t **data, size_t *len) {
	return env_real_read_file(path, max, data, len);
}

static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "a signal handler writes it");

// A lock-free flag and write(2): both are allowed in a signal handler (signal-safety(7)).
static void real_stop(struct env *e) {
	int saved = errno;
	uint64_t one = 1;

	atomic_store(&real_of(e)->is_stopping, true);
	if (write(real_of(e)->wake_fd, &one, sizeof(one)) < 0) {
		// EAGAIN: the counter is full, so the loop is awake already
	}
	errno = saved;
}

static const struct env_ops real_ops = {
	.random = real_random,
	.tcp_connect = env_real_tcp_connect,
	.tcp_listen = env_real_tcp_listen,
	.udp_open = env_real_udp_open,
	.unix_listen = env_real_unix_listen,
	.accept = env_real_accept,
	.watch_fd = env_real_watch_fd,
	.work = real_work,
	.read_file = real_read_file,
	.stop = real_stop,
};

// Our own descriptors are told apart from sockets by their address as the epoll cookie.
static int watch_own(struct env_real *r, int *fd) {
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = fd};

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, *fd, &ev);
}

struct env *env_real_new(void) {
	struct env_real *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->base.ops = &real_ops;
	r->armed_ns = RG_NEVER;
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->epoll_fd < 0 || r->timer_fd < 0 || r->wake_fd < 0)
		goto err;
	if (watch_own(r, &r->timer_fd) != 0 || watch_own(r, &r->wake_fd) != 0)
		goto err;
	r->work = env_work_pool_new(r->wake_fd);
	if (r->work == NULL)
		goto err;
	read_clocks(&r->base);
	return &r->base;
err:
	env_real_free(&r->base);
	return NULL;
}

void env_real_free(struct env *e) {
	struct env_real *r = real_of(e);

	if (e == NULL)
		return;
	env_work_pool_free(r->work);
	env_sock_close_all(e);
	env_timers_fini(&e->timers);
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	if (r->timer_fd >= 0)
		close(r->timer_fd);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
	free(r);
}

// Leaves the timer descriptor alone while the earliest deadline stays the same.
static void arm_timer_fd(struct env_real *r) {
	uint64_t next_ns = env_timers_next(&r->base.timers);
	struct itimerspec it = {0}; // disarmed

	if (next_ns == r->armed_ns)
		return;
	if (next_ns != RG_NEVER) {
		it.it_value.tv_sec = (time_t)(next_ns / RG_NS_PER_S);
		it.it_value.tv_nsec = (long)(next_ns % RG_NS_PER_S);
	}
	timerfd_settime(r->timer_fd, TFD_TIMER_ABSTIME, &it, NULL);
	r->armed_ns = next_ns;
}

static void drain(int fd) {
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0) {
		// EAGAIN: nothing was left
	}
}

static void handle(struct env_real *r, const struct epoll_event *ev) {
	if (ev->data.ptr == &r->wake_fd) {
		drain(r->wake_fd);
		env_work_pool_deliver(r->work);
	} else if (ev->data.ptr == &r->timer_fd) {
		drain(r->timer_fd);
		// Fired is disarmed, also should the next deadline be the same nanosecond.
		r->armed_ns = RG_NEVER;
	} else {
		env_real_sock_event(ev->data.ptr, ev->events);
	}
}

static int turn(struct env_real *r) {
	struct epoll_event ev[BATCH];
	int n;

	arm_timer_fd(r);
	n = epoll_wait(r->epoll_fd, ev, BATCH, -1);
	if (n < 0 && errno != EINTR)
		return -errno;
	read_clocks(&r->base);
	for (int i = 0; i < n; i++)
		handle(r, &ev[i]);
	env_timers_run(&r->base.timers, r->base.now_ns);
	env_sock_reap(&r->base);
	return 0;
}

int env_real_turn(struct env *e) {
	return turn(real_of(e));
}

int env_real_run(struct env *e) {
	struct env_real *r = real_of(e);
	int rc = 0;

	read_clocks(e);
	while (rc == 0 && !atomic_load(&r->is_stopping))
		rc = turn(r);
	atomic_store(&r->is_stopping, false);
	return rc;
}
