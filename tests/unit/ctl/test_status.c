// SPDX-License-Identifier: BSD-3-Clause
// status, stats, pool list, log level; and times as text.
#include "ctl/ctl_int.h"
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

static json_int_t num(json_t *o, const char *path) {
	char key[64];

	while (o != NULL && *path != '\0') {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		o = json_object_get(o, key);
		path += n + (path[n] == '.');
	}
	return json_is_integer(o) ? json_integer_value(o) : json_is_true(o) ? -2 : -1;
}

START_TEST(status) {
	fake.pool = (struct lease_pool_stats){
		.n_pairs = 10, .n_free = 4, .n_offered = 1, .n_registered = 3, .n_quarantine = 2};
	fake.is_core_connected = true;
	fake.store = (struct store_stats){.commits = 1,
					  .batches = 2,
					  .failures = 3,
					  .queued = 4,
					  .conflicts = 5,
					  .is_up = true};
	h.conf.reg.domain = "ims.example.net";
	h.conf.dp.port = "net_tap0";
	h.conf.dp.listen = 443;
	ck_assert_int_eq(rg_addr_parse(RG_LIT("2001:db8::2"), &h.conf.dp.address6), 0);
	env_sim_advance(h.env, 5 * RG_NS_PER_S);
	harness_data(harness_ask(&h, end, "{\"cmd\":\"status\"}"),
		     "{\"version\":\"" REGATE_VERSION "\",\"uptime_s\":5,"
		     "\"started_at\":\"2026-01-01T00:00:00Z\",\"workers\":2,"
		     "\"core_connected\":true,\"log_level\":\"info\","
		     "\"leases\":{\"pairs\":10,\"free\":4,\"offered\":1,\"registered\":3,"
		     "\"quarantine\":2},"
		     "\"store\":{\"up\":true,\"commits\":1,\"batches\":2,"
		     "\"conflicts\":5,\"failures\":3,\"queued\":4},"
		     "\"config\":{\"domain\":\"ims.example.net\",\"listen\":\"0.0.0.0:443\","
		     "\"listen6\":\"[2001:db8::2]:443\","
		     "\"port\":\"net_tap0\",\"core\":\"0.0.0.0:5060\",\"core_transport\":\"tcp\","
		     "\"wwsfs\":1,\"pools\":2,\"socket\":\"" SOCKET_PATH "\"}}");
}
END_TEST

static json_t *counter(json_t *a, const char *name) {
	json_t *c;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(a, "data"), "counters"), i, c) {
		if (strcmp(json_string_value(json_object_get(c, "name")), name) == 0)
			return c;
	}
	return NULL;
}

START_TEST(stats_above_zero) {
	json_t *a;

	rg_stat_add(&fake.stats[0], RG_STAT_polls, 5);
	rg_stat_add(&fake.stats[1], RG_STAT_polls, 6);
	rg_stat_add(&fake.stats[1], RG_DROP_sip_bad, 1);
	fake.ims.client_ok = 3;
	a = harness_ask(&h, end, "{\"cmd\":\"stats\"}");
	ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(a, "data"), "counters")),
			  2);
	ck_assert_int_eq(num(counter(a, "polls"), "total"), 11);
	ck_assert_int_eq(json_integer_value(
				 json_array_get(json_object_get(counter(a, "polls"), "per_worker"),
						1)),
			 6);
	ck_assert_int_eq(num(counter(a, "drop_sip_bad"), "total"), 1);
	ck_assert_int_eq(num(a, "data.ims.client_ok"), 3);
	ck_assert_int_eq(num(a, "data.ims.client_refused"), -1);
	json_decref(a);
}
END_TEST

