// SPDX-License-Identifier: BSD-3-Clause
// Routes, methods, malformed requests, and what every answer carries (wwsf.c, answer.c).
#include <check.h>
#include <jansson.h>
#include <stdlib.h>

#include "fixture.h"
#include "regate/http.h"

static struct fx fx;

static void setup(void) {
	fx_init(&fx);
}

static void teardown(void) {
	fx_fini(&fx);
}

static const struct {
	const char *method, *path;
	unsigned status;
	const char *allow;
} routes[] = {
	{"GET", "/v1/lease", 405, "POST, DELETE, OPTIONS"},
	{"PUT", "/v1/lease", 405, "POST, DELETE, OPTIONS"},
	{"PATCH", "/v1/lease", 405, "POST, DELETE, OPTIONS"},
	{"HEAD", "/v1/lease", 405, "POST, DELETE, OPTIONS"},
	{"DELETE", "/v1/lease/refresh", 405, "POST, OPTIONS"},
	{"GET", "/v1/lease/refresh", 405, "POST, OPTIONS"},
	{"GET", "/.well-known/jwks.json", 200, ""},
	{"HEAD", "/.well-known/jwks.json", 200, ""},
	{"POST", "/.well-known/jwks.json", 405, "GET, HEAD, OPTIONS"},
	{"GET", "/v1/introspect", 405, "POST, OPTIONS"},
	{"POST", "/v1/introspect", 401, ""},
	{"GET", "/v1/revoke", 405, "POST, OPTIONS"},
	{"POST", "/v1/revoke", 401, ""},
	{"POST", "/v1/lease/", 404, ""},
	{"POST", "/v1/leases", 404, ""},
	{"POST", "/v1/", 404, ""},
	{"POST", "/V1/lease", 404, ""},
	{"OPTIONS", "/v1/other", 404, ""},
	{"POST", "/v1/login", 404, ""}, // 8.2: no code path for old login requirements
	{"OPTIONS", "/v1/lease", 204, "POST, DELETE, OPTIONS"},
	{"POST", "/v1/lease?x=1", 415, ""}, // the query is ignored
};
#define N_ROUTES (int)(sizeof(routes) / sizeof(*routes))

START_TEST(route_table) {
	ck_assert_uint_eq(fx_ask(&fx, routes[_i].method, routes[_i].path, DEMO, NULL),
			  routes[_i].status);
	ck_assert_str_eq(fx_header(&fx, "Allow"), routes[_i].allow);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->requests, 1);
	ck_assert_uint_eq(wwsf_get_stats(fx.w)->refused, routes[_i].status >= 400);
}
END_TEST

START_TEST(head_has_no_body) {
	ck_assert_uint_eq(fx_ask(&fx, "HEAD", "/v1/lease", DEMO, NULL), 405);
	ck_assert_str_eq(fx_body(&fx), "");
	ck_assert_int_gt(atoi(fx_header(&fx, "Content-Length")), 0);
}
END_TEST

START_TEST(every_error_is_complete_json) {
	char length[64];

	ck_assert_uint_eq(fx_ask(&fx, "GET", "/v1/x", DEMO, NULL), 404);
	ck_assert_str_eq(fx_str(&fx, "error"), "not_found");
	ck_assert_str_ne(fx_str(&fx, "message"), "");
	(void)snprintf(length, sizeof(length), "Content-Length: %zu", strlen(fx_body(&fx)));
	ck_assert(fx_has_line(&fx, length));
	ck_assert(fx_has_line(&fx, "Content-Type: application/json"));
	ck_assert(fx_has_line(&fx, "Cache-Control: no-store"));
	ck_assert(fx_has_line(&fx, "X-Content-Type-Options: nosniff"));
	ck_assert(fx_has_line(&fx, "Strict-Transport-Security: max-age=31536000"));
	ck_assert(fx_has_line(&fx, "Vary: Origin"));
	ck_assert_uint_eq(fx.reply.conn.idx, 3);
	ck_assert_uint_eq(fx.reply.conn.worker, 1);
	ck_assert_uint_eq(fx.reply.len, strlen(fx.text));
}
END_TEST

