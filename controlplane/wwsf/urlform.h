// SPDX-License-Identifier: BSD-3-Clause
// application/x-www-form-urlencoded (URL standard 5.1), one value at a time. No I/O.
#pragma once

#include "regate/slice.h"

// Appends the decoded value of name. 0, RG_E_STALE (not there), RG_E_CONFLICT (there twice: RFC 6749 3.2),
// RG_E_PROTO (a broken escape in it), RG_E_LIMIT (no room). Others in the body are not looked at.
[[nodiscard]] int urlform_get(struct rg_slice body, const char *name, struct rg_wr *out);
