// SPDX-License-Identifier: BSD-3-Clause
// Records of the store: at most one of a pair is in its hands at a time, so that none can overtake
// another, and each holds all that memory knew when it left. What the watch tells meanwhile waits
// for the answer.
#include "core/crash_point.h"
#include "lease/grant.h"
#include "lease/import.h"

#include <errno.h>

#include <stdlib.h>

#include "regate/err.h"

#define RETRY_NS (5 * RG_NS_PER_S) // a record that the store refused

uint64_t lease_add_ns(uint64_t a, uint64_t b) {
	return a > RG_NEVER - b ? RG_NEVER : a + b;
}

// ims.md 6.2, clamp mode: no binding is asked for beyond the token's end; where the core made one,
// lease_pair_raise() follows.
uint64_t lease_reassign_floor_ns(const struct lease_engine *e, uint64_t token_end_ns) {
	return lease_add_ns(token_end_ns,
			    e->cfg.clock_error_ns + e->cfg.t_sip_ns + e->cfg.core_slack_ns);
}

// And the formula without feedback, once the core was seen to grant more than it was asked.
uint64_t lease_reassign_ns(const struct lease_engine *e, uint64_t token_end_ns) {
	return lease_add_ns(lease_reassign_floor_ns(e, token_end_ns),
			    e->baseline.is_on ? e->cfg.reg_max_ns : 0);
}

static void fill_token(const struct lease_engine *e, const struct lease_token *t,
		       struct store_token *out) {
	if (t->end_ns != 0)
		*out = (struct store_token){t->digest, lease_clock_to_disk_ms(e, t->end_ns)};
}

static uint8_t flags_of(const struct lease_pair *p) {
	const struct lease *l = &p->l;
	uint8_t flags = p->e->slots[l->idx].is_imported ? STORE_IMPORTED : 0;

	flags |= l->is_moved ? STORE_MOVED : 0;
	if (l->suspect != LEASE_SUSPECT_NONE)
		flags |= (uint8_t)(STORE_SUSPECT | l->suspect << STORE_CAUSE_SHIFT);
	return flags;
}

static void fill_row(const struct lease_pair *p, const struct lease_op *op,
		     struct store_lease *row) {
	const struct lease *l = &p->l;
	const struct lease_token *kept = op == NULL ? NULL : lease_op_kept(p, op);

	*row = (struct store_lease){
		.impi = l->impi,
		.impu = l->impu,
		.pool = lease_pool_name(p->e, l->pool),
		.sub = l->sub == NULL ? "" : l->sub,
		.gateway = lease_gateway_name(p->e, l),
		.gen = l->gen,
		.rev = p->e->slots[l->idx].rev,
		.state = (uint8_t)(p->is_ending ? LEASE_QUARANTINE : l->state),
		.flags = flags_of(p),
		.scenario = l->scenario,
		.granted_ms = p->granted_ms,
		.ended_ms = p->ended_ms,
		// both clocks are read in whole milliseconds: never earlier than in memory
		.reassign_ms = lease_clock_to_disk_ms(p->e, l->reassign_ns) + 2,
	};
	if (op == NULL) {
		for (unsigned i = 0; i < STORE_TOKENS; i++)
			fill_token(p->e, &l->tokens[i], &row->tokens[i]);
		return;
	}
	fill_token(p->e, &op->issued, &row->tokens[0]);
	if (kept != NULL)
		fill_token(p->e, kept, &row->tokens[1]);
}

// --- waiting

int lease_await(struct lease_engine *e, uint32_t idx, struct lease_wait *w) {
	struct lease_pair *p = idx < e->n_pairs ? e->slots[idx].pair : NULL;
	struct lease_wait **at;

	if (p == NULL || (!p->is_dirty && !p->is_committing && !e->baseline.is_dirty))
		return 0;
	at = &p->waits;
	while (*at != NULL)
		at = &(*at)->next;
	w->next = NULL;
	*at = w;
	return RG_MORE;
}

void lease_await_cancel(struct lease_engine *e, uint32_t idx, struct lease_wait *w) {
	struct lease_pair *p = e->slots[idx].pair;
	struct lease_wait **at;

	if (p == NULL)
		return;
	for (at = &p->waits; *at != NULL && *at != w;)
		at = &(*at)->next;
	if (*at != NULL)
		*at = w->next;
}

void lease_waits_end(struct lease_pair *p, int rc) {
	struct lease_wait *w;

	while ((w = p->waits) != NULL) {
		p->waits = w->next;
		w->done(w, rc);
	}
}

// --- commits

// All that memory is ahead of is durable now.
static void settle_durable(struct lease_pair *p) {
	p->is_void = p->is_left = p->is_marked = p->is_moving = false;
	if (p->is_raised) {
		p->is_raised = false;
		lease_pair_show_state(p);
	}
}

// The store may have the record or not: what memory knows is written over it. A move that is not
// known to be durable has not happened; that somebody tried stays on record.
static void settle_failed(struct lease_pair *p, int rc) {
	struct lease_engine *e = p->e;

	log_put(e->log, LOG_ERROR, "lease.not_stored", LOG_U("lease", p->l.idx),
		LOG_U("gen", p->l.gen), LOG_S("why", rg_strerror(rc)));
	if (p->is_moving)
		p->l.gateway = p->moved_from;
	p->is_moving = false;
	// Its identities are another record's: it stays withheld until somebody imports it again.
	p->is_dirty = rc != -EEXIST || !e->slots[p->l.idx].is_withheld;
	if (!p->is_dirty)
		return;
	p->store_ns = lease_add_ns(env_now_ns(e->env), RETRY_NS);
	e->probe_ns = p->store_ns;
}

