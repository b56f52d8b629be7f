// SPDX-License-Identifier: BSD-3-Clause
// Single-producer single-consumer ring of variable-length records, for punts and replies. Plain
// memory and two indices: no lock, no allocation after rg_ring_init(). A record is contiguous.
#pragma once

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "regate/slice.h"

#define RG_RING_ALIGN 8
#define RG_RING_PAD UINT32_MAX // length word that sends the reader back to offset 0

struct rg_ring {
	uint8_t *mem;  // immutable
	uint64_t size; // immutable, power of two, at least twice the largest record and its 8 bytes
	_Alignas(64) _Atomic(uint64_t) head; // producer: rw, consumer: ro; bytes ever written
	_Alignas(64) _Atomic(uint64_t) tail; // consumer: rw, producer: ro; bytes ever read
};

static inline void rg_ring_init(struct rg_ring *r, void *mem, uint64_t size) {
	r->mem = mem;
	r->size = size;
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
}

// Appends head and body as one record. 0, or -EAGAIN when it does not fit now: nothing written.
[[nodiscard]] static inline int rg_ring_put(struct rg_ring *r, struct rg_slice head,
					    struct rg_slice body) {
	uint64_t h = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t t =
		atomic_load_explicit(&r->tail,
				     memory_order_acquire); // pairs with rg_ring_next and _peek
	uint64_t off = h & (r->size - 1);
	uint64_t total = head.len + body.len;
	uint64_t need =
		(total + RG_RING_ALIGN + RG_RING_ALIGN - 1) & ~(uint64_t)(RG_RING_ALIGN - 1);
	uint64_t pad = r->size - off < need ? r->size - off : 0;
	uint32_t mark = RG_RING_PAD;
	uint32_t len = (uint32_t)total; // no record is longer than half the ring

	if (r->size - (h - t) < need + pad)
		return -EAGAIN;
	if (pad > 0) {
		memcpy(r->mem + off, &mark, sizeof(mark));
		off = 0;
	}
	memcpy(r->mem + off, &len, sizeof(len));
	if (head.len > 0)
		memcpy(r->mem + off + RG_RING_ALIGN, head.p, head.len);
	if (body.len > 0)
		memcpy(r->mem + off + RG_RING_ALIGN + head.len, body.p, body.len);
	atomic_store_explicit(&r->head, h + pad + need,
			      memory_order_release); // pairs with rg_ring_peek
	return 0;
}

// The oldest record, borrowed until rg_ring_next(). False when there is none.
[[nodiscard]] static inline bool rg_ring_peek(struct rg_ring *r, struct rg_slice *out) {
	uint64_t t = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint64_t h = atomic_load_explicit(&r->head, memory_order_acquire); // pairs with rg_ring_put
	uint64_t off = t & (r->size - 1);
	uint32_t len;

	if (t == h)
		return false;
	memcpy(&len, r->mem + off, sizeof(len));
	if (len == RG_RING_PAD) {
		// Skip the padding; the record behind it was published by the same store. The mark
		// was read above and may be overwritten from here on: pairs with rg_ring_put.
		atomic_store_explicit(&r->tail, t + (r->size - off), memory_order_release);
		off = 0;
		memcpy(&len, r->mem, sizeof(len));
	}
	*out = rg_slice(r->mem + off + RG_RING_ALIGN, len);
	return true;
}

// Gives back the record that rg_ring_peek() returned.
static inline void rg_ring_next(struct rg_ring *r, struct rg_slice rec) {
	uint64_t t = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint64_t need =
		(rec.len + RG_RING_ALIGN + RG_RING_ALIGN - 1) & ~(uint64_t)(RG_RING_ALIGN - 1);

	atomic_store_explicit(&r->tail, t + need, memory_order_release); // pairs with rg_ring_put
}

static inline bool rg_ring_is_empty(const struct rg_ring *r) {
	return atomic_load_explicit(&r->head, memory_order_acquire) ==
	       atomic_load_explicit(&r->tail, memory_order_acquire);
}
