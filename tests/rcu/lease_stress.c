// SPDX-License-Identifier: BSD-3-Clause
// Stress of the lease table: QSBR readers look up while one writer inserts, replaces, deletes and
// sets states, for a bounded number of operations. A reader looks at its views only at the end of
// its burst, as a worker does, by digest and by place. It fails, with and without ASan, when an entry
// is freed at once instead of by call_rcu, and when hold() reports quiescent states.
// No EAL.
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lease/lease_table.h"

#define N_DIGESTS 600
#define N_LINES 200     // different lines: some shared, and all come and go
#define MAX_ENTRIES 512 // fewer: "table full" is met, too, and deletions make room again
#define N_OPS 3000000
#define N_READERS 2
#define BURST 8
#define HOLD_EACH 1024 // bursts
#define HOLD_NAPS 40

struct shared {
	struct rg_lease_table *t;
	_Atomic(bool) is_over;
	_Atomic(unsigned) n_ready;
	_Atomic(uint64_t) n_ops; // of the writer so far
};

struct reader {
	pthread_t thread;
	struct shared *sh;
	uint64_t rng, n_bursts, n_found, n_missed, n_bad;
};

struct burst {
	unsigned n, i[BURST];
	struct rg_lease_view v[BURST];
};

static uint64_t next(uint64_t *rng) { // xorshift64*
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng;
}

static struct rg_digest digest_of(unsigned i) {
	uint64_t w[2] = {(i + 1) * UINT64_C(0x9e3779b97f4a7c15),
			 (i + 1) * UINT64_C(0xbf58476d1ce4e5b9)};
	struct rg_digest d;

	memcpy(d.b, w, sizeof(d.b));
	return d;
}

// Everything in an entry follows from its digest's number and its generation.
static bool is_whole(const struct rg_lease_view *v, unsigned i) {
	struct rg_digest d = digest_of(i);

	uint8_t text[256];
	struct rg_wr w = rg_wr(text, sizeof(text));

	for (unsigned k = 0; k < 5; k++)
		rg_put(&w, v->headers[k]);
	if (v->idx != i || v->token_end_ns != v->gen * 3 || v->core_end_ns != v->gen * 5 ||
	    v->state > RG_LEASE_ENDING || w.len != 1 + v->gen % N_LINES ||
	    memcmp(v->digest, &d, sizeof(d)) != 0 || !rg_eq(v->impu[1], RG_LIT("x")) ||
	    !rg_eq(v->impu[2], RG_LIT("@y")))
		return false;
	for (size_t k = 0; k < w.len; k++)
		if (text[k] != 'a' + v->gen % N_LINES % 26)
			return false;
	return true;
}

