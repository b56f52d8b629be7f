// SPDX-License-Identifier: BSD-3-Clause
// Inside of the lease engine: identities of pairs, and the hash index by texts that come in pieces.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/slice.h"

#define LEASE_NO_PAIR UINT32_MAX

struct lease;
struct lease_engine;
struct lease_slot;
struct lease_domain; // identity.c
struct lease_text;

#define LEASE_KEY_PARTS 3
struct lease_key { // a text in pieces
	struct rg_slice part[LEASE_KEY_PARTS];
};

typedef struct lease_key lease_key_fn(const struct lease_engine *e, uint32_t i);
struct lease_index {
	lease_key_fn *key;
	bool is_exact;   // else without regard to ASCII case
	uint8_t *tags;   // n; 0 = empty
	uint32_t *slots; // n; what has that key
	uint32_t n, n_used;
};

// --- identity.c
// Sets text and domain. 0, -ENOMEM, RG_E_LIMIT.
[[nodiscard]] int lease_identity_set(struct lease_engine *e, struct lease_slot *slot,
				     const char *impi, const char *impu, const char *fixed_sub);
void lease_identity_fini(struct lease_engine *e);
size_t lease_identity_size(const struct lease_engine *e, uint32_t idx); // bytes to write it
// Writes the identities of l->idx to text and has l point there.
void lease_identity_write(const struct lease_engine *e, struct lease *l, char *text);
const char *lease_fixed_sub(const struct lease_slot *slot); // the account; NULL = none
size_t lease_key_len(const struct lease_key *k);
struct lease_key lease_key_impi(const struct lease_engine *e, uint32_t idx);
struct lease_key lease_key_impu(const struct lease_engine *e, uint32_t idx);
struct lease_key lease_key_sub(const struct lease_engine *e, uint32_t idx); // of a fixed pair
struct lease_key lease_key_domain(const struct lease_engine *e, uint32_t i);

// --- index.c
bool lease_key_is(const struct lease_key *k, struct rg_slice s, bool is_exact);
// With room for n. 0 or -ENOMEM.
[[nodiscard]] int lease_index_init(struct lease_index *x, lease_key_fn *key, bool is_exact,
				   uint32_t n);
void lease_index_fini(struct lease_index *x);
// LEASE_NO_PAIR when there is none.
uint32_t lease_index_find(const struct lease_index *x, const struct lease_engine *e,
			  struct rg_slice s);
// The same for who needs the hash again, to add what was not found.
uint32_t lease_index_hash(struct rg_slice s);
uint32_t lease_index_find_hashed(const struct lease_index *x, const struct lease_engine *e,
				 struct rg_slice s, uint32_t hash);
// Makes room for one more. 0, -ENOMEM, RG_E_LIMIT.
[[nodiscard]] int lease_index_room(struct lease_index *x, const struct lease_engine *e);
void lease_index_add(struct lease_index *x, uint32_t hash, uint32_t of); // is new; of its whole key
