// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

_Noreturn void fuzz_fail(const char *file, int line, const char *cond) {
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, cond);
	abort();
}

struct rg_slice fuzz_guard(unsigned place, struct rg_slice s) {
	static uint8_t *ends[FUZZ_GUARDS];
	uint8_t **end = &ends[place];

	if (place >= FUZZ_GUARDS || s.len > FUZZ_GUARD_MAX)
		abort();
	if (*end == NULL) {
		uint8_t *m = mmap(NULL, FUZZ_GUARD_MAX + (size_t)sysconf(_SC_PAGESIZE),
				  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (m == MAP_FAILED || mprotect(m + FUZZ_GUARD_MAX, 1, PROT_NONE) != 0)
			abort();
		*end = m + FUZZ_GUARD_MAX;
	}
	if (s.len > 0)
		memcpy(*end - s.len, s.p, s.len);
	return rg_slice(*end - s.len, s.len);
}
