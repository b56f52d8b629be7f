// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 (Aumasson, Bernstein, 2012): a keyed hash for tables and flows that a peer, who picks
// its own addresses, must not be able to steer.
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "regate/addr.h"

static inline uint64_t rg_sip_load(const uint8_t *p) {
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline uint64_t rg_sip_rotl(uint64_t v, unsigned n) {
	return v << n | v >> (64 - n);
}

static inline void rg_sip_rounds(uint64_t v[4], unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rg_sip_rotl(v[1], 13) ^ v[0];
		v[3] = rg_sip_rotl(v[3], 16) ^ v[2];
		v[0] = rg_sip_rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rg_sip_rotl(v[1], 17) ^ v[2];
		v[3] = rg_sip_rotl(v[3], 21) ^ v[0];
		v[2] = rg_sip_rotl(v[2], 32);
	}
}

static inline void rg_sip_init(uint64_t v[4], const uint8_t key[16]) {
	uint64_t k0 = rg_sip_load(key), k1 = rg_sip_load(key + 8);

	v[0] = k0 ^ 0x736f6d6570736575;
	v[1] = k1 ^ 0x646f72616e646f6d;
	v[2] = k0 ^ 0x6c7967656e657261;
	v[3] = k1 ^ 0x7465646279746573;
}

static inline void rg_sip_block(uint64_t v[4], uint64_t m, unsigned n_rounds) {
	v[3] ^= m;
	rg_sip_rounds(v, n_rounds);
	v[0] ^= m;
}

static inline uint64_t rg_sip_end(uint64_t v[4], unsigned n_rounds) {
	v[2] ^= 0xff;
	rg_sip_rounds(v, n_rounds);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline uint64_t rg_siphash(const uint8_t key[16], const void *data, size_t len) {
	const uint8_t *p = data;
	uint8_t tail[8] = {[7] = (uint8_t)len};
	uint64_t v[4];

	rg_sip_init(v, key);
	for (size_t i = 0; i < len / 8; i++, p += 8)
		rg_sip_block(v, rg_sip_load(p), 2);
	for (size_t i = 0; i < len % 8; i++)
		tail[i] = p[i];
	rg_sip_block(v, rg_sip_load(tail), 2);
	return rg_sip_end(v, 4);
}

// Of a 4-tuple, by words: ports and addresses, the length in the last byte as ever. IPv4 hashes its
// 12 bytes only; since the length is mixed in, the two address families cannot be played against
// each other.
static inline uint64_t rg_sip_flow(const uint8_t key[16], const struct rg_addr *src,
				   const struct rg_addr *dst, unsigned n_block, unsigned n_end) {
	uint64_t ports = src->port | (uint64_t)dst->port << 16, v[4], s[2], d[2];

	s[0] = rg_sip_load(src->ip);
	s[1] = rg_sip_load(src->ip + 8);
	d[0] = rg_sip_load(dst->ip);
	d[1] = rg_sip_load(dst->ip + 8);
	rg_sip_init(v, key);
	if (rg_addr_is_v4(src) && rg_addr_is_v4(dst)) {
		rg_sip_block(v, ports | s[1] >> 32 << 32, n_block);
		rg_sip_block(v, d[1] >> 32 | UINT64_C(12) << 56, n_block);
		return rg_sip_end(v, n_end);
	}
	rg_sip_block(v, ports | s[0] << 32, n_block);
	rg_sip_block(v, s[0] >> 32 | s[1] << 32, n_block);
	rg_sip_block(v, s[1] >> 32 | d[0] << 32, n_block);
	rg_sip_block(v, d[0] >> 32 | d[1] << 32, n_block);
	rg_sip_block(v, d[1] >> 32 | UINT64_C(36) << 56, n_block);
	return rg_sip_end(v, n_end);
}

// For what a peer gets to see.
static inline uint64_t rg_siphash_flow(const uint8_t key[16], const struct rg_addr *src,
				       const struct rg_addr *dst) {
	return rg_sip_flow(key, src, dst, 2, 4);
}

// SipHash-1-3, for the order of a table, of which a peer learns nothing but how long an answer
// takes: the authors' faster variant, which hash tables of many languages use against floods.
static inline uint64_t rg_siphash_flow_fast(const uint8_t key[16], const struct rg_addr *src,
					    const struct rg_addr *dst) {
	return rg_sip_flow(key, src, dst, 1, 3);
}
