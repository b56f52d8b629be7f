// SPDX-License-Identifier: BSD-3-Clause
// The real environment, shared by its files env_real*.c. Private to controlplane/core.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "core/env_impl.h"

#define ENV_WORK_THREADS 2
#define ENV_WORK_MAX 64 // jobs taken on and not yet handed back

struct env_job {
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

struct env_jobs { // ring; cannot overflow, because n_taken is bounded
	struct env_job job[ENV_WORK_MAX];
	unsigned head, n;
};

struct env_work_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct env_jobs soon; // under lock; before todo
	struct env_jobs todo; // under lock
	struct env_jobs done; // under lock
	bool is_stopping;     // under lock
	unsigned n_taken;     // loop only: soon + todo + running + done
	unsigned n_threads;   // loop only
	pthread_t threads[ENV_WORK_THREADS];
	int wake_fd; // eventfd of the loop, borrowed
};

struct env_real {
	struct env base;
	int epoll_fd;
	int timer_fd;              // CLOCK_BOOTTIME: fires after a suspend, too
	int wake_fd;               // eventfd: work is done, or env_stop()
	uint64_t armed_ns;         // deadline set in timer_fd
	_Atomic(bool) is_stopping; // any thread or signal handler: w, loop: r
	struct env_work_pool *work;
};

int env_real_tcp_connect(struct env *e, const struct rg_addr *peer, const struct rg_addr *local,
			 struct env_cb cb, struct env_sock **out);
int env_real_tcp_listen(struct env *e, const struct rg_addr *local, struct env_cb cb,
			struct env_sock **out);
int env_real_udp_open(struct env *e, const struct rg_addr *local, struct env_cb cb,
		      struct env_sock **out);
int env_real_unix_listen(struct env *e, const char *path, mode_t mode, struct env_cb cb,
			 struct env_sock **out);
int env_real_accept(struct env *e, struct env_sock *listener, struct env_cb cb,
		    struct env_sock **out);
int env_real_watch_fd(struct env *e, int fd, struct env_cb cb, struct env_sock **out);
// epoll reported ev for s.
void env_real_sock_event(struct env_sock *s, uint32_t ev);

// Makes s of fd and puts it into the epoll set; fd is closed with s unless is_borrowed. On failure
// fd stays the caller's.
struct env_real_sock_opts {
	bool is_connecting;
	bool is_borrowed;
	const char *path; // UNIX listener: removed on close
};
int env_real_sock_new(struct env *e, int fd, const struct env_real_sock_opts *opts,
		      struct env_cb cb, struct env_sock **out);

struct env_work_pool *env_work_pool_new(int wake_fd);
void env_work_pool_free(struct env_work_pool *p); // waits for running jobs; done() for all
// 0 or -EAGAIN
int env_work_pool_add(struct env_work_pool *p, struct env_job job, bool is_first);
void env_work_pool_deliver(struct env_work_pool *p); // calls done()
