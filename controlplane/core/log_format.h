// SPDX-License-Identifier: BSD-3-Clause
// The text of one log line. Private to controlplane/core and its tests.
#pragma once

#include "core/log.h"

#define LOG_LINE_MAX 4096 // bytes of a line with its LF
#define LOG_VALUE_MAX 512 // bytes of a value that are shown

// Writes one line, LF included, of at most LOG_LINE_MAX bytes, to out, which has that room. Fields
// that do not fit are left out, and the line then ends in cut=1.
void log_format(struct rg_wr *out, int64_t wall_ms, enum log_level level, const char *msg,
		const struct log_kv *kv);
