// SPDX-License-Identifier: BSD-3-Clause
// One strict HTTP/1.1 request parser (RFC 9112) for both planes, and the response head writer.
// Nothing ambiguous is accepted: no bare LF, no obs-fold, no space before the colon, not both
// Content-Length and Transfer-Encoding, exactly one Host. HTTP/1.0 is taken for 1.1 with
// "Connection: close", and may not be chunked. Nothing allocates.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/slice.h"

#define HTTP_MAX_HEAD 8192
#define HTTP_MAX_BODY 65536
#define HTTP_MAX_HEADERS 64
#define HTTP_MAX_FRAMING 4096 // of a chunked body: size lines, extensions, trailers

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
	bool is_http10;
	bool is_keep_alive;
	bool is_chunked;
	bool has_length;
	uint64_t content_length;
	size_t head_len; // bytes up to and including the empty line
};

// Parses a request head. RG_OK, RG_MORE, RG_E_PROTO, RG_E_LIMIT, RG_E_VERSION (not HTTP/1.x),
// RG_E_UNSUPPORTED (a transfer coding).
[[nodiscard]] int http_req_parse(struct rg_slice in, struct http_req *r);
// The status that says what http_req_parse(in) failed with: 400, 414, 431, 501, 505.
unsigned http_refusal(int rc, struct rg_slice in);

// RFC 9110 10.1.1, for a request whose body has not begun to come: 100 = say so, 417 = refuse, 0 =
// nothing is expected.
unsigned http_expectation(const struct http_req *r);

struct http_rx {           // one request on its way through a buffer
	uint32_t head_len; // 0: its head is not whole yet
	uint32_t n_body;   // body bytes so far, joined behind the head
	uint32_t left, n_framing;
	uint8_t state;
};

// Before the first http_body(), with r as parsed. RG_OK, or RG_E_LIMIT (413).
[[nodiscard]] int http_body_begin(const struct http_req *r, struct http_rx *rx);
// in[0..*len) holds the head, rx->n_body bytes of body, then raw bytes, to which the caller adds
// while the answer is RG_MORE. Chunk framing and trailers are taken out and *len falls. RG_OK: the
// body is whole, what follows it belongs to the next request. RG_E_PROTO, RG_E_LIMIT (413).
[[nodiscard]] int http_body(struct http_rx *rx, uint8_t *in, size_t *len);

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
