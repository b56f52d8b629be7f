// SPDX-License-Identifier: BSD-3-Clause
// An operator at one of the gateways, while the world runs: pairs taken out of rotation and put back,
// pools drained and opened, a pair imported and removed, leases released.
#include "lease/operator.h"
#include "world.h"

#define IMPI "pair-8@ims.example.net"
#define IMPU "sip:" IMPI

static void log_at(struct gateway *g, struct history_event e) {
	e.gateway = (uint8_t)g->id;
	world_log(g->w, e);
}

static void put_back(struct gateway *g, uint32_t pair) {
	log_at(g, (struct history_event){.kind = EV_CLEAR, .pair = pair});
	world_assert(g->w, lease_set_suspect(g->e, pair, LEASE_SUSPECT_NONE) == 0, pair);
}

static void suspect(struct world *w, struct gateway *g) {
	uint32_t pair = (uint32_t)world_random(w, lease_n_pairs(g->e));

	if (lease_at(g->e, pair)->suspect != LEASE_SUSPECT_NONE) {
		put_back(g, pair);
		w->n.put_back++;
		return;
	}
	if (world_chance(w, 60) || lease_is_removed(g->e, pair))
		return;
	log_at(g, (struct history_event){.kind = EV_SUSPECT, .pair = pair});
	world_assert(w, lease_set_suspect(g->e, pair, LEASE_SUSPECT_OPERATOR) == 0, pair);
	w->n.suspected++;
}

// --- pools

// Opened meanwhile, it may be either.
static void on_drained(void *arg, int rc, uint64_t) {
	struct operator_ask *d = arg;

	if (rc != 0 || d->n_opened != d->g->w->n_opened[d->pool])
		return;
	log_at(d->g, (struct history_event){.kind = EV_DRAIN, .pool = d->pool, .flags = 1});
	d->g->w->n.drained++;
}

static void open_pool(struct gateway *g, uint16_t pool) {
	g->w->n_opened[pool]++;
	log_at(g, (struct history_event){.kind = EV_DRAIN, .pool = pool});
	(void)!lease_pool_drain(g->e, pool, false, NULL, NULL);
}

static void drain(struct world *w, struct gateway *g) {
	uint16_t pool = (uint16_t)world_random(w, 2);
	struct lease_pool_stats st;
	struct operator_ask *d;

	lease_get_pool_stats(g->e, pool, &st);
	if (st.is_draining) {
		open_pool(g, pool);
		return;
	}
	if (w->n_drains == MAX_DRAINS || world_chance(w, 60))
		return;
	d = &w->drains[w->n_drains++];
	*d = (struct operator_ask){.g = g, .pool = pool, .n_opened = w->n_opened[pool]};
	(void)!lease_pool_drain(g->e, pool, true, on_drained, d);
}

// --- the imported pair

static void on_imported(void *arg, int rc) {
	const struct operator_ask *a = arg;

	if (!a->is_removal)
		log_at(a->g, (struct history_event){.kind = EV_IMPORT, .pair = PAIR_IMPORTED});
	if (rc != 0)
		return;
	a->g->w->n.imported += !a->is_removal;
	a->g->w->n.removed += a->is_removal;
	a->g->has_imported = !a->is_removal;
}

static void import(struct gateway *g) {
	struct operator_ask *a = &g->imports[0];

	*a = (struct operator_ask){.g = g};
	if (lease_import(g->e, 0, IMPI, IMPU, on_imported, a) == 0)
		log_at(g, (struct history_event){.kind = EV_IMPORT,
						 .pair = PAIR_IMPORTED,
						 .flags = 1});
}

static void remove_imported(struct gateway *g) {
	struct operator_ask *a = &g->imports[1];

	*a = (struct operator_ask){.g = g, .is_removal = true};
	if (lease_remove(g->e, 0, IMPI, IMPU, on_imported, a) != 0)
		return;
	g->has_imported = false;
	log_at(g, (struct history_event){.kind = EV_CLEAR, .pair = PAIR_IMPORTED});
}

// --- leases

static struct user *owner(struct world *w, uint32_t pair, uint64_t gen) {
	for (unsigned i = 1; i <= w->n_users; i++)
		if (w->users[i].has_lease && w->users[i].idx == pair && w->users[i].gen == gen)
			return &w->users[i];
	return NULL;
}

static void release(struct world *w, struct gateway *g) {
	uint32_t pair = (uint32_t)world_random(w, lease_n_pairs(g->e));
	const struct lease *l = lease_at(g->e, pair);
	struct history_event e = {.kind = EV_INVOKE, .op = OP_RELEASE, .pair = pair, .gen = l->gen};
	bool is_live = l->state != LEASE_QUARANTINE && lease_hold_of(g->e, pair) == LEASE_HOLD_NONE;
	struct user *c = owner(w, pair, l->gen);

	if (l->state == LEASE_FREE || (is_live && c == NULL)) // its grant has no answer yet
		return;
	if (is_live)
		user_end(w, g, c, true);
	else
		(void)!lease_release(g->e, pair);
	log_at(g, e);
	w->n.released++;
}

void operator_step(struct world *w) {
	struct gateway *g = gateway_any(w);

	if (g == NULL)
		return;
	switch (world_random(w, 5)) {
	case 0:
		suspect(w, g);
		break;
	case 1:
		drain(w, g);
		break;
	case 2:
		import(g);
		break;
	case 3:
		remove_imported(g);
		break;
	default:
		release(w, g);
	}
}

// All have heard the same.
static void check_draining(struct world *w, uint16_t pool) {
	struct lease_pool_stats first, other;

	lease_get_pool_stats(w->gw[0].e, pool, &first);
	for (unsigned i = 1; i < w->n_gateways; i++) {
		lease_get_pool_stats(w->gw[i].e, pool, &other);
		world_assert(w, first.is_draining == other.is_draining, N_PAIRS);
	}
}

void operator_heal(struct world *w) {
	for (uint16_t pool = 0; pool < 2; pool++) {
		check_draining(w, pool);
		open_pool(&w->gw[0], pool);
	}
	import(&w->gw[0]);
	world_advance(w, 10 * RG_NS_PER_S);
	for (uint32_t pair = 0; pair < N_PAIRS; pair++)
		for (unsigned i = 0; i < w->n_gateways; i++)
			put_back(&w->gw[i], pair);
}
