// SPDX-License-Identifier: BSD-3-Clause
// Grants and renewals. A token is issued, stored, and only then shown to the workers and handed out
// (INV-6). What fails before the store has it costs nothing, later a quarantine, never exclusiveness.
#include "lease/grant.h"
#include "core/crash_point.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"

#define PROBE_NS (5 * RG_NS_PER_S) // between grants that find out whether the store is back

static void op_free(struct lease_op *op) {
	if (op->token != NULL)
		explicit_bzero(op->token, op->token_len);
	free(op->token);
	free((char *)op->ask.sub);
	free(op);
}

static void answer(struct lease_op *op, int rc, const struct lease *l) {
	CRASH_POINT("lease.before_answer");
	op->ask.done(op->ask.arg, rc, rc == 0 ? l : NULL,
		     rg_slice(op->token, rc == 0 ? op->token_len : 0));
	CRASH_POINT("lease.after_answer");
	op_free(op);
}

void lease_op_cancel(struct lease_op *op) {
	if (op != NULL)
		answer(op, -ECANCELED, NULL);
}

void lease_op_answer_late(struct lease_engine *e, struct lease_op *op, int rc) {
	op->rc = rc;
	op->next = NULL;
	*e->late_last = op;
	e->late_last = &op->next;
	env_timer_set(e->env, &e->late_timer, env_now_ns(e->env));
}

void lease_late_fn(struct env_timer *t, uint64_t) {
	struct lease_engine *e =
		(struct lease_engine *)((uint8_t *)t - offsetof(struct lease_engine, late_timer));
	struct lease_op *op, *list = e->late;

	e->late = NULL;
	e->late_last = &e->late;
	while ((op = list) != NULL) {
		list = op->next;
		answer(op, op->rc, NULL);
	}
}

static struct lease_was remember(const struct lease_pair *p) {
	const struct lease *l = &p->l;

	return (struct lease_was){
		.is_void = p->is_void,
		.is_left = p->is_left,
		.is_held = l->state == LEASE_QUARANTINE,
		.is_moved = l->is_moved,
		.is_released = p->is_released,
		.is_unused = p->is_unused,
		.is_over = p->e->slots[l->idx].is_over,
		.gateway = l->gateway,
		.scenario = l->scenario,
		.gen = l->gen,
		.reassign_ns = l->reassign_ns,
		.lost_register_ns = p->lost_register_ns,
		.lost_dereg_ns = p->lost_dereg_ns,
		.granted_ms = p->granted_ms,
		.ended_ms = p->ended_ms,
	};
}

int lease_op_assign(struct lease_pair *p, struct lease_op *op, uint64_t gen, uint16_t scenario) {
	struct lease *l = &p->l;
	char *sub = strdup(op->ask.sub);

	if (sub == NULL)
		return -ENOMEM;
	if (l->tokens[0].end_ns != 0 || p->e->slots[l->idx].is_listed)
		lease_bug(p->e, l->idx, "a pair in use is to be given out (I1)");
	op->was = remember(p);
	if (op->was.is_held)
		lease_pool_release(p);
	lease_pair_set_sub(p, sub);
	lease_pair_set_gen(p, gen);
	l->is_stale = l->is_moved = false;
	l->gateway = LEASE_GATEWAY_OURS;
	p->is_unsure = true;
	p->is_raised = p->is_void = p->is_left = p->has_proof = p->is_released = false;
	p->is_unused = !op->was.is_held; // an account's may follow one that is in the core still
	p->lost_register_ns = p->lost_dereg_ns = 0;
	p->ended_ms = 0;
	l->scenario = scenario;
	p->granted_ms = env_wall_ms(p->e->env);
	op->gen = l->gen;
	op->is_new = true;
	lease_pair_set_state(p, LEASE_OFFERED);
	return 0;
}

// New owner, new generation (INV-5).
static int assign(struct lease_pair *p, struct lease_op *op) {
	return lease_op_assign(p, op, p->e->slots[p->l.idx].gen + 1, op->ask.is_account ? 2 : 3);
}

