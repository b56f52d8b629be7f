// SPDX-License-Identifier: BSD-3-Clause
// What ims/ reports of the core: bindings made, refused, ended, or unknown. At most one core
// request per lease is under way (PENDING or DEREG_PENDING), which is half of INV-7.
#include "core/crash_point.h"
#include "lease/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"

#define DEREG_RETRY_NS (8 * RG_NS_PER_S) // doubled each time
#define DEREG_RETRY_DOUBLINGS 5

// The client of a lease that another gateway registered, or gave out, is here now.
static void move_here(struct lease_pair *p) {
	if (lease_is_ours(p))
		return;
	p->e->counters.n_moved_in++;
	p->is_moving = true;
	p->moved_from = p->l.gateway;
	p->l.gateway = LEASE_GATEWAY_OURS;
	p->l.is_moved = true;
}

int lease_register_begin(struct lease_engine *e, uint32_t idx, uint64_t gen, uint64_t sent_end_ns) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	uint64_t reassign_ns = lease_add_ns(sent_end_ns, e->cfg.core_slack_ns + e->cfg.t_sip_ns);
	bool is_raised;

	if (p == NULL || p->is_ending)
		return RG_E_STALE;
	if (p->l.state == LEASE_PENDING || p->l.state == LEASE_DEREG_PENDING)
		return RG_E_CONFLICT;
	p->before = p->l.state;
	p->dereg_ns = RG_NEVER; // the client wants its binding again
	p->n_tries = 0;
	p->is_revived = p->has_proof = p->is_unused = false;
	lease_pair_set_state(p, LEASE_PENDING);
	move_here(p);
	// Expires clamped to the token's end (ims.md 6.2) never raise it; tokens of before the core
	// was seen to grant more do, once.
	if (e->baseline.is_on)
		reassign_ns = lease_later_ns(reassign_ns,
					     lease_reassign_ns(e, lease_token_end_ns(&p->l)));
	is_raised = lease_pair_raise(p, reassign_ns);
	if (p->is_moving)
		lease_pair_persist(p);
	lease_pair_arm(p);
	return p->is_moving || is_raised ? RG_MORE : 0;
}

static struct rg_slice copy(char **at, struct rg_slice s) {
	struct rg_slice out = {(const uint8_t *)*at, s.len};

	if (s.len > 0)
		memcpy(*at, s.p, s.len);
	*at += s.len;
	return out;
}

// All strings of a binding, of which the Contact is the first.
static char *binding_bytes(const struct lease_pair *p) {
	return (char *)p->l.binding.contact.p;
}

static int binding_set(struct lease_pair *p, const struct lease_binding *b) {
	char *at, *old,
		*bytes = malloc(b->contact.len + b->call_id.len + b->headers.len + b->to_tag.len +
				1);
	struct rg_slice contact;

	if (bytes == NULL)
		return -ENOMEM;
	old = binding_bytes(p);
	at = bytes;
	contact = copy(&at, b->contact); // begins the block
	p->l.binding = (struct lease_binding){
		.contact = contact,
		.call_id = copy(&at, b->call_id),
		.headers = copy(&at, b->headers),
		.to_tag = copy(&at, b->to_tag),
		.core_refresh_ns = b->core_refresh_ns,
		.core_low_ns = b->core_low_ns,
		.core_high_ns = b->core_high_ns,
	};
	free(old); // after the copy: b may be what we had
	CRASH_POINT("lease.before_register");
	return 0;
}

// A client that was told that it is registered for longer learns that it is not, and its flow does
// not outlive what it is bound to (INV-10). Its worker may have promised more since we were told.
static void end_flow(struct lease_pair *p) {
	if (p->l.flow.gen != 0 && p->l.promise_end_ns != 0)
		p->e->ops.close_flow(p->e->ops.ctx, p->l.flow, 1008);
	p->l.flow = (struct rg_conn_id){0};
	p->l.promise_end_ns = 0;
}

