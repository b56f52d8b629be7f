// SPDX-License-Identifier: BSD-3-Clause
// OpenMetrics text: families in one piece, names and labels of legal characters, an end mark.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const char answer[] =
	"{\"data\":{\"dataplane\":\"running\",\"workers\":2,\"counters\":["
	"{\"name\":\"polls\",\"total\":30,\"per_worker\":[10,20],\"text\":\"poll rounds\"},"
	"{\"name\":\"now_conns\",\"total\":3,\"per_worker\":[1,2],\"text\":\"connections\"}],"
	"\"kpis\":["
	"{\"name\":\"UR.AttInitReg\",\"labels\":\"scenario=pool\",\"value\":2,"
	"\"type\":\"counter\",\"text\":\"tried\"},"
	"{\"name\":\"pool.pairs\",\"labels\":\"pool=a\\\"\\\\b,state=free\",\"value\":7,"
	"\"type\":\"gauge\",\"text\":\"pairs\"},"
	"{\"name\":\"UR.AttInitReg\",\"labels\":\"scenario=account\",\"value\":1,"
	"\"type\":\"counter\",\"text\":\"tried\"},"
	"{\"name\":\"RRD.seconds\",\"labels\":\"source=core,le=0.001\",\"value\":1,"
	"\"type\":\"bucket\",\"text\":\"time\"},"
	"{\"name\":\"RRD.seconds\",\"labels\":\"source=core,le=+Inf\",\"value\":4,"
	"\"type\":\"bucket\",\"text\":\"time\"},"
	"{\"name\":\"RRD.seconds\",\"labels\":\"source=core\",\"value\":1500000,"
	"\"type\":\"micros\",\"text\":\"time\"},"
	"{\"name\":\"safety.double_leases\",\"labels\":\"\",\"value\":0,\"type\":\"counter\","
	"\"text\":\"must stay 0\"}],"
	"\"ims\":{\"core_requests\":5},\"wwsf\":{},\"store\":{\"up\":true,\"commits\":6}}}";

static const char wanted[] = "# TYPE regate_worker_polls counter\n"
			     "# HELP regate_worker_polls poll rounds\n"
			     "regate_worker_polls_total 30\n"
			     "# TYPE regate_worker_now_conns gauge\n"
			     "# HELP regate_worker_now_conns connections\n"
			     "regate_worker_now_conns 3\n"
			     "# TYPE regate_ims_core_requests counter\n"
			     "regate_ims_core_requests_total 5\n"
			     "# TYPE regate_store_up gauge\n"
			     "regate_store_up 1\n"
			     "# TYPE regate_store_commits counter\n"
			     "regate_store_commits_total 6\n"
			     "# TYPE regate_UR_AttInitReg counter\n"
			     "# HELP regate_UR_AttInitReg tried\n"
			     "regate_UR_AttInitReg_total{scenario=\"pool\"} 2\n"
			     "regate_UR_AttInitReg_total{scenario=\"account\"} 1\n"
			     "# TYPE regate_pool_pairs gauge\n"
			     "# HELP regate_pool_pairs pairs\n"
			     "regate_pool_pairs{pool=\"a\\\"\\\\b\",state=\"free\"} 7\n"
			     "# TYPE regate_RRD_seconds histogram\n"
			     "# HELP regate_RRD_seconds time\n"
			     "regate_RRD_seconds_bucket{source=\"core\",le=\"0.001\"} 1\n"
			     "regate_RRD_seconds_bucket{source=\"core\",le=\"+Inf\"} 4\n"
			     "regate_RRD_seconds_count{source=\"core\"} 4\n"
			     "regate_RRD_seconds_sum{source=\"core\"} 1.500000\n"
			     "# TYPE regate_safety_double_leases counter\n"
			     "# HELP regate_safety_double_leases must stay 0\n"
			     "regate_safety_double_leases_total 0\n"
			     "# EOF\n";

START_TEST(families) {
	json_t *a = json_loads(answer, 0, NULL);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(cli_print_metrics(a, f), 0);
	fclose(f);
	ck_assert_str_eq(text, wanted);
	free(text);
	json_decref(a);
}
END_TEST

int main(void) {
	Suite *s = suite_create("cli_metrics");
	TCase *t = tcase_create("metrics");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, families);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
