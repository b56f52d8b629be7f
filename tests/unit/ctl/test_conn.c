// SPDX-License-Identifier: BSD-3-Clause
// conn list: the questions to the workers and the collection of what they say.
#include "harness.h"

static struct harness h;
static struct env_sim_end *end;

static void setup(void) {
	harness_start(&h, true);
	end = harness_connect(&h);
}

static void teardown(void) {
	harness_stop(&h);
}

static void tell(uint16_t worker, uint32_t query, uint16_t kind, unsigned n) {
	struct rg_conn_info info[9] = {0};
	struct rg_punt p = {.kind = kind, .conn = {.worker = worker}, .query = query};

	for (unsigned i = 0; i < n; i++) {
		info[i] =
			(struct rg_conn_info){.conn = {.idx = i, .gen = 1, .worker = worker},
					      .peer = rg_addr_v4(0x0100000a, (uint16_t)(1000 + i)),
					      .bound = {.lease_idx = i == 0 ? RG_LEASE_NONE : i,
							.gen = 9},
					      .since_ns = env_now_ns(h.env),
					      .phase = RG_PHASE_WS};
	}
	// Ends against a guard page, one byte too long: the tail is no record.
	ctl_conn_info(h.ctl, &p, guard_copy(rg_slice(info, n * sizeof(*info) + (n > 0))));
}

static void ask(const char *args) {
	char request[128];

	snprintf(request, sizeof(request), "{\"cmd\":\"conn list\",\"args\":%s}", args);
	harness_send(end, request);
	env_sim_settle(h.env);
}

static void check_answer(struct env_sim_end *from, int total, int listed, bool is_complete) {
	json_t *a, *d;

	env_sim_settle(h.env);
	a = harness_read(from);
	d = json_object_get(a, "data");
	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(json_integer_value(json_object_get(d, "total")), total);
	ck_assert_int_eq((int)json_array_size(json_object_get(d, "connections")), listed);
	ck_assert_int_eq(json_is_true(json_object_get(d, "complete")), is_complete);
	json_decref(a);
}

START_TEST(all_workers) {
	ask("{}");
	ck_assert_uint_eq(fake.n_replies, 2);
	ck_assert_uint_eq(fake.replies[0].kind, RG_REPLY_QUERY);
	ck_assert_uint_eq(fake.replies[0].conn.worker, 0);
	ck_assert_uint_eq(fake.replies[1].conn.worker, 1);
	ck_assert_uint_eq(fake.replies[0].query, fake.replies[1].query);
	tell(0, fake.replies[0].query, RG_PUNT_CONN_INFO, 2);
	tell(0, fake.replies[0].query, RG_PUNT_CONN_END, 0);
	env_sim_settle(h.env);
	ck_assert_ptr_null(harness_read(end));
	tell(1, fake.replies[0].query, RG_PUNT_CONN_END, 1);
	env_sim_settle(h.env);
	harness_data(harness_read(end),
		     "{\"total\":3,\"complete\":true,\"silent_workers\":[],\"connections\":["
		     "{\"worker\":0,\"conn\":0,\"gen\":1,\"peer\":\"10.0.0.1:1000\","
		     "\"phase\":\"ws\",\"since_at\":\"2026-01-01T00:00:00Z\",\"lease\":null,"
		     "\"lease_gen\":null,\"promised_until_at\":null},"
		     "{\"worker\":0,\"conn\":1,\"gen\":1,\"peer\":\"10.0.0.1:1001\","
		     "\"phase\":\"ws\",\"since_at\":\"2026-01-01T00:00:00Z\",\"lease\":1,"
		     "\"lease_gen\":9,\"promised_until_at\":null},"
		     "{\"worker\":1,\"conn\":0,\"gen\":1,\"peer\":\"10.0.0.1:1000\","
		     "\"phase\":\"ws\",\"since_at\":\"2026-01-01T00:00:00Z\",\"lease\":null,"
		     "\"lease_gen\":null,\"promised_until_at\":null}]}");
}
END_TEST

START_TEST(silent_worker) {
	json_t *a;

	ask("{}");
	tell(0, fake.replies[0].query, RG_PUNT_CONN_END, 2);
	env_sim_advance(h.env, 999 * RG_NS_PER_MS);
	ck_assert_ptr_null(harness_read(end));
	env_sim_advance(h.env, 2 * RG_NS_PER_MS);
	a = harness_read(end);
	ck_assert(json_is_false(json_object_get(json_object_get(a, "data"), "complete")));
	ck_assert_int_eq(json_integer_value(json_array_get(
				 json_object_get(json_object_get(a, "data"), "silent_workers"), 0)),
			 1);
	json_decref(a);
}
END_TEST

START_TEST(limit_lists_and_counts_on) {
	ask("{\"limit\":3}");
	tell(0, fake.replies[0].query, RG_PUNT_CONN_END, 2);
	tell(1, fake.replies[0].query, RG_PUNT_CONN_END, 8);
	check_answer(end, 10, 3, true);
}
END_TEST

START_TEST(full_ring_is_tried_again) {
	fake.refuse_replies = 5;
	ask("{}");
	env_sim_advance(h.env, 100 * RG_NS_PER_MS);
	ck_assert_uint_eq(fake.n_replies, 2);
	tell(1, fake.replies[0].query, RG_PUNT_CONN_END, 1);
	tell(0, fake.replies[0].query, RG_PUNT_CONN_END, 1);
	check_answer(end, 2, 2, true);
}
END_TEST

