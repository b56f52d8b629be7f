// SPDX-License-Identifier: BSD-3-Clause
// Key sets fetched over HTTP from a server in the same loop, tokens verified with them on the real
// crypto pool. Every run is bounded by a timer. Threads: no fork.
#include <errno.h>
#include <signal.h>

#include "token/issuers.h"
#include "tokens.h"

#define OTHER "https://other.example.net"
#define LIMIT_NS (10 * RG_NS_PER_S)
#define LIFE 7200

struct rig {
	struct env_timer limit; // first
	struct env *env;
	struct http_client *http;
	struct token_issuers *issuers;
	struct token_issuer_cfg cfg;
	char url[64];
	unsigned status; // of the server
	json_t *keys;    // that it has
	unsigned n_fetches;
	const char *answer; // of introspection
	char asked[4096];
	struct token_key *key;
	int rc;
	unsigned n_done, want_done;
	bool is_late;
	char impi[64];
	int64_t exp;
	uint64_t tag;
};

static struct rig r;

static void on_limit(struct env_timer *, uint64_t) {
	r.is_late = true;
	env_stop(r.env);
}

static void run(void) {
	r.is_late = false;
	env_timer_set(r.env, &r.limit, env_now_ns(r.env) + LIMIT_NS);
	ck_assert_int_eq(env_real_run(r.env), 0);
	env_timer_cancel(r.env, &r.limit);
	ck_assert(!r.is_late);
}

static void on_conn(void *, struct env_sock *s, unsigned) {
	char text[8192], *body;
	ssize_t n = env_recv(s, text, sizeof(text));
	json_t *set;

	if (n <= 0) {
		env_sock_close(s);
		return;
	}
	r.n_fetches++;
	if (r.answer != NULL) {
		snprintf(r.asked, sizeof(r.asked), "%.*s", (int)n, text);
		n = snprintf(text, sizeof(text), "HTTP/1.1 %u x\r\nContent-Length: %zu\r\n\r\n%s",
			     r.status, strlen(r.answer), r.answer);
		ck_assert_int_eq(env_send(s, text, (size_t)n), n);
		return;
	}
	ck_assert(strncmp(text, "GET /jwks ", 10) == 0);
	set = json_pack("{s:O}", "keys", r.keys);
	body = json_dumps(set, 0);
	n = snprintf(text, sizeof(text), "HTTP/1.1 %u x\r\nContent-Length: %zu\r\n\r\n%s", r.status,
		     strlen(body), body);
	ck_assert_int_eq(env_send(s, text, (size_t)n), n);
	json_decref(set);
	free(body);
}

static void on_listener(void *, struct env_sock *s, unsigned) {
	struct env_sock *conn;

	ck_assert_int_eq(env_accept(r.env, s, on_conn, NULL, &conn), 0);
}

static void on_silent(void *, struct env_sock *, unsigned) {
}

static void publish(const struct token_key *k) {
	json_array_append_new(r.keys, jwk_export(token_key_jws(k)));
}

static void start(uint64_t refetch_ns) {
	const struct token_issuers_cfg cfg = {AUD,  LIFE, 900 * RG_NS_PER_S, refetch_ns, NULL,
					      NULL, NULL};
	struct env_sock *listener;
	struct rg_addr at;
	char err[256];

	r = (struct rig){.limit.fn = on_limit, .status = 200, .rc = 1, .want_done = 1};
	r.env = env_real_new();
	r.http = http_client_new(r.env);
	r.keys = json_array();
	r.key = key_new();
	publish(r.key);
	ck_assert_int_eq(rg_addr_parse(rg_str("127.0.0.1:0"), &at), 0);
	ck_assert_int_eq(env_tcp_listen(r.env, &at, on_listener, NULL, &listener), 0);
	ck_assert_int_eq(env_sock_local(listener, &at), 0);
	snprintf(r.url, sizeof(r.url), "http://127.0.0.1:%u/jwks", at.port);
	r.cfg = (struct token_issuer_cfg){.issuer = OTHER,
					  .jwks_uri = r.url,
					  .wwsf = "other",
					  .wwsf_idx = 3};
	r.issuers = token_issuers_new(&cfg, &r.cfg, 1, r.env, r.http, NULL, err, sizeof(err));
	ck_assert_msg(r.issuers != NULL, "%s", err);
}

static void stop(void) {
	token_issuers_free(r.issuers);
	http_client_free(r.http);
	token_key_free(r.key);
	json_decref(r.keys);
	env_real_free(r.env);
}

