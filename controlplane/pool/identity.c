// SPDX-License-Identifier: BSD-3-Clause
// What an identity of a pair may look like.
#include "pool/pool.h"

#include <stdint.h>
#include <string.h>

enum { USER = 1, HOST = 2, ALNUM = 4 };

// HOST: letters, digits, '.' and '-', as of a domain name or an IPv4 address; no port.
// USER: RFC 3261 25.1: unreserved, escaped and user-unreserved, without the ';', '?' and '/' that
// nobody means in an identity.
static const uint8_t classes[256] = {
	['0' ... '9'] = USER | HOST | ALNUM,
	['A' ... 'Z'] = USER | HOST | ALNUM,
	['a' ... 'z'] = USER | HOST | ALNUM,
	['.'] = USER | HOST,
	['-'] = USER | HOST,
	['_'] = USER,
	['!'] = USER,
	['~'] = USER,
	['*'] = USER,
	['\''] = USER,
	['('] = USER,
	[')'] = USER,
	['%'] = USER,
	['&'] = USER,
	['='] = USER,
	['+'] = USER,
	['$'] = USER,
	[','] = USER,
};

static bool is(char c, uint8_t class) {
	return (classes[(uint8_t)c] & class) != 0;
}

// user@host of at most max bytes
static bool is_user_at_host(const char *s, size_t max) {
	const char *at = s, *end;

	while (is(*at, USER))
		at++;
	if (at == s || *at != '@' || !is(at[1], ALNUM))
		return false;
	for (end = at + 1; is(*end, HOST);)
		end++;
	return *end == '\0' && is(end[-1], ALNUM) && (size_t)(end - s) <= max;
}

bool pool_is_impi(const char *s) {
	return is_user_at_host(s, POOL_ID_MAX);
}

bool pool_is_impu(const char *s) {
	return strncmp(s, "sip:", 4) == 0 && is_user_at_host(s + 4, POOL_ID_MAX - 4);
}
