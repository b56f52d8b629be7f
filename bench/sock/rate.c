// SPDX-License-Identifier: BSD-3-Clause
// The highest rate of refreshes that loses no more than the scenario allows.
#include <stdio.h>

#include "bench.h"
#include "search.h"

#define PRECISION 0.01

// lost: share of what was due that failed, took more than a second, or found `window` unanswered.
static int try_rate(struct bench *b, double rate, double *lost) {
	struct tally t = bench_tally(b, b->plan->op), reopened = {.name = "reopen"};
	struct stream st[2] = {bench_stream(b, b->plan->job, LIST_READY, &t),
			       bench_repair(b, &reopened)};
	uint64_t until_ns = bench_until(b);
	int rc;

	if (until_ns == RG_NEVER)
		until_ns = sock_clock() + (uint64_t)(b->sc->requests / rate * 1e9);
	st[0].pace.rate = rate;
	st[0].limit = 0;
	st[0].is_dropping = true;
	rc = sock_run(b->s, st, 2, until_ns, true);
	*lost = 1 - (double)(t.ok - t.slow) / (double)(t.sent + st[0].n_dropped + (t.sent == 0));
	return rc;
}

// What a closed loop reaches is where a search begins.
static int first_rate(struct bench *b, double *rate) {
	struct tally t = bench_tally(b, b->plan->op);
	struct stream st = bench_stream(b, b->plan->job, LIST_READY, &t);
	int rc;

	st.pace.rate = 0;
	bench_begin(b);
	rc = sock_run(b->s, &st, 1, bench_until(b), true);
	*rate = (double)t.ok * 1e9 / (double)(sock_clock() - b->begin_ns) + 1;
	return rc;
}

int bench_search(struct bench *b, int run) {
	double first = b->sc->search_from, lost;
	struct search search;
	int rc = first > 0 ? 0 : first_rate(b, &first);

	search_init(&search, scenario_loss_share(b->sc->search_loss), first, PRECISION);
	while (rc == 0 && search_rate(&search) > 0) {
		progress_phase(b->s->progress, "trying %.0f refreshes per second",
			       search_rate(&search));
		rc = try_rate(b, search_rate(&search), &lost);
		search_tell(&search, lost);
	}
	if (rc == 0 && search.good == 0) {
		snprintf(b->s->err, b->s->err_len,
			 "%s: at no rate is the loss as small: allow more (search.loss)",
			 b->sc->target);
		rc = -EPROTO;
	}
	if (run >= 0 && search.good > 0)
		result_add(b->r, "highest_rate", "1/s", BETTER_HIGHER, search.good);
	return rc;
}
