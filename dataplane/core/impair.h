// SPDX-License-Identifier: BSD-3-Clause
// A bad path, as dice: what happens to each packet. Only in regated-test. No packets here, no I/O.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct impair_cfg {
	uint64_t seed;
	uint64_t loss, corrupt, dup, reorder; // per cent of the packets, each on its own
	uint64_t delay_ms;                    // of every packet
};

struct impair {
	struct impair_cfg cfg;
	uint64_t rng;
};

struct impair_fate {
	bool is_lost, is_corrupt, is_dup;
	uint64_t hold_ns; // by this much it is late
};

// "seed=1,loss=15,corrupt=15,dup=2,reorder=5,delay=10": any of them, in any order. 0, or negative
// with one line in err; then *out is as before.
[[nodiscard]] int impair_parse(const char *text, struct impair_cfg *out, char *err, size_t err_len);
void impair_init(struct impair *im, const struct impair_cfg *cfg, unsigned stream);
struct impair_fate impair_next(struct impair *im);
// Flips one to three bits of b (len >= 2) that lie within 15 bits of each other: no Internet
// checksum over them comes out right (RFC 1071: a difference of at most 2^15 - 1, turned).
void impair_flip(struct impair *im, uint8_t *b, size_t len);
