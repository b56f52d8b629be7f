// SPDX-License-Identifier: BSD-3-Clause
// The check of a history: I1, I2, I4 of reliability.md and the invariants of ims.md 6.3, as far as
// clients, the core and the store can see them. What is left, each step of the world looks for: the
// engine's counts (I3), and that all pairs can be given out once more at the end (INV-12).
#include <string.h>

#include "store/store.h"

#include "history.h"

#define MAX_BINDINGS 12
#define MAX_GENS 256
#define MAX_FLOWS 16
#define MAX_CLIENTS 256
#define RECORD_SLACK_NS (10 * RG_NS_PER_MS) // records have whole milliseconds

struct token {
	uint16_t client;
	uint32_t pair;
	uint64_t gen, end_ns, asked_ns;  // shown last
	unsigned n_newer, n_newer_acked; // of the same generation, good at one time
	unsigned n_at_ask;               // acknowledged ones, then
	bool is_acked;
	size_t issued_at;     // event
	uint64_t recorded_ns; // how far its end is from the end of its pair, on record; 0 = is not
};

struct binding {
	uint64_t gen, end_ns, told_ns;
	uint32_t contact; // its client's number stands for it
};

struct flow {
	uint32_t conn; // 0 = none
	uint8_t gateway;
	uint64_t end_ns;
};

struct pair {
	uint16_t client; // last acknowledged owner; 0 = none yet
	uint64_t gen, claim_end_ns;
	size_t began_at;      // event: gen was acknowledged
	uint64_t evidence_ns; // the core confirmed that nothing is bound; RG_NEVER = it did not
	uint64_t cause_ns;    // from then on a gateway may end the lease by itself; RG_NEVER = not
	uint64_t released_gen, cleared_ns; // by an operator; last put back by one
	bool is_revoking, is_revoked, is_clearing;
	bool is_unbound;   // the core confirmed that, and was asked for nothing since
	bool is_core_away; // it dropped the binding, or the gateway may not know of it
	uint64_t refused_ns;
	struct owner {
		uint64_t gen;
		uint16_t client;
	} owners[MAX_GENS];
	struct binding b[MAX_BINDINGS];
	unsigned n_owners, n_b;
	struct flow flows[MAX_FLOWS];
	uint64_t record_gen, record_ms; // of the last record, and its reassign time
	unsigned named;                 // gateways that records of this generation named, as bits
	uint32_t impi, impu;
	uint64_t free_order;     // RG_NEVER: not free, or not known since when
	unsigned other_id_by;    // gateways that know of it, as bits
	bool is_other_id_stored; // and all others have to
	unsigned barred_by;      // by an operator there: the same
	size_t barred_at;        // event
	size_t bar_stored_at;    // 0 = is not
	uint64_t issued_gen;     // the last that was begun
	size_t recorded_at;      // the last on record
	bool is_core_asked;      // in this generation
	bool is_imported;        // on record
	unsigned n_imports;      // under way
};

struct check {
	const struct history_rules *r;
	struct pair p[HISTORY_PAIRS + 1]; // the last: what should not be
	struct token t[HISTORY_TOKENS];
	uint32_t n_tokens;
	uint64_t hold_end_ns; // INV-11
	struct asker {
		unsigned n; // grants under way,
		size_t at;  // since then
	} askers[MAX_CLIENTS];
	unsigned draining[2]; // pools: gateways where they drain, as bits
	size_t drained_at[2];
	const struct history_event *e;
	size_t at; // its number
};

