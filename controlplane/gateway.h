// SPDX-License-Identifier: BSD-3-Clause
// Puts the parts together: configuration in, a running gateway out. Control thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "core/env.h"
#include "core/log.h"

struct gateway;

// Reads every file the configuration names (keys, pools, accounts, page, certificate) and builds
// what needs neither store nor port: all that --check-config can find. 0 or negative with one line in err.
[[nodiscard]] int gateway_new(const struct conf *conf, struct env *env, struct log *log,
			      struct gateway **out, char *err, size_t err_len);
// Opens the store, starts the dataplane and the operator socket. 0 or negative with one line in err.
[[nodiscard]] int gateway_start(struct gateway *g, char *err, size_t err_len);
// Why the loop ended by itself: NULL after env_stop() from outside, else one line for the user.
const char *gateway_failure(const struct gateway *g);
void gateway_free(struct gateway *g); // accepts NULL and half-built
