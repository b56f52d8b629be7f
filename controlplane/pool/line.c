// SPDX-License-Identifier: BSD-3-Clause
// One line of an import file to a pair, and back. Takes any bytes. Control thread; keeps nothing.
#include <jansson.h>
#include <string.h>

#include "pool/pool.h"
#include "regate/err.h"

#define WHY_IMPI "the IMPI is none: write user@realm, at most 255 bytes"
#define WHY_IMPU \
	"the IMPU is none: write sip:user@host, at most 255 bytes, without port or parameters"
#define WHY_CSV "this is no CSV: write impi,impu; a field in quotes ends with its quote"
#define WHY_JSON "this is no JSON object: write {\"impi\":\"..\",\"impu\":\"..\"} on one line"

// Takes the next field of *line to out (POOL_ID_MAX + 1 bytes; empty when it is longer). RFC 4180 2:
// "..." may hold commas, and "" for a quote. False when it is not that.
static bool csv_field(struct rg_slice *line, char *out) {
	struct rg_wr w = rg_wr(out, POOL_ID_MAX);
	bool is_quoted = line->len > 0 && line->p[0] == '"';
	size_t i = is_quoted;

	for (; i < line->len; i++) {
		uint8_t c = line->p[i];

		if (is_quoted && c == '"' && i + 1 < line->len && line->p[i + 1] == '"')
			i++;
		else if (c == (is_quoted ? '"' : ','))
			break;
		rg_putc(&w, c == '\0' ? '?' : (char)c); // a NUL would hide what follows
	}
	if (is_quoted && (i == line->len || (++i < line->len && line->p[i] != ',')))
		return false;
	out[w.overflow ? 0 : w.len] = '\0';
	*line = rg_skip(*line, i + 1);
	return true;
}

static int csv_parse(struct rg_slice line, struct pool_pair *out, const char **why) {
	*why = WHY_CSV;
	if (!csv_field(&line, out->impi))
		return RG_E_PROTO;
	if (line.len == 0) {
		*why = "only one field: write impi,impu";
		return RG_E_PROTO;
	}
	if (!csv_field(&line, out->impu))
		return RG_E_PROTO;
	return strcmp(out->impi, "impi") == 0 && strcmp(out->impu, "impu") == 0 ? RG_MORE : RG_OK;
}

static bool json_id(const json_t *o, const char *name, char *out) {
	const char *s = json_string_value(json_object_get(o, name));
	size_t len = s == NULL ? 0 : strlen(s);

	if (len == 0 || len > POOL_ID_MAX)
		return false;
	memcpy(out, s, len + 1);
	return true;
}

static int json_parse(struct rg_slice line, struct pool_pair *out, const char **why) {
	json_t *o = json_loadb((const char *)line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
	int rc = RG_E_PROTO;

	*why = line.p[0] == '[' ? "an array: write one object per line, as `jq -c '.[]'` does"
				: WHY_JSON;
	if (json_is_object(o)) {
		*why = WHY_IMPI;
		if (json_id(o, "impi", out->impi)) {
			*why = WHY_IMPU;
			rc = json_id(o, "impu", out->impu) ? RG_OK : RG_E_PROTO;
		}
	}
	json_decref(o);
	return rc;
}

static bool is_blank(struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t')
			return false;
	return true;
}

int pool_line_parse(enum pool_format format, struct rg_slice line, struct pool_pair *out,
		    const char **why) {
	int rc;

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (rg_is_prefix(line, RG_LIT("\xef\xbb\xbf")))
		line = rg_skip(line, 3);
	if (is_blank(line))
		return RG_MORE;
	if (line.len > POOL_LINE_MAX) {
		*why = "the line is over 4096 bytes";
		return RG_E_PROTO;
	}
	rc = format == POOL_CSV ? csv_parse(line, out, why) : json_parse(line, out, why);
	if (rc != RG_OK)
		return rc;
	*why = pool_is_impi(out->impi) ? WHY_IMPU : WHY_IMPI;
	return pool_is_impi(out->impi) && pool_is_impu(out->impu) ? RG_OK : RG_E_PROTO;
}

// An identity holds neither quote nor backslash: nothing in it needs escaping.
void pool_line_put(struct rg_wr *w, enum pool_format format, const char *impi, const char *impu) {
	const char *quote_i = format == POOL_JSON || strchr(impi, ',') != NULL ? "\"" : "";
	const char *quote_u = format == POOL_JSON || strchr(impu, ',') != NULL ? "\"" : "";

	rg_puts(w, format == POOL_JSON ? "{\"impi\":" : "");
	rg_puts(w, quote_i);
	rg_puts(w, impi);
	rg_puts(w, quote_i);
	rg_puts(w, format == POOL_JSON ? ",\"impu\":" : ",");
	rg_puts(w, quote_u);
	rg_puts(w, impu);
	rg_puts(w, quote_u);
	rg_puts(w, format == POOL_JSON ? "}\n" : "\n");
}
