// SPDX-License-Identifier: BSD-3-Clause
// stages, top: what workers have counted, since their start and between two looks.
#include <stdlib.h>

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

static json_t *row(json_t *answer, const char *list, size_t i) {
	json_t *data = json_object_get(answer, "data");

	return json_array_get(json_object_get(data, list), i);
}

static void is_row(json_t *o, const char *text) {
	char *got = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(12));

	ck_assert_pstr_eq(got, text);
	free(got);
}

static size_t n_rows(json_t *answer, const char *list) {
	return json_array_size(json_object_get(json_object_get(answer, "data"), list));
}

// Two cycles are a nanosecond.
START_TEST(stages) {
	json_t *a;

	rg_stage_add(&fake.stages[0].of[RG_STAGE_sip], 40, 4);
	rg_stage_add(&fake.stages[1].of[RG_STAGE_sip], 28, 1);
	rg_stage_add(&fake.stages[1].of[RG_STAGE_tx], 32, 2);
	a = harness_ask(&h, end, "{\"cmd\":\"stages\"}");
	ck_assert_str_eq(json_string_value(json_object_get(a, "schema")), "regate.stages/1");
	ck_assert_uint_eq(n_rows(a, "stages"), RG_N_STAGES);
	ck_assert_str_eq(json_string_value(json_object_get(row(a, "stages", RG_STAGE_sip), "text")),
			 rg_stage_text(RG_STAGE_sip));
	json_object_del(row(a, "stages", RG_STAGE_sip), "text");
	is_row(row(a, "stages", RG_STAGE_sip),
	       "{\"stage\":\"sip\",\"share_percent\":68.0,\"mean_ns\":6.8,\"p50_ns\":5.0,"
	       "\"p99_ns\":14.0,\"samples\":5}");
	ck_assert_uint_eq(n_rows(a, "per_worker"), 3);
	is_row(row(a, "per_worker", 0),
	       "{\"worker\":0,\"stage\":\"sip\",\"share_percent\":100.0,\"mean_ns\":5.0,"
	       "\"p50_ns\":5.0,\"p99_ns\":5.0,\"samples\":4}");
	is_row(row(a, "per_worker", 2),
	       "{\"worker\":1,\"stage\":\"tx\",\"share_percent\":53.3,\"mean_ns\":8.0,"
	       "\"p50_ns\":8.0,\"p99_ns\":8.0,\"samples\":2}");
	json_decref(a);
}
END_TEST

static void before_and_after(unsigned n) {
	rg_stat_add(&fake.stats[0], RG_STAT_reg_local_ok, 100 * n);
	rg_stat_add(&fake.stats[0], RG_STAT_busy_ns, 500000000 * n);
	rg_stat_add(&fake.stats[1], RG_STAT_busy_ns, 100000000 * n);
	rg_stat_add(&fake.stats[1], RG_STAT_reg_punted, 2 * n);
	rg_stat_add(&fake.stats[1], RG_STAT_http_punted, n);
	rg_stat_add(&fake.stats[1], RG_STAT_tls_handshakes, 7 * n);
	rg_stat_add(&fake.stats[1], RG_FIRST_DROP, n);
	rg_stat_add(&fake.stats[1], RG_N_STATS - 1, n);
	rg_stat_add(&fake.stats[1], RG_STAT_rx_packets, 9 * n);
	rg_stat_add(&fake.stats[1], RG_STAT_tx_packets, 8 * n);
	rg_stat_set(&fake.stats[0], RG_STAT_now_conns, 10 * n);
	rg_stat_set(&fake.stats[1], RG_STAT_now_conns, n);
	rg_stage_add(&fake.stages[1].of[RG_STAGE_lease], 1000 / n, 1);
}

// Only what comes between the two looks counts, each second of it; connections are those of the end.
START_TEST(top) {
	json_t *a;

	before_and_after(1);
	harness_send(end, "{\"cmd\":\"top\",\"args\":{\"interval\":\"2\"}}");
	env_sim_settle(h.env);
	before_and_after(2);
	env_sim_advance(h.env, 2 * RG_NS_PER_S - 1);
	ck_assert_ptr_null(harness_read(end));
	env_sim_advance(h.env, 1);
	a = harness_read(end);
	ck_assert_str_eq(json_string_value(json_object_get(a, "schema")), "regate.top/1");
	is_row(row(a, "stages", RG_STAGE_lease),
	       "{\"stage\":\"lease\",\"share_percent\":100.0,\"mean_ns\":250.0,\"p50_ns\":255.5,"
	       "\"p99_ns\":255.5,\"samples\":1}");
	ck_assert_uint_eq(n_rows(a, "stages"), RG_N_STAGES);
	json_object_del(json_object_get(a, "data"), "stages");
	harness_data(a, "{\"interval_ms\":2000,"
			"\"total\":{\"busy_percent\":30.0,\"connections\":22,"
			"\"refreshes_per_s\":100.0,\"punts_per_s\":3.0,\"handshakes_per_s\":7.0,"
			"\"drops_per_s\":2.0,\"received_per_s\":9.0,\"sent_per_s\":8.0},"
			"\"workers\":[{\"worker\":0,\"busy_percent\":50.0,\"connections\":20,"
			"\"refreshes_per_s\":100.0,\"punts_per_s\":0.0,\"handshakes_per_s\":0.0,"
			"\"drops_per_s\":0.0,\"received_per_s\":0.0,\"sent_per_s\":0.0},"
			"{\"worker\":1,\"busy_percent\":10.0,\"connections\":2,"
			"\"refreshes_per_s\":0.0,\"punts_per_s\":3.0,\"handshakes_per_s\":7.0,"
			"\"drops_per_s\":2.0,\"received_per_s\":9.0,\"sent_per_s\":8.0}]}");
}
END_TEST

// Whoever leaves between the two looks takes the first one along (ASan looks), and others are served.
START_TEST(left_between) {
	struct env_sim_end *other = harness_connect(&h);
	json_t *a;

	harness_send(end, "{\"cmd\":\"top\",\"args\":{\"interval\":30,\"once\":true}}");
	harness_send(other, "{\"cmd\":\"top\"}");
	env_sim_settle(h.env);
	env_sim_hangup(end);
	env_sim_advance(h.env, RG_NS_PER_S);
	a = harness_read(other);
	ck_assert(json_is_true(json_object_get(a, "ok")));
	json_decref(a);
	env_sim_advance(h.env, 30 * RG_NS_PER_S);
	ck_assert_ptr_null(harness_read(end));
}
END_TEST

START_TEST(refused) {
	struct harness g;
	struct env_sim_end *e;

	harness_refused(harness_ask(&h, end, "{\"cmd\":\"top\",\"args\":{\"interval\":31}}"), 2,
			"from 1 to 30");
	harness_stop(&h);
	harness_start(&g, false);
	e = harness_connect(&g);
	harness_refused(harness_ask(&g, e, "{\"cmd\":\"top\"}"), 1, "top: no dataplane");
	harness_refused(harness_ask(&g, e, "{\"cmd\":\"stages\"}"), 1, "stages: no dataplane");
	h = g;
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_top");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, stages);
	tcase_add_test(t, top);
	tcase_add_test(t, left_between);
	tcase_add_test(t, refused);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
