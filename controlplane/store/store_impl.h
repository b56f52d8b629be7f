// SPDX-License-Identifier: BSD-3-Clause
// What the two stores share: the table of calls, and records that own their strings.
#pragma once

#include "store/store.h"

struct store_ops {
	void (*close)(struct store *s);
	int (*load_all)(struct store *s, const struct store_load *cb);
	int (*get)(struct store *s, const char *name, void *value, size_t *len);
	int (*put)(struct store *s, const char *name, const void *value, size_t len);
	int (*commit)(struct store *s, const struct store_lease *l, store_done_fn *done, void *arg);
	void (*get_stats)(const struct store *s, struct store_stats *out);
};

struct store {
	const struct store_ops *ops;
};

#define STORE_VALUE_MAX 64

struct store_job { // one commit on its way
	struct store_job *next;
	store_done_fn *done;
	void *arg;
	int rc;
	struct store_lease lease; // strings in text[]
	char text[];
};

struct store_queue {
	struct store_job *first, **last; // last: where the next one is hung
};

struct store_job *store_job_new(const struct store_lease *l, store_done_fn *done, void *arg);
void store_queue_init(struct store_queue *q);
void store_queue_push(struct store_queue *q, struct store_job *j);
struct store_job *store_queue_pop(struct store_queue *q);                // NULL when empty
void store_queue_move(struct store_queue *to, struct store_queue *from); // appends all of from
