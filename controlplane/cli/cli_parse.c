// SPDX-License-Identifier: BSD-3-Clause
// From a typed line to words, and from words to a checked request. No I/O.
#include <string.h>

#include "cli/cli.h"
#include "regate/err.h"

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Copies one word to *to and moves both on. False when a quote stays open.
static bool take_word(const char **line, char **to) {
	char quote = '\0';

	for (; **line != '\0' && (quote != '\0' || !is_blank(**line)); (*line)++) {
		if (quote == '\0' && (**line == '"' || **line == '\''))
			quote = **line;
		else if (quote != '\0' && **line == quote)
			quote = '\0';
		else
			*(*to)++ = **line;
	}
	*(*to)++ = '\0';
	return quote == '\0';
}

int cli_split(const char *line, struct cli_words *out, char *err, size_t err_len) {
	char *to = out->buf;

	out->n = 0;
	if (strlen(line) >= sizeof(out->buf)) {
		snprintf(err, err_len, "line is over %zu bytes", sizeof(out->buf) - 1);
		return RG_E_PROTO;
	}
	for (;;) {
		while (is_blank(*line))
			line++;
		if (*line == '\0' || *line == '#')
			return RG_OK;
		if (out->n == CLI_WORDS_MAX) {
			snprintf(err, err_len, "more than %d words", CLI_WORDS_MAX);
			return RG_E_PROTO;
		}
		out->word[out->n++] = to;
		if (!take_word(&line, &to)) {
			snprintf(err, err_len, "a quote is not closed");
			return RG_E_PROTO;
		}
	}
}

// Says what comes closest to words that name no command.
static void explain(int n, char *const *words, char *err, size_t err_len) {
	char two[CLI_LINE_MAX];
	const struct ctl_cmd *near = NULL;
	size_t used = 0;

	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		const char *name = ctl_cmd_at((enum ctl_cmd_id)i)->name;
		size_t len = strlen(words[0]);

		if (strncmp(name, words[0], len) != 0 || name[len] != ' ')
			continue;
		if (used == 0)
			used += (size_t)snprintf(err, err_len, "`%s` needs one of:", words[0]);
		if (used < err_len)
			used += (size_t)snprintf(err + used, err_len - used, " %s", name + len + 1);
	}
	if (n > 1) {
		snprintf(two, sizeof(two), "%s %s", words[0], words[1]);
		near = ctl_cmd_nearest(rg_str(two));
	}
	if (near == NULL && used == 0)
		near = ctl_cmd_nearest(rg_str(words[0]));
	if (near != NULL)
		snprintf(err, err_len, "unknown command: did you mean `%s`?", near->name);
	else if (used == 0)
		snprintf(err, err_len, "unknown command: `help` lists them");
}

// How many words name the command; 0 = none does.
static int find(int n, char *const *words, struct cli_request *r) {
	char name[64];
	int len = n > 1 ? snprintf(name, sizeof(name), "%s %s", words[0], words[1]) : -1;

	r->cmd = len < 0 || len >= (int)sizeof(name) ? NULL : ctl_cmd_find(rg_str(name), &r->id);
	if (r->cmd != NULL)
		return 2;
	r->cmd = ctl_cmd_find(rg_str(words[0]), &r->id);
	return r->cmd != NULL ? 1 : 0;
}

struct parse {
	int n, i;
	char *const *words;
	struct cli_request req;
	const struct ctl_arg *arg; // of the word at hand
	const char *value;         // NULL: none given
	char *err;
	size_t err_len;
};

// The first positional argument not given yet.
static const struct ctl_arg *next_positional(const struct cli_request *r) {
	for (const struct ctl_arg *a = r->cmd->args; a->name != NULL; a++)
		if (a->is_positional && json_object_get(r->args, a->name) == NULL)
			return a;
	return NULL;
}

// --name, --name=value, --name value
static int take_option(struct parse *p) {
	const char *name = p->words[p->i] + 2;
	size_t len = strcspn(name, "=");

	p->value = name[len] == '=' ? name + len + 1 : NULL;
	p->arg = ctl_arg_find(p->req.cmd, rg_slice(name, len));
	if (p->arg == NULL || p->arg->is_positional) {
		snprintf(p->err, p->err_len, "`%s` has no such option: see `regatectl --help`",
			 p->req.cmd->name);
		return RG_E_PROTO;
	}
	if (p->arg->kind == CTL_ARG_FLAG) {
		snprintf(p->err, p->err_len, "--%s takes no value", p->arg->name);
		return p->value == NULL ? RG_OK : RG_E_PROTO;
	}
	if (p->value == NULL && p->i + 1 < p->n)
		p->value = p->words[++p->i];
	if (p->value == NULL) {
		snprintf(p->err, p->err_len, "--%s needs a value: %s", p->arg->name,
			 p->arg->metavar);
		return RG_E_PROTO;
	}
	return RG_OK;
}

static int take_positional(struct parse *p) {
	p->value = p->words[p->i];
	p->arg = next_positional(&p->req);
	if (p->arg == NULL) {
		snprintf(p->err, p->err_len, "`%s` takes no further argument", p->req.cmd->name);
		return RG_E_PROTO;
	}
	return RG_OK;
}

// Checks and keeps the argument at hand.
static int keep(struct parse *p) {
	json_t *v = p->arg->kind == CTL_ARG_FLAG ? json_true() : json_string(p->value);

	if (p->value != NULL &&
	    ctl_arg_check(p->arg, rg_str(p->value), p->err, p->err_len) != RG_OK) {
		json_decref(v);
		return RG_E_PROTO;
	}
	if (json_object_set_new(p->req.args, p->arg->name, v) != 0) {
		snprintf(p->err, p->err_len, "%s is not UTF-8", p->arg->name);
		return RG_E_PROTO;
	}
	return RG_OK;
}

static int check_required(struct parse *p) {
	for (const struct ctl_arg *a = p->req.cmd->args; a->name != NULL; a++) {
		if (a->is_required && json_object_get(p->req.args, a->name) == NULL) {
			snprintf(p->err, p->err_len, "`%s` needs %s: %s", p->req.cmd->name,
				 a->metavar, a->help);
			return RG_E_PROTO;
		}
	}
	return RG_OK;
}

int cli_parse(int n, char *const *words, struct cli_request *out, char *err, size_t err_len) {
	struct parse p = {.n = n, .words = words, .err = err, .err_len = err_len};
	int rc = RG_OK;

	p.i = find(n, words, &p.req);
	if (p.i == 0) {
		explain(n, words, err, err_len);
		return RG_E_PROTO;
	}
	p.req.args = json_object();
	for (; rc == RG_OK && p.i < n; p.i++) {
		bool is_option = strncmp(words[p.i], "--", 2) == 0;

		rc = is_option ? take_option(&p) : take_positional(&p);
		if (rc == RG_OK)
			rc = keep(&p);
	}
	if (rc == RG_OK)
		rc = check_required(&p);
	if (rc != RG_OK) {
		json_decref(p.req.args);
		return rc;
	}
	*out = p.req;
	return RG_OK;
}
