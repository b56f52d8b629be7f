// SPDX-License-Identifier: BSD-3-Clause
// The allocations that a sanitizer reports. See malloc_count.h.
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "malloc_count.h"

// gcc brings the function without its header.
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *));

static long n_calls;

static const void *needle;
static size_t needle_len;
static long n_found;

static void look(void *p) {
	if (needle != NULL && p != NULL &&
	    memmem(p, malloc_usable_size(p), needle, needle_len) != NULL)
		n_found++;
}

static void on_malloc(const volatile void *p, size_t n) {
	(void)p;
	(void)n;
	n_calls++;
}

static void on_free(const volatile void *p) {
	look((void *)(uintptr_t)p);
}

long malloc_calls(void) {
	static bool is_installed;

	if (!is_installed)
		is_installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;
	return is_installed ? n_calls : -1;
}

bool malloc_fail_at(long n) {
	(void)n;
	return false;
}

long malloc_watch(const void *bytes, size_t len) {
	long n = n_found;

	needle = bytes;
	needle_len = len;
	n_found = 0;
	return n;
}
