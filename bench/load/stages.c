// SPDX-License-Identifier: BSD-3-Clause
// Where the gateway's time went in a run, by its own histograms. Generator's lcore.
#include "stages.h"

// Names of series are literals.
static const char *const share_names[RG_N_STAGES] = {
#define X(name, text) "stage_" #name "_share",
	RG_STAGE_LIST(X)
#undef X
};

// The steps of the gateway are wider than ours: each is taken for its middle.
static void add_samples(struct hist *into, const struct rg_stage_hist *from) {
	for (unsigned i = 0; i < RG_STAGE_N; i++) {
		uint64_t n = rg_stage_at(from, i);

		if (n > 0)
			hist_add_n(into, (rg_stage_lower(i) + rg_stage_upper(i)) / 2, n);
	}
}

void stages_report(struct result *r, const struct rg_stages *s, double cycles_per_ns) {
	for (unsigned i = 0; i < RG_N_STAGES; i++) {
		char name[48];
		struct hist *h;

		if (rg_stage_count(&s->of[i]) == 0)
			continue;
		snprintf(name, sizeof(name), "stage_%s", rg_stage_name(i));
		h = result_hist(r, name, "ns", 1 / cycles_per_ns);
		if (h != NULL)
			add_samples(h, &s->of[i]);
		result_add(r, share_names[i], "1", BETTER_NEITHER, rg_stage_share(s, i));
	}
}
