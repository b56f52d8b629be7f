// SPDX-License-Identifier: BSD-3-Clause
// Restores what the store knows. Times on disk become CLOCK_BOOTTIME (disk_clock.c).
#include "lease/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"

struct load {
	struct lease_engine *e;
	int64_t *reassign_ms; // of each pair, for the order of the free ones
	uint32_t next;        // the pair behind that of the last record
};

// A pair that was free long ago needs no more than its generation.
static int hold(struct load *ld, uint32_t idx, const struct store_lease *row) {
	uint64_t until_ns = lease_clock_to_boot_ns(ld->e, row->reassign_ms);
	struct lease_pair *p;

	if (row->reassign_ms > ld->reassign_ms[idx])
		ld->reassign_ms[idx] = row->reassign_ms;
	if (until_ns <= env_now_ns(ld->e->env))
		return 0;
	p = lease_pair_get(ld->e, idx);
	if (p == NULL)
		return -ENOMEM;
	lease_pair_not_before(p, until_ns);
	return 0;
}

static void restore_tokens(struct lease_pair *p, const struct store_lease *row) {
	uint64_t now_ns = env_now_ns(p->e->env);
	unsigned n = 0;

	for (unsigned i = 0; i < STORE_TOKENS; i++) {
		int64_t end_ms = row->tokens[i].end_ms;
		uint64_t end_ns = end_ms == 0 ? 0 : lease_clock_to_boot_ns(p->e, end_ms);

		if (end_ns <= now_ns)
			continue;
		p->l.tokens[n++] = (struct lease_token){row->tokens[i].digest, end_ns, 0};
		// longer lifetimes may be configured now
		lease_pair_not_before(p, lease_reassign_ns(p->e, end_ns));
	}
}

static int restore_live(struct lease_pair *p, const struct store_lease *row) {
	struct lease *l = &p->l;

	bool is_offered = row->state == LEASE_OFFERED || !lease_is_ours(p);

	l->scenario = row->scenario;
	l->is_stale = true;
	p->granted_ms = row->granted_ms;
	// What was under way when we ended.
	p->lost_register_ns = p->lost_dereg_ns =
		lease_add_ns(env_now_ns(p->e->env), p->e->cfg.t_sip_ns);
	// One of our name may live on, cut off, and register it: that it ends early nobody can say.
	if (lease_is_ours(p) && store_has_taken_name(p->e->store))
		l->is_moved = p->is_dirty = true;
	lease_pair_set_state(p, is_offered ? LEASE_OFFERED : LEASE_ACTIVE);
	lease_pair_arm(p);
	return lease_pair_publish(p);
}

// Of a store that is not the last one (INV-11) no token is good. One of after its loss is, also where a
// boot has set the clock back to before the end of the hold; a WWSF's generations tell nothing of that.
static bool is_of_before(const struct lease_engine *e, uint32_t idx, uint64_t gen) {
	return env_now_ns(e->env) < e->hold_until_ns &&
	       (gen <= e->gen_floor || e->pools[e->slots[idx].pool]->is_foreign);
}

static bool has_token(const struct lease_engine *e, uint32_t idx, const struct store_lease *row) {
	uint64_t now_ns = env_now_ns(e->env);
	bool is_found = false;

	if (row->state == LEASE_FREE || row->state >= LEASE_QUARANTINE ||
	    is_of_before(e, idx, row->gen))
		return false;
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		is_found |= row->tokens[i].end_ms != 0 &&
			    lease_clock_to_boot_ns(e, row->tokens[i].end_ms) > now_ns;
	return is_found;
}

static void set_gen(struct lease_engine *e, uint32_t idx, uint64_t gen) {
	e->slots[idx].gen = gen;
	if (e->slots[idx].pair != NULL)
		e->slots[idx].pair->l.gen = gen;
}

static int restore(struct load *ld, uint32_t idx, const struct store_lease *row) {
	struct lease_pair *p;
	char *sub;

	set_gen(ld->e, idx, row->gen);
	ld->e->slots[idx].is_over = row->state == LEASE_FREE || row->state >= LEASE_QUARANTINE;
	if (ld->e->slots[idx].pair == NULL && !has_token(ld->e, idx, row))
		return 0;
	p = lease_pair_get(ld->e, idx);
	if (p == NULL)
		return -ENOMEM;
	sub = strdup(row->sub);
	if (sub == NULL)
		return -ENOMEM;
	lease_pair_set_sub(p, sub);
	p->l.gateway = lease_gateway_idx(ld->e, row->gateway);
	p->l.is_moved = (row->flags & STORE_MOVED) != 0;
	p->ended_ms = row->ended_ms;
	if (!has_token(ld->e, idx, row))
		return 0;
	restore_tokens(p, row);
	return restore_live(p, row);
}

// What an operator can mend; other codes speak for themselves.
static int fault(struct lease_engine *e, const struct store_lease *row, int rc) {
	if (rc == RG_E_CONFLICT)
		snprintf(e->load_fault, sizeof(e->load_fault),
			 "pair '%s %s' was imported into pool '%s', but its IMPI or IMPU is also "
			 "elsewhere, in a pool's or the accounts' file: remove it there",
			 row->impi, row->impu, row->pool);
	else if (rc == RG_E_LIMIT)
		snprintf(e->load_fault, sizeof(e->load_fault),
			 "more than %u pairs: raise leases.max", e->max_pairs);
	return rc;
}

const char *lease_load_fault(const struct lease_engine *e) {
	return e->load_fault;
}

