// SPDX-License-Identifier: BSD-3-Clause
// What is answered when the store has answered: `pool drain|undrain`, `lease
// suspect|clear|revoke|release`, `lease history`. Control thread.
#include "ctl/ctl_int.h"

#include <errno.h>
#include <stdlib.h>

struct ctl_later {
	struct ctl_client *for_client; // NULL = it has gone
	struct lease_wait wait;
	bool is_awaiting; // wait is in the engine's hands
	uint32_t idx;
	uint16_t pool;
};

void ctl_later_drop(struct ctl_client *cl) {
	struct ctl_later *l = cl->req.later;

	if (l == NULL)
		return;
	l->for_client = NULL; // the store still holds it
	if (!l->is_awaiting)
		return;
	lease_await_cancel(cl->ctl->deps.leases, l->idx, &l->wait);
	free(l);
}

// NULL after the refusal.
static struct ctl_later *later_new(struct ctl_client *cl) {
	struct ctl_later *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		ctl_answer(cl, NULL);
		return NULL;
	}
	l->for_client = cl;
	cl->req.later = l;
	return l;
}

// The client that still waits, which no longer does; NULL = nobody.
static struct ctl_client *later_end(struct ctl_later *l) {
	struct ctl_client *cl = l->for_client;

	if (cl != NULL)
		cl->req.later = NULL;
	free(l);
	return cl;
}

static void refuse_store(struct ctl_client *cl, int rc) {
	ctl_refuse(cl, RG_CTL_REFUSED,
		   "%s: the store does not say that it is durable (%s): see `status`, mend the "
		   "store, and ask again",
		   cl->req.cmd->name, rg_strerror(rc));
}

// --- pairs

static void on_release_step(struct env_timer *t, uint64_t now_ns);

// Given back, still in the core's hands, or held until its time: then why.
static void answer_release(struct ctl_client *cl, uint32_t idx) {
	struct ctl *c = cl->ctl;
	const struct lease *l = lease_at(c->deps.leases, idx);
	enum lease_hold hold = lease_hold_of(c->deps.leases, idx);
	uint64_t now_ns = env_now_ns(c->deps.env);
	json_t *until;

	if (hold == LEASE_HOLD_ASKED && now_ns < cl->req.until_ns) {
		cl->req.next_idx = idx;
		cl->step.fn = on_release_step;
		env_timer_set(c->deps.env, &cl->step, now_ns + CTL_RELEASE_STEP_NS);
		return;
	}
	if (hold == LEASE_HOLD_NONE || hold == LEASE_HOLD_GUARD) {
		ctl_answer(cl, ctl_json_lease(c, l, true));
		return;
	}
	until = ctl_json_time(c, l->reassign_ns);
	ctl_refuse(cl, RG_CTL_REFUSED, "lease release: lease %u is held until %s: %s", idx,
		   json_string_value(until), lease_hold_text(hold));
	json_decref(until);
}

static void on_release_step(struct env_timer *t, uint64_t now_ns) {
	struct ctl_client *cl = ctl_client_of_step(t);

	(void)now_ns;
	ctl_answer_durable(cl, cl->req.next_idx);
	ctl_client_run(cl);
}

static void answer_pair(struct ctl_client *cl, uint32_t idx, int rc) {
	if (rc != 0)
		refuse_store(cl, rc);
	else if (cl->req.id == CTL_LEASE_RELEASE)
		answer_release(cl, idx);
	else
		ctl_answer(cl, ctl_json_lease(cl->ctl, lease_at(cl->ctl->deps.leases, idx), true));
}

static void on_durable(struct lease_wait *w, int rc) {
	struct ctl_later *l = (struct ctl_later *)((char *)w - offsetof(struct ctl_later, wait));
	uint32_t idx = l->idx;
	struct ctl_client *cl = later_end(l);

	if (cl == NULL)
		return;
	answer_pair(cl, idx, rc);
	ctl_client_run(cl);
}

