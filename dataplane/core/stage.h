// SPDX-License-Identifier: BSD-3-Clause
// Tells for a worker where its time goes (include/regate/stage.h). Work runs to completion through
// nested calls; a boundary says what comes now, not what ends, so a call that returns early or a
// connection that dies leaves nothing open: all time between begin and end belongs to some stage.
// Only polls picked at random are timed; else a boundary is one test of a flag.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "regate/stage.h"
#include "regate/stats.h"

#define STAGE_EVERY 64 // busy polls for each that is timed, on average

struct stages {           // of one worker, who alone uses it
	bool is_timed;    // this poll is
	uint8_t at;       // while timed, enum rg_stage: where the worker is
	uint16_t touched; // bit per stage: cycles[] has something of the unit at hand
	uint32_t n_left;  // busy polls until one is timed
	uint32_t random;  // state of the draw, not 0
	uint32_t reading; // cycles that a boundary itself takes
	uint64_t last;    // clock at the last boundary
	uint64_t n_sent;  // packets, before this poll
	const struct rg_stats *stats;
	struct rg_stages *out; // worker: rw, ctl: ro
	uint64_t cycles[RG_N_STAGES];
};
static_assert(RG_N_STAGES <= 16, "bits of touched");

// seed: any; stats: of the worker; out: zeroed.
void stages_init(struct stages *s, uint32_t seed, const struct rg_stats *stats,
		 struct rg_stages *out);
// Measures what a boundary takes, so that it is not counted as part of the stages.
void stages_calibrate(struct stages *s);

uint64_t stage_clock(void); // cycles

// The same once the poll is known to be timed.
void stage_switch(struct stages *s, enum rg_stage to);
void stage_switch_unit(struct stages *s, enum rg_stage to);
void stages_open(struct stages *s);
void stages_close(struct stages *s, bool is_busy, unsigned n_received);

// What follows belongs to another stage.
static inline void stage_to(struct stages *s, enum rg_stage to) {
	if (__builtin_expect(s->is_timed, 0))
		stage_switch(s, to);
}

// The same, and what came before was one sample of each stage it went through: work on one packet,
// one answer. Cycles of rx, tx and poll are kept until the poll ends: they are work on many.
static inline void stage_unit(struct stages *s, enum rg_stage to) {
	if (__builtin_expect(s->is_timed, 0))
		stage_switch_unit(s, to);
}

// Around a poll, which begins in stage poll.
static inline void stages_begin(struct stages *s) {
	if (__builtin_expect(s->n_left == 0, 0))
		stages_open(s);
}

// A poll that found nothing is forgotten, and the next one timed in its place.
static inline void stages_end(struct stages *s, bool is_busy, unsigned n_received) {
	if (__builtin_expect(s->is_timed, 0))
		stages_close(s, is_busy, n_received);
	else
		s->n_left -= is_busy;
}
