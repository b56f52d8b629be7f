// SPDX-License-Identifier: BSD-3-Clause
// Request heads: what is accepted, what is refused and how, and that every cut of a good head asks
// for more. All input ends against a guard page.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/http.h"

#define H "Host: a.example\r\n"

static const char *const good[] = {
	"GET / HTTP/1.1\r\n" H "\r\n",
	"\r\nGET / HTTP/1.1\r\n" H "\r\n",
	"GET /w2?x=%41&y=/?:@-._~!$&'()*+,;= HTTP/1.1\r\n" H "\r\n",
	"POST /v1/lease HTTP/1.1\r\nhOST:a.example:8443\r\nContent-Length: 12\r\n\r\n",
	"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\t Chunked \t\r\n\r\n",
	"GET http://a.example/p HTTP/1.1\r\n" H "\r\n",
	"GET HTTPS://A.example HTTP/1.1\r\n" H "\r\n",
	"OPTIONS * HTTP/1.1\r\n" H "\r\n",
	"BREW /pot HTTP/1.1\r\n" H "\r\n",
	"get / HTTP/1.1\r\n" H "\r\n",
	"GET / HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: 192.0.2.7\r\n\r\n",
	"GET / HTTP/1.1\r\n" H "X:\r\nY: \xc3\xa4 b\t\x80\r\nConnection: a, ,close\r\n\r\n",
	"GET / HTTP/1.0\r\n" H "\r\n",
	"GET / HTTP/1.9\r\n" H "\r\n",
	"GET / HTTP/1.1\r\n" H "!#$%&'*+-.^_`|~09azAZ: v\r\n\r\n",
};
#define N_GOOD (sizeof(good) / sizeof(good[0]))

static bool is_untouched(const struct http_req *r) {
	for (size_t i = 0; i < sizeof(*r); i++)
		if (((const uint8_t *)r)[i] != 0xa5)
			return false;
	return true;
}

START_TEST(every_cut) {
	struct rg_slice all = rg_str(good[_i]);
	struct http_req r;

	for (size_t n = 0; n < all.len; n++) {
		memset(&r, 0xa5, sizeof(r));
		ck_assert_msg(http_req_parse(guard_copy(rg_slice(all.p, n)), &r) == RG_MORE,
			      "%zu bytes of %s", n, good[_i]);
		ck_assert(is_untouched(&r));
	}
	ck_assert_int_eq(http_req_parse(guard_copy(all), &r), RG_OK);
	ck_assert_uint_eq(r.head_len, all.len);
}
END_TEST

