// SPDX-License-Identifier: BSD-3-Clause
// The engine's life, its pairs, and looking them up.
#include "lease/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"

#define N_POOLS (UINT16_MAX + 1)

static const char *key_impi(const struct lease_pair *p) {
	return p->l.impi;
}

static const char *key_impu(const struct lease_pair *p) {
	return p->l.impu;
}

static const char *key_sub(const struct lease_pair *p) {
	return p->fixed_sub;
}

struct lease_engine *lease_engine_new(const struct lease_cfg *cfg, struct env *env,
				      struct store *store, struct log *log,
				      const struct lease_ops *ops, uint32_t max_pairs) {
	struct lease_engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->cfg = *cfg;
	e->env = env;
	e->store = store;
	e->log = log;
	e->ops = *ops;
	e->max_pairs = max_pairs;
	e->late_last = &e->late;
	e->late_timer.fn = lease_late_fn;
	e->pairs = calloc(max_pairs + (size_t)1, sizeof(*e->pairs));
	e->pools = calloc(N_POOLS, sizeof(struct lease_pool *));
	e->table = lease_table_new((uint64_t)max_pairs * STORE_TOKENS);
	if (e->pairs == NULL || e->pools == NULL || e->table == NULL ||
	    lease_index_init(&e->by_impi, key_impi, false, max_pairs) != 0 ||
	    lease_index_init(&e->by_impu, key_impu, false, max_pairs) != 0 ||
	    lease_index_init(&e->by_sub, key_sub, true, max_pairs) != 0) {
		lease_engine_free(e);
		return NULL;
	}
	return e;
}

static void pair_fini(struct lease_pair *p) {
	struct lease_op *op;

	env_timer_cancel(p->e->env, &p->timer);
	while ((op = p->ops) != NULL) {
		p->ops = op->next;
		lease_op_cancel(op);
	}
	lease_op_cancel(p->running);
	free((char *)p->l.impi); // and the strings behind it
	free(p->l.sub);
	free(p->binding_bytes);
}

void lease_engine_destroy(struct lease_engine *e) {
	if (e->n_commits > 0)
		return;
	free(e->pairs);
	free(e);
}

void lease_engine_free(struct lease_engine *e) {
	struct lease_pool *pool;
	struct lease_op *op;

	if (e == NULL)
		return;
	for (uint32_t i = 0; i < e->n_pairs; i++)
		pair_fini(&e->pairs[i]);
	while ((pool = e->first_pool) != NULL) {
		e->first_pool = pool->next;
		lease_pool_free(pool);
	}
	while ((op = e->late) != NULL) {
		e->late = op->next;
		lease_op_cancel(op);
	}
	env_timer_cancel(e->env, &e->late_timer);
	store_set_watch(e->store, &(struct store_watch){0});
	free(e->pools);
	lease_table_free(e->table);
	lease_index_fini(&e->by_impi);
	lease_index_fini(&e->by_impu);
	lease_index_fini(&e->by_sub);
	// The store still holds pointers to pairs: the array stays until it has answered them all.
	e->is_dead = true;
	lease_engine_destroy(e);
}

const struct rg_lease_table *lease_engine_table(const struct lease_engine *e) {
	return e->table;
}

void lease_set_pool_names(struct lease_engine *e, const char *const *names, size_t n) {
	e->pool_names = names;
	e->n_pool_names = n;
}

void lease_set_fence(struct lease_engine *e, const struct lease_fence *fence) {
	e->fence = *fence;
}

// One block: IMPI, IMPU, account.
static int set_strings(struct lease_pair *p, const char *impi, const char *impu,
		       const char *fixed_sub) {
	size_t n = strlen(impi) + 1, m = strlen(impu) + 1;
	size_t k = fixed_sub == NULL ? 0 : strlen(fixed_sub) + 1;
	char *s = malloc(n + m + k);

	if (s == NULL)
		return -ENOMEM;
	memcpy(s, impi, n);
	memcpy(s + n, impu, m);
	p->l.impi = s;
	p->l.impu = s + n;
	if (fixed_sub != NULL) {
		memcpy(s + n + m, fixed_sub, k);
		p->fixed_sub = s + n + m;
	}
	return 0;
}

int lease_add_pair(struct lease_engine *e, uint16_t pool, uint16_t wwsf, const char *impi,
		   const char *impu, const char *fixed_sub) {
	struct lease_pair *p = &e->pairs[e->n_pairs];
	struct lease_pool *home;

	if (e->n_pairs == e->max_pairs)
		return RG_E_LIMIT;
	if (lease_index_find(&e->by_impi, e, impi) != NULL ||
	    lease_index_find(&e->by_impu, e, impu) != NULL ||
	    (fixed_sub != NULL && lease_index_find(&e->by_sub, e, fixed_sub) != NULL))
		return RG_E_CONFLICT;
	home = lease_pool_grow(e, pool);
	if (home == NULL || set_strings(p, impi, impu, fixed_sub) != 0)
		return -ENOMEM;
	p->e = e;
	p->l.idx = e->n_pairs++;
	p->l.pool = pool;
	p->l.wwsf = wwsf;
	p->l.is_fixed = fixed_sub != NULL;
	p->timer.fn = lease_pair_fn;
	p->ops_last = &p->ops;
	p->grace_ns = p->dereg_ns = p->store_ns = RG_NEVER;
	home->n_pairs++;
	home->n_state[LEASE_FREE]++;
	lease_index_add(&e->by_impi, p);
	lease_index_add(&e->by_impu, p);
	if (fixed_sub != NULL)
		lease_index_add(&e->by_sub, p);
	lease_pool_give(p);
	return 0;
}

void lease_pair_set_state(struct lease_pair *p, enum lease_state s) {
	struct lease_pool *pool = lease_pool_of(p);

	pool->n_state[p->l.state]--;
	pool->n_state[s]++;
	p->l.state = s;
}

struct lease_pair *lease_pair_find(const struct lease_engine *e, uint32_t idx, uint64_t gen) {
	struct lease_pair *p = idx < e->n_pairs ? &e->pairs[idx] : NULL;

	return p != NULL && p->l.gen == gen && lease_is_live(&p->l) ? p : NULL;
}

const struct lease *lease_get(const struct lease_engine *e, uint32_t idx, uint64_t gen) {
	const struct lease_pair *p = lease_pair_find(e, idx, gen);

	return p == NULL ? NULL : &p->l;
}

const struct lease *lease_at(const struct lease_engine *e, uint32_t idx) {
	return idx < e->n_pairs ? &e->pairs[idx].l : NULL;
}

uint32_t lease_n_pairs(const struct lease_engine *e) {
	return e->n_pairs;
}

uint64_t lease_token_end_ns(const struct lease *l) {
	uint64_t end_ns = 0;

	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (l->tokens[i].end_ns > end_ns)
			end_ns = l->tokens[i].end_ns;
	return end_ns;
}

const char *lease_state_name(enum lease_state s) {
	static const char *const names[LEASE_N_STATES] = {
		"free", "offered", "pending", "active", "dereg-pending", "unknown", "quarantine",
	};

	return (unsigned)s < LEASE_N_STATES ? names[s] : "?";
}
