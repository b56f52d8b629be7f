// SPDX-License-Identifier: BSD-3-Clause
// Counts every allocation of the process, not only OpenSSL's. Two ways: malloc() itself replaced,
// or, where a sanitizer has replaced it already, the sanitizer's hook.
#pragma once

#include <stdbool.h>
#include <stddef.h>

long malloc_calls(void); // since the start
// The n-th from now fails, once; 0 = none. False where that cannot be done.
bool malloc_fail_at(long n);
// From now on, looks for these bytes in what is freed; NULL = no more. Returns how many blocks held
// those that it looked for before.
long malloc_watch(const void *bytes, size_t len);
