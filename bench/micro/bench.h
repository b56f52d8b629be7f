// SPDX-License-Identifier: BSD-3-Clause
// Harness of the micro benches: runs a function some operations long, many rounds, and prints
// cycles (TSC ticks) and nanoseconds per operation as one table line, or with --json as one object
// per case. One thread. Judge by ratios taken in the same minute: the machine is shared.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <x86intrin.h>

#define BENCH_MAX_ROUNDS 1000
#define BENCH_ROUNDS 31
#define BENCH_ROUND_NS 5000000 // what a round should last, by choice of its operations

struct bench_case {
	const char *name;
	size_t n_bytes;                         // that one operation works on, 0 = not told
	void (*run)(void *arg, uint64_t n_ops); // does n_ops operations
	void *arg;
};

struct bench_result {
	uint64_t n_ops; // per round
	unsigned n_rounds;
	double median, low, high; // ticks per operation
};

struct bench_host {
	double ticks_per_ns;
	struct utsname kernel;
	char cpu[128];
};

// Makes v look used, so that the work that led to it stays.
#define bench_keep(v) __asm__ volatile("" : : "g"(v) : "memory")

static inline uint64_t bench_ticks(void) {
	unsigned aux;
	uint64_t t = __rdtscp(&aux); // waits for what stands before it

	_mm_lfence(); // and what stands behind it waits
	return t;
}

static inline uint64_t bench_clock_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// Ticks per nanosecond of the TSC, against CLOCK_MONOTONIC over 20 ms.
static inline double bench_calibrate(void) {
	uint64_t ns = bench_clock_ns();
	uint64_t t = bench_ticks();
	uint64_t now;

	do
		now = bench_clock_ns();
	while (now - ns < 20000000);
	return (double)(bench_ticks() - t) / (double)(now - ns);
}

static inline void bench_host_init(struct bench_host *h) {
	char line[256];
	FILE *f = fopen("/proc/cpuinfo", "r");

	memset(h, 0, sizeof(*h));
	h->ticks_per_ns = bench_calibrate();
	uname(&h->kernel);
	strcpy(h->cpu, "unknown");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "model name : %127[^\n\"\\]", h->cpu) == 1)
			break;
	if (f != NULL)
		fclose(f);
}

static inline int bench_cmp(const void *a, const void *b) {
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline uint64_t bench_round(const struct bench_case *c, uint64_t n_ops) {
	uint64_t t = bench_ticks();

	c->run(c->arg, n_ops);
	return bench_ticks() - t;
}

static inline struct bench_result bench_run(const struct bench_case *c, const struct bench_host *h,
					    unsigned n_rounds) {
	struct bench_result r = {.n_ops = 1, .n_rounds = n_rounds};
	double per_op[BENCH_MAX_ROUNDS] = {0};

	// Warms up and finds how many operations fill a round.
	while ((double)bench_round(c, r.n_ops) < BENCH_ROUND_NS * h->ticks_per_ns)
		r.n_ops *= 2;
	for (unsigned i = 0; i < n_rounds; i++)
		per_op[i] = (double)bench_round(c, r.n_ops) / (double)r.n_ops;
	qsort(per_op, n_rounds, sizeof(per_op[0]), bench_cmp);
	r.low = per_op[0];
	r.median = per_op[n_rounds / 2];
	r.high = per_op[n_rounds - 1];
	return r;
}

static inline void bench_print_json(const struct bench_case *c, const struct bench_host *h,
				    const struct bench_result *r, long n_preempted) {
	double k = 1 / h->ticks_per_ns;

	printf("{\"bench\":\"%s\",\"bytes\":%zu,\"rounds\":%u,\"ops_per_round\":%llu,", c->name,
	       c->n_bytes, r->n_rounds, (unsigned long long)r->n_ops);
	printf("\"cycles\":{\"median\":%.2f,\"min\":%.2f,\"max\":%.2f},", r->median, r->low,
	       r->high);
	printf("\"ns\":{\"median\":%.2f,\"min\":%.2f,\"max\":%.2f},", r->median * k, r->low * k,
	       r->high * k);
	printf("\"tsc_ghz\":%.3f,\"preempted\":%ld,\"kernel\":\"%s %s\",\"cpu\":\"%s\",",
	       h->ticks_per_ns, n_preempted, h->kernel.sysname, h->kernel.release, h->cpu);
	printf("\"compiler\":\"%s\",\"flags\":\"%s\"}\n", __VERSION__, BENCH_FLAGS);
}

static inline void bench_print_line(const struct bench_case *c, const struct bench_host *h,
				    const struct bench_result *r) {
	double k = 1 / h->ticks_per_ns;

	printf("%-28s %8zu %10.1f %10.1f %10.1f %10.1f\n", c->name, c->n_bytes, r->median,
	       r->median * k, r->low * k, r->high * k);
}

static inline int bench_usage(const char *name) {
	fprintf(stderr, "usage: %s [--json] [--rounds 1..%d]\n", name, BENCH_MAX_ROUNDS);
	return 2;
}

// What main() calls: `return bench_main(argc, argv, cases, n);`
static inline int bench_main(int argc, char **argv, const struct bench_case *cases, size_t n) {
	unsigned n_rounds = BENCH_ROUNDS;
	bool is_json = false;
	struct bench_host h;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
			n_rounds = (unsigned)strtoul(argv[++i], NULL, 10);
		else
			return bench_usage(argv[0]);
	}
	if (n_rounds < 1 || n_rounds > BENCH_MAX_ROUNDS)
		return bench_usage(argv[0]);
	bench_host_init(&h);
	if (!is_json)
		printf("%-28s %8s %10s %10s %10s %10s\n", "bench", "bytes", "cycles", "ns",
		       "ns min", "ns max");
	for (size_t i = 0; i < n; i++) {
		struct rusage before, after;
		struct bench_result r;

		getrusage(RUSAGE_SELF, &before);
		r = bench_run(&cases[i], &h, n_rounds);
		getrusage(RUSAGE_SELF, &after);
		if (is_json)
			bench_print_json(&cases[i], &h, &r, after.ru_nivcsw - before.ru_nivcsw);
		else
			bench_print_line(&cases[i], &h, &r);
	}
	return 0;
}
