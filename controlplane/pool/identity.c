// SPDX-License-Identifier: BSD-3-Clause
// What an identity of a pair may look like.
#include "pool/pool.h"

#include <string.h>

#include "regate/slice.h"

static bool is_alnum(char c) {
	return (c >= '0' && c <= '9') ||
	       (rg_lower((uint8_t)c) >= 'a' && rg_lower((uint8_t)c) <= 'z');
}

// Letters, digits, '.' and '-', as of a domain name or an IPv4 address; no port.
static bool is_host(const char *s) {
	if (!is_alnum(*s))
		return false;
	for (; *s != '\0'; s++)
		if (!is_alnum(*s) && *s != '.' && *s != '-')
			return false;
	return is_alnum(s[-1]);
}

// RFC 3261 25.1 user: unreserved, escaped and user-unreserved, without the ';', '?' and '/' that
// nobody means in an identity.
static bool is_user(const char *s, size_t len) {
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && strchr("-_.!~*'()%&=+$,", s[i]) == NULL)
			return false;
	return len > 0;
}

bool pool_is_impi(const char *s) {
	const char *at = strchr(s, '@');

	return at != NULL && strlen(s) <= POOL_ID_MAX && is_user(s, (size_t)(at - s)) &&
	       is_host(at + 1);
}

bool pool_is_impu(const char *s) {
	const char *at = strchr(s, '@');

	return strncmp(s, "sip:", 4) == 0 && at != NULL && strlen(s) <= POOL_ID_MAX &&
	       is_user(s + 4, (size_t)(at - s - 4)) && is_host(at + 1);
}
