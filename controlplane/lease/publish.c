// SPDX-License-Identifier: BSD-3-Clause
// What the workers may know of a lease: one table entry per live token.
#include "lease/engine.h"

#include "lease/table_read.h"

enum rg_lease_state lease_shown_state(const struct lease_pair *p) {
	enum lease_state s = p->l.state;

	// A refresh under way does not take the binding away (ims.md 4.3 rule 11).
	if (s == LEASE_PENDING)
		s = p->before;
	switch (s) {
	case LEASE_OFFERED:
		return RG_LEASE_OFFERED;
	case LEASE_ACTIVE:
		return p->l.is_stale || p->is_raised ? RG_LEASE_STALE : RG_LEASE_ACTIVE;
	case LEASE_UNKNOWN:
		return RG_LEASE_STALE;
	default:
		return RG_LEASE_ENDING;
	}
}

static struct lease_entry entry_of(const struct lease_pair *p, const struct lease_token *t) {
	const struct lease_binding *b = &p->l.binding;

	return (struct lease_entry){
		.digest = t->digest,
		.idx = p->l.idx,
		.gen = p->l.gen,
		.state = lease_shown_state(p),
		.token_end_ns = t->end_ns,
		.core_end_ns = b->core_low_ns,
		.core_refresh_ns = b->core_refresh_ns,
		.wwsf = p->l.wwsf,
		.impu = rg_str(p->l.impu),
		.contact = b->contact,
		.call_id = b->call_id,
		.to_tag = b->to_tag,
		.headers = b->headers,
	};
}

int lease_token_publish(const struct lease_pair *p, const struct lease_token *t) {
	struct lease_entry full = entry_of(p, t);

	return lease_table_put(p->e->table, &full);
}

int lease_pair_publish(struct lease_pair *p) {
	int rc = 0;

	for (unsigned i = 0; i < STORE_TOKENS; i++) {
		const struct lease_token *t = &p->l.tokens[i];

		if (t->end_ns != 0 && rc == 0)
			rc = lease_token_publish(p, t);
	}
	if (rc == 0)
		return 0;
	// Too large, or no memory: every REGISTER comes here; what is shown now promises nothing.
	p->l.is_stale = true;
	lease_pair_show_state(p);
	return rc;
}

void lease_pair_show_state(struct lease_pair *p) {
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (p->l.tokens[i].end_ns != 0)
			(void)lease_table_set_state(p->e->table, &p->l.tokens[i].digest,
						    lease_shown_state(p));
}

void lease_token_drop(struct lease_pair *p, unsigned slot) {
	struct lease_token *t = &p->l.tokens[slot];

	if (t->end_ns == 0)
		return;
	(void)lease_table_del(p->e->table, &t->digest);
	*t = (struct lease_token){0};
}

void lease_pair_drop_tokens(struct lease_pair *p) {
	for (unsigned i = 0; i < STORE_TOKENS; i++)
		lease_token_drop(p, i);
}

void lease_pair_drop_ended(struct lease_pair *p) {
	uint64_t now_ns = env_now_ns(p->e->env);
	struct lease_token *t = p->l.tokens;

	for (unsigned i = 0; i < STORE_TOKENS; i++)
		if (t[i].end_ns != 0 && t[i].end_ns <= now_ns)
			lease_token_drop(p, i);
	if (t[0].end_ns == 0 && t[1].end_ns != 0) {
		t[0] = t[1];
		t[1] = (struct lease_token){0};
	}
}

const struct lease *lease_by_digest(const struct lease_engine *e, const struct rg_digest *d) {
	const struct rg_lease *entry = lease_table_get(e->table, d);

	if (entry == NULL || entry->token_end_ns <= env_now_ns(e->env))
		return NULL;
	return lease_get(e, entry->idx, entry->gen);
}
