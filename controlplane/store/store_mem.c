// SPDX-License-Identifier: BSD-3-Clause
// Store in memory, for tests: completions and the watch come by a timer of the environment, failures
// on demand. "Durable" is what survives store_mem_crash(); it belongs to all handles together.
#include "store/store_mem.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "regate/err.h"
#include "store/store_impl.h"

struct item { // a write of ours, or what the watch has to tell
	struct item *next;
	struct store_job *job;
	uint64_t due_ns;    // durable then; told then
	uint64_t answer_ns; // of a write
	bool is_applied;    // judged, and durable or not
	bool is_lost;       // fails without becoming durable
	int answer_rc;      // what is said when it is durable
};

struct line { // both kinds are in order of time
	struct item *first, **last;
	size_t n;
};

struct store_mem;
struct backend { // goes with the last handle
	struct store_mem *handles;
	void *leases;        // tsearch() tree: struct store_job by IMPI
	struct store values; // nothing but its values
	store_mem_trace_fn *trace;
	void *trace_arg;
};

struct store_mem {
	struct store s;
	struct store_mem *next; // of the same backend
	struct backend *b;
	struct env *env;
	struct env_timer timer;
	struct line writes, news;
	uint64_t delay_ns, answer_delay_ns, watch_delay_ns;
	unsigned n_fail;
	int fail_rc;
	bool is_late, is_cut, is_any_order;
	unsigned n_overtaken;
	struct store_stats stats;
};

static struct store_mem *mem(struct store *s) {
	return (struct store_mem *)s;
}

static void line_push(struct line *q, struct item *it) {
	it->next = NULL;
	*q->last = it;
	q->last = &it->next;
	q->n++;
}

static struct store_job *line_take(struct line *q, struct item **at) {
	struct item *it = *at;
	struct store_job *j = it->job;

	*at = it->next;
	if (it->next == NULL)
		q->last = at;
	q->n--;
	free(it);
	return j;
}

static struct store_job *line_pop(struct line *q) {
	return line_take(q, &q->first);
}

static void *keep(void *p) { // without memory a test cannot go on
	if (p == NULL)
		abort();
	return p;
}

static int compare_leases(const void *a, const void *b) {
	const struct store_job *x = a, *y = b;

	return strcmp(x->lease.impi, y->lease.impi);
}

static const struct store_lease *record_of(const struct store_mem *m, const struct store_lease *l) {
	const struct store_job key = {.lease.impi = l->impi};
	struct store_job **slot = tfind(&key, &m->b->leases, compare_leases);

	return slot == NULL ? NULL : &(*slot)->lease;
}

static void arm(struct store_mem *m) {
	uint64_t at_ns = RG_NEVER;

	for (const struct item *it = m->writes.first; it != NULL; it = it->next) {
		uint64_t next_ns = it->is_applied ? it->answer_ns : it->due_ns;

		at_ns = next_ns < at_ns ? next_ns : at_ns;
	}
	if (m->news.n > 0 && !m->is_cut && m->news.first->due_ns < at_ns)
		at_ns = m->news.first->due_ns;
	if (at_ns == RG_NEVER)
		env_timer_cancel(m->env, &m->timer);
	else
		env_timer_set(m->env, &m->timer, at_ns);
}

// --- the watch

static void news_add(struct store_mem *m, const struct store_job *j) {
	struct item *it = keep(calloc(1, sizeof(*it)));

	if (j->name != NULL) {
		size_t n = sizeof(*j) + j->len + strlen(j->name) + 1;

		it->job = keep(malloc(n));
		memcpy(it->job, j, n);
		it->job->name = (char *)it->job->bytes + j->len;
	} else {
		it->job = keep(store_job_new(&j->lease, NULL, NULL));
		it->job->lease.rev = j->rev;
	}
	it->due_ns = env_now_ns(m->env) + m->watch_delay_ns;
	line_push(&m->news, it);
	arm(m);
}

static bool is_older(const struct store_job *news, const struct store_job *j, uint64_t rev) {
	if (news->name != NULL || j->name != NULL)
		return news->name != NULL && j->name != NULL && strcmp(news->name, j->name) == 0;
	return strcmp(news->lease.impi, j->lease.impi) == 0 && news->lease.rev <= rev;
}

// m knows, or wrote, what j names, as of rev: older news of it are none.
static void news_drop(struct store_mem *m, const struct store_job *j, uint64_t rev) {
	struct item **at = &m->news.first, *it;

	while ((it = *at) != NULL) {
		if (!is_older(it->job, j, rev)) {
			at = &it->next;
			continue;
		}
		*at = it->next;
		m->news.n--;
		free(it->job);
		free(it);
	}
	m->news.last = at;
}

