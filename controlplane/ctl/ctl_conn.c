// SPDX-License-Identifier: BSD-3-Clause
// `conn list`: asks every worker and collects what comes back until all have ended or the time is
// up. Control thread. One query at a time: each fills the punt rings that REGISTERs use; further
// clients wait in line.
#include <errno.h>

#include "ctl/ctl_int.h"

static void query_next(struct ctl *c);

static const char *phase_name(uint8_t phase) {
	switch (phase) {
	case RG_PHASE_TLS:
		return "tls";
	case RG_PHASE_HTTP:
		return "http";
	case RG_PHASE_WS:
		return "ws";
	case RG_PHASE_CLOSING:
		return "closing";
	default:
		return "unknown";
	}
}

static json_t *conn_json(const struct ctl *c, const struct rg_conn_info *i) {
	bool is_bound = i->bound.lease_idx != RG_LEASE_NONE;

	return json_pack("{s:I, s:I, s:I, s:o, s:s, s:o, s:o, s:o, s:o}", "worker",
			 (json_int_t)i->conn.worker, "conn", (json_int_t)i->conn.idx, "gen",
			 (json_int_t)i->conn.gen, "peer", ctl_json_addr(&i->peer), "phase",
			 phase_name(i->phase), "since_at", ctl_json_time(c, i->since_ns), "lease",
			 is_bound ? json_integer(i->bound.lease_idx) : json_null(), "lease_gen",
			 is_bound ? json_integer((json_int_t)i->bound.gen) : json_null(),
			 "promised_until_at",
			 is_bound ? ctl_json_time(c, i->bound.promise_end_ns) : json_null());
}

static json_t *missing_json(uint64_t workers) {
	json_t *list = json_array();

	for (unsigned w = 0; w < CTL_MAX_WORKERS; w++)
		if ((workers >> w & 1) != 0)
			ctl_json_add(&list, json_integer(w));
	return list;
}

static void query_end(struct ctl *c) {
	struct ctl_query *q = &c->query;
	struct ctl_client *cl = q->for_client;

	env_timer_cancel(c->deps.env, &q->timer);
	q->is_open = false;
	q->for_client = NULL;
	if (cl != NULL) {
		ctl_answer(cl, json_pack("{s:I, s:b, s:o, s:O}", "total", (json_int_t)q->n_conns,
					 "complete", q->unanswered == 0, "silent_workers",
					 missing_json(q->unanswered), "connections", cl->req.rows));
		ctl_client_run(cl);
	}
	query_next(c);
}

// Asks the workers not asked yet; a full ring gets another try.
static void query_ask(struct ctl *c) {
	struct ctl_query *q = &c->query;

	for (unsigned w = 0; w < CTL_MAX_WORKERS; w++) {
		struct rg_reply r = {.kind = RG_REPLY_QUERY,
				     .conn = {.worker = (uint16_t)w},
				     .bound = {.lease_idx = RG_LEASE_NONE},
				     .query = q->number};

		if ((q->unasked >> w & 1) != 0 &&
		    rg_dp_reply(c->deps.dp, &r, (struct rg_slice){0}) == 0)
			q->unasked &= ~(UINT64_C(1) << w);
	}
}

static void on_query_timer(struct env_timer *t, uint64_t now_ns) {
	struct ctl *c = (struct ctl *)((char *)t - offsetof(struct ctl, query.timer));
	struct ctl_query *q = &c->query;

	if (now_ns >= q->deadline_ns) {
		query_end(c);
		return;
	}
	query_ask(c);
	env_timer_set(c->deps.env, t, q->unasked == 0 ? q->deadline_ns : now_ns + CTL_RETRY_NS);
}

// Starts the query of the client that has waited longest.
static void query_next(struct ctl *c) {
	struct ctl_query *q = &c->query;
	struct ctl_client *first = NULL;
	unsigned n = rg_dp_n_workers(c->deps.dp);

	for (unsigned i = 0; i < CTL_MAX_CLIENTS; i++) {
		struct ctl_client *cl = &c->clients[i];

		if (cl->req.ticket != 0 && (first == NULL || cl->req.ticket < first->req.ticket))
			first = cl;
	}
	if (q->is_open || first == NULL)
		return;
	first->req.ticket = 0;
	q->for_client = first;
	q->is_open = true;
	q->number++;
	q->n_conns = 0;
	q->unasked = n >= CTL_MAX_WORKERS ? UINT64_MAX : (UINT64_C(1) << n) - 1;
	q->unanswered = q->unasked;
	q->timer.fn = on_query_timer;
	q->deadline_ns = env_now_ns(c->deps.env) + CTL_QUERY_NS;
	env_timer_set(c->deps.env, &q->timer, env_now_ns(c->deps.env)); // asks from the loop
}

void ctl_conn_list(struct ctl_client *cl) {
	struct ctl_req *r = &cl->req;

	if (cl->ctl->deps.dp == NULL) {
		ctl_refuse(cl, RG_CTL_REFUSED, "conn list: no dataplane in this process");
		return;
	}
	r->limit = ctl_arg_u64(r, "limit", CTL_LIMIT_DEFAULT);
	r->rows = json_array();
	r->ticket = ++cl->ctl->last_ticket;
	query_next(cl->ctl);
}

void ctl_conn_info(struct ctl *c, const struct rg_punt *p, struct rg_slice payload) {
	struct ctl_query *q = &c->query;
	struct rg_conn_info info;

	if (!q->is_open || p->query != q->number)
		return; // of a query that was given up
	for (; payload.len >= sizeof(info); payload = rg_skip(payload, sizeof(info))) {
		memcpy(&info, payload.p, sizeof(info)); // the ring aligns to 8 bytes only
		q->n_conns++;
		if (q->for_client != NULL &&
		    json_array_size(q->for_client->req.rows) < q->for_client->req.limit)
			ctl_json_add(&q->for_client->req.rows, conn_json(c, &info));
	}
	if (p->kind != RG_PUNT_CONN_END || p->conn.worker >= CTL_MAX_WORKERS)
		return;
	q->unanswered &= ~(UINT64_C(1) << p->conn.worker);
	if (q->unanswered == 0)
		query_end(c);
}

// The query itself runs on: its answers are on their way and must not meet the next one's.
void ctl_conn_drop(struct ctl_client *cl) {
	if (cl->ctl->query.for_client == cl)
		cl->ctl->query.for_client = NULL;
}

void ctl_conn_fini(struct ctl *c) {
	env_timer_cancel(c->deps.env, &c->query.timer);
}
