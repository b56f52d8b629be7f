// SPDX-License-Identifier: BSD-3-Clause
// Pools that their WWSF hands out by itself, with tokens of its own. Control loop.
#pragma once

#include "lease/lease.h"

// Before the first pair: this pool is one. lease_grant() finds nothing in it. 0 or -ENOMEM.
[[nodiscard]] int lease_set_pool_foreign(struct lease_engine *e, uint16_t pool);
struct lease_adoption { // what a verified token says
	uint16_t wwsf;  // whose it is
	const char *pool, *impi, *impu;
	uint64_t gen; // the WWSF's: larger with every lease of the pair
	uint16_t scenario;
};
// A token that was issued elsewhere becomes one of the pair's lease, a new one or that of its generation;
// ask->issue writes it as it is, without ask->sign. done as above; rc RG_E_AUTH (that WWSF has no such
// pair in that pool, INV-3), RG_E_STALE (an older generation, or one that is over), RG_E_EXHAUSTED (the
// pair is somebody else's still, INV-4, or not to be given out), -EAGAIN (the store is away).
void lease_adopt(struct lease_engine *e, const struct lease_adoption *a,
		 const struct lease_ask *ask);
// Its WWSF withdrew this token of that lease; another one, also one on its way to the store, keeps the
// lease. The last one ends it, as lease_revoke().
void lease_end_token(struct lease_engine *e, uint32_t idx, uint64_t gen, const struct rg_digest *d);
// That WWSF withdrew these keys: every lease in its pools ends that has or gets a token of theirs, or one of
// which nobody knows any more who signed it (it is of before a restart, or of another gateway). From the
// next turn on, step by step; then done, unless the engine goes before, or it is NULL. 0 or -ENOMEM.
[[nodiscard]] int lease_end_keys(struct lease_engine *e, uint16_t wwsf, const uint64_t *keys,
				 size_t n, void (*done)(void *arg, uint16_t wwsf), void *arg);
bool lease_has_adopted(const struct lease_engine *e, uint16_t wwsf); // does one in its pools live?
