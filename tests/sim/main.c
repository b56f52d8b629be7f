// SPDX-License-Identifier: BSD-3-Clause
// regate-sim: runs the world for a row of seeds. A seed that fails prints its history and the command
// that runs it again.
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <urcu/urcu-qsbr.h>

#include "world.h"

#define N_STEPS 250
#define MAX_JOBS 64

struct result {
	struct world_counts n;
	uint64_t hash;
};

struct options {
	uint64_t first, n;
	unsigned n_steps, n_jobs;
	bool is_twice, is_history;
};

static void usage(FILE *f) {
	fputs("usage: regate-sim [--seeds N] [--first-seed S] [--steps N] [--jobs N] [--twice]\n"
	      "                  [--history]\n"
	      "  --seeds N       how many, 3000 if not said\n"
	      "  --first-seed S  from this one on, 1 if not said\n"
	      "  --steps N       steps of each, 250 if not said\n"
	      "  --jobs N        processes, 1 if not said\n"
	      "  --twice         each again: it must be the same run\n"
	      "  --history       print what happened\n",
	      f);
}

static uint64_t number(const char *s) {
	char *end;
	uint64_t v = strtoull(s, &end, 10);

	if (*s == '\0' || *end != '\0') {
		fprintf(stderr, "regate-sim: not a number: %s\n", s);
		exit(2);
	}
	return v;
}

static struct options parse(int argc, char **argv) {
	static const struct option long_options[] = {
		{"seeds", required_argument, NULL, 'n'},
		{"first-seed", required_argument, NULL, 's'},
		{"steps", required_argument, NULL, 'k'},
		{"jobs", required_argument, NULL, 'j'},
		{"twice", no_argument, NULL, 't'},
		{"history", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options o = {.first = 1, .n = 3000, .n_steps = N_STEPS, .n_jobs = 1};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'n':
			o.n = number(optarg);
			break;
		case 's':
			o.first = number(optarg);
			break;
		case 'k':
			o.n_steps = (unsigned)number(optarg);
			break;
		case 'j':
			o.n_jobs = (unsigned)number(optarg);
			break;
		case 't':
			o.is_twice = true;
			break;
		case 'v':
			o.is_history = true;
			break;
		default:
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind != argc || o.n_jobs == 0 || o.n_jobs > MAX_JOBS) {
		usage(stderr);
		exit(2);
	}
	return o;
}

static uint64_t run(struct world *w, uint64_t seed, const struct options *o) {
	world_init(w, seed);
	world_run(w, o->n_steps);
	if (o->is_history)
		for (uint32_t i = 0; i < N_PAIRS; i++)
			history_print(&w->h, i);
	world_fini(w);
	return w->h.hash;
}

static void add_counts(struct world_counts *to, const struct world_counts *n) {
	const uint64_t *from = (const uint64_t *)n;

	for (size_t i = 0; i < sizeof(*to) / sizeof(uint64_t); i++)
		((uint64_t *)to)[i] += from[i];
}

static void print_counts(const struct world_counts *n, uint64_t n_seeds, uint64_t hash) {
	const struct {
		const char *name;
		uint64_t n;
	} all[] = {
		{"steps", n->steps},
		{"granted", n->granted},
		{"renewed", n->renewed},
		{"reassigned", n->reassigned},
		{"registered", n->registered},
		{"of them by a worker", n->local},
		{"de-registered", n->deregistered},
		{"revoked", n->revoked},
		{"crashes", n->crashes},
		{"of them reboots", n->boots},
		{"pauses", n->pauses},
		{"wall clock steps", n->wall_steps},
		{"store faults", n->store_faults},
		{"core faults", n->core_faults},
		{"network faults", n->cuts},
		{"commits overtaken", n->overtaken},
		{"pairs suspected", n->suspected},
		{"put back", n->put_back},
		{"pools drained", n->drained},
		{"pairs imported", n->imported},
		{"removed", n->removed},
		{"leases released", n->released},
	};

	printf("%llu seeds", (unsigned long long)n_seeds);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		printf(", %s %llu", all[i].name, (unsigned long long)all[i].n);
	printf("\n0 double, 0 lost, 0 leaked; trace %016llx\n", (unsigned long long)hash);
}

// Every nth seed, for the process of that number.
static void run_some(const struct options *o, unsigned job, struct result *r) {
	struct world *w = malloc(sizeof(*w));

	if (w == NULL)
		exit(1);
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024); // an engine's large tables come zeroed
	urcu_qsbr_register_thread();
	for (uint64_t seed = o->first + job; seed < o->first + o->n; seed += o->n_jobs) {
		uint64_t h = run(w, seed, o);

		if (o->is_twice && run(w, seed, o) != h)
			world_fail(w, "the seed gave another run the second time", N_PAIRS);
		add_counts(&r->n, &w->n);
		r->hash += h * (2 * seed + 1); // in any order
	}
	urcu_qsbr_unregister_thread();
	free(w);
}

// False when one of them failed; it has said why.
static bool run_all(const struct options *o, struct result r[]) {
	bool is_good = true;
	int status;

	fflush(stdout);
	for (unsigned i = 1; i < o->n_jobs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return false;
		if (pid == 0) {
			run_some(o, i, &r[i]);
			exit(0);
		}
	}
	run_some(o, 0, &r[0]);
	while (wait(&status) > 0)
		is_good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return is_good;
}

int main(int argc, char **argv) {
	struct options o = parse(argc, argv);
	struct result *r = mmap(NULL, o.n_jobs * sizeof(*r), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (r == MAP_FAILED || !run_all(&o, r))
		return 1;
	for (unsigned i = 1; i < o.n_jobs; i++) {
		add_counts(&r[0].n, &r[i].n);
		r[0].hash += r[i].hash;
	}
	print_counts(&r[0].n, o.n, r[0].hash);
	return 0;
}
