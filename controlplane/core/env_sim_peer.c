// SPDX-License-Identifier: BSD-3-Clause
// Simulated sockets, the test's side: ends of streams, rules for connects, datagrams. Tests only.
#include <errno.h>
#include <stdlib.h>

#include "core/env_sim_impl.h"

void sim_buf_put(struct sim_buf *b, struct rg_slice bytes) {
	if (b->len + bytes.len > b->cap) {
		size_t cap = 2 * (b->len + bytes.len);
		uint8_t *p = env_sim_alloc(cap);

		if (b->len > 0)
			memcpy(p, b->p + b->head, b->len);
		free(b->p);
		*b = (struct sim_buf){p, 0, b->len, cap};
	} else if (b->head + b->len + bytes.len > b->cap) {
		memmove(b->p, b->p + b->head, b->len);
		b->head = 0;
	}
	if (bytes.len > 0)
		memcpy(b->p + b->head + b->len, bytes.p, bytes.len);
	b->len += bytes.len;
}

size_t sim_buf_take(struct sim_buf *b, void *p, size_t cap) {
	size_t n = cap < b->len ? cap : b->len;

	if (n > 0)
		memcpy(p, b->p + b->head, n);
	b->head += n;
	b->len -= n;
	return n;
}

void sim_dgrams_put(struct sim_dgrams *q, const struct rg_addr *local, const struct rg_addr *peer,
		    struct rg_slice bytes) {
	struct sim_dgram *d = env_sim_alloc(sizeof(*d));

	d->local = *local;
	d->peer = *peer;
	sim_buf_put(&d->bytes, bytes);
	if (q->last != NULL)
		q->last->next = d;
	else
		q->first = d;
	q->last = d;
}

struct sim_dgram *sim_dgrams_take(struct sim_dgrams *q) {
	struct sim_dgram *d = q->first;

	if (d == NULL)
		return NULL;
	q->first = d->next;
	if (q->first == NULL)
		q->last = NULL;
	return d;
}

void sim_dgram_free(struct sim_dgram *d) {
	free(d->bytes.p);
	free(d);
}

