// SPDX-License-Identifier: BSD-3-Clause
// Tokens that a WWSF issued itself, seen by two gateways on one store: one lease, whoever is first.
#include <errno.h>
#include <urcu/urcu-qsbr.h>

#include "lease/adopt.h"
#include "lease_fixture.h"
#include "regate/err.h"
#include "store/store_mem.h"

#define WWSF 4

struct gateway {
	struct store *store;
	struct lease_engine *e;
	const char *token;
	unsigned n_done;
	int rc;
};

static struct env *env;
static struct rg_digester *digester;
static struct gateway a, b;
static const struct lease_adoption good = {WWSF, "theirs", "t0@x", "sip:t0@x", 40, 3};

static void on_deregister(void *, const struct lease *) {
}

static void on_close(void *, struct rg_conn_id, uint16_t) {
}

static void start(struct gateway *g, const char *name) {
	static const struct lease_ops ops = {NULL, on_deregister, on_close};
	static const char *const names[] = {"theirs"};
	const struct lease_cfg cfg = {.clock_error_ns = 5 * SEC,
				      .t_sip_ns = 69 * SEC,
				      .core_slack_ns = 360 * SEC,
				      .release_guard_ns = 5 * SEC,
				      .flow_grace_ns = 60 * SEC,
				      .reg_max_ns = 3600 * SEC,
				      .gateway = name,
				      .is_shared = true};

	g->e = lease_engine_new(&cfg, env, g->store, NULL, &ops, 2);
	lease_set_pool_names(g->e, names, 1);
	ck_assert_int_eq(lease_set_pool_foreign(g->e, 0), 0);
	ck_assert_int_eq(lease_add_pair(g->e, 0, WWSF, "t0@x", "sip:t0@x", NULL), 0);
	ck_assert_int_eq(lease_engine_load(g->e), 0);
}

static void setup(void) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = {3};

	urcu_qsbr_register_thread();
	env = env_sim_new(1);
	a = b = (struct gateway){0};
	ck_assert_int_eq(store_mem_open(env, &a.store), 0);
	ck_assert_int_eq(store_mem_join(a.store, env, &b.store), 0);
	digester = rg_digester_new(key);
	start(&a, "a");
	start(&b, "b");
}

static void teardown(void) {
	lease_engine_free(a.e);
	lease_engine_free(b.e);
	env_sim_settle(env);
	store_close(b.store);
	store_close(a.store);
	rg_digester_free(digester);
	env_sim_free(env);
	urcu_qsbr_unregister_thread();
}

static int issue(void *arg, const struct lease *, uint64_t, struct rg_wr *w) {
	rg_puts(w, ((struct gateway *)arg)->token);
	return 0;
}

static void done(void *arg, int rc, const struct lease *, struct rg_slice) {
	struct gateway *g = arg;

	g->n_done++;
	g->rc = rc;
}

static void begin(struct gateway *g, uint64_t gen, const char *sub, const char *token) {
	struct lease_adoption this = good;
	const struct lease_ask ask = {.sub = sub,
				      .token_end_ns = env_now_ns(env) + FIX_LIFE,
				      .issue = issue,
				      .done = done,
				      .arg = g,
				      .digester = digester};

	this.gen = gen;
	g->token = token;
	g->n_done = 0;
	lease_adopt(g->e, &this, &ask);
}

static void advance(uint64_t ns) {
	struct lease_counters x, y;

	env_sim_advance(env, ns);
	ck_assert_ptr_null(lease_engine_check(a.e));
	ck_assert_ptr_null(lease_engine_check(b.e));
	lease_get_counters(a.e, &x);
	lease_get_counters(b.e, &y);
	ck_assert_uint_eq(x.n_broken + y.n_broken, 0);
}

static int adopt(struct gateway *g, uint64_t gen, const char *sub, const char *token) {
	begin(g, gen, sub, token);
	advance(SEC);
	ck_assert_uint_eq(g->n_done, 1);
	return g->rc;
}

static bool has(const struct gateway *g, const char *token) {
	struct rg_digest d;

	rg_token_digest(digester, rg_str(token), &d);
	return lease_by_digest(g->e, &d) != NULL;
}

