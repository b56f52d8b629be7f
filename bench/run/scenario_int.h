// SPDX-License-Identifier: BSD-3-Clause
// The table of keys, for the files that read and show scenarios.
#pragma once

#include "conf/conf_impl.h"
#include "scenario.h"

#define SCENARIO_MAX_KEYS 64

struct scenario_key {
	struct conf_key k;
	unsigned drivers; // bit per enum scenario_driver that looks at it
};

extern const struct scenario_key scenario_keys[];
extern const size_t scenario_n_keys;
extern const unsigned scenario_kinds_of[N_DRIVERS]; // bit per enum scenario_kind

const struct scenario_key *scenario_key(const char *name); // NULL: there is none
// The n-th of "a|b|c"; "" behind the last. Valid until the table is gone.
struct rg_slice scenario_choice(const char *choices, uint64_t n);
uint64_t scenario_number(const struct scenario *sc, const struct conf_key *k);
const char *scenario_text(const struct scenario *sc, const struct conf_key *k);