bool sim_addr_eq(const struct rg_addr *a, const struct rg_addr *b) {
	return a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

const struct sim_rule *env_sim_rule(const struct env_sim *sim, const struct rg_addr *peer) {
	const struct sim_rule *r = sim->rules;

	while (r != NULL && !sim_addr_eq(&r->peer, peer))
		r = r->next;
	return r;
}

void env_sim_refuse(struct env *e, const struct rg_addr *peer, int err) {
	struct sim_rule **at = &env_sim_of(e)->rules;
	struct sim_rule *r;

	while (*at != NULL && !sim_addr_eq(&(*at)->peer, peer))
		at = &(*at)->next;
	r = *at;
	if (err == 0) {
		if (r != NULL)
			*at = r->next;
		free(r);
		return;
	}
	if (r == NULL) {
		r = *at = env_sim_alloc(sizeof(*r));
		r->peer = *peer;
	}
	r->err = err;
}

struct env_sim_end *env_sim_end_new(struct env_sim *sim) {
	struct env_sim_end *end = env_sim_alloc(sizeof(*end));
	struct env_sim_end **at = &sim->ends;

	while (*at != NULL)
		at = &(*at)->next;
	*at = end;
	end->room = SIZE_MAX;
	return end;
}

// A connection is there for the test as soon as it asks, also before the code was told.
static bool can_accept(const struct env_sim *sim, const struct env_sim_end *end) {
	if (!end->is_outgoing || end->is_accepted)
		return false;
	return end->is_established ||
	       (!end->is_code_closed && env_sim_rule(sim, &end->peer) == NULL);
}

// No accept will ever return it.
static bool is_settled(const struct env_sim_end *end) {
	return !end->is_outgoing || end->is_accepted ||
	       (end->is_code_closed && !end->is_established);
}

struct env_sim_end *env_sim_accept(struct env *e, const struct rg_addr *peer) {
	struct env_sim *sim = env_sim_of(e);
	struct env_sim_end **first = sim->unsettled == NULL ? &sim->ends : sim->unsettled;

	while (*first != NULL && is_settled(*first))
		first = &(*first)->next;
	sim->unsettled = first;
	for (struct env_sim_end *end = *first; end != NULL; end = end->next) {
		if (!can_accept(sim, end) || !sim_addr_eq(&end->peer, peer))
			continue;
		end->is_established = true;
		end->is_accepted = true;
		return end;
	}
	return NULL;
}

static struct env_sim_end *connect_to(struct sim_sock *listener) {
	struct env_sim *sim = env_sim_of(listener->base.env);
	struct env_sim_end *end = env_sim_end_new(sim);

	end->backlog = &listener->base;
	end->local = listener->local;
	end->peer = listener->local;
	end->peer.port = sim->next_port++;
	return end;
}

struct env_sim_end *env_sim_connect(struct env *e, const struct rg_addr *listener) {
	for (struct env_sock *s = e->first; s != NULL; s = s->next) {
		struct sim_sock *l = (struct sim_sock *)s;

		if (!s->is_closed && l->kind == SIM_LISTENER && l->path == NULL &&
		    sim_addr_eq(&l->local, listener))
			return connect_to(l);
	}
	return NULL;
}

struct env_sim_end *env_sim_connect_unix(struct env *e, const char *path) {
	for (struct env_sock *s = e->first; s != NULL; s = s->next) {
		struct sim_sock *l = (struct sim_sock *)s;

		if (!s->is_closed && l->path != NULL && strcmp(l->path, path) == 0)
			return connect_to(l);
	}
	return NULL;
}

ssize_t env_sim_read(struct env_sim_end *end, void *p, size_t cap) {
	if (end->to_test.len > 0)
		return (ssize_t)sim_buf_take(&end->to_test, p, cap);
	return end->is_code_closed ? 0 : -EAGAIN;
}

int env_sim_write(struct env_sim_end *end, struct rg_slice bytes) {
	if (end->is_code_closed || end->is_hung_up || end->reset_err != 0)
		return -EPIPE;
	sim_buf_put(&end->to_code, bytes);
	return 0;
}

void env_sim_hangup(struct env_sim_end *end) {
	end->is_hung_up = true;
}

void env_sim_reset(struct env_sim_end *end, int err) {
	end->reset_err = err;
}

void env_sim_stall(struct env_sim_end *end, bool is_stalled) {
	end->room = is_stalled ? 0 : SIZE_MAX;
}

void env_sim_set_room(struct env_sim_end *end, size_t room) {
	end->room = room;
}

void env_sim_local(const struct env_sim_end *end, struct rg_addr *out) {
	*out = end->local;
}

ssize_t env_sim_udp_take(struct env *e, void *p, size_t cap, struct rg_addr *from_local,
			 struct rg_addr *to_peer) {
	struct sim_dgram *d = sim_dgrams_take(&env_sim_of(e)->sent);
	size_t n;

	if (d == NULL)
		return -EAGAIN;
	n = sim_buf_take(&d->bytes, p, cap);
	if (from_local != NULL)
		*from_local = d->local;
	if (to_peer != NULL)
		*to_peer = d->peer;
	sim_dgram_free(d);
	return (ssize_t)n;
}

int env_sim_udp_deliver(struct env *e, const struct rg_addr *to_local,
			const struct rg_addr *from_peer, struct rg_slice bytes) {
	for (struct env_sock *s = e->first; s != NULL; s = s->next) {
		struct sim_sock *u = (struct sim_sock *)s;

		if (s->is_closed || u->kind != SIM_UDP || !sim_addr_eq(&u->local, to_local))
			continue;
		sim_dgrams_put(&u->in, to_local, from_peer, bytes);
		return 0;
	}
	return -ECONNREFUSED;
}
