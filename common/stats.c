// SPDX-License-Identifier: BSD-3-Clause
// Names and texts of the worker counters.
#include "regate/stats.h"

static const struct {
	const char *name, *text;
} counters[RG_N_STATS] = {
#define X(n, t) [RG_STAT_##n] = {#n, t},
	RG_STAT_LIST(X)
#undef X
#define X(n, t) [RG_DROP_##n] = {"drop_" #n, t},
		RG_DROP_LIST(X)
#undef X
};

const char *rg_stat_name(enum rg_stat i) {
	return counters[i].name;
}

const char *rg_stat_text(enum rg_stat i) {
	return counters[i].text;
}
