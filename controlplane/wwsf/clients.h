// SPDX-License-Identifier: BSD-3-Clause
// Servers that may ask about tokens (clients: of the configuration), known by id and secret. Of a secret
// only a keyed digest is kept. Loop thread.
#pragma once

#include "conf/conf.h"
#include "core/env.h"
#include "regate/slice.h"

struct wwsf_client {
	const char *id; // of conf
	uint16_t wwsf;  // whose tokens it may ask about; UINT16_MAX: anybody's
};

struct wwsf_clients;
// Reads the secrets. NULL with one line in err.
[[nodiscard]] struct wwsf_clients *wwsf_clients_load(const struct conf *conf, struct env *env,
						     char *err, size_t err_len);
// Reads them again. Negative with one line in err, and nothing has changed.
[[nodiscard]] int wwsf_clients_reload(struct wwsf_clients *c, const struct conf *conf,
				      struct env *env, char *err, size_t err_len);
void wwsf_clients_free(struct wwsf_clients *c); // accepts NULL
// By the value of an Authorization header with the Basic scheme (RFC 7617 2). NULL: nobody; an unknown
// id costs what a wrong secret does.
const struct wwsf_client *wwsf_clients_find(struct wwsf_clients *c, struct rg_slice authorization);
