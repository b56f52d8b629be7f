// SPDX-License-Identifier: BSD-3-Clause
// Gateway and generator joined, and what the measurements share.
#pragma once

#include <semaphore.h>

#include "driver.h"
#include "gen.h"

// --- bed.c: gateway and generator, brought up and joined
struct bed {
	const struct scenario *sc;
	struct load_plan plan;
	struct result *r;
	struct progress *p;
	struct load_shared *sh;
	struct gateway gw;
	struct rg_dp eal; // keeps back what DPDK says
	struct gen gen;
	char *err;
	size_t err_len;
	int rc;
	sem_t is_done;
	const struct measurement *what;
	struct load_memory *marks; // N_MARKS; memory.c
};

struct measurement {
	enum scenario_kind kind;
	unsigned n_requests;           // when the scenario does not say
	int (*measure)(struct bed *b); // on the generator's lcore, between set-up and tear-down
	int (*run)(struct bed *b);     // main thread: plans for bed_run(), and calls it
};
// Runs b->what->measure between set-up and tear-down. 0, or negative with one line in b->err.
[[nodiscard]] int bed_run(struct bed *b);
// Opens every connection and puts it into service.
[[nodiscard]] int bed_open(struct bed *b, uint32_t from, uint32_t to);
// Waits until the gateway has taken all that was sent, a second at most: a port may lose some.
void bed_settle(struct bed *b);
// Processor time of the gateway in the last LOAD_RUN, less the share of its polls that found nothing,
// ns. Who takes the processor from it takes it from both kinds alike.
double bed_busy_ns(const struct bed *b);
// "The gateway fell silent", or -ECANCELED when somebody wants the end. Ends LOAD_RUN.
int bed_silent(struct bed *b, const char *when);
// Facts and counters that every measurement has, at its end.
void bed_report(struct bed *b);
// Of one run: how busy the generator was.
void bed_add_generator(struct bed *b);
// The yardstick, in the gateway's place, right after a run that took `ns` for each of n.
void bed_add_limit(struct bed *b, enum load_cmd which, uint32_t n, double ns);

// --- refresh.c
struct timed {
	double ns;                    // busy time of the gateway for each request
	uint64_t n_rx, n_tx, n_polls; // of the gateway; polls that found something
};
// One timed run, open with a loop, else closed. 0 when all were answered 200, else negative with one
// line in b->err.
[[nodiscard]] int bed_refresh(struct bed *b, struct open_loop *loop, struct timed *out);
// By a closed run: refreshes per second that the gateway can.
[[nodiscard]] int bed_find_rate(struct bed *b, double *rate);
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
