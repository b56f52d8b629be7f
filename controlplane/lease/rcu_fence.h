// SPDX-License-Identifier: BSD-3-Clause
// Tells when no worker can still use what has left the lease table (INV-7). Control thread; never
// blocks but in rcu_fence_free().
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rcu_fence;
[[nodiscard]] struct rcu_fence *rcu_fence_new(void); // NULL without memory
// No worker may be left. Accepts NULL.
void rcu_fence_free(struct rcu_fence *f);
// A ticket for all that has left the table until now.
uint64_t rcu_fence_ask(void *f);
// Has a whole grace period passed since ticket was given? Ask again later when not.
bool rcu_fence_is_passed(void *f, uint64_t ticket);