// Its quarantine keeps an account's pair from others (of before a change of the files), not from
// the account itself: one owner does not overlap with itself.
static int admit_account(struct lease_pair *p, struct lease_op *op) {
	const struct lease *l = &p->l;
	bool is_own = l->sub != NULL && strcmp(l->sub, op->ask.sub) == 0;

	if (!lease_is_live(l) && (l->suspect != LEASE_SUSPECT_NONE || lease_is_frozen(p->e)))
		return RG_E_EXHAUSTED;
	if (l->state == LEASE_FREE || (l->state == LEASE_QUARANTINE && is_own))
		return assign(p, op);
	if (!is_own || l->state == LEASE_QUARANTINE || p->is_ending)
		return RG_E_EXHAUSTED;
	op->gen = l->gen;
	return 0;
}

static bool is_current(const struct lease_pair *p, const struct lease_op *op) {
	return lease_is_live(&p->l) && p->l.gen == op->gen && !p->is_ending;
}

static int issue(struct lease_pair *p, struct lease_op *op) {
	struct lease_engine *e = p->e;
	uint64_t now_ns = env_now_ns(e->env), end_ns = op->ask.token_end_ns;
	struct rg_wr w = rg_wr(e->scratch, sizeof(e->scratch));
	int rc;

	if (end_ns == 0)
		end_ns = lease_add_ns(now_ns, op->ask.token_life_ns);
	else if (end_ns <= now_ns)
		return RG_E_EXPIRED;
	rc = op->ask.issue(op->ask.arg, &p->l, end_ns, &w);
	if (rc == 0 && w.overflow)
		rc = RG_E_LIMIT;
	if (rc == 0) {
		op->token_room = w.len + (op->ask.sign == NULL ? 1 : LEASE_SIGNATURE_MAX);
		op->token = malloc(op->token_room);
		rc = op->token == NULL ? -ENOMEM : 0;
	}
	if (rc == 0) {
		memcpy(op->token, w.p, w.len);
		op->token_len = w.len;
		op->issued.end_ns = end_ns;
		op->issued.key = op->ask.key;
	}
	explicit_bzero(e->scratch, w.len);
	return rc;
}

// The token is whole.
static int commit(struct lease_pair *p, struct lease_op *op) {
	rg_token_digest(op->ask.digester, rg_slice(op->token, op->token_len), &op->issued.digest);
	return lease_pair_commit(p, op);
}

int lease_op_start(struct lease_pair *p, struct lease_op *op) {
	int rc;

	if (op->gen == 0)
		rc = admit_account(p, op);
	else
		rc = is_current(p, op) ? 0 : RG_E_STALE;
	if (rc == 0 && p->n_lost >= LEASE_LOST_MAX) // one more would make any token a lost one
		rc = -EAGAIN;
	if (rc == 0)
		rc = issue(p, op);
	if (rc != 0)
		return rc;
	// Before the store answers: it may have the record and not be able to say so.
	lease_pair_not_before(p, lease_reassign_ns(p->e, op->issued.end_ns));
	if (op->ask.sign == NULL)
		return commit(p, op);
	p->running = op;
	lease_sign(p, op);
	return 0;
}

void lease_op_signed(struct lease_pair *p, struct lease_op *op) {
	int rc = op->rc;

	op->pair = NULL;
	if (rc == 0 && op->token_len > RG_TOKEN_MAX)
		rc = RG_E_LIMIT;
	if (rc == 0)
		rc = is_current(p, op) ? commit(p, op) : RG_E_STALE;
	if (rc != 0) {
		lease_op_forget(p, op);
		lease_op_answer_late(p->e, op, rc);
		lease_news_take(p);
	}
	lease_pair_go(p);
}

// Beside the new token stays the one that the client showed, for that one it has; else the newest. An
// adopted token may be one that is there already, and only ends later.
const struct lease_token *lease_op_kept(const struct lease_pair *p, const struct lease_op *op) {
	const struct lease_token *t = p->l.tokens;

	for (unsigned i = 0; op->has_used && i < STORE_TOKENS; i++)
		if (t[i].end_ns != 0 && memcmp(&t[i].digest, &op->used, sizeof(op->used)) == 0)
			return &t[i];
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (t[i].end_ns != 0 &&
		    memcmp(&t[i].digest, &op->issued.digest, sizeof(op->issued.digest)) != 0)
			return &t[i];
	return NULL;
}

