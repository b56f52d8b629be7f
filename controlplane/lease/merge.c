// SPDX-License-Identifier: BSD-3-Clause
// What other gateways wrote, as the store's watch tells it. Whoever won the compare and swap is
// right: a higher generation takes the pair away, the same one is taken over, and only what memory
// knows better (an end that was decided here, a later reassign_ns) is written over it.
#include "lease/import.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"

bool lease_is_same_pair(const struct lease_engine *e, uint32_t idx, const struct store_lease *row) {
	const struct lease_key impu = lease_key_impu(e, idx);

	return lease_key_is(&impu, rg_str(row->impu), false) &&
	       strcmp(lease_pool_name(e, e->slots[idx].pool), row->pool) == 0;
}

static bool is_over(const struct store_lease *row) {
	return row->state == LEASE_FREE || row->state >= LEASE_QUARANTINE;
}

static uint64_t row_reassign_ns(const struct lease_pair *p, const struct store_lease *row) {
	return lease_clock_to_boot_ns(p->e, row->reassign_ms);
}

static void close_flow(struct lease_pair *p) {
	if (p->l.flow.gen != 0)
		p->e->ops.close_flow(p->e->ops.ctx, p->l.flow, 1008);
	p->l.flow = (struct rg_conn_id){0};
}

// A pair that was removed here counts while another gateway, which still has it in a file, says that it is
// in use; free again, it is hidden again. A removal that is under way is answered first.
static void leave_free(struct lease_pair *p) {
	if (p->import_done == NULL)
		lease_unhide(p->e, p->l.idx);
	lease_pool_unlink(p->e, p->l.idx);
}

// Out of the list or heap that it is in, and into quarantine, from where it becomes free or offered.
static void to_quarantine(struct lease_pair *p, uint64_t reassign_ns) {
	if (p->l.state == LEASE_QUARANTINE)
		lease_pool_release(p);
	else if (lease_is_live(&p->l) && p->e->fence.ask != NULL)
		p->fence = p->e->fence.ask(p->e->fence.ctx);
	leave_free(p);
	p->l.reassign_ns = reassign_ns;
	lease_pair_set_state(p, LEASE_QUARANTINE);
	lease_pool_hold(p);
}

static const struct lease_token *token_of(const struct lease_pair *p, const struct rg_digest *d) {
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (p->l.tokens[i].end_ns != 0 &&
		    memcmp(&p->l.tokens[i].digest, d, sizeof(*d)) == 0)
			return &p->l.tokens[i];
	return NULL;
}

static bool is_among(const struct lease_token *t, const struct lease_token tokens[STORE_TOKENS]) {
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (tokens[i].end_ns != 0 &&
		    memcmp(&tokens[i].digest, &t->digest, sizeof(t->digest)) == 0)
			return true;
	return false;
}

static bool is_lost(const struct lease_pair *p, const struct rg_digest *d) {
	if (p->n_lost > LEASE_LOST_MAX)
		return token_of(p, d) == NULL;
	for (unsigned i = 0; i < p->n_lost; i++)
		if (memcmp(&p->lost[i], d, sizeof(*d)) == 0)
			return true;
	return false;
}

static bool has_lost(const struct lease_pair *p, const struct store_lease *row) {
	bool is_found = false;

	for (unsigned i = 0; i < STORE_TOKENS; i++)
		is_found |= row->tokens[i].end_ms != 0 && is_lost(p, &row->tokens[i].digest);
	return is_found;
}

// The record's tokens, those that still live, in out. How many?
static unsigned live_tokens(struct lease_pair *p, const struct store_lease *row,
			    struct lease_token out[STORE_TOKENS]) {
	uint64_t now_ns = env_now_ns(p->e->env);
	unsigned n = 0;

	for (unsigned i = 0; i < STORE_TOKENS; i++) {
		const struct lease_token *known = token_of(p, &row->tokens[i].digest);
		uint64_t end_ns;

		if (row->tokens[i].end_ms == 0 || is_lost(p, &row->tokens[i].digest))
			continue;
		end_ns = known != NULL ? known->end_ns
				       : lease_clock_to_boot_ns(p->e, row->tokens[i].end_ms);
		if (end_ns > now_ns)
			out[n++] = (struct lease_token){row->tokens[i].digest, end_ns,
							known == NULL ? 0 : known->key};
	}
	if (n == STORE_TOKENS || !has_lost(p, row))
		return n;
	// A write of ours whose answer was lost: what it dropped is still the client's.
	for (unsigned i = 0; i < STORE_TOKENS && n < STORE_TOKENS; i++)
		if (p->l.tokens[i].end_ns > now_ns && !is_among(&p->l.tokens[i], out))
			out[n++] = p->l.tokens[i];
	p->is_dirty = true;
	return n;
}

