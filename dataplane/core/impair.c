// SPDX-License-Identifier: BSD-3-Clause
// The dice of a bad path. Runs in a worker of regated-test.
#include "impair.h"

#include <errno.h>
#include <stdio.h>

#include "regate/clock.h"
#include "regate/slice.h"

#define REORDER_MS 20 // a packet out of order is late by up to this
#define FLIP_SPAN 15  // bits

static const struct word {
	const char *name;
	size_t off;
	uint64_t max;
} words[] = {
	{"seed", offsetof(struct impair_cfg, seed), UINT64_MAX},
	{"loss", offsetof(struct impair_cfg, loss), 100},
	{"corrupt", offsetof(struct impair_cfg, corrupt), 100},
	{"dup", offsetof(struct impair_cfg, dup), 100},
	{"reorder", offsetof(struct impair_cfg, reorder), 100},
	{"delay", offsetof(struct impair_cfg, delay_ms), 1000},
};

static bool set(struct impair_cfg *c, struct rg_slice name, struct rg_slice value) {
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint64_t n;

		if (!rg_eq(name, rg_str(words[i].name)))
			continue;
		if (!rg_parse_u64(value, &n) || n > words[i].max)
			return false;
		*(uint64_t *)(void *)((char *)c + words[i].off) = n;
		return true;
	}
	return false;
}

int impair_parse(const char *text, struct impair_cfg *out, char *err, size_t err_len) {
	struct impair_cfg c = {.seed = 1};

	for (struct rg_slice rest = rg_str(text); rest.len > 0;) {
		size_t len = strcspn((const char *)rest.p, ","),
		       eq = strcspn((const char *)rest.p, "=");

		if (eq >= len ||
		    !set(&c, rg_slice(rest.p, eq), rg_slice(rest.p + eq + 1, len - eq - 1))) {
			snprintf(err, err_len,
				 "test.impair: '%.*s' is not understood; write seed=N, loss=, "
				 "corrupt=, dup=, reorder= (per cent) and delay= (ms, at most "
				 "1000), with commas between",
				 (int)len, (const char *)rest.p);
			return -EINVAL;
		}
		rest = rg_skip(rest, len + 1);
	}
	*out = c;
	return 0;
}

static uint32_t roll(struct impair *im, uint32_t n) { // below n
	im->rng ^= im->rng << 13;
	im->rng ^= im->rng >> 7;
	im->rng ^= im->rng << 17;
	return (uint32_t)((im->rng >> 16) % n);
}

void impair_init(struct impair *im, const struct impair_cfg *cfg, unsigned stream) {
	im->cfg = *cfg;
	im->rng = (cfg->seed * 64 + stream + 1) * UINT64_C(0x9e3779b97f4a7c15);
	im->rng += im->rng == 0;
}

struct impair_fate impair_next(struct impair *im) {
	struct impair_fate f = {
		.is_lost = roll(im, 100) < im->cfg.loss,
		.is_corrupt = roll(im, 100) < im->cfg.corrupt,
		.is_dup = roll(im, 100) < im->cfg.dup,
		.hold_ns = im->cfg.delay_ms * RG_NS_PER_MS,
	};

	if (roll(im, 100) < im->cfg.reorder)
		f.hold_ns += (1 + roll(im, REORDER_MS * 1000)) * RG_NS_PER_US;
	return f;
}

void impair_flip(struct impair *im, uint8_t *b, size_t len) {
	uint32_t first = roll(im, (uint32_t)len * 8 - FLIP_SPAN), n = 1 + roll(im, 3), at = 0;

	for (uint32_t i = 0; i < n; i++, at++) {
		at += roll(im, FLIP_SPAN - at - (n - i - 1)); // room for those to come
		b[(first + at) / 8] ^= (uint8_t)(0x80 >> (first + at) % 8);
	}
}