// Durable: from here on the token is good. Two stay, a third is void at once.
static int accept(struct lease_pair *p, const struct lease_op *op) {
	struct lease *l = &p->l;
	const struct lease_token *kept;
	int rc;

	if (op->issued.end_ns <= env_now_ns(p->e->env))
		return RG_E_EXPIRED;
	lease_pair_drop_ended(p);
	kept = lease_op_kept(p, op);
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (&l->tokens[i] != kept)
			lease_token_drop(p, i);
	if (kept == &l->tokens[1]) {
		l->tokens[0] = *kept;
		l->tokens[1] = (struct lease_token){0};
	}
	if (l->reassign_ns < lease_reassign_floor_ns(p->e, op->issued.end_ns))
		lease_bug(p->e, l->idx, "a token outlasts its pair (INV-6)");
	rc = lease_token_publish(p, &op->issued);
	if (rc != 0)
		return rc;
	l->tokens[1] = l->tokens[0];
	l->tokens[0] = op->issued;
	// The end of the binding that is under way is not the lease's: somebody has just been told.
	p->is_revived |= l->state == LEASE_DEREG_PENDING ||
			 (l->state == LEASE_UNKNOWN && p->dereg_ns != RG_NEVER);
	return 0;
}

void lease_op_end(struct lease_pair *p, struct lease_op *op, int rc) {
	if (rc == 0) {
		rc = is_current(p, op) ? accept(p, op) : RG_E_STALE;
		p->is_dirty |= rc != 0; // a token is on record that nobody got
	}
	if (rc == 0 && op->is_new)
		p->e->counters.n_granted++;
	else if (rc == 0)
		p->e->counters.n_renewed++;
	if (rc == 0)
		log_put(p->e->log, LOG_INFO, op->is_new ? "lease.granted" : "lease.renewed",
			LOG_U("lease", p->l.idx), LOG_U("gen", p->l.gen), LOG_S("impu", p->l.impu));
	// Without any token the lease is over before the answer, so that nobody finds it.
	lease_pair_settle(p);
	answer(op, rc, &p->l);
}

struct lease_op *lease_op_new(const struct lease_ask *ask) {
	struct lease_op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		return NULL;
	op->ask = *ask;
	op->has_used = ask->used != NULL;
	if (op->has_used)
		op->used = *ask->used;
	op->ask.sub = strdup(ask->sub == NULL ? "" : ask->sub);
	if (op->ask.sub == NULL) {
		free(op);
		return NULL;
	}
	return op;
}

void lease_op_enqueue(struct lease_pair *p, struct lease_op *op) {
	op->next = NULL; // it may have been in another list
	*p->ops_last = op;
	p->ops_last = &op->next;
	lease_pair_go(p);
}

static void grant_account(struct lease_engine *e, struct lease_op *op) {
	uint32_t idx = lease_index_find(&e->by_sub, e, rg_str(op->ask.sub));
	struct lease_pair *p = idx == LEASE_NO_PAIR ? NULL : lease_pair_get(e, idx);

	if (p == NULL)
		lease_op_answer_late(e, op, idx == LEASE_NO_PAIR ? RG_E_STALE : -ENOMEM);
	else
		lease_op_enqueue(p, op);
}

// Where others use the store, a pair whose record is under way is passed over: what comes of that may
// make it somebody else's.
static uint32_t take_idle(struct lease_engine *e, struct lease_pool *pool) {
	for (unsigned n = 0; n < LEASE_WINDOW; n++) {
		uint32_t idx = lease_pool_take(pool);

		if (idx == LEASE_NO_PAIR || !e->cfg.is_shared || e->slots[idx].pair == NULL ||
		    !e->slots[idx].pair->is_committing)
			return idx;
		lease_pool_give(e, idx);
	}
	return LEASE_NO_PAIR;
}

static void grant_pool(struct lease_engine *e, struct lease_op *op) {
	uint32_t idx = take_idle(e, e->pools[op->ask.pool]);
	struct lease_pair *p = idx == LEASE_NO_PAIR ? NULL : lease_pair_get(e, idx);
	int rc = idx == LEASE_NO_PAIR ? RG_E_EXHAUSTED : -ENOMEM;

	if (p != NULL)
		rc = assign(p, op);
	if (rc == 0) {
		lease_op_enqueue(p, op);
		return;
	}
	if (idx != LEASE_NO_PAIR)
		lease_pool_give(e, idx);
	if (p != NULL)
		lease_pair_rest(p);
	lease_op_answer_late(e, op, rc);
}