static void on_done(void *, int rc, uint16_t wwsf, const struct token_claims *c) {
	ck_assert_uint_eq(wwsf, 3);
	ck_assert((rc == 0) == (c != NULL));
	r.rc = rc;
	if (c != NULL) {
		snprintf(r.impi, sizeof(r.impi), "%s", c->impi);
		r.exp = c->exp;
		r.tag = c->key;
	}
	if (++r.n_done == r.want_done)
		env_stop(r.env);
}

static struct token_claims claims(void) {
	struct token_claims c = good_claims();

	c.iss = OTHER;
	c.wwsf = "other";
	c.iat = c.nbf = env_wall_ms(r.env) / 1000;
	c.exp = c.iat + 3600;
	return c;
}

static int ask(const struct token_key *k, const struct token_claims *c) {
	static const uint8_t jti[16];
	char text[RG_TOKEN_MAX];
	struct rg_wr w = rg_wr(text, sizeof(text));

	ck_assert_int_eq(token_issue(k, c, jti, &w), 0);
	return token_issuers_verify(r.issuers, rg_wr_slice(&w), UINT16_MAX, on_done, NULL);
}

static int verify(const struct token_key *k, const struct token_claims *c) {
	int rc = ask(k, c);

	if (rc != 0)
		return rc;
	ck_assert_uint_eq(r.n_done, 0); // never inside the call
	run();
	r.n_done = 0;
	return r.rc;
}

START_TEST(good) {
	struct token_claims c;

	start(60 * RG_NS_PER_S);
	c = claims();
	ck_assert_int_eq(verify(r.key, &c), 0); // the keys are still on their way
	ck_assert_str_eq(r.impi, c.impi);
	ck_assert_uint_eq(r.n_fetches, 1);
	ck_assert_int_eq(verify(r.key, &c), 0);
	ck_assert_uint_eq(r.n_fetches, 1);
	stop();
}
END_TEST

START_TEST(refused) {
	struct token_claims c;

	start(60 * RG_NS_PER_S);
	c = claims();
	c.wwsf = "another"; // of which it may not speak
	ck_assert_int_eq(verify(r.key, &c), RG_E_AUTH);
	c = claims();
	c.aud = "elsewhere";
	ck_assert_int_eq(verify(r.key, &c), RG_E_AUTH);
	c = claims();
	c.exp = c.iat;
	ck_assert_int_eq(verify(r.key, &c), RG_E_EXPIRED);
	c.exp = c.iat + LIFE + 10;
	ck_assert_int_eq(verify(r.key, &c), RG_E_LIMIT);
	c = claims();
	c.iss = ISS;
	ck_assert_int_eq(ask(r.key, &c), RG_E_STALE);
	ck_assert_int_eq(token_issuers_verify(r.issuers, RG_LIT("a.b"), UINT16_MAX, on_done, NULL),
			 RG_E_PROTO);
	stop();
}
END_TEST

// A new key is fetched when its first token comes; the key before stays good.
START_TEST(rotated) {
	struct token_key *new;
	struct token_claims c;

	start(0);
	c = claims();
	ck_assert_int_eq(verify(r.key, &c), 0);
	new = key_new();
	json_array_clear(r.keys);
	publish(new);
	ck_assert_int_eq(verify(new, &c), 0);
	ck_assert_uint_eq(r.n_fetches, 2);
	ck_assert_int_eq(verify(r.key, &c), 0);
	ck_assert_uint_eq(r.n_fetches, 2);
	token_key_free(new);
	stop();
}
END_TEST

static int on_gone(void *arg, uint16_t wwsf, const uint64_t *tags, size_t n) {
	ck_assert_uint_eq(wwsf, 3);
	ck_assert_uint_eq(n, 1);
	*(uint64_t *)arg = tags[0];
	env_stop(r.env);
	return 0;
}

// As a key is forgotten that leaked: not after a life, but now.
START_TEST(withdrawn) {
	uint64_t gone = 0;
	const struct token_issuers_cfg cfg = {AUD,   LIFE, 900 * RG_NS_PER_S, 0, on_gone,
					      &gone, NULL};
	struct token_key *new;
	struct token_claims c;
	char err[256];

	start(0);
	token_issuers_free(r.issuers);
	r.issuers = token_issuers_new(&cfg, &r.cfg, 1, r.env, r.http, NULL, err, sizeof(err));
	c = claims();
	ck_assert_int_eq(verify(r.key, &c), 0);
	new = key_new();
	json_array_clear(r.keys);
	publish(new);
	ck_assert_int_eq(verify(new, &c), 0);
	ck_assert_int_eq(verify(r.key, &c), 0); // it signed before
	ck_assert_ptr_null(token_issuers_pending(r.issuers, 0));
	token_issuers_forget(r.issuers, 3);
	ck_assert_str_eq(token_issuers_pending(r.issuers, 0), "other");
	ck_assert_ptr_null(token_issuers_pending(r.issuers, 1));
	run();
	ck_assert_ptr_null(token_issuers_pending(r.issuers, 0));
	ck_assert_uint_ne(gone, 0);
	ck_assert_int_eq(verify(r.key, &c), RG_E_STALE);
	ck_assert_int_eq(verify(new, &c), 0);
	ck_assert_uint_ne(r.tag, gone);
	token_key_free(new);
	stop();
}
END_TEST

