// SPDX-License-Identifier: BSD-3-Clause
// The record ring between two threads: every record arrives once, whole and in order. Lengths and
// bytes follow from a seed that both threads know. Ends by count, not by time.
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/ring.h"

#define N_RECORDS 400000
#define SIZE 1024
#define MAX_LEN (SIZE / 2 - RG_RING_ALIGN)

static _Alignas(64) uint8_t mem[SIZE];

// Record number i: its length, and its bytes by their place.
static uint64_t mix(uint64_t i) {
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9u;
	i = (i ^ i >> 27) * 0x94d049bb133111ebu;
	return i ^ i >> 31;
}

static size_t len_of(uint64_t i) {
	return mix(i) % 8 == 0 ? mix(i) / 8 % (MAX_LEN + 1) : mix(i) / 8 % 64;
}

static void fill(uint64_t i, uint8_t *p, size_t len) {
	uint8_t start = (uint8_t)mix(i + N_RECORDS);

	for (size_t k = 0; k < len; k++)
		p[k] = (uint8_t)(start + k);
}

static void *produce(void *arg) {
	struct rg_ring *r = arg;
	uint8_t rec[MAX_LEN];

	for (uint64_t i = 0; i < N_RECORDS; i++) {
		size_t len = len_of(i);
		size_t cut = len / 3;

		fill(i, rec, len);
		while (rg_ring_put(r, rg_slice(rec, cut), rg_slice(rec + cut, len - cut)) != 0)
			sched_yield();
	}
	return NULL;
}

// Takes all records. The number of the first wrong one, or N_RECORDS.
static uint64_t consume(struct rg_ring *r) {
	uint8_t want[MAX_LEN];
	struct rg_slice got;

	for (uint64_t i = 0; i < N_RECORDS; i++) {
		while (!rg_ring_peek(r, &got))
			sched_yield();
		fill(i, want, len_of(i));
		if (!rg_eq(got, rg_slice(want, len_of(i))))
			return i;
		rg_ring_next(r, got);
	}
	return N_RECORDS;
}

int main(void) {
	struct rg_ring ring;
	pthread_t producer;
	uint64_t n;

	rg_ring_init(&ring, mem, sizeof(mem));
	if (pthread_create(&producer, NULL, produce, &ring) != 0)
		return 1;
	n = consume(&ring);
	if (n < N_RECORDS) { // the producer may wait for room for ever
		fprintf(stderr, "ring_stress: record %" PRIu64 " is wrong\n", n);
		_Exit(1);
	}
	pthread_join(producer, NULL);
	if (!rg_ring_is_empty(&ring)) {
		fprintf(stderr, "ring_stress: more records than were put\n");
		return 1;
	}
	return 0;
}
