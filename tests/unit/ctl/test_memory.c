// SPDX-License-Identifier: BSD-3-Clause
// Every request with the n-th allocation of JSON failing, n = 0, 1, 2...: the client gets a whole
// answer or the end of its connection, never half of one; nothing leaks (ASan looks).
#include <stdlib.h>

#include "harness.h"
#include "regate/err.h"

static struct harness h;
static unsigned left; // allocations that still succeed
static bool has_failed;

static void *failing_malloc(size_t n) {
	if (left == 0) {
		has_failed = true;
		return NULL;
	}
	left--;
	return malloc(n);
}

static void setup(void) {
	harness_start(&h, true);
	h.conf.accounts_file = "accounts";
	rg_stat_inc(&fake.stats[0], RG_STAT_polls);
	rg_stat_inc(&fake.stats[1], RG_DROP_sip_bad);
	kpi_answered(&fake.kpi, KPI_INITIAL, KPI_POOL, KPI_CORE, 504);
	fake.pool.n_free = 1;
	fake.lease_counters.n_granted = 1;
	fake.n_pairs = 3;
	fake.pairs = calloc(3, sizeof(*fake.pairs));
	for (uint32_t i = 0; i < 3; i++)
		fake.pairs[i] = (struct lease){.idx = i,
					       .state = LEASE_ACTIVE,
					       .impu = "sip:\xff",
					       .impi = "a",
					       .sub = "b",
					       .flow = {.gen = 1}};
}

static void teardown(void) {
	json_set_alloc_funcs(malloc, free);
	harness_stop(&h);
}

static const char *const requests[] = {
	"{\"cmd\":\"status\"}",
	"{\"cmd\":\"stats\"}", // with a row of each kind, see setup()
	"{\"cmd\":\"stages\"}",
	"{\"cmd\":\"top\"}",
	"{\"cmd\":\"pool list\"}",
	"{\"cmd\":\"lease list\",\"args\":{\"limit\":2,\"state\":\"active\"}}",
	"{\"cmd\":\"lease show\",\"args\":{\"lease\":\"1\"}}",
	"{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"1\"}}",
	"{\"cmd\":\"conn list\"}",
	"{\"cmd\":\"log level\"}",
	"{\"cmd\":\"help\"}",
	"{\"cmd\":\"nonsense\"}",
};

static void answer_query(void) {
	struct rg_conn_info info = {.conn = {.gen = 1}, .bound = {.lease_idx = 1}};
	struct rg_punt p = {.kind = RG_PUNT_CONN_END};

	for (unsigned i = 0; i < fake.n_replies; i++) {
		p.conn.worker = fake.replies[i].conn.worker;
		p.query = fake.replies[i].query;
		ctl_conn_info(h.ctl, &p, rg_slice(&info, sizeof(info)));
	}
	fake.n_replies = 0;
}

// Takes what came. True when it is one whole message or nothing and the end.
static bool is_whole(struct env_sim_end *end) {
	static uint8_t got[RG_CTL_MAX];
	ssize_t n = env_sim_read(end, got, sizeof(got));
	json_t *a;

	if (n == 0)
		return true;
	json_set_alloc_funcs(malloc, free);
	a = n < 4 ? NULL : json_loadb((char *)got + 4, (size_t)n - 4, 0, NULL);
	if (a == NULL)
		return false;
	json_decref(a);
	return true;
}

START_TEST(nth_allocation_fails) {
	has_failed = true;
	for (unsigned n = 0; has_failed; n++) {
		struct env_sim_end *end = harness_connect(&h);

		has_failed = false;
		left = n;
		fake.pairs[1].state = LEASE_ACTIVE;
		json_set_alloc_funcs(failing_malloc, free);
		harness_send(end, requests[_i]);
		env_sim_settle(h.env);
		answer_query();
		env_sim_advance(h.env, RG_NS_PER_S); // of `top`
		env_sim_settle(h.env);
		ck_assert_msg(is_whole(end), "allocation %u", n);
		json_set_alloc_funcs(malloc, free);
		env_sim_hangup(end);
		env_sim_settle(h.env);
		ck_assert_uint_lt(n, 5000);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_memory");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, nth_allocation_fails, 0, sizeof(requests) / sizeof(*requests));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
