// SPDX-License-Identifier: BSD-3-Clause
// Memory of the lease table's entries, of which most take one size: blocks on huge pages, so that a
// worker that looks up one of millions finds the page in its TLB. Blocks come back from the
// thread of call_rcu.
#pragma once

#include <stddef.h>

#define LEASE_BLOCK 128 // bytes of a block, at a multiple of as many

struct lease_slab;
// NULL without memory. Takes memory as blocks are taken, and keeps it until its end.
[[nodiscard]] struct lease_slab *lease_slab_new(void);
// Control thread; accepts NULL. It goes when all blocks that lease_slab_retire() named are back; the
// others go with it.
void lease_slab_put(struct lease_slab *s);
void *lease_slab_take(struct lease_slab *s); // control thread; NULL without memory
void lease_slab_retire(void *block); // control thread: lease_slab_give() follows, also after put
void lease_slab_give(void *block);   // any thread
