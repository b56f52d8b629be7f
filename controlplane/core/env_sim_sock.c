// SPDX-License-Identifier: BSD-3-Clause
// Simulated sockets, the code's side: what env_tcp_connect(), env_recv() and the others do, and
// when a socket is ready. Tests only, one thread.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "core/env_sim_impl.h"

static struct sim_sock *sim_of(struct env_sock *s) {
	return (struct sim_sock *)s;
}

static ssize_t sim_recv(struct env_sock *s, void *p, size_t len) {
	struct env_sim_end *end = sim_of(s)->end;

	if (sim_of(s)->kind != SIM_STREAM || s->is_connecting)
		return -ENOTCONN;
	if (end->reset_err != 0)
		return -end->reset_err;
	if (end->to_code.len > 0)
		return (ssize_t)sim_buf_take(&end->to_code, p, len);
	return end->is_hung_up ? 0 : -EAGAIN;
}

static ssize_t sim_send(struct env_sock *s, const void *p, size_t len) {
	struct env_sim_end *end = sim_of(s)->end;

	if (sim_of(s)->kind != SIM_STREAM)
		return -ENOTCONN;
	if (s->is_connecting)
		return -EAGAIN; // as Linux says while the SYN is out
	if (end->reset_err != 0)
		return -end->reset_err;
	if (end->is_hung_up)
		return -EPIPE;
	if (len > end->room)
		len = end->room;
	if (len == 0)
		return -EAGAIN;
	if (end->room != SIZE_MAX)
		end->room -= len;
	sim_buf_put(&end->to_test, rg_slice(p, len));
	return (ssize_t)len;
}

static ssize_t sim_recvfrom(struct env_sock *s, void *p, size_t len, struct rg_addr *peer) {
	struct sim_dgram *d;
	size_t n;

	if (sim_of(s)->kind != SIM_UDP)
		return -EAFNOSUPPORT;
	d = sim_dgrams_take(&sim_of(s)->in);
	if (d == NULL)
		return -EAGAIN;
	n = sim_buf_take(&d->bytes, p, len);
	*peer = d->peer;
	sim_dgram_free(d);
	return (ssize_t)n;
}

static ssize_t sim_sendto(struct env_sock *s, const void *p, size_t len,
			  const struct rg_addr *peer) {
	struct env_sim *sim = env_sim_of(s->env);

	if (sim_of(s)->kind != SIM_UDP || rg_addr_is_v4(&sim_of(s)->local) != rg_addr_is_v4(peer))
		return -EAFNOSUPPORT;
	if (len > 65507) // largest UDP payload over IPv4
		return -EMSGSIZE;
	sim_dgrams_put(&sim->sent, &sim_of(s)->local, peer, rg_slice(p, len));
	return (ssize_t)len;
}

static int sim_error(struct env_sock *s) {
	int err = sim_of(s)->error;

	sim_of(s)->error = 0;
	return -err;
}

static int sim_local(struct env_sock *s, struct rg_addr *out) {
	const struct sim_sock *sock = sim_of(s);

	if (sock->path != NULL || sock->kind == SIM_FD)
		return -EAFNOSUPPORT;
	*out = sock->kind == SIM_STREAM ? sock->end->local : sock->local;
	return 0;
}

static void sim_want(struct env_sock *) {
	// env_sim_sock_turn() looks at s->want itself
}

// Connections that nobody will accept any more are closed towards the test.
static void close_backlog(struct env_sock *listener) {
	for (struct env_sim_end *end = env_sim_of(listener->env)->ends; end; end = end->next) {
		if (end->backlog != listener)
			continue;
		end->backlog = NULL;
		end->is_code_closed = true;
	}
}

static void sim_close(struct env_sock *s) {
	struct env_sim_end *end = sim_of(s)->end;

	if (end != NULL) {
		end->sock = NULL;
		end->is_code_closed = true;
	}
	if (sim_of(s)->kind == SIM_LISTENER)
		close_backlog(s);
}

static void sim_free(struct env_sock *s) {
	struct sim_dgram *d;

	while ((d = sim_dgrams_take(&sim_of(s)->in)) != NULL)
		sim_dgram_free(d);
	free(sim_of(s)->path);
	free(s);
}

static const struct env_sock_ops sock_ops = {
	.recv = sim_recv,
	.send = sim_send,
	.recvfrom = sim_recvfrom,
	.sendto = sim_sendto,
	.error = sim_error,
	.local = sim_local,
	.want = sim_want,
	.close = sim_close,
	.free = sim_free,
};

static struct sim_sock *sock_new(struct env *e, enum sim_kind kind, struct env_cb cb) {
	struct sim_sock *s = env_sim_alloc(sizeof(*s));

	s->kind = kind;
	s->born = env_sim_of(e)->turn;
	env_sock_add(e, &s->base, &sock_ops, cb);
	return s;
}

static bool is_taken(const struct env_sim *sim, enum sim_kind kind, const struct rg_addr *a) {
	for (struct env_sock *s = sim->base.first; s != NULL; s = s->next) {
		if (!s->is_closed && sim_of(s)->kind == kind && sim_of(s)->path == NULL &&
		    sim_addr_eq(&sim_of(s)->local, a))
			return true;
	}
	return false;
}

static void give_port(struct env_sim *sim, struct rg_addr *a) {
	if (a->port == 0)
		a->port = sim->next_port++;
}

