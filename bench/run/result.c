// SPDX-License-Identifier: BSD-3-Clause
// Collects what a driver measures. Everything has room from the start, so that filling it in costs
// nothing; names are few and looked for one by one.
#include "result.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct result *result_new(const struct scenario *sc) {
	struct result *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->sc = sc;
		r->begin_s = time(NULL);
	}
	return r;
}

void result_free(struct result *r) {
	if (r == NULL)
		return;
	for (unsigned i = 0; i < r->n_hists; i++)
		free(r->hists[i].h);
	for (unsigned i = 0; i < r->n_tracks; i++)
		free(r->tracks[i]);
	json_decref(r->environment);
	free(r);
}

// Index of one more element.
static unsigned grow(unsigned *n, unsigned max, const char *name) {
	if (*n == max) {
		fprintf(stderr,
			"regate-bench: no room for '%s' in the result: raise RESULT_MAX_*\n", name);
		abort();
	}
	return (*n)++;
}

void result_add(struct result *r, const char *name, const char *unit, enum result_better better,
		double value) {
	unsigned i = 0;

	if (!isfinite(value)) {
		result_error(r, "%s of a run is no number", name);
		return;
	}
	while (i < r->n_series && strcmp(r->series[i].name, name) != 0)
		i++;
	if (i == r->n_series)
		r->series[grow(&r->n_series, RESULT_MAX_SERIES, name)] =
			(struct series){.name = name, .unit = unit, .better = better};
	if (r->series[i].n < SCENARIO_MAX_RUNS)
		r->series[i].v[r->series[i].n++] = value;
}

struct hist *result_hist(struct result *r, const char *name, const char *unit, double scale) {
	struct result_hist *h;

	for (unsigned i = 0; i < r->n_hists; i++)
		if (strcmp(r->hists[i].name, name) == 0)
			return r->hists[i].h;
	h = &r->hists[grow(&r->n_hists, RESULT_MAX_HISTS, name)];
	*h = (struct result_hist){.unit = unit, .scale = scale, .h = calloc(1, sizeof(*h->h))};
	snprintf(h->name, sizeof(h->name), "%s", name);
	if (h->h == NULL)
		r->n_hists--;
	return h->h;
}

struct track *result_track(struct result *r, const char *name, const char *unit, unsigned step_ms) {
	struct track *t;

	for (unsigned i = 0; i < r->n_tracks; i++)
		if (strcmp(r->tracks[i]->name, name) == 0)
			return r->tracks[i];
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->name = name;
	t->unit = unit;
	t->step_ms = step_ms;
	r->tracks[grow(&r->n_tracks, RESULT_MAX_TRACKS, name)] = t;
	return t;
}

void result_track_add(struct track *t, unsigned i, double v) {
	if (i >= RESULT_TRACK_LEN)
		return;
	t->v[i] += v;
	t->n = i < t->n ? t->n : i + 1;
}

void result_count(struct result *r, const char *name, uint64_t n) {
	unsigned i = 0;

	while (i < r->n_counters && strcmp(r->counters[i].name, name) != 0)
		i++;
	if (i == r->n_counters)
		snprintf(r->counters[grow(&r->n_counters, RESULT_MAX_COUNTERS, name)].name,
			 sizeof(r->counters[0].name), "%s", name);
	r->counters[i].n += n;
}

static struct result_fact *fact(struct result *r, const char *name) {
	unsigned i = 0;

	while (i < r->n_facts && strcmp(r->facts[i].name, name) != 0)
		i++;
	if (i == r->n_facts)
		r->facts[grow(&r->n_facts, RESULT_MAX_FACTS, name)].name = name;
	return &r->facts[i];
}

void result_fact(struct result *r, const char *name, const char *text) {
	struct result_fact *f = fact(r, name);

	f->is_text = true;
	snprintf(f->text, sizeof(f->text), "%s", text);
}

void result_fact_n(struct result *r, const char *name, double number) {
	fact(r, name)->number = number;
}

void result_errors(struct result *r, uint64_t n, const char *text) {
	struct result_error *e = r->errors;

	while (e < r->errors + r->n_errors && strcmp(e->text, text) != 0)
		e++;
	if (e == r->errors + RESULT_MAX_ERRORS) { // a target can come up with any number of them
		e--;
		text = "others";
	} else if (e == r->errors + r->n_errors) {
		r->n_errors++;
	}
	snprintf(e->text, sizeof(e->text), "%s", text);
	e->n += n;
}

void result_error(struct result *r, const char *fmt, ...) {
	char text[sizeof(r->errors[0].text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	result_errors(r, 1, text);
}

static int by_value(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double series_median(const struct series *s) {
	struct series copy = *s;

	qsort(copy.v, copy.n, sizeof(copy.v[0]), by_value);
	if (copy.n == 0)
		return 0;
	return (copy.v[(copy.n - 1) / 2] + copy.v[copy.n / 2]) / 2;
}

double series_min(const struct series *s) {
	double v = s->n == 0 ? 0 : s->v[0];

	for (unsigned i = 1; i < s->n; i++)
		v = s->v[i] < v ? s->v[i] : v;
	return v;
}

double series_max(const struct series *s) {
	double v = s->n == 0 ? 0 : s->v[0];

	for (unsigned i = 1; i < s->n; i++)
		v = s->v[i] > v ? s->v[i] : v;
	return v;
}
