// SPDX-License-Identifier: BSD-3-Clause
// The core of the world: what it holds, and has still to do.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_BINDINGS 12 // per pair
#define MAX_CORE_JOBS 128

struct env_sim_end;
struct gateway;
struct world;

struct binding {
	bool is_used;
	uint32_t contact;          // its number
	uint64_t end_ns;           // true time
	uint64_t told_ns, high_ns; // what the gateway heard, and thinks at most
	uint64_t gen, call_id;     // as a hash
	uint32_t cseq;
	char element[192];
};

struct core_job { // what the core does later
	bool is_late;
	enum { JOB_APPLY, JOB_ANSWER } kind;
	uint64_t due_ns;
	unsigned life;
	struct gateway *g;
	struct env_sim_end *end;
	size_t len;
	char *bytes; // request or answer, malloc'd
};

enum core_mood { CORE_WELL, CORE_DEAD, CORE_SLOW, CORE_BUSY, CORE_REFUSES, CORE_LOSES, N_MOODS };

void core_read(struct gateway *g); // takes what the gateway has sent
bool core_run(struct world *w);    // does what is due; false: nothing was
uint64_t core_next_ns(const struct world *w);
void core_forget(struct world *w, struct gateway *g, bool is_reboot); // its connections are gone
void core_deregister(struct world *w);                                // by itself
void core_fini(struct world *w);
