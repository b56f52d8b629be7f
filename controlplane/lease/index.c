// SPDX-License-Identifier: BSD-3-Clause
// Hash index by texts that come in pieces: identities, accounts, domains. Filled at start, never
// shrinks. The texts come from the operator's files: no keyed hash needed.
#include <errno.h>
#include <stdlib.h>

#include "lease/engine.h"
#include "regate/err.h"
#include "regate/texthash.h"

#define HASHED 256 // bytes of a key, the first
#define NO_CASE UINT64_C(0x2020202020202020)

// Eight bytes at a time. The bit of ASCII case is set in all of them: keys that this makes alike are
// compared in the end.
static uint32_t hash_text(struct rg_slice s, uint64_t h) {
	uint64_t w = 0;

	for (; s.len >= sizeof(w); s = rg_skip(s, sizeof(w))) {
		memcpy(&w, s.p, sizeof(w));
		h = rg_hash_mix(h, w | NO_CASE);
	}
	w = 0;
	if (s.len > 0)
		memcpy(&w, s.p, s.len);
	return (uint32_t)(rg_hash_mix(rg_hash_mix(h, w | NO_CASE), 0) >> 32);
}

static uint32_t hash(const struct lease_key *k) {
	uint8_t text[HASHED];
	struct rg_wr w = rg_wr(text, sizeof(text));

	for (unsigned i = 0; i < LEASE_KEY_PARTS; i++) {
		size_t room = sizeof(text) - w.len;

		rg_put(&w, rg_slice(k->part[i].p, k->part[i].len < room ? k->part[i].len : room));
	}
	return hash_text(rg_wr_slice(&w), lease_key_len(k));
}

bool lease_key_is(const struct lease_key *k, struct rg_slice s, bool is_exact) {
	if (lease_key_len(k) != s.len)
		return false;
	for (unsigned i = 0; i < LEASE_KEY_PARTS; i++) {
		struct rg_slice head = rg_slice(s.p, k->part[i].len);

		if (!rg_eq(k->part[i], head) && (is_exact || !rg_ieq(k->part[i], head)))
			return false;
		s = rg_skip(s, head.len);
	}
	return true;
}

// The high bits of the hash are the place, the low ones the tag, which spares most of the texts of
// others, each of which is a cache miss or two. 0 marks an empty slot.
static uint32_t place(const struct lease_index *x, uint32_t h) {
	return (uint32_t)((uint64_t)h * x->n >> 32);
}

static uint8_t tag(uint32_t h) {
	return (uint8_t)(h % 255 + 1);
}

static uint32_t next(const struct lease_index *x, uint32_t i) {
	return i + 1 == x->n ? 0 : i + 1;
}

static void put(struct lease_index *x, uint32_t h, uint32_t of) {
	uint32_t i = place(x, h);

	while (x->tags[i] != 0)
		i = next(x, i);
	x->tags[i] = tag(h);
	x->slots[i] = of;
}

static int resize(struct lease_index *x, const struct lease_engine *e, uint64_t n) {
	struct lease_index old = *x;

	if (n > UINT32_MAX)
		return RG_E_LIMIT;
	x->n = (uint32_t)n;
	x->tags = calloc(n, sizeof(*x->tags));
	x->slots = malloc(n * sizeof(*x->slots));
	if (x->tags == NULL || x->slots == NULL) {
		lease_index_fini(x);
		*x = old;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < old.n; i++)
		if (old.tags[i] != 0) {
			const struct lease_key k = x->key(e, old.slots[i]);

			put(x, hash(&k), old.slots[i]);
		}
	lease_index_fini(&old);
	return 0;
}

// At most three of four slots are taken.
int lease_index_init(struct lease_index *x, lease_key_fn *key, bool is_exact, uint32_t n) {
	*x = (struct lease_index){.key = key, .is_exact = is_exact};
	return resize(x, NULL, (uint64_t)n * 4 / 3 + 4);
}

void lease_index_fini(struct lease_index *x) {
	free(x->tags);
	free(x->slots);
	x->tags = NULL;
	x->slots = NULL;
}

uint32_t lease_index_find(const struct lease_index *x, const struct lease_engine *e,
			  struct rg_slice s) {
	uint32_t h = hash(&(struct lease_key){{s}});

	for (uint32_t i = place(x, h); x->tags[i] != 0; i = next(x, i))
		if (x->tags[i] == tag(h)) {
			const struct lease_key k = x->key(e, x->slots[i]);

			if (lease_key_is(&k, s, x->is_exact))
				return x->slots[i];
		}
	return LEASE_NO_PAIR;
}

int lease_index_room(struct lease_index *x, const struct lease_engine *e) {
	if ((uint64_t)(x->n_used + 1) * 4 <= (uint64_t)x->n * 3)
		return 0;
	return resize(x, e, (uint64_t)x->n * 2);
}

void lease_index_add(struct lease_index *x, const struct lease_engine *e, uint32_t of) {
	const struct lease_key k = x->key(e, of);

	put(x, hash(&k), of);
	x->n_used++;
}
