// SPDX-License-Identifier: BSD-3-Clause
// Records of the store: at most one of a pair is in its hands at a time, so that none can overtake
// another, and each holds all that memory knew when it left.
#include <stdlib.h>

#include "lease/engine.h"

#include "regate/err.h"

#define RETRY_NS (5 * RG_NS_PER_S) // a record that the store refused

uint64_t lease_add_ns(uint64_t a, uint64_t b) {
	return a > RG_NEVER - b ? RG_NEVER : a + b;
}

// ims.md 6.2, clamp mode: no binding is asked for beyond the token's end; where the core made one,
// lease_pair_raise() follows.
uint64_t lease_reassign_ns(const struct lease_engine *e, uint64_t token_end_ns) {
	return lease_add_ns(token_end_ns,
			    e->cfg.clock_error_ns + e->cfg.t_sip_ns + e->cfg.core_slack_ns);
}

static int64_t to_disk_ms(const struct lease_engine *e, uint64_t ns) {
	return lease_clock_now_ms(e) +
	       ((int64_t)ns - (int64_t)env_now_ns(e->env)) / (int64_t)RG_NS_PER_MS;
}

static void fill_token(const struct lease_engine *e, const struct lease_token *t,
		       struct store_token *out) {
	if (t->end_ns != 0)
		*out = (struct store_token){t->digest, to_disk_ms(e, t->end_ns)};
}

static const char *pool_name(const struct lease_pair *p) {
	return p->l.pool < p->e->n_pool_names ? p->e->pool_names[p->l.pool] : "";
}

static void fill_row(const struct lease_pair *p, const struct lease_op *op,
		     struct store_lease *row) {
	const struct lease *l = &p->l;

	*row = (struct store_lease){
		.impi = l->impi,
		.impu = l->impu,
		.pool = pool_name(p),
		.sub = l->sub == NULL ? "" : l->sub,
		.gateway = "",
		.gen = l->gen,
		.rev = p->e->slots[l->idx].rev,
		.state = (uint8_t)l->state,
		.flags = p->e->slots[l->idx].is_imported ? STORE_IMPORTED : 0,
		.scenario = l->scenario,
		.granted_ms = p->granted_ms,
		// both clocks are read in whole milliseconds: never earlier than in memory
		.reassign_ms = to_disk_ms(p->e, l->reassign_ns) + 2,
	};
	if (op != NULL)
		fill_token(p->e, &op->issued, &row->tokens[0]);
	for (unsigned i = op != NULL, k = 0; i < STORE_TOKENS; i++, k++)
		fill_token(p->e, &l->tokens[k], &row->tokens[i]);
}

// XXX What another gateway did to the pair is not taken over yet: only one may use a store.
void lease_on_record(void *arg, const struct store_lease *row) {
	struct lease_engine *e = arg;
	uint32_t idx = lease_index_find(&e->by_impi, e, rg_str(row->impi));

	if (idx != LEASE_NO_PAIR)
		e->slots[idx].rev = row->rev;
}

static void on_commit(void *arg, int rc, uint64_t rev) {
	struct lease_pair *p = arg;
	struct lease_engine *e = p->e;
	struct lease_op *op = p->running;

	e->n_commits--;
	if (e->is_dead) {
		free(p);
		lease_engine_destroy(e);
		return;
	}
	p->is_committing = false;
	p->running = NULL;
	if (rc == 0)
		e->slots[p->l.idx].rev = rev;
	if (rc != 0) { // it may be durable or not: what memory knows is written over it
		log_put(e->log, LOG_ERROR, "lease.not_stored", LOG_U("lease", p->l.idx),
			LOG_U("gen", p->l.gen), LOG_S("why", rg_strerror(rc)));
		p->is_dirty = true;
		p->store_ns = lease_add_ns(env_now_ns(e->env), RETRY_NS);
	}
	if (op != NULL)
		lease_op_end(p, op, rc);
	lease_import_end(p, rc);
	lease_pair_run(p);
	lease_pair_arm(p);
	lease_pair_rest(p);
}

int lease_pair_commit(struct lease_pair *p, struct lease_op *op) {
	struct store_lease row;
	int rc;

	fill_row(p, op, &row);
	rc = store_commit(p->e->store, &row, on_commit, p);
	if (rc != 0)
		return rc;
	p->e->n_commits++;
	p->is_committing = true;
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
		if (rc != 0)
			lease_op_answer_late(p->e, op, rc);
	}
	lease_pair_settle(p);
	if (p->is_dirty && !p->is_committing && p->store_ns == RG_NEVER &&
	    lease_pair_commit(p, NULL) != 0)
		p->store_ns = lease_add_ns(env_now_ns(p->e->env), RETRY_NS);
	p->is_starting = false;
}

void lease_pair_persist(struct lease_pair *p) {
	p->is_dirty = true;
	lease_pair_run(p);
}

void lease_pair_raise(struct lease_pair *p, uint64_t reassign_ns) {
	if (reassign_ns <= p->l.reassign_ns)
		return;
	p->l.reassign_ns = reassign_ns;
	lease_pair_persist(p);
}
