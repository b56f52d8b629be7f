// SPDX-License-Identifier: BSD-3-Clause
// Message buffers of one worker. A connection has one only while a message is partial; what
// describes that message lies in the buffer's head, so that an idle connection pays for an index.
// Two sizes: small ones for a SIP message or an HTTP head, a few large ones for a whole request.
// The memory is reserved at start and touched when a buffer is first used. One owner, no locks.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ws/ws.h"

#define BUF_NONE 0 // index of no buffer

struct buf {
	uint32_t cap;  // of data, immutable
	uint32_t next; // buf.c: free list
	uint32_t len;  // bytes in data
	struct buf_head {
		uint32_t since;      // tick at which the message in it began
		uint32_t echo_end;   // of a message that goes back; it and all before it is done
		struct ws_rx ws;     // WebSocket: state of the open message
		struct http_rx http; // HTTP: state of the open request
	} head;
	uint8_t data[];
};

struct buf_class {
	uint8_t *mem;
	size_t stride; // from one buffer to the next
	uint32_t cap;
	uint32_t n, n_fresh; // buffers, and how many of them were ever used
	uint32_t free;       // BUF_NONE = none but fresh ones
};

struct buf_pool {
	struct buf_class small, large;
	uint32_t n_used;
	struct buf *scratch; // large; of whoever is being served, empty between two
};

struct buf_cfg {
	uint32_t n_small, n_large;
	uint32_t small_cap, large_cap; // bytes
};

[[nodiscard]] int buf_pool_init(struct buf_pool *p, const struct buf_cfg *cfg); // 0, -ENOMEM
void buf_pool_fini(struct buf_pool *p); // also zeroed or after a failed _init

// Index of an empty buffer of at least len bytes, or BUF_NONE. A small message takes no large one.
[[nodiscard]] uint32_t buf_take(struct buf_pool *p, size_t len, uint32_t now);
void buf_put(struct buf_pool *p, uint32_t idx);
struct buf *buf_at(const struct buf_pool *p, uint32_t idx); // idx is not BUF_NONE

// Empties b.
void buf_reset(struct buf *b, uint32_t now);
// Moves all that from holds to a buffer of at least len bytes, or BUF_NONE.
[[nodiscard]] uint32_t buf_copy(struct buf_pool *p, const struct buf *from, size_t len);
