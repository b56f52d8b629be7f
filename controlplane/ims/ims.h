// SPDX-License-Identifier: BSD-3-Clause
// Registration in the IMS core. b2bua.c takes a punted REGISTER, checks what the worker could not,
// and registers the pair by Trusted Node Authentication (ims.md 1.4, 1.5); client.c is the
// non-INVITE client transaction (RFC 3261 17.1.2) over transport.c (one TCP connection, or UDP).
#pragma once

#include <stdint.h>

#include "conf/conf.h"
#include "core/dpport.h"
#include "core/env.h"
#include "core/log.h"
#include "ims/kpi.h"
#include "lease/lease.h"
#include "regate/punt.h"
#include "token/issuers.h"

struct ims;

struct ims_stats {
	uint64_t core_requests, core_retransmits, core_answers, core_timeouts, core_connects;
	uint64_t register_initial, register_refresh, deregister; // sent to the core
	uint64_t client_ok, client_refused;                      // answers to clients
	uint64_t suspects;        // pairs taken out of rotation for the core's 403 or 404
	uint64_t suspects_spared; // and left there: it refuses all of their pool
	uint64_t refused_runs;    // times that it began to
};

// conf, env, leases and port are borrowed. NULL with one line in err. Connects lazily: a core
// that is away is an answer (504) to a client, not a reason not to start.
[[nodiscard]] struct ims *ims_new(const struct conf *conf, struct env *env, struct log *log,
				  struct lease_engine *leases, const struct dpport *port, char *err,
				  size_t err_len);
void ims_free(struct ims *ims);
// Tokens of other issuers are taken from now on (borrowed, until ims_free()).
void ims_set_issuers(struct ims *ims, struct token_issuers *issuers, struct rg_digester *digester);

// A RG_PUNT_REGISTER: answers through port, once, now or later.
void ims_register(struct ims *ims, const struct rg_punt *p, struct rg_slice message);
// RG_PUNT_CORE_DUE: refreshes the binding in the core without a client waiting (ims.md 4.3 rule 11).
void ims_refresh(struct ims *ims, uint32_t idx, uint64_t gen);
// lease_ops.deregister: de-registers l in the core without a client waiting.
void ims_deregister(struct ims *ims, const struct lease *l);
const struct ims_stats *ims_get_stats(const struct ims *ims);
const struct kpi *ims_get_kpi(const struct ims *ims);
bool ims_is_connected(const struct ims *ims); // UDP: true after the last request was answered