static void tell(struct store_mem *m, const struct store_lease *l) {
	if (m->s.watch.lease != NULL)
		m->s.watch.lease(m->s.watch.arg, l);
}

static void outdate(struct store_mem *m, const char *name) {
	for (struct item *it = m->writes.first; it != NULL; it = it->next)
		if (it->is_applied && it->job->name != NULL && strcmp(it->job->name, name) == 0)
			it->job->is_outdated = true;
}

static void news_tell(struct store_mem *m) {
	struct store_job *j = line_pop(&m->news);

	if (j->name == NULL) {
		tell(m, &j->lease);
	} else {
		outdate(m, j->name);
		if (store_keep(&m->s, j->name, j->bytes, j->len) != 0)
			abort();
		if (m->s.watch.value != NULL)
			m->s.watch.value(m->s.watch.arg, j->name);
	}
	free(j);
}

static void news_forget(struct store_mem *m) {
	while (m->news.first != NULL)
		free(line_pop(&m->news));
}

// --- writes

static int judge_value(struct store_mem *m, const struct store_job *j) {
	uint8_t value[STORE_VALUE_MAX];
	size_t len = sizeof(value);

	if (!j->is_new || store_get(&m->b->values, j->name, value, &len) == RG_E_STALE)
		return 0;
	return store_keep(&m->s, j->name, value, len) == 0 ? RG_E_CONFLICT : -ENOMEM;
}

// Compare and swap: RG_E_CONFLICT when the job must not become durable.
static int judge(struct store_mem *m, const struct store_job *j) {
	const struct store_lease *now;

	if (j->name != NULL)
		return judge_value(m, j);
	now = record_of(m, &j->lease);
	return j->lease.rev == (now == NULL ? 0 : now->rev) ? 0 : RG_E_CONFLICT;
}

static void free_chain(void *newest) {
	struct store_job *j = newest, *older;

	for (; j != NULL; j = older) {
		older = j->next;
		free(j);
	}
}

// The last record of each earlier generation hangs behind the newest record.
static void chain(struct store_job *now, struct store_job *old) {
	struct store_job *j = now;

	now->next = old;
	if (old->lease.gen == now->lease.gen) {
		now->next = old->next;
		free(old);
	}
	for (unsigned i = 1; i < STORE_PASTS && j != NULL; i++)
		j = j->next;
	if (j != NULL) {
		free_chain(j->next);
		j->next = NULL;
	}
}

static int answer_history(const struct store_mem *m, struct store_job *j) {
	const struct store_lease *now = record_of(m, &j->lease);
	const struct store_job *k;
	int rc = 0;

	if (now == NULL)
		return RG_E_STALE;
	k = (const struct store_job *)((const uint8_t *)now - offsetof(struct store_job, lease));
	for (; k != NULL && rc == 0; k = k->next) {
		struct store_past p = store_past_of(&k->lease);

		rc = store_history_add(j->history, &p);
	}
	return rc;
}

// Makes a copy of j the durable record.
static void apply(struct store_mem *m, struct store_job *j) {
	struct store_job *copy, **slot, *old;

	if (j->name != NULL) {
		if (store_keep(&m->b->values, j->name, j->bytes, j->len) != 0)
			abort();
		return;
	}
	copy = keep(store_job_new(&j->lease, NULL, NULL));
	slot = keep(tsearch(copy, &m->b->leases, compare_leases));
	copy->lease.rev = j->rev = j->lease.rev + 1;
	if (m->b->trace != NULL)
		m->b->trace(m->b->trace_arg, &copy->lease);
	if (*slot == copy)
		return;
	old = *slot;
	*slot = copy;
	chain(copy, old);
}

static void apply_item(struct store_mem *m, struct item *it) {
	bool is_question = it->job->history != NULL;
	int rc = it->answer_rc;

	if (!it->is_lost)
		rc = is_question ? answer_history(m, it->job) : judge(m, it->job);
	it->is_applied = true;
	it->job->rc = rc;
	if (rc != 0 || is_question)
		return;
	apply(m, it->job);
	news_drop(m, it->job, it->job->rev);
	it->job->rc = it->answer_rc;
	for (struct store_mem *h = m->b->handles; h != NULL; h = h->next)
		if (h != m || (it->answer_rc != 0 && m->b->handles->next != NULL))
			news_add(h, it->job);
}

