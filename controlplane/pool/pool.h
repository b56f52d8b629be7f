// SPDX-License-Identifier: BSD-3-Clause
// Pool files: one identity pair per line, "impi impu" ('#' comments, blank lines).
//   pool-00017@ims.example.net sip:pool-00017@ims.example.net
#pragma once

#include <stddef.h>

#include "core/env.h"

// Calls add for every pair; add returns 0, RG_E_CONFLICT (duplicate) or RG_E_LIMIT. Returns the
// number of pairs, or negative with one line "file:line: what, cure" in err.
long pool_load(struct env *e, const char *path,
	       int (*add)(void *arg, const char *impi, const char *impu), void *arg, char *err,
	       size_t err_len);
