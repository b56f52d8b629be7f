// SPDX-License-Identifier: BSD-3-Clause
// Chunk pool of one engine, and the send queue made of its chunks. Every chunk of a queue but the
// last is full, so that appending, sending and acknowledging touch the ends only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/slice.h"

#define TCP_NIL 0xffffffu // no index: those of connections and chunks have 24 bits
#define TCP_CHUNK_BYTES 2048u

struct tcp_chunk {
	uint32_t next;
	uint32_t seq;   // reassembly: of the first byte
	uint32_t len;   // reassembly
	uint32_t stamp; // reassembly: rises with what came last
};

struct tcp_pool {
	uint8_t *mem;
	struct tcp_chunk *chunks;
	uint32_t n, n_free;
	uint32_t n_used; // ever taken; chunks above it have never been touched
	uint32_t free_head;
};

[[nodiscard]] int tcp_pool_init(struct tcp_pool *p, uint32_t n); // 0 or -ENOMEM
void tcp_pool_fini(struct tcp_pool *p);
uint32_t tcp_pool_take(struct tcp_pool *p); // TCP_NIL: none left
void tcp_pool_put(struct tcp_pool *p, uint32_t chunk);

static inline uint8_t *tcp_pool_mem(const struct tcp_pool *p, uint32_t chunk) {
	return p->mem + (size_t)chunk * TCP_CHUNK_BYTES;
}

// A place in a queue.
struct tcp_pos {
	uint32_t chunk;
	uint32_t off;
};

// The bytes between head and tail: those sent and not acknowledged, then those not sent.
struct tcp_sndq {
	uint64_t head : 24, tail : 24; // first and last chunk; TCP_NIL: none
	uint64_t off : 16;             // of the first byte, in head
	uint32_t len;
} __attribute__((packed, aligned(4)));

void tcp_sndq_init(struct tcp_sndq *q);
void tcp_sndq_fini(struct tcp_sndq *q, struct tcp_pool *p);
// What the pool allows. The last `reserve` chunks are for queues that have none yet: one each.
size_t tcp_sndq_room(const struct tcp_sndq *q, const struct tcp_pool *p, uint32_t reserve);
// d.len <= tcp_sndq_room().
void tcp_sndq_append(struct tcp_sndq *q, struct tcp_pool *p, struct rg_slice d);
// Drops n bytes (<= len) at the head.
void tcp_sndq_ack(struct tcp_sndq *q, struct tcp_pool *p, uint32_t n);
// The place of byte `off` (<= len) of the queue. Walks its chunks up to there.
struct tcp_pos tcp_sndq_at(const struct tcp_sndq *q, const struct tcp_pool *p, uint32_t off);
// Up to `max` pieces that hold the *len bytes at `pos`, which moves on; *len is cut when they do not
// suffice. Returns the pieces used.
unsigned tcp_sndq_get(const struct tcp_pool *p, struct tcp_pos *pos, struct rg_slice *pieces,
		      unsigned max, size_t *len);
