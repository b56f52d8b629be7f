// SPDX-License-Identifier: BSD-3-Clause
// What the entries of the lease table have in common, kept once: the domain of the IMPU and the lines of
// the 200, in which the leases of a core differ by the user and by the handle in the Path. Control
// thread only. Where the cuts are is a guess that is never wrong: put together, it is the text
// that was given, and a lease of other lines has its own.
#pragma once

#include "regate/lease.h"

struct lease_texts { // a lease's texts, cut
	struct rg_slice part[RG_LEASE_N_PARTS];
	struct rg_slice user, handle;
	bool has_user; // in the lines
};

struct lease_texts lease_texts_cut(struct rg_slice impu, struct rg_slice lines);

// Room for what max_entries entries share. 0 or -ENOMEM; t is zeroed before.
[[nodiscard]] int lease_shared_init(struct rg_lease_table *t, uint64_t max_entries);
void lease_shared_fini(struct rg_lease_table *t); // and all that is shared; no reader may be left
// One use more of what has these parts, made if it has none. NULL without memory.
struct rg_lease_shared *lease_shared_take(struct rg_lease_table *t, const struct lease_texts *x);
// The entry that used it is out of the table. The last use retires it, by call_rcu.
void lease_shared_drop(struct rg_lease_table *t, struct rg_lease_shared *s);
