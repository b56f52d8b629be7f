// SPDX-License-Identifier: BSD-3-Clause
// The order of work off the loop: what is short overtakes what waits.
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/env.h"

#define N_JOBS 5

static struct env *env;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static char order[N_JOBS + 1]; // under gate
static unsigned n_done;

static void run(void *arg) {
	pthread_mutex_lock(&gate);
	strncat(order, arg, 1);
	pthread_mutex_unlock(&gate);
}

static void done(void *arg) {
	(void)arg;
	if (++n_done == N_JOBS)
		env_stop(env);
}

// The gate holds both threads up until all is queued.
START_TEST(short_work_comes_first) {
	env = env_real_new();
	ck_assert_ptr_nonnull(env);
	pthread_mutex_lock(&gate);
	ck_assert_int_eq(env_work(env, run, done, "a"), 0);
	ck_assert_int_eq(env_work(env, run, done, "b"), 0);
	ck_assert_int_eq(env_work(env, run, done, "long"), 0);
	ck_assert_int_eq(env_work_soon(env, run, done, "short"), 0);
	ck_assert_int_eq(env_work_soon(env, run, done, "short"), 0);
	pthread_mutex_unlock(&gate);
	ck_assert_int_eq(env_real_run(env), 0);
	ck_assert_uint_eq(n_done, N_JOBS);
	ck_assert_msg(strchr(order, 'l') > strchr(order, 's'), "%s", order);
	env_real_free(env);
}
END_TEST

int main(void) {
	Suite *s = suite_create("env_real_work");
	TCase *tc = tcase_create("work");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, short_work_comes_first);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
