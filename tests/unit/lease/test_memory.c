// SPDX-License-Identifier: BSD-3-Clause
// Every allocation of the engine fails once: nothing leaks, nothing breaks, and what could not be
// done is said. Linked with malloc and its like wrapped.
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "lease/lease.h"
#include "lease/lease_table.h"
#include "lease/table_read.h"
#include "store/store_mem.h"

static long left = -1; // allocations until one fails; -1 = none does

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__real_rg_huge_alloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_rg_huge_alloc(size_t n, size_t size);

static bool is_failing(void) {
	return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t n) {
	return is_failing() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
	return is_failing() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
	return is_failing() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n) {
	return is_failing() ? NULL : __real_aligned_alloc(align, n);
}

void *__wrap_rg_huge_alloc(size_t n, size_t size) {
	return is_failing() ? NULL : __real_rg_huge_alloc(n, size);
}

static int issue(void *arg, const struct lease *, uint64_t, struct rg_wr *token) {
	(void)arg;
	rg_puts(token, "token");
	return 0;
}

static void done(void *arg, int rc, const struct lease *, struct rg_slice) {
	*(int *)arg = rc;
}

static void deregister(void *, const struct lease *) {
}

static void close_flow(void *, struct rg_conn_id, uint16_t) {
}

// A grant with the n-th allocation failing. Returns false when n allocations were not made.
static bool grant(struct lease_engine *e, struct env *env, struct rg_digester *d, long n) {
	int rc = 1;
	const struct lease_ask ask = {.sub = "a",
				      .token_life_ns = RG_NS_PER_S,
				      .issue = issue,
				      .done = done,
				      .arg = &rc,
				      .digester = d};
	bool has_failed;

	left = n;
	lease_grant(e, &ask);
	has_failed = left < 0;
	left = -1;
	env_sim_advance(env, RG_NS_PER_MS);
	ck_assert_int_eq(rc, has_failed ? -ENOMEM : 0);
	ck_assert_ptr_null(lease_engine_check(e));
	return has_failed;
}

static int add_pairs(struct lease_engine *e) {
	int rc = lease_add_pair(e, 0, 0, "i@x", "sip:i@x", NULL);

	return rc != 0 ? rc : lease_add_pair(e, UINT16_MAX, 0, "j@x", "sip:j@x", "j");
}

START_TEST(engine_without_memory) {
	const struct lease_ops ops = {NULL, deregister, close_flow};
	struct env *env = env_sim_new(1);
	struct store *store;
	bool is_done = false;

	ck_assert_int_eq(store_mem_open(env, &store), 0);
	// Room for timers and for this value: without, environment and store end the process.
	ck_assert_int_eq(store_put(store, "lease.clock", "", 0, false, NULL, NULL), 0);
	store_flush(store);
	for (long n = 0; !is_done; n++) {
		struct lease_engine *e;
		int rc;

		left = n;
		e = lease_engine_new(&(struct lease_cfg){0}, env, store, NULL, &ops, 4);
		rc = e == NULL ? -ENOMEM : add_pairs(e);
		if (rc == 0)
			rc = lease_engine_load(e);
		is_done = left >= 0;
		left = -1;
		ck_assert_int_eq(rc, is_done ? 0 : -ENOMEM);
		lease_engine_free(e);
		ck_assert_int_lt(n, 100);
	}
	store_close(store);
	env_sim_free(env);
}
END_TEST

START_TEST(grant_without_memory) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = {0};
	const struct lease_ops ops = {NULL, deregister, close_flow};
	struct env *env = env_sim_new(1);
	struct rg_digester *d = rg_digester_new(key);
	struct store *store;
	struct lease_engine *e;

	ck_assert_int_eq(store_mem_open(env, &store), 0);
	store_mem_set_delay(store, 1);
	e = lease_engine_new(&(struct lease_cfg){0}, env, store, NULL, &ops, 4);
	ck_assert_int_eq(add_pairs(e), 0);
	env_sim_advance(env, 1);
	for (long n = 0; grant(e, env, d, n); n++) {
		ck_assert_int_lt(n, 20);
		env_sim_advance(env, 10 * RG_NS_PER_S);
	}
	lease_engine_free(e);
	store_close(store);
	rg_digester_free(d);
	env_sim_free(env);
}
END_TEST

// A lease that cannot be had leaves nothing, and what it replaces as it was.
static int put_with(long n, struct rg_lease_table *t, const struct lease_entry *e) {
	int rc;

	left = n;
	rc = lease_table_put(t, e);
	left = -1;
	return rc;
}

START_TEST(entry_without_memory) {
	struct rg_lease_table *t = lease_table_new(10);
	struct lease_entry e = {.impu = RG_LIT("sip:a@b"), .headers = RG_LIT("X: <sip:a@b>\r\n")};
	struct lease_entry other = {.impu = RG_LIT("sip:a@b"), .headers = RG_LIT("Y: z\r\n")};

	for (long n = 0; n < 3; n++) {
		ck_assert_int_eq(put_with(n, t, &e), n < 2 ? -ENOMEM : 0);
		ck_assert_uint_eq(t->n_entries, n == 2);
	}
	for (long n = 0; n < 2; n++) {
		ck_assert_int_eq(put_with(n, t, &other), -ENOMEM);
		ck_assert_uint_eq(lease_table_get(t, &e.digest)->shared->n_uses, 1);
		ck_assert(lease_table_get(t, &e.digest)->shared->has_user);
	}
	lease_table_free(t);
}
END_TEST

START_TEST(table_without_memory) {
	for (long n = 0; n < 3; n++) {
		left = n;
		ck_assert_ptr_null(lease_table_new(10));
		left = -1;
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_memory");
	TCase *tc = tcase_create("memory");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, engine_without_memory);
	tcase_add_test(tc, grant_without_memory);
	tcase_add_test(tc, entry_without_memory);
	tcase_add_test(tc, table_without_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
