// SPDX-License-Identifier: BSD-3-Clause
// Lease table: token digest -> lease entry. Written by the control loop only, read by the workers
// under liburcu QSBR. Entries are immutable once published, apart from the atomics marked below;
// a change publishes a new entry by pointer exchange and retires the old one by call_rcu.
// Readers get a view whose slices point into the entry (struct rg_lease_view): it is good until
// their next quiescent state, and nothing of it is kept past that. A freed entry is poisoned first.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <urcu/urcu-qsbr.h>

#include "regate/slice.h"
#include "regate/texthash.h"
#include "regate/token.h"

#define RG_LEASE_NONE UINT32_MAX // no lease index

enum rg_lease_state {     // of the entry, as the workers see it
	RG_LEASE_OFFERED, // token issued, nothing registered: every REGISTER is punted
	RG_LEASE_ACTIVE,  // the binding snapshot may be answered from
	RG_LEASE_STALE,   // registered, but the next REGISTER must go the slow way
	RG_LEASE_ENDING,  // de-registration or revocation under way: no local 200 any more
};

// Offsets into bytes[]; len 0 = absent.
struct rg_span {
	uint16_t off;
	uint16_t len;
};

struct rg_lease {
	struct rcu_head rcu;     // ctl only
	_Atomic(uint32_t) state; // enum rg_lease_state; ctl: rw, dp: ro
	uint32_t idx;            // index of the pair, immutable (as all below)
	uint64_t gen;            // generation of the assignment, never reused (reliability.md I4)
	struct rg_digest digest;
	uint64_t token_end_ns;    // CLOCK_BOOTTIME: nothing is promised past it
	uint64_t core_end_ns;     // CLOCK_BOOTTIME: the core's binding is good until then ("low")
	uint64_t core_refresh_ns; // CLOCK_BOOTTIME: from then on a refresh goes to the core
	uint64_t client;          // rg_client_hash() of the client's registration
	uint16_t wwsf;            // index of the WWSF that owns the pool
	struct rg_span impu;      // "sip:pool-00017@ims.example.net"
	struct rg_span to_tag;
	struct rg_span headers; // whole header lines of the 200, each ending in CRLF
	uint16_t n_bytes;
	uint8_t bytes[];
};

// What a reader sees of an entry. The digest and the slices are the entry's own bytes: valid until
// the reader's next quiescent state, which for a worker is the end of the poll. `at` is no pointer
// and may be kept.
struct rg_lease_view {
	uint32_t idx;
	uint32_t state; // enum rg_lease_state, as of the look-up
	uint64_t gen;
	uint64_t token_end_ns;
	uint64_t core_end_ns;
	uint64_t core_refresh_ns;
	uint64_t client; // rg_client_hash()
	uint16_t wwsf;
	uint32_t at; // place in the table, for rg_lease_at()
	const struct rg_digest *digest;
	struct rg_slice impu, to_tag, headers;
};

#define RG_LEASE_BYTES_MAX 4096 // bytes[] of one entry at most
#define RG_CONTACT_MAX 1024     // bytes of a client's Contact without expires at most

// Does a REGISTER repeat what the lease's client registered (ims.md 4.3 rule 9)? Its Call-ID and its
// Contact without expires stand in one number. Two registrations of one value by chance, 1 in 2^64
// for each that changed, or made up by a client: it must have the lease's token, is told that its own
// Contact is registered while the core has the other, and fools only itself.
static inline uint64_t rg_call_id_hash(struct rg_slice call_id) {
	return rg_text_hash(call_id, 1);
}

static inline uint64_t rg_client_hash(uint64_t call_id_hash, struct rg_slice contact) {
	return rg_text_hash(contact, call_id_hash);
}

// Cache-line bucket: eight one-byte tags (the last unused), seven pointers. Two candidate buckets
// per digest; entries never move, so a reader never misses one that stays.
struct rg_lease_bucket {
	_Atomic(uint64_t) tags; // ctl: rw, dp: ro; byte i is the tag of slot i, 0 = empty
	_Atomic(struct rg_lease *) slot[7]; // ctl: rw (release), dp: ro (consume)
} __attribute__((aligned(64)));

struct rg_lease_table {
	struct rg_lease_bucket *buckets; // n_buckets, a power of two
	uint64_t mask;                   // n_buckets - 1, below 2^29: places have 32 bits
	uint64_t n_entries;              // ctl only
	uint64_t max_entries;            // ctl only
};

// Where a digest lives; the writer and the readers both go by these. The digest is keyed SHA-256,
// so its bits serve as they are: the first word names the buckets, the second the tag.
static inline uint64_t rg_digest_word(const struct rg_digest *d, unsigned i) {
	uint64_t w;

	memcpy(&w, d->b + 8 * i, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

static inline uint64_t rg_lease_bucket_1(const struct rg_digest *d, uint64_t mask) {
	return rg_digest_word(d, 0) & mask;
}

// May equal bucket 1.
static inline uint64_t rg_lease_bucket_2(const struct rg_digest *d, uint64_t mask) {
	return rg_digest_word(d, 0) >> 32 & mask;
}

// Never 0, which marks an empty slot.
static inline uint8_t rg_lease_tag(const struct rg_digest *d) {
	return (uint8_t)(rg_digest_word(d, 1) & 0xff) | 1;
}

// Reader side (dataplane/reg/lease_read.c). The caller is a registered, online QSBR reader.
// True when found; else *out is as it was.
[[nodiscard]] bool rg_lease_find(const struct rg_lease_table *t, const struct rg_digest *d,
				 struct rg_lease_view *out);
// The entry that is at this place now, whosever it is: entries never move, but the place of one that
// went may be another's, so the caller compares digests. False when the place is empty.
[[nodiscard]] bool rg_lease_at(const struct rg_lease_table *t, uint32_t at,
			       struct rg_lease_view *out);

// For a batch: the bucket of each first, then the entry of each (which reads the bucket), then the
// look-ups. Hints; they wait for nothing and change nothing.
void rg_lease_prefetch(const struct rg_lease_table *t, const struct rg_digest *d);
void rg_lease_prefetch_entry(const struct rg_lease_table *t, const struct rg_digest *d);
void rg_lease_prefetch_at(const struct rg_lease_table *t, uint32_t at);
void rg_lease_prefetch_entry_at(const struct rg_lease_table *t, uint32_t at);
