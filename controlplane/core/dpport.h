// SPDX-License-Identifier: BSD-3-Clause
// How control-plane folders answer a client without knowing the dataplane: main.c connects this to
// rg_dp_reply() with an overflow queue, tests record it.
#pragma once

#include "regate/punt.h"

struct dpport {
	void *ctx;
	// r->len is set by the callee; payload is copied.
	void (*reply)(void *ctx, const struct rg_reply *r, struct rg_slice payload);
};
