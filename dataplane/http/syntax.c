// SPDX-License-Identifier: BSD-3-Clause
// HTTP grammar: character classes, lines, field lines. Any thread; never allocates.
#include "syntax.h"

#include "regate/err.h"

#define UNRESERVED (HTTP_C_TOKEN | HTTP_C_PATH | HTTP_C_QUERY | HTTP_C_HOST)
#define SUB_DELIM (HTTP_C_PATH | HTTP_C_QUERY | HTTP_C_HOST)

static const uint8_t classes[256] = {
	['0' ... '9'] = UNRESERVED | HTTP_C_HEX,
	['A' ... 'F'] = UNRESERVED | HTTP_C_HEX,
	['G' ... 'Z'] = UNRESERVED,
	['a' ... 'f'] = UNRESERVED | HTTP_C_HEX,
	['g' ... 'z'] = UNRESERVED,
	['-'] = UNRESERVED,
	['.'] = UNRESERVED,
	['_'] = UNRESERVED,
	['~'] = UNRESERVED,
	['!'] = HTTP_C_TOKEN | SUB_DELIM,
	['$'] = HTTP_C_TOKEN | SUB_DELIM,
	['&'] = HTTP_C_TOKEN | SUB_DELIM,
	['\''] = HTTP_C_TOKEN | SUB_DELIM,
	['*'] = HTTP_C_TOKEN | SUB_DELIM,
	['+'] = HTTP_C_TOKEN | SUB_DELIM,
	['('] = SUB_DELIM,
	[')'] = SUB_DELIM,
	[','] = SUB_DELIM,
	[';'] = SUB_DELIM,
	['='] = SUB_DELIM,
	['#'] = HTTP_C_TOKEN,
	['%'] = HTTP_C_TOKEN,
	['^'] = HTTP_C_TOKEN,
	['`'] = HTTP_C_TOKEN,
	['|'] = HTTP_C_TOKEN,
	[':'] = HTTP_C_PATH | HTTP_C_QUERY,
	['@'] = HTTP_C_PATH | HTTP_C_QUERY,
	['/'] = HTTP_C_PATH | HTTP_C_QUERY,
	['?'] = HTTP_C_QUERY,
};

bool http_is_class(uint8_t c, enum http_class class) {
	return (classes[c] & class) != 0;
}

int http_take_line(struct rg_slice *in, struct rg_slice *line) {
	for (size_t i = 0; i < in->len; i++) {
		uint8_t c = in->p[i];

		if (c >= 0x20 ? c != 0x7f : c == '\t')
			continue;
		// RFC 9112 2.2: no bare CR; a bare LF may be taken for a line end, and is not.
		if (c != '\r')
			return RG_E_PROTO;
		if (i + 1 == in->len)
			return RG_MORE;
		if (in->p[i + 1] != '\n')
			return RG_E_PROTO;
		*line = rg_slice(in->p, i);
		*in = rg_skip(*in, i + 2);
		return RG_OK;
	}
	return RG_MORE;
}

bool http_field_parse(struct rg_slice line, struct http_hdr *out) {
	size_t n = 0;

	while (n < line.len && http_is_class(line.p[n], HTTP_C_TOKEN))
		n++;
	// RFC 9112 5.1: the colon follows the name at once. 5.2: a line that starts with a blank
	// would continue the one before; it has no name and ends here too.
	if (n == 0 || n == line.len || line.p[n] != ':')
		return false;
	out->name = rg_slice(line.p, n);
	out->value = rg_trim(rg_skip(line, n + 1));
	return true;
}
