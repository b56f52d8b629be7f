// SPDX-License-Identifier: BSD-3-Clause
// Limits of anonymous leases: each by itself, at its edge, and what is said when one is reached.
#include <check.h>
#include <stdlib.h>

#include "fixture.h"

static struct fx fx;
static struct quota *q;

static void setup(void) {
	static const uint8_t key[16] = {7};

	fx_init(&fx);
	q = quota_new(&fx.conf, fx.env, fx.leases, key);
	ck_assert_ptr_nonnull(q);
}

static void teardown(void) {
	quota_free(q);
	fx_fini(&fx);
}

static struct rg_addr v4(uint32_t n) {
	return rg_addr_v4(n, 1);
}

static uint64_t retry_ns;

// Takes one that comes to nothing: only rates count it.
static enum quota_verdict take(struct rg_addr peer, uint16_t pool) {
	struct quota_ticket t;
	enum quota_verdict v = quota_take(q, &peer, pool, &t, &retry_ns);

	if (v == QUOTA_OK)
		quota_end(&t, NULL);
	return v;
}

START_TEST(no_limit) {
	for (unsigned i = 0; i < 10000; i++)
		ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_OK);
}
END_TEST

START_TEST(rate_of_a_source) {
	fx.conf.quotas.source_rate = 30; // one in 2 s
	fx.conf.quotas.source_burst = 3;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_OK);
	for (unsigned i = 0; i < 10; i++) // asking in vain costs nothing
		ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_SOURCE);
	ck_assert_uint_eq(retry_ns, env_now_ns(fx.env) + 2 * RG_NS_PER_S);
	ck_assert_int_eq(take(v4(2), POOL_OPEN), QUOTA_OK);
	env_sim_advance(fx.env, 2 * RG_NS_PER_S - 1);
	ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_SOURCE);
	env_sim_advance(fx.env, 1);
	ck_assert_int_eq(take(v4(1), POOL_OTHER), QUOTA_OK); // whatever the pool
	ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_SOURCE);
	env_sim_advance(fx.env, 3600 * RG_NS_PER_S); // no more than the burst comes back
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_OK);
	ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_SOURCE);
}
END_TEST

static const struct {
	const char *a, *b;
	bool is_same;
} nets[] = {
	{"192.0.2.1", "192.0.2.2", false},
	{"192.0.2.1", "192.0.2.1", true},
	{"[2001:db8:0:1::1]:1", "[2001:db8:0:1:ffff:ffff:ffff:ffff]:2", true},
	{"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false},
	{"[::1]:1", "192.0.2.1", false},
};

START_TEST(what_a_source_is) {
	struct rg_addr a, b;

	fx.conf.quotas.source_rate = fx.conf.quotas.source_burst = 1;
	ck_assert_int_eq(rg_addr_parse(rg_str(nets[_i].a), &a), 0);
	ck_assert_int_eq(rg_addr_parse(rg_str(nets[_i].b), &b), 0);
	ck_assert_int_eq(take(a, POOL_OPEN), QUOTA_OK);
	ck_assert_int_eq(take(b, POOL_OPEN), nets[_i].is_same ? QUOTA_SOURCE : QUOTA_OK);
}
END_TEST

static unsigned anonymous(void) {
	return fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON);
}

START_TEST(held_by_a_source) {
	fx.conf.quotas.source_max = 2;
	ck_assert_uint_eq(anonymous(), 201);
	env_sim_advance(fx.env, 100 * RG_NS_PER_S);
	ck_assert_uint_eq(anonymous(), 201);
	ck_assert_uint_eq(anonymous(), 429);
	ck_assert_str_eq(fx_str(&fx, "error"), "too_many");
	ck_assert_int_ge(strtol(fx_header(&fx, "Retry-After"), NULL, 10), 60);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->short_of[QUOTA_SOURCE], 1);
	env_sim_advance(fx.env, 1701 * RG_NS_PER_S); // the token of the first has ended
	ck_assert_uint_eq(anonymous(), 201);
	ck_assert_uint_eq(anonymous(), 429);
}
END_TEST

START_TEST(under_way_counts) {
	struct quota_ticket t[2];
	struct rg_addr peer = v4(1);

	fx.conf.quotas.source_max = 1;
	ck_assert_int_eq(quota_take(q, &peer, POOL_OPEN, &t[0], &retry_ns), QUOTA_OK);
	ck_assert_int_eq(quota_take(q, &peer, POOL_OPEN, &t[1], &retry_ns), QUOTA_SOURCE);
	quota_end(&t[1], NULL); // does nothing
	ck_assert_int_eq(take(peer, POOL_OPEN), QUOTA_SOURCE);
	quota_end(&t[0], NULL);
	ck_assert_int_eq(take(peer, POOL_OPEN), QUOTA_OK);
}
END_TEST

