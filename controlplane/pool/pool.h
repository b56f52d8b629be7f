// SPDX-License-Identifier: BSD-3-Clause
// Identity pairs from outside: pool files, and lines of import files.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/env.h"
#include "regate/slice.h"

#define POOL_ID_MAX 255 // bytes of an IMPI or IMPU

// Username and realm of a private identity (3GPP TS 23.003 13.3: a NAI, RFC 4282 2.1).
bool pool_is_impi(const char *s);
// 3GPP TS 23.003 13.4: a SIP URI here, without port, parameters or headers.
bool pool_is_impu(const char *s);

// --- pool files, read at start: one pair per line, "impi impu" ('#' comments, blank lines).
//   pool-00017@ims.example.net sip:pool-00017@ims.example.net
// Calls add for every pair; add returns 0, RG_E_CONFLICT (duplicate) or RG_E_LIMIT. Returns the
// number of pairs, or negative with one line "file:line: what, cure" in err. In any case the caller
// frees to->text, which holds the strings that add was given.
struct pool_sink {
	int (*add)(void *arg, const char *impi, const char *impu);
	void *arg;
	uint8_t *text; // out
};
long pool_load(struct env *e, const char *path, struct pool_sink *to, char *err, size_t err_len);

// --- import files, line by line
enum pool_format {
	POOL_CSV,  // RFC 4180, one record per line: impi,impu; further columns are ignored
	POOL_JSON, // one object per line: {"impi":"..","impu":".."}; further members are ignored
};
#define POOL_LINE_MAX 4096 // bytes

struct pool_pair {
	char impi[POOL_ID_MAX + 1], impu[POOL_ID_MAX + 1];
};

// The pair of one line, which comes without its line ending (CR is taken off). 0; RG_MORE: none on it
// (blank, or the header of a CSV file); RG_E_PROTO with what is wrong and the cure in *why (static).
// A byte order mark before the line is skipped.
[[nodiscard]] int pool_line_parse(enum pool_format format, struct rg_slice line,
				  struct pool_pair *out, const char **why);
// Writes the line that parses to this pair, with its line ending.
void pool_line_put(struct rg_wr *w, enum pool_format format, const char *impi, const char *impu);
#define POOL_CSV_HEADER "impi,impu\n"