static void take_tokens(struct lease_pair *p, const struct lease_token tokens[STORE_TOKENS]) {
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (p->l.tokens[i].end_ns != 0 && !is_among(&p->l.tokens[i], tokens))
			lease_token_drop(p, i);
	memcpy(p->l.tokens, tokens, sizeof(p->l.tokens));
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (tokens[i].end_ns != 0)
			lease_pair_not_before(p, lease_reassign_floor_ns(p->e, tokens[i].end_ns));
	if (lease_pair_publish(p) == 0)
		return;
	// The workers cannot be shown them all: those who hold one go elsewhere, or log in again.
	log_put(p->e->log, LOG_WARN, "lease.not_published", LOG_U("lease", p->l.idx));
	lease_pair_drop_tokens(p);
}

// From QUARANTINE or FREE, with tokens that live.
static void offer(struct lease_pair *p, const struct lease_token tokens[STORE_TOKENS]) {
	if (p->l.state == LEASE_QUARANTINE)
		lease_pool_release(p);
	leave_free(p);
	p->fence = 0;
	p->is_released = false;
	p->l.is_stale = true;
	lease_pair_set_state(p, LEASE_OFFERED);
	take_tokens(p, tokens);
}

// --- a generation that is not ours

static void reset(struct lease_pair *p) {
	lease_pair_drop_tokens(p);
	close_flow(p);
	lease_binding_clear(p);
	p->is_dirty = p->is_marked || p->import_done != NULL;
	p->is_raised = p->is_void = p->is_left = p->is_moving = false;
	lease_lost_clear(p);
	p->is_unsure = p->is_unused = p->is_released = p->has_proof = p->is_revived = p->is_ending =
		false;
	p->n_tries = 0;
	p->lost_register_ns = p->lost_dereg_ns = 0;
	p->grace_ns = p->dereg_ns = p->store_ns = RG_NEVER;
}

static void take_over(struct lease_pair *p, const struct lease_news *n) {
	const struct store_lease *row = &n->row;
	struct lease_token tokens[STORE_TOKENS] = {0};
	struct lease_engine *e = p->e;
	char *sub = strdup(row->sub);

	if (lease_is_live(&p->l) && !p->is_ending && !p->is_unsure) {
		e->counters.n_broken++;
		log_put(e->log, LOG_ERROR, "lease.given_twice", LOG_U("lease", p->l.idx),
			LOG_S("impu", p->l.impu), LOG_U("gen", p->l.gen), LOG_U("other", row->gen));
	}
	reset(p);
	to_quarantine(p, row_reassign_ns(p, row));
	lease_pair_set_sub(p, sub);
	lease_pair_set_gen(p, row->gen);
	e->slots[p->l.idx].is_over = is_over(row);
	p->l.scenario = row->scenario;
	p->l.gateway = n->gateway;
	p->granted_ms = row->granted_ms;
	p->ended_ms = row->ended_ms;
	if (!is_over(row) && sub != NULL && live_tokens(p, row, tokens) > 0)
		offer(p, tokens);
}

// --- the same generation

// Revoked elsewhere. Who registered it ends the binding (INV-7).
static void end_here(struct lease_pair *p) {
	log_put(p->e->log, LOG_INFO, "lease.ended_elsewhere", LOG_U("lease", p->l.idx),
		LOG_U("gen", p->l.gen));
	lease_pair_drop_tokens(p);
	close_flow(p);
	lease_pair_end(p);
}

static void merge_over(struct lease_pair *p, const struct store_lease *row) {
	uint64_t reassign_ns = row_reassign_ns(p, row);
	bool is_lower =
		p->l.state == LEASE_QUARANTINE && !p->is_dirty && (row->flags & STORE_MOVED) == 0;

	p->e->slots[p->l.idx].is_over = true;
	if (lease_is_live(&p->l)) {
		lease_pair_not_before(p, reassign_ns);
		if (!p->is_ending)
			end_here(p);
	} else if (reassign_ns > p->l.reassign_ns || is_lower) {
		to_quarantine(p, reassign_ns);
	}
}

