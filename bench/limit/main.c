// SPDX-License-Identifier: BSD-3-Clause
// regate-limit CONNS BATCH: the yardstick alone, for one core: `taskset -c 0 regate-limit 1000000 8`.
#include <stdio.h>
#include <stdlib.h>

#include "limit.h"

#define N_REFRESHES 65536
#define N_HANDSHAKES 500
#define N_RUNS 15

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv) {
	uint32_t n_conns = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	unsigned batch = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 8;
	struct limit *l = limit_new(n_conns, batch);
	double ns[N_RUNS], handshake_ns;

	if (l == NULL) {
		fprintf(stderr, "regate-limit: no memory, or a processor without AVX-512\n");
		return EXIT_FAILURE;
	}
	(void)limit_refresh_ns(l, N_REFRESHES); // warm-up
	for (int i = 0; i < N_RUNS; i++)
		ns[i] = limit_refresh_ns(l, N_REFRESHES);
	limit_free(l);
	qsort(ns, N_RUNS, sizeof(ns[0]), compare);
	handshake_ns = limit_handshake_ns(LIMIT_CERTIFICATE, LIMIT_KEY, N_HANDSHAKES);
	printf("{\"bench\": \"limit\", \"conns\": %u, \"batch\": %u, "
	       "\"refresh_ns\": {\"median\": %.1f, \"min\": %.1f, \"max\": %.1f}, "
	       "\"handshake_ns\": %.0f}\n",
	       n_conns, batch, ns[N_RUNS / 2], ns[0], ns[N_RUNS - 1], handshake_ns);
	return ns[0] < 0 || handshake_ns < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
