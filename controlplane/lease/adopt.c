// SPDX-License-Identifier: BSD-3-Clause
// Pools that their WWSF hands out by itself, with tokens of its own: on first sight such a token becomes
// a lease here. It counts generations, we hold it to INV-1, INV-3, INV-4 and INV-5.
#include "lease/adopt.h"

#include <errno.h>
#include <stdlib.h>

#include "lease/grant.h"
#include "regate/err.h"

#define STEP 1024            // pairs in one turn
#define STEP_NS RG_NS_PER_MS // the others' turn

struct lease_withdrawal { // of keys: a walk over all pairs
	struct lease_withdrawal *next;
	uint32_t at;
	unsigned n_ended;
	uint16_t wwsf;
	void (*done)(void *arg, uint16_t wwsf);
	void *arg;
	size_t n;
	uint64_t keys[];
};

int lease_set_pool_foreign(struct lease_engine *e, uint16_t pool) {
	struct lease_pool *p = lease_pool_grow(e, pool);

	if (p == NULL)
		return -ENOMEM;
	p->is_foreign = true;
	return 0;
}

// RG_E_AUTH: not a pair of that WWSF, or not this pair.
static int find(const struct lease_engine *e, const struct lease_adoption *a, uint32_t *idx) {
	uint32_t i = lease_index_find(&e->by_impi, e, rg_str(a->impi));
	const struct lease_slot *slot = i == LEASE_NO_PAIR ? NULL : &e->slots[i];

	if (slot == NULL || slot->is_removed || slot->wwsf != a->wwsf ||
	    !e->pools[slot->pool]->is_foreign || slot->pool >= e->n_pool_names ||
	    strcmp(e->pool_names[slot->pool], a->pool) != 0 ||
	    lease_index_find(&e->by_impu, e, rg_str(a->impu)) != i)
		return RG_E_AUTH;
	*idx = i;
	return 0;
}

static int admit(struct lease_pair *p, const struct lease_adoption *a, struct lease_op *op) {
	const struct lease *l = &p->l;

	if (a->gen < p->e->slots[l->idx].gen)
		return RG_E_STALE;
	if (lease_is_live(l) && a->gen == l->gen) {
		op->gen = a->gen;
		return !p->is_ending && strcmp(l->sub, op->ask.sub) == 0 ? 0 : RG_E_STALE;
	}
	if (a->gen == p->e->slots[l->idx].gen) // over: its tokens do not come back
		return RG_E_STALE;
	// A generation that meets a store that is away is over before it began.
	if (!lease_store_is_up(p->e) || p->is_committing)
		return -EAGAIN;
	if (l->state != LEASE_FREE || p->e->pools[l->pool]->is_draining ||
	    l->suspect != LEASE_SUSPECT_NONE || lease_is_frozen(p->e))
		return RG_E_EXHAUSTED; // handed out too early, or not to be
	return lease_op_assign(p, op, a->gen, a->scenario);
}

void lease_adopt(struct lease_engine *e, const struct lease_adoption *a,
		 const struct lease_ask *ask) {
	struct lease_op *op = lease_op_new(ask);
	struct lease_pair *p = NULL;
	uint32_t idx;
	int rc;

	if (op == NULL) {
		ask->done(ask->arg, -ENOMEM, NULL, rg_slice(NULL, 0));
		return;
	}
	op->is_adopted = true;
	rc = find(e, a, &idx);
	if (rc == 0) {
		p = lease_pair_get(e, idx);
		rc = p == NULL ? -ENOMEM : admit(p, a, op);
	}
	if (rc == 0) {
		lease_op_enqueue(p, op);
		return;
	}
	if (p != NULL)
		lease_pair_rest(p);
	lease_op_answer_late(e, op, rc);
}

