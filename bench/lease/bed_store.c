// SPDX-License-Identifier: BSD-3-Clause
// A store that keeps nothing and is never slow: what is left is the engine's own share.
#include <stdlib.h>

#include "bed.h"
#include "store/store_impl.h"

struct null_store {
	struct store s;
	struct env *env;
	struct env_timer timer;
	struct store_queue queue;
};

static void end_all(struct null_store *n) {
	struct store_queue done;
	struct store_job *j;

	store_queue_init(&done);
	store_queue_move(&done, &n->queue);
	while ((j = store_queue_pop(&done)) != NULL) {
		j->rev++;
		store_job_end(&n->s, j);
	}
}

static void null_flush(struct store *s) {
	struct null_store *n = (struct null_store *)s;

	while (n->queue.first != NULL)
		end_all(n);
}

static void null_close(struct store *s) {
	struct null_store *n = (struct null_store *)s;

	null_flush(s);
	env_timer_cancel(n->env, &n->timer);
	store_forget(s);
	free(n);
}

static int null_load(struct store *, const struct store_load *) {
	return 0;
}

static int null_queue(struct store *s, struct store_job *j) {
	struct null_store *n = (struct null_store *)s;

	store_queue_push(&n->queue, j);
	env_timer_set(n->env, &n->timer, env_now_ns(n->env));
	return 0;
}

static void null_stats(const struct store *, struct store_stats *out) {
	*out = (struct store_stats){.is_up = true};
}

static void on_timer(struct env_timer *t, uint64_t) {
	end_all((struct null_store *)((char *)t - offsetof(struct null_store, timer)));
}

struct store *bed_store_null(struct env *e) {
	static const struct store_ops ops = {
		.close = null_close,
		.load_all = null_load,
		.queue = null_queue,
		.flush = null_flush,
		.get_stats = null_stats,
	};
	struct null_store *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->s.ops = &ops;
	n->env = e;
	n->timer.fn = on_timer;
	store_queue_init(&n->queue);
	return &n->s;
}
