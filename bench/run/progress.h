// SPDX-License-Identifier: BSD-3-Clause
// What is being done and how long it will take, on one line of stderr that is drawn again and again;
// without a terminal a line for each step. And the wish to end early: SIGINT or SIGTERM.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *out; // NULL: silent
	bool is_tty;
	unsigned n_steps;  // all runs, those that warm up too
	unsigned step;     // of these, done
	char doing[80];    // "run 3 of 7"
	uint64_t begin_ns; // of the first step
	uint64_t drawn_ns;
	pthread_mutex_t lock;       // of the line
	_Atomic(uint64_t) done, of; // of the step; any thread writes, relaxed
};

// Once in a process: takes SIGINT and SIGTERM. The second one ends the process at once.
void progress_init(struct progress *p, FILE *out);
void progress_fini(struct progress *p); // clears the line
// Set-up and whatever is no run: "opening 100000 connections".
__attribute__((format(printf, 2, 3))) void progress_phase(struct progress *p, const char *fmt, ...);
// How far the step is; two stores, fit for a hot loop.
static inline void progress_at(struct progress *p, uint64_t done, uint64_t of) {
	atomic_store_explicit(&p->done, done, memory_order_relaxed);
	atomic_store_explicit(&p->of, of, memory_order_relaxed);
}
// Draws when there is a terminal and 200 ms are over. Makes system calls: not on a worker's thread.
void progress_draw(struct progress *p);
bool progress_is_stopped(void); // somebody wants the end; fit for a hot loop
// Runs what warms up, then what counts: one(ctx, 0), ..., one(ctx, n - 1), each with the number of the
// counted run, or -1 for a warm-up. Ends early at the first that does not return 0, and returns that;
// -ECANCELED when somebody wants the end.
[[nodiscard]] int progress_runs(struct progress *p, unsigned n_warmups, unsigned n_runs,
				int (*one)(void *ctx, int run), void *ctx);
