// SPDX-License-Identifier: BSD-3-Clause
// What env_real*.c and env_sim*.c share behind env.h: the base objects, their operations and the
// timer heap. Private to controlplane/core.
#pragma once

#include "core/env.h"

struct env_timer_slot {
	uint64_t deadline_ns;
	uint64_t seq; // equal deadlines fire in the order they were set
	struct env_timer *t;
};

struct env_timers { // binary heap; slot 0 is unused so that pos 0 can mean "not armed"
	struct env_timer_slot *slots;
	size_t n;
	size_t cap;
	uint64_t next_seq;
};

void env_timers_fini(struct env_timers *h);
void env_timers_set(struct env_timers *h, struct env_timer *t, uint64_t deadline_ns);
void env_timers_cancel(struct env_timers *h, struct env_timer *t);
uint64_t env_timers_next(const struct env_timers *h); // RG_NEVER when empty
// Fires what is due; a timer that a callback arms for now waits for the next call. How many fired.
size_t env_timers_run(struct env_timers *h, uint64_t now_ns);

// What the caller of an open function wants told, and where.
struct env_cb {
	env_sock_fn *fn;
	void *arg;
};

struct env_ops {
	void (*random)(struct env *e, void *p, size_t len);
	int (*tcp_connect)(struct env *e, const struct rg_addr *peer, const struct rg_addr *local,
			   struct env_cb cb, struct env_sock **out);
	int (*tcp_listen)(struct env *e, const struct rg_addr *local, struct env_cb cb,
			  struct env_sock **out);
	int (*udp_open)(struct env *e, const struct rg_addr *local, struct env_cb cb,
			struct env_sock **out);
	int (*unix_listen)(struct env *e, const char *path, mode_t mode, struct env_cb cb,
			   struct env_sock **out);
	int (*accept)(struct env *e, struct env_sock *listener, struct env_cb cb,
		      struct env_sock **out);
	int (*watch_fd)(struct env *e, int fd, struct env_cb cb, struct env_sock **out);
	int (*work)(struct env *e, void (*run)(void *arg), void (*done)(void *arg), void *arg,
		    bool is_first);
	int (*read_file)(struct env *e, const char *path, size_t max, uint8_t **data, size_t *len);
	void (*stop)(struct env *e);
};

struct env_sock_ops {
	ssize_t (*recv)(struct env_sock *s, void *p, size_t len);
	ssize_t (*send)(struct env_sock *s, const void *p, size_t len);
	ssize_t (*recvfrom)(struct env_sock *s, void *p, size_t len, struct rg_addr *peer);
	ssize_t (*sendto)(struct env_sock *s, const void *p, size_t len,
			  const struct rg_addr *peer);
	int (*error)(struct env_sock *s);
	int (*local)(struct env_sock *s, struct rg_addr *out);
	void (*want)(struct env_sock *s);  // s->want has changed
	void (*close)(struct env_sock *s); // gives up the resource; the memory waits for the reaper
	void (*free)(struct env_sock *s);
};

struct env { // first member of env_real and env_sim
	const struct env_ops *ops;
	uint64_t now_ns;
	int64_t wall_ms;
	struct env_timers timers;
	struct env_sock *first, *last; // all sockets, closed ones too until reaped
	struct env_sock *dead;         // closed in this turn
};

struct env_sock { // first member of the real and the simulated socket
	const struct env_sock_ops *ops;
	struct env *env;
	struct env_cb cb;
	unsigned want;      // enum env_event
	bool is_connecting; // TCP: ENV_WRITE is implied until the outcome was reported
	bool is_closed;
	struct env_sock *prev, *next;
	struct env_sock *dead_next;
};

// Links s, whose memory ops->free() releases, into e.
void env_sock_add(struct env *e, struct env_sock *s, const struct env_sock_ops *ops,
		  struct env_cb cb);
// Frees the sockets closed since the last call. Only where no callback is on the stack.
void env_sock_reap(struct env *e);
void env_sock_close_all(struct env *e);
