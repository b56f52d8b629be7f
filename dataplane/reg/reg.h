// SPDX-License-Identifier: BSD-3-Clause
// The decision for one REGISTER on a client's flow (ims.md 4.3): a pure function of the message,
// the flow, the lease entry and the time. The caller sends what it says.
#pragma once

#include <assert.h>

#include "regate/dp.h"
#include "regate/lease.h"
#include "regate/punt.h"
#include "regate/sip.h"
#include "regate/sip_again.h"

#define REG_DROPS_UNTIL_CLOSE 20
#define REG_TICK_NS 10000 // of the rate limit: 32 bits of it are 12 hours

struct reg_flow { // per connection, kept by core; all zero but bound.lease_idx and wwsf at first
	// Of the last REGISTER of the usual form that was answered 200 here, or else of the last token
	// that had a lease, and of that lease; 0 = none
	uint64_t mark;
	struct rg_binding bound;
	uint32_t lease_at;        // with mark: where the lease table has it
	uint32_t call_id_hash;    // whose CSeq the next is
	uint32_t last_cseq : 31;  // 0 = none
	uint32_t was_limited : 1; // the one 503 was sent
	uint32_t tokens_at;       // ticks: time up to which the bucket is used (GCRA)
	uint16_t n_drops : 5;     // REGISTERs dropped in a row since then
	uint16_t core_asked : 11; // rule 11: of the due time that the control plane was told
	uint16_t wwsf;            // of the Origin; UINT16_MAX = none given
};
static_assert(sizeof(struct reg_flow) == 48, "part of the 256 bytes of a connection");

#define REG_MARK_MESSAGE 1u // lowest bit of a mark: of a REGISTER

static inline bool reg_has_message(const struct reg_flow *f) {
	return (f->mark & REG_MARK_MESSAGE) != 0;
}

static inline bool reg_is_bound(const struct reg_flow *f) {
	return f->bound.lease_idx != RG_LEASE_NONE;
}

// Key of token tags: all of it random, drawn by the worker at its start, never told to anybody.
struct reg_tag_key {
	uint64_t len[2], fold;
	uint8_t blocks[RG_TOKEN_MAX];
};

struct reg_tokens { // what a worker finds leases by
	const struct rg_lease_table *leases;
	struct rg_digester *digester;
	const struct reg_tag_key *key;
};

enum reg_verdict {
	REG_ANSWER, // send `answer`; when bind, the flow is bound to `bound`
	REG_PUNT,   // pass on with `reason`
	REG_DROP,   // say nothing (rate)
	REG_CLOSE,  // close 1008 (rate, sustained)
};

struct reg_out {
	enum reg_verdict verdict;
	enum rg_punt_reason reason; // REG_PUNT, or why it is refused
	struct sip_answer answer;   // REG_ANSWER; slices point into the view, the message and here
	bool is_bind;               // REG_ANSWER 200: bound below is new for the flow
	bool is_moved;    // the lease was not on this flow, or over: tell the control plane
	bool is_core_due; // the core's binding is due, and this flow has not told yet
	struct rg_binding bound;
	uint8_t text[512]; // challenge lines
	uint8_t contact[RG_CONTACT_MAX];
};

// Is the flow within its rate? Called before parsing (rule 2): REG_ANSWER with answer.status 0 = go
// on, with 503 = send that, once; else drop, or close. REG_PUNT never. Sets no answer.peer.
void reg_rate(const struct rg_reg_cfg *cfg, struct reg_flow *f, uint64_t now_ns,
	      struct reg_out *out);

// The lease of a bearer token: true when the table has one. On a flow that showed the same token
// before, and has no message to go by, without its digest and at the place remembered; the table
// decides in any case, so what was revoked is gone at once. *digest is set either way. The view is
// valid until the worker's quiescent state.
[[nodiscard]] bool reg_find_lease(const struct reg_tokens *t, struct reg_flow *f,
				  struct rg_slice token, struct rg_digest *digest,
				  struct rg_lease_view *out);
// Does this REGISTER repeat the last one that was accepted on this flow (again.c)? Then *out is the view
// of its lease, all that has been found of that one holds for this one, and reg_decide_again() may
// decide.
[[nodiscard]] bool reg_find_again(const struct reg_tokens *t, const struct reg_flow *f,
				  const struct sip_again *a, struct rg_lease_view *out);
// The REGISTER is answered 200 with this Contact, its view is as sip_again_is() wants it, and the flow is
// bound to `lease`. False: one like it is to be looked at anew.
[[nodiscard]] bool reg_learn(const struct reg_tokens *t, struct reg_flow *f,
			     const struct sip_again *a, const struct rg_slice *contact,
			     const struct rg_lease_view *lease);
// What the flow sends now is of another form: its token's tag does more.
void reg_unlearn(struct reg_flow *f);
// For a batch of flows: first this for each, then reg_prefetch_lease() for each (it reads what this
// fetched), then the work. Both do nothing on a flow that showed no token yet.
void reg_prefetch(const struct rg_lease_table *leases, const struct reg_flow *f);
void reg_prefetch_lease(const struct rg_lease_table *leases, const struct reg_flow *f);

// Tag of a token under the key, never 0; 0 when this CPU cannot, or for more than RG_TOKEN_MAX.
uint64_t reg_token_tag(const struct reg_tag_key *key, struct rg_slice token);

// lease: the view for the REGISTER's token, or NULL when the table has none or there is no token.
void reg_decide(const struct rg_reg_cfg *cfg, struct reg_flow *f, const struct sip_register *r,
		const struct rg_addr *peer, const struct rg_lease_view *lease, uint64_t now_ns,
		struct reg_out *out);

// The same after reg_find_again(), of a->r: what does not change is not looked at.
void reg_decide_again(const struct rg_reg_cfg *cfg, struct reg_flow *f,
		      const struct sip_register *r, const struct rg_addr *peer,
		      const struct rg_lease_view *lease, uint64_t now_ns, struct reg_out *out);

// The control plane was told of this due time (reg_out.is_core_due).
void reg_core_asked(struct reg_flow *f, const struct rg_lease_view *lease);

// 401 with the Bearer challenge (RFC 8898; never a bare scheme, ims.md 0.7). error may be NULL.
void reg_put_challenge(struct rg_wr *w, const struct rg_reg_cfg *cfg, const char *error);
