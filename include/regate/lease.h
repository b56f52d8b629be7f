// SPDX-License-Identifier: BSD-3-Clause
// Lease table: token digest -> lease entry. Written by the control loop only, read by the workers
// under liburcu QSBR. Entries are immutable once published, apart from the atomics marked below;
// a change publishes a new entry by pointer exchange and retires the old one by call_rcu.
// Readers get a view whose slices point into the entry and the texts that it shares with others
// (struct rg_lease_view): it is good until their next quiescent state, and nothing of it is kept past
// that. What is freed is poisoned first.
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

// Texts that leases have in common, one after the other in bytes[]. The IMPU is SCHEME user DOMAIN, the
// lines of the 200 are LINES_0 user LINES_1 handle LINES_2.
enum rg_lease_part {
	RG_PART_SCHEME,
	RG_PART_DOMAIN,
	RG_PART_LINES_0,
	RG_PART_LINES_1,
	RG_PART_LINES_2,
	RG_LEASE_N_PARTS,
};

struct rg_lease_shared {
	struct rcu_head rcu;          // ctl only
	struct rg_lease_shared *next; // ctl only
	uint64_t hash;                // ctl only
	uint32_t n_uses;              // ctl only: entries in the table
	bool has_user;                // in the lines; immutable (as all below)
	uint16_t len[RG_LEASE_N_PARTS];
	uint8_t bytes[];
};

// Begins on a cache line, and most need two (LEASE_BLOCK).
struct rg_lease {
	struct rg_digest digest;
	uint64_t gen;             // of the assignment, never reused (reliability.md I4)
	uint64_t token_end_ns;    // CLOCK_BOOTTIME: nothing is promised past it
	uint64_t core_end_ns;     // CLOCK_BOOTTIME: the core's binding is good until then ("low")
	uint64_t core_refresh_ns; // CLOCK_BOOTTIME: from then on a refresh goes to the core
	uint64_t client;          // rg_client_hash() of the client's registration
	struct rg_lease_shared *shared; // lives as long as a reader may see the entry
	struct rcu_head rcu;            // ctl only
	uint32_t idx;                   // index of the pair, immutable (as all but state)
	uint16_t wwsf;                  // index of the WWSF that owns the pool
	_Atomic(uint8_t) state;         // enum rg_lease_state; ctl: rw, dp: ro
	uint8_t user_len;   // of its own texts, one after the other in bytes[]: of the IMPU,
	uint8_t handle_len; // of the Path, and the
	uint8_t to_tag_len; // To tag
	uint8_t bytes[];
};

// What a reader sees of an entry. The digest and the slices are its bytes or those it shares: valid until
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
	struct rg_slice to_tag;
	struct rg_slice impu[3]; // "sip:" "pool-00017" "@ims.example.net": one text in pieces
	struct rg_slice
		headers[5]; // whole header lines of the 200, each ending in CRLF, the same way
};

#define RG_LEASE_BYTES_MAX 4096 // bytes of the texts of a lease at most
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
	struct rg_lease_bucket *buckets;
	uint64_t n_buckets;              // at most 2^29: places have 32 bits
	uint64_t n_entries;              // ctl only
	uint64_t max_entries;            // ctl only
	struct lease_slab *slab;         // ctl only: memory of the entries; NULL: malloc()
	struct rg_lease_shared **shared; // ctl only: lists by hash
	uint64_t shared_mask;            // ctl only: lists less one
};

// Where a digest lives; the writer and the readers both go by these. The digest is keyed SHA-256,
// so its bits serve as they are: the first word names the buckets, half of it as a fraction of them each,
// the second the tag.
static inline uint64_t rg_digest_word(const struct rg_digest *d, unsigned i) {
	uint64_t w;

	memcpy(&w, d->b + 8 * i, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

static inline uint64_t rg_lease_bucket_1(const struct rg_digest *d, uint64_t n_buckets) {
	return (uint32_t)rg_digest_word(d, 0) * n_buckets >> 32;
}

// May equal bucket 1.
static inline uint64_t rg_lease_bucket_2(const struct rg_digest *d, uint64_t n_buckets) {
	return (rg_digest_word(d, 0) >> 32) * n_buckets >> 32;
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
