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
	return h ^ h >> 15;
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

struct lease_pair *lease_index_find(const struct lease_index *x, const struct lease_engine *e,
				    const char *s) {
	for (uint32_t i = hash(s) & x->mask; x->slots[i] != 0; i = (i + 1) & x->mask) {
		struct lease_pair *p = &e->pairs[x->slots[i] - 1];
		const char *key = x->key(p);

		if ((x->is_exact ? strcmp(key, s) : strcasecmp(key, s)) == 0)
			return p;
	}
	return NULL;
}

void lease_index_add(struct lease_index *x, const struct lease_pair *p) {
	uint32_t i = hash(x->key(p)) & x->mask;

	while (x->slots[i] != 0)
		i = (i + 1) & x->mask;
	x->slots[i] = p->l.idx + 1;
}
