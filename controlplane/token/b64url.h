// SPDX-License-Identifier: BSD-3-Clause
// base64url without padding (RFC 7515 2, RFC 4648 5), one text per byte string.
#pragma once

#include "regate/slice.h"

void b64url_put(struct rg_wr *w, struct rg_slice in);
// Strict: no padding, no other alphabet, unused bits zero. RG_E_PROTO, or RG_E_LIMIT over cap; *len
// is written on success only.
[[nodiscard]] int b64url_decode(struct rg_slice in, uint8_t *out, size_t cap, size_t *len);
