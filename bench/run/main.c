// SPDX-License-Identifier: BSD-3-Clause
// regate-bench: its sub-commands.
#include <stdio.h>
#include <string.h>

#include "driver.h"

static const struct command {
	const char *name, *args, *help;
	int (*main)(int argc, char **argv);
} commands[] = {
	{"run", "SCENARIO [--set KEY=VALUE]... [--json FILE] [--hgrm FILE]",
	 "measure what a scenario file describes", run_main},
	{"list", "[FOLDER]", "scenario files, with a line each", list_main},
	{"keys", "[--markdown]", "the keys of a scenario file", keys_main},
	{"doctor", "[--cpus LIST] [--json]", "what on this machine would distort a measurement",
	 doctor_main},
	{"compare", "[--json] [--within PERCENT] [--anyway] A.json[,..] B.json[,..]",
	 "is B faster than A, and how sure is that?", compare_main},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *out) {
	fprintf(out, "usage: regate-bench COMMAND ...\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %s %s\n      %s\n", commands[i].name, commands[i].args,
			commands[i].help);
	fprintf(out, "  SCENARIO [--KEY VALUE]...\n"
		     "      short for run and --set: regate-bench refresh "
		     "--conns 1000000\n"
		     "exit: 0 done, 1 failed (doctor: something would distort), 2 command line or "
		     "scenario, 3 ended early and written as far as it went\n");
	return out == stdout ? BENCH_DONE : BENCH_USAGE;
}

int main(int argc, char **argv) {
	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return usage(stdout);
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].main(argc - 1, argv + 1);
	if (run_is_scenario(argv[1]))
		return run_short_main(argc - 1, argv + 1);
	fprintf(stderr,
		"regate-bench: no command or scenario '%s' (`regate-bench --help`, `list`)\n",
		argv[1]);
	return BENCH_USAGE;
}