void lease_end_token(struct lease_engine *e, uint32_t idx, uint64_t gen,
		     const struct rg_digest *d) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);
	unsigned slot = STORE_TOKENS;
	bool is_last = true;

	for (unsigned i = 0; p != NULL && i < STORE_TOKENS; i++) {
		const struct lease_token *t = &p->l.tokens[i];

		if (t->end_ns != 0 && memcmp(&t->digest, d, sizeof(*d)) == 0)
			slot = i;
		else if (t->end_ns > env_now_ns(e->env))
			is_last = false;
	}
	if (slot == STORE_TOKENS)
		return;
	if (is_last && p->running == NULL && p->ops == NULL) {
		(void)lease_revoke(e, idx, gen);
		return;
	}
	lease_token_drop(p, slot);
	lease_pair_drop_ended(p); // what is left is the newest
	lease_pair_persist(p);
	lease_pair_arm(p);
}

static bool is_one_of(uint64_t key, const uint64_t *keys, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (key == keys[i])
			return true;
	return key == 0;
}

// Also what is on its way to the store.
static bool is_signed_by(const struct lease_pair *p, const uint64_t *keys, size_t n) {
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (p->l.tokens[i].end_ns != 0 && is_one_of(p->l.tokens[i].key, keys, n))
			return true;
	for (const struct lease_op *op = p->ops; op != NULL; op = op->next)
		if (is_one_of(op->ask.key, keys, n))
			return true;
	return p->running != NULL && is_one_of(p->running->ask.key, keys, n);
}

static bool is_adopted(const struct lease_engine *e, const struct lease_slot *slot, uint16_t wwsf) {
	return slot->pair != NULL && slot->wwsf == wwsf && e->pools[slot->pool]->is_foreign &&
	       lease_is_live(&slot->pair->l);
}

bool lease_has_adopted(const struct lease_engine *e, uint16_t wwsf) {
	for (uint32_t i = 0; i < e->n_pairs; i++)
		if (is_adopted(e, &e->slots[i], wwsf))
			return true;
	return false;
}

static void step(struct lease_engine *e, struct lease_withdrawal *w) {
	for (unsigned n = 0; n < STEP && w->at < e->n_pairs; n++, w->at++) {
		const struct lease_slot *slot = &e->slots[w->at];
		const struct lease_pair *p = slot->pair;

		if (is_adopted(e, slot, w->wwsf) && is_signed_by(p, w->keys, w->n) &&
		    lease_revoke(e, w->at, p->l.gen) == 0)
			w->n_ended++;
	}
}

static void end_first(struct lease_engine *e) {
	struct lease_withdrawal *w = e->withdrawals;

	e->withdrawals = w->next;
	free(w);
}

void lease_withdrawal_fn(struct env_timer *t, uint64_t now_ns) {
	struct lease_engine *e =
		(struct lease_engine *)((uint8_t *)t - offsetof(struct lease_engine, walk_timer));
	struct lease_withdrawal *w = e->withdrawals;

	step(e, w);
	if (w->at == e->n_pairs) {
		log_put(e->log, LOG_WARN, "lease.keys_withdrawn", LOG_U("wwsf", w->wwsf),
			LOG_U("keys", w->n), LOG_U("leases", w->n_ended));
		if (w->done != NULL)
			w->done(w->arg, w->wwsf);
		end_first(e);
	}
	if (e->withdrawals != NULL)
		env_timer_set(e->env, t, lease_add_ns(now_ns, STEP_NS));
}

void lease_withdrawals_stop(struct lease_engine *e) {
	env_timer_cancel(e->env, &e->walk_timer);
	while (e->withdrawals != NULL)
		end_first(e);
}

int lease_end_keys(struct lease_engine *e, uint16_t wwsf, const uint64_t *keys, size_t n,
		   void (*done)(void *arg, uint16_t wwsf), void *arg) {
	struct lease_withdrawal *w = malloc(sizeof(*w) + n * sizeof(*keys)), **last;

	if (w == NULL)
		return -ENOMEM;
	*w = (struct lease_withdrawal){.wwsf = wwsf, .done = done, .arg = arg, .n = n};
	if (n > 0)
		memcpy(w->keys, keys, n * sizeof(*keys));
	for (last = &e->withdrawals; *last != NULL;)
		last = &(*last)->next;
	*last = w;
	if (!env_timer_is_set(&e->walk_timer))
		env_timer_set(e->env, &e->walk_timer, env_now_ns(e->env));
	return 0;
}
