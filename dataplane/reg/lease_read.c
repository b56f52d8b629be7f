// SPDX-License-Identifier: BSD-3-Clause
// Reader side of the lease table. Runs on the workers, inside an online QSBR period; what it hands
// out points into the entries and ends with that period.
#include "regate/lease.h"

#define SLOT_TAGS 0x00ffffffffffffffu // the eighth tag byte has no slot
#define EACH_BYTE 0x0101010101010101u

// A bit in byte i for each slot whose tag may be `tag`: a false one costs a digest comparison.
static uint64_t candidates(uint64_t tags, uint8_t tag) {
	uint64_t x = tags ^ EACH_BYTE * tag;

	return (x - EACH_BYTE) & ~x & EACH_BYTE << 7 & SLOT_TAGS;
}

#define N_SLOTS 7
#define ENTRY_LINES 2 // of most entries; what they share stays in the cache

// Pairs with the writer's release store of the slot (controlplane/lease).
static const struct rg_lease *slot_get(const struct rg_lease_bucket *b, unsigned slot) {
	return atomic_load_explicit(&b->slot[slot], memory_order_consume);
}

// Slots of the bucket whose tag fits. Relaxed: a tag only hints; the slot's own load orders what it
// points to.
static uint64_t fitting(const struct rg_lease_bucket *b, const struct rg_digest *d) {
	return candidates(atomic_load_explicit(&b->tags, memory_order_relaxed), rg_lease_tag(d));
}

static const struct rg_lease *find_in(const struct rg_lease_table *t, uint64_t bucket,
				      const struct rg_digest *d, uint32_t *at) {
	const struct rg_lease_bucket *b = &t->buckets[bucket];

	for (uint64_t m = fitting(b, d); m != 0; m &= m - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(m) / 8;
		const struct rg_lease *l = slot_get(b, slot);

		if (l == NULL || memcmp(&l->digest, d, sizeof(*d)) != 0)
			continue;
		*at = (uint32_t)bucket << 3 | slot;
		return l;
	}
	return NULL;
}

// The next `len` bytes.
static struct rg_slice take(const uint8_t **at, size_t len) {
	struct rg_slice s = rg_slice(*at, len);

	*at += len;
	return s;
}

// Puts the lease's own texts between those that it shares.
static void view_texts(const struct rg_lease *l, struct rg_lease_view *v) {
	const struct rg_lease_shared *s = l->shared;
	const uint8_t *own = l->bytes, *common = s->bytes;

	v->impu[1] = take(&own, l->user_len);
	v->headers[1] = rg_slice(v->impu[1].p, s->has_user ? l->user_len : 0);
	v->headers[3] = take(&own, l->handle_len);
	v->to_tag = take(&own, l->to_tag_len);
	v->impu[0] = take(&common, s->len[RG_PART_SCHEME]);
	v->impu[2] = take(&common, s->len[RG_PART_DOMAIN]);
	v->headers[0] = take(&common, s->len[RG_PART_LINES_0]);
	v->headers[2] = take(&common, s->len[RG_PART_LINES_1]);
	v->headers[4] = take(&common, s->len[RG_PART_LINES_2]);
}

static void view(const struct rg_lease *l, uint32_t at, struct rg_lease_view *v) {
	v->idx = l->idx;
	// Acquire: pairs with lease_table_set_state(); the state counts from this load on.
	v->state = atomic_load_explicit(&l->state, memory_order_acquire);
	v->gen = l->gen;
	v->token_end_ns = l->token_end_ns;
	v->core_end_ns = l->core_end_ns;
	v->core_refresh_ns = l->core_refresh_ns;
	v->client = l->client;
	v->wwsf = l->wwsf;
	v->at = at;
	v->digest = &l->digest;
	view_texts(l, v);
}

bool rg_lease_find(const struct rg_lease_table *t, const struct rg_digest *d,
		   struct rg_lease_view *out) {
	uint64_t second = rg_lease_bucket_2(d, t->n_buckets);
	const struct rg_lease *l;
	uint32_t at;

	__builtin_prefetch(&t->buckets[second]);
	l = find_in(t, rg_lease_bucket_1(d, t->n_buckets), d, &at);
	if (l == NULL)
		l = find_in(t, second, d, &at);
	if (l == NULL)
		return false;
	view(l, at, out);
	return true;
}

// Of a place that may be stale, or of another table: NULL then, too.
static const struct rg_lease *entry_at(const struct rg_lease_table *t, uint32_t at) {
	return at >> 3 < t->n_buckets && (at & 7) < N_SLOTS ? slot_get(&t->buckets[at >> 3], at & 7)
							    : NULL;
}

bool rg_lease_at(const struct rg_lease_table *t, uint32_t at, struct rg_lease_view *out) {
	const struct rg_lease *l = entry_at(t, at);

	if (l == NULL)
		return false;
	view(l, at, out);
	return true;
}

static void prefetch(const struct rg_lease *l) {
	for (unsigned i = 0; l != NULL && i < ENTRY_LINES; i++)
		__builtin_prefetch((const uint8_t *)l + (size_t)64 * i);
}

void rg_lease_prefetch(const struct rg_lease_table *t, const struct rg_digest *d) {
	__builtin_prefetch(&t->buckets[rg_lease_bucket_1(d, t->n_buckets)]);
	__builtin_prefetch(&t->buckets[rg_lease_bucket_2(d, t->n_buckets)]);
}

void rg_lease_prefetch_entry(const struct rg_lease_table *t, const struct rg_digest *d) {
	const struct rg_lease_bucket *b = &t->buckets[rg_lease_bucket_1(d, t->n_buckets)];
	uint64_t m = fitting(b, d);

	if (m == 0) {
		b = &t->buckets[rg_lease_bucket_2(d, t->n_buckets)];
		m = fitting(b, d);
	}
	if (m != 0)
		prefetch(slot_get(b, (unsigned)__builtin_ctzll(m) / 8));
}

void rg_lease_prefetch_at(const struct rg_lease_table *t, uint32_t at) {
	if (at >> 3 < t->n_buckets)
		__builtin_prefetch(&t->buckets[at >> 3]);
}

void rg_lease_prefetch_entry_at(const struct rg_lease_table *t, uint32_t at) {
	prefetch(entry_at(t, at));
}
