// SPDX-License-Identifier: BSD-3-Clause
// Reader side of the lease table. Runs on the workers, inside an online QSBR period; copies values
// out and keeps no pointer.
#include "regate/lease.h"

#define SLOT_TAGS 0x00ffffffffffffffu // the eighth tag byte has no slot
#define EACH_BYTE 0x0101010101010101u

// A bit in byte i for each slot whose tag may be `tag`: a false one costs a digest comparison.
static uint64_t candidates(uint64_t tags, uint8_t tag) {
	uint64_t x = tags ^ EACH_BYTE * tag;

	return (x - EACH_BYTE) & ~x & EACH_BYTE << 7 & SLOT_TAGS;
}

static const struct rg_lease *find_in(const struct rg_lease_bucket *b, const struct rg_digest *d) {
	// Relaxed: a tag only hints; the slot's own load orders what it points to.
	uint64_t m =
		candidates(atomic_load_explicit(&b->tags, memory_order_relaxed), rg_lease_tag(d));

	for (; m != 0; m &= m - 1) {
		// Pairs with the writer's release store of the slot (controlplane/lease).
		const struct rg_lease *l = atomic_load_explicit(&b->slot[__builtin_ctzll(m) / 8],
								memory_order_consume);

		if (l != NULL && memcmp(&l->digest, d, sizeof(*d)) == 0)
			return l;
	}
	return NULL;
}

static size_t end_of(struct rg_span s) {
	return (size_t)s.off + s.len;
}

static size_t max(size_t a, size_t b) {
	return a > b ? a : b;
}

static struct rg_slice slice_of(const struct rg_lease_view *v, struct rg_span s) {
	return rg_slice(v->copy + s.off, s.len);
}

// False when the entry does not fit the view, which the writer rules out.
static bool copy_out(const struct rg_lease *l, struct rg_lease_view *v) {
	size_t len = max(max(end_of(l->impu), end_of(l->contact)),
			 max(max(end_of(l->call_id), end_of(l->to_tag)), end_of(l->headers)));

	if (len > sizeof(v->copy))
		return false;
	v->idx = l->idx;
	// Acquire: pairs with lease_table_set_state(); the state counts from this load on.
	v->state = atomic_load_explicit(&l->state, memory_order_acquire);
	v->gen = l->gen;
	v->token_end_ns = l->token_end_ns;
	v->core_end_ns = l->core_end_ns;
	v->core_refresh_ns = l->core_refresh_ns;
	v->wwsf = l->wwsf;
	memcpy(v->copy, l->bytes, len);
	v->impu = slice_of(v, l->impu);
	v->contact = slice_of(v, l->contact);
	v->call_id = slice_of(v, l->call_id);
	v->to_tag = slice_of(v, l->to_tag);
	v->headers = slice_of(v, l->headers);
	return true;
}

bool rg_lease_find(const struct rg_lease_table *t, const struct rg_digest *d,
		   struct rg_lease_view *out) {
	const struct rg_lease_bucket *first = &t->buckets[rg_lease_bucket_1(d, t->mask)];
	const struct rg_lease_bucket *second = &t->buckets[rg_lease_bucket_2(d, t->mask)];
	const struct rg_lease *l;

	__builtin_prefetch(second);
	l = find_in(first, d);
	if (l == NULL)
		l = find_in(second, d);
	return l != NULL && copy_out(l, out);
}
