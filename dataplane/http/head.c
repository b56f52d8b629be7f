// SPDX-License-Identifier: BSD-3-Clause
// Request head parser (RFC 9112 3, 5, 6). Any thread; never allocates. A head that several readers
// could read in several ways is refused, never repaired.
#include "regate/err.h"
#include "syntax.h"

static enum http_method method_of(struct rg_slice name) {
	static const struct rg_slice names[HTTP_OTHER] = {
		[HTTP_GET] = RG_LIT("GET"),       [HTTP_HEAD] = RG_LIT("HEAD"),
		[HTTP_POST] = RG_LIT("POST"),     [HTTP_PUT] = RG_LIT("PUT"),
		[HTTP_DELETE] = RG_LIT("DELETE"), [HTTP_OPTIONS] = RG_LIT("OPTIONS"),
	};
	unsigned m = 0;

	while (m < HTTP_OTHER && !rg_eq(name, names[m])) // RFC 9110 9.1: case-sensitive
		m++;
	return (enum http_method)m;
}

// RFC 9112 2.3: "HTTP/" DIGIT "." DIGIT. A higher minor version is taken for 1.1 (RFC 9110 2.5).
static int check_version(struct rg_slice v, bool *is_http10) {
	if (v.len != 8 || !rg_is_prefix(v, RG_LIT("HTTP/")) || v.p[5] < '0' || v.p[5] > '9' ||
	    v.p[6] != '.' || v.p[7] < '0' || v.p[7] > '9')
		return RG_E_PROTO;
	*is_http10 = v.p[7] == '0';
	return v.p[5] == '1' ? RG_OK : RG_E_VERSION;
}

// RFC 9112 3: method SP target SP version, single spaces.
static int parse_request_line(struct rg_slice line, struct http_req *r,
			      struct rg_slice *authority) {
	size_t n = 0;
	int rc;

	while (n < line.len && http_is_class(line.p[n], HTTP_C_TOKEN))
		n++;
	if (n == 0 || n == line.len || line.p[n] != ' ')
		return RG_E_PROTO;
	r->method_name = rg_slice(line.p, n);
	r->method = method_of(r->method_name);
	line = rg_skip(line, n + 1);
	for (n = 0; n < line.len && line.p[n] != ' ';)
		n++;
	r->target = rg_slice(line.p, n);
	// The version decides first: HTTP/2's preface has a target of its own.
	rc = check_version(rg_skip(line, n + 1), &r->is_http10);
	if (rc == RG_OK && !http_target_split(r, authority))
		rc = RG_E_PROTO;
	return rc;
}

// RFC 9112 3.2: exactly one Host, valid; and the same as in an absolute target, since each reader
// of the request must see one authority.
static bool is_host_good(const struct http_req *r, struct rg_slice authority) {
	struct rg_slice host = http_header(r, "host");

	return http_header_count(r, "host") == 1 && http_is_host(host) &&
	       (authority.p == NULL || rg_ieq(host, authority));
}

// RFC 9110 5.6.1: elements between commas, blanks around them, some empty.
static bool list_has(struct rg_slice list, struct rg_slice token) {
	while (list.len > 0) {
		const uint8_t *comma = memchr(list.p, ',', list.len);
		size_t n = comma == NULL ? list.len : (size_t)(comma - list.p);

		if (rg_ieq(rg_trim(rg_slice(list.p, n)), token))
			return true;
		list = rg_skip(list, n + 1);
	}
	return false;
}

// "chunked" is the only coding. Behind others, at the end, it is good but not offered (RFC 9112 6.1).
static int check_coding(struct rg_slice coding) {
	static const struct rg_slice chunked = RG_LIT("chunked");
	size_t n = coding.len;

	if (rg_ieq(coding, chunked))
		return RG_OK;
	while (n > 0 && coding.p[n - 1] != ',')
		n--;
	if (n == 0 || !rg_ieq(rg_trim(rg_skip(coding, n)), chunked))
		return RG_E_PROTO;
	// RFC 9112 7.1: never twice.
	return list_has(rg_slice(coding.p, n - 1), chunked) ? RG_E_PROTO : RG_E_UNSUPPORTED;
}

