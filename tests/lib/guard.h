// SPDX-License-Identifier: BSD-3-Clause
// Test input that ends right before a PROT_NONE page, so that reading past it is a crash; and hex.
#pragma once

#include "regate/slice.h"

// A copy of s that ends against a guard page. Never freed: tests are short.
struct rg_slice guard_copy(struct rg_slice s);
// The same from hex digits ("82 7e 01"; blanks ignored). Aborts on bad hex.
struct rg_slice guard_hex(const char *hex);
static inline struct rg_slice guard_str(const char *s) {
	return guard_copy(rg_str(s));
}
