// SPDX-License-Identifier: BSD-3-Clause
// base64 (RFC 4648), strict: a byte string has one text. Nothing here takes constant time.
#pragma once

#include "regate/slice.h"

enum rg_b64 {
	RG_B64_PADDED, // section 4: etcd, HTTP Basic
	RG_B64_URL,    // section 5 without padding: RFC 7515 2
};

void rg_b64_put(struct rg_wr *w, enum rg_b64 kind, struct rg_slice in);
// No other alphabet, unused bits zero, padding as the kind has it. RG_E_PROTO, or RG_E_LIMIT over cap;
// *len is written on success only.
[[nodiscard]] int rg_b64_read(struct rg_slice in, enum rg_b64 kind, uint8_t *out, size_t cap,
			      size_t *len);
