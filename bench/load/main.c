// SPDX-License-Identifier: BSD-3-Clause
// regate-bench: parses the command line and runs one measurement. See README.md.
#include <stdlib.h>

#include "bed.h"

static const struct measurement measurements[] = {
	{"refresh", "refreshes per second of one gateway core", 65536, measure_refresh, bed_run},
	{"memory", "bytes of an idle registered connection: a tenth of --conns, then all", 1,
	 measure_memory, run_memory},
	{"handshake", "full TLS handshakes, upgrades and first REGISTERs per second", 300,
	 measure_handshake, run_handshake},
	{"latency", "percentiles of an open loop at half load, alone and amid handshakes", 65536,
	 measure_latency, run_latency},
	{"flood", "refreshes and new connections amid SYNs from everywhere", 20000, measure_flood,
	 run_flood},
};

static const struct number {
	const char *name;
	size_t off; // of an unsigned in struct load_opts
	unsigned preset;
	const char *help;
} numbers[] = {
#define NUMBER(name, field, preset, help) \
	{ name, offsetof(struct load_opts, field), preset, help }
	NUMBER("--conns", n_conns, 10000, "connections held open"),
	NUMBER("--requests", n_requests, 0,
	       "of one timed run; handshake: handshakes; 0: what suits it"),
	NUMBER("--runs", n_runs, 7, "timed runs"),
	NUMBER("--window", window, 256, "requests under way at once"),
	NUMBER("--batch", batch, 8, "of the yardstick"),
	NUMBER("--syns", n_syns, 16, "of flood, for each packet of a client"),
	NUMBER("--share", share, 25, "of latency: percent of the time for handshakes"),
	NUMBER("--rate", rate, 0, "of latency: refreshes per second; 0: half of what it can"),
	NUMBER("--memory", memory_mib, 192, "of EAL, MiB"),
#undef NUMBER
};

static const struct text {
	const char *name;
	size_t off; // of a const char * in struct load_opts
	const char *preset, *help;
} texts[] = {
#define TEXT(name, field, preset, help) \
	{ name, offsetof(struct load_opts, field), preset, help }
	TEXT("--acks", acks, "timed", "timed: one for each answer, at once; after: after the run"),
	TEXT("--checksums", checksums, "software", "software; port: as with a NIC (ring only)"),
	TEXT("--port", port, "ring", "ring: one process; memif: two (refresh, handshake, latency)"),
	TEXT("--cpus", cpus, "0,1", "gateway's, generator's"),
	TEXT("--certificate", certificate, BENCH_CERTIFICATE, "PEM file"),
	TEXT("--key", key, BENCH_KEY, "PEM file"),
#undef TEXT
};

static unsigned *number_at(struct load_opts *o, const struct number *n) {
	return (unsigned *)((uint8_t *)o + n->off);
}

static const char **text_at(struct load_opts *o, const struct text *t) {
	return (const char **)((uint8_t *)o + t->off);
}

static int usage(void) {
	fprintf(stderr, "usage: regate-bench MEASUREMENT [OPTION VALUE]...\n");
	for (size_t i = 0; i < RTE_DIM(measurements); i++)
		fprintf(stderr, "  %-14s %s\n", measurements[i].name, measurements[i].help);
	fprintf(stderr, "options:\n");
	for (size_t i = 0; i < RTE_DIM(numbers); i++)
		fprintf(stderr, "  %-14s %s (%u)\n", numbers[i].name, numbers[i].help,
			numbers[i].preset);
	for (size_t i = 0; i < RTE_DIM(texts); i++)
		fprintf(stderr, "  %-14s %s (%s)\n", texts[i].name, texts[i].help, texts[i].preset);
	return 2;
}

static bool parse_one(struct load_opts *o, const char *name, const char *value) {
	uint64_t v;

	for (size_t i = 0; i < RTE_DIM(numbers); i++) {
		if (strcmp(name, numbers[i].name) != 0)
			continue;
		if (!rg_parse_u64(rg_str(value), &v) || v > LOAD_MAX_CLIENTS)
			return false;
		*number_at(o, &numbers[i]) = (unsigned)v;
		return true;
	}
	for (size_t i = 0; i < RTE_DIM(texts); i++)
		if (strcmp(name, texts[i].name) == 0) {
			*text_at(o, &texts[i]) = value;
			return true;
		}
	return false;
}

static bool parse(int argc, char **argv, struct load_opts *o) {
	for (size_t i = 0; i < RTE_DIM(numbers); i++)
		*number_at(o, &numbers[i]) = numbers[i].preset;
	for (size_t i = 0; i < RTE_DIM(texts); i++)
		*text_at(o, &texts[i]) = texts[i].preset;
	for (int i = 0; i < argc; i += 2)
		if (i + 1 == argc || !parse_one(o, argv[i], argv[i + 1]))
			return false;
	o->is_ack_timed = strcmp(o->acks, "timed") == 0;
	o->is_memif = strcmp(o->port, "memif") == 0;
	o->is_sum_by_port = strcmp(o->checksums, "port") == 0;
	return (o->is_sum_by_port ? !o->is_memif : strcmp(o->checksums, "software") == 0) &&
	       (o->is_memif || strcmp(o->port, "ring") == 0) &&
	       (o->is_ack_timed || strcmp(o->acks, "after") == 0) && o->n_conns > 0 &&
	       o->window > 0 && o->n_runs > 0 && o->n_runs <= LOAD_MAX_RUNS;
}

int main(int argc, char **argv) {
	static struct bed b;

	for (size_t i = 0; argc > 1 && i < RTE_DIM(measurements); i++)
		if (strcmp(argv[1], measurements[i].name) == 0)
			b.what = &measurements[i];
	if (b.what == NULL || !parse(argc - 2, argv + 2, &b.o))
		return usage();
	if (b.o.n_requests == 0)
		b.o.n_requests = b.what->n_requests;
	if (!rg_dp_prepare_process())
		return EXIT_FAILURE;
	if (b.what->run(&b) != 0) {
		fprintf(stderr, "regate-bench: %s\n", b.err);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
