// SPDX-License-Identifier: BSD-3-Clause
// The oracle: what the engine has promised to whom, from the outside.
#include <stdio.h>
#include <stdlib.h>

#include "lease_world.h"

void world_fail(const struct world *w, const char *what, const char *file, int line) {
	fprintf(stderr, "seed %llu step %u: %s (%s:%d)\n", (unsigned long long)w->seed, w->step,
		what, file, line);
	abort();
}

static uint64_t guard_ns(const struct world *w) {
	return w->cfg.clock_error_ns + w->cfg.t_sip_ns + w->cfg.core_slack_ns;
}

// Is the pair free of everybody but sub? I1: nobody was told it is theirs until now, and the core
// holds nothing of anybody else.
static void check_exclusive(struct world *w, uint32_t idx, const char *sub) {
	const struct owner *o = &w->owners[idx];
	uint64_t now_ns = env_now_ns(w->env), free_ns = o->end_ns + guard_ns(w);

	if (o->gen != 0 && strcmp(o->sub, sub) != 0) {
		if (o->release_ns != RG_NEVER && o->release_ns + w->cfg.release_guard_ns < free_ns)
			free_ns = o->release_ns + w->cfg.release_guard_ns;
		world_assert(w, now_ns >= free_ns);
	}
	world_assert(w, w->core[idx].end_ns <= now_ns || strcmp(w->core[idx].sub, sub) == 0);
}

void oracle_on_issue(struct world *w, const struct lease *l) {
	const struct owner *o = &w->owners[l->idx];

	check_exclusive(w, l->idx, l->sub);
	world_assert(w, l->gen >= o->gen);
	if (l->gen == o->gen)
		world_assert(w, strcmp(l->sub, o->sub) == 0);
	if (l->is_fixed)
		world_assert(w, strncmp(l->sub, "acct", 4) == 0);
}

void oracle_on_ack(struct world *w, const struct lease *l, uint64_t end_ns,
		   const struct rg_digest *d) {
	struct owner *o = &w->owners[l->idx];
	unsigned n_newer = 1;

	if (o->gen != l->gen) {
		world_assert(w, l->gen > o->gen);
		w->n_reassigned += o->gen != 0;
		*o = (struct owner){.gen = l->gen, .release_ns = RG_NEVER};
		snprintf(o->sub, sizeof(o->sub), "%s", l->sub);
	}
	world_assert(w, strcmp(o->sub, l->sub) == 0);
	if (o->is_restored) // giving it back was not durable
		o->release_ns = RG_NEVER;
	world_assert(w, o->release_ns == RG_NEVER);
	if (end_ns > o->end_ns)
		o->end_ns = end_ns;
	// Two stay good, the third from the end is void at once.
	for (size_t i = w->n_acks; i-- > 0;) {
		struct ack *a = &w->acks[i];

		if (a->idx != l->idx || a->state != ACK_GOOD || a->end_ns <= env_now_ns(w->env))
			continue;
		if (a->gen != l->gen || ++n_newer > STORE_TOKENS)
			a->state = ACK_VOID;
		else if (o->is_restored) // one stored but never acknowledged may have its place
			a->state = ACK_UNSURE;
	}
	o->is_restored = false;
	world_assert(w, w->n_acks < MAX_ACKS);
	w->acks[w->n_acks] = (struct ack){l->idx, l->gen, "", *d, end_ns, ACK_GOOD};
	snprintf(w->acks[w->n_acks++].sub, sizeof(w->acks[0].sub), "%s", l->sub);
	w->n_grants_ok++;
}

static void void_tokens(struct world *w, uint32_t idx, uint64_t gen) {
	for (size_t i = 0; i < w->n_acks; i++)
		if (w->acks[i].idx == idx && w->acks[i].gen == gen)
			w->acks[i].state = ACK_VOID;
}

void oracle_on_revoke(struct world *w, uint32_t idx, uint64_t gen) {
	void_tokens(w, idx, gen);
}

