// SPDX-License-Identifier: BSD-3-Clause
// Segments as text: "P. 1:101(100) ack 1 win 500 <nop,nop,ts 10 20>", both ways, and their options
// as bytes.
#include "script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char flag_letters[] = "FSRP.UEW"; // bit 0 first

static void put16(uint8_t *b, uint32_t v) {
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static void put32(uint8_t *b, uint32_t v) {
	put16(b, v >> 16);
	put16(b + 2, v);
}

static uint32_t get32(const uint8_t *b) {
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool parse_flags(const char *s, uint8_t *flags) {
	*flags = 0;
	for (; *s != '\0' && strcmp(s, "-") != 0; s++) {
		const char *at = strchr(flag_letters, *s);

		if (at == NULL)
			return false;
		*flags |= (uint8_t)(1 << (at - flag_letters));
	}
	return true;
}

static bool parse_raw(const char *hex, struct opt *o) {
	for (o->n = 0; hex[0] != '\0' && hex[1] != '\0' && o->n < sizeof(o->raw); hex += 2)
		if (sscanf(hex, "%2hhx", &o->raw[o->n++]) != 1)
			return false;
	return hex[0] == '\0';
}

static bool parse_sack(char *s, struct opt *o) {
	char *save, *word = strtok_r(s, " ", &save);

	for (; word != NULL && o->n < 4; o->n++, word = strtok_r(NULL, " ", &save))
		if (sscanf(word, "%u:%u", &o->v[2 * o->n], &o->v[2 * o->n + 1]) != 2)
			return false;
	return word == NULL;
}

static bool parse_opt(char *s, struct opt *o) {
	char hex[81];

	*o = (struct opt){0};
	if (strcmp(s, "nop") == 0 || strcmp(s, "eol") == 0 || strcmp(s, "sackOK") == 0) {
		o->kind = *s == 'n' ? OPT_NOP : *s == 'e' ? OPT_EOL : OPT_SACK_OK;
		return true;
	}
	if (sscanf(s, "mss %u", &o->v[0]) == 1) {
		o->kind = OPT_MSS;
		return true;
	}
	if (sscanf(s, "wscale %u", &o->v[0]) == 1) {
		o->kind = OPT_WSCALE;
		return true;
	}
	if (sscanf(s, "ts %u %u", &o->v[0], &o->v[1]) == 2 || sscanf(s, "ts * %u", &o->v[1]) == 1) {
		o->kind = OPT_TS;
		o->is_any = s[3] == '*';
		return true;
	}
	if (sscanf(s, "raw %80s", hex) == 1) {
		o->kind = OPT_RAW;
		return parse_raw(hex, o);
	}
	o->kind = OPT_SACK;
	return strncmp(s, "sack ", 5) == 0 && parse_sack(s + 5, o);
}

static bool parse_opts(char *s, struct seg *out) {
	char *save, *word = strtok_r(s, ",", &save);

	for (; word != NULL && out->n_opts < MAX_OPTS; word = strtok_r(NULL, ",", &save))
		if (!parse_opt(word, &out->opts[out->n_opts++]))
			return false;
	return word == NULL;
}

static bool parse_word(const char *word, const char *value, struct seg *s, bool *has_value) {
	const struct {
		const char *name;
		void *to;
	} words[] = {{"ack", &s->ack},   {"win", &s->win},   {"urg", &s->urg},
		     {"rsv", &s->rsv},   {"each", &s->each}, {"dport", &s->dport},
		     {"doff", &s->doff}, {"cut", &s->cut}};
	char *end;

	*has_value = false;
	if (strcmp(word, "other") == 0) {
		s->is_other = true;
		return true;
	}
	*has_value = true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i].name) != 0 || value == NULL)
			continue;
		*(uint32_t *)words[i].to = (uint32_t)strtoul(value, &end, 10);
		return *end == '\0';
	}
	return false;
}

bool seg_parse(char *text, struct seg *out, const char **why) {
	char *opts = strchr(text, '<'), *save, *word;
	uint32_t end;

	*out = (struct seg){.win = -1, .dport = -1, .doff = -1, .cut = -1};
	*why = "options";
	if (opts != NULL) {
		size_t len = strcspn(opts, ">");
		char copy[256];

		snprintf(copy, sizeof(copy), "%.*s", (int)len - 1, opts + 1);
		if (opts[len] == '\0' || !parse_opts(copy, out))
			return false;
		memset(opts, ' ', len + 1);
	}
	*why = "flags";
	word = strtok_r(text, " ", &save);
	if (word == NULL || !parse_flags(word, &out->flags))
		return false;
	*why = "numbers, as in 1:101(100)";
	word = strtok_r(NULL, " ", &save);
	if (word == NULL || sscanf(word, "%u:%u(%u)", &out->seq, &end, &out->len) != 3 ||
	    out->seq + out->len != end)
		return false;
	while ((word = strtok_r(NULL, " ", &save)) != NULL) {
		char *next = save != NULL ? save + strspn(save, " ") : NULL;
		char value[32] = "";
		bool has_value;

		*why = word;
		if (next != NULL)
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(next, " "), next);
		if (!parse_word(word, value[0] == '\0' ? NULL : value, out, &has_value))
			return false;
		if (has_value)
			(void)strtok_r(NULL, " ", &save);
	}
	return true;
}

