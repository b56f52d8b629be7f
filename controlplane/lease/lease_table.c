// SPDX-License-Identifier: BSD-3-Clause
// Writer of the lease table, on the control thread. Readers run at the same time on the workers.
//
// Ordering. A reader takes a bucket's tags as a hint, then the slots whose tag fits, and compares
// digests, so a tag without an entry (NULL) or with another one is harmless. Insert: slot (release,
// pairs with the reader's consume), then tag. Delete: tag, then slot = NULL, then call_rcu. Replace:
// one pointer exchange under the same tag. An entry never moves, so a reader never misses one that
// stays.
//
// The control thread is no QSBR reader: it alone frees entries, and what it published it may read.
// call_rcu() wants a registered caller only for its per-CPU queues, which nobody here creates.
// What is retired, entries and texts they shared, knows nothing of the table, so lease_table_free()
// waits for no grace period and cannot deadlock; who wants to see it freed calls
// urcu_qsbr_barrier() offline.
#include "lease/lease_table.h"

#include <errno.h>
#include <stdlib.h>

#include "lease/lease_shared.h"
#include "lease/lease_slab.h"
#include "lease/table_read.h"
#include "regate/err.h"
#include "regate/huge.h"

#define N_SLOTS 7
#define FEW 4
#define LINE 64 // bytes of a cache line
#define MAX_BUCKETS (UINT64_C(1) << 29)
#define SLAB_FROM 65536 // entries: fewer are in the TLB anyway, and not worth a huge page

static struct rg_lease *slot_get(const struct rg_lease_bucket *b, unsigned i) {
	return atomic_load_explicit(&b->slot[i], memory_order_relaxed); // only we write
}

static void tag_set(struct rg_lease_bucket *b, unsigned i, uint8_t tag) {
	uint64_t tags = atomic_load_explicit(&b->tags, memory_order_relaxed);

	tags = (tags & ~(UINT64_C(0xff) << (8 * i))) | (uint64_t)tag << (8 * i);
	atomic_store_explicit(&b->tags, tags, memory_order_release);
}

struct place {
	struct rg_lease_bucket *bucket;
	unsigned slot;
};

// Tags first: what has another one is not read, which would be a cache miss.
static bool find_in(struct rg_lease_bucket *b, const struct rg_digest *d, struct place *out) {
	uint64_t tags = atomic_load_explicit(&b->tags, memory_order_relaxed); // only we write
	uint8_t tag = rg_lease_tag(d);

	for (unsigned i = 0; i < N_SLOTS; i++)
		if ((uint8_t)(tags >> 8 * i) == tag &&
		    memcmp(&slot_get(b, i)->digest, d, sizeof(*d)) == 0) {
			*out = (struct place){b, i};
			return true;
		}
	return false;
}

static bool find(const struct rg_lease_table *t, const struct rg_digest *d, struct place *out) {
	return find_in(&t->buckets[rg_lease_bucket_1(d, t->n_buckets)], d, out) ||
	       find_in(&t->buckets[rg_lease_bucket_2(d, t->n_buckets)], d, out);
}

void lease_table_prefetch(const struct rg_lease_table *t, const struct rg_digest *d) {
	__builtin_prefetch(&t->buckets[rg_lease_bucket_1(d, t->n_buckets)], 1);
	__builtin_prefetch(&t->buckets[rg_lease_bucket_2(d, t->n_buckets)], 1);
}

static unsigned count(const struct rg_lease_bucket *b) {
	unsigned n = 0;

	for (unsigned i = 0; i < N_SLOTS; i++)
		n += slot_get(b, i) != NULL;
	return n;
}

// An empty slot in the first bucket while that has few entries, so that most are found where a reader
// looks first; else in the emptier of the two. That choice is what makes full pairs of buckets so
// rare at 40 % load that nothing ever needs to move: as entries come and go, one bucket in 600 000 is
// full, and it takes two.
static bool find_room(const struct rg_lease_table *t, const struct rg_digest *d,
		      struct place *out) {
	struct rg_lease_bucket *b1 = &t->buckets[rg_lease_bucket_1(d, t->n_buckets)];
	struct rg_lease_bucket *b2 = &t->buckets[rg_lease_bucket_2(d, t->n_buckets)];
	struct rg_lease_bucket *b = count(b1) >= FEW && count(b2) < count(b1) ? b2 : b1;

	for (unsigned i = 0; i < N_SLOTS; i++)
		if (slot_get(b, i) == NULL) {
			*out = (struct place){b, i};
			return true;
		}
	return false;
}

struct rg_lease_table *lease_table_new(uint64_t max_entries) {
	struct rg_lease_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->n_buckets = max_entries * 10 / (4 * N_SLOTS) + 2;
	t->max_entries = max_entries;
	if (max_entries >= SLAB_FROM && (t->slab = lease_slab_new()) == NULL)
		goto err;
	if (t->n_buckets <= MAX_BUCKETS && lease_shared_init(t, max_entries) == 0)
		t->buckets = rg_huge_alloc(t->n_buckets, sizeof(*t->buckets));
	if (t->buckets != NULL)
		return t;
err:
	lease_table_free(t);
	return NULL;
}

static size_t size_of(const struct rg_lease *l) {
	return offsetof(struct rg_lease, bytes) + l->user_len + l->handle_len + l->to_tag_len;
}

static bool is_block(const struct rg_lease_table *t, size_t size) {
	return t->slab != NULL && size <= LEASE_BLOCK;
}

