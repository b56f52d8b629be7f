// SPDX-License-Identifier: BSD-3-Clause
// Inside of the lease engine: pairs that their records provision, or provision no more.
#pragma once

#include "lease/engine.h"
#include "lease/operator.h"

// --- import.c
// Adds the pair that a record provisions, if it is none of ours yet. 0, also when the record
// provisions nothing here; RG_E_CONFLICT, RG_E_LIMIT, -ENOMEM.
[[nodiscard]] int lease_import_record(struct lease_engine *e, const struct store_lease *row);
void lease_import_end(struct lease_pair *p, int rc); // a record of p is durable, or failed
// The pair of these identities in this pool, or LEASE_NO_PAIR, to *idx. RG_E_CONFLICT when one of
// them is elsewhere (INV-2).
[[nodiscard]] int lease_import_find(const struct lease_engine *e, uint16_t pool, const char *impi,
				    const char *impu, uint32_t *idx);
// Is all durable that is known of the slot's provisioning?
bool lease_import_is_stored(const struct lease_slot *slot);
// Writes the record anew; done is told.
void lease_import_start(struct lease_pair *p, lease_import_fn *done, void *arg);

// --- remove.c
void lease_hide(struct lease_engine *e, uint32_t idx); // FREE, and provisioned by nothing
void lease_unhide(struct lease_engine *e, uint32_t idx);
void lease_remove_lost(struct lease_pair *p); // to another gateway, which has given it out
// What another gateway's record says of its provisioning.
void lease_import_follow(struct lease_pair *p, const struct store_lease *row);
