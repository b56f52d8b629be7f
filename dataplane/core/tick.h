// SPDX-License-Identifier: BSD-3-Clause
// Coarse time in 32 bits: what a connection keeps of the clock. Pure functions.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/clock.h"

// A tick is 2^24 ns (17 ms). Ticks wrap: only the difference of two that lie
// within a year of each other means something.
#define TICK_SHIFT 24

static inline uint32_t tick_of(uint64_t ns) {
	return (uint32_t)(ns >> TICK_SHIFT);
}

// The first tick at which s seconds from now_ns have passed.
static inline uint32_t tick_in(uint64_t now_ns, uint64_t s) {
	return tick_of(now_ns + s * RG_NS_PER_S) + 1;
}

// Have s seconds passed since that tick?
static inline bool is_tick_old(uint64_t now_ns, uint32_t since, uint64_t s) {
	return tick_of(now_ns) - since > tick_of(s * RG_NS_PER_S);
}

static inline bool is_tick_due(uint64_t now_ns, uint32_t deadline) {
	return (int32_t)(tick_of(now_ns) - deadline) >= 0;
}
