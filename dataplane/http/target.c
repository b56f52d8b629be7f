// SPDX-License-Identifier: BSD-3-Clause
// Request targets and hosts (RFC 9112 3.2, RFC 3986). Any thread; never allocates or decodes.
#include <arpa/inet.h>

#include "syntax.h"

// Is every byte of s of that class, or part of a whole "%41" (RFC 3986 2.1)?
static bool is_all(struct rg_slice s, enum http_class class) {
	for (size_t i = 0; i < s.len; i++) {
		if (http_is_class(s.p[i], class))
			continue;
		if (s.p[i] != '%' || s.len - i < 3 || !http_is_class(s.p[i + 1], HTTP_C_HEX) ||
		    !http_is_class(s.p[i + 2], HTTP_C_HEX))
			return false;
		i += 2;
	}
	return true;
}

static bool is_ipv6(struct rg_slice s) {
	char text[INET6_ADDRSTRLEN];
	struct in6_addr ip;

	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return inet_pton(AF_INET6, text, &ip) == 1;
}

bool http_is_host(struct rg_slice s) {
	const uint8_t *close;
	struct rg_slice host = s;
	uint64_t port;
	size_t n = 0;

	if (s.len > 0 && s.p[0] == '[') {
		close = memchr(s.p, ']', s.len);
		if (close == NULL || !is_ipv6(rg_slice(s.p + 1, (size_t)(close - s.p) - 1)))
			return false;
		n = (size_t)(close - s.p) + 1;
	} else {
		while (n < s.len && s.p[n] != ':')
			n++;
		host.len = n;
		// An http or https URI has a host (RFC 9110 4.2.1), so Host is never empty.
		if (n == 0 || !is_all(host, HTTP_C_HOST))
			return false;
	}
	if (n == s.len)
		return true;
	return s.p[n] == ':' && rg_parse_u64(rg_skip(s, n + 1), &port) && port <= UINT16_MAX;
}

static bool split_path(struct http_req *r, struct rg_slice s) {
	const uint8_t *mark = s.len == 0 ? NULL : memchr(s.p, '?', s.len);

	r->path = s;
	r->query = rg_slice(NULL, 0);
	if (mark != NULL) {
		r->path.len = (size_t)(mark - s.p);
		r->query = rg_skip(s, r->path.len + 1);
	}
	return is_all(r->path, HTTP_C_PATH) && is_all(r->query, HTTP_C_QUERY);
}

// RFC 9112 3.2.2. User information is refused (RFC 9110 4.2.4: treat it as an error).
static bool split_absolute(struct http_req *r, struct rg_slice *authority) {
	static const struct rg_slice schemes[] = {RG_LIT("http://"), RG_LIT("https://")};
	struct rg_slice rest = r->target;
	size_t n = 0;

	for (size_t i = 0; i < 2; i++)
		if (rest.len > schemes[i].len &&
		    rg_ieq(rg_slice(rest.p, schemes[i].len), schemes[i]))
			n = schemes[i].len;
	if (n == 0)
		return false;
	rest = rg_skip(rest, n);
	for (n = 0; n < rest.len && rest.p[n] != '/' && rest.p[n] != '?';)
		n++;
	*authority = rg_slice(rest.p, n);
	rest = rg_skip(rest, n);
	if (!http_is_host(*authority) || !split_path(r, rest))
		return false;
	if (r->path.len == 0)
		r->path = RG_LIT("/"); // RFC 9110 4.2.3: an empty path is "/"
	return true;
}

bool http_target_split(struct http_req *r, struct rg_slice *authority) {
	*authority = rg_slice(NULL, 0);
	if (r->target.len == 0)
		return false;
	if (r->target.p[0] == '/')
		return split_path(r, r->target);
	if (rg_eq(r->target, RG_LIT("*"))) { // RFC 9112 3.2.4: OPTIONS only
		r->path = r->target;
		r->query = rg_slice(NULL, 0);
		return r->method == HTTP_OPTIONS;
	}
	return split_absolute(r, authority); // the authority form is CONNECT's: not served
}
