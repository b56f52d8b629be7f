// SPDX-License-Identifier: BSD-3-Clause
// `stages`, `top`: where the workers' time goes, since their start or in the seconds to come, and
// what they do for it. Control thread. `top` looks twice and answers with what came between.
#include <stdlib.h>

#include "ctl/ctl_int.h"

#define INTERVAL_S 1

enum {
	TOP_BUSY_NS,
	TOP_REFRESHES,
	TOP_PUNTS,
	TOP_HANDSHAKES,
	TOP_DROPS,
	TOP_RECEIVED,
	TOP_SENT,
	TOP_N,
};

struct ctl_look { // at all workers
	uint64_t at_ns;
	unsigned n_workers;
	struct rg_stages stages; // of all
	uint64_t v[CTL_MAX_WORKERS][TOP_N];
};

static bool has_dp(struct ctl_client *cl) {
	if (cl->ctl->deps.dp != NULL)
		return true;
	ctl_refuse(cl, RG_CTL_REFUSED, "%s: no dataplane in this process", cl->req.cmd->name);
	return false;
}

// To a tenth, as people read it.
static json_t *tenths(double v) {
	return json_real((double)(int64_t)(v * 10 + 0.5) / 10);
}

static json_t *stage_json(const struct ctl *c, const struct rg_stages *s, enum rg_stage i) {
	double per_ns = rg_dp_cycles_per_ns(c->deps.dp);
	const struct rg_stage_hist *h = &s->of[i];

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I}", "stage", rg_stage_name(i),
			 "share_percent", tenths(100 * rg_stage_share(s, i)), "mean_ns",
			 tenths(rg_stage_mean(h) / per_ns), "p50_ns",
			 tenths((double)rg_stage_quantile(h, 0.5) / per_ns), "p99_ns",
			 tenths((double)rg_stage_quantile(h, 0.99) / per_ns), "samples",
			 (json_int_t)rg_stage_count(h));
}

// a with the members of b behind its own; both are consumed. NULL without memory.
static json_t *joined(json_t *a, json_t *b) {
	int rc = json_object_update(a, b);

	json_decref(b);
	if (rc == 0)
		return a;
	json_decref(a);
	return NULL;
}

static json_t *of_worker(unsigned worker, json_t *rest) {
	return joined(json_pack("{s:I}", "worker", (json_int_t)worker), rest);
}

// --- stages

// Stages without a sample are left out.
static json_t *worker_stages_json(const struct ctl *c) {
	json_t *list = json_array();

	for (unsigned w = 0; w < rg_dp_n_workers(c->deps.dp); w++) {
		const struct rg_stages *s = rg_dp_stages(c->deps.dp, w);

		for (unsigned i = 0; i < RG_N_STAGES; i++)
			if (rg_stage_count(&s->of[i]) > 0)
				ctl_json_add(&list,
					     of_worker(w, stage_json(c, s, (enum rg_stage)i)));
	}
	return list;
}

void ctl_stages(struct ctl_client *cl) {
	const struct ctl *c = cl->ctl;
	struct rg_stages sum = {0};
	json_t *list;

	if (!has_dp(cl))
		return;
	for (unsigned w = 0; w < rg_dp_n_workers(c->deps.dp); w++)
		rg_stages_add(&sum, rg_dp_stages(c->deps.dp, w));
	list = json_array();
	for (unsigned i = 0; i < RG_N_STAGES; i++) {
		json_t *row = stage_json(c, &sum, (enum rg_stage)i);

		(void)json_object_set_new(row, "text",
					  json_string(rg_stage_text((enum rg_stage)i)));
		ctl_json_add(&list, row);
	}
	ctl_answer(cl,
		   json_pack("{s:o, s:o}", "stages", list, "per_worker", worker_stages_json(c)));
}

// --- top

