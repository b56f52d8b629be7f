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

struct store_mem {
	struct store s;
	struct env *env;
	struct env_timer timer;
	void *leases; // tsearch() tree: struct store_job by IMPI
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

static const struct store_lease *record_of(const struct store_mem *m, const struct store_lease *l) {
	const struct store_job key = {.lease.impi = l->impi};
	struct store_job **slot = tfind(&key, &m->leases, compare_leases);

	return slot == NULL ? NULL : &(*slot)->lease;
}

// Compare and swap: RG_E_CONFLICT when the job must not become durable.
static int judge(struct store_mem *m, const struct store_job *j) {
	const struct store_lease *now;
	uint8_t byte;
	size_t len = 0;

	if (j->name != NULL)
		return j->is_new && store_get(&m->s, j->name, &byte, &len) != RG_E_STALE
			       ? RG_E_CONFLICT
			       : 0;
	now = record_of(m, &j->lease);
	if (j->lease.rev == (now == NULL ? 0 : now->rev))
		return 0;
	if (now != NULL && m->s.watch.lease != NULL)
		m->s.watch.lease(m->s.watch.arg, now);
	return RG_E_CONFLICT;
}

// Makes a copy of j the durable record. Without memory a test cannot go on.
static void apply(struct store_mem *m, struct store_job *j) {
	struct store_job *copy, **slot, *old;

	if (j->name != NULL) {
		if (store_keep(&m->s, j->name, j->bytes, j->len) != 0)
			abort();
		return;
	}
	copy = store_job_new(&j->lease, NULL, NULL);
	if (copy == NULL || (slot = tsearch(copy, &m->leases, compare_leases)) == NULL)
		abort();
	copy->lease.rev = j->rev = j->lease.rev + 1;
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
	if (!is_lost) {
		int rc = judge(m, j);

		if (rc == 0)
			apply(m, j);
		else
			j->rc = rc;
	}
	m->stats.commits += j->rc == 0;
	m->stats.conflicts += j->rc == RG_E_CONFLICT;
	m->stats.failures += j->rc != 0 && j->rc != RG_E_CONFLICT;
	m->stats.is_up = j->rc == 0 || j->rc == RG_E_CONFLICT;
	m->stats.batches++;
	store_job_end(&m->s, j);
}

static void on_timer(struct env_timer *t, uint64_t now_ns) {
	struct store_mem *m =
		(struct store_mem *)((uint8_t *)t - offsetof(struct store_mem, timer));

	while (m->n_queued > 0 && m->times[0].due_ns <= now_ns)
		finish_one(m);
	if (m->n_queued > 0)
		env_timer_set(m->env, &m->timer, m->times[0].due_ns);
}

static int mem_queue(struct store *s, struct store_job *j) {
	struct store_mem *m = mem(s);
	uint64_t due_ns = env_now_ns(m->env) + m->delay_ns;

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

static void mem_flush(struct store *s) {
	struct store_mem *m = mem(s);

	while (m->n_queued > 0)
		finish_one(m);
	env_timer_cancel(m->env, &m->timer);
}

static void mem_close(struct store *s) {
	struct store_mem *m = mem(s);

	mem_flush(s);
	tdestroy(m->leases, free);
	store_forget(s);
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

static void mem_get_stats(const struct store *s, struct store_stats *out) {
	const struct store_mem *m = (const struct store_mem *)s;

	*out = m->stats;
	out->queued = m->n_queued;
}

int store_mem_open(struct env *e, struct store **out) {
	static const struct store_ops ops = {mem_close, mem_load_all, mem_queue, mem_flush,
					     mem_get_stats};
	struct store_mem *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	m->s.ops = &ops;
	m->env = e;
	m->timer.fn = on_timer;
	m->delay_ns = RG_NS_PER_MS;
	m->stats.is_up = true;
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
		if (i < n_durable && judge(m, j) == 0)
			apply(m, j);
		j->rc = -EIO;
		store_job_end(s, j);
	}
	m->n_queued = 0;
}