// A record that came first is told before (store_set_watch()).
static void answer(struct store_mem *m, struct item **at) {
	struct store_job *j = line_take(&m->writes, at);
	const struct store_lease *now = j->name == NULL ? record_of(m, &j->lease) : NULL;

	if (j->history != NULL) {
		store_job_end(&m->s, j);
		return;
	}
	if (now != NULL && j->rc == RG_E_CONFLICT) {
		news_drop(m, j, now->rev);
		tell(m, now);
	}
	m->stats.commits += j->rc == 0;
	m->stats.conflicts += j->rc == RG_E_CONFLICT;
	m->stats.failures += j->rc != 0 && j->rc != RG_E_CONFLICT;
	m->stats.is_up = j->rc == 0 || j->rc == RG_E_CONFLICT;
	m->stats.batches++;
	store_job_end(&m->s, j);
}

static struct item **first_to_answer(struct store_mem *m, uint64_t now_ns) {
	struct item **at = &m->writes.first;

	while (m->is_any_order && *at != NULL && (!(*at)->is_applied || (*at)->answer_ns > now_ns))
		at = &(*at)->next;
	if (*at == NULL || !(*at)->is_applied || (*at)->answer_ns > now_ns)
		return NULL;
	m->n_overtaken += at != &m->writes.first;
	return at;
}

static void on_timer(struct env_timer *t, uint64_t now_ns) {
	struct store_mem *m =
		(struct store_mem *)((uint8_t *)t - offsetof(struct store_mem, timer));
	struct item **at;

	for (struct item *it = m->writes.first; it != NULL; it = it->next)
		if (!it->is_applied && it->due_ns <= now_ns)
			apply_item(m, it);
	while ((at = first_to_answer(m, now_ns)) != NULL)
		answer(m, at);
	while (m->news.first != NULL && !m->is_cut && m->news.first->due_ns <= now_ns)
		news_tell(m);
	arm(m);
}

// Does b wait for a?
static bool is_row(const struct store_mem *m, const struct store_job *a,
		   const struct store_job *b) {
	if (!m->is_any_order)
		return true;
	if (a->name != NULL || b->name != NULL)
		return a->name != NULL && b->name != NULL;
	return strcmp(a->lease.impi, b->lease.impi) == 0;
}

static int mem_queue(struct store *s, struct store_job *j) {
	struct store_mem *m = mem(s);
	struct item *it = calloc(1, sizeof(*it));

	if (it == NULL)
		return -ENOMEM;
	it->job = j;
	it->due_ns = env_now_ns(m->env) + m->delay_ns;
	for (const struct item *old = m->writes.first; old != NULL; old = old->next)
		if (old->due_ns > it->due_ns && is_row(m, old->job, j))
			it->due_ns = old->due_ns; // the order is kept
	it->answer_ns = it->due_ns + m->answer_delay_ns;
	for (const struct item *old = m->writes.first; old != NULL; old = old->next)
		if (old->answer_ns > it->answer_ns && is_row(m, old->job, j))
			it->answer_ns = old->answer_ns; // of the answers, too
	it->is_lost = m->is_cut || (m->n_fail > 0 && !m->is_late);
	it->answer_rc = m->is_cut ? -ETIMEDOUT : 0;
	if (m->n_fail > 0) {
		m->n_fail--;
		it->answer_rc = m->fail_rc;
	}
	line_push(&m->writes, it);
	arm(m);
	return 0;
}

static void mem_flush(struct store *s) {
	struct store_mem *m = mem(s);

	while (m->writes.first != NULL) {
		if (!m->writes.first->is_applied)
			apply_item(m, m->writes.first);
		answer(m, &m->writes.first);
	}
	arm(m);
}

static void backend_leave(struct store_mem *m) {
	struct store_mem **at = &m->b->handles;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	if (m->b->handles != NULL)
		return;
	tdestroy(m->b->leases, free_chain);
	store_forget(&m->b->values);
	free(m->b);
}

static void mem_close(struct store *s) {
	struct store_mem *m = mem(s);

	mem_flush(s);
	news_forget(m);
	env_timer_cancel(m->env, &m->timer);
	backend_leave(m);
	store_forget(s);
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
	struct store_mem *m = mem(s);
	struct walk w = {cb, 0};

	if (m->is_cut)
		return -ETIMEDOUT;
	news_forget(m);
	arm(m);
	if (store_keep_all(s, &m->b->values) != 0)
		return -ENOMEM;
	twalk_r(m->b->leases, visit, &w);
	return w.rc;
}