void lease_binding_clear(struct lease_pair *p) {
	end_flow(p);
	free(binding_bytes(p));
	p->l.binding = (struct lease_binding){0};
	p->l.core_call_id[0] = '\0';
	p->l.core_cseq = 0;
	p->l.is_stale = false;
}

// INV-10: the flow that registered last is the lease's.
static void take_flow(struct lease_pair *p, struct rg_conn_id flow, uint64_t promise_end_ns) {
	struct lease_engine *e = p->e;

	if (p->l.flow.gen != 0 && !rg_conn_eq(p->l.flow, flow))
		e->ops.close_flow(e->ops.ctx, p->l.flow, 1008);
	p->l.flow = flow;
	p->l.promise_end_ns = promise_end_ns;
	p->grace_ns =
		flow.gen != 0 ? RG_NEVER : lease_add_ns(env_now_ns(e->env), e->cfg.flow_grace_ns);
}

void lease_register_held(struct lease_engine *e, uint32_t idx, uint64_t gen, uint64_t high_ns) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p == NULL)
		return;
	lease_pair_raise(p, lease_add_ns(high_ns, e->cfg.t_sip_ns));
	lease_pair_arm(p);
}

static int confirm(struct lease_pair *p, const struct lease_binding *b) {
	int rc;

	if (p->l.state != LEASE_PENDING)
		return RG_E_CONFLICT;
	// core_high has the core's slack in it already (ims.md 4.2)
	lease_register_held(p->e, p->l.idx, p->l.gen, b->core_high_ns);
	rc = binding_set(p, b);
	if (rc != 0) { // the core has a binding that we cannot show
		lease_register_failed(p->e, p->l.idx, p->l.gen, true);
		return rc;
	}
	lease_pair_set_state(p, LEASE_ACTIVE);
	if (!lease_is_ours(p) && !p->is_ending) { // the client went to another gateway meanwhile
		lease_pair_offer(p, true);
		return -EAGAIN; // its token is still good, here or there
	}
	if (p->is_ending) { // revoked, or the last token ended, while the core was asked
		lease_pair_deregister(p);
		return RG_E_STALE;
	}
	p->l.is_stale = false;
	return 0;
}

static void show_binding(struct lease_pair *p) {
	int rc = lease_pair_publish(p);

	if (rc != 0)
		log_put(p->e->log, LOG_WARN, "lease.not_published", LOG_U("lease", p->l.idx),
			LOG_S("why", rg_strerror(rc)));
	lease_pair_arm(p);
}

int lease_register_done(struct lease_engine *e, uint32_t idx, uint64_t gen,
			const struct lease_binding *b, struct rg_conn_id flow,
			uint64_t promise_end_ns) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);
	int rc = p == NULL ? RG_E_STALE : confirm(p, b);

	if (rc != 0)
		return rc;
	take_flow(p, flow, promise_end_ns);
	show_binding(p);
	return p->is_raised || e->baseline.is_dirty ? RG_MORE : 0;
}

int lease_refresh_done(struct lease_engine *e, uint32_t idx, uint64_t gen,
		       const struct lease_binding *b) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);
	int rc = p == NULL ? RG_E_STALE : confirm(p, b);

	if (rc != 0)
		return rc;
	show_binding(p);
	return 0;
}

// The request is over; what the core holds is told by before and is_unknown. Of another gateway's
// lease that one ends it.
static void end_after_failure(struct lease_pair *p, bool is_unknown) {
	bool is_maybe_bound = is_unknown || p->before != LEASE_OFFERED || p->l.is_stale;

	if (is_maybe_bound && lease_is_ours(p))
		lease_pair_deregister(p);
	else
		lease_pair_quarantine(p);
}

