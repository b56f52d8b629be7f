// SPDX-License-Identifier: BSD-3-Clause
// The calls of env.h: what is common to the real and the simulated environment, and the step into
// one of them. Control thread only; no system call here.
#include "core/env.h"

#include "core/env_impl.h"

uint64_t env_now_ns(const struct env *e) {
	return e->now_ns;
}

int64_t env_wall_ms(const struct env *e) {
	return e->wall_ms;
}

void env_random(struct env *e, void *p, size_t len) {
	e->ops->random(e, p, len);
}

// A deadline in the past becomes "now": a callback that keeps re-arming itself at 0 must queue
// behind the others that are due.
void env_timer_set(struct env *e, struct env_timer *t, uint64_t deadline_ns) {
	env_timers_set(&e->timers, t, deadline_ns < e->now_ns ? e->now_ns : deadline_ns);
}

void env_timer_cancel(struct env *e, struct env_timer *t) {
	env_timers_cancel(&e->timers, t);
}

int env_tcp_connect(struct env *e, const struct rg_addr *peer, const struct rg_addr *local,
		    env_sock_fn *fn, void *arg, struct env_sock **out) {
	return e->ops->tcp_connect(e, peer, local, (struct env_cb){fn, arg}, out);
}

int env_tcp_listen(struct env *e, const struct rg_addr *local, env_sock_fn *fn, void *arg,
		   struct env_sock **out) {
	return e->ops->tcp_listen(e, local, (struct env_cb){fn, arg}, out);
}

int env_udp_open(struct env *e, const struct rg_addr *local, env_sock_fn *fn, void *arg,
		 struct env_sock **out) {
	return e->ops->udp_open(e, local, (struct env_cb){fn, arg}, out);
}

int env_unix_listen(struct env *e, const char *path, mode_t mode, env_sock_fn *fn, void *arg,
		    struct env_sock **out) {
	return e->ops->unix_listen(e, path, mode, (struct env_cb){fn, arg}, out);
}

int env_accept(struct env *e, struct env_sock *listener, env_sock_fn *fn, void *arg,
	       struct env_sock **out) {
	return e->ops->accept(e, listener, (struct env_cb){fn, arg}, out);
}

int env_watch_fd(struct env *e, int fd, env_sock_fn *fn, void *arg, struct env_sock **out) {
	return e->ops->watch_fd(e, fd, (struct env_cb){fn, arg}, out);
}

ssize_t env_recv(struct env_sock *s, void *p, size_t len) {
	return s->ops->recv(s, p, len);
}

ssize_t env_send(struct env_sock *s, const void *p, size_t len) {
	return s->ops->send(s, p, len);
}

ssize_t env_recvfrom(struct env_sock *s, void *p, size_t len, struct rg_addr *peer) {
	return s->ops->recvfrom(s, p, len, peer);
}

ssize_t env_sendto(struct env_sock *s, const void *p, size_t len, const struct rg_addr *peer) {
	return s->ops->sendto(s, p, len, peer);
}

int env_sock_error(struct env_sock *s) {
	return s->ops->error(s);
}

int env_sock_local(struct env_sock *s, struct rg_addr *out) {
	return s->ops->local(s, out);
}

void env_sock_want(struct env_sock *s, unsigned events) {
	unsigned want = events & (ENV_READ | ENV_WRITE);

	if (s->is_closed || want == s->want)
		return;
	s->want = want;
	s->ops->want(s);
}

void env_sock_close(struct env_sock *s) {
	if (s == NULL || s->is_closed)
		return;
	s->is_closed = true;
	s->ops->close(s);
	s->dead_next = s->env->dead;
	s->env->dead = s;
}

int env_work(struct env *e, void (*run)(void *arg), void (*done)(void *arg), void *arg) {
	return e->ops->work(e, run, done, arg, false);
}

int env_work_soon(struct env *e, void (*run)(void *arg), void (*done)(void *arg), void *arg) {
	return e->ops->work(e, run, done, arg, true);
}

int env_read_file(struct env *e, const char *path, size_t max, uint8_t **data, size_t *len) {
	return e->ops->read_file(e, path, max, data, len);
}

void env_stop(struct env *e) {
	e->ops->stop(e);
}

void env_sock_add(struct env *e, struct env_sock *s, const struct env_sock_ops *ops,
		  struct env_cb cb) {
	s->ops = ops;
	s->env = e;
	s->cb = cb;
	s->want = ENV_READ;
	s->prev = e->last;
	if (e->last != NULL)
		e->last->next = s;
	else
		e->first = s;
	e->last = s;
}

void env_sock_reap(struct env *e) {
	struct env_sock *s;

	while ((s = e->dead) != NULL) {
		e->dead = s->dead_next;
		*(s->prev != NULL ? &s->prev->next : &e->first) = s->next;
		*(s->next != NULL ? &s->next->prev : &e->last) = s->prev;
		s->ops->free(s);
	}
}

void env_sock_close_all(struct env *e) {
	for (struct env_sock *s = e->first; s != NULL; s = s->next)
		env_sock_close(s);
	env_sock_reap(e);
}
