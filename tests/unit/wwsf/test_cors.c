// SPDX-License-Identifier: BSD-3-Clause
// Origins and CORS: who is let in, and what its browser is told.
#include <check.h>

#include "fixture.h"

static struct fx fx;

static void setup(void) {
	fx_init(&fx);
}

static void teardown(void) {
	fx_fini(&fx);
}

static const struct {
	const char *origin;
	bool is_allowed;
} origins[] = {
	{"https://wic.example.net", true},
	{"https://10.77.0.2", true},
	{"HTTPS://WIC.Example.net", true}, // ims.md 2.2: normalised case
	{"https://other.example.net", true},
	{"null", false},
	{"*", false},
	{"http://wic.example.net", false},
	{"https://wic.example.net:8443", false},
	{"https://wic.example.net/", false},
	{"https://wic.example.net.evil.org", false},
	{"https://evil.org/https://wic.example.net", false},
	{"https://xwic.example.net", false},
	{"wic.example.net", false},
	{"https://wic.example.net https://evil.org", false},
};
#define N_ORIGINS (int)(sizeof(origins) / sizeof(*origins))

static const char *origin_line(const char *origin) {
	static char line[256];

	(void)snprintf(line, sizeof(line), "Origin: %s\r\n" JSON, origin);
	return line;
}

START_TEST(origin_table) {
	unsigned status = fx_ask(&fx, "POST", "/v1/lease", origin_line(origins[_i].origin), ANON);

	ck_assert_msg(status == (origins[_i].is_allowed ? 201 : 403), "%s: %u", origins[_i].origin,
		      status);
	if (!origins[_i].is_allowed) {
		ck_assert_str_eq(fx_header(&fx, "Access-Control-Allow-Origin"), "");
		ck_assert_str_eq(fx_str(&fx, "error"), "origin");
	}
	ck_assert(fx_has_line(&fx, "Vary: Origin"));
}
END_TEST

START_TEST(echoes_the_one_origin) {
	(void)fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON);
	ck_assert(fx_has_line(&fx, "Access-Control-Allow-Origin: https://wic.example.net"));
	ck_assert(fx_has_line(&fx, "Access-Control-Expose-Headers: Retry-After, WWW-Authenticate"));
	ck_assert_ptr_null(strstr(fx.text, "Access-Control-Allow-Credentials"));
	(void)fx_ask(&fx, "POST", "/v1/lease", OTHER JSON, "{");
	ck_assert(fx_has_line(&fx, "Access-Control-Allow-Origin: https://other.example.net"));
}
END_TEST

START_TEST(two_origins_are_refused) {
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO DEMO JSON, ANON), 403);
}
END_TEST

#define ASKS                                      \
	"Access-Control-Request-Method: POST\r\n" \
	"Access-Control-Request-Headers: authorization,content-type\r\n"

START_TEST(preflight) {
	ck_assert_uint_eq(fx_ask(&fx, "OPTIONS", "/v1/lease", DEMO ASKS, NULL), 204);
	ck_assert(fx_has_line(&fx, "Access-Control-Allow-Origin: https://wic.example.net"));
	ck_assert(fx_has_line(&fx, "Access-Control-Allow-Methods: POST, DELETE"));
	ck_assert(fx_has_line(&fx, "Access-Control-Allow-Headers: authorization, content-type"));
	ck_assert(fx_has_line(&fx, "Access-Control-Max-Age: 600"));
	ck_assert(fx_has_line(&fx, "Vary: Origin"));
	ck_assert(fx_has_line(&fx, "Cache-Control: no-store"));
	ck_assert_str_eq(fx_header(&fx, "Content-Length"), "");
	ck_assert_str_eq(fx_body(&fx), "");
	ck_assert_uint_eq(fx_ask(&fx, "OPTIONS", "/v1/lease/refresh", DEMO ASKS, NULL), 204);
	ck_assert(fx_has_line(&fx, "Access-Control-Allow-Methods: POST"));
}
END_TEST

START_TEST(preflight_of_a_stranger) {
	ck_assert_uint_eq(fx_ask(&fx, "OPTIONS", "/v1/lease", "Origin: https://evil.org\r\n" ASKS,
				 NULL),
			  403);
	ck_assert_ptr_null(strstr(fx.text, "Access-Control-"));
}
END_TEST

START_TEST(options_without_origin) {
	ck_assert_uint_eq(fx_ask(&fx, "OPTIONS", "/v1/lease", "", NULL), 204);
	ck_assert_ptr_null(strstr(fx.text, "Access-Control-"));
}
END_TEST

START_TEST(no_origin_and_two_wwsfs) {
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", JSON, ANON), 403);
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", JSON, ALICE), 403);
}
END_TEST

START_TEST(no_origin_and_one_wwsf) {
	fx.conf.n_wwsfs = 1;
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", JSON, ANON), 201);
	ck_assert_ptr_null(strstr(fx.text, "Access-Control-"));
	ck_assert(fx_has_line(&fx, "Vary: Origin"));
}
END_TEST

int main(void) {
	Suite *s = suite_create("cors");
	TCase *t = tcase_create("cors");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, origin_table, 0, N_ORIGINS);
	tcase_add_test(t, echoes_the_one_origin);
	tcase_add_test(t, two_origins_are_refused);
	tcase_add_test(t, preflight);
	tcase_add_test(t, preflight_of_a_stranger);
	tcase_add_test(t, options_without_origin);
	tcase_add_test(t, no_origin_and_two_wwsfs);
	tcase_add_test(t, no_origin_and_one_wwsf);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
