// SPDX-License-Identifier: BSD-3-Clause
// Which pairs the core's refusals take out of rotation (ims.md 6.4), and when it is the core that is
// at fault. Control loop.
#include "ims/op.h"

// The first REGISTER of a lease. What the core says of a refresh is no news of the subscription, and an
// account has no other pair to go to; nor is anything given out of a pool that is not configured.
static bool is_telling(const struct ims *ims, const struct lease *l) {
	return l != NULL && l->binding.contact.len == 0 && !l->is_stale && !l->is_fixed &&
	       l->pool < ims->conf->n_pools;
}

static bool is_known(const struct ims_run *run, uint32_t idx) {
	for (unsigned i = 0; i < run->n; i++)
		if (run->idx[i] == idx)
			return true;
	return false;
}

// So many pairs are not barred one after the other: they go back, and those that follow stay.
static void put_back(struct ims *ims, const struct ims_run *run, const struct lease *l) {
	const uint16_t pool = l->pool;

	log_put(ims->log, LOG_ERROR, "core_refuses_all", LOG_S("pool", ims->conf->pools[pool].name),
		LOG_U("pairs", run->n), LOG_S("effect", "refused pairs stay in rotation"),
		LOG_S("cure", "have the core trust this gateway and the HSS know these pairs"));
	ims->stats.refused_runs++;
	for (unsigned i = 0; i < run->n; i++) {
		l = lease_at(ims->leases, run->idx[i]);
		if (l->suspect == LEASE_SUSPECT_FORBIDDEN || l->suspect == LEASE_SUSPECT_UNKNOWN)
			(void)!lease_set_suspect(ims->leases, run->idx[i], LEASE_SUSPECT_NONE);
	}
}

void suspect_refused(const struct op *op, unsigned status, const struct lease *l) {
	struct ims *ims = op->ims;
	struct ims_run *run;

	if (op->is_dereg || (status != 403 && status != 404) || !is_telling(ims, l))
		return;
	run = &ims->runs[l->pool];
	if (run->n < IMS_RUN_MAX && !is_known(run, op->idx)) {
		run->idx[run->n++] = op->idx;
		if (run->n == IMS_RUN_MAX)
			put_back(ims, run, l);
	}
	if (run->n == IMS_RUN_MAX) {
		ims->stats.suspects_spared++;
		return;
	}
	ims->stats.suspects++;
	(void)!lease_set_suspect(ims->leases, op->idx,
				 status == 403 ? LEASE_SUSPECT_FORBIDDEN : LEASE_SUSPECT_UNKNOWN);
}

void suspect_accepted(struct ims *ims, const struct lease *l) {
	struct ims_run *run;

	if (!is_telling(ims, l))
		return;
	run = &ims->runs[l->pool];
	if (run->n == IMS_RUN_MAX)
		log_put(ims->log, LOG_WARN, "core_accepts_again",
			LOG_S("pool", ims->conf->pools[l->pool].name));
	run->n = 0;
}
