// SPDX-License-Identifier: BSD-3-Clause
// Results: what goes in comes out of the JSON and of the percentile table.
#include "result.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct scenario *sc;
static struct result *r;

static void set_up(void) {
	sc = scenario_load("f", "driver: ring\nkind: refresh\n", NULL, 0, stderr);
	ck_assert_ptr_nonnull(sc);
	r = result_new(sc);
	ck_assert_ptr_nonnull(r);
	r->begin_s = 1700000000;
	r->environment = json_object();
}

static void tear_down(void) {
	result_free(r);
	scenario_free(sc);
}

static double number_at(const json_t *obj, const char *name) {
	return json_number_value(json_object_get(obj, name));
}

START_TEST(median_and_range) {
	static const double v[] = {3, 1, 2, 10};

	for (unsigned i = 0; i < 4; i++)
		result_add(r, "x", "ns", BETTER_LOWER, v[i]);
	ck_assert_uint_eq(r->n_series, 1);
	ck_assert_double_eq(series_median(&r->series[0]), 2.5);
	ck_assert_double_eq(series_min(&r->series[0]), 1);
	ck_assert_double_eq(series_max(&r->series[0]), 10);
	result_add(r, "y", "ns", BETTER_LOWER, 7);
	ck_assert_double_eq(series_median(&r->series[1]), 7);
}
END_TEST

START_TEST(what_is_no_number_is_an_error) {
	result_add(r, "x", "ns", BETTER_LOWER, NAN);
	result_add(r, "x", "ns", BETTER_LOWER, 1.0 / 0.0);
	ck_assert_uint_eq(r->n_series, 0);
	ck_assert_uint_eq(r->n_errors, 1);
	ck_assert_uint_eq(r->errors[0].n, 2);
}
END_TEST

START_TEST(errors_never_run_out_of_room) {
	for (unsigned i = 0; i < 2 * RESULT_MAX_ERRORS; i++)
		result_error(r, "error %u", i);
	ck_assert_uint_eq(r->n_errors, RESULT_MAX_ERRORS);
	ck_assert_str_eq(r->errors[RESULT_MAX_ERRORS - 1].text, "others");
	ck_assert_uint_eq(r->errors[RESULT_MAX_ERRORS - 1].n, RESULT_MAX_ERRORS + 1);
}
END_TEST

START_TEST(json) {
	struct hist *h = result_hist(r, "latency", "us", 0.5);
	struct track *t = result_track(r, "answers", "1/s", 100);
	json_t *obj, *hist;

	result_add(r, "rate", "1/s", BETTER_HIGHER, 1.5);
	hist_add_n(h, 10, 99);
	hist_add(h, 1000);
	ck_assert_ptr_eq(result_hist(r, "latency", "us", 0.5), h);
	result_track_add(t, 2, 5);
	result_track_add(t, RESULT_TRACK_LEN, 5); // too late
	result_count(r, "answers", 2);
	result_count(r, "answers", 3);
	result_fact(r, "port", "net_ring");
	result_fact_n(r, "bytes", 862);
	r->is_partial = true;
	snprintf(r->why, sizeof(r->why), "because");
	obj = result_json(r);
	ck_assert_str_eq(json_string_value(json_object_get(obj, "schema")), RESULT_SCHEMA);
	ck_assert_str_eq(json_string_value(json_object_get(obj, "date")), "2023-11-14T22:13:20Z");
	ck_assert_str_eq(json_string_value(json_object_get(obj, "why")), "because");
	ck_assert_double_eq(number_at(json_array_get(json_object_get(obj, "series"), 0), "median"),
			    1.5);
	ck_assert_double_eq(number_at(json_object_get(obj, "counters"), "answers"), 5);
	ck_assert_double_eq(number_at(json_object_get(obj, "facts"), "bytes"), 862);
	hist = json_array_get(json_object_get(obj, "histograms"), 0);
	ck_assert_double_eq(number_at(hist, "count"), 100);
	ck_assert_double_eq(number_at(hist, "max"), 500);
	ck_assert_double_eq(number_at(json_object_get(hist, "percentiles"), "90"), 5);
	ck_assert_uint_eq(json_array_size(json_object_get(hist, "buckets")), 2);
	ck_assert_uint_eq(json_array_size(
				  json_object_get(json_array_get(json_object_get(obj, "tracks"), 0),
						  "values")),
			  3);
	json_decref(obj);
}
END_TEST

START_TEST(percentile_table) {
	static const char want[] = "#[latency, us]\n"
				   "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
				   "       5.000 0.990000000000         99         100.00\n"
				   "     500.000 1.000000000000        100\n"
				   "#[Mean    =        9.950]\n"
				   "#[Max     =      500.000, Total count    =        100]\n";
	char file[] = "/tmp/regate-hgrm-XXXXXX", text[1024] = "";
	int fd = mkstemp(file);
	struct hist *h = result_hist(r, "latency", "us", 0.5);

	hist_add_n(h, 10, 99);
	hist_add(h, 1000);
	ck_assert_int_eq(result_write_hgrm(r, file), 0);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	unlink(file);
	ck_assert_msg(strncmp(text, want, strlen(want)) == 0, "%s", text);
}
END_TEST

START_TEST(a_file_that_cannot_be) {
	ck_assert_int_lt(result_write(r, "/nowhere/r.json"), 0);
	ck_assert_int_lt(result_write(r, "/dev/full"), 0);
}
END_TEST

int main(void) {
	Suite *s = suite_create("result");
	TCase *tc = tcase_create("result");
	SRunner *sr = srunner_create(s);
	int n_failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, median_and_range);
	tcase_add_test(tc, what_is_no_number_is_an_error);
	tcase_add_test(tc, errors_never_run_out_of_room);
	tcase_add_test(tc, json);
	tcase_add_test(tc, percentile_table);
	tcase_add_test(tc, a_file_that_cannot_be);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
