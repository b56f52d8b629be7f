// SPDX-License-Identifier: BSD-3-Clause
// Between the killer and the process that it kills: notes through a pipe, each written before the
// process goes on, and what the killer knows of them, which the next process inherits by fork().
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/token.h"

#define KILL_PAIRS 64
#define KILL_IMPORTS 512 // pairs of a pool that nobody is served from

enum note_kind {
	NOTE_SERVING,  // what was acknowledged is known again
	NOTE_GRANTED,  // acknowledged
	NOTE_RENEWING, // a renewal may be stored from now on
	NOTE_RENEWED,
	NOTE_ENDING,   // revocation or release was asked for
	NOTE_IMPORTED, // acknowledged
	NOTE_SWAPPING, // the imported pair may be removed, or back, from now on
	NOTE_SWAPPED,  // gen: is it there?
	NOTE_FAULT,    // text
};

struct note {
	uint32_t kind, idx;
	uint64_t gen, end_ns; // CLOCK_BOOTTIME
	uint32_t sub;
	uint64_t at_ns;
	struct rg_digest digest;
	char text[64];
};

struct known_pair { // from acknowledgements alone
	uint64_t gen;
	uint32_t sub;
	bool is_ending;
	struct rg_digest tokens[2]; // newest first
	uint64_t token_end_ns[2];
	unsigned n_unsure; // renewals begun after the newest
};

struct kill_world {
	const char *path;
	struct known_pair pairs[KILL_PAIRS];
	bool is_imported[KILL_IMPORTS];
	bool is_there, is_swapping; // the imported pair
	uint32_t n_subs;
	uint64_t life;
	const char *point; // die there, the at-th time; NULL: killed from outside
	unsigned at;
};

// Never returns.
_Noreturn void kill_life(const struct kill_world *k, int fd);
