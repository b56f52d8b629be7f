// SPDX-License-Identifier: BSD-3-Clause
// The HTTP client against a server in the same loop, and against openssl s_server for TLS. Every run is
// bounded by a timer. libcurl has threads: no fork.
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/http_client.h"
#include "regate/err.h"

#define LIMIT_NS (10 * RG_NS_PER_S)

struct server_conn {
	struct rig *rig;
	struct env_sock *sock;
	char text[2048]; // request so far
	size_t len;
};

struct rig {
	struct env_timer limit; // first
	struct env *env;
	struct http_client *http;
	struct env_sock *listener;
	struct rg_addr at;
	struct server_conn conns[8];
	unsigned n_conns;
	char request[2048]; // the last whole one
	struct env_sock *last;
	struct http_request *req;
	int rc;
	unsigned status, n_done, n_pieces, want_done;
	char body[4096], error[256];
	bool is_late;
};

static void on_limit(struct env_timer *t, uint64_t) {
	struct rig *r = (struct rig *)t;

	r->is_late = true;
	env_stop(r->env);
}

static void send_text(struct env_sock *s, const char *text) {
	ck_assert_int_eq(env_send(s, text, strlen(text)), (ssize_t)strlen(text));
}

static void answer(struct env_sock *s, const char *head, const char *body) {
	char text[4096];

	snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head,
		 strlen(body), body);
	send_text(s, text);
}

static void serve(struct rig *r, struct server_conn *c) {
	const char *body = strstr(c->text, "\r\n\r\n") + 4;

	snprintf(r->request, sizeof(r->request), "%s", c->text);
	r->last = c->sock;
	c->len = 0;
	if (strncmp(r->request, "GET /hello", 10) == 0)
		answer(c->sock, "200 OK", "hello");
	else if (strncmp(r->request, "GET /moved", 10) == 0)
		answer(c->sock, "302 Found\r\nLocation: /hello", "");
	else if (strncmp(r->request, "GET /long", 9) == 0)
		send_text(c->sock, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "3\r\none\r\n");
	else if (strncmp(r->request, "GET /silent", 11) != 0)
		answer(c->sock, "404 Not Found", body);
}

// A request is whole when its body is; the tests' bodies say how long they are.
static bool is_whole(const char *text) {
	const char *end = strstr(text, "\r\n\r\n"), *len = strcasestr(text, "content-length: ");

	return end != NULL && strlen(end + 4) >= (len == NULL ? 0 : strtoul(len + 16, NULL, 10));
}

static void on_conn(void *arg, struct env_sock *s, unsigned) {
	struct server_conn *c = arg;
	ssize_t n = env_recv(s, c->text + c->len, sizeof(c->text) - 1 - c->len);

	if (n <= 0) {
		env_sock_close(s);
		return;
	}
	c->len += (size_t)n;
	c->text[c->len] = '\0';
	if (is_whole(c->text))
		serve(c->rig, c);
}

static void on_listener(void *arg, struct env_sock *s, unsigned) {
	struct rig *r = arg;
	struct server_conn *c = &r->conns[r->n_conns++];

	ck_assert_uint_le(r->n_conns, 8);
	c->rig = r;
	ck_assert_int_eq(env_accept(r->env, s, on_conn, c, &c->sock), 0);
}

static void rig_init(struct rig *r) {
	*r = (struct rig){.limit.fn = on_limit, .env = env_real_new(), .rc = 1, .want_done = 1};
	ck_assert_ptr_nonnull(r->env);
	r->http = http_client_new(r->env);
	ck_assert_ptr_nonnull(r->http);
	ck_assert_int_eq(rg_addr_parse(rg_str("127.0.0.1:0"), &r->at), 0);
	ck_assert_int_eq(env_tcp_listen(r->env, &r->at, on_listener, r, &r->listener), 0);
	ck_assert_int_eq(env_sock_local(r->listener, &r->at), 0);
}

static void rig_fini(struct rig *r) {
	http_client_free(r->http);
	env_real_free(r->env);
}

static void run(struct rig *r) {
	env_timer_set(r->env, &r->limit, env_now_ns(r->env) + LIMIT_NS);
	ck_assert_int_eq(env_real_run(r->env), 0);
	env_timer_cancel(r->env, &r->limit);
	ck_assert(!r->is_late);
}

static void on_done(void *arg, const struct http_answer *a) {
	struct rig *r = arg;

	r->rc = a->rc;
	r->status = a->status;
	snprintf(r->body, sizeof(r->body), "%.*s", (int)a->body.len, (const char *)a->body.p);
	snprintf(r->error, sizeof(r->error), "%s", a->error == NULL ? "" : a->error);
	ck_assert((a->rc != 0) == (a->error != NULL));
	if (++r->n_done == r->want_done)
		env_stop(r->env);
}

