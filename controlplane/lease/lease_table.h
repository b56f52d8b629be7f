// SPDX-License-Identifier: BSD-3-Clause
// Writer side of the lease table (include/regate/lease.h). Control thread only.
#pragma once

#include "regate/lease.h"

struct lease_entry { // what to publish; bytes are copied, contact and call_id as a hash
	struct rg_digest digest;
	uint32_t idx;
	uint64_t gen;
	enum rg_lease_state state;
	uint64_t token_end_ns, core_end_ns, core_refresh_ns;
	uint16_t wwsf;
	struct rg_slice impu, contact, call_id, to_tag, headers;
};

// Sized once: buckets for max_entries at 40 % load, 23 bytes for each. NULL without memory.
[[nodiscard]] struct rg_lease_table *lease_table_new(uint64_t max_entries);
void lease_table_free(struct rg_lease_table *t); // accepts NULL; no reader may be left

// Publishes, replacing an entry of the same digest. 0, -ENOMEM, RG_E_LIMIT (RG_LEASE_BYTES_MAX,
// max_entries, or both buckets full).
[[nodiscard]] int lease_table_put(struct rg_lease_table *t, const struct lease_entry *e);
// A hint that an entry of this digest will be put soon.
void lease_table_prefetch(const struct rg_lease_table *t, const struct rg_digest *d);
// 0 or RG_E_STALE. The entry is retired by call_rcu.
int lease_table_del(struct rg_lease_table *t, const struct rg_digest *d);
// Sets the state word in place; readers see it at once. 0 or RG_E_STALE.
int lease_table_set_state(struct rg_lease_table *t, const struct rg_digest *d,
			  enum rg_lease_state state);
