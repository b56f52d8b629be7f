// SPDX-License-Identifier: BSD-3-Clause
// One event as one line of key=value. Values come from peers, too: whatever their bytes are, they
// stay in their field and on their line, and no terminal obeys them.
#include "core/log_format.h"

#include <stdio.h>
#include <time.h>

#define CUT " cut=1"

static void put_time(struct rg_wr *w, int64_t wall_ms) {
	int64_t ms = wall_ms % 1000;
	time_t s = (time_t)(wall_ms / 1000);
	char text[64];
	struct tm tm;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	if (gmtime_r(&s, &tm) == NULL)
		tm = (struct tm){.tm_mday = 1};
	// RFC 3339 section 5.6
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
	rg_puts(w, text);
}

static bool is_plain(uint8_t c) {
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

static bool is_bare(struct rg_slice v) {
	for (size_t i = 0; i < v.len; i++)
		if (!is_plain(v.p[i]))
			return false;
	return v.len > 0;
}

static void put_quoted(struct rg_wr *w, struct rg_slice v) {
	rg_putc(w, '"');
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.p[i];

		if (is_plain(c) || c == ' ' || c == '=') {
			rg_putc(w, (char)c);
		} else if (c == '"' || c == '\\') {
			rg_putc(w, '\\');
			rg_putc(w, (char)c);
		} else {
			rg_puts(w, "\\x");
			rg_put_hex(w, rg_slice(&c, 1));
		}
	}
	rg_putc(w, '"');
}

static void put_text(struct rg_wr *w, struct rg_slice v) {
	bool is_long = v.len > LOG_VALUE_MAX;

	if (is_long)
		v.len = LOG_VALUE_MAX;
	if (is_bare(v))
		rg_put(w, v);
	else
		put_quoted(w, v);
	if (is_long)
		rg_puts(w, "...");
}

static void put_value(struct rg_wr *w, const struct log_kv *kv) {
	switch (kv->type) {
	case LOG_KV_STR:
		put_text(w, rg_str(kv->str));
		break;
	case LOG_KV_SLICE:
		put_text(w, kv->slice);
		break;
	case LOG_KV_U64:
		rg_put_u64(w, kv->u64);
		break;
	case LOG_KV_I64:
		if (kv->i64 < 0)
			rg_putc(w, '-');
		rg_put_u64(w, kv->i64 < 0 ? -(uint64_t)kv->i64 : (uint64_t)kv->i64);
		break;
	}
}

void log_format(struct rg_wr *out, int64_t wall_ms, enum log_level level, const char *msg,
		const struct log_kv *kv) {
	// Room for the end of the line is kept back, so that the end always fits.
	struct rg_wr w = rg_wr(out->p, LOG_LINE_MAX - sizeof(CUT));
	size_t good_len;

	put_time(&w, wall_ms);
	rg_puts(&w, " level=");
	rg_puts(&w, log_level_name(level));
	rg_puts(&w, " msg=");
	put_text(&w, rg_str(msg));
	for (good_len = w.len; kv->key != NULL && !w.overflow; kv++) {
		good_len = w.len;
		rg_putc(&w, ' ');
		rg_puts(&w, kv->key);
		rg_putc(&w, '=');
		put_value(&w, kv);
	}
	out->len = w.overflow ? good_len : w.len;
	if (w.overflow)
		rg_puts(out, CUT);
	rg_putc(out, '\n');
}
