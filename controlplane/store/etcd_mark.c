// SPDX-License-Identifier: BSD-3-Clause
// A mark is there while a record's write is under way, and until the watch has come to what the engine
// knows already: what is older than that is no news. Without trouble the watch is close behind, so
// there are few.
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "store/etcd_impl.h"

static int compare(const void *a, const void *b) {
	const struct etcd_mark *x = a, *y = b;

	return strcmp(x->impi, y->impi);
}

static struct etcd_mark *find(const struct store_etcd *s, const char *impi) {
	const struct etcd_mark key = {.impi = impi};
	struct etcd_mark **at = tfind(&key, &s->marks, compare);

	return at == NULL ? NULL : *at;
}

static struct etcd_mark *add(struct store_etcd *s, const char *impi) {
	size_t len = strlen(impi) + 1;
	struct etcd_mark *m = calloc(1, sizeof(*m) + len);

	if (m == NULL)
		return NULL;
	memcpy(m->text, impi, len);
	m->impi = m->text;
	if (tsearch(m, &s->marks, compare) != NULL)
		return m;
	free(m);
	return NULL;
}

static void drop(struct store_etcd *s, struct etcd_mark *m) {
	tdelete(m, &s->marks, compare);
	free(m);
}

int etcd_mark_start(struct store_etcd *s, struct store_job *j) {
	struct etcd_mark *m = find(s, j->lease.impi);

	if (m != NULL && m->job != NULL)
		return -EBUSY;
	if (m == NULL)
		m = add(s, j->lease.impi);
	if (m == NULL)
		return -ENOMEM;
	m->job = j;
	m->seen_rev = 0;
	return 0;
}

void etcd_mark_end(struct store_etcd *s, const struct store_job *j, uint64_t known_rev) {
	struct etcd_mark *m = find(s, j->lease.impi);

	m->job = NULL;
	if (known_rev > m->known_rev)
		m->known_rev = known_rev;
	if (m->known_rev <= s->watch.rev)
		drop(s, m);
}

uint64_t etcd_mark_seen(const struct store_etcd *s, const struct store_job *j) {
	return find(s, j->lease.impi)->seen_rev;
}

bool etcd_mark_is_news(struct store_etcd *s, const struct etcd_record *r, uint64_t mod_revision) {
	struct etcd_mark *m = find(s, r->lease.impi);

	if (m == NULL)
		return true;
	if (m->known_rev >= mod_revision) {
		if (m->known_rev == mod_revision && m->job == NULL)
			drop(s, m);
		return false;
	}
	if (m->job != NULL && r->author.tag == s->author.tag && r->author.seq == m->job->seq) {
		m->seen_rev = mod_revision;
		return false;
	}
	if (m->job != NULL)
		m->known_rev = mod_revision;
	else
		drop(s, m);
	return true;
}

void etcd_marks_free(struct store_etcd *s) {
	struct etcd_value *v;

	tdestroy(s->marks, free);
	s->marks = NULL;
	while ((v = s->values) != NULL) {
		s->values = v->next;
		free(v);
	}
}

// --- values

static struct etcd_value *value_find(const struct store_etcd *s, const char *name) {
	struct etcd_value *v = s->values;

	while (v != NULL && strcmp(v->name, name) != 0)
		v = v->next;
	return v;
}

uint64_t etcd_value_rev(const struct store_etcd *s, const char *name) {
	const struct etcd_value *v = value_find(s, name);

	return v == NULL ? 0 : v->rev;
}

int etcd_value_set_rev(struct store_etcd *s, const char *name, uint64_t rev) {
	struct etcd_value *v = value_find(s, name);
	size_t len = strlen(name) + 1;

	if (v == NULL) {
		v = malloc(sizeof(*v) + len);
		if (v == NULL)
			return -ENOMEM;
		memcpy(v->name, name, len);
		v->next = s->values;
		s->values = v;
	}
	v->rev = rev;
	return 0;
}
