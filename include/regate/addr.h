// SPDX-License-Identifier: BSD-3-Clause
// A transport address as plain bytes: IPv4 as an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "regate/slice.h"

struct rg_addr {
	uint8_t ip[16]; // network order
	uint16_t port;  // host order
};

static inline bool rg_addr_is_v4(const struct rg_addr *a) {
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

static inline struct rg_addr rg_addr_v4(uint32_t ip_be, uint16_t port) {
	struct rg_addr a = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port};

	memcpy(a.ip + 12, &ip_be, 4);
	return a;
}

// "192.0.2.7" or "2001:db8::1", without port.
void rg_put_ip(struct rg_wr *w, const struct rg_addr *a);

// Parses "192.0.2.7", "192.0.2.7:5060" or "[2001:db8::1]:5060". Without port it leaves port 0.
// 0 or RG_E_PROTO.
[[nodiscard]] int rg_addr_parse(struct rg_slice s, struct rg_addr *out);
