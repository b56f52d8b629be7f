// SPDX-License-Identifier: BSD-3-Clause
// The operator of the world's gateways.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gateway;
struct world;

struct operator_ask { // an import or removal, or a drain
	struct gateway *g;
	uint64_t n_opened; // of its pool, before
	uint16_t pool;
	bool is_removal;
};

void operator_step(struct world *w);
void operator_heal(struct world *w); // all pairs are there, and are given out
