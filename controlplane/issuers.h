// SPDX-License-Identifier: BSD-3-Clause
// WWSFs of the configuration that issue tokens by themselves. Control thread.
#pragma once

#include "conf/conf.h"
#include "token/issuers.h"

struct issuers {
	struct token_issuer_cfg *cfgs; // their keys are ours
	size_t n;
	struct http_client *http;
	struct token_issuers *issuers; // NULL: there are none
};

// Reads key files. 0 or negative with one line in err.
[[nodiscard]] int issuers_load(struct issuers *s, const struct conf *conf, struct env *env,
			       char *err, size_t err_len);
// Begins to fetch keys. 0 or negative with one line in err.
[[nodiscard]] int issuers_start(struct issuers *s, const struct conf *conf, struct env *env,
				struct log *log, char *err, size_t err_len);
void issuers_fini(struct issuers *s); // accepts a zeroed one
