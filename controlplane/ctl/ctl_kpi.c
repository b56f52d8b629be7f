// SPDX-License-Identifier: BSD-3-Clause
// Key figures of registration for `stats` and `metrics`: of ims/, of each pool, and what must stay 0.
// What workers count is `counters` there. Control thread; answers at once.
#include <stdio.h>

#include "ctl/ctl_int.h"

struct rows {
	json_t *list;
	bool is_all;
};

static void add(void *arg, const struct kpi_row *r) {
	struct rows *rows = arg;

	if (r->value == 0 && !rows->is_all)
		return;
	ctl_json_add(&rows->list, json_pack("{s:s, s:s, s:I, s:s, s:s}", "name", r->name, "labels",
					    r->labels, "value", (json_int_t)r->value, "type",
					    kpi_type_name(r->type), "text", r->text));
}

// The pools of the configuration; behind them the pairs of accounts, as UINT16_MAX.
static void add_pool(const struct ctl *c, struct rows *rows, uint16_t pool) {
	struct lease_pool_stats s;
	char labels[128];

	lease_get_pool_stats(c->deps.leases, pool, &s);
	const struct {
		const char *state, *text;
		uint32_t n;
	} states[] = {
		{"free", "pairs to be given out", s.n_free},
		{"offered", "pairs with a token, not registered", s.n_offered},
		{"registered", "pairs registered", s.n_registered},
		{"quarantine", "pairs that may still be bound in the core", s.n_quarantine},
		{"disabled", "pairs out of rotation", s.n_disabled},
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct kpi_row r = {"pool.pairs", labels, states[i].text, states[i].n, KPI_GAUGE};

		snprintf(labels, sizeof(labels), "pool=%s,state=%s",
			 pool == UINT16_MAX ? "-accounts" : c->deps.conf->pools[pool].name,
			 states[i].state);
		add(rows, &r);
	}
}

static void add_leases(const struct ctl *c, struct rows *rows) {
	struct lease_counters n;

	lease_get_counters(c->deps.leases, &n);
	const struct kpi_row counters[] = {
		{"lease.granted", "", "pairs given out", n.n_granted, KPI_COUNTER},
		{"lease.renewed", "", "tokens renewed", n.n_renewed, KPI_COUNTER},
		{"lease.revoked", "", "leases ended by an operator or their user", n.n_revoked,
		 KPI_COUNTER},
		{"lease.conflicts", "", "pairs that another gateway had first", n.n_conflicts,
		 KPI_COUNTER},
		{"safety.double_leases", "", "pairs with two owners: must stay 0", n.n_broken,
		 KPI_COUNTER},
		{"safety.frozen", "", "1: clocks differ, nothing is given out",
		 lease_is_frozen(c->deps.leases), KPI_GAUGE},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		add(rows, &counters[i]);
}

json_t *ctl_json_kpis(const struct ctl *c, bool is_all) {
	struct rows rows = {json_array(), is_all};

	kpi_walk(ims_get_kpi(c->deps.ims), add, &rows);
	for (size_t i = 0; i < c->deps.conf->n_pools; i++)
		add_pool(c, &rows, (uint16_t)i);
	if (c->deps.conf->accounts_file != NULL)
		add_pool(c, &rows, UINT16_MAX);
	add_leases(c, &rows);
	return rows.list;
}
