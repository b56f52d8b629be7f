// SPDX-License-Identifier: BSD-3-Clause
// Completion from the command table: for the interactive prompt, and as a bash function.
#include <string.h>

#include "cli/cli.h"

struct sink {
	const char *last;
	void (*found)(void *arg, const char *word);
	void *arg;
};

static void offer(const struct sink *s, const char *word) {
	if (strncmp(word, s->last, strlen(s->last)) == 0)
		s->found(s->arg, word);
}

// First words, each once: the table keeps commands of one noun together.
static void offer_nouns(const struct sink *s) {
	char before[32] = "";

	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		const char *name = ctl_cmd_at((enum ctl_cmd_id)i)->name;
		char noun[32];

		snprintf(noun, sizeof(noun), "%.*s", (int)strcspn(name, " "), name);
		if (strcmp(noun, before) != 0)
			offer(s, noun);
		memcpy(before, noun, sizeof(before));
	}
}

static void offer_verbs(const struct sink *s, const char *noun) {
	size_t len = strlen(noun);

	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		const char *name = ctl_cmd_at((enum ctl_cmd_id)i)->name;

		if (strncmp(name, noun, len) == 0 && name[len] == ' ')
			offer(s, name + len + 1);
	}
}

static void offer_choices(const struct sink *s, const struct ctl_arg *a) {
	for (const char *const *c = a->choices; c != NULL && *c != NULL; c++)
		offer(s, *c);
}

static void offer_args(const struct sink *s, const struct ctl_cmd *c, const char *before) {
	const struct ctl_arg *a;

	if (strncmp(before, "--", 2) == 0) {
		a = ctl_arg_find(c, rg_str(before + 2));
		if (a != NULL && a->kind != CTL_ARG_FLAG) {
			offer_choices(s, a);
			return;
		}
	}
	for (a = c->args; a->name != NULL; a++) {
		char option[64];

		snprintf(option, sizeof(option), "--%s", a->name);
		if (a->is_positional)
			offer_choices(s, a);
		else
			offer(s, option);
	}
}

void cli_complete(int n, char *const *words, const char *last,
		  void (*found)(void *arg, const char *word), void *arg) {
	struct sink s = {last, found, arg};
	const struct ctl_cmd *c = NULL;
	char two[CLI_LINE_MAX];

	if (n == 0) {
		offer_nouns(&s);
		return;
	}
	if (n > 1) {
		snprintf(two, sizeof(two), "%s %s", words[0], words[1]);
		c = ctl_cmd_find(rg_str(two), NULL);
	}
	if (c == NULL)
		c = ctl_cmd_find(rg_str(words[0]), NULL);
	if (c != NULL)
		offer_args(&s, c, words[n - 1]);
	else if (n == 1)
		offer_verbs(&s, words[0]);
}

// --- bash

static void put_word(void *arg, const char *word) {
	fprintf(arg, " %s", word);
}

static void put_case(FILE *out, const char *pattern, int n, char *const *words) {
	fprintf(out, "\t\"%s\") words=\"", pattern);
	cli_complete(n, words, "", put_word, out);
	fputs("\" ;;\n", out);
}

static void put_command(FILE *out, const struct ctl_cmd *c) {
	char noun[32], verb[32] = "", option[64], pattern[128];
	char *words[3] = {noun, verb, option};
	size_t len = strcspn(c->name, " ");
	int n = c->name[len] == ' ' ? 2 : 1;

	snprintf(noun, sizeof(noun), "%.*s", (int)len, c->name);
	if (n == 2)
		snprintf(verb, sizeof(verb), "%s", c->name + len + 1);
	else
		words[1] = option;
	for (const struct ctl_arg *a = c->args; a->name != NULL; a++) {
		if (a->is_positional || a->kind == CTL_ARG_FLAG)
			continue;
		snprintf(option, sizeof(option), "--%s", a->name);
		snprintf(pattern, sizeof(pattern), "%s %s", c->name, option);
		put_case(out, pattern, n + 1, words);
	}
	put_case(out, c->name, n, words);
}

void cli_complete_bash(FILE *out) {
	char before[32] = "";

	fputs("# SPDX-License-Identifier: BSD-3-Clause\n"
	      "# bash completion of regatectl; written by `regatectl --completion bash`.\n"
	      "# shellcheck shell=bash\n"
	      "_regatectl() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words='' said=() i\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t--socket) ((i++)) ;;\n"
	      "\t\t--json) ;;\n"
	      "\t\t*) said+=(\"${COMP_WORDS[i]}\") ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --socket ]]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tlocal last=''\n"
	      "\t((${#said[@]} > 2)) && last=${said[-1]}\n"
	      "\t[[ $last == --* ]] || last=''\n"
	      "\tcase \"${said[*]:0:2}${last:+ $last}\" in\n"
	      "\t\"\") words=\"--socket --json --help --version",
	      out);
	cli_complete(0, NULL, "", put_word, out);
	fputs("\" ;;\n", out);
	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		const char *name = ctl_cmd_at((enum ctl_cmd_id)i)->name;
		size_t len = strcspn(name, " ");
		char noun[32];
		char *words[1] = {noun};

		snprintf(noun, sizeof(noun), "%.*s", (int)len, name);
		if (name[len] == ' ' && strcmp(noun, before) != 0)
			put_case(out, noun, 1, words);
		memcpy(before, noun, sizeof(before));
		put_command(out, ctl_cmd_at((enum ctl_cmd_id)i));
	}
	fputs("\tesac\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	      "}\n"
	      "complete -o default -F _regatectl regatectl\n",
	      out);
}
