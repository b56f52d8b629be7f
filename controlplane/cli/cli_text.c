// SPDX-License-Identifier: BSD-3-Clause
// Text that cannot break a terminal or a table, durations, times. No I/O.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

// Length of the UTF-8 sequence at the start of s and its code point. A byte that begins none
// counts as one of its own.
static size_t decode(struct rg_slice s, uint32_t *cp) {
	uint8_t c = s.p[0];
	size_t n = c < 0xc2 || c > 0xf4 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t v = c & (0xffu >> (n + 1));

	*cp = c;
	if (n == 1 || n > s.len)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 1;
		v = v << 6 | (s.p[i] & 0x3f);
	}
	*cp = v;
	return n;
}

// What a terminal may take for more than a visible character: C0, DEL, C1, zero-width and bidi
// controls, line and paragraph separators, byte order mark, surrogates, tags.
static bool is_control(uint32_t cp) {
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == 0x61c ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || (cp >= 0xd800 && cp <= 0xdfff) ||
	       (cp >= 0xe0000 && cp <= 0xe007f);
}

char *cli_escape(struct rg_slice s, size_t *width) {
	size_t cap = 8 * s.len + 1; // the longest: one byte to "\xNN", three to "\uNNNN"
	char *out = malloc(cap);
	size_t len = 0;

	*width = 0;
	if (out == NULL)
		return NULL;
	while (s.len > 0) {
		uint32_t cp;
		size_t n = decode(s, &cp);
		size_t before = len;

		if (is_control(cp) || (n == 1 && cp >= 0x80))
			len += (size_t)snprintf(out + len, cap - len,
						n == 1 ? "\\x%02x" : "\\u%04x", cp);
		else if (cp == '\\')
			len += (size_t)snprintf(out + len, cap - len, "\\\\");
		else
			len += (size_t)snprintf(out + len, cap - len, "%.*s", (int)n, s.p);
		*width += out[before] == '\\' ? len - before : 1;
		s = rg_skip(s, n);
	}
	out[len] = '\0';
	return out;
}

void cli_duration(uint64_t s, char *out, size_t out_len) {
	if (s >= 86400)
		snprintf(out, out_len, "%jud%juh", (uintmax_t)s / 86400,
			 (uintmax_t)s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(out, out_len, "%juh%jum", (uintmax_t)s / 3600, (uintmax_t)s % 3600 / 60);
	else if (s >= 60)
		snprintf(out, out_len, "%jum%jus", (uintmax_t)s / 60, (uintmax_t)s % 60);
	else
		snprintf(out, out_len, "%jus", (uintmax_t)s);
}

bool cli_time_parse(const char *s, int64_t *out) {
	struct tm tm = {0};
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (end == NULL || *end != '\0')
		return false;
	*out = timegm(&tm);
	return true;
}

void cli_time_print(int64_t t, int64_t now, char *out, size_t out_len) {
	char date[32], distance[32];
	time_t tt = t;
	struct tm tm;

	cli_duration(t >= now ? (uint64_t)(t - now) : (uint64_t)(now - t), distance,
		     sizeof(distance));
	if (localtime_r(&tt, &tm) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(date, sizeof(date), "%jd", (intmax_t)t);
	snprintf(out, out_len, t >= now ? "%s (in %s)" : "%s (%s ago)", date, distance);
}
