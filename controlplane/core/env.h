// SPDX-License-Identifier: BSD-3-Clause
// Everything the control plane may not call for itself: time, randomness, timers, sockets, disk.
// env_real_new() is the epoll loop; env_sim_new() (tests) is a virtual clock with scripted peers.
// One thread. Callbacks run on the loop, never inside the call that caused them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "regate/addr.h"
#include "regate/clock.h"

struct env;

// --- time and randomness
uint64_t env_now_ns(const struct env *e); // CLOCK_BOOTTIME, one reading per loop turn
int64_t env_wall_ms(const struct env *e); // UTC, one reading per loop turn
void env_random(struct env *e, void *p, size_t len);

// --- timers: owned by the caller, who zeroes them first; armed while in the heap
struct env_timer {
	void (*fn)(struct env_timer *t, uint64_t now_ns);
	uint64_t deadline_ns; // private
	size_t pos;           // private, 0 = not armed
};
void env_timer_set(struct env *e, struct env_timer *t, uint64_t deadline_ns); // re-arms
void env_timer_cancel(struct env *e, struct env_timer *t);                    // also when not armed
static inline bool env_timer_is_set(const struct env_timer *t) {
	return t->pos != 0;
}

// --- sockets: non-blocking. env_sock_close() may be called inside a callback of the same socket.
enum env_event { ENV_READ = 1, ENV_WRITE = 2, ENV_ERROR = 4 };
struct env_sock;
typedef void env_sock_fn(void *arg, struct env_sock *s, unsigned events);

// Connects (TCP: completion is one ENV_WRITE, failure ENV_ERROR, without env_sock_want()). local
// may be NULL; its port may be 0. 0 or -errno.
[[nodiscard]] int env_tcp_connect(struct env *e, const struct rg_addr *peer,
				  const struct rg_addr *local, env_sock_fn *fn, void *arg,
				  struct env_sock **out);
[[nodiscard]] int env_tcp_listen(struct env *e, const struct rg_addr *local, env_sock_fn *fn,
				 void *arg, struct env_sock **out);
[[nodiscard]] int env_udp_open(struct env *e, const struct rg_addr *local, env_sock_fn *fn,
			       void *arg, struct env_sock **out);
// UNIX stream listener; removes a stale socket file, refuses a live one with -EADDRINUSE.
[[nodiscard]] int env_unix_listen(struct env *e, const char *path, mode_t mode, env_sock_fn *fn,
				  void *arg, struct env_sock **out);
// Accepts one connection. 0, -EAGAIN, -errno.
[[nodiscard]] int env_accept(struct env *e, struct env_sock *listener, env_sock_fn *fn, void *arg,
			     struct env_sock **out);
// A file descriptor of somebody else's (eventfd), watched but not closed.
[[nodiscard]] int env_watch_fd(struct env *e, int fd, env_sock_fn *fn, void *arg,
			       struct env_sock **out);
// Bytes done, 0 at end of stream, -EAGAIN, -errno.
ssize_t env_recv(struct env_sock *s, void *p, size_t len);
ssize_t env_send(struct env_sock *s, const void *p, size_t len);
ssize_t env_recvfrom(struct env_sock *s, void *p, size_t len, struct rg_addr *peer);
ssize_t env_sendto(struct env_sock *s, const void *p, size_t len, const struct rg_addr *peer);
int env_sock_error(struct env_sock *s);                      // pending SO_ERROR as -errno, 0 = none
int env_sock_local(struct env_sock *s, struct rg_addr *out); // 0 or -errno
// ENV_READ is on at first. 0 asks for silence: not even ENV_ERROR is told then.
void env_sock_want(struct env_sock *s, unsigned events);
void env_sock_close(struct env_sock *s); // accepts NULL

// --- work off the loop: run() on the crypto pool, then done() on the loop. 0 or -EAGAIN (queue full).
// env_real_free() calls done() of what is left, without run() where that has not begun.
[[nodiscard]] int env_work(struct env *e, void (*run)(void *arg), void (*done)(void *arg),
			   void *arg);
// The same for short work: before all of env_work() that has not begun.
[[nodiscard]] int env_work_soon(struct env *e, void (*run)(void *arg), void (*done)(void *arg),
				void *arg);

// --- disk (configuration, keys, pool files; the store has its own). malloc'd, caller frees.
[[nodiscard]] int env_read_file(struct env *e, const char *path, size_t max, uint8_t **data,
				size_t *len); // 0, -EFBIG, -errno

// --- real implementation
[[nodiscard]] struct env *env_real_new(void); // NULL without memory or descriptors
void env_real_free(struct env *e);            // accepts NULL; sockets still open are closed
int env_real_run(struct env *e);              // until env_stop(); 0 or -errno
// One turn, which waits for something to do: for who must wait before or after env_real_run().
[[nodiscard]] int env_real_turn(struct env *e);
void env_stop(struct env *e); // any thread and signal handlers; before env_real_run() it ends that
// env_read_file() for the two that have no env: conf_load() and regatectl. data[*len] is 0.
[[nodiscard]] int env_real_read_file(const char *path, size_t max, uint8_t **data, size_t *len);
