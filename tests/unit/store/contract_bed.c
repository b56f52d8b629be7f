// SPDX-License-Identifier: BSD-3-Clause
// The fixture, and the checks that every case makes on the way.
#include "contract_bed.h"

#include <stdlib.h>

struct contract_bed bed;

void bed_setup(void) {
	bed.c->start();
	bed.env = bed.c->env_new();
	bed.s = bed.c->open(bed.env);
	bed.env_t = NULL;
	bed.t = NULL;
}

void bed_open_second(void) {
	bed.env_t = bed.c->env_new();
	bed.t = bed.c->open(bed.env_t);
}

static void close_all(void) {
	store_close(bed.s);
	bed.c->env_free(bed.env);
	store_close(bed.t);
	if (bed.env_t != NULL)
		bed.c->env_free(bed.env_t);
}

void bed_teardown(void) {
	close_all();
	bed.c->stop();
}

void bed_reopen(void) {
	if (!bed.c->survives)
		return;
	close_all();
	bed.env = bed.c->env_new();
	bed.s = bed.c->open(bed.env);
}

void bed_on_done(void *arg, int rc, uint64_t rev) {
	struct answer *a = arg;

	a->n++;
	a->rc = rc;
	a->rev = rev;
}

struct answer bed_commit_to(struct store *to, unsigned i, uint64_t gen, uint64_t rev) {
	struct answer a = {0};
	struct row r;

	row_make(&r, i, gen);
	r.l.rev = rev;
	ck_assert_int_eq(store_commit(to, &r.l, bed_on_done, &a), 0);
	memset(&r, 0xff, sizeof(r)); // the store has its own copy
	store_flush(to);
	ck_assert_uint_eq(a.n, 1);
	return a;
}

uint64_t bed_commit(unsigned i, uint64_t gen, uint64_t rev) {
	struct answer a = bed_commit_to(bed.s, i, gen, rev);

	ck_assert_int_eq(a.rc, 0);
	ck_assert_uint_ne(a.rev, rev);
	return a.rev;
}

int bed_put(struct store *to, const char *name, const void *value, size_t len, bool is_new) {
	struct answer a = {0};
	int rc = store_put(to, name, value, len, is_new, bed_on_done, &a);

	store_flush(to);
	return rc != 0 ? rc : a.rc;
}

static void check(const struct store_lease *l) {
	row_check(l, (unsigned)atoi(l->impi + 1), l->gen);
}

int bed_on_row(void *arg, const struct store_lease *l) {
	unsigned i = (unsigned)atoi(l->impi + 1);
	struct found *f = arg;

	check(l);
	f->n++;
	f->n_of[i]++;
	f->gen[i] = l->gen;
	f->rev[i] = l->rev;
	return f->stop_rc;
}

struct found bed_load(void) {
	struct found f = {0};
	const struct store_load cb = {bed_on_row, &f};

	ck_assert_int_eq(store_load_all(bed.s, &cb), 0);
	return f;
}

static void on_told(void *arg, const struct store_lease *l) {
	struct told *w = arg;

	check(l);
	if (w->before != NULL)
		ck_assert_uint_eq(w->before->n, 0);
	w->n++;
	w->gen = l->gen;
	w->rev = l->rev;
}

static void on_value(void *arg, const char *name) {
	struct told *w = arg;

	ck_assert_str_eq(name, "key");
	w->n_values++;
}

void bed_watch(struct store *of, struct told *w) {
	const struct store_watch all = {on_told, on_value, w};
	const struct store_load cb = {bed_on_row, &(struct found){0}};

	store_set_watch(of, &all);
	ck_assert_int_eq(store_load_all(of, &cb), 0);
}
