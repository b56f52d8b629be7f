// SPDX-License-Identifier: BSD-3-Clause
// The interactive prompt: libedit, history of this session, TAB from the command table. A failed
// command does not end it; its exit code is that of the last command.
#include <histedit.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "regate/err.h"

#define HISTORY_LINES 500

static char *prompt(EditLine *el) {
	static char text[] = "regate> ";

	(void)el;
	return text;
}

struct found {
	char common[64]; // longest beginning that all words share
	unsigned n;
	FILE *list;
};

static void on_found(void *arg, const char *word) {
	struct found *f = arg;
	size_t i = 0;

	if (f->n++ == 0)
		snprintf(f->common, sizeof(f->common), "%s", word);
	while (f->common[i] != '\0' && f->common[i] == word[i])
		i++;
	f->common[i] = '\0';
	fprintf(f->list, "%s  ", word);
}

static unsigned char on_tab(EditLine *el, int ch) {
	const LineInfo *li = el_line(el);
	struct cli_words words;
	struct found f = {0};
	char line[CLI_LINE_MAX], err[128];
	char *list = NULL;
	size_t list_len = 0, last_len;
	const char *last = "";
	unsigned char rc = CC_REFRESH_BEEP;

	(void)ch;
	snprintf(line, sizeof(line), "%.*s", (int)(li->cursor - li->buffer), li->buffer);
	if (cli_split(line, &words, err, sizeof(err)) != RG_OK)
		return CC_REFRESH_BEEP;
	if (words.n > 0 && line[strlen(line) - 1] != ' ')
		last = words.word[--words.n];
	f.list = open_memstream(&list, &list_len);
	if (f.list == NULL)
		return CC_ERROR;
	cli_complete(words.n, words.word, last, on_found, &f);
	fclose(f.list);
	last_len = strlen(last);
	if (f.n == 1 && strlen(f.common) < sizeof(f.common) - 1)
		memcpy(f.common + strlen(f.common), " ", 2);
	if (f.n > 0 && strlen(f.common) > last_len) {
		rc = el_insertstr(el, f.common + last_len) == 0 ? CC_REFRESH : CC_ERROR;
	} else if (f.n > 1) {
		printf("\n%s\n", list);
		rc = CC_REDISPLAY;
	}
	free(list);
	return rc;
}

static int run_line(const struct cli_opts *o, const char *line, bool *is_over) {
	struct cli_words words;
	char err[128];

	if (cli_split(line, &words, err, sizeof(err)) != RG_OK) {
		fprintf(stderr, "regatectl: %s\n", err);
		return RG_CTL_USAGE;
	}
	if (words.n == 0)
		return RG_CTL_DONE;
	*is_over = strcmp(words.word[0], "quit") == 0 || strcmp(words.word[0], "exit") == 0;
	return *is_over ? RG_CTL_DONE : cli_run(o, words.n, words.word, "");
}

int cli_shell(const struct cli_opts *o) {
	EditLine *el = el_init("regatectl", stdin, stdout, stderr);
	History *h = history_init();
	HistEvent ev;
	const char *line;
	bool is_over = false;
	int n, rc = RG_CTL_DONE;

	if (el == NULL || h == NULL) {
		fputs("regatectl: this terminal cannot be used: pipe commands in instead\n",
		      stderr);
		rc = RG_CTL_REFUSED;
		goto err;
	}
	history(h, &ev, H_SETSIZE, HISTORY_LINES);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_SIGNAL, 1);
	el_set(el, EL_HIST, history, h);
	el_set(el, EL_ADDFN, "complete", "complete the word", on_tab);
	el_set(el, EL_BIND, "^I", "complete", NULL);
	while (!is_over && (line = el_gets(el, &n)) != NULL && n > 0) {
		if (*line != '\n')
			history(h, &ev, H_ENTER, line);
		rc = run_line(o, line, &is_over);
	}
	if (!is_over)
		putchar('\n');
err:
	if (h != NULL)
		history_end(h);
	if (el != NULL)
		el_end(el);
	return rc;
}
