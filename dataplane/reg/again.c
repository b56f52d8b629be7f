// SPDX-License-Identifier: BSD-3-Clause
// A REGISTER that repeats, by a mark of the last one that was accepted on the flow. Worker thread.
//
// Why the mark may stand for what was found out then. What sip_again_cut() leaves is hashed with the
// key of the worker (nh.h): its bytes, where they were cut, and with them the token. The same mark
// therefore means, but for a chance of 2^-61 that nobody can better without the key, the same bytes;
// and those were parsed, had the lease's own IMPU, Call-ID and Contact, and showed its token. What
// can have changed since is in the mark, too: the digest of the entry at the remembered place, the
// assignment, whose IMPU and WWSF never change, and the client that it is registered for. All that
// depends on time or on the lease's state is decided anew.
#include "nh.h"

static uint64_t mark_of(uint64_t hash, const struct rg_lease_view *l) {
	return hash ^ rg_digest_word(l->digest, 1) ^ rg_hash_mix(rg_hash_mix(0, l->gen), l->client);
}

static NH uint64_t hash(const struct reg_tag_key *k, const struct sip_again *a) {
	uint64_t lens = 0;
	__m128i sum;
	size_t at = 0;

	static_assert(sizeof(k->blocks) >= SIP_AGAIN_MAX + SIP_AGAIN_PARTS * 16, "keys for all");
	static_assert(SIP_AGAIN_PARTS == 4 && SIP_AGAIN_MAX <= UINT16_MAX, "as nh_start() has it");
	for (unsigned i = 0; i < SIP_AGAIN_PARTS; i++)
		lens = lens << 16 | a->same[i].len;
	sum = nh_start(k, lens);
	for (unsigned i = 0; i < SIP_AGAIN_PARTS; i++)
		at += nh_add(&sum, a->same[i], k->blocks + at);
	return nh_fold(sum, k->fold);
}

bool reg_find_again(const struct reg_tokens *t, const struct reg_flow *f, const struct sip_again *a,
		    struct rg_lease_view *out) {
	return reg_has_message(f) && rg_lease_at(t->leases, f->lease_at, out) &&
	       (mark_of(hash(t->key, a), out) | REG_MARK_MESSAGE) == f->mark;
}

bool reg_learn(const struct reg_tokens *t, struct reg_flow *f, const struct sip_again *a,
	       const struct rg_slice *contact, const struct rg_lease_view *lease) {
	// A Contact in another form than the lease's is answered in that of the lease.
	if (!__builtin_cpu_supports("pclmul") || contact->p != a->r.contact.p)
		return false;
	f->mark = mark_of(hash(t->key, a), lease) | REG_MARK_MESSAGE;
	f->lease_at = lease->at;
	return true;
}

void reg_unlearn(struct reg_flow *f) {
	if (reg_has_message(f))
		f->mark = 0;
}
