// SPDX-License-Identifier: BSD-3-Clause
// Inside of the lease engine: what adopt.c has in common with grant.c.
#pragma once

#include "lease/engine.h"

struct lease_op *lease_op_new(const struct lease_ask *ask); // NULL without memory
void lease_op_enqueue(struct lease_pair *p, struct lease_op *op);
// Gives p to the owner of op; gen is larger than any before (INV-5).
[[nodiscard]] int lease_op_assign(struct lease_pair *p, struct lease_op *op, uint64_t gen,
				  uint16_t scenario);
