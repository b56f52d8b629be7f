// SPDX-License-Identifier: BSD-3-Clause
// Writes REGISTERs from a seed: each part in one of its forms, in any order and layout.
#pragma once

#include <stdint.h>

#include "forms.h"
#include "regate/slice.h"

#define GEN_ROOM 4096

struct gen {
	uint64_t seed;
	uint8_t text[GEN_ROOM];
	size_t len;
};

// The next message: one part in that form, if there is one, the others in good ones that all read alike.
void gen_message(struct gen *g, const struct form *form);
// Some bytes of it are changed, gone, or there twice.
void gen_damage(struct gen *g);
uint32_t gen_next(struct gen *g);