static int open_bound(struct env *e, enum sim_kind kind, const struct rg_addr *local,
		      struct env_cb cb, struct env_sock **out) {
	struct sim_sock *s;

	if (local->port != 0 && is_taken(env_sim_of(e), kind, local))
		return -EADDRINUSE;
	s = sock_new(e, kind, cb);
	s->local = *local;
	give_port(env_sim_of(e), &s->local);
	*out = &s->base;
	return 0;
}

int env_sim_tcp_listen(struct env *e, const struct rg_addr *local, struct env_cb cb,
		       struct env_sock **out) {
	return open_bound(e, SIM_LISTENER, local, cb, out);
}

int env_sim_udp_open(struct env *e, const struct rg_addr *local, struct env_cb cb,
		     struct env_sock **out) {
	return open_bound(e, SIM_UDP, local, cb, out);
}

int env_sim_unix_listen(struct env *e, const char *path, mode_t, struct env_cb cb,
			struct env_sock **out) {
	struct sim_sock *s;

	for (struct env_sock *o = e->first; o != NULL; o = o->next)
		if (!o->is_closed && sim_of(o)->path != NULL && strcmp(sim_of(o)->path, path) == 0)
			return -EADDRINUSE;
	s = sock_new(e, SIM_LISTENER, cb);
	s->path = env_sim_alloc(strlen(path) + 1);
	memcpy(s->path, path, strlen(path));
	*out = &s->base;
	return 0;
}

int env_sim_watch_fd(struct env *e, int fd, struct env_cb cb, struct env_sock **out) {
	struct sim_sock *s = sock_new(e, SIM_FD, cb);

	s->fd = fd;
	*out = &s->base;
	return 0;
}

static struct rg_addr loopback_like(const struct rg_addr *peer) {
	static const uint8_t v4[4] = {127, 0, 0, 1};
	struct rg_addr a = {.ip = {[15] = 1}};
	uint32_t ip_be;

	memcpy(&ip_be, v4, sizeof(ip_be));
	return rg_addr_is_v4(peer) ? rg_addr_v4(ip_be, 0) : a;
}

int env_sim_tcp_connect(struct env *e, const struct rg_addr *peer, const struct rg_addr *local,
			struct env_cb cb, struct env_sock **out) {
	struct env_sim *sim = env_sim_of(e);
	struct env_sim_end *end;
	struct sim_sock *s;

	if (local != NULL && rg_addr_is_v4(local) != rg_addr_is_v4(peer))
		return -EAFNOSUPPORT;
	end = env_sim_end_new(sim);
	s = sock_new(e, SIM_STREAM, cb);
	end->is_outgoing = true;
	end->peer = *peer;
	end->local = local != NULL ? *local : loopback_like(peer);
	give_port(sim, &end->local);
	end->sock = &s->base;
	s->end = end;
	s->base.is_connecting = true;
	*out = &s->base;
	return 0;
}

static struct env_sim_end *first_waiting(const struct env_sock *listener) {
	struct env_sim_end *end = env_sim_of(listener->env)->ends;

	while (end != NULL && end->backlog != listener)
		end = end->next;
	return end;
}

int env_sim_accept_sock(struct env *e, struct env_sock *listener, struct env_cb cb,
			struct env_sock **out) {
	struct env_sim_end *end = first_waiting(listener);
	struct sim_sock *s;

	if (end == NULL)
		return -EAGAIN;
	s = sock_new(e, SIM_STREAM, cb);
	end->backlog = NULL;
	end->sock = &s->base;
	s->end = end;
	*out = &s->base;
	return 0;
}

// The outcome of a connect: events to tell, 0 while there is none.
static unsigned connect_outcome(struct sim_sock *s) {
	const struct sim_rule *rule =
		s->end->is_established ? NULL
				       : env_sim_rule(env_sim_of(s->base.env), &s->end->peer);

	if (rule != NULL && rule->err == ENV_SIM_HANG)
		return 0;
	s->base.is_connecting = false;
	if (rule != NULL) {
		s->error = rule->err;
		s->end->reset_err = rule->err;
		return ENV_ERROR;
	}
	s->end->is_established = true;
	return ENV_WRITE;
}

static unsigned stream_ready(struct sim_sock *s) {
	struct env_sim_end *end = s->end;
	unsigned ready = 0;

	if (end->reset_err != 0) {
		if (s->error == 0)
			s->error = end->reset_err;
		return ENV_READ | ENV_ERROR;
	}
	if (end->to_code.len > 0 || end->is_hung_up)
		ready |= ENV_READ;
	if (end->room > 0 || end->is_hung_up)
		ready |= ENV_WRITE;
	return ready;
}

static unsigned ready_events(struct sim_sock *s) {
	struct pollfd pfd = {.fd = s->fd, .events = POLLIN};

	switch (s->kind) {
	case SIM_STREAM:
		return stream_ready(s);
	case SIM_LISTENER:
		return first_waiting(&s->base) != NULL ? ENV_READ : 0;
	case SIM_UDP:
		return ENV_WRITE | (s->in.first != NULL ? ENV_READ : 0);
	default: // somebody else's descriptor is real: look, never wait
		return poll(&pfd, 1, 0) > 0 ? ENV_READ : 0;
	}
}

unsigned env_sim_sock_turn(struct env_sock *s) {
	unsigned events;

	if (s->is_closed || sim_of(s)->born == env_sim_of(s->env)->turn)
		return 0;
	if (s->is_connecting)
		events = connect_outcome(sim_of(s));
	else if (s->want == 0)
		return 0;
	else
		events = ready_events(sim_of(s)) & (s->want | ENV_ERROR);
	if (events == 0)
		return 0;
	s->cb.fn(s->cb.arg, s, events);
	return 1;
}