static const struct {
	const char *in;
	int rc;
} bad[] = {
	// request line (RFC 9112 3)
	{" GET / HTTP/1.1\r\n" H "\r\n", RG_E_PROTO},
	{"GET  / HTTP/1.1\r\n" H "\r\n", RG_E_PROTO},
	{"GET /  HTTP/1.1\r\n" H "\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1 \r\n" H "\r\n", RG_E_PROTO},
	{"GET\t/ HTTP/1.1\r\n" H "\r\n", RG_E_PROTO},
	{"GET /\r\n" H "\r\n", RG_E_PROTO},
	{"GET\r\n" H "\r\n", RG_E_PROTO},
	{"G@T / HTTP/1.1\r\n" H "\r\n", RG_E_PROTO},
	{"\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\n", RG_E_PROTO},
	{"GET / HTTP/1.1\rX", RG_E_PROTO},
	{"GET /\x01", RG_E_PROTO},
	{"GET /\x7f", RG_E_PROTO},
	{"\x16\x03\x01", RG_E_PROTO},
	// version (2.3)
	{"GET / HTTP/2.0\r\n", RG_E_VERSION},
	{"GET / HTTP/0.9\r\n", RG_E_VERSION},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RG_E_VERSION},
	{"GET / http/1.1\r\n", RG_E_PROTO},
	{"GET / HTTP/1.11\r\n", RG_E_PROTO},
	{"GET / HTTP/1,1\r\n", RG_E_PROTO},
	{"GET / HTTP/x.1\r\n", RG_E_PROTO},
	{"GET / HTTP/1.x\r\n", RG_E_PROTO},
	{"GET / XTTP/1.0\r\n", RG_E_PROTO},
	// target (3.2)
	{"GET x HTTP/1.1\r\n", RG_E_PROTO},
	{"GET * HTTP/1.1\r\n", RG_E_PROTO},
	{"OPTIONS ** HTTP/1.1\r\n", RG_E_PROTO},
	{"GET /a#b HTTP/1.1\r\n", RG_E_PROTO},
	{"GET /?a#b HTTP/1.1\r\n", RG_E_PROTO},
	{"GET /a\\b HTTP/1.1\r\n", RG_E_PROTO},
	{"GET /a\xc3\xa4 HTTP/1.1\r\n", RG_E_PROTO},
	{"GET /% HTTP/1.1\r\n", RG_E_PROTO},
	{"GET /%4 HTTP/1.1\r\n", RG_E_PROTO},
	{"GET /%4g HTTP/1.1\r\n", RG_E_PROTO},
	{"GET /?%g4 HTTP/1.1\r\n", RG_E_PROTO},
	{"CONNECT a.example:443 HTTP/1.1\r\n", RG_E_PROTO},
	{"GET ftp://a.example/ HTTP/1.1\r\n", RG_E_PROTO},
	{"GET http:///x HTTP/1.1\r\n", RG_E_PROTO},
	{"GET http://u@a.example/ HTTP/1.1\r\n", RG_E_PROTO},
	{"GET http://a.example#x HTTP/1.1\r\n", RG_E_PROTO},
	{"GET http://b.example/ HTTP/1.1\r\n" H "\r\n", RG_E_PROTO},
	// Host (3.2)
	{"GET / HTTP/1.1\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H H "\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost:\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: []\r\n\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", RG_E_PROTO},
	// fields (5)
	{"GET / HTTP/1.1\r\nHost : a\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n Host: a\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H ": a\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X@: a\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X\x80: a\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X: a\nY: b\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X: a\rY: b\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X: a\x0b\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "X: a\r\r\n", RG_E_PROTO},
	{"GET / HTTP/1.1\r\n" H "\n", RG_E_PROTO},
	// framing (6)
	{"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 1 1\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
	 RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
	 RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", RG_E_UNSUPPORTED},
	{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", RG_E_PROTO},
	{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	 RG_E_PROTO},
};

START_TEST(refused) {
	struct http_req r;

	memset(&r, 0xa5, sizeof(r));
	ck_assert_msg(http_req_parse(guard_str(bad[_i].in), &r) == bad[_i].rc, "%s", bad[_i].in);
	ck_assert(is_untouched(&r));
}
END_TEST

static void check(struct rg_slice s, const char *want) {
	ck_assert_msg(rg_eq(s, rg_str(want)), "%.*s, not %s", (int)s.len, (const char *)s.p, want);
}

START_TEST(fields_of_a_request) {
	static const char in[] =
		"POST /a/b%20?c=d?e HTTP/1.1\r\nHost: a.example\r\n"
		"X-List: a,b\r\nx-list:  c ,, D \r\nContent-Length: 007\r\n\r\nbody";
	struct http_req r;

	ck_assert_int_eq(http_req_parse(guard_str(in), &r), RG_OK);
	ck_assert_int_eq(r.method, HTTP_POST);
	check(r.method_name, "POST");
	check(r.target, "/a/b%20?c=d?e");
	check(r.path, "/a/b%20");
	check(r.query, "c=d?e");
	ck_assert_uint_eq(r.n_hdrs, 4);
	check(r.hdrs[2].name, "x-list");
	check(r.hdrs[2].value, "c ,, D");
	ck_assert(r.has_length && !r.is_chunked && r.is_keep_alive);
	ck_assert_uint_eq(r.content_length, 7);
	ck_assert_uint_eq(r.head_len, sizeof(in) - 1 - 4);
	check(http_header(&r, "HOST"), "a.example");
	ck_assert_ptr_null(http_header(&r, "hos").p);
	ck_assert_uint_eq(http_header_count(&r, "X-LIST"), 2);
	ck_assert_uint_eq(http_header_count(&r, "x-lis"), 0);
	ck_assert(http_has_token(&r, "x-list", "B") && http_has_token(&r, "x-list", "d"));
	ck_assert(!http_has_token(&r, "x-list", "a,b") && !http_has_token(&r, "x-list", "e"));
	ck_assert(!http_has_token(&r, "x-lists", "a"));
}
END_TEST

static const struct {
	const char *line;
	enum http_method method;
	const char *path, *query;
} targets[] = {
	{"GET /", HTTP_GET, "/", ""},
	{"HEAD /?", HTTP_HEAD, "/", ""},
	{"PUT /a?b", HTTP_PUT, "/a", "b"},
	{"DELETE http://a.example", HTTP_DELETE, "/", ""},
	{"GET https://a.example?q", HTTP_GET, "/", "q"},
	{"GET http://A.EXAMPLE/p?q", HTTP_GET, "/p", "q"},
	{"OPTIONS *", HTTP_OPTIONS, "*", ""},
	{"PATCH /", HTTP_OTHER, "/", ""},
};

START_TEST(target_split) {
	struct http_req r;
	char in[128];

	snprintf(in, sizeof(in), "%s HTTP/1.1\r\n" H "\r\n", targets[_i].line);
	ck_assert_int_eq(http_req_parse(guard_str(in), &r), RG_OK);
	ck_assert_int_eq(r.method, targets[_i].method);
	check(r.path, targets[_i].path);
	check(r.query, targets[_i].query);
}
END_TEST

START_TEST(keep_alive) {
	struct http_req r;

	ck_assert_int_eq(http_req_parse(guard_str(good[0]), &r), RG_OK);
	ck_assert(r.is_keep_alive && !r.has_length && !r.is_chunked);
	ck_assert_int_eq(http_req_parse(guard_str(good[12]), &r), RG_OK);
	ck_assert(!r.is_keep_alive);
	ck_assert_int_eq(http_req_parse(guard_str(good[4]), &r), RG_OK);
	ck_assert(r.is_chunked && !r.has_length);
}
END_TEST

// A head of exactly len bytes, padded in one field.
static struct rg_slice head_of(size_t len) {
	static const char start[] = "GET / HTTP/1.1\r\n" H "X: ";
	static const char end[] = "\r\n\r\n";
	static char s[HTTP_MAX_HEAD + 1];

	memset(s, 'x', len);
	memcpy(s, start, sizeof(start) - 1);
	memcpy(s + len - (sizeof(end) - 1), end, sizeof(end) - 1);
	return rg_slice(s, len);
}

START_TEST(head_limit) {
	struct rg_slice s = guard_copy(head_of(HTTP_MAX_HEAD));
	struct http_req r;

	ck_assert_int_eq(http_req_parse(s, &r), RG_OK);
	ck_assert_uint_eq(r.head_len, HTTP_MAX_HEAD);
	ck_assert_int_eq(http_req_parse(rg_slice(s.p, s.len - 1), &r), RG_MORE);
	s = guard_copy(head_of(HTTP_MAX_HEAD + 1));
	ck_assert_int_eq(http_req_parse(s, &r), RG_E_LIMIT);
	ck_assert_int_eq(http_req_parse(rg_slice(s.p, HTTP_MAX_HEAD), &r), RG_E_LIMIT);
	ck_assert_int_eq(http_req_parse(rg_slice(s.p, HTTP_MAX_HEAD - 1), &r), RG_MORE);
}
END_TEST

START_TEST(header_limit) {
	struct http_req r;
	char buf[4096];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	rg_puts(&w, "GET / HTTP/1.1\r\n" H);
	for (int i = 1; i < HTTP_MAX_HEADERS; i++)
		rg_puts(&w, "X: y\r\n");
	rg_puts(&w, "\r\n");
	ck_assert_int_eq(http_req_parse(guard_copy(rg_wr_slice(&w)), &r), RG_OK);
	ck_assert_uint_eq(r.n_hdrs, HTTP_MAX_HEADERS);
	w.len -= 2;
	rg_puts(&w, "X: y\r\n\r\n");
	ck_assert_int_eq(http_req_parse(guard_copy(rg_wr_slice(&w)), &r), RG_E_LIMIT);
}
END_TEST

int main(void) {
	Suite *s = suite_create("http_head");
	TCase *t = tcase_create("head");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, every_cut, 0, N_GOOD);
	tcase_add_loop_test(t, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, fields_of_a_request);
	tcase_add_loop_test(t, target_split, 0, sizeof(targets) / sizeof(targets[0]));
	tcase_add_test(t, keep_alive);
	tcase_add_test(t, head_limit);
	tcase_add_test(t, header_limit);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
