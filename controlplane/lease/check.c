// SPDX-License-Identifier: BSD-3-Clause
// Looks for broken invariants. Changes nothing.
#include "lease/engine.h"

#include <stdlib.h>

#include "lease/table_read.h"

static const char *check_tokens(const struct lease_pair *p, uint64_t *n_entries) {
	const struct lease *l = &p->l;

	for (unsigned i = 0; i < STORE_TOKENS; i++) {
		const struct lease_token *t = &l->tokens[i];
		const struct rg_lease *entry;

		if (t->end_ns == 0)
			continue;
		++*n_entries;
		if (!lease_is_live(l) || p->is_ending)
			return "a lease that is over has a token";
		if (l->reassign_ns < lease_reassign_floor_ns(p->e, t->end_ns))
			return "a pair is free before its token's guard is over (INV-4)";
		entry = lease_table_get(p->e->table, &t->digest);
		if (entry == NULL || entry->idx != l->idx || entry->gen != l->gen ||
		    entry->token_end_ns != t->end_ns)
			return "a token is not what the workers see";
		if (atomic_load(&entry->state) != lease_shown_state(p))
			return "the workers see another state";
	}
	return NULL;
}

static const char *check_live(const struct lease_pair *p) {
	const struct lease *l = &p->l;

	if (l->sub == NULL || l->gen == 0)
		return "a live lease has no owner or generation";
	if (l->tokens[0].end_ns == 0 && p->running == NULL && p->ops == NULL && !p->is_ending)
		return "a lease has no token and does not end";
	if (l->state == LEASE_OFFERED && l->flow.gen != 0)
		return "an unregistered lease has a flow";
	if (!env_timer_is_set(&p->timer) && p->running == NULL && p->ops == NULL)
		return "a live lease has no timer";
	return NULL;
}

static const char *check_rest(const struct lease_pair *p) {
	const struct lease *l = &p->l;

	if (p->is_ending)
		return "a pair without a lease is still ending";
	if ((l->state == LEASE_QUARANTINE) != (p->heap_pos != 0))
		return "quarantine and its heap disagree";
	if (l->flow.gen != 0 || l->binding.contact.len != 0)
		return "a pair without a lease has a binding";
	if (l->state != LEASE_FREE)
		return NULL;
	if (l->sub != NULL)
		return "a free pair has an owner (INV-1)";
	// Who waits may wait for the baseline as well.
	return p->is_committing || p->is_dirty || (p->waits != NULL && p->e->baseline.is_dirty)
		       ? NULL
		       : "a free pair is not at rest";
}

static const char *check_pair(const struct lease_engine *e, uint32_t idx, uint64_t *n_entries) {
	const struct lease_slot *slot = &e->slots[idx];
	const struct lease_pair *p = slot->pair;
	const char *fault;

	if (p == NULL)
		return slot->state == LEASE_FREE ? NULL : "a pair at rest is not free";
	if (p->l.idx != idx || p->l.gen != slot->gen || p->l.state != (enum lease_state)slot->state)
		return "a pair is not what its slot says";
	if (slot->owner != lease_owner_tag(p->l.sub))
		return "a pair's owner is not what its slot says";
	fault = check_tokens(p, n_entries);
	if (fault != NULL)
		return fault;
	return lease_is_live(&p->l) ? check_live(p) : check_rest(p);
}

static const char *check_free_list(const struct lease_pool *pool) {
	const struct lease_slot *slots = pool->e->slots;
	uint32_t n = 0, n_unlisted = 0;

	for (uint32_t i = pool->first_free; i != LEASE_NO_PAIR; i = slots[i].next_free)
		if (slots[i].state != LEASE_FREE || slots[i].pool != pool->idx ||
		    ++n > pool->n_pairs)
			return "the free list has a pair that is not free";
	for (uint32_t i = 0; i < pool->e->n_pairs; i++)
		n_unlisted += slots[i].pool == pool->idx && slots[i].state == LEASE_FREE &&
			      (slots[i].is_fixed || slots[i].is_withheld ||
			       slots[i].suspect != LEASE_SUSPECT_NONE || pool->is_foreign);
	if (n != pool->n_listed)
		return "the free list is of another length";
	return n + n_unlisted == pool->n_state[LEASE_FREE] ? NULL
							   : "the free list lacks a free pair (I3)";
}

static const char *check_heap(const struct lease_pool *pool) {
	const struct lease_slot *slots = pool->e->slots;

	for (uint32_t i = 1; i <= pool->n_heap; i++)
		if (slots[pool->heap[i]].pair->heap_pos != i ||
		    (i > 1 && slots[pool->heap[i]].pair->l.reassign_ns <
				      slots[pool->heap[i / 2]].pair->l.reassign_ns))
			return "the quarantine heap is out of order";
	return pool->n_heap == pool->n_state[LEASE_QUARANTINE] ? NULL
							       : "quarantine and its heap disagree";
}

static const char *check_pool(const struct lease_pool *pool) {
	uint32_t n_state[LEASE_N_STATES] = {0};
	struct lease_pool_stats st;
	const char *fault;

	for (uint32_t i = 0; i < pool->e->n_pairs; i++)
		if (pool->e->slots[i].pool == pool->idx)
			n_state[pool->e->slots[i].state]++;
	if (memcmp(n_state, pool->n_state, sizeof(n_state)) != 0)
		return "a count of states is wrong (I3)";
	lease_get_pool_stats(pool->e, pool->idx, &st);
	if (st.n_free + st.n_offered + st.n_registered + st.n_quarantine + st.n_disabled !=
	    st.n_pairs)
		return "free, offered, registered, quarantined and disabled are not all pairs (I3)";
	fault = check_free_list(pool);
	return fault != NULL ? fault : check_heap(pool);
}

const char *lease_engine_check(const struct lease_engine *e) {
	uint64_t n_entries = 0;

	for (uint32_t i = 0; i < e->n_pairs; i++) {
		const char *fault = check_pair(e, i, &n_entries);

		if (fault != NULL)
			return fault;
	}
	if (n_entries != e->table->n_entries)
		return "the workers see a token that no lease has";
	for (const struct lease_pool *pool = e->first_pool; pool != NULL; pool = pool->next) {
		const char *fault = check_pool(pool);

		if (fault != NULL)
			return fault;
	}
	return NULL;
}
