// SPDX-License-Identifier: BSD-3-Clause
// `status`, `stats`, `log level`: what the parts of the process say of themselves.
// Control thread; answers at once.
#include "ctl/ctl_int.h"

static unsigned n_workers(const struct ctl *c) {
	return c->deps.dp == NULL ? 0 : rg_dp_n_workers(c->deps.dp);
}

// NULL when there is no such address.
static json_t *listen_json(const struct conf *conf, struct rg_addr a) {
	static const struct rg_addr none;

	if (memcmp(a.ip, none.ip, sizeof(none.ip)) == 0)
		return NULL;
	a.port = conf->dp.listen;
	return ctl_json_addr(&a);
}

static json_t *config_json(const struct conf *conf) {
	return json_pack("{s:s*, s:o*, s:o*, s:s*, s:o, s:s, s:I, s:I, s:s*, s:s*, s:s*}", "domain",
			 conf->reg.domain, "listen", listen_json(conf, conf->dp.address), "listen6",
			 listen_json(conf, conf->dp.address6), "port", conf->dp.port, "core",
			 ctl_json_addr(&conf->core.address), "core_transport",
			 conf->core.is_udp ? "udp" : "tcp", "wwsfs", (json_int_t)conf->n_wwsfs,
			 "pools", (json_int_t)conf->n_pools, "accounts", conf->accounts_file,
			 "store", conf->store.is_etcd ? conf->store.prefix : conf->store_path,
			 "socket", conf->ctl_socket);
}

static void pool_sum(const struct ctl *c, struct lease_pool_stats *sum) {
	for (size_t i = 0; i <= c->deps.conf->n_pools; i++) {
		struct lease_pool_stats s;

		// Behind the last pool: the pairs that belong to accounts.
		lease_get_pool_stats(c->deps.leases,
				     i < c->deps.conf->n_pools ? (uint16_t)i : UINT16_MAX, &s);
		sum->n_pairs += s.n_pairs;
		sum->n_free += s.n_free;
		sum->n_offered += s.n_offered;
		sum->n_registered += s.n_registered;
		sum->n_quarantine += s.n_quarantine;
	}
}

static json_t *store_json(const struct ctl *c) {
	struct store_stats s;

	store_get_stats(c->deps.store, &s);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "up", s.is_up, "commits",
			 (json_int_t)s.commits, "batches", (json_int_t)s.batches, "conflicts",
			 (json_int_t)s.conflicts, "failures", (json_int_t)s.failures, "queued",
			 (json_int_t)s.queued);
}

void ctl_status(struct ctl_client *cl) {
	const struct ctl *c = cl->ctl;
	struct lease_pool_stats sum = {0};
	json_int_t up_s = (json_int_t)((env_now_ns(c->deps.env) - c->start_ns) / RG_NS_PER_S);

	pool_sum(c, &sum);
	ctl_answer(cl, json_pack("{s:s, s:I, s:o, s:I, s:b, s:s, s:o, s:o, s:o}", "version",
				 REGATE_VERSION, "uptime_s", up_s, "started_at",
				 ctl_json_time(c, c->start_ns), "workers", (json_int_t)n_workers(c),
				 "core_connected", ims_is_connected(c->deps.ims), "log_level",
				 log_level_name(log_get_level(c->deps.log)), "leases",
				 json_pack("{s:I, s:I, s:I, s:I, s:I}", "pairs",
					   (json_int_t)sum.n_pairs, "free", (json_int_t)sum.n_free,
					   "offered", (json_int_t)sum.n_offered, "registered",
					   (json_int_t)sum.n_registered, "quarantine",
					   (json_int_t)sum.n_quarantine),
				 "store", store_json(c), "config", config_json(c->deps.conf)));
}

// One counter over all workers; NULL when it is zero and only others are wanted.
static json_t *counter_json(const struct ctl *c, enum rg_stat i, bool is_all) {
	json_t *each = json_array();
	uint64_t sum = 0;

	for (unsigned w = 0; w < n_workers(c); w++) {
		uint64_t v = rg_stat_get(rg_dp_stats(c->deps.dp, w), i);

		sum += v;
		ctl_json_add(&each, json_integer((json_int_t)v));
	}
	if (sum == 0 && !is_all) {
		json_decref(each);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:o, s:s}", "name", rg_stat_name(i), "total", (json_int_t)sum,
			 "per_worker", each, "text", rg_stat_text(i));
}

