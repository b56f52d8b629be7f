// SPDX-License-Identifier: BSD-3-Clause
// Books the time of the polls that are timed. Runs on the worker; pure but for stage_clock().
#include "stage.h"

#include <string.h>

#define ROUNDS 16
#define READINGS 64

// Work on all packets of a poll together: its samples are the mean of each packet.
#define OF_POLL ((1u << RG_STAGE_rx) | (1u << RG_STAGE_tx) | (1u << RG_STAGE_poll))

// Xorshift. At random, so that it beats with nothing that comes at intervals.
static uint32_t draw(struct stages *s) {
	s->random ^= s->random << 13;
	s->random ^= s->random >> 17;
	s->random ^= s->random << 5;
	return s->random;
}

void stages_init(struct stages *s, uint32_t seed, const struct rg_stats *stats,
		 struct rg_stages *out) {
	*s = (struct stages){.random = seed | 1, .n_left = STAGE_EVERY, .stats = stats, .out = out};
}

void stages_calibrate(struct stages *s) {
	uint64_t least = UINT32_MAX;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct stages t = {.is_timed = true, .last = stage_clock()};
		uint64_t begin = t.last;

		for (unsigned i = 0; i < READINGS; i++)
			stage_to(&t, (enum rg_stage)(i % RG_N_STAGES));
		if ((t.last - begin) / READINGS < least)
			least = (t.last - begin) / READINGS;
	}
	s->reading = (uint32_t)least;
}

void stage_switch(struct stages *s, enum rg_stage to) {
	uint64_t now = stage_clock(), took = now - s->last;

	s->cycles[s->at] += took > s->reading ? took - s->reading : 0;
	s->touched |= (uint16_t)(1u << s->at);
	s->at = (uint8_t)to;
	s->last = now;
}

// Gives a stage's cycles to its histogram as n samples.
static void book(struct stages *s, unsigned i, uint64_t n) {
	rg_stage_add(&s->out->of[i], s->cycles[i], n);
	s->cycles[i] = 0;
}

void stage_switch_unit(struct stages *s, enum rg_stage to) {
	unsigned left;

	stage_switch(s, to);
	left = s->touched & ~OF_POLL;
	s->touched &= OF_POLL;
	if (left == 0)
		return;
	for (; left != 0; left &= left - 1)
		book(s, (unsigned)__builtin_ctz(left), 1);
	s->last = stage_clock(); // the booking is nobody's
}

// Packets that left, or were to.
static uint64_t n_sent(const struct rg_stats *s) {
	return rg_stat_get(s, RG_STAT_tx_packets) + rg_stat_get(s, RG_STAT_relayed) +
	       rg_stat_get(s, RG_DROP_tx_full);
}

void stages_open(struct stages *s) {
	memset(s->cycles, 0, sizeof(s->cycles)); // of a poll that found nothing
	s->touched = 0;
	s->is_timed = true;
	s->at = RG_STAGE_poll;
	s->n_sent = n_sent(s->stats);
	s->last = stage_clock();
}

void stages_close(struct stages *s, bool is_busy, unsigned n_received) {
	if (is_busy) {
		stage_switch_unit(s, RG_STAGE_poll);
		book(s, RG_STAGE_rx, n_received);
		book(s, RG_STAGE_tx, n_sent(s->stats) - s->n_sent);
		book(s, RG_STAGE_poll, 1);
		s->n_left = draw(s) % (2 * STAGE_EVERY - 1);
	}
	s->is_timed = false;
}
