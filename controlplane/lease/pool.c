// SPDX-License-Identifier: BSD-3-Clause
// Free list and quarantine of one pool. Free pairs go out in the order they came in (INV-13); a
// heap over reassign_ns with one timer lets them come in.
#include <stdlib.h>

#include "lease/import.h"

#define FENCE_RETRY_NS (10 * RG_NS_PER_MS)

struct lease_pool *lease_pool_of(const struct lease_pair *p) {
	return p->e->pools[p->l.pool];
}

static uint64_t key(const struct lease_pool *pool, uint32_t pos) {
	return pool->e->slots[pool->heap[pos]].pair->l.reassign_ns;
}

static void place(struct lease_pool *pool, uint32_t pos, uint32_t idx) {
	pool->heap[pos] = idx;
	pool->e->slots[idx].pair->heap_pos = pos;
}

// Puts idx where it belongs, from the hole at pos.
static void sift(struct lease_pool *pool, uint32_t pos, uint32_t idx) {
	uint64_t k = pool->e->slots[idx].pair->l.reassign_ns;
	uint32_t child;

	for (; pos > 1 && k < key(pool, pos / 2); pos /= 2)
		place(pool, pos, pool->heap[pos / 2]);
	for (; (child = 2 * pos) <= pool->n_heap; pos = child) {
		if (child < pool->n_heap && key(pool, child + 1) < key(pool, child))
			child++;
		if (k <= key(pool, child))
			break;
		place(pool, pos, pool->heap[child]);
	}
	place(pool, pos, idx);
}

static void arm(struct lease_pool *pool) {
	if (pool->n_heap == 0)
		env_timer_cancel(pool->e->env, &pool->timer);
	else
		env_timer_set(pool->e->env, &pool->timer, key(pool, 1));
}

void lease_pool_hold(struct lease_pair *p) {
	struct lease_pool *pool = lease_pool_of(p);

	sift(pool, ++pool->n_heap, p->l.idx);
	if (p->heap_pos == 1)
		arm(pool);
}

void lease_pool_release(struct lease_pair *p) {
	struct lease_pool *pool = lease_pool_of(p);
	uint32_t pos = p->heap_pos, last = pool->heap[pool->n_heap--];

	p->heap_pos = 0;
	if (last != p->l.idx)
		sift(pool, pos, last);
	if (pos == 1)
		arm(pool);
}

void lease_pool_give(struct lease_engine *e, uint32_t idx) {
	struct lease_slot *slot = &e->slots[idx];
	struct lease_pool *pool = e->pools[slot->pool];

	if (!slot->is_filed && !slot->is_imported)
		lease_hide(e, idx);
	if (slot->is_fixed || pool->is_foreign || slot->is_withheld ||
	    slot->suspect != LEASE_SUSPECT_NONE)
		return;
	if (slot->state != LEASE_FREE || slot->is_listed)
		lease_bug(e, idx, "a pair that is not free is to be given out (I1)");
	slot->is_listed = true;
	slot->next_free = LEASE_NO_PAIR;
	slot->prev_free = pool->last_free;
	if (pool->last_free == LEASE_NO_PAIR)
		pool->first_free = idx;
	else
		e->slots[pool->last_free].next_free = idx;
	pool->last_free = idx;
	pool->n_listed++;
}

void lease_pool_unlink(struct lease_engine *e, uint32_t idx) {
	struct lease_slot *slot = &e->slots[idx];
	struct lease_pool *pool = e->pools[slot->pool];

	if (!slot->is_listed)
		return;
	if (slot->prev_free == LEASE_NO_PAIR)
		pool->first_free = slot->next_free;
	else
		e->slots[slot->prev_free].next_free = slot->next_free;
	if (slot->next_free == LEASE_NO_PAIR)
		pool->last_free = slot->prev_free;
	else
		e->slots[slot->next_free].prev_free = slot->prev_free;
	slot->is_listed = false;
	pool->n_listed--;
}

static uint32_t pick(const struct lease_pool *pool) {
	uint32_t v;

	env_random(pool->e->env, &v, sizeof(v));
	return v % (pool->n_listed < LEASE_WINDOW ? pool->n_listed : LEASE_WINDOW);
}