static json_t *counters_json(const struct ctl *c, bool is_all) {
	json_t *list = json_array();

	if (c->deps.dp == NULL)
		return list;
	for (unsigned i = 0; i < RG_N_STATS; i++) {
		json_t *one = counter_json(c, (enum rg_stat)i, is_all);

		if (one != NULL)
			ctl_json_add(&list, one);
	}
	return list;
}

// Drops members that are zero, unless all are wanted.
static json_t *nonzero(json_t *o, bool is_all) {
	const char *key;
	json_t *v;
	void *tmp;

	if (is_all)
		return o;
	json_object_foreach_safe(o, tmp, key, v) {
		if (json_is_integer(v) && json_integer_value(v) == 0)
			json_object_del(o, key);
	}
	return o;
}

static json_t *ims_json(const struct ims_stats *s) {
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "core_requests", (json_int_t)s->core_requests, "core_retransmits",
			 (json_int_t)s->core_retransmits, "core_answers",
			 (json_int_t)s->core_answers, "core_timeouts", (json_int_t)s->core_timeouts,
			 "core_connects", (json_int_t)s->core_connects, "register_initial",
			 (json_int_t)s->register_initial, "register_refresh",
			 (json_int_t)s->register_refresh, "deregister", (json_int_t)s->deregister,
			 "client_ok", (json_int_t)s->client_ok, "client_refused",
			 (json_int_t)s->client_refused, "suspects", (json_int_t)s->suspects,
			 "suspects_spared", (json_int_t)s->suspects_spared, "refused_runs",
			 (json_int_t)s->refused_runs);
}

static json_t *wwsf_json(const struct wwsf_stats *s) {
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "requests",
			 (json_int_t)s->requests, "leases", (json_int_t)s->leases, "refreshes",
			 (json_int_t)s->refreshes, "releases", (json_int_t)s->releases, "refused",
			 (json_int_t)s->refused, "over_source_quota",
			 (json_int_t)s->short_of[QUOTA_SOURCE], "over_wwsf_quota",
			 (json_int_t)s->short_of[QUOTA_WWSF], "pool_reserved",
			 (json_int_t)s->short_of[QUOTA_RESERVE], "pool_dry",
			 (json_int_t)s->short_of[QUOTA_DRY]);
}

static void answer_stats(struct ctl_client *cl, bool is_all) {
	const struct ctl *c = cl->ctl;

	ctl_answer(cl, json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "dataplane",
				 c->deps.dp == NULL ? "none in this process" : "running", "workers",
				 (json_int_t)n_workers(c), "counters", counters_json(c, is_all),
				 "kpis", ctl_json_kpis(c, is_all), "ims",
				 nonzero(ims_json(ims_get_stats(c->deps.ims)), is_all), "wwsf",
				 nonzero(wwsf_json(wwsf_get_stats(c->deps.wwsf)), is_all), "store",
				 nonzero(store_json(c), is_all)));
}

void ctl_stats(struct ctl_client *cl) {
	answer_stats(cl, json_is_true(json_object_get(cl->req.args, "all")));
}

void ctl_metrics(struct ctl_client *cl) {
	answer_stats(cl, true);
}

void ctl_log_level(struct ctl_client *cl) {
	struct log *log = cl->ctl->deps.log;
	const char *name = ctl_arg_str(&cl->req, "level");
	enum log_level level;

	if (name != NULL && log_level_parse(rg_str(name), &level) == RG_OK) {
		// Under the more talkative of the two levels, so that the log tells where it stops.
		if (level > log_get_level(log))
			log_set_level(log, level);
		log_put(log, LOG_WARN, "ctl.log_level", LOG_S("level", name));
		log_set_level(log, level);
	}
	ctl_answer(cl, json_pack("{s:s}", "level", log_level_name(log_get_level(log))));
}
