// SPDX-License-Identifier: BSD-3-Clause
// Store in memory, for tests: completions come by a timer of the environment, failures on demand.
// "Durable" is what survives store_mem_crash().
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "regate/err.h"
#include "store/store_impl.h"
#include "store/store_mem.h"

struct mem_job_time { // kept beside the queue: both are in order
	uint64_t due_ns;
	bool is_lost; // fails without becoming durable
};

struct mem_value {
	char *name;
	size_t len;
	uint8_t bytes[STORE_VALUE_MAX];
};

struct store_mem {
	struct store s;
	struct env *env;
	struct env_timer timer;
	void *leases; // tsearch() trees: struct store_job by IMPI, struct mem_value by name
	void *values;
	struct store_queue queue;
	struct mem_job_time *times; // of the queue
	size_t n_queued, times_cap;
	uint64_t delay_ns;
	unsigned n_fail;
	int fail_rc;
	bool is_late;
	struct store_stats stats;
};

static struct store_mem *mem(struct store *s) {
	return (struct store_mem *)s;
}

static int compare_leases(const void *a, const void *b) {
	const struct store_job *x = a, *y = b;

	return strcmp(x->lease.impi, y->lease.impi);
}

static int compare_values(const void *a, const void *b) {
	const struct mem_value *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void value_free(void *p) {
	struct mem_value *v = p;

	free(v->name);
	free(v);
}

// Makes a copy of j the durable record. Without memory a test cannot go on.
static void apply(struct store_mem *m, const struct store_job *j) {
	struct store_job *copy = store_job_new(&j->lease, NULL, NULL), **slot, *old;

	if (copy == NULL || (slot = tsearch(copy, &m->leases, compare_leases)) == NULL)
		abort();
	if (*slot == copy)
		return;
	old = *slot;
	*slot = copy;
	free(old);
}

// The oldest commit ends: durable or not, then its callback.
static void finish_one(struct store_mem *m) {
	struct store_job *j = store_queue_pop(&m->queue);
	bool is_lost = m->times[0].is_lost;

	m->n_queued--;
	memmove(m->times, m->times + 1, m->n_queued * sizeof(*m->times));
	if (!is_lost)
		apply(m, j);
	m->stats.commits += j->rc == 0;
	m->stats.failures += j->rc != 0;
	m->stats.batches++;
	if (j->done != NULL)
		j->done(j->arg, j->rc);
	free(j);
}

static void on_timer(struct env_timer *t, uint64_t now_ns) {
	struct store_mem *m =
		(struct store_mem *)((uint8_t *)t - offsetof(struct store_mem, timer));

	while (m->n_queued > 0 && m->times[0].due_ns <= now_ns)
		finish_one(m);
	if (m->n_queued > 0)
		env_timer_set(m->env, &m->timer, m->times[0].due_ns);
}

static int mem_commit(struct store *s, const struct store_lease *l, store_done_fn *done,
		      void *arg) {
	struct store_mem *m = mem(s);
	struct store_job *j = store_job_new(l, done, arg);
	uint64_t due_ns = env_now_ns(m->env) + m->delay_ns;

	if (j == NULL)
		return -ENOMEM;
	if (m->n_queued == m->times_cap) {
		m->times_cap = 2 * m->times_cap + 16;
		m->times = realloc(m->times, m->times_cap * sizeof(*m->times));
		if (m->times == NULL)
			abort();
	}
	if (m->n_queued > 0 && m->times[m->n_queued - 1].due_ns > due_ns)
		due_ns = m->times[m->n_queued - 1].due_ns; // the order is kept
	m->times[m->n_queued++] = (struct mem_job_time){due_ns, m->n_fail > 0 && !m->is_late};
	if (m->n_fail > 0) {
		m->n_fail--;
		j->rc = m->fail_rc;
	}
	store_queue_push(&m->queue, j);
	if (!env_timer_is_set(&m->timer))
		env_timer_set(m->env, &m->timer, m->times[0].due_ns);
	return 0;
}

static void mem_close(struct store *s) {
	struct store_mem *m = mem(s);

	while (m->n_queued > 0)
		finish_one(m);
	env_timer_cancel(m->env, &m->timer);
	tdestroy(m->leases, free);
	tdestroy(m->values, value_free);
	free(m->times);
	free(m);
}

struct walk {
	const struct store_load *cb;
	int rc;
};

static void visit(const void *node, VISIT which, void *arg) {
	const struct store_job *const *j = node;
	struct walk *w = arg;

	if (w->rc == 0 && (which == postorder || which == leaf))
		w->rc = w->cb->lease(w->cb->arg, &(*j)->lease);
}

static int mem_load_all(struct store *s, const struct store_load *cb) {
	struct walk w = {cb, 0};

	twalk_r(mem(s)->leases, visit, &w);
	return w.rc;
}

static int mem_get(struct store *s, const char *name, void *value, size_t *len) {
	struct mem_value key = {.name = (char *)name}, **slot;

	slot = tfind(&key, &mem(s)->values, compare_values);
	if (slot == NULL)
		return RG_E_STALE;
	if ((*slot)->len > *len)
		return RG_E_LIMIT;
	*len = (*slot)->len;
	memcpy(value, (*slot)->bytes, *len);
	return 0;
}

static int mem_put(struct store *s, const char *name, const void *value, size_t len) {
	struct mem_value *v = calloc(1, sizeof(*v)), **slot, *old;

	if (v == NULL || (v->name = strdup(name)) == NULL ||
	    (slot = tsearch(v, &mem(s)->values, compare_values)) == NULL)
		abort();
	v->len = len;
	if (len > 0)
		memcpy(v->bytes, value, len);
	if (*slot != v) {
		old = *slot;
		*slot = v;
		value_free(old);
	}
	return 0;
}

static void mem_get_stats(const struct store *s, struct store_stats *out) {
	const struct store_mem *m = (const struct store_mem *)s;

	*out = m->stats;
	out->queued = m->n_queued;
}

int store_mem_open(struct env *e, struct store **out) {
	static const struct store_ops ops = {mem_close, mem_load_all, mem_get,
					     mem_put,   mem_commit,   mem_get_stats};
	struct store_mem *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	m->s.ops = &ops;
	m->env = e;
	m->timer.fn = on_timer;
	m->delay_ns = RG_NS_PER_MS;
	store_queue_init(&m->queue);
	*out = &m->s;
	return 0;
}

void store_mem_fail(struct store *s, unsigned n, int rc) {
	mem(s)->n_fail = n;
	mem(s)->fail_rc = rc;
	mem(s)->is_late = false;
}

void store_mem_fail_late(struct store *s, unsigned n, int rc) {
	store_mem_fail(s, n, rc);
	mem(s)->is_late = true;
}

void store_mem_set_delay(struct store *s, uint64_t delay_ns) {
	mem(s)->delay_ns = delay_ns;
}

void store_mem_crash(struct store *s, unsigned n_durable) {
	struct store_mem *m = mem(s);
	struct store_job *j;

	env_timer_cancel(m->env, &m->timer);
	for (size_t i = 0; (j = store_queue_pop(&m->queue)) != NULL; i++) {
		if (i < n_durable)
			apply(m, j);
		if (j->done != NULL)
			j->done(j->arg, -EIO);
		free(j);
	}
	m->n_queued = 0;
}
