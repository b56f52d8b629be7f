// SPDX-License-Identifier: BSD-3-Clause
// What an operator may ask of the lease engine beyond lease.h: pairs back before their time, and out of
// provisioning.
#pragma once

#include "lease/lease.h"

// What keeps a pair from being given out.
enum lease_hold {
	LEASE_HOLD_NONE,  // free, or leased
	LEASE_HOLD_ASKED, // ending: a core request is under way
	LEASE_HOLD_SILENT,
	LEASE_HOLD_GUARD, // quarantine: the last seconds of it, and for all others until reassign_ns
	LEASE_HOLD_UNUSED,
	LEASE_HOLD_MOVED,
	LEASE_HOLD_BINDING,
};
enum lease_hold lease_hold_of(const struct lease_engine *e, uint32_t idx);
const char *lease_hold_text(enum lease_hold hold);
// Gives a pair back as early as the evidence allows (INV-7): ends a lease that lives, takes one that
// was never registered out of quarantine after the guard time, asks a silent core now. 0, RG_E_STALE
// (it is free). Durable: lease_await().
[[nodiscard]] int lease_release(struct lease_engine *e, uint32_t idx);

// Takes an imported pair back that nobody has: it is gone at once, and provisioned no more by its record
// once done has said 0 (RG_E_CONFLICT: another gateway has given it out). Returns 0;
//   RG_E_STALE        not there
//   RG_E_CONFLICT     its IMPI or IMPU belongs to another pair, or pool
//   RG_E_UNSUPPORTED  a file provisions it
//   -EBUSY            leased, or in quarantine
//   -EALREADY         being imported or removed; -ENOMEM
[[nodiscard]] int lease_remove(struct lease_engine *e, uint16_t pool, const char *impi,
			       const char *impu, lease_import_fn *done, void *arg);
bool lease_is_removed(const struct lease_engine *e, uint32_t idx);
