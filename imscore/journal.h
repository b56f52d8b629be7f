// SPDX-License-Identifier: BSD-3-Clause
// One JSON line per request and its answer, and the counters as one JSON line.
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "registrar.h"

// out may be NULL: nothing is written then.
void journal_exchange(FILE *out, const struct sip_msg *m, const char *transport, uint64_t now_ns,
		      unsigned status);
void journal_counters(FILE *out, const struct registrar_stats *s);
