// SPDX-License-Identifier: BSD-3-Clause
// What is not given out though it is free: suspect pairs, and pools that drain.
#include "lease/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"

#define DRAIN_PREFIX "pool.drain."
#define KEY_MAX 128

const char *lease_suspect_name(enum lease_suspect cause) {
	static const char *const names[] = {"none", "operator", "core-forbids", "core-unknown",
					    "other-identity"};

	return (unsigned)cause < sizeof(names) / sizeof(*names) ? names[cause] : "?";
}

void lease_mark(struct lease_engine *e, uint32_t idx, enum lease_suspect cause) {
	struct lease_slot *slot = &e->slots[idx];
	struct lease_pool *pool = e->pools[slot->pool];
	int step = (cause != LEASE_SUSPECT_NONE) - (slot->suspect != LEASE_SUSPECT_NONE);
	bool is_free = slot->state == LEASE_FREE;

	slot->suspect = (uint8_t)cause;
	if (slot->pair != NULL)
		slot->pair->l.suspect = (uint8_t)cause;
	pool->n_suspect += (uint32_t)step;
	pool->n_disabled += is_free ? (uint32_t)step : 0;
	if (step > 0)
		lease_pool_unlink(e, idx);
	else if (step < 0 && is_free)
		lease_pool_give(e, idx);
}

enum lease_suspect lease_row_cause(const struct store_lease *row) {
	unsigned cause = row->flags >> STORE_CAUSE_SHIFT;

	if ((row->flags & STORE_SUSPECT) == 0)
		return LEASE_SUSPECT_NONE;
	return cause == LEASE_SUSPECT_NONE ? LEASE_SUSPECT_OPERATOR : cause;
}

int lease_set_suspect(struct lease_engine *e, uint32_t idx, enum lease_suspect cause) {
	struct lease_pair *p;

	if (idx >= e->n_pairs)
		return RG_E_STALE;
	if (e->slots[idx].suspect == cause)
		return 0;
	p = lease_pair_get(e, idx);
	if (p == NULL)
		return -ENOMEM;
	log_put(e->log, LOG_WARN, "lease.suspect", LOG_U("lease", idx), LOG_S("impu", p->l.impu),
		LOG_S("cause", lease_suspect_name(cause)));
	lease_mark(e, idx, cause);
	p->is_marked = p->is_dirty = true;
	lease_pair_go(p);
	return 0;
}

// --- pools

struct drain { // a write under way
	struct lease_engine *e;
	store_done_fn *done;
	void *arg;
	uint16_t pool;
	bool is_draining;
};

static bool value_name(const struct lease_engine *e, uint16_t idx, char name[KEY_MAX]) {
	int n = idx < e->n_pool_names
			? snprintf(name, KEY_MAX, DRAIN_PREFIX "%s", e->pool_names[idx])
			: KEY_MAX;

	return n < KEY_MAX;
}

// A pool without pairs is remembered by the store alone, until it gets its first.
static void set_draining(struct lease_engine *e, uint16_t idx, bool is_draining) {
	if (e->pools[idx] != NULL)
		e->pools[idx]->is_draining = is_draining;
}

static bool is_stored(const struct lease_engine *e, uint16_t idx, uint8_t *is_draining) {
	char name[KEY_MAX];
	size_t len = 1;

	*is_draining = 0;
	return value_name(e, idx, name) && store_get(e->store, name, is_draining, &len) == 0 &&
	       len == 1;
}

void lease_drain_load_pool(struct lease_engine *e, uint16_t idx) {
	uint8_t is_draining;

	if (is_stored(e, idx, &is_draining))
		set_draining(e, idx, is_draining != 0);
}

bool lease_drain_is_stored(const struct lease_engine *e, uint16_t idx) {
	uint8_t is_draining;

	return is_stored(e, idx, &is_draining) && is_draining != 0;
}

void lease_drain_load(struct lease_engine *e, const char *name) {
	if (name != NULL && strncmp(name, DRAIN_PREFIX, sizeof(DRAIN_PREFIX) - 1) != 0)
		return;
	for (size_t i = 0; i < e->n_pool_names; i++)
		lease_drain_load_pool(e, (uint16_t)i);
}

static void on_drain(void *arg, int rc, uint64_t rev) {
	struct drain *d = arg;
	struct lease_engine *e = d->e;

	e->n_commits--;
	if (e->is_dead) {
		rc = -ECANCELED;
	} else if (rc == 0) {
		lease_drain_load_pool(e, d->pool); // another gateway may have come after it
		log_put(e->log, LOG_INFO, d->is_draining ? "pool.draining" : "pool.open",
			LOG_S("pool", e->pool_names[d->pool]));
	}
	if (d->done != NULL)
		d->done(d->arg, rc, rev);
	free(d);
	if (e->is_dead)
		lease_engine_destroy(e);
}

int lease_pool_drain(struct lease_engine *e, uint16_t idx, bool is_draining, store_done_fn *done,
		     void *arg) {
	uint8_t value = is_draining;
	char name[KEY_MAX];
	struct drain *d;
	int rc;

	if (!value_name(e, idx, name))
		return RG_E_STALE;
	d = malloc(sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	*d = (struct drain){e, done, arg, idx, is_draining};
	rc = store_put(e->store, name, &value, 1, false, on_drain, d);
	if (rc != 0)
		free(d);
	else
		e->n_commits++;
	return rc;
}
