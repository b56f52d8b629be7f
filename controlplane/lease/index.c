// SPDX-License-Identifier: BSD-3-Clause
// Hash index of the pairs by IMPI, IMPU and account. Filled at start, never shrinks. The strings
// come from the operator's files: no keyed hash needed.
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "lease/engine.h"

static uint32_t hash(const char *s) {
	uint32_t h = 2166136261U; // FNV-1a

	for (; *s != '\0'; s++)
		h = (h ^ rg_lower((uint8_t)*s)) * 16777619U;
	// FNV leaves names that differ in one digit side by side, which linear probing pays for.
	h = (h ^ h >> 16) * 0x85ebca6bU;
	h = (h ^ h >> 13) * 0xc2b2ae35U;
	return h ^ h >> 16;
}

int lease_index_init(struct lease_index *x, lease_key_fn *key, bool is_exact, uint32_t max_pairs) {
	uint64_t n = 16;

	while (n < 2 * (uint64_t)max_pairs)
		n *= 2;
	x->key = key;
	x->is_exact = is_exact;
	x->mask = (uint32_t)(n - 1);
	x->slots = calloc(n, sizeof(*x->slots));
	return x->slots == NULL ? -ENOMEM : 0;
}

void lease_index_fini(struct lease_index *x) {
	free(x->slots);
	x->slots = NULL;
}

// The hash in the slot spares most of the strings of others, each of which is a cache miss or two.
struct lease_pair *lease_index_find(const struct lease_index *x, const struct lease_engine *e,
				    const char *s) {
	uint32_t h = hash(s);

	for (uint32_t i = h & x->mask; x->slots[i] != 0; i = (i + 1) & x->mask) {
		struct lease_pair *p = &e->pairs[(uint32_t)x->slots[i] - 1];

		if (x->slots[i] >> 32 == h &&
		    (x->is_exact ? strcmp(x->key(p), s) : strcasecmp(x->key(p), s)) == 0)
			return p;
	}
	return NULL;
}

void lease_index_add(struct lease_index *x, const struct lease_pair *p) {
	uint32_t h = hash(x->key(p)), i = h & x->mask;

	while (x->slots[i] != 0)
		i = (i + 1) & x->mask;
	x->slots[i] = (uint64_t)h << 32 | (p->l.idx + 1);
}