// Stands still until the writer has replaced everything many times over, and liburcu's thread, which
// looks every 10 ms, had the time to free what it may.
static void hold(const struct shared *sh) {
	uint64_t until = atomic_load(&sh->n_ops) + 10 * N_DIGESTS;

	for (unsigned i = 0;
	     !atomic_load(&sh->is_over) && (i < HOLD_NAPS || atomic_load(&sh->n_ops) < until); i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

// Looks at what a burst found, while all of it must still be there, however long that took.
static void check_burst(struct reader *r, const struct burst *b) {
	if (r->n_bursts++ % HOLD_EACH == 0)
		hold(r->sh);
	for (unsigned n = 0; n < b->n; n++) {
		if (is_whole(&b->v[n], b->i[n]))
			r->n_found++;
		else
			r->n_bad++;
	}
}

// A look-up by place: whatever is there now has the digest that its number says.
static void find_at(struct reader *r, const struct burst *b) {
	struct rg_lease_view v;

	for (unsigned n = 0; n < b->n; n++) {
		rg_lease_prefetch_at(r->sh->t, b->v[n].at);
		rg_lease_prefetch_entry_at(r->sh->t, b->v[n].at);
		if (rg_lease_at(r->sh->t, b->v[n].at, &v) && !is_whole(&v, v.idx))
			r->n_bad++;
	}
}

static void find_burst(struct reader *r, struct burst *b) {
	b->n = 0;
	for (unsigned n = 0; n < BURST; n++) {
		unsigned i = (unsigned)(next(&r->rng) % N_DIGESTS);
		struct rg_digest d = digest_of(i);

		rg_lease_prefetch(r->sh->t, &d);
		rg_lease_prefetch_entry(r->sh->t, &d);
		b->i[b->n] = i;
		if (rg_lease_find(r->sh->t, &d, &b->v[b->n]))
			b->n++;
		else
			r->n_missed++;
	}
}

static void *reader_main(void *arg) {
	struct reader *r = arg;
	struct burst b;

	urcu_qsbr_register_thread();
	atomic_fetch_add(&r->sh->n_ready, 1);
	while (!atomic_load_explicit(&r->sh->is_over, memory_order_relaxed)) {
		find_burst(r, &b);
		find_at(r, &b);
		check_burst(r, &b);
		urcu_qsbr_quiescent_state();
	}
	urcu_qsbr_unregister_thread();
	return NULL;
}

static int put(struct rg_lease_table *t, unsigned i, uint64_t gen) {
	uint8_t bytes[200];
	struct lease_entry e = {
		.digest = digest_of(i),
		.idx = i,
		.gen = gen,
		.state = RG_LEASE_ACTIVE,
		.token_end_ns = gen * 3,
		.core_end_ns = gen * 5,
		.impu = RG_LIT("sip:x@y"),
		.headers = rg_slice(bytes, 1 + gen % N_LINES),
	};

	memset(bytes, (int)('a' + gen % N_LINES % 26), sizeof(bytes));
	return lease_table_put(t, &e);
}

struct counts {
	uint64_t n_put, n_replaced, n_full, n_deleted, n_state;
};

static void write_some(struct shared *sh, struct counts *c) {
	struct rg_lease_table *t = sh->t;
	static const enum rg_lease_state states[] = {RG_LEASE_OFFERED, RG_LEASE_STALE,
						     RG_LEASE_ENDING};
	uint64_t rng = 88172645463325252;

	for (uint64_t gen = 1; gen <= N_OPS; gen++) {
		uint64_t r = next(&rng), before = t->n_entries;
		unsigned i = (unsigned)(r % N_DIGESTS);
		struct rg_digest d = digest_of(i);

		atomic_store_explicit(&sh->n_ops, gen, memory_order_relaxed);
		switch (r >> 32 & 3) {
		case 0:
			c->n_deleted += lease_table_del(t, &d) == 0;
			break;
		case 1:
			c->n_state += lease_table_set_state(t, &d, states[r >> 40 & 1]) == 0;
			break;
		default:
			if (put(t, i, gen) != 0)
				c->n_full++;
			else if (t->n_entries == before)
				c->n_replaced++;
			else
				c->n_put++;
		}
	}
}

START_TEST(readers_see_whole_entries) {
	struct shared sh = {.t = lease_table_new(MAX_ENTRIES)};
	struct reader readers[N_READERS];
	struct counts c = {0};

	ck_assert_ptr_nonnull(sh.t);
	for (unsigned i = 0; i < N_READERS; i++) {
		readers[i] = (struct reader){.sh = &sh, .rng = 1 + i};
		ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, reader_main, &readers[i]),
				 0);
	}
	while (atomic_load(&sh.n_ready) < N_READERS)
		sched_yield();
	write_some(&sh, &c);
	atomic_store(&sh.is_over, true);
	for (unsigned i = 0; i < N_READERS; i++)
		pthread_join(readers[i].thread, NULL);
	for (unsigned i = 0; i < N_READERS; i++) {
		ck_assert_uint_eq(readers[i].n_bad, 0);
		ck_assert_uint_gt(readers[i].n_found, 100);
		ck_assert_uint_gt(readers[i].n_missed, 100);
	}
	// Enough of everything happened for this to mean something.
	ck_assert_uint_gt(c.n_put, N_OPS / 20);
	ck_assert_uint_gt(c.n_replaced, N_OPS / 20);
	ck_assert_uint_gt(c.n_deleted, N_OPS / 20);
	ck_assert_uint_gt(c.n_state, N_OPS / 20);
	urcu_qsbr_barrier(); // this thread is no reader: offline
	lease_table_free(sh.t);
}
END_TEST

int main(void) {
	Suite *s = suite_create("rcu_lease");
	TCase *tc = tcase_create("stress");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, readers_see_whole_entries);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_set_fork_status(sr, CK_NOFORK); // threads
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
