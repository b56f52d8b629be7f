// SPDX-License-Identifier: BSD-3-Clause
// The sockets of regate-imscore: UDP and TCP on one address, both to the same registrar.
#pragma once

#include <stdio.h>

#include "core/env.h"
#include "registrar.h"

struct server;
// journal may be NULL. Negative with one line in err.
[[nodiscard]] int server_new(struct env *env, const struct rg_addr *listen,
			     struct registrar *registrar, FILE *journal, struct server **out,
			     char *err, size_t err_len);
void server_free(struct server *s); // accepts NULL
