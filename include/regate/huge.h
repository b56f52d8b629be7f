// SPDX-License-Identifier: BSD-3-Clause
// Memory for arrays that are sized at start and may be gigabytes.
#pragma once

#include <stddef.h>

// Zeroed memory for n objects of `size` bytes, at least page aligned; above 2 MiB on huge pages
// where the kernel gives them, and never in a core file. Pages are taken when they are first
// touched. NULL: no room, or n * size does not fit.
[[nodiscard]] void *rg_huge_alloc(size_t n, size_t size);
// Accepts NULL. n and size as they were.
void rg_huge_free(void *p, size_t n, size_t size);