// Nothing that is under way stays of the request.
static void go_back(struct lease_pair *p, enum lease_state state) {
	lease_pair_set_state(p, state);
	lease_pair_show_state(p);
	if (p->l.state != LEASE_OFFERED && p->l.flow.gen == 0)
		p->grace_ns = lease_add_ns(env_now_ns(p->e->env), p->e->cfg.flow_grace_ns);
	lease_pair_arm(p);
}

void lease_register_failed(struct lease_engine *e, uint32_t idx, uint64_t gen, bool is_unknown) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p == NULL || p->l.state != LEASE_PENDING)
		return;
	if (is_unknown)
		p->lost_register_ns = lease_add_ns(env_now_ns(e->env), e->cfg.t_sip_ns);
	if (p->is_ending) {
		end_after_failure(p, is_unknown);
		return;
	}
	go_back(p, is_unknown ? LEASE_UNKNOWN : p->before);
}

void lease_refresh_failed(struct lease_engine *e, uint32_t idx, uint64_t gen, bool is_unknown,
			  uint64_t retry_ns) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p == NULL || p->l.state != LEASE_PENDING)
		return;
	if (retry_ns == 0)
		p->l.is_stale = true;
	else
		p->l.binding.core_refresh_ns = retry_ns;
	lease_register_failed(e, idx, gen, is_unknown);
	if (p->l.state == LEASE_ACTIVE)
		show_binding(p);
}

int lease_dereg_begin(struct lease_engine *e, uint32_t idx, uint64_t gen) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p == NULL)
		return RG_E_STALE;
	if (p->is_ending || p->l.state == LEASE_PENDING || p->l.state == LEASE_DEREG_PENDING)
		return RG_E_CONFLICT;
	p->before = p->l.state;
	lease_pair_set_state(p, LEASE_DEREG_PENDING);
	lease_pair_show_state(p);
	p->grace_ns = p->dereg_ns = RG_NEVER;
	p->dereg_asked_ns = env_now_ns(e->env);
	if (e->cfg.is_shared) { // it may be another owner's by now
		move_here(p);
		lease_pair_persist(p);
	}
	lease_pair_arm(p);
	return e->cfg.is_shared ? RG_MORE : 0;
}

int lease_dereg_resume(struct lease_engine *e, uint32_t idx, uint64_t gen, int rc) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p == NULL || p->l.state != LEASE_DEREG_PENDING)
		return RG_E_STALE;
	if (rc == 0 && lease_is_ours(p)) {
		p->dereg_asked_ns = env_now_ns(e->env);
		return 0;
	}
	if (p->is_ending)
		end_after_failure(p, false);
	else if (!lease_is_ours(p)) // the client is elsewhere, or the store is away
		lease_pair_offer(p, true);
	else
		go_back(p, p->before);
	return rc == 0 ? RG_E_CONFLICT : rc;
}

// The user may come back with the same token.
void lease_pair_offer(struct lease_pair *p, bool is_stale) {
	lease_binding_clear(p);
	p->l.is_stale = is_stale;
	p->n_tries = 0;
	p->grace_ns = p->dereg_ns = RG_NEVER;
	lease_pair_set_state(p, LEASE_OFFERED);
	if (lease_pair_publish(p) != 0)
		log_put(p->e->log, LOG_WARN, "lease.not_published", LOG_U("lease", p->l.idx));
	lease_pair_arm(p);
}

// One that gets lost must not reach the core when the pair has its next owner.
static void retry_at(struct lease_pair *p, uint64_t at_ns) {
	bool is_late = lease_add_ns(at_ns, p->e->cfg.t_sip_ns) > p->l.reassign_ns;

	p->dereg_ns = is_late ? RG_NEVER : at_ns;
}

// If it has any: else time has ended it, and a renewal elsewhere that is told only now goes before.
static void void_tokens(struct lease_pair *p) {
	bool is_first = !p->is_void;

	if (p->l.tokens[0].end_ns <= env_now_ns(p->e->env))
		return;
	lease_pair_void(p);
	p->is_left = is_first;
}

