// SPDX-License-Identifier: BSD-3-Clause
// Giving a pair back before its time because somebody asks: never without evidence (INV-7), and who
// asks in vain is told why.
#include "lease/engine.h"
#include "lease/operator.h"

#include "regate/err.h"

const char *lease_hold_text(enum lease_hold hold) {
	static const char *const texts[] = {
		[LEASE_HOLD_NONE] = "nothing",
		[LEASE_HOLD_ASKED] = "the core is being asked to end its registration",
		[LEASE_HOLD_SILENT] = "the core did not confirm its end, and is asked again",
		[LEASE_HOLD_GUARD] = "its end is certain, and the guard time runs",
		[LEASE_HOLD_UNUSED] = "it was never registered: `lease release` gives it back",
		[LEASE_HOLD_MOVED] = "another gateway gave it out or registered it",
		[LEASE_HOLD_BINDING] = "a registration of it may still be in the core",
	};

	return texts[hold];
}

enum lease_hold lease_hold_of(const struct lease_engine *e, uint32_t idx) {
	const struct lease_pair *p = idx < e->n_pairs ? e->slots[idx].pair : NULL;

	if (p == NULL || p->l.state == LEASE_FREE || (lease_is_live(&p->l) && !p->is_ending))
		return LEASE_HOLD_NONE;
	if (lease_is_live(&p->l))
		return p->l.state == LEASE_UNKNOWN ? LEASE_HOLD_SILENT : LEASE_HOLD_ASKED;
	if (p->is_released)
		return LEASE_HOLD_GUARD;
	if (!lease_may_release(p))
		return LEASE_HOLD_MOVED;
	return p->is_unused ? LEASE_HOLD_UNUSED : LEASE_HOLD_BINDING;
}

int lease_release(struct lease_engine *e, uint32_t idx) {
	struct lease_pair *p = idx < e->n_pairs ? e->slots[idx].pair : NULL;
	uint64_t now_ns = env_now_ns(e->env);
	int rc = 0;

	if (p == NULL || p->l.state == LEASE_FREE)
		return RG_E_STALE;
	if (lease_is_live(&p->l) && !p->is_ending)
		rc = lease_revoke(e, idx, p->l.gen);
	if (lease_hold_of(e, idx) == LEASE_HOLD_UNUSED) {
		lease_pool_release(p);
		lease_pair_lower(p);
		lease_pool_hold(p);
		lease_pair_void(p);
		lease_pair_persist(p);
	} else if (lease_hold_of(e, idx) == LEASE_HOLD_SILENT && p->dereg_ns != RG_NEVER &&
		   p->lost_register_ns <= now_ns) {
		p->dereg_ns = now_ns;
	}
	lease_pair_arm(p);
	return rc;
}
