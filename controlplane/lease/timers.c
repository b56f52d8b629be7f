// SPDX-License-Identifier: BSD-3-Clause
// What happens to a lease by itself: tokens end, a lost flow's grace runs out, de-registrations are
// tried again, and the lease goes into quarantine. One timer per pair, set to the first of these.
#include "lease/engine.h"

#include <stdlib.h>

static uint64_t first_ns(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

// Where others share the store, the core is only asked to end a binding once the record has said so:
// the client may have gone to another gateway, whose binding it would be.
static bool must_wait(const struct lease_pair *p) {
	return p->e->cfg.is_shared && (p->is_dirty || p->is_committing);
}

void lease_pair_arm(struct lease_pair *p) {
	uint64_t at_ns = first_ns(p->grace_ns, p->store_ns);

	if (!must_wait(p))
		at_ns = first_ns(at_ns, p->dereg_ns);
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (p->l.tokens[i].end_ns != 0)
			at_ns = first_ns(at_ns, p->l.tokens[i].end_ns);
	if (p->is_ending)
		at_ns = first_ns(at_ns, p->l.reassign_ns);
	if (at_ns == RG_NEVER)
		env_timer_cancel(p->e->env, &p->timer);
	else
		env_timer_set(p->e->env, &p->timer, at_ns);
}

void lease_pair_quarantine(struct lease_pair *p) {
	lease_pair_drop_tokens(p);
	lease_binding_clear(p);
	p->is_ending = p->has_proof = p->is_revived = false;
	p->n_tries = 0;
	p->grace_ns = p->dereg_ns = RG_NEVER;
	lease_pair_set_state(p, LEASE_QUARANTINE);
	if (p->e->fence.ask != NULL)
		p->fence = p->e->fence.ask(p->e->fence.ctx);
	lease_pool_hold(p);
	log_put(p->e->log, LOG_INFO, "lease.ended", LOG_U("lease", p->l.idx),
		LOG_U("gen", p->l.gen), LOG_S("impu", p->l.impu));
	lease_pair_arm(p);
}

void lease_pair_deregister(struct lease_pair *p) {
	lease_pair_set_state(p, LEASE_DEREG_PENDING);
	lease_pair_show_state(p);
	p->is_revived = false;
	p->grace_ns = RG_NEVER;
	p->dereg_ns = env_now_ns(p->e->env);
	lease_pair_arm(p);
}

void lease_pair_end(struct lease_pair *p) {
	p->is_ending = true;
	switch (p->l.state) {
	case LEASE_OFFERED:
		lease_pair_quarantine(p);
		break;
	case LEASE_ACTIVE:
	case LEASE_UNKNOWN:
		lease_pair_deregister(p);
		break;
	default: // a core request is under way: its end goes on from here
		lease_pair_arm(p);
	}
}

static void note_end(struct lease_pair *p, uint64_t end_ns) {
	if (p->ended_ms == 0)
		p->ended_ms = lease_clock_to_disk_ms(p->e, end_ns);
}

void lease_pair_void(struct lease_pair *p) {
	p->is_void = p->e->slots[p->l.idx].is_over = true;
	p->is_left = false;
	note_end(p, env_now_ns(p->e->env));
}

void lease_pair_settle(struct lease_pair *p) {
	uint64_t end_ns = lease_token_end_ns(&p->l);

	lease_pair_drop_ended(p);
	// While a token is on its way to the store, the lease may still go on.
	if (lease_is_live(&p->l) && !p->is_ending && p->l.tokens[0].end_ns == 0 &&
	    p->running == NULL && p->ops == NULL) {
		note_end(p, end_ns != 0 ? end_ns : env_now_ns(p->e->env));
		lease_pair_end(p);
	}
}

static void on_grace(struct lease_pair *p) {
	p->grace_ns = RG_NEVER;
	if (p->l.state ==
	    LEASE_PENDING) // a refresh; a client's own ends the grace when it succeeds
		p->grace_ns = lease_add_ns(env_now_ns(p->e->env), p->e->cfg.flow_grace_ns);
	if (p->l.state != LEASE_ACTIVE && p->l.state != LEASE_UNKNOWN)
		return;
	lease_pair_deregister(p);
	if (p->e->cfg.is_shared)
		lease_pair_persist(p);
}

void lease_pair_fn(struct env_timer *t, uint64_t now_ns) {
	struct lease_pair *p =
		(struct lease_pair *)((uint8_t *)t - offsetof(struct lease_pair, timer));
	bool is_due;

	lease_pair_settle(p);
	if (p->store_ns <= now_ns) {
		p->store_ns = RG_NEVER;
		lease_pair_run(p);
	}
	if (p->is_ending && p->l.reassign_ns <= now_ns)
		lease_pair_quarantine(p); // evidence by time (INV-7): no binding can be left
	if (p->grace_ns <= now_ns)
		on_grace(p);
	is_due = p->dereg_ns <= now_ns && p->l.state != LEASE_QUARANTINE && !must_wait(p);
	if (is_due) {
		p->dereg_ns = RG_NEVER;
		p->dereg_asked_ns = now_ns;
		if (p->l.state == LEASE_UNKNOWN)
			lease_pair_set_state(p, LEASE_DEREG_PENDING);
		lease_pair_show_state(p);
	}
	lease_pair_arm(p);
	if (is_due) // last: it may call back
		p->e->ops.deregister(p->e->ops.ctx, &p->l);
}