static void merge_live(struct lease_pair *p, const struct store_lease *row) {
	struct lease_token tokens[STORE_TOKENS] = {0};
	unsigned n = live_tokens(p, row, tokens);
	uint64_t reassign_ns = row_reassign_ns(p, row);

	p->e->slots[p->l.idx].is_over = p->is_void;
	if (p->is_void || n == 0) { // our decision stands, or time ends it on both sides
		p->is_dirty |= p->is_void;
		if (lease_is_live(&p->l))
			lease_pair_not_before(p, reassign_ns);
		else if (reassign_ns > p->l.reassign_ns &&
			 (!p->is_released || !lease_is_ours(p) || (row->flags & STORE_MOVED) != 0))
			to_quarantine(p, reassign_ns);
		return;
	}
	if (!lease_is_live(&p->l)) {
		char *sub = strdup(row->sub);

		if (sub == NULL)
			return;
		lease_pair_set_sub(p, sub);
		offer(p, tokens);
	} else {
		p->is_revived = p->is_ending;
		p->is_ending = false;
		take_tokens(p, tokens);
	}
	lease_pair_not_before(p, reassign_ns);
}

static void set_gateway(struct lease_pair *p, uint16_t gateway) {
	bool was_ours = lease_is_ours(p);

	if (p->is_moving) { // it goes on, from there
		p->moved_from = gateway;
		p->l.is_moved = true;
		return;
	}
	p->e->counters.n_moved_out += was_ours && gateway != LEASE_GATEWAY_OURS;
	p->l.gateway = gateway;
	if (lease_is_ours(p) || !was_ours || !lease_is_live(&p->l))
		return;
	// INV-10: the client is there now. Its binding there is, to the core, perhaps the same one as
	// ours: it is not ended from here.
	close_flow(p);
	if (p->l.state == LEASE_PENDING ||
	    (p->l.state == LEASE_DEREG_PENDING && p->dereg_ns == RG_NEVER))
		return; // a request is under way: its end goes on from here
	if (p->is_ending)
		lease_pair_quarantine(p);
	else if (p->l.state != LEASE_OFFERED)
		lease_pair_offer(p, true);
}

// Alone on a store no record is another gateway's, whatever name it bears.
static bool is_anothers(const struct lease_pair *p, const struct lease_news *n) {
	return p->e->cfg.is_shared && n->gateway != LEASE_GATEWAY_OURS;
}

static void merge_same(struct lease_pair *p, const struct lease_news *n) {
	// Its client has not gone, but to another gateway, where it was told that it is registered.
	if (p->is_left && !is_over(&n->row) && is_anothers(p, n))
		p->is_void = p->is_left = false;
	if (!p->is_void)
		p->ended_ms = n->row.ended_ms;
	p->is_moving &= !is_over(&n->row);
	set_gateway(p, n->gateway);
	if (is_over(&n->row))
		merge_over(p, &n->row);
	else
		merge_live(p, &n->row);
}

// --- records

// Who imports it is told that there is another pair of its IMPI. Nothing is written over that, also when
// it is tried again: the store keeps the IMPU of a record from others only where it begins with it.
static void refuse_import(struct lease_pair *p) {
	struct lease_slot *slot = &p->e->slots[p->l.idx];

	slot->rev = 0;
	p->is_dirty = false;
	lease_hide(p->e, p->l.idx);
	p->n_holds++; // who hears that may import at once
	lease_import_end(p, RG_E_CONFLICT);
	p->n_holds--;
}

// Identities that are paired otherwise here: the pair waits for the end of what they were.
static void merge_apart(struct lease_pair *p, const struct lease_news *n) {
	log_put(p->e->log, LOG_ERROR, "lease.paired_otherwise", LOG_S("impi", p->l.impi),
		LOG_S("effect", "not given out before the other gateway's lease is over"),
		LOG_S("cure", "give all gateways the same pools"));
	if (p->import_done != NULL && p->l.state == LEASE_FREE && !p->e->slots[p->l.idx].is_filed) {
		refuse_import(p);
		return;
	}
	if (n->row.gen <= p->l.gen)
		return;
	reset(p);
	lease_pair_set_gen(p, n->row.gen);
	to_quarantine(p, lease_later_ns(p->l.reassign_ns, row_reassign_ns(p, &n->row)));
}

