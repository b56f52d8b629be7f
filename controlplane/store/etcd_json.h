// SPDX-License-Identifier: BSD-3-Clause
// etcd's v3 API as JSON (its gRPC gateway, api/etcdserverpb/rpc.proto of 3.4): bodies of requests, and
// what is in answers. Keys and values are base64 in it, 64-bit numbers may be strings, and what has
// its default value is left out. Pure functions.
#pragma once

#include <sys/types.h>

#include "regate/slice.h"

// --- requests

struct etcd_range {
	struct rg_slice key, end;  // [key, end); end empty: the one key
	uint64_t revision;         // 0: now
	uint64_t min_mod_revision; // only what was written at it or later; 0: all
	uint64_t limit;            // 0: none
};

struct etcd_put {
	struct rg_slice key, value;
	uint64_t mod_revision;              // of what it replaces; 0: must not be there
	struct rg_slice new_key, new_value; // written as well, and only if not there; may be empty
	struct rg_slice also_key, also_value; // written as well; may be empty
};

void etcd_put_range(struct rg_wr *w, const struct etcd_range *r);
void etcd_put_watch(struct rg_wr *w, struct rg_slice key, struct rg_slice end, uint64_t revision);
void etcd_put_plain(struct rg_wr *w, struct rg_slice key, struct rg_slice value); // no conditions
void etcd_put_login(struct rg_wr *w, const char *user, const char *password);
// A transaction: etcd_txn_begin(), then some of one kind, then etcd_txn_end().
void etcd_txn_begin(struct rg_wr *w);
void etcd_txn_range(struct rg_wr *w, struct rg_slice key);
// One compare and swap, a transaction within: its failure is no other's. Then its answer has key, and
// new_key, as they are.
void etcd_txn_put(struct rg_wr *w, const struct etcd_put *p);
void etcd_txn_end(struct rg_wr *w);
// All of some compare and swaps, or none: etcd_txn_begin_together(), etcd_txn_if() of each,
// etcd_txn_then(), etcd_txn_do() of each, etcd_txn_end(). The answer says has_succeeded, no more.
void etcd_txn_begin_together(struct rg_wr *w);
void etcd_txn_if(struct rg_wr *w, const struct etcd_put *p);
void etcd_txn_then(struct rg_wr *w);
void etcd_txn_do(struct rg_wr *w, const struct etcd_put *p);

// --- answers

struct etcd_kv { // borrowed from the reply
	struct rg_slice key, value;
	uint64_t mod_revision;
	bool is_delete; // an event: gone; no value
};

struct etcd_reply {
	uint64_t revision;         // of the header
	unsigned code;             // gRPC status; 0: no error
	const char *message;       // of an error; else ""
	const char *token;         // of a login; else ""
	bool more;                 // a range has more keys
	bool has_succeeded;        // the conditions of a transaction held
	bool is_created;           // a watch has begun
	bool is_canceled;          // it is over:
	uint64_t compact_revision; // nonzero: what came before is no longer known
	bool is_fragment;          // more events of the same revision follow
	size_t n;                  // kvs, events, or operations of a transaction
	void *root, *list;         // private
	uint8_t *room;             // private, decoded keys and values
	size_t used, cap;
};

// 0, RG_E_PROTO or -ENOMEM. On success etcd_reply_fini() is due.
[[nodiscard]] int etcd_reply_parse(struct rg_slice json, struct etcd_reply *out);
void etcd_reply_fini(struct etcd_reply *r);
// Each may be read once.
// The i-th pair of a range, or event of a watch. 0 or RG_E_PROTO.
[[nodiscard]] int etcd_reply_kv(struct etcd_reply *r, size_t i, struct etcd_kv *out);
// The i-th operation of a transaction, which is a range of one key: 0, RG_E_STALE (no such key) or
// RG_E_PROTO.
[[nodiscard]] int etcd_reply_read(struct etcd_reply *r, size_t i, struct etcd_kv *out);
// The i-th, of etcd_txn_put(): 0 (done), RG_E_CONFLICT or RG_E_PROTO. At RG_E_CONFLICT now and new_now
// are what key and new_key are; without value and mod_revision when they are not.
[[nodiscard]] int etcd_reply_put(struct etcd_reply *r, size_t i, struct etcd_kv *now,
				 struct etcd_kv *new_now);
