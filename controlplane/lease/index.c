// SPDX-License-Identifier: BSD-3-Clause
// Hash index by texts that come in pieces: identities, accounts, domains. Filled at start, never
// shrinks. The texts come from the operator's files: no keyed hash needed.
#include <errno.h>
#include <stdlib.h>

#include "lease/engine.h"
#include "regate/err.h"
#include "regate/huge.h"
#include "regate/texthash.h"

#define HASHED 256 // bytes of a key, the first
#define NO_CASE UINT64_C(0x2020202020202020)

// Eight bytes at a time, the last of which overlap. The bit of ASCII case is set in all of them: keys
// that this makes alike are compared in the end.
static uint32_t hash(const uint8_t *p, size_t len) {
	size_t n = len < HASHED ? len : HASHED, i = 0;
	uint64_t h = len, w = 0;

	for (; i + sizeof(w) <= n; i += sizeof(w)) {
		memcpy(&w, p + i, sizeof(w));
		h = rg_hash_mix(h, w | NO_CASE);
	}
	if (n > sizeof(w))
		memcpy(&w, p + n - sizeof(w), sizeof(w));
	for (; n < sizeof(w) && i < n; i++)
		w = w << 8 | p[i];
	return (uint32_t)(rg_hash_mix(rg_hash_mix(h, w | NO_CASE), 0) >> 32);
}

uint32_t lease_index_hash(struct rg_slice s) {
	return hash(s.p, s.len);
}

static uint32_t hash_key(const struct lease_key *k) {
	uint8_t text[HASHED];
	struct rg_wr w = rg_wr(text, sizeof(text));

	for (unsigned i = 0; i < LEASE_KEY_PARTS; i++) {
		size_t room = sizeof(text) - w.len;

		rg_put(&w, rg_slice(k->part[i].p, k->part[i].len < room ? k->part[i].len : room));
	}
	return hash(text, lease_key_len(k));
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
	x->tags = rg_huge_alloc(n, sizeof(*x->tags));
	x->slots = rg_huge_alloc(n, sizeof(*x->slots));
	if (x->tags == NULL || x->slots == NULL) {
		lease_index_fini(x);
		*x = old;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < old.n; i++)
		if (old.tags[i] != 0) {
			const struct lease_key k = x->key(e, old.slots[i]);

			put(x, hash_key(&k), old.slots[i]);
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
	rg_huge_free(x->tags, x->n, sizeof(*x->tags));
	rg_huge_free(x->slots, x->n, sizeof(*x->slots));
	x->tags = NULL;
	x->slots = NULL;
}

uint32_t lease_index_find_hashed(const struct lease_index *x, const struct lease_engine *e,
				 struct rg_slice s, uint32_t h) {
	uint32_t i = place(x, h);

	__builtin_prefetch(&x->slots[i], 1);
	for (; x->tags[i] != 0; i = next(x, i))
		if (x->tags[i] == tag(h)) {
			const struct lease_key k = x->key(e, x->slots[i]);

			if (lease_key_is(&k, s, x->is_exact))
				return x->slots[i];
		}
	return LEASE_NO_PAIR;
}

uint32_t lease_index_find(const struct lease_index *x, const struct lease_engine *e,
			  struct rg_slice s) {
	return lease_index_find_hashed(x, e, s, lease_index_hash(s));
}

int lease_index_room(struct lease_index *x, const struct lease_engine *e) {
	if ((uint64_t)(x->n_used + 1) * 4 <= (uint64_t)x->n * 3)
		return 0;
	return resize(x, e, (uint64_t)x->n * 2);
}

void lease_index_add(struct lease_index *x, uint32_t hash, uint32_t of) {
	put(x, hash, of);
	x->n_used++;
}
