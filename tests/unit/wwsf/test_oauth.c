// SPDX-License-Identifier: BSD-3-Clause
// Introspection (RFC 7662) and revocation (RFC 7009) for servers: who may ask, what is told, and that an
// end is told once it is durable.
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "fixture.h"
#include "regate/base64.h"
#include "regate/err.h"
#include "store/store_mem.h"
#include "wwsf/clients.h"
#include "wwsf/urlform.h"

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define SECRET "0123456789abcdef0123456789ABCDEF-._~"
#define OTHER_SECRET "fedcba9876543210fedcba9876543210"

static struct fx fx;
static struct conf_client list[] = {{(char *)"im", (char *)"/im.secret", UINT16_MAX},
				    {(char *)"far", (char *)"/far.secret", 1}};
static struct wwsf_clients *clients;

static void setup(void) {
	char err[256];

	fx_init(&fx);
	fx.conf.clients = list;
	fx.conf.n_clients = 2;
	env_sim_file(fx.env, "/im.secret", RG_LIT(SECRET "\n"));
	env_sim_file(fx.env, "/far.secret", RG_LIT(OTHER_SECRET));
	clients = wwsf_clients_load(&fx.conf, fx.env, err, sizeof(err));
	ck_assert_msg(clients != NULL, "%s", err);
	wwsf_set_clients(fx.w, clients);
}

static void teardown(void) {
	fx_fini(&fx);
	wwsf_clients_free(clients);
}

static const char *basic(const char *credentials) {
	static char line[1024];
	struct rg_wr w = rg_wr(line, sizeof(line) - 1);

	rg_puts(&w, "Authorization: Basic ");
	rg_b64_put(&w, RG_B64_PADDED, rg_str(credentials));
	rg_puts(&w, "\r\n" FORM);
	line[w.len] = '\0';
	return line;
}

static unsigned ask(const char *path, const char *credentials, const char *token,
		    const char *more) {
	char body[RG_TOKEN_MAX + 64];

	(void)snprintf(body, sizeof(body), "token=%s%s", token, more);
	return fx_ask(&fx, "POST", path, basic(credentials), body);
}

static unsigned introspect(const char *token) {
	return ask("/v1/introspect", "im:" SECRET, token, "");
}

static const char *anonymous(void) {
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", DEMO JSON, ANON), 201);
	return fx_str(&fx, "token");
}

static void expect_inactive(void) {
	ck_assert_uint_eq(fx_status(&fx), 200);
	ck_assert_str_eq(fx_body(&fx), "{\"active\":false}");
	ck_assert(fx_has_line(&fx, "Cache-Control: no-store"));
}

START_TEST(active) {
	int64_t now = env_wall_ms(fx.env) / 1000;
	const char *token = anonymous();

	ck_assert_uint_eq(introspect(token), 200);
	ck_assert_ptr_nonnull(strstr(fx_body(&fx), "{\"active\":true,"));
	ck_assert_str_eq(fx_str(&fx, "token_type"), "Bearer");
	ck_assert_str_eq(fx_str(&fx, "iss"), fx.conf.token.issuer);
	ck_assert_str_eq(fx_str(&fx, "aud"), fx.conf.token.audience);
	ck_assert_str_eq(fx_str(&fx, "client_id"), "wic-web");
	ck_assert_str_eq(fx_str(&fx, "scope"), "ims.register");
	ck_assert_int_eq(strncmp(fx_str(&fx, "sub"), "anon-", 5), 0);
	ck_assert_int_eq(fx_int(&fx, "iat"), now);
	ck_assert_int_eq(fx_int(&fx, "exp"), now + 1800);
	ck_assert_ptr_nonnull(strstr(fx_body(&fx), "\"impu\":[\"sip:open-0@ims.example.net\"]"));
	env_sim_advance(fx.env, 1800 * RG_NS_PER_S);
	(void)introspect(token);
	expect_inactive();
}
END_TEST

// Whatever it is, it looks the same (RFC 7662 4).
START_TEST(inactive) {
	static char huge[RG_TOKEN_MAX + 2];
	const char *token = anonymous();
	char forged[RG_TOKEN_MAX + 1];
	const char *const tokens[] = {forged, "x", "a.b.c", "%00", "%20", "..", huge};

	memset(huge, 'a', sizeof(huge) - 1);
	(void)snprintf(forged, sizeof(forged), "%s", token);
	forged[strlen(forged) - 2] ^= 1;
	for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
		(void)introspect(tokens[i]);
		expect_inactive();
	}
	(void)ask("/v1/introspect", "far:" OTHER_SECRET, token, ""); // another WWSF's
	expect_inactive();
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/lease", OTHER JSON, ANON), 201);
	ck_assert_uint_eq(ask("/v1/introspect", "far:" OTHER_SECRET, fx_str(&fx, "token"), ""),
			  200);
	ck_assert_ptr_nonnull(strstr(fx_body(&fx), "{\"active\":true,"));
}
END_TEST

