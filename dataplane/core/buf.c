// SPDX-License-Identifier: BSD-3-Clause
// Message buffers (buf.h). Runs on the worker, _init and _fini on the control thread.
#include "buf.h"

#include <errno.h>
#include <string.h>

#include "regate/huge.h"

#define IS_LARGE (UINT32_C(1) << 31) // of an index; the rest is the slot, counted from 1

static int class_init(struct buf_class *k, uint32_t n, uint32_t cap) {
	k->stride = (sizeof(struct buf) + cap + 63) & ~(size_t)63;
	k->mem = rg_huge_alloc(n, k->stride);
	if (k->mem == NULL)
		return -ENOMEM;
	k->n = n;
	k->cap = cap;
	return 0;
}

static void class_fini(struct buf_class *k) {
	rg_huge_free(k->mem, k->n, k->stride);
}

static struct buf *slot_at(const struct buf_class *k, uint32_t slot) {
	return (struct buf *)(void *)(k->mem + (slot - 1) * k->stride);
}

// A slot's index, or 0.
static uint32_t class_take(struct buf_class *k) {
	uint32_t slot = k->free;

	if (slot != BUF_NONE)
		k->free = slot_at(k, slot)->next;
	else if (k->n_fresh < k->n)
		slot_at(k, slot = ++k->n_fresh)->cap = k->cap;
	return slot;
}

int buf_pool_init(struct buf_pool *p, const struct buf_cfg *cfg) {
	memset(p, 0, sizeof(*p));
	if (class_init(&p->small, cfg->n_small, cfg->small_cap) != 0 ||
	    class_init(&p->large, cfg->n_large + 1, cfg->large_cap) != 0) {
		buf_pool_fini(p);
		return -ENOMEM;
	}
	p->scratch = slot_at(&p->large, class_take(&p->large));
	return 0;
}

void buf_pool_fini(struct buf_pool *p) {
	class_fini(&p->small);
	class_fini(&p->large);
	memset(p, 0, sizeof(*p));
}

void buf_reset(struct buf *b, uint32_t now) {
	b->len = 0;
	b->head = (struct buf_head){.since = now};
}

uint32_t buf_take(struct buf_pool *p, size_t len, uint32_t now) {
	uint32_t is_large = len > p->small.cap ? IS_LARGE : 0;
	struct buf_class *k = is_large != 0 ? &p->large : &p->small;
	uint32_t slot = len > k->cap ? 0 : class_take(k);

	if (slot == 0)
		return BUF_NONE;
	p->n_used++;
	buf_reset(slot_at(k, slot), now);
	return slot | is_large;
}

void buf_put(struct buf_pool *p, uint32_t idx) {
	struct buf_class *k = (idx & IS_LARGE) != 0 ? &p->large : &p->small;
	uint32_t slot = idx & ~IS_LARGE;

	slot_at(k, slot)->next = k->free;
	k->free = slot;
	p->n_used--;
}

struct buf *buf_at(const struct buf_pool *p, uint32_t idx) {
	return slot_at((idx & IS_LARGE) != 0 ? &p->large : &p->small, idx & ~IS_LARGE);
}

uint32_t buf_copy(struct buf_pool *p, const struct buf *from, size_t len) {
	uint32_t idx = buf_take(p, len, 0);
	struct buf *b;

	if (idx == BUF_NONE)
		return BUF_NONE;
	b = buf_at(p, idx);
	b->len = from->len;
	b->head = from->head;
	memcpy(b->data, from->data, from->len);
	return idx;
}
