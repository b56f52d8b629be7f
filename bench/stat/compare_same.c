// SPDX-License-Identifier: BSD-3-Clause
// Were two results taken under the same conditions? Says what differs, and whether that forbids to
// compare them.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

#define LIST_SEPARATOR " and "

// What is not named here is a warning in environment and facts, and forbids in the scenario.
static const struct {
	const char *section, *key;
	enum { FORBIDS, WARNS, IGNORED } if_other;
} keys[] = {
	// Another machine is another figure.
	{"environment", "cpu", FORBIDS},
	{"environment", "cpu_flags", FORBIDS},
	{"environment", "cpus", FORBIDS},
	{"environment", "cpus_used", FORBIDS},
	{"environment", "virtual", FORBIDS},
	// What one compares, or what is different each time.
	{"environment", "regate", IGNORED},
	{"environment", "commit", IGNORED},
	{"environment", "binary_sha256", IGNORED},
	{"environment", "hugepages", IGNORED}, // what was had of them is a fact
	{"environment", "load_average", IGNORED},
	{"environment", "clock_probe_ns", IGNORED},
	{"environment", "probes", IGNORED},
	// Measured, not set.
	{"facts", "refreshes_per_s", IGNORED},
	{"facts", "highest_rate_per_s", IGNORED},
	{"facts", "target_bytes_per_conn", IGNORED},
	{"facts", "target_cpu_share", IGNORED},
	{"facts", "target_processes", IGNORED},
	// Changes how sure one is, or which random numbers, not what is measured.
	{"scenario", "name", IGNORED},
	{"scenario", "about", IGNORED},
	{"scenario", "runs", IGNORED},
	{"scenario", "warmup", WARNS},
	{"scenario", "seed", WARNS},
	{"scenario", "certificate", WARNS},
	{"scenario", "key", IGNORED},
	// Two gateways side by side.
	{"scenario", "target", WARNS},
	{"scenario", "server_name", WARNS},
	{"scenario", "ca", IGNORED},
	{"scenario", "token_file", IGNORED},
};

static int if_other(const char *section, const char *key) {
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].key, key) == 0)
			return keys[i].if_other;
	return strcmp(section, "scenario") == 0 ? FORBIDS : WARNS;
}

static void add(struct compare_notes *notes, bool is_fatal, char *text) {
	struct compare_note *more =
		text == NULL ? NULL : realloc(notes->v, (notes->n + 1) * sizeof(*more));

	if (more == NULL) {
		free(text);
		return;
	}
	notes->v = more;
	notes->v[notes->n++] = (struct compare_note){is_fatal, text};
}

__attribute__((format(printf, 3, 4))) static void note(struct compare_notes *notes, bool is_fatal,
						       const char *fmt, ...) {
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	add(notes, is_fatal, text);
}

static char *text_of(const json_t *v) {
	if (v == NULL)
		return strdup("not there");
	if (json_is_string(v))
		return strdup(json_string_value(v));
	return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
}

static void compare_key(const char *section, const char *key, const json_t *a, const json_t *b,
			struct compare_notes *notes) {
	int what = if_other(section, key);
	char *text_a, *text_b;

	if (what == IGNORED || (a != NULL && b != NULL && json_equal(a, b)))
		return;
	text_a = text_of(a);
	text_b = text_of(b);
	if (text_a != NULL && text_b != NULL)
		note(notes, what == FORBIDS, "%s.%s differs: %s" LIST_SEPARATOR "%s", section, key,
		     text_a, text_b);
	free(text_a);
	free(text_b);
}

static void compare_section(const char *section, const struct compare_file *a,
			    const struct compare_file *b, struct compare_notes *notes) {
	json_t *in_a = json_object_get(a->doc, section), *in_b = json_object_get(b->doc, section);
	const char *key;
	json_t *v;

	json_object_foreach(in_a, key, v)
		compare_key(section, key, v, json_object_get(in_b, key), notes);
	json_object_foreach(in_b, key, v) if (json_object_get(in_a, key) == NULL)
		compare_key(section, key, NULL, v, notes);
}

static void check_one(const struct compare_file *f, struct compare_notes *notes) {
	const char *why = json_string_value(json_object_get(f->doc, "why"));

	if (json_is_true(json_object_get(f->doc, "partial")))
		note(notes, false, "%s ended early: %s", f->path, why == NULL ? "" : why);
	if (json_array_size(json_object_get(f->doc, "errors")) > 0)
		note(notes, false, "%s has errors, the first: %s", f->path,
		     json_string_value(
			     json_object_get(json_array_get(json_object_get(f->doc, "errors"), 0),
					     "text")));
}

static void compare_names(const struct compare_file *a, const struct compare_file *b,
			  struct compare_notes *notes) {
	for (unsigned i = 0; i < a->n_series; i++)
		if (compare_find(b, a->series[i].name) == NULL)
			note(notes, false, "%s is only in %s", a->series[i].name, a->path);
}

static const json_t *binary(const struct compare_file *f) {
	return json_object_get(json_object_get(f->doc, "environment"), "binary_sha256");
}

// Of files of one side the binary has to be the same, of two sides it is worth a word.
static void compare_files(const struct compare_file *a, const struct compare_file *b,
			  bool is_one_side, struct compare_notes *notes) {
	bool is_same = binary(a) != NULL && json_equal(binary(a), binary(b));

	compare_section("scenario", a, b, notes);
	compare_section("environment", a, b, notes);
	compare_section("facts", a, b, notes);
	compare_names(a, b, notes);
	compare_names(b, a, notes);
	if (is_one_side && !is_same)
		note(notes, true, "%s and %s are of two binaries", a->path, b->path);
	else if (!is_one_side && is_same)
		note(notes, false, "%s and %s are of the same binary", a->path, b->path);
}

void compare_conditions(const struct compare_side *a, const struct compare_side *b,
			struct compare_notes *out) {
	*out = (struct compare_notes){0};
	for (unsigned i = 1; i < a->n; i++)
		compare_files(&a->files[0], &a->files[i], true, out);
	compare_files(&a->files[0], &b->files[0], false, out);
	for (unsigned i = 1; i < b->n; i++)
		compare_files(&b->files[0], &b->files[i], true, out);
	for (unsigned i = 0; i < a->n; i++)
		check_one(&a->files[i], out);
	for (unsigned i = 0; i < b->n; i++)
		check_one(&b->files[i], out);
}

void compare_notes_fini(struct compare_notes *notes) {
	for (unsigned i = 0; i < notes->n; i++)
		free(notes->v[i].text);
	free(notes->v);
	*notes = (struct compare_notes){0};
}
