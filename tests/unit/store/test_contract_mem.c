// SPDX-License-Identifier: BSD-3-Clause
// The memory store keeps the contract.
#include "contract.h"
#include "core/env_sim.h"
#include "store/store_mem.h"

static void nothing(void) {
}

static struct env *env_new(void) {
	return env_sim_new(1);
}

static struct store *open_handle(struct env *e) {
	struct store *s;

	ck_assert_int_eq(store_mem_open(e, &s), 0);
	return s;
}

static void turn(struct env *e) {
	env_sim_advance(e, 50 * RG_NS_PER_MS);
}

int main(void) {
	static const struct contract c = {"mem",       nothing, nothing, env_new, env_sim_free,
					  open_handle, turn,    false,   false};
	Suite *suite = suite_create("contract_mem");
	SRunner *sr;
	int failed;

	contract_add(suite, &c);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
