// SPDX-License-Identifier: BSD-3-Clause
// Request heads: what a prefix was found to be, the whole is; written out and read again it says the
// same.
#include "fuzz.h"
#include "regate/http.h"

static void check_in(struct rg_slice in, const struct http_req *r) {
	FUZZ_CHECK(r->head_len <= in.len && r->head_len <= HTTP_MAX_HEAD);
	in.len = r->head_len;
	fuzz_check_in(in, r->method_name);
	fuzz_check_in(in, r->target);
	fuzz_check_in(r->target, r->path);
	fuzz_check_in(r->target, r->query);
	FUZZ_CHECK(r->n_hdrs <= HTTP_MAX_HEADERS);
	for (unsigned i = 0; i < r->n_hdrs; i++) {
		fuzz_check_in(in, r->hdrs[i].name);
		fuzz_check_in(in, r->hdrs[i].value);
		FUZZ_CHECK(r->hdrs[i].name.len > 0);
		FUZZ_CHECK(rg_eq(rg_trim(r->hdrs[i].value), r->hdrs[i].value));
	}
	FUZZ_CHECK(http_header_count(r, "host") == 1);
	FUZZ_CHECK(!r->is_chunked || !r->has_length);
}

static void check_written(const struct http_req *r) {
	uint8_t buf[HTTP_MAX_HEAD];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct http_req back;

	rg_put(&w, r->method_name);
	rg_puts(&w, " ");
	rg_put(&w, r->target);
	rg_puts(&w, r->is_http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
	for (unsigned i = 0; i < r->n_hdrs; i++) {
		rg_put(&w, r->hdrs[i].name);
		rg_puts(&w, ":");
		rg_put(&w, r->hdrs[i].value);
		rg_puts(&w, "\r\n");
	}
	rg_puts(&w, "\r\n");
	FUZZ_CHECK(!w.overflow && w.len <= r->head_len);
	FUZZ_CHECK(http_req_parse(fuzz_guard(1, rg_wr_slice(&w)), &back) == RG_OK);
	FUZZ_CHECK(back.head_len == w.len && back.method == r->method && back.n_hdrs == r->n_hdrs);
	FUZZ_CHECK(rg_eq(back.path, r->path) && rg_eq(back.query, r->query));
	FUZZ_CHECK(back.is_chunked == r->is_chunked && back.has_length == r->has_length);
	FUZZ_CHECK(back.content_length == r->content_length &&
		   back.is_keep_alive == r->is_keep_alive);
	for (unsigned i = 0; i < r->n_hdrs; i++)
		FUZZ_CHECK(rg_eq(back.hdrs[i].name, r->hdrs[i].name) &&
			   rg_eq(back.hdrs[i].value, r->hdrs[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static const struct http_req untouched;
	struct http_req r, cut;
	struct rg_slice in;
	int rc;

	if (len > HTTP_MAX_HEAD + 1024)
		return 0;
	in = fuzz_guard(0, rg_slice(p, len));
	memset(&r, 0, sizeof(r));
	rc = http_req_parse(in, &r);
	if (rc == RG_OK)
		check_in(in, &r);
	else
		FUZZ_CHECK((rc == RG_MORE || rc == RG_E_PROTO || rc == RG_E_LIMIT ||
			    rc == RG_E_UNSUPPORTED || rc == RG_E_VERSION) &&
			   memcmp(&r, &untouched, sizeof(r)) == 0);
	FUZZ_CHECK(rc != RG_MORE || len < HTTP_MAX_HEAD);
	if (rc < RG_OK) { // there is a status for it, of RFC 9112 or 6585
		unsigned status = http_refusal(rc, in);

		FUZZ_CHECK(status == 400 || status == 414 || status == 431 || status == 501 ||
			   status == 505);
	}
	// What a prefix is, once it is anything, its continuation cannot change.
	for (size_t n = 0; n < len; n = fuzz_next_cut(n)) {
		int part = http_req_parse(fuzz_guard(1, rg_slice(p, n)), &cut);

		FUZZ_CHECK(part == RG_MORE || part == rc);
		FUZZ_CHECK(part != RG_OK || cut.head_len == r.head_len);
		FUZZ_CHECK(rc != RG_OK || n >= r.head_len || part == RG_MORE);
	}
	if (rc == RG_OK)
		check_written(&r);
	return 0;
}
