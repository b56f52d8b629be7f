// SPDX-License-Identifier: BSD-3-Clause
// Calls through to the store that was opened, and what all have alike: jobs, their queue, values.
#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"
#include "store/store_impl.h"

struct store_value {
	struct store_value *next;
	size_t len;
	uint8_t bytes[STORE_VALUE_MAX];
	char name[];
};

void store_close(struct store *s) {
	if (s != NULL)
		s->ops->close(s);
}

int store_load_all(struct store *s, const struct store_load *cb) {
	return s->ops->load_all(s, cb);
}

void store_set_watch(struct store *s, const struct store_watch *w) {
	s->watch = *w;
}

void store_flush(struct store *s) {
	s->ops->flush(s);
}

void store_get_stats(const struct store *s, struct store_stats *out) {
	s->ops->get_stats(s, out);
}

bool store_has_taken_name(const struct store *s) {
	return s->has_taken_name;
}

void store_settle_name(struct store *s) {
	s->has_taken_name = false;
}

void store_get_info(struct store *s, struct store_info *out) {
	*out = (struct store_info){.kind = s->ops->kind, .backup = {.file = ""}};
	if (s->ops->get_info != NULL)
		s->ops->get_info(s, out);
}

int store_backup(struct store *s, const char *file, bool is_forced) {
	return s->ops->backup == NULL ? RG_E_UNSUPPORTED : s->ops->backup(s, file, is_forced);
}

// --- values

unsigned store_n_values(const struct store *s) {
	unsigned n = 0;

	for (const struct store_value *v = s->values; v != NULL; v = v->next)
		n++;
	return n;
}

static struct store_value *value_find(const struct store *s, const char *name) {
	struct store_value *v = s->values;

	while (v != NULL && strcmp(v->name, name) != 0)
		v = v->next;
	return v;
}

int store_get(struct store *s, const char *name, void *value, size_t *len) {
	const struct store_value *v = value_find(s, name);

	if (v == NULL)
		return RG_E_STALE;
	if (v->len > *len)
		return RG_E_LIMIT;
	*len = v->len;
	if (v->len > 0)
		memcpy(value, v->bytes, v->len);
	return 0;
}

int store_keep(struct store *s, const char *name, const void *value, size_t len) {
	struct store_value *v = value_find(s, name);
	size_t n = strlen(name) + 1;

	if (v == NULL) {
		v = malloc(sizeof(*v) + n);
		if (v == NULL)
			return -ENOMEM;
		memcpy(v->name, name, n);
		v->next = s->values;
		s->values = v;
	}
	v->len = len;
	if (len > 0)
		memcpy(v->bytes, value, len);
	return 0;
}

int store_keep_all(struct store *to, const struct store *from) {
	int rc = 0;

	for (const struct store_value *v = from->values; v != NULL && rc == 0; v = v->next)
		rc = store_keep(to, v->name, v->bytes, v->len);
	return rc;
}

void store_forget(struct store *s) {
	struct store_value *v;

	while ((v = s->values) != NULL) {
		s->values = v->next;
		explicit_bzero(v->bytes, sizeof(v->bytes)); // keys are among them
		free(v);
	}
}

// --- jobs

#define N_TEXTS 5

size_t store_texts_len(const struct store_lease *l) {
	const char *const texts[N_TEXTS] = {l->impi, l->impu, l->pool, l->sub, l->gateway};
	size_t len = 0;

	for (size_t i = 0; i < N_TEXTS; i++)
		len += (texts[i] == NULL ? 0 : strlen(texts[i])) + 1;
	return len;
}

void store_texts_move(struct store_lease *l, char *to) {
	const char **const texts[N_TEXTS] = {&l->impi, &l->impu, &l->pool, &l->sub, &l->gateway};

	for (size_t i = 0; i < N_TEXTS; i++) {
		const char *from = *texts[i] == NULL ? "" : *texts[i];

		*texts[i] = to;
		to = stpcpy(to, from) + 1;
	}
}

struct store_job *store_job_new(const struct store_lease *l, store_done_fn *done, void *arg) {
	struct store_job *j = malloc(sizeof(*j) + store_texts_len(l));

	if (j == NULL)
		return NULL;
	*j = (struct store_job){.done = done, .arg = arg, .rev = l->rev, .lease = *l};
	store_texts_move(&j->lease, (char *)j->bytes);
	return j;
}

struct store_job *store_job_value(const char *name, const void *value, size_t len) {
	size_t n = strlen(name) + 1;
	struct store_job *j = malloc(sizeof(*j) + len + n);

