// SPDX-License-Identifier: BSD-3-Clause
// Request bodies (RFC 9112 6, 7.1). Any thread; never allocates. A chunked body is first walked to
// its end without a write, so that RG_MORE leaves the bytes as they came; then it is joined.
#include "regate/err.h"
#include "syntax.h"

struct chunks {
	struct rg_slice rest;
	size_t n_data;    // bytes of chunks so far
	size_t n_framing; // everything else so far
};

// Takes a line that is framing: a chunk size, a trailer or an empty line.
static int take_line(struct chunks *c, struct rg_slice *line) {
	size_t before = c->rest.len;
	int rc = http_take_line(&c->rest, line);

	c->n_framing += rc == RG_MORE ? before : before - c->rest.len;
	if (rc >= RG_OK && c->n_framing > HTTP_MAX_FRAMING)
		return RG_E_LIMIT;
	return rc;
}

// RFC 9112 7.1: hex digits, then nothing or ";" and extensions, which are ignored (7.1.1). A blank
// before the ";" is refused: readers differ about it.
static int parse_size(struct rg_slice line, size_t *out) {
	size_t n = 0;
	size_t i;

	for (i = 0; i < line.len && http_is_class(line.p[i], HTTP_C_HEX); i++) {
		uint8_t c = line.p[i];

		n = n << 4 | (size_t)(c <= '9' ? c - '0' : rg_lower(c) - 'a' + 10);
		if (n > HTTP_MAX_BODY)
			return RG_E_LIMIT;
	}
	if (i == 0 || (i < line.len && line.p[i] != ';'))
		return RG_E_PROTO;
	*out = n;
	return RG_OK;
}

// The next chunk's data; len 0 after the last one.
static int take_chunk(struct chunks *c, struct rg_slice *data) {
	struct rg_slice line;
	size_t n;
	int rc = take_line(c, &line);

	if (rc == RG_OK)
		rc = parse_size(line, &n);
	if (rc != RG_OK)
		return rc;
	*data = rg_slice(c->rest.p, n);
	c->n_data += n;
	if (c->n_data > HTTP_MAX_BODY)
		return RG_E_LIMIT;
	if (n == 0)
		return RG_OK;
	if (c->rest.len < n)
		return RG_MORE;
	c->rest = rg_skip(c->rest, n);
	if (c->rest.len > 0 && c->rest.p[0] != '\r') // data ends with CRLF
		return RG_E_PROTO;
	return take_line(c, &line);
}

// Trailers up to the empty line: checked as fields, then dropped (RFC 9112 7.1.2).
static int take_trailers(struct chunks *c) {
	struct rg_slice line;
	struct http_hdr field;
	int rc;

	for (;;) {
		rc = take_line(c, &line);
		if (rc != RG_OK || line.len == 0)
			return rc;
		if (!http_field_parse(line, &field))
			return RG_E_PROTO;
	}
}

static int find_end(struct chunks *c) {
	struct rg_slice data;
	int rc;

	do
		rc = take_chunk(c, &data);
	while (rc == RG_OK && data.len > 0);
	return rc == RG_OK ? take_trailers(c) : rc;
}

static int join(uint8_t *at, size_t len, struct rg_slice *body, size_t *size) {
	struct chunks c = {.rest = {at, len}};
	struct rg_slice data;
	size_t n = 0;
	int rc = find_end(&c);

	if (rc != RG_OK)
		return rc;
	*size += c.n_data + c.n_framing;
	// Each size line is read before its data moves to the left, onto what was read already.
	c = (struct chunks){.rest = {at, len}};
	while (take_chunk(&c, &data) == RG_OK && data.len > 0) {
		memmove(at + n, data.p, data.len);
		n += data.len;
	}
	*body = rg_slice(at, n);
	return RG_OK;
}

int http_body(const struct http_req *r, uint8_t *in, size_t len, struct rg_slice *body,
	      size_t *size) {
	struct rg_slice found;
	size_t total = r->head_len;
	int rc;

	if (r->is_chunked) {
		rc = join(in + r->head_len, len - r->head_len, &found, &total);
		if (rc != RG_OK)
			return rc;
	} else {
		if (r->content_length > HTTP_MAX_BODY)
			return RG_E_LIMIT;
		if (len - r->head_len < r->content_length)
			return RG_MORE;
		found = rg_slice(in + r->head_len, r->content_length);
		total += r->content_length;
	}
	*body = found;
	*size = total;
	return RG_OK;
}
