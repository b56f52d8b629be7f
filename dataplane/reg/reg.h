// SPDX-License-Identifier: BSD-3-Clause
// The decision for one REGISTER on a client's flow (ims.md 4.3): a pure function of the message,
// the flow, the lease entry and the time. The caller sends what it says.
#pragma once

#include "regate/dp.h"
#include "regate/lease.h"
#include "regate/punt.h"
#include "regate/sip.h"

struct reg_flow { // per connection, kept by core
	struct rg_binding bound;
	uint32_t last_cseq; // of the Call-ID below; 0 = none
	uint64_t call_id_hash;
	uint64_t core_asked_ns; // rule 11: the due time for which the control plane was told
	uint64_t tokens_at_ns;  // rate limit: time up to which the bucket is used (GCRA)
	uint16_t wwsf;          // of the Origin; UINT16_MAX = none given
	bool was_limited;       // the one 503 was sent
	uint8_t n_drops;        // REGISTERs dropped in a row since then
};

enum reg_verdict {
	REG_ANSWER, // send `answer`; when bind, the flow is bound to `bound`
	REG_PUNT,   // pass on with `reason`
	REG_DROP,   // say nothing (rate)
	REG_CLOSE,  // close 1008 (rate, sustained)
};

struct reg_out {
	enum reg_verdict verdict;
	enum rg_punt_reason reason; // REG_PUNT
	struct sip_answer answer; // REG_ANSWER; slices point into the view, the message and `text`
	bool is_bind;             // REG_ANSWER 200: bound below is new for the flow
	bool is_moved;            // the lease was not on this flow before: tell the control plane
	bool is_core_due;         // the core's binding is due, and this flow has not told yet
	struct rg_binding bound;
	uint8_t text[512]; // challenge lines
};

// Is the flow within its rate? Called before parsing (rule 2): REG_ANSWER with answer.status 0 = go
// on, with 503 = send that, once; else drop, or close. REG_PUNT never. Sets no answer.peer.
void reg_rate(const struct rg_reg_cfg *cfg, struct reg_flow *f, uint64_t now_ns,
	      struct reg_out *out);

// lease: the view for the REGISTER's token, or NULL when the table has none or there is no token.
void reg_decide(const struct rg_reg_cfg *cfg, struct reg_flow *f, const struct sip_register *r,
		const struct rg_addr *peer, const struct rg_lease_view *lease, uint64_t now_ns,
		struct reg_out *out);

// 401 with the Bearer challenge (RFC 8898; never a bare scheme, ims.md 0.7). error may be NULL.
void reg_put_challenge(struct rg_wr *w, const struct rg_reg_cfg *cfg, const char *error);
