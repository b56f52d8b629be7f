// SPDX-License-Identifier: BSD-3-Clause
// Location table of regate-imscore. One thread.
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define N_BUCKETS 65536

struct table {
	uint64_t n_bindings;
	struct aor *buckets[N_BUCKETS];
};

struct table *table_new(void) {
	return calloc(1, sizeof(struct table));
}

static void binding_free(struct binding *b) {
	free(b->uri);
	free(b->instance);
	free(b->element);
	free(b->path);
	free(b->call_id);
	free(b);
}

void table_del(struct table *t, struct aor *a, struct binding *b) {
	struct binding **at = &a->bindings;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	binding_free(b);
	t->n_bindings--;
}

void table_free(struct table *t) {
	struct aor *a;

	if (t == NULL)
		return;
	for (size_t i = 0; i < N_BUCKETS; i++) {
		while ((a = t->buckets[i]) != NULL) {
			t->buckets[i] = a->next;
			while (a->bindings != NULL)
				table_del(t, a, a->bindings);
			free(a->name);
			free(a);
		}
	}
	free(t);
}

bool table_set(char **field, struct rg_slice s) {
	char *copy = NULL;

	if (s.len > 0) {
		copy = strndup((const char *)s.p, s.len);
		if (copy == NULL)
			return false;
	}
	free(*field);
	*field = copy;
	return true;
}

static size_t bucket(struct rg_slice name) {
	uint32_t h = 2166136261u; // FNV-1a; users are the test's own

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ name.p[i]) * 16777619u;
	return h % N_BUCKETS;
}

static void drop_ended(struct table *t, struct aor *a, uint64_t now_ns) {
	struct binding *b, *next;

	for (b = a->bindings; b != NULL; b = next) {
		next = b->next;
		if (b->end_ns <= now_ns)
			table_del(t, a, b);
	}
}

struct aor *table_get(struct table *t, struct rg_slice name, uint64_t now_ns) {
	struct aor **head = &t->buckets[bucket(name)], *a;

	for (a = *head; a != NULL; a = a->next) {
		if (!rg_eq(rg_str(a->name), name))
			continue;
		drop_ended(t, a, now_ns);
		return a;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL || !table_set(&a->name, name)) {
		free(a);
		return NULL;
	}
	a->next = *head;
	*head = a;
	return a;
}

struct binding *table_find(struct aor *a, struct rg_slice uri, struct rg_slice instance,
			   uint32_t reg_id) {
	for (struct binding *b = a->bindings; b != NULL; b = b->next) {
		if (reg_id != 0 && b->reg_id != 0) {
			if (b->reg_id == reg_id && rg_eq(rg_str(b->instance), instance))
				return b;
		} else if (rg_eq(rg_str(b->uri), uri)) {
			return b;
		}
	}
	return NULL;
}

struct binding *table_add(struct table *t, struct aor *a) {
	struct binding *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->next = a->bindings;
	a->bindings = b;
	t->n_bindings++;
	return b;
}

uint64_t table_n_bindings(const struct table *t) {
	return t->n_bindings;
}
