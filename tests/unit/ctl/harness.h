// SPDX-License-Identifier: BSD-3-Clause
// A ctl on env_sim between stand-ins for its neighbours: what they say is set here, what they were
// told is read here.
#pragma once

#include <check.h>
#include <jansson.h>

#include "core/env_sim.h"
#include "ctl/ctl.h"
#include "guard.h"

#define SOCKET_PATH "/run/regate.sock"
#define FAKE_WORKERS 2

struct fake { // of the neighbours
	struct lease *pairs;
	uint32_t n_pairs;
	uint64_t n_scanned; // pairs that lease_scan() looked at
	uint32_t revoked_idx;
	uint64_t revoked_gen;
	int revoke_rc;
	struct lease_pool_stats pool;
	struct ims_stats ims;
	struct kpi kpi;
	struct lease_counters lease_counters;
	struct wwsf_stats wwsf;
	struct store_stats store;
	bool is_core_connected;
	struct rg_stats stats[FAKE_WORKERS];
	struct rg_stages stages[FAKE_WORKERS]; // 2 cycles a nanosecond
	unsigned n_workers;
	unsigned refuse_replies; // so many rg_dp_reply() calls give -EAGAIN
	struct rg_reply replies[16];
	unsigned n_replies;
	struct rg_cert_info certs[2];
	size_t n_certs;
	unsigned n_reloads;
	int reload_rc;
};
extern struct fake fake;

struct harness {
	struct env *env;
	struct log *log;
	int log_fd;
	struct conf conf;
	struct ctl_deps deps;
	struct ctl *ctl;
};

void harness_start(struct harness *h, bool has_dp);
void harness_stop(struct harness *h);
struct env_sim_end *harness_connect(struct harness *h);
// Sends one message, framed.
void harness_send(struct env_sim_end *end, const char *json);
// The next answer, or NULL when there is none yet. Aborts the test when it is malformed.
json_t *harness_read(struct env_sim_end *end);
// Sends, settles, reads. The answer is there and the caller's.
json_t *harness_ask(struct harness *h, struct env_sim_end *end, const char *json);
// Checks ok:false, code and that the sentence holds `part`; frees a.
void harness_refused(json_t *a, int code, const char *part);
// Checks the data of an answer as text, every member and their order; frees a.
void harness_data(json_t *a, const char *text);
bool harness_is_closed(struct env_sim_end *end);
