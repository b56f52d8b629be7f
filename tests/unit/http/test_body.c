// SPDX-License-Identifier: BSD-3-Clause
// Request bodies by length and by chunks: joining in place, limits, and that every cut asks for
// more and leaves the bytes as they came.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/http.h"

#define HEAD "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static int run(struct rg_slice in, struct rg_slice *body, size_t *size) {
	struct http_req r;

	ck_assert_int_eq(http_req_parse(in, &r), RG_OK);
	return http_body(&r, (uint8_t *)(uintptr_t)in.p, in.len, body, size);
}

static const struct {
	const char *in, *body;
} good[] = {
	{HEAD "\r\n", ""},
	{HEAD "Content-Length: 0\r\n\r\n", ""},
	{HEAD "Content-Length: 5\r\n\r\nhello", "hello"},
	{CHUNKED "0\r\n\r\n", ""},
	{CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello"},
	{CHUNKED "1\r\nh\r\n0003\r\nell\r\n1;a=\"b;c\"\r\no\r\n000;z\r\n\r\n", "hello"},
	{CHUNKED "a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij"},
	{CHUNKED "2\r\n\r\n\r\n0\r\nX: y\r\nZ:\r\n\r\n", "\r\n"},
};

START_TEST(every_cut) {
	struct rg_slice all = rg_str(good[_i].in);
	struct rg_slice body, in;
	size_t head_len = (size_t)(strstr(good[_i].in, "\r\n\r\n") - good[_i].in) + 4;
	size_t size;

	for (size_t n = head_len; n < all.len; n++) {
		in = guard_copy(rg_slice(all.p, n));
		body = rg_slice(NULL, 77);
		size = 77;
		ck_assert_msg(run(in, &body, &size) == RG_MORE, "%zu of %s", n, good[_i].in);
		ck_assert(body.p == NULL && body.len == 77 && size == 77);
		ck_assert(rg_eq(in, rg_slice(all.p, n))); // untouched: it will be parsed again
	}
	ck_assert_int_eq(run(guard_copy(all), &body, &size), RG_OK);
	ck_assert(rg_eq(body, rg_str(good[_i].body)));
	ck_assert_uint_eq(size, all.len);
}
END_TEST

// What follows the body is the next request's, and stays as it is.
START_TEST(pipelined) {
	static const char next[] = "GET / HTTP/1.1\r\n";
	struct rg_slice body, in;
	char text[512];
	size_t size;

	snprintf(text, sizeof(text), "%s%s", good[_i].in, next);
	in = guard_str(text);
	ck_assert_int_eq(run(in, &body, &size), RG_OK);
	ck_assert(rg_eq(body, rg_str(good[_i].body)));
	ck_assert(rg_eq(rg_skip(in, size), rg_str(next)));
}
END_TEST

static const struct {
	const char *in;
	int rc;
} bad[] = {
	{HEAD "Content-Length: 8193\r\n\r\n", RG_E_LIMIT},
	{HEAD "Content-Length: 18446744073709551615\r\n\r\n", RG_E_LIMIT},
	{CHUNKED "2001\r\n", RG_E_LIMIT},
	{CHUNKED "ffffffffffffffff\r\n", RG_E_LIMIT},
	{CHUNKED "10000000000000001\r\n", RG_E_LIMIT},
	{CHUNKED "\r\n", RG_E_PROTO},
	{CHUNKED ";x\r\n", RG_E_PROTO},
	{CHUNKED "g\r\n", RG_E_PROTO},
	{CHUNKED "0x1\r\n", RG_E_PROTO},
	{CHUNKED "-1\r\n", RG_E_PROTO},
	{CHUNKED " 1\r\n", RG_E_PROTO},
	{CHUNKED "1 \r\n", RG_E_PROTO},
	{CHUNKED "1 ;x\r\n", RG_E_PROTO},
	{CHUNKED "1\n", RG_E_PROTO},
	{CHUNKED "1;x\n", RG_E_PROTO},
	{CHUNKED "1\r\nab", RG_E_PROTO},
	{CHUNKED "1\r\na\n", RG_E_PROTO},
	{CHUNKED "1\r\na\rb", RG_E_PROTO},
	{CHUNKED "1\r\na0\r\n", RG_E_PROTO},
	{CHUNKED "0\r\nX\r\n", RG_E_PROTO},
	{CHUNKED "0\r\nX : y\r\n", RG_E_PROTO},
	{CHUNKED "0\r\n\n", RG_E_PROTO},
};

START_TEST(refused) {
	struct rg_slice body = {NULL, 77};
	struct rg_slice in = guard_str(bad[_i].in);
	size_t size = 77;

	ck_assert_msg(run(in, &body, &size) == bad[_i].rc, "%s", bad[_i].in);
	ck_assert(body.p == NULL && body.len == 77 && size == 77);
	ck_assert(rg_eq(in, rg_str(bad[_i].in)));
}
END_TEST

static char big[HTTP_MAX_HEAD + HTTP_MAX_BODY + 2 * HTTP_MAX_FRAMING];

// Chunks of n bytes, `total` bytes in all, then the last chunk.
static struct rg_slice chunks_of(size_t n, size_t total) {
	struct rg_wr w = rg_wr(big, sizeof(big));
	char size[24];

	rg_puts(&w, CHUNKED);
	for (size_t done = 0; done < total; done += n) {
		n = n < total - done ? n : total - done;
		snprintf(size, sizeof(size), "%zx\r\n", n);
		rg_puts(&w, size);
		for (size_t i = 0; i < n; i++)
			rg_putc(&w, (char)('a' + (done + i) % 26));
		rg_puts(&w, "\r\n");
	}
	rg_puts(&w, "0\r\n\r\n");
	ck_assert(!w.overflow);
	return rg_wr_slice(&w);
}

START_TEST(body_limit) {
	struct rg_slice body;
	size_t size;

	ck_assert_int_eq(run(guard_copy(chunks_of(1000, HTTP_MAX_BODY)), &body, &size), RG_OK);
	ck_assert_uint_eq(body.len, HTTP_MAX_BODY);
	for (size_t i = 0; i < body.len; i++)
		ck_assert_uint_eq(body.p[i], 'a' + i % 26);
	ck_assert_int_eq(run(guard_copy(chunks_of(8192, HTTP_MAX_BODY)), &body, &size), RG_OK);
	ck_assert_int_eq(run(guard_copy(chunks_of(8192, HTTP_MAX_BODY + 1)), &body, &size),
			 RG_E_LIMIT);
	ck_assert_int_eq(run(guard_copy(chunks_of(1000, HTTP_MAX_BODY + 1)), &body, &size),
			 RG_E_LIMIT);
}
END_TEST

START_TEST(length_limit) {
	struct rg_wr w = rg_wr(big, sizeof(big));
	struct rg_slice body;
	size_t size;

	rg_puts(&w, HEAD "Content-Length: 8192\r\n\r\n");
	memset(big + w.len, 'x', HTTP_MAX_BODY);
	ck_assert_int_eq(run(guard_copy(rg_slice(big, w.len + 8191)), &body, &size), RG_MORE);
	ck_assert_int_eq(run(guard_copy(rg_slice(big, w.len + 8192)), &body, &size), RG_OK);
	ck_assert_uint_eq(body.len, 8192);
}
END_TEST

// 1-byte chunks cost 5 bytes of framing each, the end 5: 203 are 1020 bytes, 204 are 1025.
START_TEST(framing_limit) {
	struct rg_wr w = rg_wr(big, sizeof(big));
	struct rg_slice body;
	size_t size;

	ck_assert_int_eq(run(guard_copy(chunks_of(1, 203)), &body, &size), RG_OK);
	ck_assert_int_eq(run(guard_copy(chunks_of(1, 204)), &body, &size), RG_E_LIMIT);
	rg_puts(&w, CHUNKED "1;");
	while (w.len < sizeof(CHUNKED) - 1 + HTTP_MAX_FRAMING)
		rg_putc(&w, 'x');
	ck_assert_int_eq(run(guard_copy(rg_wr_slice(&w)), &body, &size), RG_MORE);
	rg_putc(&w, 'x'); // no end of the line needed to see that it is too long
	ck_assert_int_eq(run(guard_copy(rg_wr_slice(&w)), &body, &size), RG_E_LIMIT);
}
END_TEST

int main(void) {
	Suite *s = suite_create("http_body");
	TCase *t = tcase_create("body");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, every_cut, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(t, pipelined, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(t, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, body_limit);
	tcase_add_test(t, length_limit);
	tcase_add_test(t, framing_limit);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
