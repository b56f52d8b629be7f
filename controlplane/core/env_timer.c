// SPDX-License-Identifier: BSD-3-Clause
// Timer heap of both environments: binary, position-indexed, so that re-arming and cancelling cost
// O(log n). Control thread only; it knows no clock.
#include <stdio.h>
#include <stdlib.h>

#include "core/env_impl.h"

static bool is_before(const struct env_timer_slot *a, const struct env_timer_slot *b) {
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns;
	return a->seq < b->seq;
}

static void place(struct env_timers *h, size_t pos, struct env_timer_slot slot) {
	h->slots[pos] = slot;
	slot.t->pos = pos;
}

// Moves slot from the hole at pos to where it belongs.
static void settle(struct env_timers *h, size_t pos, struct env_timer_slot slot) {
	size_t child;

	for (; pos > 1 && is_before(&slot, &h->slots[pos / 2]); pos /= 2)
		place(h, pos, h->slots[pos / 2]);
	for (; (child = 2 * pos) <= h->n; pos = child) {
		if (child < h->n && is_before(&h->slots[child + 1], &h->slots[child]))
			child++;
		if (!is_before(&h->slots[child], &slot))
			break;
		place(h, pos, h->slots[child]);
	}
	place(h, pos, slot);
}

// A timer that cannot be armed would be a lease that never ends, and the callers have no way to
// say no: without these few bytes the process ends here.
static void grow(struct env_timers *h) {
	size_t cap = h->cap == 0 ? 64 : 2 * h->cap;
	struct env_timer_slot *slots = realloc(h->slots, cap * sizeof(*slots));

	if (slots == NULL) {
		fputs("out of memory for timers\n", stderr);
		abort();
	}
	h->slots = slots;
	h->cap = cap;
}

void env_timers_fini(struct env_timers *h) {
	free(h->slots);
	*h = (struct env_timers){0};
}

void env_timers_set(struct env_timers *h, struct env_timer *t, uint64_t deadline_ns) {
	if (t->pos == 0) {
		if (h->n + 1 >= h->cap)
			grow(h);
		t->pos = ++h->n;
	}
	t->deadline_ns = deadline_ns;
	settle(h, t->pos, (struct env_timer_slot){deadline_ns, h->next_seq++, t});
}

void env_timers_cancel(struct env_timers *h, struct env_timer *t) {
	size_t pos = t->pos;

	if (pos == 0)
		return;
	t->pos = 0;
	if (pos != h->n--)
		settle(h, pos, h->slots[h->n + 1]);
}

uint64_t env_timers_next(const struct env_timers *h) {
	return h->n == 0 ? RG_NEVER : h->slots[1].deadline_ns;
}

size_t env_timers_run(struct env_timers *h, uint64_t now_ns) {
	uint64_t end_seq = h->next_seq;
	size_t n = 0;

	// Deadlines set from now on are >= now_ns and have later numbers, so the first timer that
	// is not due or is new ends the pass.
	while (h->n > 0 && h->slots[1].deadline_ns <= now_ns && h->slots[1].seq < end_seq) {
		struct env_timer *t = h->slots[1].t;

		env_timers_cancel(h, t);
		t->fn(t, now_ns);
		n++;
	}
	return n;
}
