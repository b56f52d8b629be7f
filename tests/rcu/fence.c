// SPDX-License-Identifier: BSD-3-Clause
// The fence of rcu_fence.c against a reader of its own: it holds while the reader stands still,
// passes soon after, and free waits for what is under way.
#include <check.h>
#include <stdlib.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "lease/rcu_fence.h"

static void nap(void) {
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void pass(struct rcu_fence *f, uint64_t ticket) {
	for (unsigned i = 0; i < 10000 && !rcu_fence_is_passed(f, ticket); i++) {
		urcu_qsbr_quiescent_state();
		nap();
	}
	ck_assert(rcu_fence_is_passed(f, ticket));
}

START_TEST(holds_and_passes) {
	struct rcu_fence *f = rcu_fence_new();
	uint64_t first, second, third;

	ck_assert_ptr_nonnull(f);
	urcu_qsbr_register_thread();
	ck_assert(rcu_fence_is_passed(f, 0));
	for (unsigned round = 0; round < 3; round++) {
		first = rcu_fence_ask(f);
		second = rcu_fence_ask(f); // the first may have begun before
		ck_assert_uint_gt(first, 0);
		ck_assert_uint_gt(second, first);
		for (unsigned i = 0; i < 50; i++, nap())
			ck_assert(!rcu_fence_is_passed(f, first));
		pass(f, first);
		ck_assert(!rcu_fence_is_passed(f, second)); // begins now
		for (unsigned i = 0; i < 50; i++, nap())
			ck_assert(!rcu_fence_is_passed(f, second));
		pass(f, second);
	}
	third = rcu_fence_ask(f);
	ck_assert(!rcu_fence_is_passed(f, third));
	urcu_qsbr_unregister_thread(); // as after rg_dp_stop()
	rcu_fence_free(f);
	rcu_fence_free(NULL);
}
END_TEST

int main(void) {
	Suite *s = suite_create("rcu_fence");
	TCase *t = tcase_create("fence");
	SRunner *sr = srunner_create(s);
	int n;

	tcase_set_timeout(t, 30);
	tcase_add_test(t, holds_and_passes);
	suite_add_tcase(s, t);
	srunner_set_fork_status(sr, CK_NOFORK); // liburcu's thread would not follow
	srunner_run_all(sr, CK_NORMAL);
	n = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
