// SPDX-License-Identifier: BSD-3-Clause
// Request bodies, chunked and with a length: what is joined is what a second reader finds, however it
// is cut; what follows the body stays as it was.
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "regate/http.h"

#define CHUNKED "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

// The data of good chunks, as simply as can be.
static size_t join(struct rg_slice in, uint8_t *out) {
	size_t total = 0;

	for (;;) {
		const uint8_t *eol = memchr(in.p, '\n', in.len);
		size_t n = strtoul((const char *)in.p, NULL, 16);

		FUZZ_CHECK(eol != NULL);
		if (n == 0)
			return total;
		in = rg_skip(in, (size_t)(eol + 1 - in.p));
		FUZZ_CHECK(in.len > n + 2);
		memcpy(out + total, in.p, n);
		total += n;
		in = rg_skip(in, n + 2);
	}
}

struct result {
	int rc;
	size_t len; // of buf: head, body, and what follows
	uint8_t buf[FUZZ_GUARD_MAX];
	struct http_rx rx;
};

// Reads the body as it comes in pieces of `cut` bytes.
static void run(const struct http_req *r, struct rg_slice in, size_t cut, struct result *o) {
	struct rg_slice rest = rg_skip(in, r->head_len);

	memcpy(o->buf, in.p, r->head_len);
	o->len = r->head_len;
	o->rc = http_body_begin(r, &o->rx);
	if (o->rc == RG_OK)
		o->rc = RG_MORE;
	while (o->rc == RG_MORE && rest.len > 0) {
		size_t n = rest.len < cut ? rest.len : cut, before = o->len + n;
		struct rg_slice copy;

		memcpy(o->buf + o->len, rest.p, n);
		o->len = before;
		rest = rg_skip(rest, n);
		copy = fuzz_guard(0, rg_slice(o->buf, o->len));
		o->rc = http_body(&o->rx, (uint8_t *)(uintptr_t)copy.p, &o->len);
		FUZZ_CHECK(o->len <= before);
		FUZZ_CHECK(o->rc < 0 || o->len >= r->head_len + o->rx.n_body);
		FUZZ_CHECK(o->rx.n_body <= HTTP_MAX_BODY);
		memcpy(o->buf, copy.p, before);
	}
	FUZZ_CHECK(o->rc == RG_OK || o->rc == RG_MORE || o->rc == RG_E_PROTO ||
		   o->rc == RG_E_LIMIT);
	FUZZ_CHECK(memcmp(o->buf, in.p, r->head_len) == 0);
	memcpy(o->buf + o->len, rest.p, rest.len);
	o->len += o->rc == RG_OK ? rest.len : 0;
}

static void check(struct rg_slice in) {
	static uint8_t want[2 * FUZZ_GUARD_MAX];
	static struct result whole, part;
	struct http_req r;

	FUZZ_CHECK(http_req_parse(in, &r) == RG_OK);
	run(&r, in, SIZE_MAX, &whole);
	if (whole.rc == RG_OK) {
		const uint8_t *body = whole.buf + r.head_len;
		size_t n = whole.rx.n_body, n_rest = whole.len - r.head_len - n;

		FUZZ_CHECK(memcmp(body + n, in.p + in.len - n_rest, n_rest) == 0);
		FUZZ_CHECK(r.is_chunked || n == r.content_length);
		if (r.is_chunked)
			FUZZ_CHECK(join(rg_skip(in, r.head_len), want) == n &&
				   memcmp(want, body, n) == 0);
	}
	for (size_t cut = in.len < 600 ? 1 : in.len / 16 + 1; cut < in.len; cut = cut * 3 + 1) {
		run(&r, in, cut, &part);
		// One limit may be reached before another rule is broken.
		FUZZ_CHECK(part.rc == whole.rc || (part.rc < 0 && whole.rc < 0));
		FUZZ_CHECK(part.rc != RG_OK ||
			   (part.rx.n_body == whole.rx.n_body && part.len == whole.len &&
			    memcmp(part.buf, whole.buf, whole.len) == 0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static uint8_t buf[FUZZ_GUARD_MAX + 1];
	int n;

	if (len > HTTP_MAX_BODY + 4096)
		return 0;
	memcpy(buf, CHUNKED, sizeof(CHUNKED) - 1);
	memcpy(buf + sizeof(CHUNKED) - 1, p, len);
	buf[sizeof(CHUNKED) - 1 + len] = '\0';
	check(rg_slice(buf, sizeof(CHUNKED) - 1 + len));
	n = snprintf((char *)buf, sizeof(buf),
		     "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\n\r\n",
		     len == 0 ? 0 : p[0] * 33u);
	memcpy(buf + n, p, len);
	check(rg_slice(buf, (size_t)n + len));
	return 0;
}