START_TEST(unknown_key_is_asked_for_once) {
	struct token_key *forger;
	struct token_claims c;

	start(60 * RG_NS_PER_S);
	c = claims();
	forger = key_new();
	ck_assert_int_eq(verify(forger, &c), RG_E_STALE);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ask(forger, &c), RG_E_STALE);
	ck_assert_int_eq(verify(r.key, &c), 0);
	ck_assert_uint_eq(r.n_fetches, 1);
	token_key_free(forger);
	stop();
}
END_TEST

// What is fetched and is no set leaves the one before as it was.
START_TEST(bad_answers) {
	struct token_key *forger;
	struct token_claims c;

	start(0);
	c = claims();
	ck_assert_int_eq(verify(r.key, &c), 0);
	forger = key_new();
	r.status = 503;
	ck_assert_int_eq(verify(forger, &c), RG_E_STALE);
	ck_assert_int_eq(verify(r.key, &c), 0);
	r.status = 200;
	json_array_clear(r.keys);
	ck_assert_int_eq(verify(forger, &c), RG_E_STALE);
	ck_assert_int_eq(verify(r.key, &c), 0);
	token_key_free(forger);
	stop();
}
END_TEST

static void start_asking(void) {
	const struct token_issuers_cfg cfg = {AUD, LIFE, 900 * RG_NS_PER_S, 0, NULL, NULL, NULL};
	char err[256];

	start(0);
	token_issuers_free(r.issuers);
	r.cfg.introspection_uri = r.url;
	r.cfg.authorization = "Authorization: Basic Zzpz";
	r.cfg.cache_s = 300;
	r.issuers = token_issuers_new(&cfg, &r.cfg, 1, r.env, r.http, NULL, err, sizeof(err));
	ck_assert_msg(r.issuers != NULL, "%s", err);
}

static int introspect(const char *token, uint16_t page) {
	int rc = token_issuers_verify(r.issuers, rg_str(token), page, on_done, NULL);

	if (rc != 0)
		return rc;
	ck_assert_uint_eq(r.n_done, 0);
	run();
	r.n_done = 0;
	return r.rc;
}

#define IMS                                                                                     \
	"\"ims\":{\"impi\":\"t0@x\",\"impu\":[\"sip:t0@x\"],\"wwsf\":\"other\",\"pool\":\"p\"," \
	"\"idx\":0,"                                                                            \
	"\"gen\":4,\"scn\":3}"
#define SUB "\"sub\":\"u\",\"scope\":\"a ims.register\","
#define EXP "\"exp\":9007199254740992,"

