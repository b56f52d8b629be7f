// SPDX-License-Identifier: BSD-3-Clause
// `regate-bench compare`: result files (bench/run/result.schema.json) side by side. A side is one
// file, whose runs are judged, or several that were taken in turn with those of the other side, whose
// best runs are.
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "stat.h"

#define COMPARE_MAX_SERIES 64
#define COMPARE_MAX_FILES 32
#define COMPARE_ERR 512

enum compare_better { COMPARE_NEITHER, COMPARE_HIGHER, COMPARE_LOWER };

struct compare_series {
	const char *name, *unit; // of the document
	enum compare_better better;
	unsigned n;
	double *v; // owned
};

struct compare_file {
	char *path; // owned
	json_t *doc;
	unsigned n_series;
	struct compare_series series[COMPARE_MAX_SERIES];
};

struct compare_side {
	unsigned n;
	struct compare_file files[COMPARE_MAX_FILES];
};

// --- compare_load.c
// Files by name, separated by commas. False with one line in err: file, place, what is wanted.
// compare_fini() in either case.
bool compare_load(struct compare_side *side, const char *paths, char err[COMPARE_ERR]);
void compare_fini(struct compare_side *side);
const struct compare_series *compare_find(const struct compare_file *f, const char *name);

// --- compare_same.c: were all taken under the same conditions?
struct compare_note {
	bool is_fatal; // what was measured is not the same
	char *text;    // owned
};
struct compare_notes {
	unsigned n;
	struct compare_note *v;
};
void compare_conditions(const struct compare_side *a, const struct compare_side *b,
			struct compare_notes *out);
void compare_notes_fini(struct compare_notes *notes);

// --- compare_judge.c
struct compare_row {
	const struct compare_series *series; // of the first file of A
	struct stat_summary a, b;
	unsigned n_a, n_b; // runs, or files
	bool is_judged;    // false: neither direction is better
	struct stat_verdict verdict;
	char says[160];
};
enum compare_end { COMPARE_END_SAME, COMPARE_END_BETTER, COMPARE_END_WORSE, COMPARE_END_NOISY };
struct compare_table {
	unsigned n, n_judged; // rows; measures that do not follow from one another
	struct compare_row rows[COMPARE_MAX_SERIES];
	enum compare_end end;
};
void compare_judge(const struct compare_side *a, const struct compare_side *b, double within,
		   struct compare_table *out);

// --- compare_hist.c
struct compare_percentile {
	double at, low, high; // the interval takes each value for independent of the others
};
#define COMPARE_N_PERCENTILES 5
extern const double compare_percents[COMPARE_N_PERCENTILES];
struct compare_percentile compare_percentile(const json_t *hist, double share); // 0 .. 1
double compare_hist_count(const json_t *hist);
// The same histogram of another file; NULL: it has none.
const json_t *compare_find_hist(const struct compare_file *f, const json_t *hist);

// --- compare_print.c, compare_json.c
struct compare_report {
	const struct compare_side *a, *b;
	const struct compare_notes *notes;
	const struct compare_table *table;
};
void compare_print(const struct compare_report *r, FILE *out);
json_t *compare_json(const struct compare_report *r); // NULL without memory
