// SPDX-License-Identifier: BSD-3-Clause
// A driver makes the load of a scenario and fills in the result. Which kinds and keys go with which
// driver stands in scenario_keys.c.
#pragma once

#include "progress.h"
#include "result.h"

struct driver {
	const char *name; // as in the scenario
	const char *help;
	// Called before anything else of the process; NULL: nothing to do. False: told on stderr.
	bool (*prepare)(void);
	// 0, or negative with one line in err: what, where, cure. -ECANCELED: somebody wanted the end.
	// What was measured so far is in the result in either case.
	int (*run)(const struct scenario *sc, struct result *r, struct progress *p, char *err,
		   size_t err_len);
};

// bench/load: one gateway worker and a generator.
extern const struct driver driver_ring, driver_memif, driver_nic;
// bench/sock: kernel sockets against any target.
extern const struct driver driver_socket;

// What a file with a main() of its own may come to: sub-commands of regate-bench. argv[0] is the
// name of the sub-command; returns the exit code.
enum bench_exit {
	BENCH_DONE = 0,
	BENCH_FAILED = 1,  // nothing was measured; doctor: would distort; compare: worse
	BENCH_USAGE = 2,   // command line or scenario
	BENCH_PARTIAL = 3, // ended early; what there is has been written; compare: cannot tell
};
int run_main(int argc, char **argv);
bool run_is_scenario(const char *name);    // of bench/scenarios
int run_short_main(int argc, char **argv); // argv[0]: its name; then --KEY VALUE
int list_main(int argc, char **argv);
int keys_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int compare_main(int argc, char **argv); // bench/stat
int report_main(int argc, char **argv);  // bench/report
