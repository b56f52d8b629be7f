// SPDX-License-Identifier: BSD-3-Clause
// Benches of the lease engine; README.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-qsbr.h>

#include "bed.h"

static int usage(void) {
	fputs("usage: regate-bench-lease memory|grants|start|list|fill [PAIRS [ROUNDS [DIR]]]\n"
	      "  PAIRS 1000000, ROUNDS 5; grants and start keep a database in DIR (.), fill leaves "
	      "one there\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv) {
	long n = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
	long rounds = argc > 3 ? strtol(argv[3], NULL, 10) : 5;
	const char *dir = argc > 4 ? argv[4] : ".";
	int rc = 2;

	if (argc < 2 || argc > 5 || n < 1000 || n > 16000000 || rounds < 1 || rounds > 100)
		return usage();
	urcu_qsbr_register_thread();
	urcu_qsbr_thread_offline();
	if (strcmp(argv[1], "memory") == 0)
		rc = bed_memory((uint32_t)n);
	else if (strcmp(argv[1], "grants") == 0)
		rc = bed_grants((uint32_t)n, (unsigned)rounds, dir);
	else if (strcmp(argv[1], "start") == 0)
		rc = bed_start((uint32_t)n, (unsigned)rounds, dir);
	else if (strcmp(argv[1], "fill") == 0)
		rc = bed_fill((uint32_t)n, dir);
	else if (strcmp(argv[1], "list") == 0)
		rc = bed_list((uint32_t)n, (unsigned)rounds);
	urcu_qsbr_unregister_thread();
	return rc == 2 ? usage() : rc;
}