// Another gateway's record came first; the watch has told it.
static void settle_conflict(struct lease_pair *p, struct lease_op *op) {
	bool is_told = p->news != NULL;

	p->e->counters.n_conflicts++;
	p->is_dirty |= p->was_dirty;
	if (op != NULL && op->is_new)
		lease_op_undo(p, op);
	lease_news_take(p);
	if (p->l.state == LEASE_FREE && !p->e->slots[p->l.idx].is_listed)
		lease_pool_give(p->e, p->l.idx);
	if (!is_told) // there was no memory for it: the next try is told again
		p->store_ns = lease_add_ns(env_now_ns(p->e->env), RETRY_NS);
	if (op != NULL)
		lease_op_again(p, op);
}

void lease_lost_clear(struct lease_pair *p) {
	free(p->lost);
	p->lost = NULL;
	p->n_lost = 0;
}

// Without memory: any may be on record.
static void keep_lost(struct lease_pair *p, const struct rg_digest *d) {
	if (p->lost == NULL && p->n_lost == 0)
		p->lost = malloc(LEASE_LOST_MAX * sizeof(*p->lost));
	if (p->lost == NULL || p->n_lost >= LEASE_LOST_MAX)
		p->n_lost = LEASE_LOST_MAX + 1;
	else
		p->lost[p->n_lost++] = *d;
}

// An answer that is no conflict. A token that its WWSF issued lives on, whatever becomes of our record of
// it: the next try may have its generation (the store's revision tells whether this one came through
// after all).
static void end_op(struct lease_pair *p, struct lease_op *op, int rc) {
	if (rc != 0 && op->is_new && op->is_adopted)
		lease_op_forget(p, op);
	else if (rc != 0)
		keep_lost(p, &op->issued.digest);
	lease_op_end(p, op, rc);
}

static void on_commit(void *arg, int rc, uint64_t rev) {
	struct lease_pair *p = arg;
	struct lease_engine *e = p->e;
	struct lease_op *op = p->running;

	CRASH_POINT("lease.after_commit_before_ack");
	e->n_commits--;
	if (e->is_dead) {
		free(p);
		lease_engine_destroy(e);
		return;
	}
	p->is_committing = false;
	p->running = NULL;
	p->n_holds++;
	if (rc == 0) {
		e->slots[p->l.idx].rev = rev;
		p->is_unsure = false;
		lease_lost_clear(p);
		if (!p->is_dirty)
			settle_durable(p);
	} else if (rc != RG_E_CONFLICT) {
		settle_failed(p, rc);
	}
	if (rc == RG_E_CONFLICT) {
		settle_conflict(p, op);
	} else {
		if (op != NULL)
			end_op(p, op, rc);
		lease_import_end(p, rc); // before the news, which may be its removal
		lease_news_take(p);
	}
	if (rc != 0 && rc != RG_E_CONFLICT)
		lease_waits_end(p, rc);
	p->n_holds--;
	lease_pair_go(p);
}

int lease_pair_commit(struct lease_pair *p, struct lease_op *op) {
	struct store_lease row;
	int rc;

	fill_row(p, op, &row);
	CRASH_POINT("lease.before_commit");
	rc = store_commit(p->e->store, &row, on_commit, p);
	if (rc != 0)
		return rc;
	CRASH_POINT("lease.after_queueing");
	p->e->n_commits++;
	p->is_committing = true;
	p->was_dirty = p->is_dirty;
	p->running = op;
	p->is_dirty = false;
	p->store_ns = RG_NEVER;
	return 0;
}

void lease_pair_run(struct lease_pair *p) {
	if (p->is_starting)
		return;
	p->is_starting = true;
	while (!p->is_committing && p->ops != NULL) {
		struct lease_op *op = p->ops;
		int rc;

		p->ops = op->next;
		if (p->ops == NULL)
			p->ops_last = &p->ops;
		rc = lease_op_start(p, op);
		if (rc != 0) {
			lease_op_forget(p, op);
			lease_op_answer_late(p->e, op, rc);
		}
	}
	lease_pair_settle(p);
	if (p->is_dirty && !p->is_committing && p->store_ns == RG_NEVER &&
	    lease_pair_commit(p, NULL) != 0)
		p->store_ns = lease_add_ns(env_now_ns(p->e->env), RETRY_NS);
	p->is_starting = false;
}

void lease_pair_go(struct lease_pair *p) {
	p->n_holds++;
	lease_pair_run(p);
	lease_pair_arm(p);
	if (!p->is_dirty && !p->is_committing && !p->e->baseline.is_dirty)
		lease_waits_end(p, 0);
	p->n_holds--;
	lease_pair_rest(p);
}

void lease_pair_persist(struct lease_pair *p) {
	p->is_dirty = true;
	lease_pair_run(p);
}

bool lease_pair_raise(struct lease_pair *p, uint64_t reassign_ns) {
	if (reassign_ns <= p->l.reassign_ns)
		return false;
	p->l.reassign_ns = reassign_ns;
	p->is_raised = true;
	lease_pair_show_state(p);
	lease_pair_persist(p);
	return true;
}
