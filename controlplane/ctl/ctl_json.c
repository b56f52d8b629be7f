// SPDX-License-Identifier: BSD-3-Clause
// JSON values for answers: text that peers chose, addresses, times. Control thread. Never puts a
// token or a token's digest into an answer.
#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl_int.h"

void ctl_json_add(json_t **list, json_t *v) {
	if (json_array_append_new(*list, v) == 0)
		return;
	json_decref(*list);
	*list = NULL;
}

json_t *ctl_json_text(struct rg_slice s) {
	json_t *v = NULL;
	struct rg_wr w;
	uint8_t *escaped;

	if (s.len == 0)
		return json_string("");
	if (memchr(s.p, '\0', s.len) == NULL)
		v = json_stringn((const char *)s.p, s.len); // NULL when it is not UTF-8
	if (v != NULL)
		return v;
	escaped = malloc(4 * s.len);
	if (escaped == NULL)
		return NULL;
	w = rg_wr(escaped, 4 * s.len);
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] != 0 && s.p[i] < 0x80) {
			rg_putc(&w, (char)s.p[i]);
			continue;
		}
		rg_puts(&w, "\\x");
		rg_put_hex(&w, rg_slice(s.p + i, 1));
	}
	v = json_stringn((const char *)w.p, w.len);
	free(escaped);
	return v;
}

json_t *ctl_json_addr(const struct rg_addr *a) {
	char text[64];
	struct rg_wr w = rg_wr(text, sizeof(text));
	bool is_v4 = rg_addr_is_v4(a);

	if (!is_v4)
		rg_putc(&w, '[');
	rg_put_ip(&w, a);
	rg_puts(&w, is_v4 ? ":" : "]:");
	rg_put_u64(&w, a->port);
	return json_stringn(text, w.len);
}

struct date {
	int64_t year;
	unsigned month, day;
};

// Days since 1970-01-01 to a date of the Gregorian calendar. Counts in years that begin in March,
// so that the leap day is the last one of its year, and in eras of 400 years (146097 days).
static struct date date_of_days(int64_t days) {
	int64_t z = days + 719468; // since 0000-03-01
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153; // 0 = March
	struct date d = {.month = mp < 10 ? mp + 3 : mp - 9, .day = doy - (153 * mp + 2) / 5 + 1};

	d.year = (int64_t)yoe + era * 400 + (d.month <= 2);
	return d;
}

json_t *ctl_json_time(const struct ctl *c, uint64_t t_ns) {
	int64_t left_ms, ms;

	if (t_ns == 0 || t_ns == RG_NEVER)
		return json_null();
	left_ms = (int64_t)(t_ns - env_now_ns(c->deps.env)) / (int64_t)RG_NS_PER_MS;
	ms = env_wall_ms(c->deps.env) + left_ms;
	return ctl_json_utc(ms / 1000 - (ms % 1000 < 0));
}

json_t *ctl_json_utc(int64_t s) {
	int64_t days = s / 86400 - (s % 86400 < 0);
	struct date d = date_of_days(days);
	char text[64];

	s -= days * 86400;
	snprintf(text, sizeof(text), "%04jd-%02u-%02uT%02d:%02d:%02dZ", (intmax_t)d.year, d.month,
		 d.day, (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
	return json_string(text);
}
