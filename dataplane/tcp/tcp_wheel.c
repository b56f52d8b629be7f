// SPDX-License-Identifier: BSD-3-Clause
// The timing wheel. Runs in a worker; never allocates; every call is O(1) but tcp_wheel_pop(), which
// is O(budget).
#include "tcp/tcp_wheel.h"

static struct tcp_wheel_link *link_of(const struct tcp_wheel *w, uint32_t idx) {
	return (struct tcp_wheel_link *)(void *)(w->links + (uint64_t)idx * w->stride);
}

void tcp_wheel_init(struct tcp_wheel *w, struct tcp_wheel_link *first, uint32_t stride) {
	*w = (struct tcp_wheel){.links = (uint8_t *)first, .stride = stride};
	for (unsigned i = 0; i < 2 * TCP_WHEEL_SLOTS; i++)
		w->heads[i] = TCP_NIL;
}

void tcp_wheel_add(struct tcp_wheel *w, uint32_t idx, uint32_t at_ms, uint64_t now_ms) {
	struct tcp_wheel_link *l = link_of(w, idx);
	int32_t in_ms;
	unsigned slot;
	uint64_t at;

	if (w->n == 0 && now_ms > w->now_ms)
		w->now_ms = now_ms;
	in_ms = (int32_t)(at_ms - (uint32_t)w->now_ms);
	at = w->now_ms + (in_ms > 0 ? (uint32_t)in_ms : 0);
	if (at - w->now_ms < TCP_WHEEL_SLOTS) {
		slot = at % TCP_WHEEL_SLOTS;
	} else {
		uint64_t coarse = at / TCP_WHEEL_SLOTS;
		uint64_t last = w->now_ms / TCP_WHEEL_SLOTS + TCP_WHEEL_SLOTS - 1;

		slot = TCP_WHEEL_SLOTS + (coarse < last ? coarse : last) % TCP_WHEEL_SLOTS;
	}
	*l = (struct tcp_wheel_link){w->heads[slot], TCP_NIL, at_ms, (uint16_t)(slot + 1)};
	if (l->next != TCP_NIL)
		link_of(w, l->next)->prev = idx;
	w->heads[slot] = idx;
	w->bits[slot / 64] |= UINT64_C(1) << slot % 64;
	w->n++;
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
		w->bits[slot / 64] &= ~(UINT64_C(1) << slot % 64);
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

uint64_t tcp_wheel_next_ms(const struct tcp_wheel *w) {
	uint64_t coarse = w->now_ms / TCP_WHEEL_SLOTS, next = UINT64_MAX;
	unsigned d = distance(w->bits, w->now_ms % TCP_WHEEL_SLOTS);

	if (d < TCP_WHEEL_SLOTS)
		next = w->now_ms + d;
	d = distance(w->bits + TCP_WHEEL_SLOTS / 64, coarse % TCP_WHEEL_SLOTS);
	// Distance 0: the coarse slot that begins right now has not been spread yet.
	if (d == 0)
		return w->now_ms;
	if (d < TCP_WHEEL_SLOTS && (coarse + d) * TCP_WHEEL_SLOTS < next)
		next = (coarse + d) * TCP_WHEEL_SLOTS;
	return next;
}

uint32_t tcp_wheel_pop(struct tcp_wheel *w, uint64_t now_ms, unsigned *budget) {
	for (; *budget > 0; --*budget) {
		uint64_t next = tcp_wheel_next_ms(w);
		unsigned coarse;
		uint32_t idx;

		if (next > now_ms) {
			// The coming tick may begin a coarse slot; then it is found there.
			w->now_ms = now_ms + 1 > w->now_ms ? now_ms + 1 : w->now_ms;
			return TCP_NIL;
		}
		w->now_ms = next;
		coarse = TCP_WHEEL_SLOTS + next / TCP_WHEEL_SLOTS % TCP_WHEEL_SLOTS;
		idx = w->heads[coarse];
		if (idx != TCP_NIL) {
			tcp_wheel_del(w, idx);
			tcp_wheel_add(w, idx, link_of(w, idx)->at_ms, next);
			continue;
		}
		idx = w->heads[next % TCP_WHEEL_SLOTS];
		tcp_wheel_del(w, idx);
		--*budget;
		return idx;
	}
	return TCP_NIL;
}
