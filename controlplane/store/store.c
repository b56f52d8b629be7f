// SPDX-License-Identifier: BSD-3-Clause
// Calls through to the store that was opened, and the queue of commits both use.
#include <errno.h>
#include <stdlib.h>

#include "store/store_impl.h"

void store_close(struct store *s) {
	if (s != NULL)
		s->ops->close(s);
}

int store_load_all(struct store *s, const struct store_load *cb) {
	return s->ops->load_all(s, cb);
}

int store_get(struct store *s, const char *name, void *value, size_t *len) {
	return s->ops->get(s, name, value, len);
}

int store_put(struct store *s, const char *name, const void *value, size_t len) {
	return len > STORE_VALUE_MAX ? -EINVAL : s->ops->put(s, name, value, len);
}

int store_commit(struct store *s, const struct store_lease *l, store_done_fn *done, void *arg) {
	return s->ops->commit(s, l, done, arg);
}

void store_get_stats(const struct store *s, struct store_stats *out) {
	s->ops->get_stats(s, out);
}

struct store_job *store_job_new(const struct store_lease *l, store_done_fn *done, void *arg) {
	const char *const in[] = {l->impi, l->impu, l->pool, l->sub};
	struct store_job *j;
	const char **out[4];
	size_t room = 0;
	char *p;

	for (size_t i = 0; i < 4; i++)
		room += (in[i] == NULL ? 0 : strlen(in[i])) + 1;
	j = malloc(sizeof(*j) + room);
	if (j == NULL)
		return NULL;
	*j = (struct store_job){.done = done, .arg = arg, .lease = *l};
	out[0] = &j->lease.impi;
	out[1] = &j->lease.impu;
	out[2] = &j->lease.pool;
	out[3] = &j->lease.sub;
	p = j->text;
	for (size_t i = 0; i < 4; i++) {
		*out[i] = p;
		p = stpcpy(p, in[i] == NULL ? "" : in[i]) + 1;
	}
	return j;
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
