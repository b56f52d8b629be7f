// SPDX-License-Identifier: BSD-3-Clause
// Grace periods by number, one after another, each by one call_rcu(). Control thread, but for the
// callback, which runs on liburcu's own.
#include "lease/rcu_fence.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <urcu/urcu-qsbr.h>

struct rcu_fence {
	struct rcu_head rcu;      // in liburcu's hands while begun > passed
	uint64_t begun;           // ctl only
	_Atomic(uint64_t) passed; // callback: rw, ctl: ro
};

struct rcu_fence *rcu_fence_new(void) {
	return calloc(1, sizeof(struct rcu_fence));
}

static uint64_t n_passed(struct rcu_fence *f) {
	return atomic_load_explicit(&f->passed, memory_order_acquire); // pairs with on_passed()
}

void rcu_fence_free(struct rcu_fence *f) {
	if (f != NULL && n_passed(f) < f->begun)
		urcu_qsbr_barrier();
	free(f);
}

static void on_passed(struct rcu_head *head) {
	struct rcu_fence *f =
		(struct rcu_fence *)((uint8_t *)head - offsetof(struct rcu_fence, rcu));

	atomic_fetch_add_explicit(&f->passed, 1, memory_order_release); // last: ctl may reuse rcu
}

static void begin(struct rcu_fence *f) {
	f->begun++;
	urcu_qsbr_call_rcu(&f->rcu, on_passed);
}

uint64_t rcu_fence_ask(void *arg) {
	struct rcu_fence *f = arg;

	if (n_passed(f) < f->begun)
		return f->begun + 1; // the one under way began too early
	begin(f);
	return f->begun;
}

bool rcu_fence_is_passed(void *arg, uint64_t ticket) {
	struct rcu_fence *f = arg;

	if (n_passed(f) == f->begun && ticket > f->begun)
		begin(f);
	return ticket <= n_passed(f);
}
