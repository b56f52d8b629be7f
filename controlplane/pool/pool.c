// SPDX-License-Identifier: BSD-3-Clause
// Reader of pool files: strict, because a pair with a typing error is a subscriber that never
// registers. It stops at the first error. Control thread, at start. Keeps nothing.
#include "pool/pool.h"

#include <errno.h>
#include <stdio.h>

#include "regate/err.h"

#define FILE_MAX (256u << 20) // bytes
#define LINES_MAX 1000000

struct loader {
	const char *path;
	const struct pool_sink *to;
	long line;
	long n_pairs;
	char *err;
	size_t err_len;
};

static int fail(struct loader *l, int rc, const char *what) {
	snprintf(l->err, l->err_len, "%s:%ld: %s", l->path, l->line, what);
	return rc;
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

// Cuts the next field off *s and ends it with NUL; NULL at the end of the line.
static char *next_field(char **s) {
	char *at = *s, *field;

	while (is_blank(*at))
		at++;
	if (*at == '\0')
		return NULL;
	field = at;
	while (*at != '\0' && !is_blank(*at))
		at++;
	*s = *at == '\0' ? at : at + 1;
	*at = '\0';
	return field;
}

static int add_pair(struct loader *l, const char *impi, const char *impu) {
	int rc = l->to->add(l->to->arg, impi, impu);

	switch (rc) {
	case 0:
		l->n_pairs++;
		return 0;
	case RG_E_CONFLICT:
		return fail(l, rc,
			    "this IMPI or IMPU is there already: one pair is one subscription, "
			    "remove one of the two lines");
	case RG_E_LIMIT:
		return fail(l, rc, "more pairs than leases.max: raise it, or shorten the pools");
	default:
		return fail(l, rc, rg_strerror(rc));
	}
}

// line ends in NUL, without its line ending.
static int parse_line(struct loader *l, char *line) {
	char *impi = next_field(&line);
	char *impu;

	if (impi == NULL || *impi == '#')
		return 0;
	impu = next_field(&line);
	if (impu == NULL)
		return fail(l, RG_E_PROTO,
			    "only one field: write 'impi impu', such as "
			    "'u1@ims.example.net sip:u1@ims.example.net'");
	if (next_field(&line) != NULL)
		return fail(
			l, RG_E_PROTO,
			"more than two fields: write 'impi impu', comments on lines of their own");
	if (!pool_is_impi(impi))
		return fail(l, RG_E_PROTO,
			    "the first field is no IMPI: write user@realm, at most 255 bytes");
	if (!pool_is_impu(impu))
		return fail(l, RG_E_PROTO,
			    "the second field is no IMPU: write sip:user@host, at most "
			    "255 bytes, without port or parameters");
	return add_pair(l, impi, impu);
}

// text[len] is NUL.
static int parse_text(struct loader *l, char *text, size_t len) {
	char *end = text + len;
	int rc = 0;

	while (text < end && rc == 0) {
		char *eol = memchr(text, '\n', (size_t)(end - text));
		char *next = eol == NULL ? end : eol + 1;

		if (eol == NULL)
			eol = end;
		if (++l->line > LINES_MAX)
			return fail(l, RG_E_LIMIT, "more than 1000000 lines: split the pool");
		if (memchr(text, '\0', (size_t)(eol - text)) != NULL)
			return fail(l, RG_E_PROTO, "a NUL byte: this is no text file");
		if (eol > text && eol[-1] == '\r')
			eol--;
		*eol = '\0';
		rc = parse_line(l, text);
		text = next;
	}
	return rc;
}

long pool_load(struct env *e, const char *path, struct pool_sink *to, char *err, size_t err_len) {
	struct loader l = {.path = path, .to = to, .err = err, .err_len = err_len};
	size_t len = 0;
	int rc;

	to->text = NULL;
	rc = env_read_file(e, path, FILE_MAX, &to->text, &len);
	if (rc != 0) {
		snprintf(err, err_len, "%s: cannot read the pool file: %s", path,
			 rc == -EFBIG ? "larger than 256 MiB" : rg_strerror(rc));
		return rc;
	}
	rc = parse_text(&l, (char *)to->text, len);
	return rc == 0 ? l.n_pairs : rc;
}
