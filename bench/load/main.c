// SPDX-License-Identifier: BSD-3-Clause
// regate-bench: parses the command line and runs one measurement. See README.md.
#include <getopt.h>
#include <stdlib.h>

#include "bed.h"

static const struct measurement measurements[] = {
	{"refresh", "refreshes per second of one gateway core", measure_refresh, bed_run},
	{"memory", "bytes of an idle registered connection: a tenth of --conns, then all",
	 measure_memory, run_memory},
	{"flood", "refreshes and new connections amid SYNs from everywhere", measure_flood,
	 run_flood},
};

enum { OPT_CONNS, OPT_REQUESTS, OPT_RUNS, OPT_WINDOW, OPT_BATCH, OPT_SYNS, OPT_MEMORY, N_NUMBERS };

static int usage(void) {
	fprintf(stderr, "usage: regate-bench MEASUREMENT [OPTION VALUE]...\n");
	for (size_t i = 0; i < RTE_DIM(measurements); i++)
		fprintf(stderr, "  %-10s %s\n", measurements[i].name, measurements[i].help);
	fprintf(stderr, "options:\n"
			"  --conns N       connections held open (10000)\n"
			"  --requests N    of one timed run (65536)\n"
			"  --runs N        timed runs (7)\n"
			"  --window N      requests under way at once (256)\n"
			"  --batch N       of the yardstick (8)\n"
			"  --syns N        of a flood, for each packet of a client (16)\n"
			"  --memory MIB    of EAL (192)\n"
			"  --acks timed    every answer is acknowledged at once (default)\n"
			"  --acks after    answers are acknowledged after the timed run\n"
			"  --cpus A,B      gateway on CPU A, generator on CPU B (0,1)\n"
			"  --certificate FILE --key FILE\n");
	return 2;
}

static bool parse(int argc, char **argv, struct load_opts *o) {
	static const struct option names[] = {
		{"conns", required_argument, NULL, OPT_CONNS},
		{"requests", required_argument, NULL, OPT_REQUESTS},
		{"runs", required_argument, NULL, OPT_RUNS},
		{"window", required_argument, NULL, OPT_WINDOW},
		{"batch", required_argument, NULL, OPT_BATCH},
		{"syns", required_argument, NULL, OPT_SYNS},
		{"memory", required_argument, NULL, OPT_MEMORY},
		{"acks", required_argument, NULL, 'a'},
		{"cpus", required_argument, NULL, 'p'},
		{"certificate", required_argument, NULL, 'c'},
		{"key", required_argument, NULL, 'k'},
		{NULL, 0, NULL, 0},
	};
	unsigned *const numbers[N_NUMBERS] = {&o->n_conns,   &o->n_requests, &o->n_runs,
					      &o->window,    &o->batch,      &o->n_syns,
					      &o->memory_mib};
	int opt;

	while ((opt = getopt_long(argc, argv, "", names, NULL)) != -1) {
		uint64_t v;

		if (opt < N_NUMBERS) {
			if (!rg_parse_u64(rg_str(optarg), &v) || v == 0 || v > LOAD_MAX_CLIENTS)
				return false;
			*numbers[opt] = (unsigned)v;
		} else if (opt == 'a') {
			o->is_ack_timed = strcmp(optarg, "timed") == 0;
			if (!o->is_ack_timed && strcmp(optarg, "after") != 0)
				return false;
		} else if (opt == 'p') {
			o->cpus = optarg;
		} else if (opt == 'c') {
			o->certificate = optarg;
		} else if (opt == 'k') {
			o->key = optarg;
		} else {
			return false;
		}
	}
	return optind == argc && o->n_runs <= LOAD_MAX_RUNS;
}

int main(int argc, char **argv) {
	static struct bed b;

	b.o = (struct load_opts){
		.n_conns = 10000,
		.n_requests = 65536,
		.n_runs = 7,
		.window = 256,
		.batch = 8,
		.n_syns = 16,
		.is_ack_timed = true,
		.cpus = "0,1",
		.memory_mib = 192,
		.certificate = BENCH_CERTIFICATE,
		.key = BENCH_KEY,
	};
	for (size_t i = 0; argc > 1 && i < RTE_DIM(measurements); i++)
		if (strcmp(argv[1], measurements[i].name) == 0)
			b.what = &measurements[i];
	if (b.what == NULL || !parse(argc - 1, argv + 1, &b.o))
		return usage();
	if (!rg_dp_prepare_process())
		return EXIT_FAILURE;
	if (b.what->run(&b) != 0) {
		fprintf(stderr, "regate-bench: %s\n", b.err);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
