// SPDX-License-Identifier: BSD-3-Clause
// Reads a result file and holds it to what is used of it.
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

#define SCHEMA "regate.bench/1"

struct loader {
	struct compare_file *f;
	char *err; // COMPARE_ERR
};

__attribute__((format(printf, 2, 3))) static bool bad(struct loader *l, const char *fmt, ...) {
	int n = snprintf(l->err, COMPARE_ERR, "%s: ", l->f->path);
	va_list ap;

	va_start(ap, fmt);
	if (n >= 0 && n < COMPARE_ERR)
		vsnprintf(l->err + n, COMPARE_ERR - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

static bool check_schema(struct loader *l) {
	static const struct {
		const char *name;
		json_type type;
		const char *wanted;
	} members[] = {
		{"date", JSON_STRING, "a text"},           {"scenario", JSON_OBJECT, "an object"},
		{"facts", JSON_OBJECT, "an object"},       {"counters", JSON_OBJECT, "an object"},
		{"environment", JSON_OBJECT, "an object"}, {"series", JSON_ARRAY, "a list"},
		{"histograms", JSON_ARRAY, "a list"},
	};
	const char *schema = json_string_value(json_object_get(l->f->doc, "schema"));

	if (schema == NULL || strcmp(schema, SCHEMA) != 0)
		return bad(l,
			   "schema: is '%s', '" SCHEMA
			   "' is wanted: a result of `regate-bench run`",
			   schema == NULL ? "" : schema);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const json_t *v = json_object_get(l->f->doc, members[i].name);

		if (v == NULL || json_typeof(v) != members[i].type)
			return bad(l, "%s: %s is wanted", members[i].name, members[i].wanted);
	}
	return true;
}

static bool load_values(struct loader *l, size_t at, const json_t *list,
			struct compare_series *out) {
	size_t n = json_array_size(list);

	if (n == 0 || n > STAT_MAX_RUNS)
		return bad(l, "series[%zu].values: a list of 1 to %d numbers is wanted", at,
			   STAT_MAX_RUNS);
	out->v = calloc(n, sizeof(*out->v));
	if (out->v == NULL)
		return bad(l, "not enough memory");
	for (; out->n < n; out->n++) {
		const json_t *value = json_array_get(list, out->n);

		if (!json_is_number(value))
			return bad(l, "series[%zu].values[%u]: a number is wanted", at, out->n);
		out->v[out->n] = json_number_value(value);
	}
	return true;
}

static bool load_series(struct loader *l, size_t at, const json_t *obj) {
	static const char *const words[] = {[COMPARE_NEITHER] = "neither",
					    [COMPARE_HIGHER] = "higher",
					    [COMPARE_LOWER] = "lower"};
	struct compare_series *s = &l->f->series[l->f->n_series];
	const char *better = json_string_value(json_object_get(obj, "better"));
	size_t i = 0;

	s->name = json_string_value(json_object_get(obj, "name"));
	s->unit = json_string_value(json_object_get(obj, "unit"));
	if (s->name == NULL || s->unit == NULL)
		return bad(l, "series[%zu]: name and unit are wanted", at);
	if (compare_find(l->f, s->name) != NULL)
		return bad(l, "series[%zu].name: '%s' is there twice", at, s->name);
	while (i < 3 && (better == NULL || strcmp(better, words[i]) != 0))
		i++;
	if (i == 3)
		return bad(l, "series[%zu].better: higher, lower or neither is wanted", at);
	s->better = (enum compare_better)i;
	l->f->n_series++; // compare_fini() frees it from here on
	return load_values(l, at, json_object_get(obj, "values"), s);
}

static bool check_histogram(struct loader *l, size_t at, const json_t *obj) {
	const json_t *buckets = json_object_get(obj, "buckets"), *b;
	size_t i;

	if (!json_is_string(json_object_get(obj, "name")) ||
	    !json_is_string(json_object_get(obj, "unit")) || !json_is_array(buckets))
		return bad(l, "histograms[%zu]: name, unit and buckets are wanted", at);
	json_array_foreach(buckets, i,
			   b) if (json_array_size(b) != 3 ||
				  !json_is_number(json_array_get(b, 0)) ||
				  !json_is_number(json_array_get(b, 1)) ||
				  !json_is_integer(json_array_get(
					  b, 2))) return bad(l,
							     "histograms[%zu].buckets[%zu]: "
							     "[least, greatest, count] is wanted",
							     at, i);
	return true;
}

static bool load_file(struct compare_file *f, char err[COMPARE_ERR]) {
	struct loader l = {f, err};
	json_error_t e;
	const json_t *v;
	size_t i;

	if (f->path == NULL)
		return bad(&l, "not enough memory");
	f->doc = json_load_file(f->path, JSON_REJECT_DUPLICATES, &e);
	if (f->doc == NULL && e.line < 0)
		return bad(&l, "cannot be read: %s", strerror(errno));
	if (f->doc == NULL)
		return bad(&l, "%d:%d: %s: no result of `regate-bench run`", e.line, e.column,
			   e.text);
	if (!check_schema(&l))
		return false;
	if (json_array_size(json_object_get(f->doc, "series")) > COMPARE_MAX_SERIES)
		return bad(&l, "series: more than %d", COMPARE_MAX_SERIES);
	json_array_foreach(json_object_get(f->doc, "series"), i,
			   v) if (!load_series(&l, i, v)) return false;
	json_array_foreach(json_object_get(f->doc, "histograms"), i,
			   v) if (!check_histogram(&l, i, v)) return false;
	return true;
}

bool compare_load(struct compare_side *side, const char *paths, char err[COMPARE_ERR]) {
	for (const char *p = paths; p != NULL;) {
		struct compare_file *f = &side->files[side->n];
		size_t len = strcspn(p, ",");

		if (side->n == COMPARE_MAX_FILES) {
			snprintf(err, COMPARE_ERR, "%s: more than %d files", paths,
				 COMPARE_MAX_FILES);
			return false;
		}
		side->n++;
		f->path = strndup(p, len);
		if (!load_file(f, err))
			return false;
		p = p[len] == ',' ? p + len + 1 : NULL;
	}
	return true;
}

void compare_fini(struct compare_side *side) {
	for (unsigned i = 0; i < side->n; i++) {
		struct compare_file *f = &side->files[i];

		for (unsigned k = 0; k < f->n_series; k++)
			free(f->series[k].v);
		json_decref(f->doc);
		free(f->path);
	}
	*side = (struct compare_side){0};
}

const struct compare_series *compare_find(const struct compare_file *f, const char *name) {
	for (unsigned i = 0; i < f->n_series; i++)
		if (strcmp(f->series[i].name, name) == 0)
			return &f->series[i];
	return NULL;
}
