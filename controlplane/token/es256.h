// SPDX-License-Identifier: BSD-3-Clause
// ES256 (RFC 7518 3.4): ECDSA over P-256 with SHA-256, signatures as r || s of 32 bytes each.
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>

#include "regate/slice.h"

#define ES256_SIG_LEN 64
#define ES256_COORD_LEN 32

// Always with s in the lower half of the group order. 0 or RG_E_AUTH (OpenSSL refused).
[[nodiscard]] int es256_sign(EVP_PKEY *key, struct rg_slice in, uint8_t sig[ES256_SIG_LEN]);
// 0 or RG_E_AUTH.
[[nodiscard]] int es256_verify(EVP_PKEY *key, struct rg_slice in, const uint8_t sig[ES256_SIG_LEN]);
// (r, s) and (r, n - s) verify alike; what we issue has the low s only, so that a token has one
// text and cannot be turned into another that is as good.
bool es256_is_low_s(const uint8_t sig[ES256_SIG_LEN]);
bool es256_is_p256(const EVP_PKEY *key);
// Affine coordinates of the public key. 0 or RG_E_AUTH.
[[nodiscard]] int es256_public(const EVP_PKEY *key, uint8_t x[ES256_COORD_LEN],
			       uint8_t y[ES256_COORD_LEN]);
