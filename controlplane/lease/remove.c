// SPDX-License-Identifier: BSD-3-Clause
// Imported pairs that are taken back. The record stays, for its generation (I4), but provisions nothing
// any more; the slot stays as well, unseen, until the process ends or the pair is imported again.
#include "lease/import.h"

#include <errno.h>

#include "regate/err.h"

void lease_hide(struct lease_engine *e, uint32_t idx) {
	struct lease_slot *slot = &e->slots[idx];

	if (slot->is_removed)
		return;
	slot->is_imported = false;
	slot->is_removed = slot->is_withheld = true;
	e->pools[slot->pool]->n_removed++;
	lease_mark(e, idx, LEASE_SUSPECT_NONE);
	lease_pool_unlink(e, idx);
}

void lease_unhide(struct lease_engine *e, uint32_t idx) {
	struct lease_slot *slot = &e->slots[idx];

	if (!slot->is_removed)
		return;
	slot->is_removed = false;
	e->pools[slot->pool]->n_removed--;
}

bool lease_is_removed(const struct lease_engine *e, uint32_t idx) {
	return e->slots[idx].is_removed;
}

static int admit(const struct lease_engine *e, uint32_t idx) {
	const struct lease_slot *slot = &e->slots[idx];

	if (slot->pair != NULL && slot->pair->import_done != NULL)
		return -EALREADY;
	if (slot->is_removed)
		return lease_import_is_stored(slot) ? RG_E_STALE : 0;
	if (slot->is_filed || !slot->is_imported)
		return RG_E_UNSUPPORTED;
	return slot->state == LEASE_FREE ? 0 : -EBUSY;
}

int lease_remove(struct lease_engine *e, uint16_t pool, const char *impi, const char *impu,
		 lease_import_fn *done, void *arg) {
	uint32_t idx;
	struct lease_pair *p;
	int rc = lease_import_find(e, pool, impi, impu, &idx);

	if (rc == 0)
		rc = idx == LEASE_NO_PAIR ? RG_E_STALE : admit(e, idx);
	if (rc != 0)
		return rc;
	p = lease_pair_get(e, idx);
	if (p == NULL)
		return -ENOMEM;
	lease_hide(e, idx);
	lease_import_start(p, done, arg);
	return 0;
}

void lease_remove_lost(struct lease_pair *p) {
	struct lease_slot *slot = &p->e->slots[p->l.idx];
	lease_import_fn *done = p->import_done;

	if (!slot->is_removed || p->l.state == LEASE_FREE)
		return;
	lease_unhide(p->e, p->l.idx);
	slot->is_withheld = false;
	slot->is_imported = true;
	p->import_done = NULL;
	p->n_holds++;
	if (done != NULL)
		done(p->import_arg, RG_E_CONFLICT);
	p->n_holds--;
}

void lease_import_follow(struct lease_pair *p, const struct store_lease *row) {
	struct lease_slot *slot = &p->e->slots[p->l.idx];
	bool is_imported = (row->flags & STORE_IMPORTED) != 0;

	if (p->import_done != NULL || is_imported == slot->is_imported)
		return;
	slot->is_imported = is_imported;
	if (is_imported) {
		lease_unhide(p->e, p->l.idx);
		slot->is_withheld = false;
	}
	if (slot->state == LEASE_FREE && !slot->is_listed) // else when it is
		lease_pool_give(p->e, p->l.idx);
	else if (slot->state == LEASE_FREE && !is_imported && !slot->is_filed)
		lease_hide(p->e, p->l.idx);
}
