// SPDX-License-Identifier: BSD-3-Clause
// Random schedules of the lease engine against the oracle: seeds 1 to N_SEEDS, N_STEPS operations
// each. One seed again, with its counts: LEASE_SIM_SEED=17 test_lease_sim; more of them:
// LEASE_SIM_SEED=10000 LEASE_SIM_N=100000 test_lease_sim
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lease_world.h"

#define N_SEEDS 4000 // a million operations
#define N_STEPS 250

// Often a little, sometimes past a token's whole life.
static void advance(struct world *w) {
	static const uint64_t most_s[] = {1, 5, 5, 5, 30, 30, 60, 60, 120, 300, 900, 7200};
	uint64_t most_ns = most_s[world_random(w, 12)] * RG_NS_PER_S;

	env_sim_advance(w->env, 1 + world_random(w, most_ns));
}

static void disturb_store(struct world *w) {
	unsigned n = 1 + (unsigned)world_random(w, 3);

	switch (world_random(w, 3)) {
	case 0:
		store_mem_fail(w->store, n, -5);
		break;
	case 1:
		store_mem_fail_late(w->store, n, -5);
		break;
	default:
		store_mem_set_delay(w->store, world_random(w, 2) == 0
						      ? RG_NS_PER_MS
						      : world_random(w, 90 * RG_NS_PER_S));
	}
}

static void step(struct world *w) {
	static const struct {
		unsigned weight;
		void (*fn)(struct world *w);
	} ops[] = {
		{18, world_grant},     {10, world_renew},  {20, world_register},
		{6, world_deregister}, {3, world_revoke},  {12, world_flow},
		{27, advance},         {3, disturb_store}, {1, world_crash},
	};
	uint64_t pick = world_random(w, 100);

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (pick < ops[i].weight) {
			ops[i].fn(w);
			return;
		}
		pick -= ops[i].weight;
	}
}

static void run(struct world *w, uint64_t seed) {
	world_init(w, seed);
	for (w->step = 1; w->step <= N_STEPS; w->step++) {
		step(w);
		oracle_check(w);
	}
	world_fini(w);
}

// T18: no two owners. Enough must happen for the run to mean something.
START_TEST(t18_schedules_keep_the_promises) {
	struct world *w = malloc(sizeof(*w));
	const char *one = getenv("LEASE_SIM_SEED"), *many = getenv("LEASE_SIM_N");
	uint64_t first = one == NULL ? 1 : strtoull(one, NULL, 0);
	uint64_t n = many != NULL ? strtoull(many, NULL, 0) : one != NULL ? 1 : N_SEEDS;
	uint64_t n_ok = 0, n_reg = 0, n_rel = 0, n_crash = 0, n_re = 0;

	ck_assert_ptr_nonnull(w);
	for (uint64_t seed = first; seed < first + n; seed++) {
		run(w, seed);
		n_ok += w->n_grants_ok;
		n_reg += w->n_registered;
		n_rel += w->n_released;
		n_crash += w->n_crashes;
		n_re += w->n_reassigned;
	}
	free(w);
	printf("%llu seeds: %llu tokens, %llu registrations, %llu released, %llu reassigned, "
	       "%llu crashes\n",
	       (unsigned long long)n, (unsigned long long)n_ok, (unsigned long long)n_reg,
	       (unsigned long long)n_rel, (unsigned long long)n_re, (unsigned long long)n_crash);
	if (n >= N_SEEDS) {
		ck_assert_uint_gt(n_ok, 10 * n);
		ck_assert_uint_gt(n_reg, 5 * n);
		ck_assert_uint_gt(n_rel, n);
		ck_assert_uint_gt(n_re, 2 * n);
		ck_assert_uint_gt(n_crash, n);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("sim_lease");
	TCase *tc = tcase_create("schedules");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 110);
	tcase_add_test(tc, t18_schedules_keep_the_promises);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