// Records come in the order of IMPIs, and mostly pairs were added in that order, too: a look at the next
// one spares the index, which is a few cache misses of its own.
static uint32_t find_impi(struct load *ld, struct rg_slice impi) {
	const struct lease_engine *e = ld->e;
	uint32_t idx = LEASE_NO_PAIR;

	if (ld->next < e->n_pairs) {
		const struct lease_key k = lease_key_impi(e, ld->next);

		if (lease_key_is(&k, impi, false))
			idx = ld->next;
	}
	if (idx == LEASE_NO_PAIR)
		idx = lease_index_find(&e->by_impi, e, impi);
	if (idx != LEASE_NO_PAIR)
		ld->next = idx + 1;
	return idx;
}

// Mostly the one that the IMPI named.
static uint32_t find_impu(const struct lease_engine *e, uint32_t likely, struct rg_slice impu) {
	if (likely != LEASE_NO_PAIR) {
		const struct lease_key k = lease_key_impu(e, likely);

		if (lease_key_is(&k, impu, false))
			return likely;
	}
	return lease_index_find(&e->by_impu, e, impu);
}

// Where its tokens go is a cache miss each: asked for before the rest, which takes as long.
static void prefetch(const struct lease_engine *e, const struct store_lease *row) {
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (row->tokens[i].end_ms != 0)
			lease_table_prefetch(e->table, &row->tokens[i].digest);
}

static int on_row(void *arg, const struct store_lease *row) {
	struct load *ld = arg;
	struct lease_engine *e = ld->e;
	uint32_t i, u;
	int rc;

	prefetch(e, row);
	rc = lease_import_record(e, row);
	i = find_impi(ld, rg_str(row->impi));
	u = find_impu(e, i, rg_str(row->impu));

	if (rc == RG_E_CONFLICT && i == LEASE_NO_PAIR && e->slots[u].is_imported)
		// Two gateways imported it at the same time: the first in the store is the pair.
		log_put(e->log, LOG_ERROR, "lease.identity_twice", LOG_S("impi", row->impi),
			LOG_S("impu", row->impu));
	else if (rc != 0)
		return fault(e, row, rc);
	rc = i == LEASE_NO_PAIR ? 0 : hold(ld, i, row);
	if (i != LEASE_NO_PAIR) {
		e->slots[i].rev = row->rev;
		lease_mark(e, i, lease_row_cause(row));
	}
	if (i != LEASE_NO_PAIR && lease_is_same_pair(e, i, row))
		return rc == 0 ? restore(ld, i, row) : rc;
	// Identities that were paired differently, or in another pool: no token of then can be good,
	// and neither may be given out before the old pair was over.
	if (i != LEASE_NO_PAIR)
		set_gen(e, i, row->gen);
	if (rc == 0 && u != LEASE_NO_PAIR && u != i)
		rc = hold(ld, u, row);
	// The record that says so of u may be replaced before: u has its own then.
	if (rc == 0 && u != LEASE_NO_PAIR && u != i && e->slots[u].pair != NULL)
		e->slots[u].pair->is_dirty = true;
	return rc;
}

struct freed {
	int64_t reassign_ms;
	uint32_t idx;
};

static int compare_freed(const void *a, const void *b) {
	const struct freed *x = a, *y = b;

	if (x->reassign_ms != y->reassign_ms)
		return x->reassign_ms < y->reassign_ms ? -1 : 1;
	return x->idx < y->idx ? -1 : x->idx > y->idx;
}

// Pairs that are not live: into quarantine, or to the free lists, oldest first (INV-13).
static void sort_out(struct load *ld, struct freed *freed) {
	struct lease_engine *e = ld->e;
	size_t n = 0;

	for (uint32_t i = 0; i < e->n_pairs; i++) {
		struct lease_pair *p = e->slots[i].pair;

		// Who counts elsewhere goes on counting: its tokens of before end with the hold.
		if (e->slots[i].gen < e->gen_floor && !e->pools[e->slots[i].pool]->is_foreign)
			set_gen(e, i, e->gen_floor);
		e->slots[i].is_listed = false;
		if (p == NULL) {
			freed[n++] = (struct freed){ld->reassign_ms[i], i};
		} else if (!lease_is_live(&p->l)) {
			lease_pair_set_state(p, LEASE_QUARANTINE);
			lease_pool_hold(p);
			lease_pair_go(p);
		} else if (p->is_dirty) {
			lease_pair_go(p);
		}
	}
	qsort(freed, n, sizeof(*freed), compare_freed);
	for (size_t i = 0; i < n; i++)
		lease_pool_give(e, freed[i].idx);
}

int lease_engine_load(struct lease_engine *e) {
	struct load ld = {e, calloc(e->max_pairs + (size_t)1, sizeof(int64_t)), 0};
	struct freed *freed = calloc(e->max_pairs + (size_t)1, sizeof(*freed));
	const struct store_load cb = {on_row, &ld};
	const struct store_watch watch = {lease_on_record, lease_on_value, e};
	int rc = -ENOMEM;

	if (ld.reassign_ms != NULL && freed != NULL)
		rc = lease_clock_init(e);
	store_set_watch(e->store, &watch);
	if (rc == 0)
		rc = store_load_all(e->store, &cb);
	if (rc == 0) {
		for (struct lease_pool *pool = e->first_pool; pool != NULL; pool = pool->next)
			pool->first_free = pool->last_free = LEASE_NO_PAIR, pool->n_listed = 0;
		sort_out(&ld, freed);
		store_settle_name(e->store);
		lease_drain_load(e, NULL);
		lease_baseline_load(e);
	}
	free(ld.reassign_ms);
	free(freed);
	return rc;
}
