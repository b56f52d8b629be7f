// SPDX-License-Identifier: BSD-3-Clause
// Search for the highest rate whose loss is not above a bound (RFC 2544 26.1, by bisection). Engine
// without I/O: the driver runs at search_rate(), tells what was lost, and goes on until it is 0.
#pragma once

#include <stdbool.h>

struct search {
	double loss;      // highest that is good, of 1
	double good, bad; // highest rate that was good, lowest that was not; bad 0: none yet
	double rate;      // to try next
	double precision; // of 1: ends when good and bad are as close
	unsigned n_trials;
};

// Begins at `first`; doubles while it is good, halves while it is not, then bisects.
void search_init(struct search *s, double loss, double first, double precision);
double search_rate(const struct search *s);            // 0: done, or nothing is good
void search_tell(struct search *s, double lost_share); // of the rate that search_rate() gave