// One key figure of each origin; those at zero are left out.
START_TEST(stats_kpis) {
	static const char *const names[] = {"UR.AttInitReg", "UR.FailInitReg", "pool.pairs",
					    "safety.double_leases"};
	json_t *a, *kpis, *one;

	kpi_answered(&fake.kpi, KPI_INITIAL, KPI_POOL, KPI_CORE, 403);
	fake.pool.n_free = 4;
	fake.lease_counters.n_broken = 1;
	a = harness_ask(&h, end, "{\"cmd\":\"stats\"}");
	kpis = json_object_get(json_object_get(a, "data"), "kpis");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		one = json_array_get(kpis, i);
		while (one != NULL &&
		       strcmp(json_string_value(json_object_get(one, "name")), names[i]) != 0)
			json_array_remove(kpis, i), one = json_array_get(kpis, i);
		ck_assert_msg(one != NULL, "%s", names[i]);
	}
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(kpis, 1), "labels")),
			 "scenario=pool,source=core,cause=403");
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(kpis, 2), "value")), 4);
	json_decref(a);
}
END_TEST

START_TEST(stats_all) {
	json_t *a, *d;

	fake.ims = (struct ims_stats){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
	fake.wwsf = (struct wwsf_stats){1, 2, 3, 4, 5, {0, 6, 7, 8, 9}};
	a = harness_ask(&h, end, "{\"cmd\":\"stats\",\"args\":{\"all\":true}}");
	d = json_object_get(a, "data");
	ck_assert_uint_eq(json_array_size(json_object_get(d, "counters")), RG_N_STATS);
	json_object_del(d, "counters");
	ck_assert_uint_gt(json_array_size(json_object_get(d, "kpis")), 100);
	json_object_del(d, "kpis");
	harness_data(a, "{\"dataplane\":\"running\",\"workers\":2,"
			"\"ims\":{\"core_requests\":1,\"core_retransmits\":2,\"core_answers\":3,"
			"\"core_timeouts\":4,\"core_connects\":5,\"register_initial\":6,"
			"\"register_refresh\":7,\"deregister\":8,\"client_ok\":9,"
			"\"client_refused\":10,\"suspects\":11,\"suspects_spared\":12,"
			"\"refused_runs\":13},"
			"\"wwsf\":{\"requests\":1,\"leases\":2,\"refreshes\":3,\"releases\":4,"
			"\"refused\":5,\"over_source_quota\":6,\"over_wwsf_quota\":7,"
			"\"pool_reserved\":8,\"pool_dry\":9},"
			"\"store\":{\"up\":false,\"commits\":0,\"batches\":0,"
			"\"conflicts\":0,\"failures\":0,\"queued\":0}}");
}
END_TEST

START_TEST(stats_without_dataplane) {
	struct harness g;
	json_t *a;

	harness_stop(&h);
	harness_start(&g, false);
	a = harness_ask(&g, harness_connect(&g), "{\"cmd\":\"stats\",\"args\":{\"all\":true}}");
	ck_assert_ptr_nonnull(
		strstr(json_string_value(json_object_get(json_object_get(a, "data"), "dataplane")),
		       "none"));
	json_decref(a);
	h = g;
}
END_TEST

START_TEST(pools) {
	fake.pool = (struct lease_pool_stats){
		.n_pairs = 10, .n_free = 4, .n_offered = 1, .n_registered = 3, .n_quarantine = 2};
	fake.pool.next_free_ns = env_now_ns(h.env) + 60 * RG_NS_PER_S;
	h.conf.accounts_file = "accounts";
	harness_data(
		harness_ask(&h, end, "{\"cmd\":\"pool list\"}"),
		"{\"pools\":["
		"{\"pool\":\"main\",\"kind\":\"pool\",\"wwsf\":\"demo\",\"pairs\":10,\"free\":4,"
		"\"offered\":1,\"registered\":3,\"quarantine\":2,\"disabled\":0,\"suspect\":0,"
		"\"draining\":false,"
		"\"next_free_at\":\"2026-01-01T00:01:00Z\"},"
		"{\"pool\":\"guests\",\"kind\":\"pool\",\"wwsf\":\"demo\",\"pairs\":0,\"free\":0,"
		"\"offered\":0,\"registered\":0,\"quarantine\":0,\"disabled\":0,\"suspect\":0,"
		"\"draining\":false,\"next_free_at\":null},"
		"{\"pool\":null,\"kind\":\"accounts\",\"wwsf\":\"demo\",\"pairs\":0,\"free\":0,"
		"\"offered\":0,\"registered\":0,\"quarantine\":0,\"disabled\":0,\"suspect\":0,"
		"\"draining\":false,\"next_free_at\":null}]}");
}
END_TEST

START_TEST(log_level) {
	json_t *a = harness_ask(&h, end, "{\"cmd\":\"log level\"}");

	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a, "data"), "level")),
			 "info");
	json_decref(a);
	a = harness_ask(&h, end, "{\"cmd\":\"log level\",\"args\":{\"level\":\"debug\"}}");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a, "data"), "level")),
			 "debug");
	json_decref(a);
	ck_assert_int_eq(log_get_level(h.log), LOG_DEBUG);
}
END_TEST

