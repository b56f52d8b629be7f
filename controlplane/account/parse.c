// SPDX-License-Identifier: BSD-3-Clause
// Parser of the accounts file. Runs once, at start; the operator wrote the file, so it says which
// line is wrong and why.
#include "account/parse.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"

#define N_FIELDS 4 // user hash impi impu

// Splits at blanks. Returns the number of fields, at most max + 1 to tell that there are more.
static size_t split(struct rg_slice line, struct rg_slice *fields, size_t max) {
	size_t n = 0;

	for (;;) {
		size_t len = 0;

		line = rg_trim(line);
		if (line.len == 0)
			return n;
		if (n == max)
			return max + 1;
		while (len < line.len && line.p[len] != ' ' && line.p[len] != '\t')
			len++;
		fields[n++] = rg_slice(line.p, len);
		line = rg_skip(line, len);
	}
}

// Tabs are blanks; other control characters would end up in logs and SIP headers.
static bool has_control(struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return true;
	return false;
}

static bool is_hash(const char *s) {
	// -1: not a hash that libsodium can verify
	return strncmp(s, crypto_pwhash_argon2id_STRPREFIX,
		       strlen(crypto_pwhash_argon2id_STRPREFIX)) == 0 &&
	       crypto_pwhash_str_needs_rehash(s, crypto_pwhash_OPSLIMIT_INTERACTIVE,
					      crypto_pwhash_MEMLIMIT_INTERACTIVE) != -1;
}

// What is wrong with a, and the cure; NULL if nothing.
static const char *find_fault(const struct account *a) {
	if (!is_hash(a->hash))
		return "the second field is no argon2id hash; make one with regated "
		       "--hash-password";
	if (strchr(a->impi, '@') == NULL)
		return "the IMPI needs the form user@domain";
	if (strncmp(a->impu, "sip:", 4) != 0 && strncmp(a->impu, "sips:", 5) != 0 &&
	    strncmp(a->impu, "tel:", 4) != 0)
		return "the IMPU must start with sip:, sips: or tel:";
	return NULL;
}

static void account_fini(struct account *a) {
	free(a->user);
	free(a->hash);
	free(a->impi);
	free(a->impu);
}

static char *dup(struct rg_slice s) {
	return strndup((const char *)s.p, s.len);
}

static int append(struct account_list *l, const struct account *a, unsigned line) {
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 64 : 2 * l->cap;
		struct account *v = realloc(l->v, cap * sizeof(*v));
		unsigned *lines;

		if (v == NULL)
			return -ENOMEM;
		l->v = v;
		lines = realloc(l->lines, cap * sizeof(*lines));
		if (lines == NULL)
			return -ENOMEM;
		l->lines = lines;
		l->cap = cap;
	}
	l->lines[l->n] = line;
	l->v[l->n++] = *a;
	return 0;
}

// One line that is not blank; *fault is set when the line is to blame.
static int parse_line(struct rg_slice line, unsigned no, struct account_list *l,
		      const char **fault) {
	struct rg_slice f[N_FIELDS];
	struct account a;
	int rc = RG_E_PROTO;

	if (has_control(line)) {
		*fault = "there is a control character in it; remove it";
		return rc;
	}
	if (split(line, f, N_FIELDS) != N_FIELDS) {
		*fault = "a line needs four fields: user hash impi impu";
		return rc;
	}
	a = (struct account){dup(f[0]), dup(f[1]), dup(f[2]), dup(f[3])};
	if (a.user == NULL || a.hash == NULL || a.impi == NULL || a.impu == NULL)
		rc = -ENOMEM;
	else if ((*fault = find_fault(&a)) == NULL)
		rc = append(l, &a, no);
	if (rc != 0)
		account_fini(&a);
	return rc;
}

int account_parse(const char *name, struct rg_slice text, struct account_list *out, char *err,
		  size_t err_len) {
	for (unsigned no = 1; text.len > 0; no++) {
		const uint8_t *nl = memchr(text.p, '\n', text.len);
		size_t len = nl == NULL ? text.len : (size_t)(nl - text.p);
		struct rg_slice line = rg_trim(rg_slice(text.p, len));
		const char *fault = NULL;
		int rc = 0;

		text = rg_skip(text, len + 1);
		if (line.len > 0 && line.p[0] != '#')
			rc = parse_line(line, no, out, &fault);
		if (rc != 0) {
			snprintf(err, err_len, "%s:%u: %s", name, no,
				 fault == NULL ? rg_strerror(rc) : fault);
			return rc;
		}
	}
	return 0;
}

void account_list_fini(struct account_list *l) {
	for (size_t i = 0; i < l->n; i++)
		account_fini(&l->v[i]);
	free(l->v);
	free(l->lines);
	*l = (struct account_list){0};
}
