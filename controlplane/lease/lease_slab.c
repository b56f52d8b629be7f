// SPDX-License-Identifier: BSD-3-Clause
// Blocks are cut from chunks of a huge page, at a multiple of its size: the first block of a chunk is
// its header, which any block finds by its own address.
#include "lease/lease_slab.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "regate/huge.h"

#define CHUNK ((size_t)2 << 20)
#define BLOCKS (CHUNK / LEASE_BLOCK) // of a chunk, its header among them

struct block {
	struct block *next;
};

struct chunk {
	struct lease_slab *slab;
	struct chunk *next;
};

struct lease_slab {
	struct chunk *chunks; // ctl: newest first
	size_t n_used;        // ctl: blocks of the newest that were ever taken
	struct block *free;   // ctl
	// Given back: any thread pushes, ctl takes all of them, so that none is seen twice.
	_Atomic(struct block *) given;
	_Atomic(uint64_t) n_refs; // blocks that are retired, and the owner
};

static struct lease_slab *slab_of(void *block) {
	return ((struct chunk *)((uintptr_t)block & ~(uintptr_t)(CHUNK - 1)))->slab;
}

struct lease_slab *lease_slab_new(void) {
	struct lease_slab *s = calloc(1, sizeof(*s));

	if (s != NULL)
		atomic_init(&s->n_refs, 1);
	return s;
}

// Release: what was done to a block comes before the end of its memory. Acquire: for who ends it.
void lease_slab_put(struct lease_slab *s) {
	struct chunk *c;

	if (s == NULL || atomic_fetch_sub_explicit(&s->n_refs, 1, memory_order_acq_rel) > 1)
		return;
	while ((c = s->chunks) != NULL) {
		s->chunks = c->next;
		rg_huge_free(c, 1, CHUNK);
	}
	free(s);
}

static int grow(struct lease_slab *s) {
	struct chunk *c = rg_huge_alloc(1, CHUNK);

	if (c == NULL)
		return -1;
	*c = (struct chunk){s, s->chunks};
	s->chunks = c;
	s->n_used = 1;
	return 0;
}

void *lease_slab_take(struct lease_slab *s) {
	struct block *b;

	if (s->free == NULL) // pairs with the release in lease_slab_give()
		s->free = atomic_exchange_explicit(&s->given, NULL, memory_order_acquire);
	b = s->free;
	if (b != NULL) {
		s->free = b->next;
		return b;
	}
	if ((s->chunks == NULL || s->n_used == BLOCKS) && grow(s) != 0)
		return NULL;
	return (uint8_t *)s->chunks + LEASE_BLOCK * s->n_used++;
}

void lease_slab_retire(void *block) {
	atomic_fetch_add_explicit(&slab_of(block)->n_refs, 1, memory_order_relaxed);
}

void lease_slab_give(void *block) {
	struct lease_slab *s = slab_of(block);
	struct block *b = block;

	b->next = atomic_load_explicit(&s->given, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&s->given, &b->next, b, memory_order_release,
						      memory_order_relaxed))
		;
	lease_slab_put(s);
}
