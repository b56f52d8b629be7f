// SPDX-License-Identifier: BSD-3-Clause
// Grammar that the files of http share: character classes, lines, fields, targets and hosts.
#pragma once

#include "regate/http.h"

enum http_class {
	HTTP_C_TOKEN = 1, // RFC 9110 5.6.2: tchar
	HTTP_C_PATH = 2,  // RFC 3986 3.3: pchar and "/"; the "%" of an escape is checked apart
	HTTP_C_QUERY = 4, // RFC 3986 3.4: pchar, "/" and "?"
	HTTP_C_HOST = 8,  // RFC 3986 3.2.2: unreserved and sub-delims of a reg-name
	HTTP_C_HEX = 16,
};
bool http_is_class(uint8_t c, enum http_class class);

// Takes a line off *in, without its CRLF. RG_OK, RG_MORE, or RG_E_PROTO at the first control
// character: the caller sees nothing but HT, printable ASCII and bytes above 127.
[[nodiscard]] int http_take_line(struct rg_slice *in, struct rg_slice *line);

// Parses a field line. False when it is none.
[[nodiscard]] bool http_field_parse(struct rg_slice line, struct http_hdr *out);

// Checks r->target against r->method, fills path and query. *authority is that of the absolute
// form, else p NULL.
[[nodiscard]] bool http_target_split(struct http_req *r, struct rg_slice *authority);

// Is s a host with or without port (RFC 9110 7.2)?
bool http_is_host(struct rg_slice s);
