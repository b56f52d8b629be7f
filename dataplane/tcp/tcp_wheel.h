// SPDX-License-Identifier: BSD-3-Clause
// Timing wheel of one engine: two levels of 256 slots, ticks of 1 ms and of 256 ms. Entries are slot
// indices of connections; their links live in the connections. A time beyond the wheel (65 s) comes
// out early, at its far end.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_buf.h" // TCP_NIL

#define TCP_WHEEL_SLOTS 256

struct tcp_wheel_link {
	uint32_t next, prev;
	uint32_t at_ms; // modulo 2^32
	uint16_t slot;  // level and slot, + 1; 0: not in the wheel
};

struct tcp_wheel {
	uint64_t now_ms; // everything before it has come out
	uint32_t n;
	uint32_t heads[2 * TCP_WHEEL_SLOTS];
	uint64_t bits[2 * TCP_WHEEL_SLOTS / 64]; // slots that are not empty
	uint8_t *
		links; // link 0, and the distance to the next one: they are part of something larger
	uint32_t stride;
};

void tcp_wheel_init(struct tcp_wheel *w, struct tcp_wheel_link *first, uint32_t stride);
// idx must not be in the wheel. at_ms is modulo 2^32, within 2^31 of now_ms.
void tcp_wheel_add(struct tcp_wheel *w, uint32_t idx, uint32_t at_ms, uint64_t now_ms);
void tcp_wheel_del(struct tcp_wheel *w, uint32_t idx);
// When to look again: never later than the earliest entry. UINT64_MAX: empty.
uint64_t tcp_wheel_next_ms(const struct tcp_wheel *w);
// Takes out one entry that is due; TCP_NIL when there is none. Costs one of *budget, which also pays
// for moving entries between levels; it stops at 0.
uint32_t tcp_wheel_pop(struct tcp_wheel *w, uint64_t now_ms, unsigned *budget);