static void *entry_alloc(struct rg_lease_table *t, size_t size) {
	return is_block(t, size) ? lease_slab_take(t->slab)
				 : aligned_alloc(LINE, (size + LINE - 1) / LINE * LINE);
}

void lease_table_free(struct rg_lease_table *t) {
	struct rg_lease *l;

	if (t == NULL)
		return;
	for (uint64_t i = 0; t->buckets != NULL && i < t->n_buckets; i++)
		for (unsigned k = 0; k < N_SLOTS; k++)
			if ((l = slot_get(&t->buckets[i], k)) != NULL && !is_block(t, size_of(l)))
				free(l);
	lease_slab_put(t->slab);
	lease_shared_fini(t);
	rg_huge_free(t->buckets, t->n_buckets, sizeof(*t->buckets));
	free(t);
}

static uint8_t append(struct rg_lease *l, size_t *used, struct rg_slice s) {
	if (s.len > 0)
		memcpy(l->bytes + *used, s.p, s.len);
	*used += s.len;
	return (uint8_t)s.len;
}

// No sum may wrap.
static bool is_too_long(const struct lease_entry *e) {
	return e->impu.len > RG_LEASE_BYTES_MAX || e->headers.len > RG_LEASE_BYTES_MAX ||
	       e->to_tag.len > UINT8_MAX ||
	       e->impu.len + e->headers.len + e->to_tag.len > RG_LEASE_BYTES_MAX;
}

static struct rg_lease *lease_new(struct rg_lease_table *t, const struct lease_entry *e) {
	struct lease_texts x = lease_texts_cut(e->impu, e->headers);
	size_t used = 0,
	       size = offsetof(struct rg_lease, bytes) + x.user.len + x.handle.len + e->to_tag.len;
	struct rg_lease_shared *shared = lease_shared_take(t, &x);
	struct rg_lease *l = shared == NULL ? NULL : entry_alloc(t, size);

	if (l == NULL) {
		if (shared != NULL)
			lease_shared_drop(t, shared);
		return NULL;
	}
	l->shared = shared;
	atomic_init(&l->state, (uint8_t)e->state);
	l->idx = e->idx;
	l->gen = e->gen;
	l->digest = e->digest;
	l->token_end_ns = e->token_end_ns;
	l->core_end_ns = e->core_end_ns;
	l->core_refresh_ns = e->core_refresh_ns;
	l->client = rg_client_hash(rg_call_id_hash(e->call_id), e->contact);
	l->wwsf = e->wwsf;
	l->user_len = append(l, &used, x.user);
	l->handle_len = append(l, &used, x.handle);
	l->to_tag_len = append(l, &used, e->to_tag);
	return l;
}

// Poisoned first: a reader that kept what it must not finds no lease that looks whole.
static struct rg_lease *poison(struct rcu_head *head) {
	struct rg_lease *l = (struct rg_lease *)((uint8_t *)head - offsetof(struct rg_lease, rcu));

	explicit_bzero(l, size_of(l));
	return l;
}

static void free_cb(struct rcu_head *head) {
	free(poison(head));
}

static void give_cb(struct rcu_head *head) {
	lease_slab_give(poison(head));
}

static void retire(struct rg_lease_table *t, struct rg_lease *l) {
	lease_shared_drop(t, l->shared);
	if (is_block(t, size_of(l))) {
		lease_slab_retire(l);
		urcu_qsbr_call_rcu(&l->rcu, give_cb);
	} else {
		urcu_qsbr_call_rcu(&l->rcu, free_cb);
	}
}

int lease_table_put(struct rg_lease_table *t, const struct lease_entry *e) {
	struct place at;
	bool is_new = !find(t, &e->digest, &at);
	struct rg_lease *l;

	if (is_too_long(e))
		return RG_E_LIMIT;
	if (is_new && (t->n_entries == t->max_entries || !find_room(t, &e->digest, &at)))
		return RG_E_LIMIT;
	l = lease_new(t, e);
	if (l == NULL)
		return -ENOMEM;
	if (!is_new) {
		retire(t, atomic_exchange_explicit(&at.bucket->slot[at.slot], l,
						   memory_order_acq_rel));
		return 0;
	}
	atomic_store_explicit(&at.bucket->slot[at.slot], l, memory_order_release);
	tag_set(at.bucket, at.slot, rg_lease_tag(&e->digest));
	t->n_entries++;
	return 0;
}

int lease_table_del(struct rg_lease_table *t, const struct rg_digest *d) {
	struct place at;
	struct rg_lease *l;

	if (!find(t, d, &at))
		return RG_E_STALE;
	tag_set(at.bucket, at.slot, 0);
	l = atomic_exchange_explicit(&at.bucket->slot[at.slot], NULL, memory_order_acq_rel);
	t->n_entries--;
	retire(t, l);
	return 0;
}

int lease_table_set_state(struct rg_lease_table *t, const struct rg_digest *d,
			  enum rg_lease_state state) {
	struct place at;

	if (!find(t, d, &at))
		return RG_E_STALE;
	atomic_store_explicit(&slot_get(at.bucket, at.slot)->state, (uint8_t)state,
			      memory_order_release);
	return 0;
}

const struct rg_lease *lease_table_get(const struct rg_lease_table *t, const struct rg_digest *d) {
	struct place at;

	return find(t, d, &at) ? slot_get(at.bucket, at.slot) : NULL;
}
