// SPDX-License-Identifier: BSD-3-Clause
// Stand-in for the lease engine and the store: pairs that the test fills in by hand.
#include "harness.h"

struct lease_engine; // never made

uint32_t lease_n_pairs(const struct lease_engine *e) {
	(void)e;
	return fake.n_pairs;
}

const struct lease *lease_at(const struct lease_engine *e, uint32_t idx) {
	(void)e;
	fake.n_lease_at++;
	return idx < fake.n_pairs ? &fake.pairs[idx] : NULL;
}

uint64_t lease_token_end_ns(const struct lease *l) {
	return l->tokens[0].end_ns;
}

const char *lease_state_name(enum lease_state s) {
	static const char *const names[] = {"free",          "offered", "pending",   "active",
					    "dereg-pending", "unknown", "quarantine"};

	return names[s];
}

int lease_revoke(struct lease_engine *e, uint32_t idx, uint64_t gen) {
	(void)e;
	fake.revoked_idx = idx;
	fake.revoked_gen = gen;
	if (fake.revoke_rc == 0)
		fake.pairs[idx].state = LEASE_DEREG_PENDING;
	return fake.revoke_rc;
}

void lease_get_pool_stats(const struct lease_engine *e, uint16_t pool,
			  struct lease_pool_stats *out) {
	(void)e;
	*out = pool == 0 ? fake.pool : (struct lease_pool_stats){.next_free_ns = RG_NEVER};
}

void store_get_stats(const struct store *s, struct store_stats *out) {
	(void)s;
	*out = fake.store;
}
