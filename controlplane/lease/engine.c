// SPDX-License-Identifier: BSD-3-Clause
// The engine's life, its pairs, and looking them up.
#include "lease/grant.h"
#include "lease/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "regate/huge.h"

#define N_POOLS (UINT16_MAX + 1)
#define OUTAGE_NS (30 * 86400 * RG_NS_PER_S)
#define MARK_NS RG_NS_PER_S

// Resident bytes for each, all told, as bench/lease measures them.
#define FREE_BYTES 90
#define LEASED_BYTES 1400

uint64_t lease_engine_bytes(uint32_t max_pairs, bool is_leased) {
	return (uint64_t)max_pairs * (is_leased ? LEASED_BYTES : FREE_BYTES);
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
	e->to_sign_last = &e->to_sign;
	e->sign_timer.fn = lease_sign_fn;
	e->walk_timer.fn = lease_withdrawal_fn;
	if (e->cfg.gateway == NULL)
		e->cfg.gateway = "";
	if (e->cfg.outage_ns == 0)
		e->cfg.outage_ns = OUTAGE_NS;
	if (e->cfg.mark_ns == 0)
		e->cfg.mark_ns = MARK_NS;
	e->slots = rg_huge_alloc(max_pairs + (size_t)1, sizeof(*e->slots));
	e->view = malloc(sizeof(*e->view));
	e->pools = calloc(N_POOLS, sizeof(struct lease_pool *));
	e->table = lease_table_new((uint64_t)max_pairs * STORE_TOKENS);
	if (e->slots == NULL || e->view == NULL || e->pools == NULL || e->table == NULL ||
	    lease_index_init(&e->by_impi, lease_key_impi, false, max_pairs) != 0 ||
	    lease_index_init(&e->by_impu, lease_key_impu, false, max_pairs) != 0 ||
	    lease_index_init(&e->by_sub, lease_key_sub, true, 0) != 0 ||
	    lease_index_init(&e->by_domain, lease_key_domain, true, 0) != 0) {
		lease_engine_free(e);
		return NULL;
	}
	return e;
}

// The store or the crypto pool still holds a pointer to what is committing: that goes with its answer,
// and with it the operation that is being signed.
static void pair_free(struct lease_pair *p) {
	struct lease_op *op;

	env_timer_cancel(p->e->env, &p->timer);
	while ((op = p->ops) != NULL) {
		p->ops = op->next;
		lease_op_cancel(op);
	}
	if (p->running == NULL || p->running->pair == NULL)
		lease_op_cancel(p->running);
	lease_import_end(p, -ECANCELED);
	lease_waits_end(p, -ECANCELED);
	lease_news_free(p);
	free(p->l.sub);
	lease_binding_clear(p);
	free(p->lost);
	if (!p->is_committing)
		free(p);
}

void lease_engine_destroy(struct lease_engine *e) {
	if (e->n_commits > 0)
		return;
	free(e);
}

