// SPDX-License-Identifier: BSD-3-Clause
// A fast hash of a text that both planes take. Not keyed: whoever chooses a text can find another of
// the same value, so it may stand for a text only where that fools nobody but him.
#pragma once

#include <string.h>

#include "regate/slice.h"

static inline uint64_t rg_hash_mix(uint64_t h, uint64_t w) {
	h = (h ^ w) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

static inline uint64_t rg_text_hash(struct rg_slice s, uint64_t h) {
	uint64_t w = 0;
	size_t i = 0;

	h = rg_hash_mix(h, s.len);
	for (; i + 8 <= s.len; i += 8) {
		memcpy(&w, s.p + i, 8);
		h = rg_hash_mix(h, w);
	}
	if (s.len > 8) // the last word overlaps: no short copy, which would be waited for
		memcpy(&w, s.p + s.len - 8, 8);
	for (; s.len < 8 && i < s.len; i++)
		w = w << 8 | s.p[i];
	return rg_hash_mix(h, w);
}