START_TEST(keeps_the_connection) {
	(void)fx_ask(&fx, "GET", "/v1/lease", DEMO, NULL);
	ck_assert(!fx_has_line(&fx, "Connection: close"));
	ck_assert_uint_eq(fx.reply.flags, 0);
}
END_TEST

START_TEST(closes_the_connection_when_asked) {
	(void)fx_ask(&fx, "GET", "/v1/lease", DEMO "Connection: close\r\n", NULL);
	ck_assert(fx_has_line(&fx, "Connection: close"));
	ck_assert_uint_eq(fx.reply.flags, RG_REPLY_F_END);
}
END_TEST

static const struct {
	const char *name, *request;
	unsigned status;
} malformed[] = {
	{"no host", "POST /v1/lease HTTP/1.1\r\n\r\n", 400},
	{"nothing", "", 400},
	{"half a head", "POST /v1/lease HTTP/1.1\r\nHost: x\r\n", 400},
	{"old version", "POST /v1/lease HTTP/2.0\r\nHost: x\r\n\r\n", 505},
};
#define N_MALFORMED (int)(sizeof(malformed) / sizeof(*malformed))

START_TEST(malformed_ends_the_connection) {
	fx_send_raw(&fx, rg_str(malformed[_i].request));
	ck_assert_uint_eq(fx.n_replies, 1);
	ck_assert_msg(fx_status(&fx) == malformed[_i].status, "%s: %s", malformed[_i].name,
		      fx.text);
	ck_assert_uint_eq(fx.reply.flags, RG_REPLY_F_END);
	ck_assert(fx_has_line(&fx, "Connection: close"));
}
END_TEST

START_TEST(head_too_large) {
	char *big = malloc(HTTP_MAX_HEAD + 64);
	struct rg_wr w = rg_wr(big, HTTP_MAX_HEAD + 64);

	rg_puts(&w, "GET /v1/lease HTTP/1.1\r\nHost: x\r\nX: ");
	while (w.len < HTTP_MAX_HEAD + 10)
		rg_putc(&w, 'a');
	rg_puts(&w, "\r\n\r\n");
	fx_send_raw(&fx, rg_wr_slice(&w));
	free(big);
	ck_assert_uint_eq(fx_status(&fx), 431);
	ck_assert_uint_eq(fx.reply.flags, RG_REPLY_F_END);
}
END_TEST

START_TEST(body_too_large) {
	char *body = malloc(HTTP_MAX_BODY + 2);

	memset(body, ' ', HTTP_MAX_BODY + 1);
	body[HTTP_MAX_BODY + 1] = '\0';
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, body), 413);
	body[HTTP_MAX_BODY] = '\0';
	memcpy(body, ANON, strlen(ANON));
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, body), 201);
	free(body);
}
END_TEST

// The worker has joined the chunks already (dataplane/core): the head still says chunked.
START_TEST(takes_a_joined_body) {
	fx_send_raw(&fx, RG_LIT("POST /v1/lease HTTP/1.1\r\nHost: x\r\n" DEMO JSON
				"Transfer-Encoding: chunked\r\n\r\n" ANON));
	fx_run(&fx);
	ck_assert_uint_eq(fx_status(&fx), 201);
}
END_TEST

// What jansson frees is wiped first: it copies passwords where nobody else can reach them.
START_TEST(jansson_wipes) {
	json_malloc_t alloc;
	json_free_t release;

	json_get_alloc_funcs(&alloc, &release);
	ck_assert_ptr_ne(release, free);
}
END_TEST

START_TEST(free_accepts_nothing) {
	wwsf_free(NULL);
}
END_TEST

int main(void) {
	Suite *s = suite_create("route");
	TCase *t = tcase_create("route");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, route_table, 0, N_ROUTES);
	tcase_add_test(t, head_has_no_body);
	tcase_add_test(t, every_error_is_complete_json);
	tcase_add_test(t, keeps_the_connection);
	tcase_add_test(t, closes_the_connection_when_asked);
	tcase_add_loop_test(t, malformed_ends_the_connection, 0, N_MALFORMED);
	tcase_add_test(t, head_too_large);
	tcase_add_test(t, body_too_large);
	tcase_add_test(t, takes_a_joined_body);
	tcase_add_test(t, jansson_wipes);
	tcase_add_test(t, free_accepts_nothing);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
