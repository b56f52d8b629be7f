// SPDX-License-Identifier: BSD-3-Clause
// The yardstick: the least work that a refresh and a handshake can be, on one core, without any I/O
// (performance.md section 1). Measured next to the gateway, on the same core, in the same minute.
// One thread per object. Needs AVX-512.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct limit;

// Tables for n_conns connections with a lease each. NULL without memory or processor.
[[nodiscard]] struct limit *limit_new(uint32_t n_conns, unsigned batch);
void limit_free(struct limit *l); // accepts NULL
// Does about n refreshes of connections picked at random: processor time of this thread, ns for
// each. Negative when one of them failed.
double limit_refresh_ns(struct limit *l, uint32_t n);

// Full TLS 1.3 handshakes (X25519, ECDSA P-256, AES-128-GCM, no tickets) by OpenSSL's server, its
// client in the same thread but not counted: processor time, ns for each. Negative on failure.
double limit_handshake_ns(const char *certificate, const char *key, uint32_t n);
