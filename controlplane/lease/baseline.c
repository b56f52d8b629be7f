// SPDX-License-Identifier: BSD-3-Clause
// A core that grants more than it is asked for: from then on the formula without feedback holds
// (ims.md 6.2), on all gateways and for good. The value is a record like any other: tried until the
// store has it, and nothing that memory knows is acknowledged before.
#include "lease/engine.h"

#include "regate/err.h"

#define KEY "lease.core_exceeds"
#define RETRY_NS (5 * RG_NS_PER_S)

void lease_baseline_load(struct lease_engine *e) {
	uint8_t value;
	size_t len = 1;

	e->baseline.is_on |= store_get(e->store, KEY, &value, &len) == 0;
}

// Pairs that have a record under way answer with that.
static void end_waits(struct lease_engine *e, int rc) {
	for (uint32_t i = 0; i < e->n_pairs; i++) {
		struct lease_pair *p = e->slots[i].pair;

		if (p == NULL || p->waits == NULL || p->is_dirty || p->is_committing)
			continue;
		p->n_holds++;
		lease_waits_end(p, rc);
		p->n_holds--;
		lease_pair_rest(p);
	}
}

static void put(struct lease_engine *e);

static void on_retry(struct env_timer *t, uint64_t) {
	put((struct lease_engine *)((uint8_t *)t - offsetof(struct lease_engine, baseline.timer)));
}

static void on_put(void *arg, int rc, uint64_t) {
	struct lease_engine *e = arg;

	e->n_commits--;
	if (e->is_dead) {
		lease_engine_destroy(e);
		return;
	}
	e->baseline.is_dirty = rc != 0;
	if (rc != 0) {
		log_put(e->log, LOG_ERROR, "lease.not_stored", LOG_S("value", KEY),
			LOG_S("why", rg_strerror(rc)));
		env_timer_set(e->env, &e->baseline.timer, env_now_ns(e->env) + RETRY_NS);
	}
	end_waits(e, rc);
}

static void put(struct lease_engine *e) {
	uint8_t value = 1;

	if (store_put(e->store, KEY, &value, 1, false, on_put, e) == 0)
		e->n_commits++;
	else
		env_timer_set(e->env, &e->baseline.timer, env_now_ns(e->env) + RETRY_NS);
}

void lease_core_exceeded(struct lease_engine *e) {
	if (e->baseline.is_on)
		return;
	e->baseline.is_on = e->baseline.is_dirty = true;
	e->baseline.timer.fn = on_retry;
	log_put(e->log, LOG_ERROR, "lease.core_exceeds",
		LOG_S("effect", "pairs are kept for one registration longer from now on"),
		LOG_S("cure", "have the core grant no more than it is asked for"));
	put(e);
}
