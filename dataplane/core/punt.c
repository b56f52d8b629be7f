// SPDX-License-Identifier: BSD-3-Clause
// A worker's two rings: punts to the control loop, replies from it. Runs on the worker.
#include "core_int.h"

#define REPLIES_PER_POLL 32
#define QUERY_SLOTS_PER_POLL 256
#define QUERY_BATCH 16

static int ring_put(struct worker *w, const struct rg_punt *p, struct rg_slice payload) {
	int rc = rg_ring_put(&w->punts, rg_slice(p, sizeof(*p)), payload);

	w->is_punted |= rc == 0;
	return rc;
}

static void fill(struct worker *w, struct conn *c, struct rg_punt *p) {
	p->conn = conn_id(w, c);
	p->peer = *tcp_peer(w->tcp, conn_idx(w, c));
	p->bound = c->flow.bound;
	p->now_ns = w->now_ns;
}

bool punt_put(struct worker *w, struct conn *c, struct rg_punt *p, struct rg_slice payload) {
	fill(w, c, p);
	p->len = (uint32_t)payload.len;
	if (ring_put(w, p, payload) == 0)
		return true;
	rg_stat_inc(w->stats, RG_DROP_punt_full);
	return false;
}

static void backlog_drain(struct worker *w) {
	uint32_t n = 0;

	while (n < w->n_backlog && ring_put(w, &w->backlog[n], (struct rg_slice){0}) == 0)
		n++;
	w->n_backlog -= n;
	memmove(w->backlog, w->backlog + n, w->n_backlog * sizeof(*w->backlog));
}

void punt_event(struct worker *w, struct conn *c, enum rg_punt_kind kind) {
	struct rg_punt p = {.kind = (uint16_t)kind, .wwsf = c->flow.wwsf};

	fill(w, c, &p);
	if (w->n_backlog > 0 || ring_put(w, &p, (struct rg_slice){0}) != 0) {
		// XXX more flow events than connections while the control loop reads nothing: the
		// newest are lost, and their leases end with the client's promise instead.
		if (w->n_backlog < w->cfg->max_conns)
			w->backlog[w->n_backlog++] = p;
		else
			rg_stat_inc(w->stats, RG_DROP_punt_full);
	}
	if (kind != RG_PUNT_FLOW_BOUND)
		c->flow.bound = (struct rg_binding){.lease_idx = RG_LEASE_NONE};
	due_bound(w, c);
}

// The connection that r names, or NULL when it has gone.
static struct conn *reply_conn(struct worker *w, const struct rg_reply *r) {
	struct conn *c = r->conn.idx < w->cfg->max_conns ? &w->conns[r->conn.idx] : NULL;

	return c == NULL || !c->is_open || tcp_gen(w->tcp, r->conn.idx) != r->conn.gen ? NULL : c;
}

static void reply_bind(struct worker *w, struct conn *c, const struct rg_reply *r) {
	if ((r->flags & RG_REPLY_F_BIND) == 0)
		return;
	if (c->phase == RG_PHASE_WS) {
		c->flow.bound = r->bound;
		due_bound(w, c);
	} else if (r->bound.lease_idx != RG_LEASE_NONE) { // it left while the core was asked
		c->flow.bound = r->bound;
		punt_event(w, c, RG_PUNT_FLOW_CLOSED);
	}
}

// A 200 for a connection that has gone: the control plane must hear that nobody holds the flow.
static void reply_lost(struct worker *w, const struct rg_reply *r) {
	struct rg_punt p = {
		.kind = RG_PUNT_FLOW_CLOSED,
		.wwsf = UINT16_MAX,
		.conn = r->conn,
		.bound = r->bound,
		.now_ns = w->now_ns,
	};

	rg_stat_inc(w->stats, RG_DROP_reply_stale);
	if ((r->flags & RG_REPLY_F_BIND) != 0 && r->bound.lease_idx != RG_LEASE_NONE &&
	    ring_put(w, &p, (struct rg_slice){0}) != 0 && w->n_backlog < w->cfg->max_conns)
		w->backlog[w->n_backlog++] = p;
}

