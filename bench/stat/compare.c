// SPDX-License-Identifier: BSD-3-Clause
// Command line of `regate-bench compare`.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "driver.h"

// Exit codes.
enum { COMPARE_NOT_WORSE = 0, COMPARE_WORSE = 1, COMPARE_BAD = 2, COMPARE_CANNOT_TELL = 3 };

struct args {
	const char *paths[2];
	unsigned n_paths;
	bool is_json, is_anyway;
	double within; // percent
};

static int usage(FILE *out) {
	fprintf(out,
		"usage: regate-bench compare [--json] [--within PERCENT] [--anyway] A.json[,..] "
		"B.json[,..]\n"
		"  one file a side: its runs are judged; several, taken in turn (A B A B ..): the "
		"best run of each\n"
		"  --json            the comparison as JSON\n"
		"  --within PERCENT  \"no difference\" is said when it is known up to this (%g)\n"
		"  --anyway          compare what was measured under other conditions\n"
		"exit: 0 B is not worse, 1 B is worse, 2 command line, files or conditions, "
		"3 too noisy or too few runs to tell\n",
		STAT_WITHIN * 100);
	return out == stdout ? COMPARE_NOT_WORSE : COMPARE_BAD;
}

static bool parse_within(struct args *a, const char *text) {
	char *end;

	if (text == NULL)
		return false;
	a->within = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(a->within) && a->within > 0;
}

static bool parse(int argc, char **argv, struct args *a) {
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			a->is_json = true;
		else if (strcmp(argv[i], "--anyway") == 0)
			a->is_anyway = true;
		else if (strcmp(argv[i], "--within") == 0) {
			if (!parse_within(a, argv[++i]))
				return false;
		} else if (argv[i][0] == '-' || a->n_paths == 2)
			return false;
		else
			a->paths[a->n_paths++] = argv[i];
	}
	return a->n_paths == 2;
}

static int exit_code(enum compare_end end) {
	if (end == COMPARE_END_NOISY)
		return COMPARE_CANNOT_TELL;
	return end == COMPARE_END_WORSE ? COMPARE_WORSE : COMPARE_NOT_WORSE;
}

// True when something forbids to compare; then it is on stderr.
static bool is_refused(const struct compare_notes *notes, const struct args *args) {
	bool is_bad = false;

	for (unsigned i = 0; i < notes->n && !args->is_anyway; i++) {
		if (!notes->v[i].is_fatal)
			continue;
		fprintf(stderr, "regate-bench: compare: %s; not comparable (--anyway)\n",
			notes->v[i].text);
		is_bad = true;
	}
	return is_bad;
}

static int compare(const struct args *args, const struct compare_side *a,
		   const struct compare_side *b, const struct compare_notes *notes) {
	struct compare_table table;
	struct compare_report report = {a, b, notes, &table};
	json_t *obj;

	if (is_refused(notes, args))
		return COMPARE_BAD;
	compare_judge(a, b, args->within / 100, &table);
	if (!args->is_json) {
		compare_print(&report, stdout);
		return exit_code(table.end);
	}
	obj = compare_json(&report);
	if (obj == NULL || json_dumpf(obj, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) != 0) {
		fprintf(stderr, "regate-bench: compare: not enough memory\n");
		json_decref(obj);
		return COMPARE_BAD;
	}
	putchar('\n');
	json_decref(obj);
	return exit_code(table.end);
}

int compare_main(int argc, char **argv) {
	struct args args = {.within = STAT_WITHIN * 100};
	struct compare_side *sides;
	struct compare_notes notes = {0};
	char err[COMPARE_ERR];
	int rc = COMPARE_BAD;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (!parse(argc, argv, &args))
		return usage(stderr);
	sides = calloc(2, sizeof(*sides));
	if (sides == NULL)
		fprintf(stderr, "regate-bench: compare: not enough memory\n");
	else if (compare_load(&sides[0], args.paths[0], err) &&
		 compare_load(&sides[1], args.paths[1], err)) {
		compare_conditions(&sides[0], &sides[1], &notes);
		rc = compare(&args, &sides[0], &sides[1], &notes);
	} else
		fprintf(stderr, "regate-bench: compare: %s\n", err);
	compare_notes_fini(&notes);
	for (unsigned i = 0; sides != NULL && i < 2; i++)
		compare_fini(&sides[i]);
	free(sides);
	return rc;
}
