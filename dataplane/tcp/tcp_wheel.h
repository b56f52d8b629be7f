// SPDX-License-Identifier: BSD-3-Clause
// Timing wheel of one engine: three levels of 256 slots, of 1 ms, 256 ms and 65.536 s. Entries are
// slot indices of connections; their links live in the connections. The wheel does not know their
// exact times: from the upper levels, and from beyond the last (4.6 hours), an entry comes out early,
// and who still waits adds it again.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_buf.h" // TCP_NIL

#define TCP_WHEEL_SLOTS 256
#define TCP_WHEEL_LEVELS 3

struct tcp_wheel_link {
	uint64_t next : 24, prev : 24;
	uint64_t slot : 16; // level * 256 + slot, + 1; 0: not in the wheel
};

struct tcp_wheel {
	uint64_t now_ms;  // everything before it has come out
	uint64_t next_ms; // never later than the earliest entry
	uint32_t n;
	uint32_t heads[TCP_WHEEL_LEVELS * TCP_WHEEL_SLOTS];
	uint64_t bits[TCP_WHEEL_LEVELS][TCP_WHEEL_SLOTS / 64]; // slots that are not empty
	uint8_t *
		links; // link 0, and the distance to the next one: they are part of something larger
	uint32_t stride;
};

void tcp_wheel_init(struct tcp_wheel *w, struct tcp_wheel_link *first, uint32_t stride);
// idx must not be in the wheel. at_ms is modulo 2^32, within 2^31 of now_ms.
void tcp_wheel_add(struct tcp_wheel *w, uint32_t idx, uint32_t at_ms, uint64_t now_ms);
void tcp_wheel_del(struct tcp_wheel *w, uint32_t idx);
// When idx, which is in the wheel, will come out.
uint64_t tcp_wheel_at_ms(const struct tcp_wheel *w, uint32_t idx);
// When to look again: never later than the earliest entry. UINT64_MAX: empty, seen by
// tcp_wheel_pop().
static inline uint64_t tcp_wheel_next_ms(const struct tcp_wheel *w) {
	return w->next_ms;
}
// Takes out one entry, never late when called by tcp_wheel_next_ms(). TCP_NIL: none, or *budget, of
// which an entry takes one, is used up.
uint32_t tcp_wheel_pop(struct tcp_wheel *w, uint64_t now_ms, unsigned *budget);