void ctl_answer_durable(struct ctl_client *cl, uint32_t idx) {
	struct ctl_later *l = later_new(cl);
	int rc;

	if (l == NULL)
		return;
	l->idx = idx;
	l->wait.done = on_durable;
	rc = lease_await(cl->ctl->deps.leases, idx, &l->wait);
	if (rc == RG_MORE) {
		l->is_awaiting = true;
		return;
	}
	(void)later_end(l);
	answer_pair(cl, idx, rc);
}

void ctl_lease_mark(struct ctl_client *cl, const struct lease *l) {
	bool is_suspect = cl->req.id == CTL_LEASE_SUSPECT;
	uint32_t idx = l->idx;
	int rc = lease_set_suspect(cl->ctl->deps.leases, idx,
				   is_suspect ? LEASE_SUSPECT_OPERATOR : LEASE_SUSPECT_NONE);

	if (rc != 0)
		refuse_store(cl, rc);
	else
		ctl_answer_durable(cl, idx);
}

void ctl_lease_release(struct ctl_client *cl, const struct lease *l) {
	struct ctl *c = cl->ctl;
	uint32_t idx = l->idx;

	if (lease_release(c->deps.leases, idx) != 0) {
		ctl_refuse_state(cl, l);
		return;
	}
	log_put(c->deps.log, LOG_INFO, "ctl.release", LOG_U("lease", idx));
	cl->req.until_ns = env_now_ns(c->deps.env) + CTL_RELEASE_NS;
	ctl_answer_durable(cl, idx);
}

static json_t *past_json(const struct store_past *p) {
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "gen", (json_int_t)p->gen, "sub",
			 ctl_json_text(rg_str(p->sub)), "gateway",
			 ctl_json_text(rg_str(p->gateway)), "granted_at",
			 ctl_json_utc(p->granted_ms / 1000), "ended_at",
			 p->ended_ms == 0 ? json_null() : ctl_json_utc(p->ended_ms / 1000),
			 "reassign_at", ctl_json_utc(p->reassign_ms / 1000));
}

static void on_history(void *arg, int rc, const struct store_past *past, size_t n) {
	struct ctl_later *l = arg;
	uint32_t idx = l->idx;
	struct ctl_client *cl = later_end(l);
	json_t *list = json_array();

	for (size_t i = 0; rc == 0 && i < n; i++)
		ctl_json_add(&list, past_json(&past[i]));
	if (cl == NULL)
		json_decref(list);
	else if (rc == 0 || rc == RG_E_STALE) // never assigned: an empty list
		ctl_answer(cl, json_pack("{s:I, s:O}", "idx", (json_int_t)idx, "history", list));
	else
		refuse_store(cl, rc);
	if (cl == NULL)
		return;
	json_decref(list);
	ctl_client_run(cl);
}

void ctl_lease_history(struct ctl_client *cl, const struct lease *lease) {
	struct ctl_later *l = later_new(cl);
	int rc;

	if (l == NULL)
		return;
	l->idx = lease->idx;
	rc = store_history(cl->ctl->deps.store, lease->impi, on_history, l);
	if (rc == 0)
		return;
	(void)later_end(l);
	refuse_store(cl, rc);
}

// --- pools

static void on_drained(void *arg, int rc, uint64_t rev) {
	struct ctl_later *l = arg;
	uint16_t pool = l->pool;
	struct ctl_client *cl = later_end(l);

	(void)rev;
	if (cl == NULL)
		return;
	if (rc != 0)
		refuse_store(cl, rc);
	else
		ctl_answer(cl, ctl_json_pool(cl->ctl, pool));
	ctl_client_run(cl);
}

void ctl_pool_drain(struct ctl_client *cl) {
	struct ctl_later *l;
	uint16_t pool;
	int rc;

	if (!ctl_pool_arg(cl, &pool))
		return;
	l = later_new(cl);
	if (l == NULL)
		return;
	l->pool = pool;
	rc = lease_pool_drain(cl->ctl->deps.leases, pool, cl->req.id == CTL_POOL_DRAIN, on_drained,
			      l);
	if (rc == 0)
		return;
	(void)later_end(l);
	refuse_store(cl, rc);
}
