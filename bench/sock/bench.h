// SPDX-License-Identifier: BSD-3-Clause
// What is measured with the clients of sock_int.h.
#pragma once

#include "sock_int.h"
#include "target.h"

struct plan;

struct bench {
	struct sock *s;
	const struct scenario *sc;
	struct result *r;
	const struct plan *plan;
	double rate;              // of an open loop; 0: a closed one
	int pid;                  // of the target; 0: not known
	struct target_use use[2]; // of kind idle: with no client, with a tenth of them
	struct hist *h;           // of one run
	struct tally attack;
	uint64_t idle_ns, cpu_ns, own_cpu_ns, begin_ns; // at the begin of a run
};

// How a kind is measured.
struct plan {
	bool is_open;         // clients are registered before
	bool is_registration; // the clients need tokens
	uint8_t job;
	const char *op;   // "refresh"
	const char *rate; // name of the series
	int (*run)(struct bench *b, int run);
};

extern const struct plan sock_plans[N_KINDS];

// --- setup.c
[[nodiscard]] int bench_set_up(struct bench *b);
void bench_tear_down(struct bench *b);
// All clients that are not registered, and no failure is allowed.
[[nodiscard]] int bench_open(struct bench *b, uint32_t n);

// --- measure.c: what the kinds share
struct stream bench_stream(const struct bench *b, unsigned job, unsigned list, struct tally *t);
struct stream bench_repair(const struct bench *b, struct tally *t); // reopens what was lost
struct stream bench_attack(struct bench *b);
uint64_t bench_duration(const struct bench *b); // ns, of a run that lasts for a time
uint64_t bench_until(const struct bench *b);    // the end of a run that begins now
struct tally bench_tally(struct bench *b, const char *name);
void bench_begin(struct bench *b);
// Rate, latency and costs of a run that ended with rc, which comes back; or with what it told being
// nothing. `run` negative: a warm-up, nothing is told.
[[nodiscard]] int bench_end(struct bench *b, int run, struct tally *t, int rc);
void bench_tell_latency(struct bench *b, const char *op, const char *suffix, const struct hist *h);

// --- rate.c
[[nodiscard]] int bench_search(struct bench *b, int run);