static void look_at(const struct rg_stats *s, uint64_t v[TOP_N]) {
	v[TOP_BUSY_NS] = rg_stat_get(s, RG_STAT_busy_ns);
	v[TOP_REFRESHES] = rg_stat_get(s, RG_STAT_reg_local_ok);
	v[TOP_PUNTS] = rg_stat_get(s, RG_STAT_reg_punted) + rg_stat_get(s, RG_STAT_http_punted);
	v[TOP_HANDSHAKES] = rg_stat_get(s, RG_STAT_tls_handshakes);
	v[TOP_RECEIVED] = rg_stat_get(s, RG_STAT_rx_packets);
	v[TOP_SENT] = rg_stat_get(s, RG_STAT_tx_packets);
	v[TOP_DROPS] = 0;
	for (unsigned i = RG_FIRST_DROP; i < RG_N_STATS; i++)
		v[TOP_DROPS] += rg_stat_get(s, (enum rg_stat)i);
}

static void look(const struct ctl *c, struct ctl_look *l) {
	*l = (struct ctl_look){.at_ns = env_now_ns(c->deps.env),
			       .n_workers = rg_dp_n_workers(c->deps.dp)};
	for (unsigned w = 0; w < l->n_workers; w++) {
		rg_stages_add(&l->stages, rg_dp_stages(c->deps.dp, w));
		look_at(rg_dp_stats(c->deps.dp, w), l->v[w]);
	}
}

// What came in s seconds to n workers together.
static json_t *rates_json(const uint64_t v[TOP_N], uint64_t conns, unsigned n, double s) {
	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "busy_percent",
			 tenths((double)v[TOP_BUSY_NS] / RG_NS_PER_S * 100 / s / n), "connections",
			 (json_int_t)conns, "refreshes_per_s", tenths((double)v[TOP_REFRESHES] / s),
			 "punts_per_s", tenths((double)v[TOP_PUNTS] / s), "handshakes_per_s",
			 tenths((double)v[TOP_HANDSHAKES] / s), "drops_per_s",
			 tenths((double)v[TOP_DROPS] / s), "received_per_s",
			 tenths((double)v[TOP_RECEIVED] / s), "sent_per_s",
			 tenths((double)v[TOP_SENT] / s));
}

// What came between two looks.
static json_t *top_json(const struct ctl *c, const struct ctl_look *from, struct ctl_look *to) {
	double s = (double)(to->at_ns - from->at_ns) / RG_NS_PER_S;
	json_t *workers = json_array(), *stages = json_array();
	uint64_t sum[TOP_N] = {0}, conns = 0;

	for (unsigned w = 0; w < to->n_workers; w++) {
		uint64_t n = rg_stat_get(rg_dp_stats(c->deps.dp, w), RG_STAT_now_conns);

		conns += n;
		for (unsigned i = 0; i < TOP_N; i++) {
			to->v[w][i] -= from->v[w][i];
			sum[i] += to->v[w][i];
		}
		ctl_json_add(&workers, of_worker(w, rates_json(to->v[w], n, 1, s)));
	}
	rg_stages_sub(&to->stages, &from->stages);
	for (unsigned i = 0; i < RG_N_STAGES; i++)
		ctl_json_add(&stages, stage_json(c, &to->stages, (enum rg_stage)i));
	return json_pack("{s:I, s:o, s:o, s:o}", "interval_ms", (json_int_t)(s * 1000 + 0.5),
			 "total", rates_json(sum, conns, to->n_workers, s), "workers", workers,
			 "stages", stages);
}

static void on_second_look(struct env_timer *t, uint64_t now_ns) {
	struct ctl_client *cl = ctl_client_of_step(t);
	struct ctl_look *to = malloc(sizeof(*to));

	(void)now_ns;
	if (to == NULL) {
		ctl_refuse(cl, RG_CTL_REFUSED, "top: out of memory");
	} else {
		look(cl->ctl, to);
		ctl_answer(cl, top_json(cl->ctl, cl->req.look, to));
	}
	free(to);
	ctl_client_run(cl);
}

void ctl_top(struct ctl_client *cl) {
	struct env *e = cl->ctl->deps.env;
	uint64_t s = ctl_arg_u64(&cl->req, "interval", INTERVAL_S);

	if (!has_dp(cl))
		return;
	cl->req.look = malloc(sizeof(*cl->req.look));
	if (cl->req.look == NULL) {
		ctl_refuse(cl, RG_CTL_REFUSED, "top: out of memory");
		return;
	}
	look(cl->ctl, cl->req.look);
	cl->step.fn = on_second_look;
	env_timer_set(e, &cl->step, env_now_ns(e) + s * RG_NS_PER_S);
}
