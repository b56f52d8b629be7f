// SPDX-License-Identifier: BSD-3-Clause
// What the stores share: the table of calls, jobs that own their strings, and the values known.
#pragma once

#include "store/store.h"

struct store_history { // what store_history() asked for
	store_history_fn *done;
	size_t n;
	struct store_past past[STORE_PASTS]; // strings owned
};

struct store_job { // one write, or question, on its way
	struct store_job *next;
	store_done_fn *done; // may be NULL
	void *arg;
	int rc;
	uint64_t rev;                  // of the record now
	const char *name;              // of a value; NULL: a record
	struct store_history *history; // of lease.impi, a question; NULL: a write
	bool is_new;                   // the value must not be there yet
	bool is_outdated;              // a later value was told before the answer
	uint64_t seq;                  // of stores that number jobs
	uint64_t end_ns;               // of stores that give up
	struct store_job *found;       // RG_E_CONFLICT: what is there; may be NULL
	size_t len;
	struct store_lease lease; // strings in bytes[]
	uint8_t bytes[];          // of a value: value, name
};

struct store_ops {
	void (*close)(struct store *s);
	int (*load_all)(struct store *s, const struct store_load *cb);
	int (*queue)(struct store *s, struct store_job *j); // takes j on 0
	void (*flush)(struct store *s);
	void (*get_stats)(const struct store *s, struct store_stats *out);
	void (*get_info)(struct store *s, struct store_info *out);        // may be NULL
	int (*backup)(struct store *s, const char *file, bool is_forced); // may be NULL
	const char *kind;
};

struct store_value;
struct store { // first in every implementation
	const struct store_ops *ops;
	struct store_watch watch;
	struct store_value *values; // a list: there are few
	bool has_taken_name;
};

struct store_queue {
	struct store_job *first, **last; // last: where the next one is hung
};

// Calls back, and frees j. A value that was written, or found, is kept, a record that was found told
// to the watch.
void store_job_end(struct store *s, struct store_job *j);
// The texts of a record: their bytes, and a copy of them to where it has them from then on.
size_t store_texts_len(const struct store_lease *l);
void store_texts_move(struct store_lease *l, char *to);
// A copy of a record as a job, for implementations that keep records.
struct store_job *store_job_new(const struct store_lease *l, store_done_fn *done, void *arg);
// The same of a value.
struct store_job *store_job_value(const char *name, const void *value, size_t len);
// What a record says about its assignment; strings are the record's.
struct store_past store_past_of(const struct store_lease *l);
// Appends a copy, up to STORE_PASTS; what has gen 0 is no assignment. 0 or -ENOMEM.
[[nodiscard]] int store_history_add(struct store_history *h, const struct store_past *p);
void store_queue_init(struct store_queue *q);
void store_queue_push(struct store_queue *q, struct store_job *j);
struct store_job *store_queue_pop(struct store_queue *q);                // NULL when empty
void store_queue_move(struct store_queue *to, struct store_queue *from); // appends all of from

// The value as it is in the store now. 0 or -ENOMEM.
[[nodiscard]] int store_keep(struct store *s, const char *name, const void *value, size_t len);
[[nodiscard]] int store_keep_all(struct store *to, const struct store *from); // the same, of all
unsigned store_n_values(const struct store *s);
void store_forget(struct store *s); // all values; part of closing
