// SPDX-License-Identifier: BSD-3-Clause
// One strict HTTP/1.1 request parser (RFC 9112) for both planes, and the response head writer.
// Nothing ambiguous is accepted: no bare LF, no obs-fold, no space before the colon, not both
// Content-Length and Transfer-Encoding, exactly one Host. Nothing allocates.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/slice.h"

#define HTTP_MAX_HEAD 8192
#define HTTP_MAX_BODY 8192
#define HTTP_MAX_HEADERS 64
#define HTTP_MAX_FRAMING 1024 // of a chunked body: size lines, extensions, trailers

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
};

struct http_hdr {
	struct rg_slice name, value; // value trimmed
};

struct http_req {
	enum http_method method;
	struct rg_slice method_name;
	struct rg_slice target;      // as sent
	struct rg_slice path, query; // origin-form split at '?'; never decoded
	unsigned n_hdrs;
	struct http_hdr hdrs[HTTP_MAX_HEADERS];
	bool is_keep_alive;
	bool is_chunked;
	bool has_length;
	uint64_t content_length;
	size_t head_len; // bytes up to and including the empty line
};

// Parses a request head. RG_OK, RG_MORE, RG_E_PROTO (answer 400), RG_E_LIMIT (431),
// RG_E_UNSUPPORTED (505: not HTTP/1.1).
[[nodiscard]] int http_req_parse(struct rg_slice in, struct http_req *r);

// The body that follows the head in `in` (the same bytes http_req_parse saw, maybe more by now).
// Chunked bodies are joined in place, which is why `in` is writable; trailers are dropped.
// RG_OK with *body and *size (head and body bytes used), RG_MORE, RG_E_PROTO, RG_E_LIMIT (413).
[[nodiscard]] int http_body(const struct http_req *r, uint8_t *in, size_t len,
			    struct rg_slice *body, size_t *size);

// First header of that name, without case; p NULL when absent.
struct rg_slice http_header(const struct http_req *r, const char *name);
// How many headers of that name there are.
unsigned http_header_count(const struct http_req *r, const char *name);
// Does a comma list in header `name` (all of its lines) hold `token`, without case?
bool http_has_token(const struct http_req *r, const char *name, const char *token);

// Status line, Content-Length (unless 101 or 204) and `headers` (whole lines with CRLF), then the
// empty line. Nosniff and no-store are the caller's to add.
void http_put_head(struct rg_wr *w, unsigned status, size_t content_length, const char *headers);
const char *http_reason(unsigned status);
