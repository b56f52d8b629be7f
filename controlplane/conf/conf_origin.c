// SPDX-License-Identifier: BSD-3-Clause
// Web origins as a browser sends them in Origin (RFC 6454 6.2): lower case, no default port, no
// path. The worker compares bytes, so the configured text is brought into that form here.
#include <stdlib.h>

#include "conf/conf_impl.h"
#include "regate/err.h"

struct scheme {
	const char *prefix;
	uint64_t default_port;
};

static const struct scheme schemes[] = {{"https://", 443}, {"http://", 80}};

static const struct scheme *scheme_of(struct rg_slice s) {
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct rg_slice prefix = rg_str(schemes[i].prefix);

		if (s.len >= prefix.len && rg_ieq(rg_slice(s.p, prefix.len), prefix))
			return &schemes[i];
	}
	return NULL;
}

// Cuts ":port" off *host, when there is one behind the name or the bracket.
static bool cut_port(struct rg_slice *host, uint64_t *port) {
	const uint8_t *colon = host->len == 0 ? NULL : memrchr(host->p, ':', host->len);

	if (colon == NULL || host->p[host->len - 1] == ']')
		return true;
	if (!rg_parse_u64(rg_skip(*host, (size_t)(colon - host->p) + 1), port) || *port < 1 ||
	    *port > 65535)
		return false;
	host->len = (size_t)(colon - host->p);
	return true;
}

static void put_host(struct rg_wr *w, struct rg_slice host) {
	struct rg_addr a;

	if (host.p[0] == '[' && rg_addr_parse(host, &a) == RG_OK) {
		rg_putc(w, '[');
		rg_put_ip(w, &a); // shortest form, RFC 5952
		rg_putc(w, ']');
		return;
	}
	for (size_t i = 0; i < host.len; i++)
		rg_putc(w, (char)rg_lower(host.p[i]));
}

// What is wrong with s, NULL when nothing is. On NULL the parts are set.
static const char *split(struct rg_slice s, const struct scheme **scheme, struct rg_slice *host,
			 uint64_t *port) {
	*scheme = scheme_of(s);
	if (*scheme == NULL)
		return "begins neither with https:// nor http://";
	*host = rg_skip(s, strlen((*scheme)->prefix));
	*port = (*scheme)->default_port;
	if (host->len > 0 && memchr(host->p, '*', host->len) != NULL)
		return "has a wildcard, which would admit sites you do not know: list each origin";
	for (size_t i = 0; i < host->len; i++) {
		if (host->p[i] == '/' || host->p[i] == '?' || host->p[i] == '#')
			return "has a path, an origin has none: end it after the host or port";
		if (host->p[i] >= 0x80)
			return "has letters outside ASCII: write the host in its xn-- form";
	}
	if (!cut_port(host, port))
		return "has a bad port: write 1 to 65535";
	if (!conf_is_host(*host))
		return "has a bad host: write a domain name, or an IP address ([] around IPv6)";
	return NULL;
}

char *conf_origin(const char *s, char *why, size_t why_len) {
	const struct scheme *scheme;
	struct rg_slice host;
	char text[512];
	struct rg_wr w = rg_wr(text, sizeof(text));
	uint64_t port;
	const char *wrong = split(rg_str(s), &scheme, &host, &port);

	if (wrong != NULL) {
		snprintf(why, why_len, "'%s' %s, such as https://wwsf.example.net", s, wrong);
		return NULL;
	}
	rg_puts(&w, scheme->prefix);
	put_host(&w, host);
	if (port != scheme->default_port) {
		rg_putc(&w, ':');
		rg_put_u64(&w, port);
	}
	return conf_strdup(rg_wr_slice(&w)); // a host has at most 253 bytes: it fitted
}
