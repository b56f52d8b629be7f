// SPDX-License-Identifier: BSD-3-Clause
// What a scenario gave: values of each run, histograms, counters, facts, errors. A driver fills it as
// it goes, so that what there is can be written when a run ends early. JSON by result.schema.json.
#pragma once

#include "hist.h"
#include "scenario.h"

#define RESULT_SCHEMA "regate.bench/1"
#define RESULT_MAX_SERIES 48
#define RESULT_MAX_HISTS 32
#define RESULT_MAX_TRACKS 16
#define RESULT_MAX_COUNTERS 160
#define RESULT_MAX_FACTS 48
#define RESULT_MAX_ERRORS 32
#define RESULT_TRACK_LEN 4096

enum result_better { BETTER_NEITHER, BETTER_HIGHER, BETTER_LOWER };

struct series { // one value per timed run
	const char *name, *unit;
	enum result_better better;
	unsigned n;
	double v[SCENARIO_MAX_RUNS];
};

struct result_hist {
	char name[48];
	const char *unit; // of value * scale: "ns", "us", "cycles"
	double scale;
	struct hist *h;
};

struct track { // over time, of one run: value i belongs to [i, i + 1) * step_ms
	const char *name, *unit;
	unsigned step_ms, n;
	double v[RESULT_TRACK_LEN];
};

struct result_counter {
	char name[48];
	uint64_t n;
};

struct result_fact { // of the set-up
	const char *name;
	char text[128];
	double number;
	bool is_text;
};

struct result_error {
	char text[160];
	uint64_t n;
};

struct result {
	const struct scenario *sc;
	json_t *environment; // env_json(), taken before the run
	int64_t begin_s;     // UTC, since 1970
	double seconds;
	bool is_partial; // it ended early: what is here was measured before
	char why[512];
	unsigned n_series, n_hists, n_tracks, n_counters, n_facts, n_errors;
	struct series series[RESULT_MAX_SERIES];
	struct result_hist hists[RESULT_MAX_HISTS];
	struct track *tracks[RESULT_MAX_TRACKS];
	struct result_counter counters[RESULT_MAX_COUNTERS];
	struct result_fact facts[RESULT_MAX_FACTS];
	struct result_error errors[RESULT_MAX_ERRORS];
};

[[nodiscard]] struct result *result_new(const struct scenario *sc); // NULL without memory
void result_free(struct result *r);                                 // accepts NULL

// All of these find by name or make what is not there yet. name and unit are literals, in
// lower_case_with_units ("refreshes_per_s"). A full table ends the process: a bug of the driver.
void result_add(struct result *r, const char *name, const char *unit, enum result_better better,
		double value); // of one run
// Values are kept as they are and multiplied by scale when shown. Name is copied. NULL without memory.
[[nodiscard]] struct hist *result_hist(struct result *r, const char *name, const char *unit,
				       double scale);
[[nodiscard]] struct track *result_track(struct result *r, const char *name, const char *unit,
					 unsigned step_ms);   // NULL without memory
void result_track_add(struct track *t, unsigned i, double v); // to value i; later ones are dropped
void result_count(struct result *r, const char *name, uint64_t n); // adds n; name is copied
void result_fact(struct result *r, const char *name, const char *text);
void result_fact_n(struct result *r, const char *name, double number);
// What went wrong and did not end the run; equal texts are counted.
__attribute__((format(printf, 2, 3))) void result_error(struct result *r, const char *fmt, ...);
void result_errors(struct result *r, uint64_t n, const char *text); // n of them

double series_median(const struct series *s); // 0 without values
double series_min(const struct series *s);
double series_max(const struct series *s);

// --- result_json.c, result_print.c
json_t *result_json(const struct result *r); // NULL without memory
// "-" is stdout. 0, or negative errno.
[[nodiscard]] int result_write(const struct result *r, const char *file);
[[nodiscard]] int result_write_hgrm(const struct result *r, const char *file);
void result_print(const struct result *r, FILE *out); // a table for people
