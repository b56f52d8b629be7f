// SPDX-License-Identifier: BSD-3-Clause
// Chunk pool of one engine, and the send queue made of its chunks. Every chunk of a queue but the
// last is full, so that appending, sending and acknowledging touch the ends only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/slice.h"

#define TCP_NIL UINT32_MAX
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

// A place in a queue. Packed: three of them are in every connection.
struct tcp_pos {
	uint32_t chunk;
	uint16_t off;
} __attribute__((packed, aligned(2)));

struct tcp_sndq {
	struct tcp_pos head; // first byte not acknowledged
	struct tcp_pos nxt;  // first byte not sent: that of snd_nxt
	struct tcp_pos tail; // where the next byte is written
	uint32_t len;        // head to tail
};

void tcp_sndq_init(struct tcp_sndq *q);
void tcp_sndq_fini(struct tcp_sndq *q, struct tcp_pool *p);
size_t tcp_sndq_room(const struct tcp_sndq *q, const struct tcp_pool *p); // what the pool allows
// d.len <= tcp_sndq_room().
void tcp_sndq_append(struct tcp_sndq *q, struct tcp_pool *p, struct rg_slice d);
// Drops n bytes (<= len) at the head; the send position moves along when it would fall behind.
void tcp_sndq_ack(struct tcp_sndq *q, struct tcp_pool *p, uint32_t n);
// The place of byte `off` (<= len) of the queue.
struct tcp_pos tcp_sndq_at(const struct tcp_sndq *q, const struct tcp_pool *p, uint32_t off);
// The send position goes back to the head.
void tcp_sndq_rewind(struct tcp_sndq *q);
// Up to `max` pieces that hold the *len bytes at `pos`, which moves on; *len is cut when they do not
// suffice. Returns the pieces used.
unsigned tcp_sndq_get(const struct tcp_pool *p, struct tcp_pos *pos, struct rg_slice *pieces,
		      unsigned max, size_t *len);
