// SPDX-License-Identifier: BSD-3-Clause
// Request bodies (RFC 9112 6, 7.1) as they come. Any thread; never allocates. Framing is taken out
// in place and once: a byte is looked at again only while its line is not whole.
#include "regate/err.h"
#include "syntax.h"

enum state { LENGTH, SIZE, DATA, DATA_END, TRAILERS, DONE };

// Takes a line that is framing: a chunk size, a trailer or an empty line.
static int take_line(struct http_rx *rx, struct rg_slice *in, struct rg_slice *line) {
	size_t before = in->len;
	int rc = http_take_line(in, line);
	size_t n = rc == RG_MORE ? before : before - in->len;

	if (rc >= RG_OK && rx->n_framing + n > HTTP_MAX_FRAMING)
		return RG_E_LIMIT;
	if (rc == RG_OK)
		rx->n_framing += (uint32_t)n;
	return rc;
}

// RFC 9112 7.1: hex digits, then nothing or ";" and extensions, which are ignored (7.1.1). A blank
// before the ";" is refused: readers differ about it.
static int take_size(struct http_rx *rx, struct rg_slice *in) {
	struct rg_slice line;
	size_t n = 0, i;
	int rc = take_line(rx, in, &line);

	if (rc != RG_OK)
		return rc;
	for (i = 0; i < line.len && http_is_class(line.p[i], HTTP_C_HEX); i++) {
		uint8_t c = line.p[i];

		n = n << 4 | (size_t)(c <= '9' ? c - '0' : rg_lower(c) - 'a' + 10);
		if (n > HTTP_MAX_BODY - rx->n_body)
			return RG_E_LIMIT;
	}
	if (i == 0 || (i < line.len && line.p[i] != ';'))
		return RG_E_PROTO;
	rx->left = (uint32_t)n;
	rx->state = n == 0 ? TRAILERS : DATA;
	return RG_OK;
}

// Moves chunk data to the end of the body.
static int take_data(struct http_rx *rx, uint8_t *body, struct rg_slice *in) {
	size_t n = in->len < rx->left ? in->len : rx->left;

	memmove(body + rx->n_body, in->p, n);
	*in = rg_skip(*in, n);
	rx->n_body += (uint32_t)n;
	rx->left -= (uint32_t)n;
	if (rx->left > 0)
		return RG_MORE;
	rx->state = DATA_END;
	return RG_OK;
}

static int take_data_end(struct http_rx *rx, struct rg_slice *in) {
	struct rg_slice line;
	int rc;

	if (in->len > 0 && in->p[0] != '\r')
		return RG_E_PROTO;
	rc = take_line(rx, in, &line);
	rx->state = rc == RG_OK ? SIZE : DATA_END;
	return rc;
}

// One trailer or the empty line: checked as a field, then dropped (RFC 9112 7.1.2).
static int take_trailer(struct http_rx *rx, struct rg_slice *in) {
	struct rg_slice line;
	struct http_hdr field;
	int rc = take_line(rx, in, &line);

	if (rc == RG_OK && line.len == 0)
		rx->state = DONE;
	else if (rc == RG_OK && !http_field_parse(line, &field))
		return RG_E_PROTO;
	return rc;
}

static int step(struct http_rx *rx, uint8_t *body, struct rg_slice *in) {
	switch (rx->state) {
	case SIZE:
		return take_size(rx, in);
	case DATA:
		return take_data(rx, body, in);
	case DATA_END:
		return take_data_end(rx, in);
	default:
		return take_trailer(rx, in);
	}
}

int http_body_begin(const struct http_req *r, struct http_rx *rx) {
	if (r->content_length > HTTP_MAX_BODY)
		return RG_E_LIMIT;
	*rx = (struct http_rx){
		.head_len = (uint32_t)r->head_len,
		.left = (uint32_t)r->content_length,
		.state = r->is_chunked ? SIZE : LENGTH,
	};
	return RG_OK;
}

int http_body(struct http_rx *rx, uint8_t *in, size_t *len) {
	uint8_t *body = in + rx->head_len;
	struct rg_slice raw = {body + rx->n_body, *len - rx->head_len - rx->n_body};
	int rc = RG_OK;

	if (rx->state == LENGTH) {
		if (raw.len < rx->left)
			return RG_MORE;
		rx->n_body = rx->left;
		return RG_OK;
	}
	while (rc == RG_OK && rx->state != DONE)
		rc = step(rx, body, &raw);
	memmove(body + rx->n_body, raw.p, raw.len);
	*len = rx->head_len + rx->n_body + raw.len;
	return rc;
}
