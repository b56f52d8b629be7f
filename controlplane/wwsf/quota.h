// SPDX-License-Identifier: BSD-3-Clause
// How many leases nobody's users may take (ims.md 6.4, floods): by source address and by WWSF, a rate
// and how many at a time, judged before a pair is allocated; and the share of a pool that is not
// for them. No I/O; control thread. XXX Which source has which lease is not remembered over a
// restart: until those leases end, a source may have as many again.
#pragma once

#include "conf/conf.h"
#include "core/env.h"
#include "lease/lease.h"

enum quota_verdict {
	QUOTA_OK,
	QUOTA_SOURCE,  // this address (IPv6: its /64) takes too many
	QUOTA_WWSF,    // the WWSF has given out too many
	QUOTA_RESERVE, // what is left of the pool is for users with a name
	QUOTA_DRY,     // nothing is left of the pool; never by quota_take()
	QUOTA_N_VERDICTS,
};

struct quota;
[[nodiscard]] struct quota *quota_new(const struct conf *conf, const struct env *env,
				      const struct lease_engine *leases,
				      const uint8_t key[static 16]); // secret; NULL without memory
void quota_free(struct quota *q);                                    // accepts NULL

struct quota_ticket { // one lease that was allowed; opaque, zeroed: none
	struct quota_source *source;
	uint32_t slot;
};
// May peer have one more anonymous lease of this pool? On QUOTA_OK quota_end() must follow. Else
// *retry_ns says from when on, RG_NEVER = cannot be told.
enum quota_verdict quota_take(struct quota *q, const struct rg_addr *peer, uint16_t pool,
			      struct quota_ticket *t, uint64_t *retry_ns);
// l: what came of it; NULL: nothing.
void quota_end(struct quota_ticket *t, const struct lease *l);
