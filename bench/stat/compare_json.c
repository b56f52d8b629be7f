// SPDX-License-Identifier: BSD-3-Clause
// A comparison as JSON.
#include "compare.h"

#define SCHEMA "regate.bench.compare/1"

static const char *const words[] = {
	[STAT_SAME] = "same",   [STAT_MORE] = "more", [STAT_LESS] = "less",
	[STAT_NOISY] = "noisy", [STAT_FEW] = "few",
};
static const char *const ends[] = {
	[COMPARE_END_SAME] = "same",
	[COMPARE_END_BETTER] = "better",
	[COMPARE_END_WORSE] = "worse",
	[COMPARE_END_NOISY] = "noisy",
};

static json_t *side_json(const struct compare_side *side) {
	json_t *list = json_array();

	for (unsigned i = 0; i < side->n; i++) {
		const struct compare_file *f = &side->files[i];
		const json_t *environment = json_object_get(f->doc, "environment");

		json_array_append_new(list,
				      json_pack("{s:s, s:O?, s:O?, s:O?}", "file", f->path, "date",
						json_object_get(f->doc, "date"), "commit",
						json_object_get(environment, "commit"),
						"binary_sha256",
						json_object_get(environment, "binary_sha256")));
	}
	return list;
}

static json_t *summary_json(const struct stat_summary *s, unsigned n) {
	return json_pack("{s:i, s:f, s:f, s:f}", "n", (int)n, "median", s->median, "min", s->min,
			 "max", s->max);
}

// Of a verdict there is only what its word has.
static json_t *verdict_json(const struct compare_row *row) {
	const struct stat_verdict *v = &row->verdict;
	json_t *obj;

	if (!row->is_judged)
		return row->says[0] == '\0'
			       ? json_null()
			       : json_pack("{s:s, s:s}", "word", "none", "text", row->says);
	obj = json_pack("{s:s, s:s, s:b}", "word", words[v->word], "text", row->says,
			"beside_yardstick", v->is_paired);
	if (v->has_ratio)
		json_object_set_new(obj, "ratio", json_real(v->ratio));
	if (v->word == STAT_FEW)
		json_object_set_new(obj, "runs_needed", json_integer(v->n_needed));
	else if (v->has_ratio)
		json_object_set_new(obj, "interval", json_pack("[f, f]", v->low, v->high));
	return obj;
}

static json_t *row_json(const struct compare_row *row) {
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", row->series->name, "unit",
			 row->series->unit, "a", summary_json(&row->a, row->n_a), "b",
			 summary_json(&row->b, row->n_b), "verdict", verdict_json(row));
}

static json_t *percentile_json(const json_t *hist, double percent) {
	struct compare_percentile p = compare_percentile(hist, percent / 100);

	return json_pack("{s:f, s:f, s:f}", "at", p.at, "low", p.low, "high", p.high);
}

static json_t *hist_json(const json_t *a, const json_t *b) {
	json_t *list = json_array();

	for (unsigned i = 0; i < COMPARE_N_PERCENTILES; i++)
		json_array_append_new(list,
				      json_pack("{s:f, s:o, s:o}", "percent", compare_percents[i],
						"a", percentile_json(a, compare_percents[i]), "b",
						percentile_json(b, compare_percents[i])));
	return json_pack("{s:O, s:O, s:f, s:f, s:o}", "name", json_object_get(a, "name"), "unit",
			 json_object_get(a, "unit"), "count_a", compare_hist_count(a), "count_b",
			 compare_hist_count(b), "percentiles", list);
}

static json_t *hists_json(const struct compare_report *r) {
	json_t *list = json_array(), *a;
	size_t i;

	json_array_foreach(json_object_get(r->a->files[0].doc, "histograms"), i, a) {
		const json_t *b = compare_find_hist(&r->b->files[0], a);

		if (b != NULL)
			json_array_append_new(list, hist_json(a, b));
	}
	return list;
}

json_t *compare_json(const struct compare_report *r) {
	json_t *notes = json_array(), *series = json_array();

	for (unsigned i = 0; i < r->notes->n; i++)
		json_array_append_new(notes, json_string(r->notes->v[i].text));
	for (unsigned i = 0; i < r->table->n; i++)
		json_array_append_new(series, row_json(&r->table->rows[i]));
	return json_pack("{s:s, s:o, s:o, s:s, s:i, s:o, s:o, s:o}", "schema", SCHEMA, "a",
			 side_json(r->a), "b", side_json(r->b), "end", ends[r->table->end],
			 "judged", (int)r->table->n_judged, "notes", notes, "series", series,
			 "histograms", hists_json(r));
}
