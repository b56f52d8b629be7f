// SPDX-License-Identifier: BSD-3-Clause
// What unmasking a REGISTER with a 200-byte token costs, in cache.
#include "bench.h"
#include "ws/ws.h"

#define REGISTER_LEN 862 // performance.md 1

static void run(void *arg, uint64_t n_ops) {
	static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
	uint8_t *p = arg;

	for (uint64_t i = 0; i < n_ops; i++) {
		ws_unmask(p, REGISTER_LEN, key);
		bench_keep(p);
	}
}

int main(int argc, char **argv) {
	static uint8_t message[REGISTER_LEN];
	struct bench_case cases[] = {{"ws_unmask", REGISTER_LEN, run, message}};

	return bench_main(argc, argv, cases, 1);
}