static void ask(struct rig *r, struct http_ask a, const char *path) {
	char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", r->at.port, path);
	if (a.url == NULL)
		a.url = url;
	if (a.method == NULL)
		a.method = "GET";
	if (a.max_body == 0)
		a.max_body = 1000;
	if (a.done == NULL)
		a.done = on_done;
	a.arg = r;
	ck_assert_int_eq(http_client_ask(r->http, &a, &r->req), 0);
	ck_assert_uint_eq(r->n_done, 0); // never inside the call
}

START_TEST(get) {
	const char *headers[] = {"Authorization: Basic eDp5", "Accept: application/json", NULL};
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){.headers = headers}, "/hello?x=1");
	run(&r);
	ck_assert_int_eq(r.rc, 0);
	ck_assert_uint_eq(r.status, 200);
	ck_assert_str_eq(r.body, "hello");
	ck_assert_ptr_nonnull(strstr(r.request, "GET /hello?x=1 HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(r.request, "\r\nAuthorization: Basic eDp5\r\n"));
	ck_assert_ptr_nonnull(strstr(r.request, "\r\nAccept: application/json\r\n"));
	rig_fini(&r);
}
END_TEST

static const char *const methods[] = {"POST", "PUT", "DELETE"};

// The server answers with the body that it got; its 404 is an answer like any other.
START_TEST(with_body) {
	char line[64];
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){.method = methods[_i], .body = RG_LIT("token=abc")}, "/echo");
	run(&r);
	ck_assert_int_eq(r.rc, 0);
	ck_assert_uint_eq(r.status, 404);
	ck_assert_str_eq(r.body, "token=abc");
	snprintf(line, sizeof(line), "%s /echo HTTP/1.1\r\n", methods[_i]);
	ck_assert(strncmp(r.request, line, strlen(line)) == 0);
	rig_fini(&r);
}
END_TEST

START_TEST(no_redirects) {
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){0}, "/moved");
	run(&r);
	ck_assert_int_eq(r.rc, 0);
	ck_assert_uint_eq(r.status, 302);
	rig_fini(&r);
}
END_TEST

static const struct {
	const char *url; // NULL: /silent of the server
	size_t max_body;
	uint64_t timeout_ms;
	int rc;
} failures[] = {
	{NULL, 0, 30, -ETIMEDOUT},
	{"http://127.0.0.1:1/", 0, 0, -ECONNREFUSED},
	{"no url", 0, 0, -EINVAL},
	{"file:///etc/hostname", 0, 0, -EINVAL},
	{"http://no-such-name.invalid/", 0, 5000, -EHOSTUNREACH},
};

START_TEST(failure) {
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){.url = failures[_i].url, .timeout_ms = failures[_i].timeout_ms},
	    "/silent");
	run(&r);
	ck_assert_msg(r.rc == failures[_i].rc, "%d, %s", r.rc, r.error);
	ck_assert_uint_eq(r.status, 0);
	rig_fini(&r);
}
END_TEST

START_TEST(too_large) {
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){.max_body = 4}, "/hello");
	run(&r);
	ck_assert_int_eq(r.rc, RG_E_LIMIT);
	ck_assert_str_eq(r.error, "the answer is too large");
	rig_fini(&r);
}
END_TEST

static const char *const later[] = {NULL, "3\r\ntwo\r\n", "5\r\nthree\r\n", "0\r\n\r\n"};

// The server says the next piece only when this one has arrived.
static void on_piece(void *arg, unsigned status, struct rg_slice bytes) {
	struct rig *r = arg;

	ck_assert_uint_eq(status, 200);
	strncat(r->body, (const char *)bytes.p, bytes.len);
	r->n_pieces++;
	send_text(r->last, later[r->n_pieces]);
}

static void on_long_done(void *arg, const struct http_answer *a) {
	struct rig *r = arg;

	ck_assert_uint_eq(a->body.len, 0);
	r->rc = a->rc;
	env_stop(r->env);
}

START_TEST(pieces) {
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){.piece = on_piece, .done = on_long_done, .max_body = 5}, "/long");
	run(&r);
	ck_assert_int_eq(r.rc, 0);
	ck_assert_uint_eq(r.n_pieces, 3);
	ck_assert_str_eq(r.body, "onetwothree");
	rig_fini(&r);
}
END_TEST

static void on_piece_cancel(void *arg, unsigned, struct rg_slice) {
	struct rig *r = arg;

	http_request_cancel(r->req);
	r->req = NULL;
	ask(r, (struct http_ask){0}, "/hello"); // from a callback
}

START_TEST(cancel_in_callback) {
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){.piece = on_piece_cancel}, "/long");
	run(&r);
	ck_assert_uint_eq(r.n_done, 1);
	ck_assert_str_eq(r.body, "hello");
	rig_fini(&r);
}
END_TEST