struct text {
	char *at;
	size_t room;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...) {
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, t->room, fmt, ap);
	va_end(ap);
	n = (size_t)n < t->room ? n : (int)t->room - 1;
	t->at += n;
	t->room -= (size_t)n;
}

static void put_opt(struct text *t, const struct opt *o, bool is_any) {
	switch (o->kind) {
	case OPT_MSS:
		put(t, "mss %u", o->v[0]);
		break;
	case OPT_WSCALE:
		put(t, "wscale %u", o->v[0]);
		break;
	case OPT_SACK_OK:
		put(t, "sackOK");
		break;
	case OPT_TS:
		if (is_any)
			put(t, "ts * %u", o->v[1]);
		else
			put(t, "ts %u %u", o->v[0], o->v[1]);
		break;
	case OPT_SACK:
		put(t, "sack");
		for (unsigned i = 0; i < o->n; i++)
			put(t, " %u:%u", o->v[2 * i], o->v[2 * i + 1]);
		break;
	default:
		put(t, "option %u", o->kind);
	}
}

// Padding says nothing.
static bool is_padding(const struct opt *o) {
	return o->kind == OPT_NOP || o->kind == OPT_EOL;
}

static bool looks_at_ts(const struct seg *like) {
	for (unsigned i = 0; like != NULL && i < like->n_opts; i++)
		if (like->opts[i].kind == OPT_TS)
			return !like->opts[i].is_any;
	return true;
}

// Of a SYN that names none.
static bool hides_opts(const struct seg *like) {
	return like != NULL && (like->flags & 2) != 0 && like->n_opts == 0;
}

void seg_format(const struct seg *s, const struct seg *like, char *out, size_t out_len) {
	struct text t = {out, out_len};
	unsigned n = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((s->flags & 1 << i) != 0)
			put(&t, "%c", flag_letters[i]);
	put(&t, "%s %u:%u(%u)", s->flags == 0 ? "-" : "", s->seq, s->seq + s->len, s->len);
	if ((s->flags & 16) != 0)
		put(&t, " ack %u", s->ack);
	if (s->win >= 0 && (like == NULL || like->win >= 0))
		put(&t, " win %d", s->win);
	for (unsigned i = 0; i < s->n_opts && !hides_opts(like); i++) {
		if (is_padding(&s->opts[i]))
			continue;
		put(&t, "%s", n++ == 0 ? " <" : ",");
		put_opt(&t, &s->opts[i], !looks_at_ts(like));
	}
	put(&t, "%s", n > 0 ? ">" : "");
}

// The bytes of one option; how many.
static size_t encode(const struct opt *o, uint32_t sack_base, uint32_t val_base, uint32_t ecr_base,
		     uint8_t *b) {
	static const uint8_t lens[] = {[OPT_EOL] = 1,    [OPT_NOP] = 1,     [OPT_MSS] = 4,
				       [OPT_WSCALE] = 3, [OPT_SACK_OK] = 2, [OPT_TS] = 10};
	size_t len = o->kind == OPT_SACK ? 2 + 8 * o->n : o->kind == OPT_RAW ? o->n : lens[o->kind];

	if (o->kind == OPT_RAW) {
		memcpy(b, o->raw, len);
		return len;
	}
	b[0] = (uint8_t)o->kind;
	if (len > 1)
		b[1] = (uint8_t)len;
	if (o->kind == OPT_MSS)
		put16(b + 2, o->v[0]);
	if (o->kind == OPT_WSCALE)
		b[2] = (uint8_t)o->v[0];
	for (unsigned i = 0; o->kind == OPT_SACK && i < 2 * o->n; i++)
		put32(b + 2 + 4 * i, o->v[i] + sack_base);
	if (o->kind == OPT_TS) {
		put32(b + 2, o->v[0] + val_base);
		put32(b + 6, o->v[1] + ecr_base);
	}
	return len;
}

size_t seg_encode_opts(const struct seg *s, uint32_t sack_base, uint32_t val_base,
		       uint32_t ecr_base, uint8_t b[40]) {
	uint8_t all[MAX_OPTS * 40];
	size_t n = 0;

	for (unsigned i = 0; i < s->n_opts; i++)
		n += encode(&s->opts[i], sack_base, val_base, ecr_base, all + n);
	n = n < 40 ? n : 40;
	memset(b, 0, 40);
	memcpy(b, all, n);
	return (n + 3) / 4 * 4;
}

void seg_decode_opts(struct seg *s, const uint8_t *b, size_t len, uint32_t sack_base,
		     uint32_t val_base, uint32_t ecr_base) {
	for (size_t i = 0; i < len; i += b[i] <= OPT_NOP ? 1 : b[i + 1] < 2 ? len : b[i + 1]) {
		struct opt *o = &s->opts[s->n_opts++];
		const uint8_t *d = b + i + 2;

		*o = (struct opt){.kind = b[i]};
		if (o->kind == OPT_MSS)
			o->v[0] = (uint32_t)d[0] << 8 | d[1];
		else if (o->kind == OPT_WSCALE)
			o->v[0] = d[0];
		else if (o->kind == OPT_SACK)
			o->n = (b[i + 1] - 2u) / 8;
		for (unsigned k = 0; k < 2 * o->n; k++)
			o->v[k] = get32(d + 4 * k) - sack_base;
		if (o->kind == OPT_TS) {
			o->v[0] = get32(d) - val_base;
			o->v[1] = get32(d + 4) - ecr_base;
		}
		if (s->n_opts == MAX_OPTS)
			return;
	}
}