static const struct {
	unsigned status;
	int rc;
	const char *answer;
} answers[] = {
	{200, 0, "{\"active\":true," SUB EXP IMS "}"},
	{200, 0, "{\"active\":true,\"iss\":\"" OTHER "\",\"aud\":\"" AUD "\"," SUB EXP IMS "}"},
	{200, 0, "{\"active\":true,\"aud\":[\"x\",\"" AUD "\"]," SUB EXP IMS "}"},
	{200, RG_E_STALE, "{\"active\":false}"},
	{200, RG_E_STALE, "{\"active\":false," SUB EXP IMS "}"},
	{200, RG_E_PROTO, "{}"},
	{200, RG_E_PROTO, "{\"active\":\"true\"," SUB EXP IMS "}"},
	{200, RG_E_PROTO, "{\"active\":1," SUB EXP IMS "}"},
	{200, RG_E_PROTO, "{\"active\":true,\"active\":true," SUB EXP IMS "}"},
	{200, RG_E_PROTO, "[]"},
	{200, RG_E_PROTO, ""},
	{200, RG_E_PROTO, "{\"active\":true," SUB IMS "}"},
	{200, RG_E_PROTO, "{\"active\":true,\"exp\":\"9\"," SUB IMS "}"},
	{200, RG_E_PROTO, "{\"active\":true,\"exp\":9e9," SUB IMS "}"},
	{200, RG_E_PROTO, "{\"active\":true," EXP IMS "}"},
	{200, RG_E_PROTO, "{\"active\":true," SUB EXP "\"ims\":null}"},
	{200, RG_E_PROTO, "{\"active\":true,\"iss\":7," SUB EXP IMS "}"},
	{200, RG_E_AUTH, "{\"active\":true,\"sub\":\"u\",\"scope\":\"ims.register2\"," EXP IMS "}"},
	{200, RG_E_AUTH, "{\"active\":true,\"sub\":\"u\"," EXP IMS "}"},
	{200, RG_E_AUTH, "{\"active\":true,\"iss\":\"https://x\"," SUB EXP IMS "}"},
	{200, RG_E_AUTH, "{\"active\":true,\"aud\":\"x\"," SUB EXP IMS "}"},
	{200, RG_E_AUTH, "{\"active\":true,\"aud\":[]," SUB EXP IMS "}"},
	{200, RG_E_AUTH, "{\"active\":true,\"aud\":7," SUB EXP IMS "}"},
	{200, RG_E_AUTH, "{\"active\":true,\"nbf\":9007199254740992," SUB EXP IMS "}"},
	{200, RG_E_EXPIRED, "{\"active\":true,\"exp\":1," SUB IMS "}"},
	{401, -EAGAIN, "{\"active\":true," SUB EXP IMS "}"},
	{500, -EAGAIN, "{\"active\":true," SUB EXP IMS "}"},
	{204, -EAGAIN, ""},
	{302, -EAGAIN, "{\"active\":true," SUB EXP IMS "}"},
};

START_TEST(introspected) {
	start_asking();
	r.status = answers[_i].status;
	r.answer = answers[_i].answer;
	ck_assert_int_eq(introspect("an+opaque/one==", 3), answers[_i].rc);
	ck_assert(strncmp(r.asked, "POST /jwks ", 11) == 0);
	ck_assert_ptr_nonnull(strstr(r.asked, "\r\nAuthorization: Basic Zzpz\r\n"));
	ck_assert_ptr_nonnull(
		strstr(r.asked, "token=an%2Bopaque%2Fone%3D%3D&token_type_hint=access_token"));
	stop();
}
END_TEST

// Its word is not good for longer than the configured time.
START_TEST(introspection_is_cached_for_a_while) {
	start_asking();
	r.answer = answers[0].answer;
	ck_assert_int_eq(introspect("opaque", 3), 0);
	ck_assert_int_le(r.exp, env_wall_ms(r.env) / 1000 + 300);
	ck_assert_int_ge(r.exp, env_wall_ms(r.env) / 1000 + 290);
	stop();
}
END_TEST

// Whom to ask: the issuer that the token names, whatever the page; else the page's.
START_TEST(introspection_by_name_or_page) {
	struct token_claims c;

	start_asking();
	r.answer = answers[0].answer;
	c = claims();
	ck_assert_int_eq(verify(r.key, &c), 0);
	c.iss = ISS;
	ck_assert_int_eq(ask(r.key, &c), RG_E_STALE);
	ck_assert_int_eq(introspect("opaque", 4), RG_E_PROTO);
	ck_assert_int_eq(introspect("opaque", UINT16_MAX), RG_E_PROTO);
	ck_assert_uint_eq(r.n_fetches, 1);
	stop();
}
END_TEST

START_TEST(introspection_of_another_wwsf) {
	start_asking();
	r.cfg.wwsf = "third"; // it may not speak for "other"
	r.answer = answers[0].answer;
	ck_assert_int_eq(introspect("opaque", 3), RG_E_AUTH);
	stop();
}
END_TEST

START_TEST(nobody_to_ask) {
	start_asking();
	r.cfg.introspection_uri = "http://127.0.0.1:1/";
	ck_assert_int_eq(introspect("opaque", 3), -EAGAIN);
	stop();
}
END_TEST

static void on_other(void *, int rc, uint16_t wwsf, const struct token_claims *) {
	ck_assert_uint_eq(wwsf, 7);
	r.rc = rc;
	env_stop(r.env);
}

static void ignore(void *, int, uint16_t, const struct token_claims *) {
}

