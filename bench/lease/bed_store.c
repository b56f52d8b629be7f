// SPDX-License-Identifier: BSD-3-Clause
// A store that keeps nothing and is never slow: what is left is the engine's own share.
#include <stdlib.h>

#include "bed.h"
#include "regate/err.h"
#include "store/store_impl.h"

#define ROOM 65536 // commits on their way; a power of two

struct null_store {
	struct store s;
	struct env *env;
	struct env_timer timer;
	struct {
		store_done_fn *done;
		void *arg;
	} jobs[ROOM];
	uint64_t head, tail;
};

static void null_close(struct store *s) {
	struct null_store *n = (struct null_store *)s;

	env_timer_cancel(n->env, &n->timer);
	while (n->head < n->tail) {
		uint64_t at = n->head++ % ROOM;

		n->jobs[at].done(n->jobs[at].arg, 0);
	}
	free(n);
}

static int null_load(struct store *, const struct store_load *) {
	return 0;
}

static int null_get(struct store *, const char *, void *, size_t *) {
	return RG_E_STALE;
}

static int null_put(struct store *, const char *, const void *, size_t) {
	return 0;
}

static int null_commit(struct store *s, const struct store_lease *, store_done_fn *done,
		       void *arg) {
	struct null_store *n = (struct null_store *)s;

	if (n->tail - n->head == ROOM)
		return RG_E_LIMIT;
	n->jobs[n->tail % ROOM].done = done;
	n->jobs[n->tail++ % ROOM].arg = arg;
	env_timer_set(n->env, &n->timer, env_now_ns(n->env));
	return 0;
}

static void null_stats(const struct store *, struct store_stats *out) {
	*out = (struct store_stats){0};
}

static void on_timer(struct env_timer *t, uint64_t) {
	struct null_store *n =
		(struct null_store *)((char *)t - offsetof(struct null_store, timer));
	uint64_t end = n->tail;

	while (n->head < end) {
		uint64_t at = n->head++ % ROOM;

		n->jobs[at].done(n->jobs[at].arg, 0);
	}
}

struct store *bed_store_null(struct env *e) {
	static const struct store_ops ops = {null_close, null_load,   null_get,
					     null_put,   null_commit, null_stats};
	struct null_store *n = calloc(1, sizeof(*n));

	if (n == NULL)
		bed_die("a store", -1);
	n->s.ops = &ops;
	n->env = e;
	n->timer.fn = on_timer;
	return &n->s;
}
