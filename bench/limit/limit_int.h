// SPDX-License-Identifier: BSD-3-Clause
// The tables of the yardstick, for the files of this folder.
#pragma once

#define NO_COMPAT_IMB_API_053
#include <assert.h>
#include <intel-ipsec-mb.h>
#include <stdalign.h>
#include <string.h>

#include "limit.h"

#define REQUEST_LEN 862
#define TOKEN_LEN 200
#define HEAD_LEN 66 // Ethernet, IPv4, TCP with timestamps
#define REC_HEAD 5
#define FRAME_HEAD 8
#define TAG_LEN 16
#define N_CLASSES 2048 // of connections that share keys, token and sealed request
#define MAX_BATCH 32
#define PACKET_LEN 1088
#define N_TX 256
#define PER_BUCKET 8

struct lkeys {
	uint8_t rd_key[16], wr_key[16], rd_iv[12], wr_iv[12];
};

struct lconn { // four lines, as performance.md 1 counts them
	uint32_t ip, snd_nxt, snd_una, rcv_nxt;
	uint64_t seen;
	uint16_t port;
	uint8_t mac[6];
	uint8_t pad[32];
	alignas(64) struct lkeys keys;
	uint64_t rd_seq;
	alignas(64) uint64_t wr_seq;
	uint8_t rest[120];
};
static_assert(sizeof(struct lconn) == 256, "four cache lines");

struct llease {
	uint8_t digest[32];
	uint64_t end;
	uint8_t rest[24];
};
static_assert(sizeof(struct llease) == 64, "one cache line");

struct bucket {
	uint16_t tag[PER_BUCKET];
	uint32_t idx[PER_BUCKET];
	uint8_t pad[16];
};
static_assert(sizeof(struct bucket) == 64, "one cache line");

struct packet {
	alignas(64) uint8_t b[PACKET_LEN];
};

struct piece {
	const uint8_t *p;
	size_t len;
};

enum { VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, TOKEN, N_PIECES };

struct job { // one refresh in its batch
	const uint8_t *rec;
	uint32_t ip, port, conn;
	uint64_t hash;
	uint8_t digest[32];
	struct piece part[N_PIECES];
	alignas(64) uint8_t plain[PACKET_LEN], sip[PACKET_LEN];
};

struct limit {
	uint32_t n_conns;
	uint32_t mask; // of both tables
	unsigned batch;
	uint64_t rng;
	struct lconn *conns;
	struct llease *leases;
	struct bucket *flows, *lease_index;
	struct packet *packets; // N_CLASSES
	struct packet *tx;      // N_TX
	uint32_t *picks;
	uint32_t at_pick, at_tx, n_bad;
	IMB_MGR *imb;
	alignas(64) struct gcm_key_data key; // the library loads it aligned
	struct gcm_context_data gcm;
	struct job jobs[MAX_BATCH];
};

static inline uint64_t mix(uint64_t x) {
	x = (x ^ x >> 31) * UINT64_C(0x7fb5d329728ea185);
	x = (x ^ x >> 27) * UINT64_C(0x81dadef4bc2dd44d);
	return x ^ x >> 33;
}

static inline uint64_t draw(struct limit *l) {
	return mix(l->rng += UINT64_C(0x9e3779b97f4a7c15));
}

static inline uint64_t flow_hash(uint32_t ip, uint32_t port) {
	return mix(((uint64_t)ip << 16 | port) + 1);
}

static inline uint64_t word(const uint8_t *p) {
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

// The tag in the top bits, the two candidate buckets in the others.
static inline uint16_t tag_of(uint64_t h) {
	return (uint16_t)(h >> 48 | 1);
}

static inline uint32_t bucket_of(const struct limit *l, uint64_t h, unsigned i) {
	return (uint32_t)(h >> 24 * i) & l->mask;
}

// Leases of a class differ in their first word, so that the table is as large as it says.
static inline void digest_of_conn(uint8_t digest[32], uint32_t conn) {
	uint64_t w = word(digest) ^ mix(conn + 1);

	memcpy(digest, &w, sizeof(w));
}