	if (j == NULL)
		return NULL;
	*j = (struct store_job){.len = len};
	j->name = (char *)j->bytes + len;
	if (len > 0)
		memcpy(j->bytes, value, len);
	memcpy(j->bytes + len, name, n);
	return j;
}

static int queue(struct store *s, struct store_job *j) {
	int rc = j == NULL ? -ENOMEM : s->ops->queue(s, j);

	if (rc != 0)
		free(j);
	return rc;
}

int store_commit(struct store *s, const struct store_lease *l, store_done_fn *done, void *arg) {
	return queue(s, store_job_new(l, done, arg));
}

int store_put(struct store *s, const char *name, const void *value, size_t len, bool is_new,
	      store_done_fn *done, void *arg) {
	struct store_job *j;

	if (len > STORE_VALUE_MAX)
		return RG_E_LIMIT;
	j = store_job_value(name, value, len);
	if (j == NULL)
		return -ENOMEM;
	j->done = done;
	j->arg = arg;
	j->is_new = is_new;
	return queue(s, j);
}

// --- history

struct store_past store_past_of(const struct store_lease *l) {
	struct store_past p = {l->gen,        l->sub,      l->gateway,
			       l->granted_ms, l->ended_ms, l->reassign_ms};

	for (size_t i = 0; i < STORE_TOKENS && l->ended_ms == 0; i++)
		if (l->tokens[i].end_ms > p.ended_ms)
			p.ended_ms = l->tokens[i].end_ms;
	return p;
}

int store_history_add(struct store_history *h, const struct store_past *p) {
	size_t n = strlen(p->sub) + 1, m = strlen(p->gateway) + 1;
	char *s;

	if (p->gen == 0 || h->n == STORE_PASTS)
		return 0;
	s = malloc(n + m);
	if (s == NULL)
		return -ENOMEM;
	memcpy(s, p->sub, n);
	memcpy(s + n, p->gateway, m);
	h->past[h->n] = *p;
	h->past[h->n].sub = s;
	h->past[h->n].gateway = s + n;
	h->n++;
	return 0;
}

static void history_free(struct store_history *h) {
	for (size_t i = 0; h != NULL && i < h->n; i++)
		free((char *)h->past[i].sub); // and gateway behind it
	free(h);
}

int store_history(struct store *s, const char *impi, store_history_fn *done, void *arg) {
	struct store_lease key = {.impi = impi};
	struct store_job *j = store_job_new(&key, NULL, arg);
	struct store_history *h = calloc(1, sizeof(*h));
	int rc;

	if (j == NULL || h == NULL) {
		free(j);
		free(h);
		return -ENOMEM;
	}
	h->done = done;
	j->history = h;
	rc = queue(s, j);
	if (rc != 0)
		free(h);
	return rc;
}

// --- ends

static int take_found(struct store *s, const struct store_job *found) {
	if (found->name != NULL)
		return store_keep(s, found->name, found->bytes, found->len);
	if (s->watch.lease != NULL)
		s->watch.lease(s->watch.arg, &found->lease);
	return 0;
}

static void job_free(struct store_job *j) {
	if (j == NULL)
		return;
	if (j->name != NULL)
		explicit_bzero(j->bytes, j->len);
	history_free(j->history);
	free(j);
}

void store_job_end(struct store *s, struct store_job *j) {
	if (j->history != NULL)
		j->history->done(j->arg, j->rc, j->history->past, j->history->n);
	if (j->rc == RG_E_CONFLICT && j->found != NULL && take_found(s, j->found) != 0)
		j->rc = -ENOMEM;
	if (j->name != NULL && j->rc == 0 && !j->is_outdated)
		j->rc = store_keep(s, j->name, j->bytes, j->len);
	if (j->done != NULL)
		j->done(j->arg, j->rc, j->rev);
	job_free(j->found);
	job_free(j);
}

void store_queue_init(struct store_queue *q) {
	q->first = NULL;
	q->last = &q->first;
}

void store_queue_push(struct store_queue *q, struct store_job *j) {
	j->next = NULL;
	*q->last = j;
	q->last = &j->next;
}

struct store_job *store_queue_pop(struct store_queue *q) {
	struct store_job *j = q->first;

	if (j == NULL)
		return NULL;
	q->first = j->next;
	if (q->first == NULL)
		q->last = &q->first;
	return j;
}

void store_queue_move(struct store_queue *to, struct store_queue *from) {
	if (from->first == NULL)
		return;
	*to->last = from->first;
	to->last = from->last;
	store_queue_init(from);
}