static const struct {
	const char *name, *headers;
} strangers[] = {
	{"nobody", FORM},
	{"bearer", "Authorization: Bearer " SECRET "\r\n" FORM},
	{"no base64", "Authorization: Basic im:" SECRET "\r\n" FORM},
	{"base64url", "Authorization: Basic aW06-w==\r\n" FORM},
	{"no colon", "Authorization: Basic aW0=\r\n" FORM},
	{"empty", "Authorization: Basic \r\n" FORM},
	{"only a colon", "Authorization: Basic Og==\r\n" FORM},
};

START_TEST(unauthenticated) {
	static const char *const paths[] = {"/v1/introspect", "/v1/revoke"};

	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(fx_ask(&fx, "POST", paths[i], strangers[_i].headers, "token=x"),
				  401);
		ck_assert_str_eq(fx_header(&fx, "WWW-Authenticate"),
				 "Basic realm=\"ims.example.net\"");
		ck_assert_str_eq(fx_str(&fx, "error"), "invalid_client");
	}
}
END_TEST

START_TEST(wrong_credentials_look_the_same) {
	static const char *const wrong[] = {"im:" OTHER_SECRET, "im:" SECRET "x",       "im:",
					    "IM:" SECRET,       "who:" SECRET,          ":" SECRET,
					    "far:" SECRET,      "im:" SECRET ":" SECRET};
	char first[sizeof(fx.text)];
	char twice[2048];

	ck_assert_uint_eq(ask("/v1/introspect", wrong[0], "x", ""), 401);
	(void)snprintf(first, sizeof(first), "%s", fx.text);
	for (size_t i = 1; i < sizeof(wrong) / sizeof(*wrong); i++) {
		ck_assert_uint_eq(ask("/v1/introspect", wrong[i], "x", ""), 401);
		ck_assert_str_eq(fx.text, first);
	}
	(void)snprintf(twice, sizeof(twice), "%s%s", basic("im:" SECRET), basic("im:" SECRET));
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/introspect", twice, "token=x"), 401);
	wwsf_set_clients(fx.w, NULL);
	ck_assert_uint_eq(introspect("x"), 401);
}
END_TEST

#define NEW_SECRET "ffffffffffffffffffffffffffffffff"

// A bad file leaves all of them as they were.
START_TEST(changed_secrets) {
	char err[256];

	env_sim_file(fx.env, "/im.secret", RG_LIT(NEW_SECRET));
	env_sim_file(fx.env, "/far.secret", RG_LIT("short"));
	ck_assert_int_ne(wwsf_clients_reload(clients, &fx.conf, fx.env, err, sizeof(err)), 0);
	ck_assert_ptr_nonnull(strstr(err, "clients.secret_file: /far.secret: "));
	ck_assert_uint_eq(ask("/v1/introspect", "im:" SECRET, "x", ""), 200);
	ck_assert_uint_eq(ask("/v1/introspect", "im:" NEW_SECRET, "x", ""), 401);
	env_sim_file(fx.env, "/far.secret", RG_LIT(OTHER_SECRET));
	ck_assert_int_eq(wwsf_clients_reload(clients, &fx.conf, fx.env, err, sizeof(err)), 0);
	ck_assert_uint_eq(ask("/v1/introspect", "im:" SECRET, "x", ""), 401);
	ck_assert_uint_eq(ask("/v1/introspect", "im:" NEW_SECRET, "x", ""), 200);
	ck_assert_uint_eq(ask("/v1/introspect", "far:" OTHER_SECRET, "x", ""), 200);
}
END_TEST

static const struct {
	const char *body;
	unsigned status;
} bodies[] = {
	{"", 400},
	{"token", 400},
	{"token=", 400},
	{"Token=x", 400},
	{"token=x&token=x", 400},
	{"token=%", 400},
	{"token=%4", 400},
	{"token=%zz", 400},
	{"{\"token\":\"x\"}", 400},
	{"&&token=x&&", 200},
	{"token_type_hint=access_token&token=x", 200},
	{"token=x&token_type_hint=nonsense", 200},
	{"token=x&more=%zz", 200},
};

START_TEST(body_table) {
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/introspect", basic("im:" SECRET),
				 bodies[_i].body),
			  bodies[_i].status);
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/revoke", basic("im:" SECRET), bodies[_i].body),
			  bodies[_i].status);
	if (bodies[_i].status == 400)
		ck_assert_str_eq(fx_str(&fx, "error"), "invalid_request");
}
END_TEST

START_TEST(other_media_type) {
	char headers[1024];

	(void)snprintf(headers, sizeof(headers), "%s", basic("im:" SECRET));
	strstr(headers, "x-www")[0] = 'y';
	ck_assert_uint_eq(fx_ask(&fx, "POST", "/v1/introspect", headers, "token=x"), 415);
}
END_TEST

