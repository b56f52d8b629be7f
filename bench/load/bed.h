// SPDX-License-Identifier: BSD-3-Clause
// Gateway and generator joined, and what the measurements share.
#pragma once

#include <semaphore.h>

#include "gen.h"

// --- bed.c: gateway and generator, brought up and joined
struct bed {
	struct load_opts o;
	struct load_shared *sh;
	struct gateway gw;
	struct gen gen;
	double empty_poll_ns; // of the gateway, without connections
	char err[512];
	int rc;
	sem_t is_done;
	const struct measurement *what;
	struct load_memory *marks; // N_MARKS; memory.c
};

struct measurement {
	const char *name, *help;
	unsigned n_requests;           // when --requests does not say
	int (*measure)(struct bed *b); // on the generator's lcore, between set-up and tear-down
	int (*run)(struct bed *b);     // main thread: prepares for bed_run(), and calls it
};
// Runs b->what->measure between set-up and tear-down. 0, or negative with one line in b->err.
[[nodiscard]] int bed_run(struct bed *b);
// Opens every connection and puts it into service.
[[nodiscard]] int bed_open(struct bed *b, uint32_t from, uint32_t to);
// Waits until the gateway has taken all that was sent.
void bed_settle(struct bed *b);
// Processor time of the gateway in the last LOAD_RUN without its empty polls, as it would be had
// it not been interrupted, ns.
double bed_busy_ns(const struct bed *b);
// The drops that the gateway has counted, as JSON.
void report_drops(const struct bed *b);
// "The gateway fell silent", with the reasons it counts.
int bed_silent(struct bed *b, const char *when);

// --- refresh.c
struct timed {
	double ns;                    // busy time of the gateway for each request
	uint64_t n_rx, n_tx, n_polls; // of the gateway; polls that found something
};
// One timed run. 0 when all were answered 200, else negative with one line in b->err.
[[nodiscard]] int bed_refresh(struct bed *b, struct timed *out);
int measure_refresh(struct bed *b);

// --- flood.c
int measure_flood(struct bed *b);
int run_flood(struct bed *b);

// --- handshake.c
int measure_handshake(struct bed *b);
int run_handshake(struct bed *b);

// --- latency.c
int measure_latency(struct bed *b);
int run_latency(struct bed *b);

// --- memory.c
int measure_memory(struct bed *b);
int run_memory(struct bed *b);

// --- report.c
struct series { // one value per timed run
	unsigned n;
	double v[LOAD_MAX_RUNS];
};
void series_add(struct series *s, double v);
struct named_series {
	const char *name;
	const struct series *series;
};
// "name": {"median": .., "min": .., "max": ..}, ... or null without a value
void report_table(const struct named_series *s, unsigned n);
void report_host(const struct load_opts *o); // machine, kernel, compiler, flags, commit
