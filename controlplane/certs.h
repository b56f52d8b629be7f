// SPDX-License-Identifier: BSD-3-Clause
// Server certificates as the control plane cares for them: which files, and a daily look at when
// they end.
#pragma once

#include "conf/conf.h"
#include "core/env.h"
#include "core/log.h"
#include "regate/dp.h"

struct certs_watch {
	struct env *env;
	struct log *log;
	const struct rg_dp *dp;
	struct env_timer timer;
};

// 1 + conf->n_certs files; that of tls: is the first, which clients get who ask for no name of
// another. The caller frees. NULL without memory.
[[nodiscard]] struct rg_cert_file *certs_files(const struct conf *conf);
// The secret of session tickets: from its file, else random. 0, or negative with one line in err.
[[nodiscard]] int certs_ticket_secret(struct env *env, const struct conf *conf, uint8_t out[32],
				      char *err, size_t err_len);
// Warns now and every day of certificates that end soon or have ended.
void certs_watch_start(struct certs_watch *w, struct env *env, struct log *log,
		       const struct rg_dp *dp);
void certs_watch_stop(struct certs_watch *w); // also when it was not started
