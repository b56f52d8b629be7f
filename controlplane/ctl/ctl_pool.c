// SPDX-License-Identifier: BSD-3-Clause
// `pool list`, `pool show`. Control thread; answers at once.
#include "ctl/ctl_int.h"

json_t *ctl_json_pool(const struct ctl *c, uint16_t pool) {
	const struct conf *conf = c->deps.conf;
	bool is_accounts = pool == UINT16_MAX;
	struct lease_pool_stats s;

	lease_get_pool_stats(c->deps.leases, pool, &s);
	return json_pack("{s:s?, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "pool",
			 is_accounts ? NULL : conf->pools[pool].name, "kind",
			 is_accounts ? "accounts" : "pool", "wwsf",
			 conf_wwsf_id(conf,
				      is_accounts ? conf->accounts_wwsf : conf->pools[pool].wwsf),
			 "pairs", (json_int_t)s.n_pairs, "free", (json_int_t)s.n_free, "offered",
			 (json_int_t)s.n_offered, "registered", (json_int_t)s.n_registered,
			 "quarantine", (json_int_t)s.n_quarantine, "disabled",
			 (json_int_t)s.n_disabled, "suspect", (json_int_t)s.n_suspect, "draining",
			 s.is_draining, "next_free_at", ctl_json_time(c, s.next_free_ns));
}

void ctl_pool_list(struct ctl_client *cl) {
	const struct conf *conf = cl->ctl->deps.conf;
	json_t *list = json_array();

	for (size_t i = 0; i < conf->n_pools; i++)
		ctl_json_add(&list, ctl_json_pool(cl->ctl, (uint16_t)i));
	if (conf->accounts_file != NULL)
		ctl_json_add(&list, ctl_json_pool(cl->ctl, UINT16_MAX));
	ctl_answer(cl, json_pack("{s:o}", "pools", list));
}

bool ctl_pool_arg(struct ctl_client *cl, uint16_t *pool) {
	const struct conf *conf = cl->ctl->deps.conf;
	const char *name = ctl_arg_str(&cl->req, "pool");

	for (size_t i = 0; i < conf->n_pools; i++) {
		if (strcmp(conf->pools[i].name, name) == 0) {
			*pool = (uint16_t)i;
			return true;
		}
	}
	ctl_refuse(cl, RG_CTL_NOT_FOUND, "%s: no such pool: `pool list` names them",
		   cl->req.cmd->name);
	return false;
}

void ctl_pool_show(struct ctl_client *cl) {
	uint16_t pool;

	if (ctl_pool_arg(cl, &pool))
		ctl_answer(cl, ctl_json_pool(cl->ctl, pool));
}