bool lease_store_is_up(const struct lease_engine *e) {
	struct store_stats st;

	store_get_stats(e->store, &st);
	return st.is_up;
}

// The store is away: nobody is given what cannot be recorded (I8), and no pair is spent on trying, but
// for one now and then, which tells when it is back.
static bool is_away(struct lease_engine *e) {
	uint64_t now_ns = env_now_ns(e->env);

	if (lease_store_is_up(e))
		return false;
	if (now_ns < e->probe_ns)
		return true;
	e->probe_ns = lease_add_ns(now_ns, PROBE_NS);
	return false;
}

// The generation goes back as well: no token of it has left.
void lease_op_undo(struct lease_pair *p, const struct lease_op *op) {
	const struct lease_was *was = &op->was;

	if (p->l.state != LEASE_OFFERED || p->l.gen != op->gen) // revoked by its number meanwhile
		return;
	p->is_unsure = false;
	p->is_void = was->is_void;
	p->is_left = was->is_left;
	p->is_released = was->is_released;
	p->is_unused = was->is_unused;
	p->lost_register_ns = was->lost_register_ns;
	p->lost_dereg_ns = was->lost_dereg_ns;
	p->granted_ms = was->granted_ms;
	p->ended_ms = was->ended_ms;
	p->l.is_moved = was->is_moved;
	p->l.gateway = was->gateway;
	p->l.scenario = was->scenario;
	p->l.reassign_ns = was->reassign_ns;
	lease_pair_set_gen(p, was->gen);
	p->e->slots[p->l.idx].is_over = was->is_over;
	lease_pair_set_state(p, was->is_held ? LEASE_QUARANTINE : LEASE_FREE);
	if (was->is_held) // an account's own
		lease_pool_hold(p);
	else
		lease_pair_set_sub(p, NULL);
}

// Nor is the pair spent: of a generation that no store saw, another gateway's record is not older.
void lease_op_forget(struct lease_pair *p, const struct lease_op *op) {
	if (!op->is_new)
		return;
	lease_op_undo(p, op);
	if (p->l.state == LEASE_FREE && !p->e->slots[p->l.idx].is_listed)
		lease_pool_give(p->e, p->l.idx);
}

void lease_op_again(struct lease_pair *p, struct lease_op *op) {
	struct lease_engine *e = p->e;
	struct lease_op *rest = p->ops;

	explicit_bzero(op->token, op->token_len);
	free(op->token);
	op->token = NULL;
	op->token_len = 0;
	if (++op->n_tries > LEASE_TRIES_MAX || (op->is_new && op->is_adopted)) {
		lease_op_answer_late(e, op, RG_E_CONFLICT);
		return;
	}
	if (op->is_new)
		op->gen = 0;
	if (op->is_new && !op->ask.is_account) {
		op->is_new = false;
		grant_pool(e, op);
		return;
	}
	op->is_new = false;
	op->next = rest;
	p->ops = op;
	if (rest == NULL)
		p->ops_last = &op->next;
}

void lease_grant(struct lease_engine *e, const struct lease_ask *ask) {
	struct lease_op *op = lease_op_new(ask);

	if (op == NULL)
		ask->done(ask->arg, -ENOMEM, NULL, rg_slice(NULL, 0));
	else if (is_away(e))
		lease_op_answer_late(e, op, -EAGAIN);
	else if (ask->is_account)
		grant_account(e, op);
	else
		grant_pool(e, op);
}

void lease_renew(struct lease_engine *e, uint32_t idx, uint64_t gen, const struct lease_ask *ask) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);
	struct lease_op *op = lease_op_new(ask);

	if (op == NULL) {
		ask->done(ask->arg, -ENOMEM, NULL, rg_slice(NULL, 0));
		return;
	}
	op->gen = gen;
	if (p == NULL || lease_pool_of(p)->is_foreign) // its WWSF says how long
		lease_op_answer_late(e, op, RG_E_STALE);
	else
		lease_op_enqueue(p, op);
}
