// SPDX-License-Identifier: BSD-3-Clause
// Response heads and reason phrases (RFC 9112 4, RFC 9110 15). Any thread; never allocates.
#include "regate/http.h"

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
	{100, "Continue"},
	{101, "Switching Protocols"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{426, "Upgrade Required"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

const char *http_reason(unsigned status) {
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

void http_put_head(struct rg_wr *w, unsigned status, size_t content_length, const char *headers) {
	rg_puts(w, "HTTP/1.1 ");
	rg_put_u64(w, status);
	rg_putc(w, ' ');
	rg_puts(w, http_reason(status));
	rg_puts(w, "\r\n");
	if (status >= 200 && status != 204) { // RFC 9110 8.6: none in 1xx and 204
		rg_puts(w, "Content-Length: ");
		rg_put_u64(w, content_length);
		rg_puts(w, "\r\n");
	}
	rg_puts(w, headers);
	rg_puts(w, "\r\n");
}
