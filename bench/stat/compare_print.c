// SPDX-License-Identifier: BSD-3-Clause
// A comparison for people.
#include <string.h>

#include "compare.h"

#define CELL 48

static const char *text(const struct compare_file *f, const char *section, const char *key) {
	const char *s = json_string_value(
		json_object_get(section == NULL ? f->doc : json_object_get(f->doc, section), key));

	return s == NULL ? "" : s;
}

static void print_side(char letter, const struct compare_side *side, FILE *out) {
	for (unsigned i = 0; i < side->n; i++) {
		const struct compare_file *f = &side->files[i];

		fprintf(out, "  %c  %s  %s  %s  %u runs\n", letter, f->path, text(f, NULL, "date"),
			text(f, "environment", "commit"), f->n_series == 0 ? 0 : f->series[0].n);
	}
}

static void print_head(const struct compare_report *r, FILE *out) {
	const struct compare_file *first = &r->a->files[0];
	const json_t *conns = json_object_get(json_object_get(first->doc, "scenario"), "conns");

	fprintf(out, "%s: %s by driver %s, %lld connections\n", text(first, "scenario", "name"),
		text(first, "scenario", "kind"), text(first, "scenario", "driver"),
		(long long)json_integer_value(conns));
	print_side('A', r->a, out);
	print_side('B', r->b, out);
	for (unsigned i = 0; i < r->notes->n; i++)
		fprintf(out, "%s: %s\n", r->notes->v[i].is_fatal ? "not comparable" : "note",
			r->notes->v[i].text);
}

static void print_series(const struct compare_table *t, bool is_in_turn, FILE *out) {
	fprintf(out, "\n%-26s %12s %12s\n", is_in_turn ? "median of the best" : "median", "A", "B");
	for (unsigned i = 0; i < t->n; i++) {
		const struct compare_row *r = &t->rows[i];

		fprintf(out, "%-26s %12.5g %12.5g  %-8s%s%s\n", r->series->name, r->a.median,
			r->b.median, r->series->unit, r->says,
			r->verdict.is_paired ? ", beside the yardstick" : "");
	}
}

static const char *cell(const struct compare_percentile *p, char out[CELL]) {
	snprintf(out, CELL, "%.4g (%.4g to %.4g)", p->at, p->low, p->high);
	return out;
}

static void print_hist(const json_t *a, const json_t *b, FILE *out) {
	char cell_a[CELL], cell_b[CELL];

	fprintf(out, "\n%s, %s: %.0f and %.0f values\n",
		json_string_value(json_object_get(a, "name")),
		json_string_value(json_object_get(a, "unit")), compare_hist_count(a),
		compare_hist_count(b));
	for (unsigned i = 0; i < COMPARE_N_PERCENTILES; i++) {
		struct compare_percentile pa = compare_percentile(a, compare_percents[i] / 100);
		struct compare_percentile pb = compare_percentile(b, compare_percents[i] / 100);

		fprintf(out, "  p%-6g %28s %28s", compare_percents[i], cell(&pa, cell_a),
			cell(&pb, cell_b));
		if (pa.at > 0)
			fprintf(out, "  %+.1f %%", (pb.at / pa.at - 1) * 100);
		fputc('\n', out);
	}
}

static void print_hists(const struct compare_report *r, FILE *out) {
	bool has_any = false;
	const json_t *a;
	size_t i;

	json_array_foreach(json_object_get(r->a->files[0].doc, "histograms"), i, a) {
		const json_t *b = compare_find_hist(&r->b->files[0], a);

		if (b == NULL)
			continue;
		print_hist(a, b, out);
		has_any = true;
	}
	if (has_any)
		fprintf(out,
			"Histograms%s are not judged: values of one burst depend on each other, "
			"the intervals (95 %%) take them for independent.\n",
			r->a->n > 1 || r->b->n > 1 ? " (of the first files)" : "");
}

static void print_end(const struct compare_table *t, FILE *out) {
	static const char *const words[] = {
		[COMPARE_END_SAME] = "no difference",
		[COMPARE_END_BETTER] = "B is better",
		[COMPARE_END_WORSE] = "B is worse",
		[COMPARE_END_NOISY] = "cannot tell: take more runs, or several results in turn",
	};

	fprintf(out, "\n%s\n", words[t->end]);
	if (t->n_judged > 0)
		fprintf(out,
			"Intervals hold together in 95 of 100 comparisons (%u measure%s judged).\n",
			t->n_judged, t->n_judged == 1 ? "" : "s");
}

void compare_print(const struct compare_report *r, FILE *out) {
	print_head(r, out);
	print_series(r->table, r->a->n > 1 && r->b->n > 1, out);
	print_hists(r, out);
	print_end(r->table, out);
}
