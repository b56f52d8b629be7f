// SPDX-License-Identifier: BSD-3-Clause
// malloc() of the test program, in front of glibc's. See malloc_count.h.
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "malloc_count.h"

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static long n_calls, fail_in;

static bool is_failing(void) {
	n_calls++;
	if (fail_in == 0 || --fail_in > 0)
		return false;
	errno = ENOMEM;
	return true;
}

static const void *needle;
static size_t needle_len;
static long n_found;

static void look(void *p) {
	if (needle != NULL && p != NULL &&
	    memmem(p, malloc_usable_size(p), needle, needle_len) != NULL)
		n_found++;
}

long malloc_watch(const void *bytes, size_t len) {
	long n = n_found;

	needle = bytes;
	needle_len = len;
	n_found = 0;
	return n;
}

void *malloc(size_t n) {
	return is_failing() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
	return is_failing() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n) {
	return is_failing() ? NULL : __libc_realloc(p, n);
}

void free(void *p) {
	look(p);
	__libc_free(p);
}

long malloc_calls(void) {
	return n_calls;
}

bool malloc_fail_at(long n) {
	fail_in = n;
	return true;
}