static const struct {
	int64_t wall_ms;
	const char *text;
} times[] = {
	{0, "1970-01-01T00:00:00Z"},
	{999, "1970-01-01T00:00:00Z"},
	{951782400000, "2000-02-29T00:00:00Z"},
	{951868799999, "2000-02-29T23:59:59Z"},
	{951868800000, "2000-03-01T00:00:00Z"},
	{1709164800000, "2024-02-29T00:00:00Z"},
	{1767225599000, "2025-12-31T23:59:59Z"},
	{4107542399000, "2100-02-28T23:59:59Z"},
	{4107542400000, "2100-03-01T00:00:00Z"},
	{-1000, "1969-12-31T23:59:59Z"},
	{-1, "1969-12-31T23:59:59Z"},
};

START_TEST(time_text) {
	struct ctl c = {.deps = h.deps};
	json_t *v;

	env_sim_set_wall_ms(h.env, times[_i].wall_ms);
	v = ctl_json_time(&c, env_now_ns(h.env));
	ck_assert_str_eq(json_string_value(v), times[_i].text);
	json_decref(v);
}
END_TEST

START_TEST(no_time) {
	struct ctl c = {.deps = h.deps};

	ck_assert(json_is_null(ctl_json_time(&c, 0)));
	ck_assert(json_is_null(ctl_json_time(&c, RG_NEVER)));
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} texts[] = {
	{"", 0, ""},
	{"gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f"},
	{"a\0b", 3, "a\\x00b"},
	{"a\xff", 2, "a\\xff"},
	{"\xc3", 1, "\\xc3"},
	{"\n\033", 2, "\n\033"},
};

START_TEST(any_text) {
	json_t *v = ctl_json_text(guard_copy(rg_slice(texts[_i].bytes, texts[_i].len)));

	ck_assert_str_eq(json_string_value(v), texts[_i].text);
	ck_assert_uint_eq(json_string_length(v), strlen(texts[_i].text));
	json_decref(v);
}
END_TEST

START_TEST(address_text) {
	struct rg_addr v6;
	json_t *v;

	ck_assert_int_eq(rg_addr_parse(RG_LIT("[2001:db8::1]:443"), &v6), 0);
	v = ctl_json_addr(&v6);
	ck_assert_str_eq(json_string_value(v), "[2001:db8::1]:443");
	json_decref(v);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_status");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, status);
	tcase_add_test(t, stats_above_zero);
	tcase_add_test(t, stats_kpis);
	tcase_add_test(t, stats_all);
	tcase_add_test(t, stats_without_dataplane);
	tcase_add_test(t, pools);
	tcase_add_test(t, log_level);
	tcase_add_loop_test(t, time_text, 0, sizeof(times) / sizeof(*times));
	tcase_add_test(t, no_time);
	tcase_add_loop_test(t, any_text, 0, sizeof(texts) / sizeof(*texts));
	tcase_add_test(t, address_text);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
