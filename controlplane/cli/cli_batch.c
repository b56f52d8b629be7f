// SPDX-License-Identifier: BSD-3-Clause
// Commands from a file or pipe, one per line, # comments. Stops at the first that fails, so that no
// line runs on a state that the line before did not make.
#include <stdlib.h>

#include "cli/cli.h"
#include "regate/err.h"

static int run_line(const struct cli_opts *o, const char *line, unsigned number) {
	struct cli_words words;
	char place[32], err[128];

	snprintf(place, sizeof(place), "line %u: ", number);
	if (cli_split(line, &words, err, sizeof(err)) != RG_OK) {
		fprintf(stderr, "regatectl: %s%s\n", place, err);
		return RG_CTL_USAGE;
	}
	return words.n == 0 ? RG_CTL_DONE : cli_run(o, words.n, words.word, place);
}

int cli_batch(const struct cli_opts *o, FILE *in) {
	char *line = NULL;
	size_t cap = 0;
	int rc = RG_CTL_DONE;

	for (unsigned number = 1; rc == RG_CTL_DONE && getline(&line, &cap, in) >= 0; number++)
		rc = run_line(o, line, number);
	free(line);
	return rc;
}