static void reply_http(struct worker *w, struct conn *c, struct rg_slice payload) {
	if (!c->is_http_pending)
		return;
	c->is_http_pending = false;
	conn_write(w, c, payload);
	conn_deadline(w, c, w->cfg->idle_timeout_s);
	if (!c->is_keep_alive && c->end == END_NO)
		c->end = END_CLOSE;
}

static void reply_run(struct worker *w, const struct rg_reply *r, struct rg_slice payload) {
	struct conn *c = reply_conn(w, r);

	if (r->kind == RG_REPLY_QUERY) {
		w->query = r->query;
		w->query_pos = 0;
		return;
	}
	if (c == NULL) {
		reply_lost(w, r);
		return;
	}
	reply_bind(w, c, r);
	if (r->kind == RG_REPLY_SIP && c->phase == RG_PHASE_WS) {
		conn_ws_send(w, c, WS_TEXT, payload);
		rg_stat_inc(w->stats, RG_STAT_replies);
	} else if (r->kind == RG_REPLY_HTTP) {
		reply_http(w, c, payload);
		rg_stat_inc(w->stats, RG_STAT_replies);
	} else if (r->kind == RG_REPLY_CLOSE) {
		c->flow.bound.lease_idx = RG_LEASE_NONE; // it knows: it asked
		conn_ws_close(w, c, r->code, "");
	}
	if ((r->flags & RG_REPLY_F_END) != 0 && c->end == END_NO)
		c->end = END_CLOSE;
	conn_settle(w, c);
}

// To the tick, and so no later than it was.
static uint64_t since_ns(const struct worker *w, const struct conn *c) {
	uint64_t age = tick_of(w->now_ns) - conn_more(w, c)->since;

	return ((w->now_ns >> TICK_SHIFT) - age) << TICK_SHIFT;
}

// Sends the next lines of a connection list. False when the ring is full: go on next time.
static bool query_step(struct worker *w) {
	struct rg_conn_info info[QUERY_BATCH];
	struct rg_punt p = {.kind = RG_PUNT_CONN_INFO, .query = w->query, .now_ns = w->now_ns};
	uint32_t end = RTE_MIN(w->query_pos + QUERY_SLOTS_PER_POLL, w->cfg->max_conns);
	uint32_t pos = w->query_pos;
	unsigned n = 0;

	p.conn.worker = (uint16_t)w->id;
	for (; pos < end && n < QUERY_BATCH; pos++) {
		const struct conn *c = &w->conns[pos];

		if (c->is_open)
			info[n++] = (struct rg_conn_info){
				.conn = conn_id(w, c),
				.peer = *tcp_peer(w->tcp, pos),
				.bound = c->flow.bound,
				.since_ns = since_ns(w, c),
				.phase = c->phase,
			};
	}
	p.len = (uint32_t)(n * sizeof(*info));
	if (n > 0 && ring_put(w, &p, rg_slice(info, p.len)) != 0)
		return false;
	w->query_pos = pos;
	if (pos < w->cfg->max_conns)
		return true;
	p.kind = RG_PUNT_CONN_END;
	p.len = 0;
	if (ring_put(w, &p, (struct rg_slice){0}) == 0)
		w->query = 0;
	return true;
}

unsigned punt_poll_replies(struct worker *w) {
	struct rg_slice rec;
	struct rg_reply r;
	unsigned n = 0;

	if (w->n_backlog > 0)
		backlog_drain(w);
	for (; n < REPLIES_PER_POLL && rg_ring_peek(&w->replies, &rec); n++) {
		memcpy(&r, rec.p, sizeof(r));
		reply_run(w, &r, rg_skip(rec, sizeof(r)));
		rg_ring_next(&w->replies, rec);
		stage_unit(&w->stages, RG_STAGE_poll);
	}
	if (w->query != 0)
		n += query_step(w);
	return n;
}
