// SPDX-License-Identifier: BSD-3-Clause
// 300 operations on a SQLite store over disk.h, each acknowledged before the next, and what must be
// found afterwards: all that was acknowledged, and of the operation under way the first writes, or none.
#pragma once

#include "disk.h"
#include "rows.h"

#define TRACE_OPS 300u
#define TRACE_PAIRS 24u
#define TRACE_WRITES 6u // of one operation

struct trace_state { // of each pair
	uint64_t gen[TRACE_PAIRS], rev[TRACE_PAIRS];
	uint64_t value; // of the one value
};

struct trace {
	struct env *env;
	struct store *s;                         // NULL = could not be opened
	struct trace_state acked[TRACE_OPS + 1]; // after so many operations, and the one under way
	struct trace_state tried;                // by the operation that was not acknowledged
	unsigned n_acked;
	bool is_acked[TRACE_WRITES]; // writes of the operation that ran last
};

void trace_setup(int n_pages);
void trace_teardown(void);
void trace_forget(void);                         // all that was stored, and that there was a store
[[nodiscard]] bool trace_begin(struct trace *t); // opens; false when that fails
// Up to operation n or the first that fails: false. Each acknowledgement is a mark in the log.
bool trace_run(struct trace *t, unsigned n);
void trace_end(struct trace *t);
// After a failure: waits at most 5 s until it is up, or opens; takes over what is there. False when
// that cannot be.
bool trace_begin_again(struct trace *t);
// Opens what is on the disk, as after a restart: it must be what n_acked operations made, and maybe
// some of the next. Text of what is wrong, or NULL. is_open: the file could be opened and read.
const char *trace_check(const struct trace *t, unsigned n_acked, bool *is_open);
