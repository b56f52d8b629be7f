// SPDX-License-Identifier: BSD-3-Clause
#include "trace.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/sqlite_db.h"

#define REOPEN_EVERY 70u // operations: an orderly end empties the log

static char dir[64], path[80];

void trace_setup(int n_pages) {
	snprintf(dir, sizeof(dir), "/tmp/store_trace.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/db", dir);
	disk_use(n_pages);
}

void trace_forget(void) {
	char lock[96];

	// It is real, and says that there was a store.
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	disk_reset();
}

void trace_teardown(void) {
	trace_forget();
	unlink(path); // the name alone was real
	rmdir(dir);
}

bool trace_begin(struct trace *t) {
	char err[256];

	if (t->env == NULL)
		t->env = env_real_new();
	ck_assert_ptr_nonnull(t->env);
	t->s = NULL;
	return store_sqlite_open(t->env, path, &t->s, err, sizeof(err)) == 0;
}

void trace_end(struct trace *t) {
	store_close(t->s);
	env_real_free(t->env);
	t->s = NULL;
	t->env = NULL;
}

static void on_done(void *arg, int rc, uint64_t) {
	*(bool *)arg = rc == 0;
}

// Operation n: some pairs of a new generation and revision, sometimes the value.
static unsigned n_rows_of(unsigned n) {
	return 1 + n % 5;
}

static unsigned n_writes_of(unsigned n) {
	return n_rows_of(n) + (n % 4 == 0);
}

// Write k of operation n changes st; the pair, or TRACE_PAIRS for the value.
static unsigned apply(struct trace_state *st, unsigned n, unsigned k) {
	unsigned i = (n * 7 + k) % TRACE_PAIRS;

	if (k == n_rows_of(n)) {
		st->value = n + 1;
		return TRACE_PAIRS;
	}
	st->gen[i] += 1 + (n % 3 == 0);
	st->rev[i]++;
	return i;
}

static void submit(struct trace *t, unsigned n) {
	struct trace_state *st = &t->acked[n + 1];

	*st = t->acked[n];
	for (unsigned k = 0; k < n_writes_of(n); k++) {
		unsigned i = apply(st, n, k);
		struct row r;

		if (i == TRACE_PAIRS) {
			ck_assert_int_eq(store_put(t->s, "key", &st->value, sizeof(st->value),
						   false, on_done, &t->is_acked[k]),
					 0);
			continue;
		}
		row_make(&r, i, st->gen[i]);
		r.l.rev = st->rev[i] - 1;
		ck_assert_int_eq(store_commit(t->s, &r.l, on_done, &t->is_acked[k]), 0);
	}
}

bool trace_run(struct trace *t, unsigned n) {
	while (t->n_acked < n) {
		bool is_bad = false;

		for (unsigned k = 0; k < TRACE_WRITES; k++)
			t->is_acked[k] = false;
		if (t->n_acked % REOPEN_EVERY == REOPEN_EVERY - 1) {
			store_close(t->s);
			if (!trace_begin(t))
				return false;
		}
		submit(t, t->n_acked);
		store_flush(t->s);
		for (unsigned k = 0; k < n_writes_of(t->n_acked); k++)
			is_bad |= !t->is_acked[k];
		if (is_bad)
			return false;
		disk_mark(++t->n_acked);
	}
	return true;
}

static int on_row(void *arg, const struct store_lease *l) {
	unsigned i = (unsigned)atoi(l->impi + 1);
	struct trace_state *found = arg;

	ck_assert_uint_lt(i, TRACE_PAIRS);
	row_check(l, i, l->gen);
	found->gen[i] = l->gen;
	found->rev[i] = l->rev;
	return 0;
}

static int on_value(void *arg, const char *name, const void *value, size_t len) {
	ck_assert_str_eq(name, "key");
	ck_assert_uint_eq(len, sizeof(uint64_t));
	memcpy(&((struct trace_state *)arg)->value, value, len);
	return 0;
}

static bool wait_up(struct trace *t) {
	struct store_stats st = {0};

	for (unsigned i = 0; i < 5000 && !st.is_up; i++) {
		store_get_stats(t->s, &st);
		if (!st.is_up)
			usleep(1000);
	}
	return st.is_up;
}

// Its writes are in order, so the first few of operation n may be there; n is TRACE_OPS: none.
static bool is_between(const struct trace_state *found, struct trace_state st, unsigned n) {
	unsigned n_writes = n < TRACE_OPS ? n_writes_of(n) : 0;

	for (unsigned k = 0; k < n_writes && memcmp(found, &st, sizeof(st)) != 0; k++)
		apply(&st, n, k);
	return memcmp(found, &st, sizeof(st)) == 0;
}

// Of the operation that failed each write may be there, and must be where it was acknowledged.
static bool take_over(struct trace *t, const struct trace_state *found) {
	struct trace_state *last = &t->acked[t->n_acked], next = *last;

	for (unsigned k = 0; k < n_writes_of(t->n_acked); k++) {
		unsigned i = apply(&next, t->n_acked, k);

		if (i < TRACE_PAIRS && (t->is_acked[k] || found->rev[i] == next.rev[i])) {
			last->gen[i] = next.gen[i];
			last->rev[i] = next.rev[i];
		}
	}
	return memcmp(found->gen, last->gen, sizeof(last->gen)) == 0 &&
	       memcmp(found->rev, last->rev, sizeof(last->rev)) == 0;
}

bool trace_begin_again(struct trace *t) {
	struct trace_state found = {0};
	const struct store_load cb = {on_row, &found};
	bool is_acked = false;

	if (t->s == NULL && !trace_begin(t))
		return false;
	if (!wait_up(t) || store_load_all(t->s, &cb) != 0 || !take_over(t, &found))
		return false;
	// The value is written again: the store knows it as of the last write that succeeded.
	found.value = t->acked[t->n_acked].value;
	if (store_put(t->s, "key", &found.value, sizeof(found.value), false, on_done, &is_acked) !=
	    0)
		return false;
	store_flush(t->s);
	return is_acked;
}

const char *trace_check(const struct trace *t, unsigned n_acked, bool *is_open) {
	struct trace_state found = {0};
	const struct store_load cb = {on_row, &found};
	struct sqlite_db *db = NULL;
	static char err[256];

	*is_open = false;
	if (sqlite_db_open(path, &db, err, sizeof(err)) != 0)
		return err;
	if (sqlite_db_load_values(db, on_value, &found) == 0 && sqlite_db_load(db, &cb) == 0)
		*is_open = true;
	sqlite_db_close(db);
	if (!*is_open)
		return "cannot be read";
	return is_between(&found, t->acked[n_acked], n_acked) ? NULL : "not what was acknowledged";
}
