// SPDX-License-Identifier: BSD-3-Clause
// From a bearer token to its lease. The first time by the keyed SHA-256 digest; then, while the flow
// shows the same token, by a tag of it and the place of the lease. Worker thread.
//
// Why a tag may stand for the digest. It answers one question only: is this the token that was
// digested on this connection? A yes is believed when the entry at the remembered place also has
// the digest of that token, because its bits are in the flow's word, and then the entry says, now,
// what the token is worth. A no, or anything else there, leads to the digest. So a wrong yes needs
// another token of the same tag, from the peer that showed the right one on this very connection.
// The tag is a keyed XOR-universal hash (nh.h); the key is drawn at random per worker and start;
// neither it nor a tag leaves the process, and both answers to a guess look the same, so guesses
// teach nothing: each has its chance and no better one. A collision would let this peer go on as who
// it already is.
#include "nh.h"

static NH uint64_t tag(const struct reg_tag_key *k, struct rg_slice s) {
	__m128i sum = nh_start(k, s.len);
	uint8_t pad[16] = {0};

	if (s.len >= sizeof(pad)) {
		nh_add(&sum, s, k->blocks);
	} else if (s.len > 0) {
		memcpy(pad, s.p, s.len);
		nh_add(&sum, rg_slice(pad, sizeof(pad)), k->blocks);
	}
	return nh_fold(sum, k->fold);
}

uint64_t reg_token_tag(const struct reg_tag_key *key, struct rg_slice token) {
	uint64_t v;

	if (!__builtin_cpu_supports("pclmul") || token.len > RG_TOKEN_MAX)
		return 0;
	v = tag(key, token);
	return v == 0 ? 1 : v;
}

// The flow's mark for a token with this tag and a lease with this digest: even, not that of a message.
static uint64_t mark_of(uint64_t token_tag, const struct rg_digest *d) {
	return (token_tag ^ rg_digest_word(d, 1)) & ~(uint64_t)REG_MARK_MESSAGE;
}

bool reg_find_lease(const struct reg_tokens *t, struct reg_flow *f, struct rg_slice token,
		    struct rg_digest *digest, struct rg_lease_view *out) {
	bool is_message = reg_has_message(f);
	uint64_t v = is_message ? 0 : reg_token_tag(t->key, token);

	if (v != 0 && f->mark != 0 && rg_lease_at(t->leases, f->lease_at, out) &&
	    mark_of(v, out->digest) == f->mark) {
		*digest = *out->digest;
		return true;
	}
	rg_token_digest(t->digester, token, digest);
	if (!rg_lease_find(t->leases, digest, out))
		return false;
	if (v != 0) {
		f->mark = mark_of(v, digest);
		f->lease_at = out->at;
	}
	return true;
}

void reg_prefetch(const struct rg_lease_table *leases, const struct reg_flow *f) {
	if (f->mark != 0)
		rg_lease_prefetch_at(leases, f->lease_at);
}

void reg_prefetch_lease(const struct rg_lease_table *leases, const struct reg_flow *f) {
	if (f->mark != 0)
		rg_lease_prefetch_entry_at(leases, f->lease_at);
}