// One that never answers has its own limit; the others go on.
START_TEST(a_hanging_issuer_is_alone) {
	const struct token_issuers_cfg cfg = {AUD, LIFE, 900 * RG_NS_PER_S, 0, NULL, NULL, NULL};
	struct token_issuer_cfg list[2];
	struct env_sock *listener;
	struct rg_addr at;
	char err[256], url[64];

	start_asking();
	ck_assert_int_eq(rg_addr_parse(rg_str("127.0.0.1:0"), &at), 0);
	ck_assert_int_eq(env_tcp_listen(r.env, &at, on_silent, NULL, &listener), 0);
	ck_assert_int_eq(env_sock_local(listener, &at), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", at.port);
	token_issuers_free(r.issuers);
	list[0] = list[1] = r.cfg;
	list[0].introspection_uri = url;
	list[1].wwsf_idx = 7;
	list[1].issuer = "https://seventh.example.net";
	r.issuers = token_issuers_new(&cfg, list, 2, r.env, r.http, NULL, err, sizeof(err));
	for (unsigned i = 0; i < 16; i++)
		ck_assert_int_eq(token_issuers_verify(r.issuers, RG_LIT("x"), 3, ignore, NULL), 0);
	ck_assert_int_eq(token_issuers_verify(r.issuers, RG_LIT("x"), 3, ignore, NULL), -EAGAIN);
	r.answer = answers[0].answer;
	ck_assert_int_eq(token_issuers_verify(r.issuers, RG_LIT("x"), 7, on_other, NULL), 0);
	run();
	ck_assert_int_eq(r.rc, 0);
	stop();
}
END_TEST

// Slots of its own for what a lease has.
START_TEST(again_beside_a_flood) {
	struct env_sock *listener;
	struct rg_addr at;
	char url[64];
	unsigned n = 0;

	start_asking();
	ck_assert_int_eq(rg_addr_parse(rg_str("127.0.0.1:0"), &at), 0);
	ck_assert_int_eq(env_tcp_listen(r.env, &at, on_silent, NULL, &listener), 0);
	ck_assert_int_eq(env_sock_local(listener, &at), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", at.port);
	r.cfg.introspection_uri = url;
	while (token_issuers_verify(r.issuers, RG_LIT("x"), 3, ignore, NULL) == 0)
		n++;
	ck_assert_uint_eq(n, 16);
	n = 0;
	while (token_issuers_verify_again(r.issuers, RG_LIT("t"), 3, ignore, NULL) == 0)
		n++;
	ck_assert_uint_eq(n, 64);
	stop();
}
END_TEST

START_TEST(many_at_once) {
	struct token_claims c;
	unsigned n = 0;
	int rc;

	start(60 * RG_NS_PER_S);
	c = claims();
	while ((rc = ask(r.key, &c)) == 0)
		n++;
	ck_assert_int_eq(rc, -EAGAIN);
	ck_assert_uint_eq(n, 16);
	r.want_done = n;
	run();
	ck_assert_int_eq(r.rc, 0);
	stop();
}
END_TEST

static void on_cancelled(void *, int rc, uint16_t, const struct token_claims *) {
	ck_assert_int_eq(rc, -ECANCELED);
	r.n_done++;
}

// One waits for the keys; in the other run one is in the pool.
START_TEST(free_under_way) {
	static const uint8_t jti[16];
	char text[RG_TOKEN_MAX];
	struct rg_wr w = rg_wr(text, sizeof(text));
	struct token_claims c;

	start(60 * RG_NS_PER_S);
	c = claims();
	if (_i == 1)
		ck_assert_int_eq(verify(r.key, &c), 0);
	ck_assert_int_eq(token_issue(r.key, &c, jti, &w), 0);
	ck_assert_int_eq(token_issuers_verify(r.issuers, rg_wr_slice(&w), UINT16_MAX, on_cancelled,
					      NULL),
			 0);
	token_issuers_free(r.issuers);
	ck_assert_uint_eq(r.n_done, 1);
	r.issuers = NULL;
	stop();
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_issuers");
	TCase *tc = tcase_create("issuers");
	SRunner *sr = srunner_create(s);
	int n_failed;

	signal(SIGPIPE, SIG_IGN);
	srunner_set_fork_status(sr, CK_NOFORK);
	tcase_add_test(tc, good);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, rotated);
	tcase_add_test(tc, withdrawn);
	tcase_add_test(tc, unknown_key_is_asked_for_once);
	tcase_add_test(tc, bad_answers);
	tcase_add_loop_test(tc, introspected, 0, sizeof(answers) / sizeof(*answers));
	tcase_add_test(tc, introspection_is_cached_for_a_while);
	tcase_add_test(tc, introspection_by_name_or_page);
	tcase_add_test(tc, introspection_of_another_wwsf);
	tcase_add_test(tc, nobody_to_ask);
	tcase_add_test(tc, a_hanging_issuer_is_alone);
	tcase_add_test(tc, again_beside_a_flood);
	tcase_add_test(tc, many_at_once);
	tcase_add_loop_test(tc, free_under_way, 0, 2);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
