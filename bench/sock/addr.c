// SPDX-License-Identifier: BSD-3-Clause
// Addresses: the target's, and the local ones that connections come from in turn.
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#include "sock_int.h"

// host:port or [address]:port, checked by the scenario; the halves of a copy.
static bool split(char *text, char **host, char **port) {
	char *colon = strrchr(text, ':');

	if (colon == NULL)
		return false;
	*colon = '\0';
	*port = colon + 1;
	*host = text;
	if (*text == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		*host = text + 1;
	}
	return true;
}

static int find_target(struct sock *s, const char *target, char *err, size_t err_len) {
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char *copy = strdup(target), *host, *port;
	uint8_t address[16];
	int rc = copy == NULL ? -ENOMEM : split(copy, &host, &port) ? 0 : -EINVAL;

	if (rc == 0 && getaddrinfo(host, port, &hints, &found) != 0)
		rc = -EHOSTUNREACH;
	if (rc != 0) {
		snprintf(err, err_len, "target: %s: no such host", target);
	} else {
		memcpy(&s->to, found->ai_addr, found->ai_addrlen);
		s->to_len = found->ai_addrlen;
		(void)getnameinfo(found->ai_addr, found->ai_addrlen, s->ip, sizeof(s->ip), NULL, 0,
				  NI_NUMERICHOST);
		snprintf(s->host, sizeof(s->host), "%s",
			 strcmp(port, "443") == 0 && *target != '[' ? host : target);
		if (s->sc->server_name != NULL)
			snprintf(s->sni, sizeof(s->sni), "%s", s->sc->server_name);
		else if (inet_pton(AF_INET, host, address) != 1 &&
			 inet_pton(AF_INET6, host, address) != 1)
			snprintf(s->sni, sizeof(s->sni), "%s", host);
		freeaddrinfo(found);
	}
	free(copy);
	return rc;
}

// "127.1.0.0/24": the first and how many; network and broadcast address are left out.
static bool parse_source(struct sock *s, const char *text) {
	struct sockaddr_in *v4 = (struct sockaddr_in *)&s->from;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s->from;
	const char *slash = strchr(text, '/');
	char address[128];
	unsigned bits, host_bits;
	uint64_t prefix = 0;

	if (s->to.ss_family != AF_INET && s->to.ss_family != AF_INET6)
		return false;
	bits = s->to.ss_family == AF_INET ? 32 : 128;
	snprintf(address, sizeof(address), "%.*s", (int)(slash == NULL ? 45 : slash - text), text);
	if (slash == NULL)
		prefix = bits;
	else if (!rg_parse_u64(rg_str(slash + 1), &prefix) || prefix > bits || prefix == 0)
		return false;
	s->from.ss_family = s->to.ss_family;
	if (inet_pton(s->to.ss_family, address,
		      bits == 32 ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr) != 1)
		return false;
	host_bits = bits - (unsigned)prefix;
	s->n_from = host_bits >= 20 ? 1u << 20 : 1u << host_bits;
	if (host_bits < 2)
		return true;
	s->n_from -= 2;
	s->from_at = 1; // see sock_addr_next()
	return true;
}

int sock_addr_init(struct sock *s, char *err, size_t err_len) {
	int rc;

	if (s->sc->target == NULL) {
		snprintf(err, err_len, "target: missing, give host:port of what is measured");
		return -EINVAL;
	}
	rc = find_target(s, s->sc->target, err, err_len);
	if (rc == 0 && s->sc->source != NULL && !parse_source(s, s->sc->source)) {
		snprintf(err, err_len,
			 "source: %s: no address or address/prefix of the target's family",
			 s->sc->source);
		rc = -EINVAL;
	}
	return rc;
}

bool sock_addr_next(struct sock *s, struct sockaddr_storage *out) {
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	uint32_t at = s->from_at, word;

	if (s->from.ss_family == 0)
		return false;
	*out = s->from;
	if (out->ss_family == AF_INET) {
		v4->sin_addr.s_addr = htonl(ntohl(v4->sin_addr.s_addr) + at);
	} else {
		memcpy(&word, v6->sin6_addr.s6_addr + 12, sizeof(word));
		word = htonl(ntohl(word) + at);
		memcpy(v6->sin6_addr.s6_addr + 12, &word, sizeof(word));
	}
	if (++s->from_at >= s->n_from + (s->n_from > 2))
		s->from_at = s->n_from > 2;
	return true;
}
