// SPDX-License-Identifier: BSD-3-Clause
// From a bearer token to its lease. The first time by the keyed SHA-256 digest; then, while the flow
// shows the same token, by a tag of it and the place of the lease. Worker thread.
//
// Why a tag may stand for the digest. It answers one question only: is this the token that was
// digested on this connection? A yes is believed when the entry at the remembered place also has
// the digest of that token, because its bits are in the flow's word, and then the entry says, now,
// what the token is worth. A no, or anything else there, leads to the digest. So a wrong yes needs
// another token of the same tag, from the peer that showed the right one on this very connection.
// The tag is a keyed XOR-universal hash: for any two tokens, whoever chose them without the key,
// the tags differ by a given number with a chance below 2^-62. The key is drawn at random per
// worker and start; neither it nor a tag leaves the process, and both answers to a guess look the
// same, so guesses teach nothing: each has that chance and no better one. A collision would let
// this peer go on as who it already is.
//
// The hash is carry-less NH (Lemire, Kaser, "Faster 64-bit universal hashing using carry-less
// multiplications", 2016, section 4): blocks of 16 bytes, each XORed with its own key, halves
// multiplied, products summed. A last block that is not full overlaps the one before, or is padded;
// the length, hashed too, tells them apart.
#include <immintrin.h>

#include "reg.h"

// 127 bits to 64: low + high * fold in GF(2^64) by x^64 + x^4 + x^3 + x + 1.
static inline __attribute__((target("pclmul"))) uint64_t fold(__m128i sum, uint64_t by) {
	const __m128i poly = _mm_set_epi64x(0, 0x1b);
	__m128i x = _mm_clmulepi64_si128(sum, _mm_set_epi64x(0, (int64_t)by), 0x01);
	__m128i y = _mm_clmulepi64_si128(x, poly, 0x01);

	y = _mm_xor_si128(y, _mm_clmulepi64_si128(y, poly, 0x01));
	return (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(_mm_xor_si128(sum, x), y));
}

static inline __m128i keyed(const void *p, const uint8_t *key) {
	return _mm_xor_si128(_mm_loadu_si128(p), _mm_loadu_si128((const __m128i *)key));
}

static __attribute__((target("pclmul"))) uint64_t tag(const struct reg_tag_key *k,
						      struct rg_slice s) {
	__m128i x = _mm_set_epi64x((int64_t)k->len[1], (int64_t)(k->len[0] ^ s.len));
	__m128i sum = _mm_clmulepi64_si128(x, x, 0x10);
	size_t i = 0;

	for (; i + 16 <= s.len; i += 16) {
		x = keyed(s.p + i, k->blocks + i);
		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(x, x, 0x10));
	}
	if (i < s.len) {
		uint8_t pad[16] = {0};

		if (s.len < 16)
			memcpy(pad, s.p, s.len);
		x = keyed(s.len < 16 ? pad : s.p + s.len - 16, k->blocks + i);
		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(x, x, 0x10));
	}
	return fold(sum, k->fold);
}

uint64_t reg_token_tag(const struct reg_tag_key *key, struct rg_slice token) {
	uint64_t v;

	if (!__builtin_cpu_supports("pclmul") || token.len > RG_TOKEN_MAX)
		return 0;
	v = tag(key, token);
	return v == 0 ? 1 : v;
}

// The flow's word for a token with this tag and a lease with this digest.
static uint64_t word_of(uint64_t token_tag, const struct rg_digest *d) {
	return token_tag ^ rg_digest_word(d, 1);
}

bool reg_find_lease(const struct reg_tokens *t, struct reg_flow *f, struct rg_slice token,
		    struct rg_digest *digest, struct rg_lease_view *out) {
	uint64_t v = reg_token_tag(t->key, token);

	if (v != 0 && f->token_tag != 0 && rg_lease_at(t->leases, f->lease_at, out) &&
	    word_of(v, out->digest) == f->token_tag) {
		*digest = *out->digest;
		return true;
	}
	rg_token_digest(t->digester, token, digest);
	if (!rg_lease_find(t->leases, digest, out))
		return false;
	if (v != 0) {
		f->token_tag = word_of(v, digest);
		f->lease_at = out->at;
	}
	return true;
}

void reg_prefetch(const struct rg_lease_table *leases, const struct reg_flow *f) {
	if (f->token_tag != 0)
		rg_lease_prefetch_at(leases, f->lease_at);
}

void reg_prefetch_lease(const struct rg_lease_table *leases, const struct reg_flow *f) {
	if (f->token_tag != 0)
		rg_lease_prefetch_entry_at(leases, f->lease_at);
}
