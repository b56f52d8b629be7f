// SPDX-License-Identifier: BSD-3-Clause
// Non-INVITE client transactions (RFC 3261 17.1.2) towards the core, and the short answer to
// whatever the core asks of us.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "core/env.h"
#include "core/log.h"
#include "ims/ims.h"
#include "regate/sip.h"

struct client_result {
	int rc;                       // 0, -ETIMEDOUT (Timer F), another transport error
	bool is_sent;                 // the core may have got it; always true with rc 0
	const struct sip_msg *answer; // final response with rc 0, valid for the call
};
typedef void client_done_fn(void *arg, const struct client_result *r);

struct client_id { // what an answer must repeat (RFC 3261 17.1.3, 8.1.1.5)
	struct rg_slice branch, call_id;
	uint32_t cseq;
};
#define CLIENT_BRANCH_MAX 48
#define CLIENT_CALL_ID_MAX 64

struct client;
// stats: the core_ members are kept up to date.
[[nodiscard]] struct client *client_new(const struct conf *conf, struct env *env, struct log *log,
					struct ims_stats *stats);
void client_free(struct client *c); // accepts NULL; open transactions end without a callback

// Must a request of that many bytes say UDP in its Via?
bool client_is_udp(const struct client *c, size_t len);
// Sends a REGISTER; done runs once, later. 0, or negative and done does not run.
[[nodiscard]] int client_send(struct client *c, struct rg_slice request, bool is_udp,
			      const struct client_id *id, client_done_fn *done, void *arg);
bool client_is_connected(const struct client *c);

// Does this Path handle of ours name a flow that is there? Without it nobody asks.
void client_set_flows(struct client *c, bool (*is_flow)(void *arg, struct rg_slice handle),
		      void *arg);
