// SPDX-License-Identifier: BSD-3-Clause
// What the fuzz targets share. A target is one LLVMFuzzerTestOneInput(): deterministic, and nothing
// of one input is left for the next. It is linked with replay.c, or with libFuzzer.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "regate/err.h"
#include "regate/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

// A property; it does not hold: abort.
#define FUZZ_CHECK(cond) ((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))
_Noreturn void fuzz_fail(const char *file, int line, const char *cond);

#define FUZZ_GUARDS 4
#define FUZZ_GUARD_MAX 131072

// A copy of s that ends right before a PROT_NONE page, in one of FUZZ_GUARDS places; it lasts until
// the next call for that place.
struct rg_slice fuzz_guard(unsigned place, struct rg_slice s);

// Is s a part of in?
static inline void fuzz_check_in(struct rg_slice in, struct rg_slice s) {
	FUZZ_CHECK(s.len == 0 || (s.p >= in.p && s.p + s.len <= in.p + in.len));
}

// Is s where t is, both counted from the start of what they are parts of?
static inline bool fuzz_is_same_place(struct rg_slice in, struct rg_slice s, struct rg_slice in2,
				      struct rg_slice t) {
	return s.len == t.len && (s.len == 0 || s.p - in.p == t.p - in2.p);
}

// The next cut of a prefix test: every length at first, then some.
static inline size_t fuzz_next_cut(size_t n) {
	return n < 256 ? n + 1 : n + 1 + n / 16;
}
