// SPDX-License-Identifier: BSD-3-Clause
// Request bodies by length and by chunks: joining in place, limits, and that the result is the same
// wherever the bytes are cut.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/http.h"

#define HEAD "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

struct fed {
	int rc;
	size_t size, len; // of the request without framing; of all that is left
	uint8_t *p;       // head, body, and what follows; at the end of a guarded page
};

// Feeds `in` to a buffer in pieces that end at `cut`, then every `step` bytes, as a worker does.
static struct fed feed(struct rg_slice in, size_t cut, size_t step) {
	static uint8_t held[HTTP_MAX_HEAD + HTTP_MAX_BODY + 2 * HTTP_MAX_FRAMING];
	static uint8_t *end; // of a guarded area of that size
	struct fed f = {.rc = RG_MORE};
	struct http_rx rx = {0};
	struct http_req r;

	if (end == NULL)
		end = (uint8_t *)(uintptr_t)guard_copy(rg_slice(held, sizeof(held))).p +
		      sizeof(held);
	for (size_t at = 0; f.rc == RG_MORE && at < in.len;) {
		size_t n = at < cut ? cut - at : step;

		n = n < in.len - at ? n : in.len - at;
		memcpy(held + f.len, in.p + at, n);
		f.len += n;
		at += n;
		f.p = end - f.len;
		memcpy(f.p, held, f.len);
		if (rx.head_len == 0) {
			f.rc = http_req_parse(rg_slice(f.p, f.len), &r);
			if (f.rc == RG_OK)
				f.rc = http_body_begin(&r, &rx);
			if (f.rc != RG_OK)
				continue;
		}
		f.rc = http_body(&rx, f.p, &f.len);
		memcpy(held, f.p, f.len);
		f.size = rx.head_len + rx.n_body;
		ck_assert_uint_le(f.size, f.len);
		ck_assert(f.rc != RG_MORE ||
			  f.len <= HTTP_MAX_HEAD + HTTP_MAX_BODY + HTTP_MAX_FRAMING);
		memcpy(end - f.len, held, f.len);
		f.p = end - f.len;
	}
	return f;
}

static int run(struct rg_slice in, struct rg_slice *body, size_t *size) {
	struct fed f = feed(in, SIZE_MAX, 1);
	size_t head_len = 0;

	while (head_len + 4 <= f.len && memcmp(f.p + head_len, "\r\n\r\n", 4) != 0)
		head_len++;
	*size = f.size;
	*body = f.rc == RG_OK ? rg_slice(f.p + head_len + 4, f.size - head_len - 4)
			      : (struct rg_slice){0};
	return f.rc;
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

// Wherever the bytes are cut, and byte by byte, the request comes out the same, and so does what
// follows it.
START_TEST(every_cut) {
	static const char next[] = "GET / HTTP/1.1\r\n";
	size_t head_len = (size_t)(strstr(good[_i].in, "\r\n\r\n") - good[_i].in) + 4;
	size_t body_len = strlen(good[_i].body);
	struct rg_slice all;
	char text[512];
	struct fed f;

	snprintf(text, sizeof(text), "%s%s", good[_i].in, next);
	all = rg_str(text);
	for (size_t cut = 0; cut < all.len; cut++) {
		for (size_t step = 1; step <= 1024; step += 1023) {
			f = feed(all, cut, step);
			ck_assert_msg(f.rc == RG_OK, "%zu of %s: %d", cut, text, f.rc);
			ck_assert_uint_eq(f.size, head_len + body_len);
			ck_assert(memcmp(f.p, text, head_len) == 0);
			ck_assert_msg(memcmp(f.p + head_len, good[_i].body, body_len) == 0,
				      "%zu of %s", cut, text);
			ck_assert(
				rg_is_prefix(rg_str(next), rg_slice(f.p + f.size, f.len - f.size)));
		}
	}
	for (size_t n = 0; n < strlen(good[_i].in); n++)
		ck_assert_int_eq(feed(rg_slice(text, n), 0, 7).rc, RG_MORE);
}
END_TEST

static const struct {
	const char *in;
	int rc;
} bad[] = {
	{HEAD "Content-Length: 65537\r\n\r\n", RG_E_LIMIT},
	{HEAD "Content-Length: 18446744073709551615\r\n\r\n", RG_E_LIMIT},
	{CHUNKED "10001\r\n", RG_E_LIMIT},
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
	struct rg_slice in = rg_str(bad[_i].in);

	for (size_t cut = 0; cut <= in.len; cut++)
		for (size_t step = 1; step <= 1024; step += 1023) {
			struct fed f = feed(in, cut, step);

			ck_assert_msg(f.rc == bad[_i].rc, "%zu of %s: %d", cut, bad[_i].in, f.rc);
		}
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

	ck_assert_int_eq(run(chunks_of(1000, HTTP_MAX_BODY), &body, &size), RG_OK);
	ck_assert_uint_eq(body.len, HTTP_MAX_BODY);
	for (size_t i = 0; i < body.len; i++)
		ck_assert_uint_eq(body.p[i], 'a' + i % 26);
	ck_assert_int_eq(run(chunks_of(8192, HTTP_MAX_BODY), &body, &size), RG_OK);
	ck_assert_int_eq(run(chunks_of(8192, HTTP_MAX_BODY + 1), &body, &size), RG_E_LIMIT);
	ck_assert_int_eq(run(chunks_of(1000, HTTP_MAX_BODY + 1), &body, &size), RG_E_LIMIT);
}
END_TEST

START_TEST(length_limit) {
	struct rg_wr w = rg_wr(big, sizeof(big));
	struct rg_slice body;
	size_t size;

	rg_puts(&w, HEAD "Content-Length: 65536\r\n\r\n");
	memset(big + w.len, 'x', HTTP_MAX_BODY);
	ck_assert_int_eq(run(rg_slice(big, w.len + 65535), &body, &size), RG_MORE);
	ck_assert_int_eq(run(rg_slice(big, w.len + 65536), &body, &size), RG_OK);
	ck_assert_uint_eq(body.len, 65536);
}
END_TEST

// 1-byte chunks cost 5 bytes of framing each, the end 5: 818 are 4095 bytes, 819 are 4100.
START_TEST(framing_limit) {
	struct rg_wr w = rg_wr(big, sizeof(big));
	struct rg_slice body;
	size_t size;

	ck_assert_int_eq(run(chunks_of(1, 818), &body, &size), RG_OK);
	ck_assert_int_eq(run(chunks_of(1, 819), &body, &size), RG_E_LIMIT);
	rg_puts(&w, CHUNKED "1;");
	while (w.len < sizeof(CHUNKED) - 1 + HTTP_MAX_FRAMING)
		rg_putc(&w, 'x');
	ck_assert_int_eq(run(rg_wr_slice(&w), &body, &size), RG_MORE);
	rg_putc(&w, 'x'); // no end of the line needed to see that it is too long
	ck_assert_int_eq(run(rg_wr_slice(&w), &body, &size), RG_E_LIMIT);
}
END_TEST

int main(void) {
	Suite *s = suite_create("http_body");
	TCase *t = tcase_create("body");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, every_cut, 0, sizeof(good) / sizeof(good[0]));
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