// Our generation is not on record, and never will be: this was written over what ours was to follow. One of
// an older generation may name us, whoever of the others renewed it.
static bool is_beaten_by(const struct lease_pair *p, const struct lease_news *n) {
	return p->is_unsure &&
	       (is_anothers(p, n) || (p->e->cfg.is_shared && n->row.gen < p->l.gen));
}

static void merge(struct lease_pair *p, const struct lease_news *n) {
	bool is_beaten = is_beaten_by(p, n);
	bool was_moved = p->l.is_moved && n->row.gen == p->l.gen && !is_beaten;
	bool was_void = p->is_void && n->row.gen == p->l.gen && is_beaten;

	if (!n->is_apart || !lease_is_removed(p->e, p->l.idx))
		p->e->slots[p->l.idx].rev = n->row.rev;
	if (n->is_apart) {
		merge_apart(p, n);
		return;
	}
	if (n->row.gen > p->l.gen || is_beaten) {
		take_over(p, n);
	} else if (n->row.gen < p->l.gen) {
		if (!p->is_unsure)
			log_put(p->e->log, LOG_ERROR, "lease.record_is_older",
				LOG_U("lease", p->l.idx), LOG_U("gen", p->l.gen),
				LOG_U("stored", n->row.gen));
		p->is_dirty = true;
	} else {
		merge_same(p, n);
	}
	if (n->row.gen >= p->l.gen)
		p->l.is_moved = was_moved || p->is_moving || (n->row.flags & STORE_MOVED) != 0;
	lease_remove_lost(p); // before the mark, which a removed pair has not
	lease_import_follow(p, &n->row);
	if (!p->is_marked && !p->e->slots[p->l.idx].is_removed)
		lease_mark(p->e, p->l.idx, lease_row_cause(&n->row));
	if (!was_void)
		return;
	// What was revoked here has never been, and this one is not revoked. Last, as who waited may go on
	// with the pair at once.
	p->n_holds++;
	lease_waits_end(p, RG_E_CONFLICT);
	p->n_holds--;
}

static void keep_news(struct lease_pair *p, const struct lease_news *n) {
	struct lease_news *copy = malloc(sizeof(*copy));
	char *sub = strdup(n->row.sub);

	if (copy == NULL || sub == NULL) { // the next commit of ours is told it again
		free(copy);
		free(sub);
		return;
	}
	lease_news_free(p);
	*copy = *n;
	copy->row.sub = sub;
	p->news = copy;
}

void lease_news_free(struct lease_pair *p) {
	if (p->news != NULL)
		free((char *)p->news->row.sub);
	free(p->news);
	p->news = NULL;
}

void lease_news_take(struct lease_pair *p) {
	if (p->news != NULL && p->news->row.rev > p->e->slots[p->l.idx].rev)
		merge(p, p->news);
	lease_news_free(p);
}

// A pair at rest for which there is no memory keeps its old revision: a commit of ours ends in conflict.
void lease_on_record(void *arg, const struct store_lease *row) {
	struct lease_engine *e = arg;
	int rc = lease_import_record(e, row);
	uint32_t idx = lease_index_find(&e->by_impi, e, rg_str(row->impi));
	struct lease_pair *p;
	struct lease_news n;

	if (rc != 0)
		log_put(e->log, LOG_ERROR, "lease.not_adopted", LOG_S("impi", row->impi),
			LOG_S("impu", row->impu), LOG_S("pool", row->pool),
			LOG_S("why", rg_strerror(rc)),
			LOG_S("effect", "kept in the store, not given out here"));
	if (idx == LEASE_NO_PAIR || row->rev <= e->slots[idx].rev)
		return;
	p = lease_pair_get(e, idx);
	if (p == NULL)
		return;
	n = (struct lease_news){*row, lease_gateway_idx(e, row->gateway),
				!lease_is_same_pair(e, idx, row)};
	if (p->is_committing) { // its answer comes first
		keep_news(p, &n);
		return;
	}
	merge(p, &n);
	lease_pair_go(p);
}

void lease_on_value(void *arg, const char *name) {
	struct lease_engine *e = arg;

	lease_drain_load(e, name);
	lease_baseline_load(e);
	lease_clock_on_value(e, name);
}