START_TEST(seen_by_one_known_to_both) {
	ck_assert_int_eq(adopt(&a, 40, "u", "token-1"), 0);
	ck_assert(has(&a, "token-1") && has(&b, "token-1"));
	ck_assert_int_eq(adopt(&b, 40, "u", "token-2"), 0); // the same lease
	ck_assert(has(&a, "token-2") && has(&b, "token-2"));
	ck_assert_int_eq(adopt(&b, 40, "v", "token-3"), RG_E_STALE);     // INV-1
	ck_assert_int_eq(adopt(&b, 41, "v", "token-4"), RG_E_EXHAUSTED); // INV-4
	advance(FIX_LIFE + FIX_GUARD);
	ck_assert_int_eq(adopt(&a, 40, "u", "token-1"), RG_E_STALE); // INV-5
	ck_assert_int_eq(adopt(&b, 41, "v", "token-4"), 0);
	ck_assert_int_eq(adopt(&a, 40, "u", "token-1"), RG_E_STALE);
}
END_TEST

// The store knows who was first; the other finds the lease at its next look.
START_TEST(seen_by_both_at_once) {
	begin(&a, 40, "u", "token-1");
	begin(&b, 40, "u", "token-1");
	advance(SEC);
	ck_assert_uint_eq(a.n_done + b.n_done, 2);
	ck_assert((a.rc == 0) != (b.rc == 0));
	ck_assert_int_eq(a.rc == 0 ? b.rc : a.rc, RG_E_CONFLICT);
	ck_assert(has(&a, "token-1") && has(&b, "token-1"));
}
END_TEST

// b has not been told that a made a lease of it: it must not become another owner's.
START_TEST(watch_is_late) {
	store_mem_set_watch_delay(b.store, 60 * SEC);
	ck_assert_int_eq(adopt(&a, 40, "u", "token-1"), 0);
	begin(&b, 41, "v", "token-2");
	advance(120 * SEC);
	ck_assert_int_ne(b.rc, 0);
	ck_assert(has(&a, "token-1") && has(&b, "token-1"));
	ck_assert(!has(&a, "token-2") && !has(&b, "token-2"));
}
END_TEST

START_TEST(revoked_elsewhere) {
	ck_assert_int_eq(adopt(&a, 40, "u", "token-1"), 0);
	ck_assert_int_eq(lease_revoke(b.e, 0, 40), 0);
	advance(SEC);
	ck_assert(!has(&a, "token-1") && !has(&b, "token-1"));
	ck_assert_int_eq(adopt(&a, 40, "u", "token-1"), RG_E_STALE);
}
END_TEST

// The record came through although the store said that it may not have: then it holds.
START_TEST(answer_lost_at_first_sight) {
	store_mem_fail_late(a.store, 1, -ETIMEDOUT);
	ck_assert_int_eq(adopt(&a, 40, "u", "token-1"), -ETIMEDOUT);
	advance(20 * SEC);
	ck_assert(has(&a, "token-1") && has(&b, "token-1"));
	ck_assert_int_eq(adopt(&a, 40, "u", "token-2"), 0);
	ck_assert(has(&b, "token-2"));
}
END_TEST

// It did not come through: b makes the lease meanwhile, or a does when it is asked again.
START_TEST(store_fails_at_first_sight) {
	struct gateway *next = _i == 0 ? &a : &b;

	store_mem_fail(a.store, 1, -EIO);
	begin(&a, 40, "u", "token-1");
	env_sim_advance(env, 10 * RG_NS_PER_MS);
	ck_assert_int_eq(a.rc, -EIO);
	advance(_i == 0 ? 20 * SEC : 0);
	ck_assert_int_eq(adopt(next, 40, "u", "token-1"), 0);
	advance(20 * SEC);
	ck_assert(has(&a, "token-1") && has(&b, "token-1"));
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_adopt_shared");
	TCase *tc = tcase_create("adopt_shared");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, seen_by_one_known_to_both);
	tcase_add_test(tc, seen_by_both_at_once);
	tcase_add_test(tc, watch_is_late);
	tcase_add_test(tc, revoked_elsewhere);
	tcase_add_test(tc, answer_lost_at_first_sight);
	tcase_add_loop_test(tc, store_fails_at_first_sight, 0, 2);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
