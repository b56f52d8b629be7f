// SPDX-License-Identifier: BSD-3-Clause
// What etcd keeps of a pair, as one line of text that an operator can read: fields separated by
// tabs, the first is the version of the format; control characters and '%' as %XX. Pure functions.
//
//   PREFIX/lease/IMPI    1 impu pool sub gateway gen state flags scenario granted ended reassign
//                        end0 digest0 end1 digest1 author seq
//   PREFIX/history/IMPI  one line per earlier assignment, newest first:
//                        gen sub gateway granted ended reassign
#pragma once

#include "store/store.h"

#define ETCD_TEXT_MAX 4096 // of the strings of one record together, each with its NUL
#define ETCD_RECORD_MAX (3 * ETCD_TEXT_MAX + 512)
#define ETCD_PASTS_MAX (STORE_PASTS * (3 * ETCD_TEXT_MAX + 128))

struct etcd_author { // which write of which handle; never twice
	uint64_t tag, seq;
};

struct etcd_record { // strings point into text: not to be copied
	struct store_lease lease;
	struct etcd_author author;
	char text[ETCD_TEXT_MAX];
};

struct etcd_past { // as etcd_record
	struct store_past past;
	char text[ETCD_TEXT_MAX];
};

void etcd_record_put(struct rg_wr *w, const struct store_lease *l, struct etcd_author a);
// All but rev is set on success. 0, RG_E_PROTO, RG_E_VERSION (written by a later version) or
// RG_E_LIMIT.
[[nodiscard]] int etcd_record_read(struct rg_slice impi, struct rg_slice text,
				   struct etcd_record *out);

void etcd_past_put(struct rg_wr *w, const struct store_past *p);
// Takes the first line off rest. 0, RG_E_STALE at the end, or as above.
[[nodiscard]] int etcd_past_read(struct rg_slice *rest, struct etcd_past *out);
// p before what is kept of old: STORE_PASTS - 1 lines, as the record itself is the newest.
void etcd_pasts_put(struct rg_wr *w, const struct store_past *p, struct rg_slice old);