START_TEST(one_query_at_a_time) {
	struct env_sim_end *second = harness_connect(&h);
	uint32_t q;

	ask("{}");
	q = fake.replies[0].query;
	harness_send(second, "{\"cmd\":\"conn list\"}");
	env_sim_settle(h.env);
	ck_assert_uint_eq(fake.n_replies, 2);
	tell(0, q, RG_PUNT_CONN_END, 1);
	tell(1, q, RG_PUNT_CONN_END, 0);
	check_answer(end, 1, 1, true);
	ck_assert_uint_eq(fake.n_replies, 4);
	ck_assert_uint_ne(fake.replies[2].query, q);
	tell(0, q, RG_PUNT_CONN_END, 5); // late, of the first query
	tell(0, fake.replies[2].query, RG_PUNT_CONN_END, 2);
	tell(1, fake.replies[2].query, RG_PUNT_CONN_END, 2);
	check_answer(second, 4, 4, true);
}
END_TEST

START_TEST(client_leaves) {
	ask("{}");
	env_sim_reset(end, 104);
	env_sim_settle(h.env);
	tell(0, fake.replies[0].query, RG_PUNT_CONN_INFO, 3);
	env_sim_advance(h.env, 2 * RG_NS_PER_S);
	tell(1, fake.replies[0].query, RG_PUNT_CONN_END, 3);
	end = harness_connect(&h);
	ask("{}");
	tell(0, fake.replies[2].query, RG_PUNT_CONN_END, 1);
	tell(1, fake.replies[2].query, RG_PUNT_CONN_END, 0);
	check_answer(end, 1, 1, true);
}
END_TEST

// While its request is under way a client may send on, up to the bound; then it is not read from.
START_TEST(flood_meanwhile) {
	static uint8_t flood[3 * RG_CTL_MAX];

	ask("{}");
	memset(flood, 0xff, sizeof(flood));
	ck_assert_int_eq(env_sim_write(end, rg_slice(flood, sizeof(flood))), 0);
	env_sim_settle(h.env); // aborts when the loop spins
	tell(0, fake.replies[0].query, RG_PUNT_CONN_END, 1);
	tell(1, fake.replies[0].query, RG_PUNT_CONN_END, 0);
	check_answer(end, 1, 1, true);
	harness_refused(harness_read(end), RG_CTL_USAGE, "4294967295");
	ck_assert(harness_is_closed(end));
}
END_TEST

// It will send nothing more, but may wait for the answer.
START_TEST(hangup_meanwhile) {
	ask("{}");
	env_sim_hangup(end);
	env_sim_settle(h.env); // aborts when the loop spins
	tell(0, fake.replies[0].query, RG_PUNT_CONN_END, 1);
	tell(1, fake.replies[0].query, RG_PUNT_CONN_END, 0);
	env_sim_settle(h.env);
}
END_TEST

// The time to send a request does not run while one is served.
START_TEST(not_idle_while_asking) {
	env_sim_advance(h.env, 29500 * RG_NS_PER_MS);
	ask("{}");
	env_sim_advance(h.env, 1100 * RG_NS_PER_MS);
	check_answer(end, 0, 0, false);
}
END_TEST

// A client that waits in line and leaves is not asked for.
START_TEST(leaves_the_line) {
	struct env_sim_end *second = harness_connect(&h);

	ask("{}");
	harness_send(second, "{\"cmd\":\"conn list\"}");
	env_sim_settle(h.env);
	env_sim_reset(second, 104);
	env_sim_settle(h.env);
	tell(0, fake.replies[0].query, RG_PUNT_CONN_END, 1);
	tell(1, fake.replies[0].query, RG_PUNT_CONN_END, 0);
	check_answer(end, 1, 1, true);
	ck_assert_uint_eq(fake.n_replies, 2);
}
END_TEST

START_TEST(odd_worker_number) {
	ask("{}");
	tell(64, fake.replies[0].query, RG_PUNT_CONN_END, 0);
	tell(65, fake.replies[0].query, RG_PUNT_CONN_END, 0);
	env_sim_settle(h.env);
	ck_assert_ptr_null(harness_read(end));
}
END_TEST

START_TEST(no_dataplane) {
	struct harness g;

	harness_stop(&h);
	harness_start(&g, false);
	harness_refused(harness_ask(&g, harness_connect(&g), "{\"cmd\":\"conn list\"}"),
			RG_CTL_REFUSED, "no dataplane");
	h = g;
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_conn");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, all_workers);
	tcase_add_test(t, silent_worker);
	tcase_add_test(t, limit_lists_and_counts_on);
	tcase_add_test(t, full_ring_is_tried_again);
	tcase_add_test(t, one_query_at_a_time);
	tcase_add_test(t, client_leaves);
	tcase_add_test(t, flood_meanwhile);
	tcase_add_test(t, hangup_meanwhile);
	tcase_add_test(t, not_idle_while_asking);
	tcase_add_test(t, leaves_the_line);
	tcase_add_test(t, odd_worker_number);
	tcase_add_test(t, no_dataplane);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
