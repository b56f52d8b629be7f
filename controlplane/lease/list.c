// SPDX-License-Identifier: BSD-3-Clause
// Looking for pairs: by name, and one after the other by what they have in common. The walk reads the
// array of slots and leaves it only for what may fit, so that a million pairs take a few milliseconds.
#include <stdlib.h>

#include "lease/engine.h"

#define AHEAD 8 // slots, to fetch texts before they are compared

uint16_t lease_owner_tag(const char *sub) {
	return sub == NULL ? 0 : (uint16_t)(rg_text_hash(rg_str(sub), 0) % UINT16_MAX + 1);
}

void lease_pair_set_sub(struct lease_pair *p, char *sub) {
	free(p->l.sub);
	p->l.sub = sub;
	p->e->slots[p->l.idx].owner = lease_owner_tag(sub);
}

uint32_t lease_find(const struct lease_engine *e, const char *name) {
	uint32_t idx = lease_index_find(&e->by_impu, e, rg_str(name));

	if (idx == LEASE_NO_PAIR)
		idx = lease_index_find(&e->by_impi, e, rg_str(name));
	return idx == LEASE_NO_PAIR || e->slots[idx].is_removed ? LEASE_NO_PAIR : idx;
}

bool lease_is_over(const struct lease_engine *e, const char *impi, uint64_t gen) {
	uint32_t idx = lease_index_find(&e->by_impi, e, rg_str(impi));
	const struct lease_slot *slot = idx == LEASE_NO_PAIR ? NULL : &e->slots[idx];

	return slot != NULL && (slot->gen > gen || (slot->gen == gen && slot->is_over));
}

// Without regard to ASCII case, as identities are compared.
static bool begins_with(const struct lease_key *k, struct rg_slice s) {
	for (unsigned i = 0; i < LEASE_KEY_PARTS && s.len > 0; i++) {
		size_t n = s.len < k->part[i].len ? s.len : k->part[i].len;

		if (!rg_ieq(rg_slice(k->part[i].p, n), rg_slice(s.p, n)))
			return false;
		s = rg_skip(s, n);
	}
	return s.len == 0;
}

struct scan {
	const struct lease_engine *e;
	const struct lease_filter *f;
	uint16_t owner; // tag
};

static bool fits(const struct scan *s, uint32_t idx) {
	const struct lease_slot *slot = &s->e->slots[idx];
	const struct lease_filter *f = s->f;

	if (slot->is_removed || (f->is_suspect && slot->suspect == LEASE_SUSPECT_NONE))
		return false;
	if (f->state < 0 ? slot->state == LEASE_FREE && !f->is_suspect : slot->state != f->state)
		return false;
	if ((f->pool >= 0 && slot->pool != f->pool) || (f->wwsf >= 0 && slot->wwsf != f->wwsf))
		return false;
	if (f->sub != NULL && (slot->owner != s->owner || strcmp(slot->pair->l.sub, f->sub) != 0))
		return false;
	if (f->impu.len > 0) {
		const struct lease_key impu = lease_key_impu(s->e, idx);

		return begins_with(&impu, f->impu);
	}
	return true;
}

bool lease_scan(const struct lease_engine *e, const struct lease_filter *f, uint32_t *idx,
		unsigned *n) {
	const struct scan s = {e, f, lease_owner_tag(f->sub)};

	for (; *n > 0 && *idx < e->n_pairs; ++*idx) {
		if (f->impu.len > 0 && *idx + AHEAD < e->n_pairs)
			__builtin_prefetch(e->slots[*idx + AHEAD].text);
		--*n;
		if (fits(&s, *idx))
			return true;
	}
	return false;
}
