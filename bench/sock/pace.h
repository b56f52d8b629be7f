// SPDX-License-Identifier: BSD-3-Clause
// When the next job is due: an open loop by the clock, a closed one when there is room.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pace {
	double rate;      // per second, of an open loop with random gaps; 0: a closed loop
	uint32_t window;  // of a closed loop: under way at once
	uint64_t next_ns; // of an open loop: when the next is due
};

// xorshift64*; never 0.
static inline uint64_t pace_random(uint64_t *state) {
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

// Moves to the next due time of a Poisson process.
void pace_step(struct pace *p, uint64_t *random);