static void mem_get_stats(const struct store *s, struct store_stats *out) {
	const struct store_mem *m = (const struct store_mem *)s;

	*out = m->stats;
	out->queued = m->writes.n;
}

static struct store_mem *handle_new(struct env *e, struct backend *b) {
	static const struct store_ops ops = {mem_close,     mem_load_all, mem_queue, mem_flush,
					     mem_get_stats, NULL,         NULL,      "memory"};
	struct store_mem *m = calloc(1, sizeof(*m));

	if (m == NULL || store_keep_all(&m->s, &b->values) != 0) {
		free(m);
		return NULL;
	}
	m->s.ops = &ops;
	m->b = b;
	m->next = b->handles;
	b->handles = m;
	m->env = e;
	m->timer.fn = on_timer;
	m->delay_ns = m->watch_delay_ns = RG_NS_PER_MS;
	m->stats.is_up = true;
	m->writes.last = &m->writes.first;
	m->news.last = &m->news.first;
	return m;
}

int store_mem_open(struct env *e, struct store **out) {
	struct backend *b = calloc(1, sizeof(*b));
	struct store_mem *m = b == NULL ? NULL : handle_new(e, b);

	if (m == NULL) {
		free(b);
		return -ENOMEM;
	}
	*out = &m->s;
	return 0;
}

int store_mem_join(struct store *s, struct env *e, struct store **out) {
	struct store_mem *m = handle_new(e, mem(s)->b);

	if (m == NULL)
		return -ENOMEM;
	*out = &m->s;
	return 0;
}

// --- what tests do

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

void store_mem_set_answer_delay(struct store *s, uint64_t delay_ns) {
	mem(s)->answer_delay_ns = delay_ns;
}

void store_mem_set_watch_delay(struct store *s, uint64_t delay_ns) {
	mem(s)->watch_delay_ns = delay_ns;
}

// Of a value; a record's revision tells.
static bool has_later(const struct store_mem *m, const struct store_job *j) {
	bool is_later = j->is_outdated;

	for (const struct item *it = m->news.first; it != NULL && j->name != NULL; it = it->next)
		is_later |= it->job->name != NULL && strcmp(it->job->name, j->name) == 0;
	return is_later;
}

void store_mem_cut(struct store *s, bool is_cut) {
	struct store_mem *m = mem(s);

	m->is_cut = is_cut;
	for (struct item *it = m->writes.first; it != NULL && is_cut; it = it->next) {
		if (it->is_applied && it->job->history == NULL && it->job->rc == 0 &&
		    !has_later(m, it->job))
			news_add(m, it->job);

		it->answer_rc = it->job->rc = -ETIMEDOUT;
	}

	m->stats.is_up = !is_cut;
	arm(m);
}

void store_mem_set_any_order(struct store *s, bool is_so) {
	mem(s)->is_any_order = is_so;
}

unsigned store_mem_n_overtaken(const struct store *s) {
	return ((const struct store_mem *)s)->n_overtaken;
}

void store_mem_set_taken_name(struct store *s, bool has_taken) {
	s->has_taken_name = has_taken;
}

bool store_mem_is_cut(const struct store *s) {
	return ((const struct store_mem *)s)->is_cut;
}

bool store_mem_is_behind(const struct store *s) {
	const struct store_mem *m = (const struct store_mem *)s;

	return m->is_cut || m->news.n > 0 || m->writes.n > 0;
}

void store_mem_set_trace(struct store *s, store_mem_trace_fn *fn, void *arg) {
	struct backend *b = mem(s)->b;

	b->trace = fn;
	b->trace_arg = arg;
}

static bool is_counted(void *arg) {
	unsigned *n = arg;

	return *n > 0 && (*n)-- > 0;
}

void store_mem_crash(struct store *s, unsigned n_durable) {
	store_mem_crash_any(s, is_counted, &n_durable);
}

void store_mem_crash_any(struct store *s, bool (*is_durable)(void *arg), void *arg) {
	struct store_mem *m = mem(s);
	bool is_value_lost = false;

	while (m->writes.first != NULL) {
		struct item *it = m->writes.first;
		struct store_job *j = it->job;

		it->is_lost |= !is_durable(arg) || (is_value_lost && j->name != NULL);
		is_value_lost |= it->is_lost && j->name != NULL;
		it->answer_rc = -EIO;
		if (!it->is_applied)
			apply_item(m, it);
		j->rc = -EIO;
		store_job_end(s, line_pop(&m->writes));
	}
	news_forget(m);
	arm(m);
}
