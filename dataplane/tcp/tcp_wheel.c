// SPDX-License-Identifier: BSD-3-Clause
// The timing wheel. Runs in a worker; never allocates; every call is O(1).
#include "tcp/tcp_wheel.h"

static struct tcp_wheel_link *link_of(const struct tcp_wheel *w, uint32_t idx) {
	return (struct tcp_wheel_link *)(void *)(w->links + (uint64_t)idx * w->stride);
}

void tcp_wheel_init(struct tcp_wheel *w, struct tcp_wheel_link *first, uint32_t stride) {
	*w = (struct tcp_wheel){.links = (uint8_t *)first, .stride = stride, .next_ms = UINT64_MAX};
	for (unsigned i = 0; i < TCP_WHEEL_LEVELS * TCP_WHEEL_SLOTS; i++)
		w->heads[i] = TCP_NIL;
}

static uint64_t ticks(uint64_t ms, unsigned level) {
	return ms >> 8 * level;
}

// The first level that reaches so far has its slot.
static unsigned slot_for(const struct tcp_wheel *w, uint64_t at) {
	unsigned level = 0;
	uint64_t last;

	while (level < TCP_WHEEL_LEVELS - 1 &&
	       ticks(at, level) - ticks(w->now_ms, level) >= TCP_WHEEL_SLOTS)
		level++;
	last = ticks(w->now_ms, level) + TCP_WHEEL_SLOTS - 1;
	at = ticks(at, level);
	return level * TCP_WHEEL_SLOTS + (at < last ? at : last) % TCP_WHEEL_SLOTS;
}

// When the slot that is d ahead of the present one of its level begins. The present one of an upper
// level holds entries only at its beginning: time does not go on before they are out.
static uint64_t begin_of(const struct tcp_wheel *w, unsigned level, unsigned d) {
	return (ticks(w->now_ms, level) + d) << 8 * level;
}

uint64_t tcp_wheel_at_ms(const struct tcp_wheel *w, uint32_t idx) {
	unsigned slot = link_of(w, idx)->slot - 1u, level = slot / TCP_WHEEL_SLOTS;

	return begin_of(w, level, (slot - (unsigned)ticks(w->now_ms, level)) % TCP_WHEEL_SLOTS);
}

void tcp_wheel_add(struct tcp_wheel *w, uint32_t idx, uint32_t at_ms, uint64_t now_ms) {
	struct tcp_wheel_link *l = link_of(w, idx);
	int32_t in_ms;
	unsigned slot;
	uint64_t at;

	if (w->n == 0 && now_ms > w->now_ms)
		w->now_ms = now_ms;
	in_ms = (int32_t)(at_ms - (uint32_t)w->now_ms);
	slot = slot_for(w, w->now_ms + (in_ms > 0 ? (uint32_t)in_ms : 0));
	*l = (struct tcp_wheel_link){w->heads[slot], TCP_NIL, slot + 1};
	if (l->next != TCP_NIL)
		link_of(w, l->next)->prev = idx;
	w->heads[slot] = idx;
	w->bits[slot / TCP_WHEEL_SLOTS][slot % TCP_WHEEL_SLOTS / 64] |= UINT64_C(1) << slot % 64;
	w->n++;
	at = tcp_wheel_at_ms(w, idx);
	w->next_ms = at < w->next_ms ? at : w->next_ms;
}

void tcp_wheel_del(struct tcp_wheel *w, uint32_t idx) {
	struct tcp_wheel_link *l = link_of(w, idx);
	unsigned slot = l->slot - 1u;

	if (l->next != TCP_NIL)
		link_of(w, l->next)->prev = l->prev;
	if (l->prev != TCP_NIL)
		link_of(w, l->prev)->next = l->next;
	else
		w->heads[slot] = l->next;
	if (w->heads[slot] == TCP_NIL)
		w->bits[slot / TCP_WHEEL_SLOTS][slot % TCP_WHEEL_SLOTS / 64] &=
			~(UINT64_C(1) << slot % 64);
	l->slot = 0;
	w->n--;
}

// Distance from slot `from` to the first slot of the level that is not empty, going round;
// TCP_WHEEL_SLOTS when all are.
static unsigned distance(const uint64_t bits[TCP_WHEEL_SLOTS / 64], unsigned from) {
	for (unsigned i = 0; i <= TCP_WHEEL_SLOTS / 64; i++) {
		unsigned word = (from / 64 + i) % (TCP_WHEEL_SLOTS / 64);
		uint64_t b = bits[word];

		if (i == 0)
			b &= ~UINT64_C(0) << from % 64;
		if (b != 0)
			return (word * 64 + (unsigned)__builtin_ctzll(b) - from) % TCP_WHEEL_SLOTS;
	}
	return TCP_WHEEL_SLOTS;
}

static uint64_t earliest(const struct tcp_wheel *w) {
	uint64_t next = UINT64_MAX;

	for (unsigned level = 0; level < TCP_WHEEL_LEVELS; level++) {
		unsigned d = distance(w->bits[level], ticks(w->now_ms, level) % TCP_WHEEL_SLOTS);
		uint64_t at = d < TCP_WHEEL_SLOTS ? begin_of(w, level, d) : UINT64_MAX;

		next = at < next ? at : next;
	}
	return next;
}

uint32_t tcp_wheel_pop(struct tcp_wheel *w, uint64_t now_ms, unsigned *budget) {
	uint64_t next = earliest(w);
	uint32_t idx = TCP_NIL;

	w->next_ms = next;
	if (*budget == 0)
		return TCP_NIL;
	if (next > now_ms) {
		// The coming tick may begin a slot of an upper level; then it is found there.
		w->now_ms = now_ms + 1 > w->now_ms ? now_ms + 1 : w->now_ms;
		return TCP_NIL;
	}
	w->now_ms = next;
	for (unsigned level = 0; idx == TCP_NIL; level++)
		idx = w->heads[level * TCP_WHEEL_SLOTS + ticks(next, level) % TCP_WHEEL_SLOTS];
	tcp_wheel_del(w, idx);
	--*budget;
	return idx;
}
