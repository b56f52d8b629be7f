// SPDX-License-Identifier: BSD-3-Clause
// Signature algorithms of tokens (RFC 7518 3, RFC 8037 3.1), each bound to a key: nothing here looks at
// a token's header. Any thread; a key may be used by several at once.
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>

#include "regate/slice.h"

enum jws_alg { JWS_ES256, JWS_EDDSA, JWS_RS256, JWS_PS256, JWS_HS256, JWS_N_ALGS };

#define JWS_SIG_MAX 512   // bytes: RSA with 4096 bits
#define JWS_KID_MAX 127   // bytes of a key's name
#define JWS_SECRET_MIN 32 // bytes (RFC 7518 3.2)
#define JWS_SECRET_MAX 128

struct jws_key {
	enum jws_alg alg;
	char kid[JWS_KID_MAX + 1];
	uint64_t tag;   // of jwk_import(): one for each key, whatever its name; not 0
	bool is_ours;   // signs here: its ES256 signatures have the low s, no other
	EVP_PKEY *pkey; // NULL for HS256
	uint8_t secret[JWS_SECRET_MAX]; // HS256
	size_t secret_len;
};

const char *jws_alg_name(enum jws_alg alg); // "ES256"
[[nodiscard]] bool jws_alg_find(const char *name, enum jws_alg *out);
// The algorithm that a key of this kind is used with when nothing else is said, RS256 for RSA. False
// for a kind or size that is not taken: curves but P-256 and Ed25519, RSA outside of 2048 to 4096 bits,
// with an exponent below 65537, or with the weakness of CVE-2017-15361.
[[nodiscard]] bool jws_alg_of(const EVP_PKEY *pkey, enum jws_alg *out);
bool jws_alg_fits(const EVP_PKEY *pkey,
		  enum jws_alg alg); // one of those that the key may be used with

// ES256 always with the low s. 0, RG_E_AUTH (OpenSSL refused), RG_E_UNSUPPORTED: nothing here signs with
// RSA, or with a secret that others know.
[[nodiscard]] int jws_key_sign(const struct jws_key *k, struct rg_slice in,
			       uint8_t sig[JWS_SIG_MAX], size_t *len);
// 0 or RG_E_AUTH.
[[nodiscard]] int jws_key_verify(const struct jws_key *k, struct rg_slice in, struct rg_slice sig);
void jws_key_fini(struct jws_key *k); // wipes; accepts a zeroed one
