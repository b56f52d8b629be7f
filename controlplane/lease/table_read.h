// SPDX-License-Identifier: BSD-3-Clause
// The writer's own look at the lease table; needs no RCU, because nobody else frees.
#pragma once

#include "regate/lease.h"

// Valid until the next put or del of that digest. NULL when absent.
const struct rg_lease *lease_table_get(const struct rg_lease_table *t, const struct rg_digest *d);
