// SPDX-License-Identifier: BSD-3-Clause
// Large arrays by mmap(), outside the heap: lazily touched, transparently huge. Called at start and
// stop only, by any thread.
#include "regate/huge.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_BYTES ((size_t)2 << 20)

static size_t map_len(size_t n, size_t size) {
	size_t len;

	if (__builtin_mul_overflow(n, size, &len) || len > SIZE_MAX / 2)
		return 0;
	return len == 0 ? 1 : len;
}

// NORESERVE: an engine for ten million connections may name more memory than there is; what is
// never used must not count.
static void *map(size_t len) {
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

// A huge page needs its alignment: what is in front of it and behind the array goes back.
static void *map_huge(size_t len) {
	uint8_t *p = map(len + HUGE_BYTES);
	size_t skip, rest;

	if (p == NULL)
		return NULL;
	skip = (size_t)(-(uintptr_t)p & (HUGE_BYTES - 1));
	len = (len + 4095) & ~(size_t)4095;
	rest = HUGE_BYTES - skip;
	if (skip > 0)
		munmap(p, skip);
	munmap(p + skip + len, rest);
	madvise(p + skip, len, MADV_HUGEPAGE); // a kernel without them: small pages do
	return p + skip;
}

void *rg_huge_alloc(size_t n, size_t size) {
	size_t len = map_len(n, size);

	void *p;

	if (len == 0)
		return NULL;
	p = len < HUGE_BYTES ? map(len) : map_huge(len);
	if (p != NULL)
		madvise(p, len, MADV_DONTDUMP); // keys of connections are in them
	return p;
}

void rg_huge_free(void *p, size_t n, size_t size) {
	if (p != NULL)
		munmap(p, map_len(n, size));
}