START_TEST(decoding) {
	char text[8];
	struct rg_wr w = rg_wr(text, sizeof(text));

	ck_assert_int_eq(urlform_get(RG_LIT("a=1&token=%41+b%2e"), "token", &w), 0);
	ck_assert(rg_eq(rg_wr_slice(&w), RG_LIT("A b.")));
	ck_assert_int_eq(urlform_get(RG_LIT("a=1"), "token", &w), RG_E_STALE);
	ck_assert_int_eq(urlform_get(RG_LIT("a=1&a"), "a", &w), RG_E_CONFLICT);
	ck_assert_int_eq(urlform_get(RG_LIT("a=%e"), "a", &w), RG_E_PROTO);
	ck_assert_int_eq(urlform_get(RG_LIT("a=12345"), "a", &w), RG_E_LIMIT);
}
END_TEST

START_TEST(revoked) {
	const char *token = anonymous();
	const struct lease *l = fx_lease(&fx);

	fx_register(&fx, l);
	ck_assert_uint_eq(ask("/v1/revoke", "far:" OTHER_SECRET, token, ""), 200);
	ck_assert_uint_eq(fx.n_closes, 0); // not its WWSF's
	fx.text[0] = '\0';
	ck_assert_uint_eq(ask("/v1/revoke", "im:" SECRET, token, "&token_type_hint=refresh_token"),
			  200);
	ck_assert_uint_eq(fx.n_closes, 1);
	fx_run(&fx);
	ck_assert_uint_eq(fx.n_deregs, 1);
	(void)introspect(token);
	expect_inactive();
	ck_assert_uint_eq(ask("/v1/revoke", "im:" SECRET, token, ""), 200); // again
	ck_assert_uint_eq(ask("/v1/revoke", "im:" SECRET, "unknown", ""), 200);
	ck_assert_uint_eq(fx.n_closes, 1);
}
END_TEST

START_TEST(revoked_once_durable) {
	const char *token = anonymous();
	unsigned n;

	store_mem_set_delay(fx.store, RG_NS_PER_S);
	n = fx.n_replies;
	(void)snprintf(fx.text, sizeof(fx.text), "token=%s", token);
	fx_send(&fx, "POST", "/v1/revoke", basic("im:" SECRET), fx.text);
	env_sim_advance(fx.env, RG_NS_PER_S / 2);
	ck_assert_uint_eq(fx.n_replies, n);
	env_sim_advance(fx.env, RG_NS_PER_S);
	ck_assert_uint_eq(fx.n_replies, n + 1);
	ck_assert_uint_eq(fx_status(&fx), 200);
	store_mem_set_delay(fx.store, RG_NS_PER_MS);
	env_sim_advance(fx.env, 5 * RG_NS_PER_S);
	token = anonymous();
	store_mem_fail(fx.store, 1, -EIO);
	ck_assert_uint_eq(ask("/v1/revoke", "im:" SECRET, token, ""), 503); // RFC 7009 2.2.1
	ck_assert_str_eq(fx_header(&fx, "Retry-After"), "5");
}
END_TEST

static const struct {
	const char *text, *why;
} secrets[] = {
	{"", "write 32 to 256"},
	{"short\n", "write 32 to 256"},
	{"0123456789abcdef 123456789abcdef\n", "write 32 to 256"},
	{"0123456789abcdef:123456789abcdef\n", "write 32 to 256"},
	{NULL, "No such file"},
};

START_TEST(secret_files) {
	char err[256];

	if (secrets[_i].text != NULL)
		env_sim_file(fx.env, "/far.secret", rg_str(secrets[_i].text));
	else
		env_sim_file_error(fx.env, "/far.secret", ENOENT);
	ck_assert_ptr_null(wwsf_clients_load(&fx.conf, fx.env, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "clients.secret_file: /far.secret: "));
	ck_assert_msg(strstr(err, secrets[_i].why) != NULL, "%s", err);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(*(a)))

int main(void) {
	Suite *s = suite_create("wwsf_oauth");
	TCase *tc = tcase_create("oauth");
	SRunner *sr;
	int n_failed;

	tcase_add_test(tc, changed_secrets);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, active);
	tcase_add_test(tc, inactive);
	tcase_add_loop_test(tc, unauthenticated, 0, COUNT(strangers));
	tcase_add_test(tc, wrong_credentials_look_the_same);
	tcase_add_loop_test(tc, body_table, 0, COUNT(bodies));
	tcase_add_test(tc, other_media_type);
	tcase_add_test(tc, decoding);
	tcase_add_test(tc, revoked);
	tcase_add_test(tc, revoked_once_durable);
	tcase_add_loop_test(tc, secret_files, 0, COUNT(secrets));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
