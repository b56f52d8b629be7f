// SPDX-License-Identifier: BSD-3-Clause
// Errors of a configuration file: all of them are collected, so that one run shows them all, and
// printed as "file:line:col: text" in the order of the file.
#include <stdarg.h>
#include <stdlib.h>

#include "conf/conf_impl.h"

void *conf_alloc(size_t len) {
	void *p = calloc(1, len);

	if (p == NULL) {
		fputs("out of memory while reading the configuration\n", stderr);
		abort();
	}
	return p;
}

char *conf_strdup(struct rg_slice s) {
	char *p = conf_alloc(s.len + 1);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return p;
}

void conf_error(struct conf_errors *errs, struct conf_pos pos, const char *fmt, ...) {
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (errs->n == errs->cap) {
		size_t cap = errs->cap == 0 ? 16 : 2 * errs->cap;
		struct conf_error *list = conf_alloc(cap * sizeof(*list));

		if (errs->n > 0)
			memcpy(list, errs->list, errs->n * sizeof(*list));
		free(errs->list);
		errs->list = list;
		errs->cap = cap;
	}
	errs->list[errs->n] =
		(struct conf_error){pos, (unsigned)errs->n, conf_strdup(rg_str(text))};
	errs->n++;
}

static int by_place(const void *a, const void *b) {
	const struct conf_error *x = a, *y = b;

	if (x->pos.line != y->pos.line)
		return x->pos.line < y->pos.line ? -1 : 1;
	if (x->pos.col != y->pos.col)
		return x->pos.col < y->pos.col ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

// Text from the file may be in a message: it must not drive the operator's terminal.
static void print_clean(const char *s, FILE *out) {
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < ' ' || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
}

void conf_errors_print(struct conf_errors *errs, const char *name, FILE *out) {
	if (errs->n > 0)
		qsort(errs->list, errs->n, sizeof(errs->list[0]), by_place);
	for (size_t i = 0; i < errs->n; i++) {
		fprintf(out, "%s:%u:%u: ", name, errs->list[i].pos.line, errs->list[i].pos.col);
		print_clean(errs->list[i].text, out);
		fputc('\n', out);
	}
}

void conf_errors_fini(struct conf_errors *errs) {
	for (size_t i = 0; i < errs->n; i++)
		free(errs->list[i].text);
	free(errs->list);
	*errs = (struct conf_errors){0};
}
