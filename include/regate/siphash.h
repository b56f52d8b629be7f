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

static inline uint64_t rg_siphash(const uint8_t key[16], const void *data, size_t len) {
	uint64_t k0 = rg_sip_load(key), k1 = rg_sip_load(key + 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
			 k1 ^ 0x7465646279746573};
	const uint8_t *p = data;
	uint8_t tail[8] = {[7] = (uint8_t)len};
	uint64_t m;

	for (size_t i = 0; i < len / 8; i++, p += 8) {
		m = rg_sip_load(p);
		v[3] ^= m;
		rg_sip_rounds(v, 2);
		v[0] ^= m;
	}
	for (size_t i = 0; i < len % 8; i++)
		tail[i] = p[i];
	m = rg_sip_load(tail);
	v[3] ^= m;
	rg_sip_rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	rg_sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

// Of a 4-tuple. IPv4 hashes its 12 bytes only; SipHash mixes the length in, so the two address
// families cannot be played against each other.
static inline uint64_t rg_siphash_flow(const uint8_t key[16], const struct rg_addr *src,
				       const struct rg_addr *dst) {
	size_t ip_len = rg_addr_is_v4(src) && rg_addr_is_v4(dst) ? 4 : 16;
	uint8_t b[36];

	memcpy(b, &src->port, 2);
	memcpy(b + 2, &dst->port, 2);
	if (ip_len == 4) {
		memcpy(b + 4, src->ip + 12, 4);
		memcpy(b + 8, dst->ip + 12, 4);
		return rg_siphash(key, b, 12);
	}
	memcpy(b + 4, src->ip, 16);
	memcpy(b + 20, dst->ip, 16);
	return rg_siphash(key, b, 36);
}
