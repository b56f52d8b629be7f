// SPDX-License-Identifier: BSD-3-Clause
// A result as JSON (result.schema.json), and its histograms as percentile tables of HdrHistogram.
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "result.h"

#define DIGITS JSON_REAL_PRECISION(9)

static json_t *number(double v) {
	double whole;

	if (!isfinite(v))
		return json_null();
	return modf(v, &whole) == 0 && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *date_json(int64_t s) {
	char text[32];
	struct tm tm;
	time_t t = (time_t)s;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *numbers(const double *v, unsigned n) {
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, number(v[i]));
	return list;
}

static json_t *series_json(const struct series *s) {
	static const char *const better[] = {"neither", "higher", "lower"};

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name", s->name, "unit", s->unit,
			 "better", better[s->better], "values", numbers(s->v, s->n), "median",
			 number(series_median(s)), "min", number(series_min(s)), "max",
			 number(series_max(s)));
}

static json_t *hist_json(const struct result_hist *rh) {
	static const struct {
		const char *name;
		double share;
	} marks[] = {
		{"50", .5}, {"90", .9}, {"99", .99}, {"99.9", .999}, {"99.99", .9999},
	};
	const struct hist *h = rh->h;
	json_t *percentiles = json_object(), *buckets = json_array();

	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		json_object_set_new(percentiles, marks[i].name,
				    number((double)hist_quantile(h, marks[i].share) * rh->scale));
	for (uint32_t i = 0; i < HIST_N; i++)
		if (h->v[i] > 0)
			json_array_append_new(buckets,
					      json_pack("[o, o, I]",
							number((double)hist_lower(i) * rh->scale),
							number((double)hist_upper(i) * rh->scale),
							(json_int_t)h->v[i]));
	return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "name", rh->name, "unit", rh->unit,
			 "count", (json_int_t)h->n, "mean", number(hist_mean(h) * rh->scale), "max",
			 number((double)h->max * rh->scale), "percentiles", percentiles, "buckets",
			 buckets);
}

static json_t *track_json(const struct track *t) {
	return json_pack("{s:s, s:s, s:i, s:o}", "name", t->name, "unit", t->unit, "step_ms",
			 (int)t->step_ms, "values", numbers(t->v, t->n));
}

static json_t *facts_json(const struct result *r) {
	json_t *obj = json_object();

	for (unsigned i = 0; i < r->n_facts; i++)
		json_object_set_new(obj, r->facts[i].name,
				    r->facts[i].is_text ? json_string(r->facts[i].text)
							: number(r->facts[i].number));
	return obj;
}

json_t *result_json(const struct result *r) {
	json_t *series = json_array(), *hists = json_array(), *tracks = json_array();
	json_t *counters = json_object(), *errors = json_array();

	for (unsigned i = 0; i < r->n_series; i++)
		json_array_append_new(series, series_json(&r->series[i]));
	for (unsigned i = 0; i < r->n_hists; i++)
		json_array_append_new(hists, hist_json(&r->hists[i]));
	for (unsigned i = 0; i < r->n_tracks; i++)
		json_array_append_new(tracks, track_json(r->tracks[i]));
	for (unsigned i = 0; i < r->n_counters; i++)
		json_object_set_new(counters, r->counters[i].name,
				    json_integer((json_int_t)r->counters[i].n));
	for (unsigned i = 0; i < r->n_errors; i++)
		json_array_append_new(errors, json_pack("{s:s, s:I}", "text", r->errors[i].text,
							"count", (json_int_t)r->errors[i].n));
	return json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:O?, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "schema", RESULT_SCHEMA, "date", date_json(r->begin_s), "seconds",
			 number(r->seconds), "partial", r->is_partial, "why",
			 r->is_partial ? json_string(r->why) : json_null(), "scenario",
			 scenario_json(r->sc), "environment", r->environment, "facts",
			 facts_json(r), "series", series, "histograms", hists, "tracks", tracks,
			 "counters", counters, "errors", errors);
}

static FILE *open_out(const char *file) {
	return strcmp(file, "-") == 0 ? stdout : fopen(file, "we");
}

static int close_out(FILE *f) {
	int rc = fflush(f) != 0 || ferror(f) ? -EIO : 0;

	return f != stdout && fclose(f) != 0 ? -errno : rc;
}

int result_write(const struct result *r, const char *file) {
	json_t *obj = result_json(r);
	FILE *out;
	int rc = 0;

	if (obj == NULL)
		return -ENOMEM;
	out = open_out(file);
	if (out == NULL)
		rc = -errno;
	else {
		(void)json_dumpf(obj, out, JSON_INDENT(1) | DIGITS);
		fputc('\n', out);
		rc = close_out(out);
	}
	json_decref(obj);
	return rc;
}

// As HdrHistogram's outputPercentileDistribution(): Value Percentile TotalCount 1/(1-Percentile).
static void print_hgrm(const struct result_hist *rh, FILE *out) {
	const struct hist *h = rh->h;
	uint64_t sum = 0;

	fprintf(out, "#[%s, %s]\n       Value     Percentile TotalCount 1/(1-Percentile)\n\n",
		rh->name, rh->unit);
	for (uint32_t i = 0; i < HIST_N && sum < h->n; i++) {
		uint64_t top = hist_upper(i) < h->max ? hist_upper(i) : h->max;

		if (h->v[i] == 0)
			continue;
		sum += h->v[i];
		fprintf(out, "%12.3f %2.12f %10llu", (double)top * rh->scale,
			(double)sum / (double)h->n, (unsigned long long)sum);
		if (sum < h->n)
			fprintf(out, " %14.2f", (double)h->n / (double)(h->n - sum));
		fputc('\n', out);
	}
	fprintf(out, "#[Mean    = %12.3f]\n#[Max     = %12.3f, Total count    = %10llu]\n",
		hist_mean(h) * rh->scale, (double)h->max * rh->scale, (unsigned long long)h->n);
	fprintf(out, "#[Buckets = %12d, SubBuckets     = %10u]\n", 64 - HIST_STEP_BITS + 1,
		1u << HIST_STEP_BITS);
}

int result_write_hgrm(const struct result *r, const char *file) {
	FILE *out = open_out(file);

	if (out == NULL)
		return -errno;
	for (unsigned i = 0; i < r->n_hists; i++)
		print_hgrm(&r->hists[i], out);
	return close_out(out);
}