START_TEST(many_held) {
	struct rg_addr peer = v4(1);
	struct quota_ticket t[100];

	fx.conf.quotas.source_max = 100;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100; i++)
			ck_assert_int_eq(quota_take(q, &peer, POOL_OPEN, &t[i], &retry_ns),
					 QUOTA_OK);
		ck_assert_int_eq(take(peer, POOL_OPEN), QUOTA_SOURCE);
		for (unsigned i = 0; i < 100; i++)
			quota_end(&t[i], NULL);
	}
}
END_TEST

START_TEST(rate_of_a_wwsf) {
	fx.conf.quotas.wwsf_rate = 10;
	fx.conf.quotas.wwsf_burst = 2;
	ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_OK);
	ck_assert_int_eq(take(v4(2), POOL_CLOSED), QUOTA_OK); // both of demo
	ck_assert_int_eq(take(v4(3), POOL_OPEN), QUOTA_WWSF);
	ck_assert_uint_eq(retry_ns, env_now_ns(fx.env) + RG_NS_PER_S / 10);
	ck_assert_int_eq(take(v4(3), POOL_OTHER), QUOTA_OK);
	env_sim_advance(fx.env, RG_NS_PER_S / 10);
	ck_assert_int_eq(take(v4(3), POOL_OPEN), QUOTA_OK);
}
END_TEST

START_TEST(held_by_a_wwsf) {
	fx.conf.quotas.wwsf_max = 2;
	ck_assert_uint_eq(anonymous(), 201);
	fx_register(&fx, fx_lease(&fx));
	ck_assert_uint_eq(anonymous(), 201);
	ck_assert_uint_eq(anonymous(), 503);
	ck_assert_str_eq(fx_str(&fx, "error"), "busy");
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", OTHER JSON, ANON), 201);
}
END_TEST

START_TEST(reserve) { // 3 pairs: one is kept at 20 and 33 percent, two at 34
	static const unsigned percent[] = {20, 33, 34, 100}, kept[] = {1, 1, 2, 3};

	fx.pools[POOL_OPEN].reserve = percent[_i];
	for (unsigned i = kept[_i]; i < OPEN_PAIRS; i++)
		ck_assert_uint_eq(anonymous(), 201);
	ck_assert_uint_eq(anonymous(), 503);
	ck_assert_str_eq(fx_str(&fx, "error"), "pool_dry");
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->short_of[QUOTA_RESERVE], 1);
}
END_TEST

START_TEST(not_for_accounts) {
	fx.conf.quotas.source_rate = fx.conf.quotas.source_burst = fx.conf.quotas.source_max = 1;
	fx.conf.quotas.wwsf_rate = fx.conf.quotas.wwsf_burst = fx.conf.quotas.wwsf_max = 1;
	ck_assert_uint_eq(anonymous(), 201);
	ck_assert_uint_eq(anonymous(), 503);
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ALICE), 201);
}
END_TEST

START_TEST(waits_differ) {
	bool seen[256] = {0};
	unsigned n = 0;

	for (unsigned i = 0; i < OPEN_PAIRS; i++)
		ck_assert_uint_eq(anonymous(), 201);
	for (unsigned i = 0; i < 50; i++) {
		long s;

		ck_assert_uint_eq(anonymous(), 503);
		s = strtol(fx_header(&fx, "Retry-After"), NULL, 10);
		ck_assert_int_ge(s, 60);
		ck_assert_int_le(s, 90);
		n += !seen[s];
		seen[s] = true;
	}
	ck_assert_uint_ge(n, 10);
}
END_TEST

// More sources than there is room for pass; they are forgotten when they have been quiet.
START_TEST(full_table) {
	fx.conf.quotas.source_rate = fx.conf.quotas.source_burst = 1;
	for (uint32_t i = 1; i <= 65536; i++)
		ck_assert_int_eq(take(v4(i), POOL_OPEN), QUOTA_OK);
	ck_assert_int_eq(take(v4(1), POOL_OPEN), QUOTA_SOURCE);
	ck_assert_int_eq(take(v4(70000), POOL_OPEN), QUOTA_OK);
	ck_assert_int_eq(take(v4(70000), POOL_OPEN), QUOTA_OK); // not known
	env_sim_advance(fx.env, 61 * RG_NS_PER_S);
	for (uint32_t i = 70000; i < 70100; i++) {
		ck_assert_int_eq(take(v4(i), POOL_OPEN), QUOTA_OK);
		ck_assert_int_eq(take(v4(i), POOL_OPEN), QUOTA_SOURCE);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("wwsf_quota");
	TCase *tc = tcase_create("quota");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_limit);
	tcase_add_test(tc, rate_of_a_source);
	tcase_add_loop_test(tc, what_a_source_is, 0, sizeof(nets) / sizeof(*nets));
	tcase_add_test(tc, held_by_a_source);
	tcase_add_test(tc, under_way_counts);
	tcase_add_test(tc, many_held);
	tcase_add_test(tc, rate_of_a_wwsf);
	tcase_add_test(tc, held_by_a_wwsf);
	tcase_add_loop_test(tc, reserve, 0, 4);
	tcase_add_test(tc, not_for_accounts);
	tcase_add_test(tc, waits_differ);
	tcase_add_test(tc, full_table);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