void oracle_on_release(struct world *w, uint32_t idx, uint64_t gen) {
	struct owner *o = &w->owners[idx];

	void_tokens(w, idx, gen);
	w->n_released++;
	if (o->gen == gen && o->release_ns == RG_NEVER)
		o->release_ns = env_now_ns(w->env);
}

// What was void may be good again, when the record of that was not durable; and a renewal that was
// never acknowledged may have taken the place of an older token. The newest one must be there, at
// least after the first crash.
void oracle_on_restart(struct world *w) {
	bool is_seen[N_PAIRS] = {0};

	for (size_t i = w->n_acks; i-- > 0;) {
		struct ack *a = &w->acks[i];

		if (a->state == ACK_VOID || is_seen[a->idx] || w->owners[a->idx].is_restored)
			a->state = ACK_UNSURE;
		is_seen[a->idx] = true;
	}
	for (size_t i = 0; i < N_PAIRS; i++)
		w->owners[i].is_restored = true;
	w->n_crashes++;
}

void oracle_on_binding(struct world *w, const struct tx *tx, uint64_t end_ns) {
	struct core_binding *b = &w->core[tx->idx];
	const struct lease *l = w->e == NULL ? NULL : lease_at(w->e, tx->idx); // NULL: crashed
	uint64_t now_ns = env_now_ns(w->env);

	// However late it is: the pair has not been given to another one.
	if (l != NULL && l->sub != NULL && l->state != LEASE_QUARANTINE)
		world_assert(w, l->gen <= tx->gen || strcmp(l->sub, tx->sub) == 0);
	world_assert(w, w->owners[tx->idx].gen <= tx->gen ||
				strcmp(w->owners[tx->idx].sub, tx->sub) == 0);
	if (b->end_ns > now_ns && (b->gen > tx->gen || (b->gen == tx->gen && b->end_ns > end_ns)))
		return; // a later request's
	b->gen = tx->gen;
	b->end_ns = end_ns;
	snprintf(b->sub, sizeof(b->sub), "%s", tx->sub);
}

static void check_token(struct world *w, const struct ack *a) {
	const struct lease *l = lease_by_digest(w->e, &a->digest);
	uint64_t now_ns = env_now_ns(w->env);
	uint64_t rounding_ns = 2 * w->n_crashes * RG_NS_PER_MS; // disk has milliseconds

	if (a->end_ns <= now_ns || a->state == ACK_VOID) {
		world_assert(w, l == NULL);
		return;
	}
	if (l == NULL && (a->state == ACK_UNSURE || a->end_ns <= now_ns + rounding_ns))
		return;
	world_assert(w, l != NULL); // I2: acknowledged, so it is known, after any crash
	world_assert(w, l->idx == a->idx && l->gen == a->gen);
	world_assert(w, strcmp(l->sub, a->sub) == 0);
	world_assert(w, lease_token_end_ns(l) + rounding_ns >= a->end_ns);
}

// INV-9, INV-10: what the workers answer from is true.
static void check_pair(struct world *w, uint32_t idx) {
	const struct lease *l = lease_at(w->e, idx);
	uint64_t now_ns = env_now_ns(w->env);

	if (l->state == LEASE_ACTIVE && !l->is_stale && l->binding.core_low_ns > now_ns) {
		world_assert(w, w->core[idx].gen == l->gen);
		world_assert(w, w->core[idx].end_ns >= l->binding.core_low_ns);
	}
	if (l->flow.gen != 0)
		world_assert(w, w->flows[l->flow.gen].is_open);
}

void oracle_check(struct world *w) {
	const char *fault = lease_engine_check(w->e);

	if (fault != NULL)
		world_fail(w, fault, __FILE__, __LINE__);
	for (size_t i = 0; i < w->n_acks; i++)
		check_token(w, &w->acks[i]);
	for (uint32_t i = 0; i < N_PAIRS; i++)
		check_pair(w, i);
	for (uint32_t i = 1; i <= w->n_flows; i++) { // INV-10: one open flow per lease
		const struct lease *l;

		if (!w->flows[i].is_open)
			continue;
		l = lease_get(w->e, w->flows[i].idx, w->flows[i].gen);
		if (l != NULL)
			world_assert(w, l->flow.gen == i);
	}
}