uint32_t lease_pool_take(struct lease_pool *pool) {
	uint32_t idx;

	if (pool == NULL || pool->is_draining || pool->n_listed == 0 || lease_is_frozen(pool->e))
		return LEASE_NO_PAIR;
	idx = pool->first_free;
	// Strictly the oldest (INV-13), but where others take from the same pool: they would all
	// want the same one.
	if (pool->e->cfg.is_shared)
		for (uint32_t k = pick(pool); k > 0; k--)
			idx = pool->e->slots[idx].next_free;
	lease_pool_unlink(pool->e, idx);
	return idx;
}

static bool is_fenced(const struct lease_pair *p) {
	const struct lease_fence *f = &p->e->fence;

	return p->fence == 0 || f->is_passed(f->ctx, p->fence);
}

// Quarantine is over: INV-4. No worker is in the middle of an answer to the old owner: INV-7.
static void on_timer(struct env_timer *t, uint64_t now_ns) {
	struct lease_pool *pool =
		(struct lease_pool *)((uint8_t *)t - offsetof(struct lease_pool, timer));

	while (pool->n_heap > 0 && key(pool, 1) <= now_ns) {
		struct lease_pair *p = pool->e->slots[pool->heap[1]].pair;

		if (lease_is_frozen(pool->e)) {
			env_timer_set(pool->e->env, t, now_ns + RG_NS_PER_S);
			return;
		}
		if (!is_fenced(p)) {
			env_timer_set(pool->e->env, t, now_ns + FENCE_RETRY_NS);
			return;
		}
		p->fence = 0;
		lease_pool_release(p);
		lease_pair_set_state(p, LEASE_FREE);
		lease_pair_set_sub(p, NULL);
		lease_pool_give(p->e, p->l.idx);
		lease_pair_rest(p);
	}
}

struct lease_pool *lease_pool_grow(struct lease_engine *e, uint16_t idx) {
	struct lease_pool *pool = e->pools[idx];
	uint32_t cap;
	uint32_t *heap;

	if (pool == NULL) {
		pool = calloc(1, sizeof(*pool));
		if (pool == NULL)
			return NULL;
		pool->e = e;
		pool->idx = idx;
		pool->first_free = pool->last_free = LEASE_NO_PAIR;
		pool->timer.fn = on_timer;
		e->pools[idx] = pool;
		pool->next = e->first_pool;
		e->first_pool = pool;
		lease_drain_load_pool(e, idx);
	}
	if (pool->n_pairs + 1 < pool->heap_cap)
		return pool;
	cap = 2 * pool->heap_cap + 16;
	heap = realloc(pool->heap, cap * sizeof(*heap));
	if (heap == NULL)
		return NULL;
	pool->heap = heap;
	pool->heap_cap = cap;
	return pool;
}

void lease_pool_free(struct lease_pool *pool) {
	env_timer_cancel(pool->e->env, &pool->timer);
	free(pool->heap);
	free(pool);
}

void lease_get_pool_stats(const struct lease_engine *e, uint16_t idx,
			  struct lease_pool_stats *out) {
	const struct lease_pool *pool = e->pools[idx];

	*out = (struct lease_pool_stats){.next_free_ns = RG_NEVER};
	if (pool == NULL) {
		out->is_draining = lease_drain_is_stored(e, idx);
		return;
	}
	out->n_pairs = pool->n_pairs - pool->n_removed;
	out->n_free = pool->n_state[LEASE_FREE] - pool->n_disabled - pool->n_removed;
	out->n_disabled = pool->n_disabled;
	out->n_suspect = pool->n_suspect;
	out->is_draining = pool->is_draining;
	out->n_offered = pool->n_state[LEASE_OFFERED];
	for (unsigned s = LEASE_PENDING; s <= LEASE_UNKNOWN; s++)
		out->n_registered += pool->n_state[s];
	out->n_quarantine = pool->n_state[LEASE_QUARANTINE];
	if (pool->n_heap > 0)
		out->next_free_ns = key(pool, 1);
	if (env_now_ns(e->env) >= e->hold_until_ns)
		return;
	out->n_quarantine += out->n_free; // INV-11
	out->n_free = 0;
	if (out->n_pairs > 0 && (pool->n_heap == 0 || out->next_free_ns < e->hold_until_ns))
		out->next_free_ns = e->hold_until_ns;
}
