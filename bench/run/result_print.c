// SPDX-License-Identifier: BSD-3-Clause
// A result for people.
#include <string.h>

#include "result.h"

static void print_series(const struct result *r, FILE *out) {
	if (r->n_series > 0)
		fprintf(out, "%-32s %14s %14s %14s  %s\n", "", "median", "least", "most", "runs");
	for (unsigned i = 0; i < r->n_series; i++) {
		const struct series *s = &r->series[i];

		fprintf(out, "%-32s %14.6g %14.6g %14.6g  %u  %s\n", s->name, series_median(s),
			series_min(s), series_max(s), s->n, s->unit);
	}
}

static void print_hists(const struct result *r, FILE *out) {
	static const double shares[] = {.5, .9, .99, .999};

	if (r->n_hists > 0)
		fprintf(out, "\n%-32s %10s %10s %10s %10s %10s  %s\n", "", "p50", "p90", "p99",
			"p99.9", "max", "count");
	for (unsigned i = 0; i < r->n_hists; i++) {
		const struct result_hist *h = &r->hists[i];

		fprintf(out, "%-32s", h->name);
		for (unsigned j = 0; j < sizeof(shares) / sizeof(shares[0]); j++)
			fprintf(out, " %10.4g", (double)hist_quantile(h->h, shares[j]) * h->scale);
		fprintf(out, " %10.4g  %llu  %s\n", (double)h->h->max * h->scale,
			(unsigned long long)h->h->n, h->unit);
	}
}

// The gateway's own counters are for the file, but for what it dropped.
static bool is_for_people(const char *name) {
	return strncmp(name, "gateway_", 8) != 0 || strncmp(name, "gateway_drop_", 13) == 0;
}

static void print_rest(const struct result *r, FILE *out) {
	fprintf(out, "\n");
	for (unsigned i = 0; i < r->n_facts; i++)
		if (r->facts[i].is_text)
			fprintf(out, "%s: %s\n", r->facts[i].name, r->facts[i].text);
		else
			fprintf(out, "%s: %.6g\n", r->facts[i].name, r->facts[i].number);
	for (unsigned i = 0; i < r->n_counters; i++)
		if (r->counters[i].n > 0 && is_for_people(r->counters[i].name))
			fprintf(out, "%s %llu\n", r->counters[i].name,
				(unsigned long long)r->counters[i].n);
	for (unsigned i = 0; i < r->n_errors; i++)
		fprintf(out, "error, %llu times: %s\n", (unsigned long long)r->errors[i].n,
			r->errors[i].text);
	if (r->is_partial)
		fprintf(out, "ended early: %s\n", r->why);
}

void result_print(const struct result *r, FILE *out) {
	char kind[SCENARIO_WORD], driver[SCENARIO_WORD];

	fprintf(out, "%s: %s by driver %s, %u connections\n\n", r->sc->name,
		scenario_word(r->sc, "kind", kind), scenario_word(r->sc, "driver", driver),
		r->sc->conns);
	print_series(r, out);
	print_hists(r, out);
	print_rest(r, out);
}