// RFC 9112 6.1 to 6.3. A list of equal lengths may be taken for one, and is not; a coding excludes
// a length, and HTTP/1.0, whose readers do not know codings.
static int take_framing(struct http_req *r) {
	unsigned n_lengths = http_header_count(r, "content-length");
	unsigned n_codings = http_header_count(r, "transfer-encoding");

	r->has_length = n_lengths > 0;
	r->is_chunked = n_codings > 0;
	r->content_length = 0;
	if (n_lengths + n_codings > 1 || (r->is_chunked && r->is_http10))
		return RG_E_PROTO;
	if (r->is_chunked)
		return check_coding(http_header(r, "transfer-encoding"));
	if (r->has_length && !rg_parse_u64(http_header(r, "content-length"), &r->content_length))
		return RG_E_PROTO;
	return RG_OK;
}

static int parse_fields(struct rg_slice *in, struct http_req *r) {
	struct rg_slice line;
	int rc;

	for (r->n_hdrs = 0;; r->n_hdrs++) {
		rc = http_take_line(in, &line);
		if (rc != RG_OK || line.len == 0)
			return rc;
		if (r->n_hdrs == HTTP_MAX_HEADERS)
			return RG_E_LIMIT;
		if (!http_field_parse(line, &r->hdrs[r->n_hdrs]))
			return RG_E_PROTO;
	}
}

static int parse(struct rg_slice in, struct http_req *r) {
	struct rg_slice rest = in, line, authority;
	int rc = http_take_line(&rest, &line);

	if (rc == RG_OK && line.len == 0)
		rc = http_take_line(&rest, &line); // RFC 9112 2.2: ignore one empty line
	if (rc == RG_OK)
		rc = parse_request_line(line, r, &authority);
	if (rc == RG_OK)
		rc = parse_fields(&rest, r);
	if (rc != RG_OK)
		return rc;
	if (!is_host_good(r, authority))
		return RG_E_PROTO;
	// RFC 9112 9.3; who speaks 1.0 opens a connection for each request.
	r->is_keep_alive = !r->is_http10 && !http_has_token(r, "connection", "close");
	r->head_len = (size_t)(rest.p - in.p);
	return take_framing(r);
}

int http_req_parse(struct rg_slice in, struct http_req *r) {
	bool is_full = in.len >= HTTP_MAX_HEAD;
	struct http_req out;
	int rc;

	if (is_full)
		in.len = HTTP_MAX_HEAD;
	rc = parse(in, &out);
	if (rc == RG_OK)
		*r = out;
	return rc == RG_MORE && is_full ? RG_E_LIMIT : rc;
}

unsigned http_refusal(int rc, struct rg_slice in) {
	if (rc == RG_E_VERSION)
		return 505;
	if (rc == RG_E_UNSUPPORTED)
		return 501;
	if (rc != RG_E_LIMIT)
		return 400;
	if (rg_is_prefix(in, RG_LIT("\r\n")))
		in = rg_skip(in, 2);
	if (in.len > HTTP_MAX_HEAD)
		in.len = HTTP_MAX_HEAD;
	return memchr(in.p, '\n', in.len) == NULL ? 414 : 431; // RFC 9112 3, RFC 6585 5
}

unsigned http_expectation(const struct http_req *r) {
	unsigned n = http_header_count(r, "expect");

	if (n == 0 || r->is_http10)
		return 0;
	if (n > 1 || !rg_ieq(http_header(r, "expect"), RG_LIT("100-continue")))
		return 417;
	return r->is_chunked || r->content_length > 0 ? 100 : 0;
}

struct rg_slice http_header(const struct http_req *r, const char *name) {
	for (unsigned i = 0; i < r->n_hdrs; i++)
		if (rg_ieq(r->hdrs[i].name, rg_str(name)))
			return r->hdrs[i].value;
	return rg_slice(NULL, 0);
}

unsigned http_header_count(const struct http_req *r, const char *name) {
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_hdrs; i++)
		n += rg_ieq(r->hdrs[i].name, rg_str(name));
	return n;
}

bool http_has_token(const struct http_req *r, const char *name, const char *token) {
	for (unsigned i = 0; i < r->n_hdrs; i++)
		if (rg_ieq(r->hdrs[i].name, rg_str(name)) &&
		    list_has(r->hdrs[i].value, rg_str(token)))
			return true;
	return false;
}