void lease_engine_free(struct lease_engine *e) {
	struct lease_pool *pool;
	struct lease_op *op;

	if (e == NULL)
		return;
	lease_sign_stop(e);
	lease_withdrawals_stop(e);
	for (uint32_t i = 0; i < e->n_pairs; i++)
		if (e->slots[i].pair != NULL)
			pair_free(e->slots[i].pair);
	lease_identity_fini(e);
	rg_huge_free(e->slots, e->max_pairs + (size_t)1, sizeof(*e->slots));
	free(e->view);
	while ((pool = e->first_pool) != NULL) {
		e->first_pool = pool->next;
		lease_pool_free(pool);
	}
	while ((op = e->late) != NULL) {
		e->late = op->next;
		lease_op_cancel(op);
	}
	env_timer_cancel(e->env, &e->late_timer);
	env_timer_cancel(e->env, &e->clock.timer);
	env_timer_cancel(e->env, &e->baseline.timer);
	store_set_watch(e->store, &(struct store_watch){0});
	for (uint16_t i = 0; i < e->n_gateways; i++)
		free(e->gateways[i]);
	free(e->gateways);
	free(e->pools);
	lease_table_free(e->table);
	lease_index_fini(&e->by_impi);
	lease_index_fini(&e->by_impu);
	lease_index_fini(&e->by_sub);
	lease_index_fini(&e->by_domain);
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

void lease_set_pool_wwsfs(struct lease_engine *e, const uint16_t *wwsfs) {
	e->pool_wwsfs = wwsfs;
}

const char *lease_pool_name(const struct lease_engine *e, uint16_t pool) {
	return pool < e->n_pool_names ? e->pool_names[pool] : "";
}

// --- gateways: there are few

uint16_t lease_gateway_idx(struct lease_engine *e, const char *name) {
	char **more, *copy;

	if (*name == '\0')
		return LEASE_GATEWAY_NONE;
	if (strcmp(name, e->cfg.gateway) == 0)
		return LEASE_GATEWAY_OURS;
	for (uint16_t i = 0; i < e->n_gateways; i++)
		if (strcmp(e->gateways[i], name) == 0)
			return (uint16_t)(LEASE_GATEWAY_OTHER + 1 + i);
	copy = strdup(name);
	more = copy == NULL || e->n_gateways == UINT16_MAX - LEASE_GATEWAY_OTHER
		       ? NULL
		       : realloc(e->gateways, (e->n_gateways + (size_t)1) * sizeof(*more));
	if (more == NULL) {
		free(copy);
		return LEASE_GATEWAY_OTHER;
	}
	e->gateways = more;
	e->gateways[e->n_gateways] = copy;
	return (uint16_t)(LEASE_GATEWAY_OTHER + 1 + e->n_gateways++);
}

const char *lease_gateway_name(const struct lease_engine *e, const struct lease *l) {
	if (l->gateway == LEASE_GATEWAY_NONE)
		return "";
	if (l->gateway == LEASE_GATEWAY_OURS)
		return e->cfg.gateway;
	return l->gateway == LEASE_GATEWAY_OTHER
		       ? "?"
		       : e->gateways[l->gateway - LEASE_GATEWAY_OTHER - 1];
}

void lease_set_fence(struct lease_engine *e, const struct lease_fence *fence) {
	e->fence = *fence;
}

// Room for the view of any pair.
static int view_grow(struct lease_engine *e, size_t size) {
	struct lease *view;

	if (size <= e->view_room)
		return 0;
	view = realloc(e->view, sizeof(*view) + size);
	if (view == NULL)
		return -ENOMEM;
	e->view = view;
	e->view_room = size;
	return 0;
}

struct hashes { // of a new pair's keys
	uint32_t impi, impu, sub;
};

static bool has(const struct lease_engine *e, const struct lease_index *x, const char *s,
		uint32_t *hash) {
	const struct rg_slice key = rg_str(s);

	*hash = lease_index_hash(key);
	return s != NULL && lease_index_find_hashed(x, e, key, *hash) != LEASE_NO_PAIR;
}

static int make_room(struct lease_engine *e, uint16_t pool, size_t view_size) {
	int rc = lease_pool_grow(e, pool) == NULL ? -ENOMEM : view_grow(e, view_size);

	if (rc == 0)
		rc = lease_index_room(&e->by_impi, e);
	if (rc == 0)
		rc = lease_index_room(&e->by_impu, e);
	return rc == 0 ? lease_index_room(&e->by_sub, e) : rc;
}

static void add(struct lease_engine *e, uint32_t idx, const struct hashes *h) {
	struct lease_pool *pool = e->pools[e->slots[idx].pool];

	e->n_pairs++;
	pool->n_pairs++;
	pool->n_state[LEASE_FREE]++;
	lease_index_add(&e->by_impi, h->impi, idx);
	lease_index_add(&e->by_impu, h->impu, idx);
	if (e->slots[idx].is_fixed)
		lease_index_add(&e->by_sub, h->sub, idx);
}

int lease_pair_add(struct lease_engine *e, uint16_t pool, uint16_t wwsf, const char *impi,
		   const char *impu, const char *fixed_sub) {
	struct lease_slot *slot = &e->slots[e->n_pairs];
	struct hashes h;
	int rc;

	if (e->n_pairs == e->max_pairs)
		return RG_E_LIMIT;
	if (has(e, &e->by_impi, impi, &h.impi) || has(e, &e->by_impu, impu, &h.impu) ||
	    has(e, &e->by_sub, fixed_sub, &h.sub))
		return RG_E_CONFLICT;
	rc = make_room(e, pool, strlen(impi) + strlen(impu) + 2);
	if (rc != 0)
		return rc;
	*slot = (struct lease_slot){.pool = pool,
				    .wwsf = wwsf,
				    .is_fixed = fixed_sub != NULL,
				    .gen = e->pools[pool]->is_foreign ? 0 : e->gen_floor};
	rc = lease_identity_set(e, slot, impi, impu, fixed_sub);
	if (rc == 0)
		add(e, e->n_pairs, &h);
	return rc;
}

int lease_add_pair(struct lease_engine *e, uint16_t pool, uint16_t wwsf, const char *impi,
		   const char *impu, const char *fixed_sub) {
	int rc = lease_pair_add(e, pool, wwsf, impi, impu, fixed_sub);

	if (rc != 0)
		return rc;
	e->slots[e->n_pairs - 1].is_filed = true;
	lease_pool_give(e, e->n_pairs - 1);
	return 0;
}

static void fill(const struct lease_engine *e, struct lease *l, uint32_t idx, char *text) {
	const struct lease_slot *slot = &e->slots[idx];

	*l = (struct lease){.idx = idx,
			    .gen = slot->gen,
			    .state = LEASE_FREE,
			    .is_fixed = slot->is_fixed,
			    .suspect = slot->suspect,
			    .wwsf = slot->wwsf,
			    .pool = slot->pool};
	lease_identity_write(e, l, text);
}

struct lease_pair *lease_pair_get(struct lease_engine *e, uint32_t idx) {
	struct lease_pair *p = e->slots[idx].pair;

	if (p != NULL)
		return p;
	p = calloc(1, sizeof(*p) + lease_identity_size(e, idx));
	if (p == NULL)
		return NULL;
	fill(e, &p->l, idx, p->text);
	p->e = e;
	p->timer.fn = lease_pair_fn;
	p->ops_last = &p->ops;
	p->grace_ns = p->dereg_ns = p->store_ns = RG_NEVER;
	e->slots[idx].pair = p;
	return p;
}

void lease_pair_rest(struct lease_pair *p) {
	if (p->l.state != LEASE_FREE || p->is_committing || p->is_dirty || p->is_starting ||
	    p->ops != NULL || p->waits != NULL || p->n_holds > 0)
		return;
	p->e->slots[p->l.idx].pair = NULL;
	pair_free(p);
}

void lease_pair_set_gen(struct lease_pair *p, uint64_t gen) {
	p->l.gen = p->e->slots[p->l.idx].gen = gen;
	p->e->slots[p->l.idx].is_over = false;
}

// What may follow what. Everything may become QUARANTINE, by which a takeover goes, too.
static const uint8_t may_follow[LEASE_N_STATES] = {
#define S(s) (1u << LEASE_##s)
	[LEASE_FREE] = S(OFFERED) | S(ACTIVE) | S(QUARANTINE),
	[LEASE_OFFERED] = S(OFFERED) | S(PENDING) | S(DEREG_PENDING) | S(QUARANTINE) | S(FREE),
	[LEASE_PENDING] = S(OFFERED) | S(ACTIVE) | S(DEREG_PENDING) | S(UNKNOWN) | S(QUARANTINE),
	[LEASE_ACTIVE] = S(OFFERED) | S(PENDING) | S(DEREG_PENDING) | S(UNKNOWN) | S(QUARANTINE),
	[LEASE_DEREG_PENDING] =
		S(OFFERED) | S(ACTIVE) | S(DEREG_PENDING) | S(UNKNOWN) | S(QUARANTINE),
	[LEASE_UNKNOWN] = S(OFFERED) | S(PENDING) | S(DEREG_PENDING) | S(QUARANTINE) | S(UNKNOWN),
	[LEASE_QUARANTINE] = S(FREE) | S(OFFERED) | S(ACTIVE) | S(QUARANTINE),
#undef S
};

void lease_bug(const struct lease_engine *e, uint32_t idx, const char *what) {
	const struct lease_slot *slot = &e->slots[idx];
	uint64_t reassign_ns = slot->pair == NULL ? 0 : slot->pair->l.reassign_ns;

	log_put(e->log, LOG_ERROR, "lease.invariant_broken", LOG_S("what", what),
		LOG_U("lease", idx), LOG_U("gen", slot->gen), LOG_U("rev", slot->rev),
		LOG_S("state", lease_state_name(slot->state)), LOG_U("now_ns", env_now_ns(e->env)),
		LOG_U("reassign_ns", reassign_ns));
	fprintf(stderr, "lease %u gen %ju %s: %s\n", idx, (uintmax_t)slot->gen,
		lease_state_name(slot->state), what);
	abort();
}

void lease_pair_set_state(struct lease_pair *p, enum lease_state s) {
	struct lease_pool *pool = lease_pool_of(p);
	bool is_suspect = p->l.suspect != LEASE_SUSPECT_NONE, is_busy = s != LEASE_FREE;

	if ((may_follow[p->l.state] & 1u << s) == 0)
		lease_bug(p->e, p->l.idx, "no state may follow like that");
	if (s == LEASE_FREE && p->l.state == LEASE_QUARANTINE &&
	    p->l.reassign_ns > env_now_ns(p->e->env))
		lease_bug(p->e, p->l.idx, "a pair is free before its time (INV-4)");
	p->e->n_busy += is_busy - (p->l.state != LEASE_FREE);
	pool->n_state[p->l.state]--;
	pool->n_state[s]++;
	pool->n_disabled += (!is_busy && is_suspect) - (p->l.state == LEASE_FREE && is_suspect);
	p->l.state = s;
	p->e->slots[p->l.idx].state = (uint8_t)s;
	if (is_busy)
		lease_clock_run(p->e);
}

struct lease_pair *lease_pair_find(const struct lease_engine *e, uint32_t idx, uint64_t gen) {
	struct lease_pair *p = idx < e->n_pairs ? e->slots[idx].pair : NULL;

	return p != NULL && p->l.gen == gen && lease_is_live(&p->l) ? p : NULL;
}

const struct lease *lease_get(const struct lease_engine *e, uint32_t idx, uint64_t gen) {
	const struct lease_pair *p = lease_pair_find(e, idx, gen);

	return p == NULL ? NULL : &p->l;
}

void lease_get_counters(const struct lease_engine *e, struct lease_counters *out) {
	*out = e->counters;
}

const struct lease *lease_at(const struct lease_engine *e, uint32_t idx) {
	if (idx >= e->n_pairs)
		return NULL;
	if (e->slots[idx].pair != NULL)
		return &e->slots[idx].pair->l;
	fill(e, e->view, idx, (char *)(e->view + 1));
	return e->view;
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