// A REGISTER without an answer may still arrive and bind again: once more, when it cannot.
static void deregister_again(struct lease_pair *p) {
	void_tokens(p);
	lease_pair_drop_tokens(p);
	end_flow(p);
	p->is_ending = true;
	lease_pair_set_state(p, LEASE_UNKNOWN);
	retry_at(p, p->lost_register_ns);
	lease_pair_persist(p);
	lease_pair_arm(p);
}

// RELEASED (INV-7): evidence is there, nothing is under way nor can still arrive; the end of the
// quarantine awaits the fence. The only place where reassign_ns goes down (INV-4), and only for who
// registered it, alone.
bool lease_may_release(const struct lease_pair *p) {
	return lease_is_ours(p) && !p->l.is_moved;
}

void lease_pair_lower(struct lease_pair *p) {
	const struct lease_engine *e = p->e;
	uint64_t release_ns = lease_add_ns(env_now_ns(e->env), e->cfg.release_guard_ns);

	p->is_released = lease_may_release(p);
	if (!p->is_released)
		return;
	if (release_ns < p->lost_dereg_ns) // it must not end the next owner's binding
		release_ns = p->lost_dereg_ns;
	if (release_ns < p->l.reassign_ns)
		p->l.reassign_ns = release_ns;
}

void lease_pair_release(struct lease_pair *p) {
	lease_pair_lower(p);
	void_tokens(p);
	CRASH_POINT("lease.before_release");
	lease_pair_quarantine(p);
	lease_pair_persist(p);
	lease_pair_arm(p);
}

static void dereg_ended(struct lease_pair *p, bool keep_token, bool is_proof) {
	// We may hear of it late: a REGISTER that was lost may have arrived since.
	uint64_t at_ns =
		p->l.state == LEASE_DEREG_PENDING ? p->dereg_asked_ns : env_now_ns(p->e->env);
	bool is_late = p->lost_register_ns > at_ns;

	// Lost to another gateway, or renewed there: it goes on.
	keep_token |= !p->is_ending && (!lease_is_ours(p) || p->is_revived);
	if (!keep_token && is_late) {
		deregister_again(p);
	} else if (!keep_token) {
		lease_pair_release(p);
	} else if (p->is_ending) {
		lease_pair_quarantine(p);
	} else {
		p->is_revived = false;
		p->has_proof = is_proof && !is_late && lease_is_ours(p);
		lease_pair_offer(p, !lease_is_ours(p));
	}
}

void lease_dereg_done(struct lease_engine *e, uint32_t idx, uint64_t gen, bool keep_token) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p != NULL && p->l.state != LEASE_PENDING) // else the REGISTER under way will tell
		dereg_ended(p, keep_token, true);
}

void lease_dereg_unproved(struct lease_engine *e, uint32_t idx, uint64_t gen) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p != NULL && p->l.state != LEASE_PENDING)
		dereg_ended(p, true, false);
}

void lease_dereg_unknown(struct lease_engine *e, uint32_t idx, uint64_t gen) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p == NULL || p->l.state != LEASE_DEREG_PENDING)
		return;
	lease_pair_set_state(p, LEASE_UNKNOWN);
	lease_pair_show_state(p);
	p->lost_dereg_ns = lease_add_ns(env_now_ns(e->env), e->cfg.t_sip_ns);
	retry_at(p, lease_add_ns(env_now_ns(e->env), DEREG_RETRY_NS << p->n_tries));
	if (p->n_tries < DEREG_RETRY_DOUBLINGS)
		p->n_tries++;
	lease_pair_arm(p);
}

void lease_set_core_dialog(struct lease_engine *e, uint32_t idx, const char *call_id,
			   uint32_t cseq) {
	struct lease_pair *p = idx < e->n_pairs ? e->slots[idx].pair : NULL;

	if (p == NULL)
		return;
	snprintf(p->l.core_call_id, sizeof(p->l.core_call_id), "%s", call_id);
	p->l.core_cseq = cseq;
}
