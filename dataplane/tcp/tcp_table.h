// SPDX-License-Identifier: BSD-3-Clause
// Hash to slot index, open addressing with linear probing, at most half full: 16 bytes for each of
// `max`. It knows hashes and indices only; whoever asks compares addresses.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_buf.h" // TCP_NIL

struct tcp_entry {
	uint32_t hash;
	uint32_t slot; // index + 1; 0: empty
};

struct tcp_table {
	struct tcp_entry *entries;
	uint32_t n; // any number: a power of two would take up to twice the memory
};

[[nodiscard]] int tcp_table_init(struct tcp_table *tb, uint32_t max); // 0 or -ENOMEM
void tcp_table_fini(struct tcp_table *tb);
void tcp_table_add(struct tcp_table *tb, uint32_t hash, uint32_t idx);
// idx must be in the table under this hash.
void tcp_table_del(struct tcp_table *tb, uint32_t hash, uint32_t idx);

// Where the search for a hash begins.
static inline uint32_t tcp_table_home(const struct tcp_table *tb, uint32_t hash) {
	return (uint32_t)((uint64_t)hash * tb->n >> 32);
}

// Slots whose hash is `hash`, one per call. Start with *pos = tcp_table_home(); TCP_NIL ends it.
static inline uint32_t tcp_table_next(const struct tcp_table *tb, uint32_t hash, uint32_t *pos) {
	for (;;) {
		const struct tcp_entry *e = &tb->entries[*pos];

		if (e->slot == 0)
			return TCP_NIL;
		*pos = *pos + 1 == tb->n ? 0 : *pos + 1;
		if (e->hash == hash)
			return e->slot - 1;
	}
}