START_TEST(cancel_early) {
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){0}, "/moved");
	http_request_cancel(r.req);
	ask(&r, (struct http_ask){0}, "/hello");
	run(&r);
	ck_assert_uint_eq(r.n_done, 1);
	ck_assert_uint_eq(r.status, 200);
	rig_fini(&r);
}
END_TEST

START_TEST(many_at_once) {
	struct rig r;

	rig_init(&r);
	r.want_done = 4;
	for (unsigned i = 0; i < r.want_done; i++)
		ask(&r, (struct http_ask){0}, "/hello");
	run(&r);
	ck_assert_uint_eq(r.n_done, 4);
	ck_assert_int_eq(r.rc, 0);
	rig_fini(&r);
}
END_TEST

static void never_done(void *, const struct http_answer *) {
	ck_abort_msg("done() after http_client_free()");
}

START_TEST(free_under_way) {
	struct rig r;

	rig_init(&r);
	ask(&r, (struct http_ask){.done = never_done}, "/silent");
	ask(&r, (struct http_ask){0}, "/hello");
	run(&r);
	rig_fini(&r);
}
END_TEST

// --- TLS

#define DIR_TEMPLATE "/tmp/regate-http-XXXXXX"

static char dir[] = DIR_TEMPLATE;

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *fmt, ...) {
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	ck_assert_msg(system(cmd) == 0, "%s", cmd);
}

// Its port; *pid to be killed.
static unsigned tls_server(pid_t *pid) {
	char line[256];
	unsigned port = 0;
	int out[2];
	FILE *f;

	ck_assert_int_eq(pipe(out), 0);
	*pid = fork();
	if (*pid == 0) {
		if (dup2(out[1], 1) < 0 || freopen("/dev/null", "w", stderr) == NULL ||
		    chdir(dir) != 0)
			_exit(1);
		execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
		       "server.pem", "-key", "server.key", "-www", (char *)NULL);
		_exit(1);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	while (port == 0 && fgets(line, sizeof(line), f) != NULL)
		sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
	ck_assert_uint_ne(port, 0); // the pipe stays open: s_server writes on
	return port;
}

static const struct {
	const char *host, *ca_file;
	int rc;
} tls_cases[] = {
	{"localhost", "server.pem", 0},
	{"127.0.0.1", "server.pem", RG_E_AUTH}, // not a name of the certificate
	{"localhost", "other.pem", RG_E_AUTH},
	{"localhost", NULL, RG_E_AUTH}, // those of the system
	{"localhost", "none.pem", RG_E_AUTH},
};

START_TEST(tls) {
	char url[64], ca[128];
	struct rig r;
	unsigned port;
	pid_t pid;

	rig_init(&r);
	port = tls_server(&pid);
	snprintf(url, sizeof(url), "https://%s:%u/", tls_cases[_i].host, port);
	if (tls_cases[_i].ca_file != NULL)
		snprintf(ca, sizeof(ca), "%s/%s", dir, tls_cases[_i].ca_file);
	ask(&r,
	    (struct http_ask){
		    .url = url,
		    .ca_file = tls_cases[_i].ca_file == NULL ? NULL : ca,
		    .max_body = 100000,
	    },
	    "");
	run(&r);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	ck_assert_msg(r.rc == tls_cases[_i].rc, "%d: %s", r.rc, r.error);
	ck_assert_uint_eq(r.status, r.rc == 0 ? 200 : 0);
	rig_fini(&r);
}
END_TEST

static void make_certificates(void) {
	static const char *const names[] = {"server", "other"};

	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (unsigned i = 0; i < 2; i++)
		sh("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
		   "-keyout %s.key -out %s.pem -days 2 -subj /CN=localhost -addext "
		   "subjectAltName=DNS:localhost 2>/dev/null",
		   dir, names[i], names[i]);
}

static void remove_certificates(void) {
	sh("rm -r %s", dir);
	memcpy(dir, DIR_TEMPLATE, sizeof(dir));
}

int main(void) {
	Suite *s = suite_create("http_client");
	TCase *tc = tcase_create("plain"), *tls_tc = tcase_create("tls");
	SRunner *sr = srunner_create(s);
	int n_failed;

	signal(SIGPIPE, SIG_IGN);
	srunner_set_fork_status(sr, CK_NOFORK);
	tcase_add_test(tc, get);
	tcase_add_loop_test(tc, with_body, 0, 3);
	tcase_add_test(tc, no_redirects);
	tcase_add_loop_test(tc, failure, 0, sizeof(failures) / sizeof(failures[0]));
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, pieces);
	tcase_add_test(tc, cancel_in_callback);
	tcase_add_test(tc, cancel_early);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, free_under_way);
	tcase_add_unchecked_fixture(tls_tc, make_certificates, remove_certificates);
	tcase_add_loop_test(tls_tc, tls, 0, sizeof(tls_cases) / sizeof(tls_cases[0]));
	suite_add_tcase(s, tc);
	suite_add_tcase(s, tls_tc);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
