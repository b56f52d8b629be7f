// SPDX-License-Identifier: BSD-3-Clause
// Where a worker's time goes: a histogram of processor cycles (TSC) for each stage that a packet
// passes. Taken from one busy poll round in 64, picked at random. One writer, that worker; the
// control plane reads at any time with relaxed loads.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "regate/loglin.h"

// X(name, text for operators): what a stage is, and what one sample of it stands for
#define RG_STAGE_LIST(X)                                                             \
	X(rx, "a packet read, checked, its connection fetched")                      \
	X(tcp, "TCP's work on a packet, or for an answer")                           \
	X(tls, "records of a packet opened, its answer sealed")                      \
	X(handshake, "a step of a TLS handshake")                                    \
	X(http, "HTTP in a packet")                                                  \
	X(ws, "WebSocket frames of a packet")                                        \
	X(sip, "SIP of a packet parsed, answered or passed on to the control plane") \
	X(lease, "the lease of a REGISTER found, the REGISTER decided")              \
	X(tx, "a packet built and sent")                                             \
	X(poll, "the rest of a poll round: clock, timers, rings")

#define RG_STAGE_FIELD(name, text) RG_STAGE_##name,
enum rg_stage { RG_STAGE_LIST(RG_STAGE_FIELD) RG_N_STAGES };
#undef RG_STAGE_FIELD

// Log-linear: 16 steps to each power of two, so a value is known to 6 %; the last step takes what
// is longer, over a second.
#define RG_STAGE_STEP_BITS 4
#define RG_STAGE_MAX_BITS 32
#define RG_STAGE_N RG_LOGLIN_N(RG_STAGE_STEP_BITS, RG_STAGE_MAX_BITS)

struct rg_stage_hist {                   // worker: rw, ctl: ro
	_Atomic(uint64_t) cycles;        // of all samples
	_Atomic(uint64_t) v[RG_STAGE_N]; // samples per step
};

struct rg_stages {
	struct rg_stage_hist of[RG_N_STAGES];
};

// The step of a value.
static inline unsigned rg_stage_step(uint64_t cycles) {
	unsigned step = rg_loglin_step(cycles, RG_STAGE_STEP_BITS);

	return step < RG_STAGE_N ? step : RG_STAGE_N - 1;
}

// For the one writer: n samples that took so many cycles together. n may be 0: their samples count
// elsewhere.
static inline void rg_stage_add(struct rg_stage_hist *h, uint64_t cycles, uint64_t n) {
	_Atomic(uint64_t) *v = &h->v[rg_stage_step(n > 0 ? cycles / n : 0)];
	uint64_t sum = atomic_load_explicit(&h->cycles, memory_order_relaxed);
	uint64_t had = atomic_load_explicit(v, memory_order_relaxed);

	atomic_store_explicit(&h->cycles, sum + cycles, memory_order_relaxed);
	atomic_store_explicit(v, had + n, memory_order_relaxed);
}

// sum += s, sum -= s. sum belongs to the caller; s may be written to meanwhile. A later state less
// an older one, in any order, is what came between.
void rg_stages_add(struct rg_stages *sum, const struct rg_stages *s);
void rg_stages_sub(struct rg_stages *sum, const struct rg_stages *s);

uint64_t rg_stage_count(const struct rg_stage_hist *h);             // samples
uint64_t rg_stage_at(const struct rg_stage_hist *h, unsigned step); // of these, in one step
// Least and greatest value of a step, cycles.
uint64_t rg_stage_lower(unsigned step);
uint64_t rg_stage_upper(unsigned step);
double rg_stage_mean(const struct rg_stage_hist *h); // cycles; 0 without samples
// Cycles that `share` of the samples are not above, to a step; 0 without samples.
uint64_t rg_stage_quantile(const struct rg_stage_hist *h, double share);
// Part of the cycles of all stages, 0 to 1; 0 when there are none.
double rg_stage_share(const struct rg_stages *s, enum rg_stage i);

const char *rg_stage_name(enum rg_stage i);
const char *rg_stage_text(enum rg_stage i);
