// SPDX-License-Identifier: BSD-3-Clause
// An answer for people, by shape: members of an object as lines, an array of objects as a table,
// an object in an object as a section. A member's name says its kind, so that a new answer of the
// daemon needs nothing here. No string reaches the terminal but through cli_escape().
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define INDENT 2

static bool has_suffix(const char *s, const char *suffix) {
	size_t a = strlen(s), b = strlen(suffix);

	return a > b && strcmp(s + a - b, suffix) == 0;
}

// A time that has passed or is to come; "refreshes_per_s" is none.
static bool is_duration(const char *key) {
	return has_suffix(key, "_s") && !has_suffix(key, "_per_s");
}

// "token_ends_at" to "token ends", "refreshes_per_s" to "refreshes/s".
static void title(const char *key, char *out, size_t out_len) {
	snprintf(out, out_len, "%s", key);
	if (has_suffix(key, "_at") && strlen(key) < out_len)
		out[strlen(key) - 3] = '\0';
	else if (has_suffix(key, "_per_s") && strlen(key) < out_len)
		memcpy(out + strlen(key) - 6, "/s", 3);
	else if (is_duration(key) && strlen(key) < out_len)
		out[strlen(key) - 2] = '\0';
	for (char *p = out; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
}

static bool is_table(const json_t *v) {
	return json_is_array(v) && json_is_object(json_array_get(v, 0));
}

// What fits into one cell; an object without members does.
static bool is_scalar(const json_t *v) {
	return json_is_object(v) ? json_object_size(v) == 0 : !is_table(v);
}

// A value in one cell; malloc'd or NULL.
static char *cell_text(const char *key, const json_t *v, int64_t now) {
	char text[64];
	int64_t t;

	if (json_is_string(v)) {
		if (!has_suffix(key, "_at") || !cli_time_parse(json_string_value(v), &t))
			return strdup(json_string_value(v));
		cli_time_print(t, now, text, sizeof(text));
		return strdup(text);
	}
	if (json_is_integer(v) && is_duration(key) && json_integer_value(v) >= 0) {
		cli_duration((uint64_t)json_integer_value(v), text, sizeof(text));
		return strdup(text);
	}
	if (json_is_boolean(v))
		return strdup(json_is_true(v) ? "yes" : "no");
	return json_is_null(v) || json_is_object(v)
		       ? strdup("-")
		       : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
}

// [1,2,3] as "1 2 3"; an empty array as "-".
static char *array_text(const json_t *v, int64_t now) {
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	size_t i;
	json_t *e;

	if (f == NULL)
		return NULL;
	json_array_foreach(v, i, e) {
		char *text = cell_text("", e, now);

		fprintf(f, "%s%s", i == 0 ? "" : " ", text == NULL ? "?" : text);
		free(text);
	}
	if (json_array_size(v) == 0)
		fputc('-', f);
	fclose(f);
	return out;
}

static void add_cell(struct cli_table *t, const char *key, const json_t *v, int64_t now) {
	char *text = json_is_array(v) ? array_text(v, now) : cell_text(key, v, now);

	cli_table_add(t, rg_str(text == NULL ? "?" : text), json_is_number(v) && !is_duration(key));
	free(text);
}

// Columns are the members of the first row.
static int print_rows(json_t *rows, int64_t now, FILE *out, int indent) {
	json_t *first = json_array_get(rows, 0);
	struct cli_table *t = cli_table_new(json_object_size(first));
	const char *key;
	json_t *v, *row;
	size_t i;
	int rc = -ENOMEM;

	if (t == NULL)
		return rc;
	json_object_foreach(first, key, v) {
		char name[64];

		title(key, name, sizeof(name));
		for (char *p = name; *p != '\0'; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
		cli_table_add(t, rg_str(name), json_is_number(v) && !is_duration(key));
	}
	json_array_foreach(rows, i, row) {
		json_object_foreach(first, key, v) add_cell(t, key, json_object_get(row, key), now);
	}
	rc = cli_table_print(t, out, indent);
	cli_table_free(t);
	return rc;
}

static void print_title(const char *key, FILE *out, int indent) {
	char name[64];
	size_t width;
	char *safe;

	title(key, name, sizeof(name));
	safe = cli_escape(rg_str(name), &width);
	fprintf(out, "%*s%s\n", indent, "", safe == NULL ? "?" : safe);
	free(safe);
}

// The scalars from member *it on, up to the next table or section, which *it is left at.
static int print_scalars(json_t *o, void **it, int64_t now, FILE *out, int indent) {
	struct cli_table *t = cli_table_new(2);
	int rc;

	if (t == NULL)
		return -ENOMEM;
	for (; *it != NULL; *it = json_object_iter_next(o, *it)) {
		const char *key = json_object_iter_key(*it);
		const json_t *v = json_object_iter_value(*it);
		char name[64];
		char *text;

		if (!is_scalar(v))
			break;
		title(key, name, sizeof(name));
		cli_table_add(t, rg_str(name), false);
		text = json_is_array(v) ? array_text(v, now) : cell_text(key, v, now);
		cli_table_add(t, rg_str(text == NULL ? "?" : text), false);
		free(text);
	}
	rc = cli_table_print(t, out, indent);
	cli_table_free(t);
	return rc;
}

// Members in their order; a table that comes first is what was asked for and has no title.
static int print_object(json_t *o, int64_t now, FILE *out, int indent) {
	void *first = json_object_iter(o);
	int rc = 0;

	for (void *it = first; rc == 0 && it != NULL;) {
		json_t *v = json_object_iter_value(it);
		bool is_bare = it == first && is_table(v);

		if (it != first)
			fputc('\n', out);
		if (is_scalar(v)) {
			rc = print_scalars(o, &it, now, out, indent);
			continue;
		}
		if (!is_bare)
			print_title(json_object_iter_key(it), out, indent);
		rc = is_table(v) ? print_rows(v, now, out, is_bare ? indent : indent + INDENT)
				 : print_object(v, now, out, indent + INDENT);
		it = json_object_iter_next(o, it);
	}
	return rc;
}

int cli_print(const json_t *answer, int64_t now, FILE *out) {
	const char *at = json_string_value(json_object_get(answer, "now_at"));

	if (at != NULL)
		(void)cli_time_parse(at, &now);
	return print_object(json_object_get(answer, "data"), now, out, 0);
}

static void print_arg(const struct ctl_arg *a, FILE *out) {
	char name[64];

	if (a->is_positional)
		snprintf(name, sizeof(name), "%s", a->metavar);
	else
		snprintf(name, sizeof(name), "--%s%s%s", a->name, a->metavar == NULL ? "" : " ",
			 a->metavar == NULL ? "" : a->metavar);
	fprintf(out, "      %-18s %s", name, a->help);
	for (const char *const *c = a->choices; c != NULL && *c != NULL; c++)
		fprintf(out, "%s%s", c == a->choices ? ": " : ", ", *c);
	fputc('\n', out);
}

void cli_print_help(FILE *out) {
	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		const struct ctl_cmd *c = ctl_cmd_at((enum ctl_cmd_id)i);

		fprintf(out, "  %-14s %s\n", c->name, c->help);
		for (const struct ctl_arg *a = c->args; a->name != NULL; a++)
			print_arg(a, out);
	}
}
