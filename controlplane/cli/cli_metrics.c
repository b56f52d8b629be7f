// SPDX-License-Identifier: BSD-3-Clause
// What `stats --all` answers as OpenMetrics text: one family to each name, its samples together.
// Names become [a-zA-Z0-9_] behind "regate_"; "a=b,c=d" becomes labels.
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const char *text_of(const json_t *row, const char *key) {
	const char *s = json_string_value(json_object_get(row, key));

	return s == NULL ? "" : s;
}

static void put_name(FILE *out, const char *name) {
	fputs("regate_", out);
	for (; *name != '\0'; name++)
		fputc(isalnum((unsigned char)*name) ? *name : '_', out);
}

static void put_labels(FILE *out, const char *s) {
	if (*s == '\0')
		return;
	fputc('{', out);
	for (const char *end; *s != '\0'; s = end + (*end == ',')) {
		size_t key = strcspn(s, "=");

		end = s + strcspn(s, ",");
		fprintf(out, "%.*s=\"", (int)key, s);
		for (s += key + (s[key] == '='); s < end; s++)
			if (*s == '"' || *s == '\\')
				fprintf(out, "\\%c", *s);
			else
				fputc(*s >= ' ' ? *s : '?', out);
		fprintf(out, "\"%s", *end == ',' ? "," : "");
	}
	fputc('}', out);
}

// One sample; a histogram's last bucket is its count as well.
static void put_sample(FILE *out, const char *name, const json_t *row) {
	const char *type = text_of(row, "type"), *labels = text_of(row, "labels");
	const char *inf = strstr(labels, ",le=+Inf");
	json_int_t v = json_integer_value(json_object_get(row, "value"));

	put_name(out, name);
	fputs(strcmp(type, "bucket") == 0   ? "_bucket"
	      : strcmp(type, "micros") == 0 ? "_sum"
	      : strcmp(type, "gauge") == 0  ? ""
					    : "_total",
	      out);
	put_labels(out, labels);
	if (strcmp(type, "micros") == 0)
		fprintf(out, " %.6f\n", (double)v / 1e6);
	else
		fprintf(out, " %lld\n", (long long)v);
	if (inf != NULL) {
		char *rest = strndup(labels, (size_t)(inf - labels));

		put_name(out, name);
		fputs("_count", out);
		put_labels(out, rest == NULL ? "" : rest);
		fprintf(out, " %lld\n", (long long)v);
		free(rest);
	}
}

static void put_head(FILE *out, const char *name, const char *type, const char *help) {
	bool is_histogram = strcmp(type, "bucket") == 0 || strcmp(type, "micros") == 0;

	fputs("# TYPE ", out);
	put_name(out, name);
	fprintf(out, " %s\n", is_histogram ? "histogram" : *type == '\0' ? "counter" : type);
	if (*help == '\0')
		return;
	fputs("# HELP ", out);
	put_name(out, name);
	fprintf(out, " %s\n", help);
}

static bool was_before(const json_t *rows, size_t i) {
	for (size_t k = 0; k < i; k++)
		if (strcmp(text_of(json_array_get(rows, k), "name"),
			   text_of(json_array_get(rows, i), "name")) == 0)
			return true;
	return false;
}

static void put_rows(FILE *out, const json_t *rows) {
	json_t *first, *row;
	size_t i, k;

	json_array_foreach(rows, i, first) {
		const char *name = text_of(first, "name");

		if (was_before(rows, i))
			continue;
		put_head(out, name, text_of(first, "type"), text_of(first, "text"));
		json_array_foreach(rows, k, row) {
			if (strcmp(text_of(row, "name"), name) == 0)
				put_sample(out, name, row);
		}
	}
}

static const char *type_of(const char *name) {
	bool is_gauge = strncmp(name, "now_", 4) == 0 || strcmp(name, "up") == 0 ||
			strcmp(name, "queued") == 0;

	return is_gauge ? "gauge" : "counter";
}

// What has one number to each name, as rows; NULL without memory.
static json_t *plain_rows(const json_t *data) {
	static const char *const parts[] = {"ims", "wwsf", "store"};
	json_t *rows = json_array(), *o, *v, *c;
	const char *key;
	char name[96];
	size_t i;

	json_array_foreach(json_object_get(data, "counters"), i, c) {
		snprintf(name, sizeof(name), "worker_%s", text_of(c, "name"));
		json_array_append_new(rows, json_pack("{s:s, s:O, s:s, s:s}", "name", name, "value",
						      json_object_get(c, "total"), "type",
						      type_of(text_of(c, "name")), "text",
						      text_of(c, "text")));
	}
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		o = json_object_get(data, parts[i]);
		json_object_foreach(o, key, v) {
			snprintf(name, sizeof(name), "%s_%s", parts[i], key);
			json_array_append_new(rows,
					      json_pack("{s:s, s:I, s:s}", "name", name, "value",
							json_is_boolean(v)
								? (json_int_t)json_is_true(v)
								: (json_int_t)json_integer_value(v),
							"type", type_of(key)));
		}
	}
	return rows;
}

int cli_print_metrics(const json_t *answer, FILE *out) {
	const json_t *data = json_object_get(answer, "data");
	json_t *rows = plain_rows(data);

	if (rows == NULL)
		return -ENOMEM;
	put_rows(out, rows);
	json_decref(rows);
	put_rows(out, json_object_get(data, "kpis"));
	fputs("# EOF\n", out);
	return 0;
}
