// SPDX-License-Identifier: BSD-3-Clause
// What the operator's `lease list` and `lease show` wait for: walks in steps of a loop turn each, over
// leases of which none, or only the last, fits.
#include <stdio.h>

#include "bed.h"

#define STEP 8192 // pairs a turn, as CTL_SCAN_STEP
#define MAX_ROUNDS 100
#define N_FINDS 1000000

struct walk {
	struct env_timer timer; // first
	struct bed *b;
	struct lease_filter filter;
	uint32_t at;
	unsigned n_found;
};

static void on_step(struct env_timer *t, uint64_t now_ns) {
	struct walk *w = (struct walk *)t;
	unsigned n = STEP;

	while (lease_scan(w->b->leases, &w->filter, &w->at, &n)) {
		w->n_found++;
		w->at++;
	}
	if (w->at >= w->b->n_pairs)
		env_stop(w->b->env);
	else
		env_timer_set(w->b->env, t, now_ns);
}

static void run(struct bed *b, const char *name, struct lease_filter filter, unsigned rounds) {
	double ms[MAX_ROUNDS], median;
	unsigned n_found = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct walk w = {.timer.fn = on_step, .b = b, .filter = filter};
		double t = bed_now_s();

		env_timer_set(b->env, &w.timer, 0);
		(void)env_real_run(b->env);
		ms[i] = (bed_now_s() - t) * 1e3;
		n_found = w.n_found;
	}
	median = bed_median(ms, rounds);
	printf("{\"bench\":\"lease_list\",\"what\":\"%s\",\"n\":%u,\"found\":%u,\"rounds\":%u,"
	       "\"ms\":{\"median\":%.2f,\"min\":%.2f,\"max\":%.2f}}\n",
	       name, b->n_pairs, n_found, rounds, median, ms[0], ms[rounds - 1]);
}

static void run_find(struct bed *b, unsigned rounds) {
	double ns[MAX_ROUNDS], median;
	uint32_t i = 1;

	for (unsigned r = 0; r < rounds; r++) {
		double t = bed_now_s();

		for (unsigned k = 0; k < N_FINDS; k++) {
			char impu[64];

			i = (uint32_t)((uint64_t)i * 2654435761u % b->n_pairs);
			bed_impu(impu, i);
			if (lease_find(b->leases, impu) != i)
				bed_die("a pair", -1);
			i++;
		}
		ns[r] = (bed_now_s() - t) * 1e9 / N_FINDS;
	}
	median = bed_median(ns, rounds);
	printf("{\"bench\":\"lease_list\",\"what\":\"show\",\"n\":%u,\"rounds\":%u,"
	       "\"ns\":{\"median\":%.0f,\"min\":%.0f,\"max\":%.0f}}\n",
	       b->n_pairs, rounds, median, ns[0], ns[rounds - 1]);
}

int bed_list(uint32_t n, unsigned rounds) {
	struct lease_filter any = {.pool = -1, .wwsf = -1, .state = -1}, f = any;
	struct bed b = {0};
	char sub[64], impu[64];

	bed_open(&b, NULL);
	bed_engine(&b, n);
	bed_grant(&b, n, 10000);
	f.state = LEASE_UNKNOWN;
	run(&b, "state that none has", f, rounds);
	f = any;
	snprintf(sub, sizeof(sub), "%s", lease_at(b.leases, n - 1)->sub);
	f.sub = sub;
	run(&b, "sub of the last", f, rounds);
	f = any;
	bed_impu(impu, n - 1);
	f.impu = rg_str(impu);
	run(&b, "impu of the last", f, rounds);
	run_find(&b, rounds);
	bed_close(&b);
	return 0;
}
