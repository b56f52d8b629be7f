// SPDX-License-Identifier: BSD-3-Clause
// Request bodies, chunked and with a length: RG_MORE changes no byte and a prefix is RG_MORE; what is
// joined is what a second reader finds, and what follows the body stays as it was.
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

static int body(const struct http_req *r, unsigned place, struct rg_slice in, struct rg_slice *out,
		size_t *size) {
	struct rg_slice copy = fuzz_guard(place, in);
	int rc = http_body(r, (uint8_t *)(uintptr_t)copy.p, copy.len, out, size);

	FUZZ_CHECK(rc == RG_OK || rc == RG_MORE || rc == RG_E_PROTO || rc == RG_E_LIMIT);
	if (rc == RG_MORE)
		FUZZ_CHECK(rg_eq(copy, in));
	if (rc == RG_OK) {
		FUZZ_CHECK(*size >= r->head_len && *size <= in.len);
		FUZZ_CHECK(out->len <= HTTP_MAX_BODY);
		fuzz_check_in(rg_slice(copy.p, *size), *out);
		FUZZ_CHECK(memcmp(copy.p, in.p, r->head_len) == 0);
		FUZZ_CHECK(memcmp(copy.p + *size, in.p + *size, in.len - *size) == 0);
	}
	return rc;
}

static void check(struct rg_slice in) {
	static uint8_t want[2 * FUZZ_GUARD_MAX];
	struct rg_slice out, cut;
	size_t size, cut_size;
	struct http_req r;
	int rc;

	FUZZ_CHECK(http_req_parse(in, &r) == RG_OK);
	rc = body(&r, 0, in, &out, &size);
	if (rc == RG_OK && r.is_chunked)
		FUZZ_CHECK(join(rg_skip(in, r.head_len), want) == out.len &&
			   memcmp(want, out.p, out.len) == 0);
	else if (rc == RG_OK)
		FUZZ_CHECK(out.len == r.content_length && size == r.head_len + out.len);
	for (size_t n = r.head_len; n < in.len; n = fuzz_next_cut(n)) {
		int part = body(&r, 1, rg_slice(in.p, n), &cut, &cut_size);

		// One limit may be reached before another rule is broken.
		FUZZ_CHECK(part == RG_MORE || part == rc || (part < 0 && rc < 0));
		FUZZ_CHECK(rc != RG_OK || n >= size || part == RG_MORE);
		FUZZ_CHECK(part != RG_OK || (cut_size == size && rg_eq(cut, out)));
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