static uint64_t min_ns(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

static void raise(unsigned *n, unsigned to) {
	*n = *n > to ? *n : to;
}

static uint64_t add_ns(uint64_t a, uint64_t b) {
	return a > RG_NEVER - b ? RG_NEVER : a + b;
}

// 0: nobody was told that he has it.
static uint16_t owner_of(const struct pair *p, uint64_t gen) {
	for (unsigned i = 0; i < p->n_owners; i++)
		if (p->owners[i].gen == gen)
			return p->owners[i].client;
	return 0;
}

static bool own(struct pair *p, uint64_t gen, uint16_t client) {
	if (owner_of(p, gen) != 0)
		return true;
	if (p->n_owners == MAX_GENS)
		return false;
	p->owners[p->n_owners++] = (struct owner){gen, client};
	return true;
}

// I1: nothing of the old owner is left, and the guard is over.
static const char *check_handover(const struct check *c, const struct pair *p) {
	const struct history_event *e = c->e;
	uint64_t free_ns = add_ns(p->claim_end_ns, c->r->guard_ns);

	if (p->evidence_ns != RG_NEVER)
		free_ns = min_ns(free_ns, p->evidence_ns + c->r->release_guard_ns);
	if (e->at_ns + c->r->clock_ns < free_ns)
		return "given to another before the guard was over (I1, INV-4)";
	for (unsigned i = 0; i < p->n_b; i++)
		if (p->b[i].end_ns > e->at_ns && owner_of(p, p->b[i].gen) != e->client)
			return "given to another while the core still has it bound (I1, INV-7)";
	return NULL;
}

// The two newest tokens are good, and one that was stored without an answer may be among them.
static void set_claim(struct check *c, struct pair *p) {
	p->claim_end_ns = 0;
	for (unsigned i = 1; i <= c->n_tokens; i++) {
		const struct token *t = &c->t[i];

		if (t->is_acked && t->pair == c->e->pair && t->gen == p->gen && t->n_newer <= 1 &&
		    t->end_ns > p->claim_end_ns)
			p->claim_end_ns = t->end_ns;
	}
}

// The newer ones of its generation that are good at at_ns. One that has ended makes room for an older
// one that has not.
static unsigned count_newer(const struct check *c, uint32_t of, uint64_t at_ns, bool is_acked) {
	unsigned n = 0;

	for (uint32_t i = of + 1; i <= c->n_tokens; i++)
		n += c->t[i].pair == c->t[of].pair && c->t[i].gen == c->t[of].gen &&
		     c->t[i].end_ns > at_ns && (c->t[i].is_acked || !is_acked);
	return n;
}

// A generation begins.
static const char *check_grant(const struct check *c, const struct pair *p) {
	const struct history_event *e = c->e;

	if (e->at_ns + c->r->clock_ns < c->hold_end_ns)
		return "given out while it is not known who had it (INV-11)";
	if ((p->other_id_by & 1u << e->gateway) != 0 ||
	    (p->other_id_by != 0 && p->is_other_id_stored))
		return "given out though another pair's identity goes with it (INV-2)";
	if (e->gen == p->record_gen && p->bar_stored_at != 0 && p->recorded_at > p->bar_stored_at)
		return "given out though it is on record as out of rotation";
	return p->client != 0 && p->client != e->client ? check_handover(c, p) : NULL;
}

static const char *on_token(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;
	const char *fault = NULL;

	if (e->pool != c->r->pool_of[e->pair])
		return "a pair of another pool (INV-3)";
	if (c->t[e->token].recorded_ns == 0)
		return "a token left before it was on record (I2, INV-6)";
	if (c->t[e->token].recorded_ns + RECORD_SLACK_NS < c->r->guard_ns)
		return "a token outlasts its pair (INV-6)";
	if (e->gen < p->gen) // the answer may be late, not what it answers
		return c->t[e->token].gen == e->gen && c->t[e->token].issued_at < p->began_at
			       ? NULL
			       : "the generation went back (I4, INV-5)";
	if (e->gen == p->gen && p->client != e->client)
		return "one generation for two owners (I1, I4)";
	if (e->gen > p->gen && e->op == OP_RENEW)
		return "a renewal changed the generation";
	if (e->gen > p->gen) {
		fault = check_grant(c, p);
		p->evidence_ns = p->cause_ns = RG_NEVER;
		p->began_at = c->at;
		p->is_revoking = p->is_revoked = p->is_unbound = p->is_core_asked = false;
	}
	if (!own(p, e->gen, e->client))
		return "more generations than the check can hold";
	p->client = e->client;
	p->gen = e->gen;
	c->t[e->token].is_acked = true;
	for (unsigned i = 1; i < e->token; i++)
		if (c->t[i].pair == e->pair && c->t[i].gen == e->gen)
			raise(&c->t[i].n_newer_acked,
			      count_newer(c, i, e->at_ns + c->r->clock_ns, true));
	set_claim(c, p);
	return fault;
}

// INV-13. p is not free any more.
static const char *check_order(const struct check *c, struct pair *p) {
	uint64_t order = p->free_order;

	p->free_order = RG_NEVER;
	for (unsigned i = 0; order != RG_NEVER && i < HISTORY_PAIRS; i++)
		if (c->r->pool_of[i] == c->r->pool_of[c->e->pair] && c->p[i].free_order < order)
			return "another pair has been free for longer (INV-13)";
	return NULL;
}

static bool is_draining(const struct check *c) {
	uint16_t pool = c->r->pool_of[c->e->pair];

	return pool < 2 && (c->draining[pool] & 1u << c->e->gateway) != 0 &&
	       c->askers[c->e->client].at > c->drained_at[pool];
}

// There, before it was asked for.
static bool is_barred(const struct check *c, const struct pair *p) {
	return (p->barred_by & 1u << c->e->gateway) != 0 &&
	       c->askers[c->e->client].at > p->barred_at;
}

static const char *on_issue(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;

	if (e->token >= HISTORY_TOKENS)
		return "more tokens than the check can hold";
	c->t[e->token] = (struct token){.client = e->client,
					.pair = e->pair,
					.gen = e->gen,
					.end_ns = e->end_ns,
					.issued_at = c->at};
	c->n_tokens = e->token;
	for (unsigned i = 1; i < e->token; i++)
		if (c->t[i].pair == e->pair && c->t[i].gen == e->gen)
			raise(&c->t[i].n_newer,
			      count_newer(c, i, e->at_ns - min_ns(e->at_ns, c->r->clock_ns),
					  false));
	if (e->gen == p->gen)
		set_claim(c, p);
	if (e->gen > p->issued_gen && is_barred(c, p))
		return "given out though an operator took it out of rotation";
	if (e->gen > p->issued_gen)
		p->issued_gen = e->gen;
	if (e->op != OP_GRANT)
		return NULL;
	return is_draining(c) ? "given out of a pool that drains" : check_order(c, p);
}

// --- the store

static void clear_marks(struct pair *p) {
	p->barred_by = p->other_id_by = 0;
	p->bar_stored_at = 0;
	p->is_other_id_stored = p->is_clearing = false;
}

static const char *on_record(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;
	uint64_t slack_ms = (c->r->clock_ns + RECORD_SLACK_NS) / RG_NS_PER_MS;
	// Of one that is free only the generation is told.
	bool is_same = e->gen == p->record_gen && !e->is_free;

	if (e->gen < p->record_gen)
		return "the generation went back in the store (I4, INV-5)";
	if (is_same && e->asked_ns + slack_ms < p->record_ms &&
	    (!e->is_over || (e->flags & STORE_MOVED) != 0))
		return "the end of a lease was lowered without a release (INV-4)";
	if (is_same && e->gen == p->gen && p->is_revoked && !e->is_over)
		return "a revoked lease came back (I2)";
	p->named = (is_same ? p->named : 0) | 1u << e->gateway;
	if ((p->named & (p->named - 1)) != 0 && (e->flags & STORE_MOVED) == 0)
		return "two gateways had it, and the record does not say so (INV-7)";
	if ((c->r->imported & 1u << e->pair) != 0 && !p->is_imported && p->n_imports == 0 &&
	    e->gen > p->record_gen && !e->is_free && !e->is_over)
		return "given out though nothing provisions it";
	p->is_imported = (e->flags & STORE_IMPORTED) != 0;
	// What a gateway heard while somebody put the pair back may be lost with that.
	if (((c->r->imported & 1u << e->pair) != 0 && !p->is_imported) ||
	    (p->is_clearing && (e->flags & STORE_SUSPECT) == 0))
		clear_marks(p);
	if (e->gen != p->record_gen)
		p->recorded_at = c->at;
	if (p->bar_stored_at == 0 && p->barred_by != 0 && (e->flags & STORE_SUSPECT) != 0)
		p->bar_stored_at = c->at;
	p->record_gen = e->gen;
	p->record_ms = e->asked_ns;
	p->is_other_id_stored |= p->other_id_by != 0 && (e->flags & STORE_SUSPECT) != 0;
	c->t[e->token].recorded_ns = c->t[e->token2].recorded_ns = e->told_ns;
	return NULL;
}

// What was acknowledged counts no more; whose it was still does.
static void on_store_lost(struct check *c) {
	c->hold_end_ns = c->e->at_ns + c->r->hold_ns;
	c->draining[0] = c->draining[1] = 0;
	for (unsigned i = 0; i < HISTORY_PAIRS; i++) {
		c->p[i].cause_ns = 0;
		clear_marks(&c->p[i]);
		c->p[i].is_imported = false;
	}
}

static const char *on_provision(struct check *c, struct pair *p) {
	p->impi = c->e->token;
	p->impu = c->e->token2;
	for (unsigned i = 0; i <= HISTORY_PAIRS; i++)
		if (i != c->e->pair && c->p[i].impi != 0 &&
		    (c->p[i].impi == p->impi || c->p[i].impu == p->impu))
			return "two pairs have one identity (INV-1, INV-2)";
	return NULL;
}

// --- flows

static void flow_end(struct check *c, uint32_t conn) {
	for (unsigned i = 0; i < HISTORY_PAIRS; i++)
		for (unsigned k = 0; k < MAX_FLOWS; k++)
			if (c->p[i].flows[k].conn == conn)
				c->p[i].flows[k].conn = 0;
}

// A second flow replaces the first. One at another gateway ends when that one has been told.
static const char *on_flow(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;
	struct flow *empty = NULL;

	flow_end(c, e->token);
	for (unsigned i = 0; i < MAX_FLOWS; i++) {
		struct flow *f = &p->flows[i];

		if (f->conn == 0 || f->end_ns <= e->at_ns)
			empty = f;
		else if (f->gateway == e->gateway)
			return "two flows hold one lease (INV-10)";
	}
	if (empty == NULL)
		return "more flows than the check can hold";
	*empty = (struct flow){e->token, e->gateway, e->end_ns};
	return NULL;
}

// --- the core

static const char *on_bind(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;
	unsigned i = 0;

	if (owner_of(p, e->gen) == 0)
		return "the core was asked for a lease that nobody has";
	if (e->gen < p->gen && owner_of(p, e->gen) != p->client)
		return "an old generation reached the core (I4, INV-5)";
	if (e->asked_ns > c->r->reg_max_ns)
		return "longer than T_reg asked of the core (INV-8)";
	if (e->gen == p->record_gen && (p->named & 1u << e->gateway) == 0)
		return "the core was asked by a gateway that the record does not name (INV-7)";
	while (i < p->n_b && p->b[i].contact != e->token)
		i++;
	if (i == MAX_BINDINGS)
		return "more bindings than the check can hold";
	p->n_b += i == p->n_b;
	p->b[i] = (struct binding){e->gen, e->end_ns, e->told_ns, e->token};
	p->evidence_ns = RG_NEVER;
	p->is_unbound = false;
	p->is_core_asked |= e->gen == p->gen;
	p->is_core_away = e->is_late; // one of before a crash may have asked for less
	return NULL;
}

// token: the contact that was ended; 0: all of them.
static const char *on_unbind(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;
	unsigned n = 0;

	if (e->gen == p->record_gen && (p->named & 1u << e->gateway) == 0)
		return "an end was asked for by a gateway that the record does not name (INV-7)";
	for (unsigned i = 0; i < p->n_b; i++) {
		const struct binding *b = &p->b[i];
		bool is_gone = e->token == 0 || b->contact == e->token;

		if (is_gone && b->end_ns > e->at_ns && b->gen > e->gen &&
		    owner_of(p, b->gen) != owner_of(p, e->gen))
			return "an old generation ended the next owner's binding (INV-5)";
		if (!is_gone)
			p->b[n++] = *b;
	}
	p->n_b = n;
	p->is_core_asked |=
		e->gen == p->gen && !e->is_star; // the end of whatever there is asks for nothing
	p->is_core_away = true;
	p->is_unbound = e->gen == p->gen && !e->is_star && e->n_left == 0;
	if (p->is_unbound && (p->cause_ns <= e->at_ns + c->r->clock_ns ||
			      p->claim_end_ns <= e->at_ns + c->r->clock_ns))
		p->evidence_ns = e->at_ns;
	return NULL;
}

static const char *on_registered(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;
	const struct token *t = &c->t[e->token];
	uint64_t core_end_ns = 0;

	if (e->gen < p->gen && p->client != e->client)
		return "a 200 for a generation that is over (INV-5)";
	if (p->is_revoked && e->gen == p->gen && !e->is_late)
		return "a 200 for a revoked lease";
	if (t->n_at_ask >= 2 && !e->is_late)
		return "a 200 for a token that two newer ones replaced";
	if (e->end_ns > t->end_ns + c->r->clock_ns)
		return "registered past the token (INV-9)";
	for (unsigned i = 0; i < p->n_b; i++)
		if (p->b[i].gen == e->gen && p->b[i].told_ns > core_end_ns)
			core_end_ns = p->b[i].told_ns;
	if (!p->is_core_away && e->end_ns > core_end_ns + c->r->clock_ns)
		return "registered longer than in the core (INV-9)";
	// One that has not been told that the client moved on is asked in vain: who it moved to decides.
	if (!p->is_revoking && !e->is_late)
		p->cause_ns = RG_NEVER;
	return NULL;
}

// I2: a token that was acknowledged, and that nothing has ended, is known.
static const char *on_refused(const struct check *c, const struct pair *p) {
	const struct history_event *e = c->e;
	const struct token *t = &c->t[e->token];
	bool is_explained = p->is_revoking || p->cause_ns <= e->at_ns || t->n_newer > 1 ||
			    p->refused_ns >= t->asked_ns || p->released_gen == t->gen;

	if (e->status != 401 || e->is_late || e->op != OP_REGISTER || t->gen != p->gen ||
	    is_explained)
		return NULL;
	if (t->end_ns < e->at_ns + c->r->token_floor_ns + c->r->clock_ns)
		return NULL;
	return "an acknowledged token is not known (I2)";
}

static void set_cause(struct pair *p, uint64_t at_ns) {
	p->cause_ns = min_ns(p->cause_ns, at_ns);
}

static const char *on_answer(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;
	bool is_ok = e->kind == EV_OK;

	switch (e->op) {
	case OP_GRANT:
		c->askers[e->client].n--;
		return is_ok ? on_token(c, p) : NULL;
	case OP_RENEW:
		return is_ok ? on_token(c, p) : NULL;
	case OP_REGISTER:
		return is_ok ? on_registered(c, p) : on_refused(c, p);
	case OP_DEREGISTER: // the gateway goes on, and its user has left
		if (!is_ok && e->gen == p->gen)
			set_cause(p, e->at_ns);
		return NULL;
	case OP_REVOKE:
		p->is_revoked |= is_ok && e->gen == p->gen;
		return NULL;
	default:
		return NULL;
	}
}

static void on_invoke(struct check *c, struct pair *p) {
	const struct history_event *e = c->e;

	if (e->op == OP_GRANT && c->askers[e->client].n++ == 0)
		c->askers[e->client].at = c->at;
	c->t[e->token].n_at_ask = c->t[e->token].n_newer_acked;
	c->t[e->token].asked_ns = e->at_ns;
	// Who holds it has no token any more, and the core was never asked.
	p->released_gen = e->op == OP_RELEASE ? e->gen : p->released_gen;
	if (e->op == OP_RELEASE && e->gen == p->gen && !p->is_core_asked)
		p->evidence_ns = min_ns(p->evidence_ns, e->at_ns);
	if (e->op == OP_REVOKE && e->gen == p->gen) {
		p->is_revoking = true;
		set_cause(p, e->at_ns);
		// A client's de-REGISTER keeps its token; the revocation that follows needs no other.
		if (p->is_unbound && p->evidence_ns == RG_NEVER)
			p->evidence_ns = e->at_ns;
	}
}

static void on_crash(struct check *c) {
	for (unsigned i = 0; i < HISTORY_PAIRS; i++) {
		struct pair *p = &c->p[i];

		if (!c->r->is_revoke_durable)
			p->is_revoked = false;
		if (p->bar_stored_at == 0)
			p->barred_by &= ~(1u << c->e->gateway);
		if (!p->is_other_id_stored)
			p->other_id_by &= ~(1u << c->e->gateway);
		for (unsigned k = 0; k < MAX_FLOWS; k++)
			if (p->flows[k].gateway == c->e->gateway)
				p->flows[k].conn = 0;
	}
}

static const char *on_event(struct check *c) {
	const struct history_event *e = c->e;
	struct pair *p = &c->p[e->pair];

	switch (e->kind) {
	case EV_OK:
	case EV_FAIL:
	case EV_UNKNOWN:
		return on_answer(c, p);
	case EV_ISSUE:
		return on_issue(c, p);
	case EV_INVOKE:
		on_invoke(c, p);
		return NULL;
	case EV_FLOW_LOST:
		if (e->gen == p->gen)
			set_cause(p, e->at_ns + c->r->flow_grace_ns);
		return NULL;
	case EV_BIND:
		return on_bind(c, p);
	case EV_UNBIND:
		return on_unbind(c, p);
	case EV_NET_DEREG:
		p->n_b = 0;
		p->is_core_away = true;
		return NULL;
	case EV_CORE_REFUSE:
		p->refused_ns = e->at_ns;
		p->is_core_asked |= e->gen == p->gen;
		return NULL;
	case EV_CRASH:
		on_crash(c);
		return NULL;
	case EV_FLOW:
		return on_flow(c, p);
	case EV_FLOW_END:
		return flow_end(c, e->token), NULL;
	case EV_RECORD:
		return on_record(c, p);
	case EV_STORE_LOST:
		return on_store_lost(c), NULL;
	case EV_PROVISION:
		return on_provision(c, p);
	case EV_FREE:
		p->free_order = e->asked_ns;
		return NULL;
	case EV_CLEAR:
		p->cleared_ns = e->at_ns;
		clear_marks(p);
		p->is_clearing = true;
		return NULL;
	case EV_OTHER_ID:
		if (c->t[e->token].asked_ns < p->cleared_ns) // it may have been told before
			return NULL;
		p->is_other_id_stored &= p->other_id_by != 0;
		p->other_id_by |= 1u << e->gateway;
		return NULL;
	case EV_SUSPECT:
		p->barred_by |= 1u << e->gateway;
		p->barred_at = c->at;
		return NULL;
	case EV_IMPORT:
		p->n_imports += e->flags == 1 ? 1 : -1u;
		return NULL;
	case EV_DRAIN:

		c->draining[e->pool] = e->flags == 0 ? 0 : c->draining[e->pool] | 1u << e->gateway;
		c->drained_at[e->pool] = c->at;
		return NULL;
	default:
		return NULL;
	}
}

const char *history_check(const struct history *h, const struct history_rules *r, size_t *at) {
	static struct check c;

	memset(&c, 0, sizeof(c));
	c.r = r;
	for (unsigned i = 0; i < HISTORY_PAIRS; i++)
		c.p[i].evidence_ns = c.p[i].cause_ns = c.p[i].free_order = RG_NEVER;
	for (*at = 0; *at < h->n; ++*at) {
		const char *fault;

		c.e = &h->ev[*at];
		c.at = *at;
		fault = on_event(&c);
		if (fault != NULL)
			return fault;
	}
	return NULL;
}
