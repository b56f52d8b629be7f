// SPDX-License-Identifier: BSD-3-Clause
// Aligned columns: text to the left, numbers to the right, two blanks between, none at the end.
#include <errno.h>
#include <stdlib.h>

#include "cli/cli.h"

struct cell {
	char *text; // owned
	size_t width;
	bool is_number;
};

struct cli_table {
	size_t n_cols;
	struct cell *cells; // owned
	size_t n, cap;
	bool is_broken; // memory ran out
};

struct cli_table *cli_table_new(size_t n_cols) {
	struct cli_table *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->n_cols = n_cols;
	return t;
}

void cli_table_free(struct cli_table *t) {
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

void cli_table_add(struct cli_table *t, struct rg_slice text, bool is_number) {
	struct cell c = {.is_number = is_number};

	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 64 : 2 * t->cap;
		struct cell *cells = realloc(t->cells, cap * sizeof(*cells));

		if (cells == NULL) {
			t->is_broken = true;
			return;
		}
		t->cells = cells;
		t->cap = cap;
	}
	c.text = cli_escape(text, &c.width);
	if (c.text == NULL) {
		t->is_broken = true;
		return;
	}
	t->cells[t->n++] = c;
}

static void print_row(const struct cli_table *t, size_t row, const size_t *width, FILE *out) {
	size_t pad = 0; // blanks owed; the last cell's are never paid

	for (size_t col = 0; col < t->n_cols; col++) {
		const struct cell *c = &t->cells[row * t->n_cols + col];
		size_t gap = width[col] - c->width;

		fprintf(out, "%*s%s", (int)(pad + (c->is_number ? gap : 0)), "", c->text);
		pad = 2 + (c->is_number ? 0 : gap);
	}
	fputc('\n', out);
}

int cli_table_print(const struct cli_table *t, FILE *out, int indent) {
	size_t *width;

	if (t->is_broken || t->n_cols == 0)
		return t->is_broken ? -ENOMEM : 0;
	width = calloc(t->n_cols, sizeof(*width));
	if (width == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		if (t->cells[i].width > width[i % t->n_cols])
			width[i % t->n_cols] = t->cells[i].width;
	for (size_t row = 0; row < t->n / t->n_cols; row++) {
		fprintf(out, "%*s", indent, "");
		print_row(t, row, width, out);
	}
	free(width);
	return 0;
}
