// SPDX-License-Identifier: BSD-3-Clause
// regatectl: the operator's side of ctlproto.h. Options, then one command, or a prompt, or commands
// from a pipe.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static void print_usage(FILE *out) {
	fputs("usage: regatectl [--socket PATH] [--json] [COMMAND]\n"
	      "Without COMMAND: a prompt on a terminal, else one command per line from stdin.\n"
	      "\n"
	      "  --socket PATH     socket of regated, default " RG_CTL_SOCKET "\n"
	      "  --json            print the daemon's answer as it is\n"
	      "  --completion bash print the completion script\n"
	      "  --help, --version\n"
	      "\n"
	      "commands:\n",
	      out);
	cli_print_help(out);
	fputs("\nexit code: 0 done, 1 refused, 2 usage, 3 no daemon, 5 not found, "
	      "7 a part was refused\n",
	      out);
}

// Options that end the program. False when w is none of them.
static bool run_and_exit(const char *w, const char *next, int *rc) {
	*rc = RG_CTL_DONE;
	if (strcmp(w, "--help") == 0 || strcmp(w, "-h") == 0) {
		print_usage(stdout);
	} else if (strcmp(w, "--version") == 0) {
		puts("regatectl " REGATE_VERSION);
	} else if (strcmp(w, "--completion") == 0) {
		if (next != NULL && strcmp(next, "bash") == 0) {
			cli_complete_bash(stdout);
		} else {
			fputs("regatectl: --completion needs the name of a shell: bash\n", stderr);
			*rc = RG_CTL_USAGE;
		}
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv) {
	struct cli_opts o = {.socket = RG_CTL_SOCKET};
	int i, rc;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (run_and_exit(argv[i], i + 1 < argc ? argv[i + 1] : NULL, &rc))
			return fflush(stdout) == 0 ? rc : RG_CTL_REFUSED;
		if (strcmp(argv[i], "--json") == 0) {
			o.is_json = true;
		} else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc) {
			o.socket = argv[++i];
		} else if (strncmp(argv[i], "--socket=", 9) == 0) {
			o.socket = argv[i] + 9;
		} else {
			fputs("regatectl: unknown option, or --socket without a path: see "
			      "`regatectl --help`\n",
			      stderr);
			return RG_CTL_USAGE;
		}
	}
	if (i < argc)
		rc = cli_run(&o, argc - i, argv + i, "");
	else
		rc = isatty(STDIN_FILENO) ? cli_shell(&o) : cli_batch(&o, stdin);
	if (fflush(stdout) != 0 && rc == RG_CTL_DONE) {
		perror("regatectl: cannot write the answer");
		return RG_CTL_REFUSED;
	}
	return rc;
}
