// SPDX-License-Identifier: BSD-3-Clause
// Pairs that the store provisions: added at run time, with a record each, and found again at start.
// Until its first record is durable a pair is withheld: nobody gets what a crash would take back.
#include "lease/import.h"
#include "core/crash_point.h"

#include <errno.h>

#include "regate/err.h"

int lease_import_find(const struct lease_engine *e, uint16_t pool, const char *impi,
		      const char *impu, uint32_t *idx) {
	*idx = lease_index_find(&e->by_impi, e, rg_str(impi));
	if (*idx != lease_index_find(&e->by_impu, e, rg_str(impu)))
		return RG_E_CONFLICT;
	return *idx == LEASE_NO_PAIR || e->slots[*idx].pool == pool ? 0 : RG_E_CONFLICT;
}

bool lease_import_is_stored(const struct lease_slot *slot) {
	return slot->pair == NULL || (!slot->pair->is_dirty && !slot->pair->is_committing);
}

void lease_import_start(struct lease_pair *p, lease_import_fn *done, void *arg) {
	p->import_done = done;
	p->import_arg = arg;
	p->store_ns = RG_NEVER; // an operator asks: no need to wait with another try
	lease_pair_persist(p);
	lease_pair_arm(p);
}

int lease_import(struct lease_engine *e, uint16_t pool, const char *impi, const char *impu,
		 lease_import_fn *done, void *arg) {
	struct lease_pair *p;
	uint32_t idx;
	int rc = lease_import_find(e, pool, impi, impu, &idx);

	if (rc != 0)
		return rc;
	p = idx == LEASE_NO_PAIR ? NULL : e->slots[idx].pair;
	if (p != NULL && p->import_done != NULL)
		return p->import_arg == arg ? LEASE_IS_THERE : -EBUSY;
	if (idx != LEASE_NO_PAIR && e->slots[idx].is_imported && !e->slots[idx].is_withheld &&
	    lease_import_is_stored(&e->slots[idx]))
		return LEASE_IS_THERE;
	if (idx == LEASE_NO_PAIR) {
		rc = lease_pair_add(e, pool, e->pool_wwsfs[pool], impi, impu, NULL);
		if (rc != 0)
			return rc;
		idx = e->n_pairs - 1;
		e->slots[idx].is_withheld = true;
	}
	p = lease_pair_get(e, idx);
	if (p == NULL)
		return -ENOMEM;
	lease_unhide(e, idx);
	e->slots[idx].is_imported = true;
	lease_import_start(p, done, arg);
	return 0;
}

void lease_import_end(struct lease_pair *p, int rc) {
	struct lease_slot *slot = &p->e->slots[p->l.idx];
	lease_import_fn *done = p->import_done;

	if (rc == 0 && p->is_dirty)
		return; // that record left before the import
	if (rc == 0 && slot->is_withheld && !slot->is_removed) {
		slot->is_withheld = false;
		if (slot->state == LEASE_FREE && !slot->is_listed)
			lease_pool_give(p->e, p->l.idx);
	}
	p->import_done = NULL;
	if (done == NULL)
		return;
	CRASH_POINT("lease.before_import_answer");
	done(p->import_arg, rc);
}

static bool pool_by_name(const struct lease_engine *e, const char *name, uint16_t *pool) {
	for (size_t i = 0; i < e->n_pool_names; i++) {
		if (strcmp(e->pool_names[i], name) == 0) {
			*pool = (uint16_t)i;
			return true;
		}
	}
	return false;
}

int lease_import_record(struct lease_engine *e, const struct store_lease *row) {
	uint16_t pool;
	uint32_t idx;
	int rc;

	if ((row->flags & STORE_IMPORTED) == 0 || e->pool_wwsfs == NULL ||
	    !pool_by_name(e, row->pool, &pool))
		return 0;
	rc = lease_import_find(e, pool, row->impi, row->impu, &idx);
	if (rc == 0 && idx == LEASE_NO_PAIR) {
		idx = e->n_pairs;
		rc = lease_add_pair(e, pool, e->pool_wwsfs[pool], row->impi, row->impu, NULL);
		if (rc == 0)
			e->slots[idx].is_filed = false;
	}
	if (rc == 0 && !e->slots[idx].is_removed)
		e->slots[idx].is_imported = true;
	return rc;
}
