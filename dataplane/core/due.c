// SPDX-License-Identifier: BSD-3-Clause
// When to look at a connection: deadlines, pings, promises. An idle one lies in a timing wheel until
// the first of its own; one in which something is partial is looked at every WATCH_NS as well. What
// moves later leaves the wheel alone: the connection comes out, and is put back. Runs on the worker.
#include "core_int.h"

#define WATCH_NS (500 * RG_NS_PER_MS)
#define LOOKS_PER_POLL 64

void due_by(struct worker *w, struct conn *c, uint32_t tick) {
	struct conn_more *m = conn_more(w, c);
	uint32_t idx = conn_idx(w, c);

	if (m->link.slot != 0) {
		if ((int32_t)(tick - (uint32_t)tcp_wheel_at_ms(&w->wheel, idx)) >= 0)
			return;
		tcp_wheel_del(&w->wheel, idx);
	}
	tcp_wheel_add(&w->wheel, idx, tick, w->now_ns >> TICK_SHIFT);
}

void due_never(struct worker *w, struct conn *c) {
	if (conn_more(w, c)->link.slot != 0)
		tcp_wheel_del(&w->wheel, conn_idx(w, c));
}

// Is there nothing in c that has to move on?
static bool is_idle(const struct conn *c) {
	bool is_partial = (c->phase == RG_PHASE_HTTP || c->phase == RG_PHASE_WS) &&
			  (c->has_buf || tls_has_partial(&c->tls));

	return c->end == END_NO && !c->has_src && !is_partial;
}

void due_settle(struct worker *w, struct conn *c) {
	if (!c->is_open || c->is_watched || is_idle(c))
		return;
	c->is_watched = true;
	conn_more(w, c)->record_since = tick_of(w->now_ns);
	due_by(w, c, tick_of(w->now_ns + WATCH_NS));
}

// A WebSocket has this long, bound or not.
static uint32_t binding_due(const struct worker *w, const struct conn *c) {
	uint64_t limit_ns = (w->cfg->unbound_timeout_s + 1) * RG_NS_PER_S;

	return reg_is_bound(&c->flow) ? tick_of(c->flow.bound.promise_end_ns) + 1
				      : conn_more(w, c)->unbound_since + tick_of(limit_ns);
}

void due_bound(struct worker *w, struct conn *c) {
	if (!reg_is_bound(&c->flow))
		conn_more(w, c)->unbound_since = tick_of(w->now_ns);
	if (c->phase == RG_PHASE_WS)
		due_by(w, c, binding_due(w, c));
}

static void ws_due(struct worker *w, struct conn *c) {
	if (c->pings >= w->cfg->ws_pong_misses) {
		rg_stat_inc(w->stats, RG_DROP_pong);
		c->end = END_ABORT;
		return;
	}
	c->pings++;
	conn_deadline(w, c, w->cfg->ws_ping_s);
	conn_ws_send(w, c, WS_PING, (struct rg_slice){0});
	rg_stat_inc(w->stats, RG_STAT_ws_pings);
}

// Buffers for messages and records are few: who begins one must end it. Requests that wait for their
// turn are not late.
static bool is_message_late(const struct worker *w, struct conn *c) {
	struct conn_more *m = conn_more(w, c);
	struct buf *b = c->has_buf ? buf_at(&w->bufs, m->buf) : NULL;
	bool is_waiting = c->is_http_pending || c->has_src;

	if (!c->is_watched || is_waiting || !tls_has_partial(&c->tls))
		m->record_since = tick_of(w->now_ns);
	if (is_waiting && b != NULL)
		b->head.since = tick_of(w->now_ns);
	return (c->phase == RG_PHASE_HTTP || c->phase == RG_PHASE_WS) &&
	       ((b != NULL && is_tick_old(w->now_ns, b->head.since, w->cfg->head_timeout_s)) ||
		is_tick_old(w->now_ns, m->record_since, w->cfg->head_timeout_s));
}

// A WebSocket that registers nothing must not hold its slot for ever by answering pings.
static bool is_unbound_too_long(const struct worker *w, const struct conn *c) {
	return c->phase == RG_PHASE_WS && !reg_is_bound(&c->flow) &&
	       is_tick_old(w->now_ns, conn_more(w, c)->unbound_since, w->cfg->unbound_timeout_s);
}

static void look(struct worker *w, struct conn *c) {
	bool is_late;

	if (c->end == END_LINGER) {
		if (is_tick_due(w->now_ns, conn_more(w, c)->deadline))
			c->end = END_CLOSE;
		conn_finish(w, c);
		return;
	}
	if (reg_is_bound(&c->flow) && c->flow.bound.promise_end_ns <= w->now_ns)
		punt_event(w, c, RG_PUNT_FLOW_EXPIRED);
	if (c->has_src) { // it may have waited for buffers of others, which nobody tells it of
		conn_settle(w, c);
		if (!c->is_open)
			return;
	}
	is_late = is_message_late(w, c);
	if (is_late || is_unbound_too_long(w, c)) {
		rg_stat_inc(w->stats, RG_DROP_idle);
		if (c->phase == RG_PHASE_HTTP)
			conn_http_late(w, c);
		else
			conn_ws_close(w, c, WS_POLICY,
				      is_late ? "message takes too long" : "not registered");
		conn_finish(w, c);
		return;
	}
	if (c->is_http_pending || !is_tick_due(w->now_ns, conn_more(w, c)->deadline))
		return;
	if (c->phase == RG_PHASE_WS) {
		if (!c->has_src)
			ws_due(w, c);
		else // not into the middle of an echo
			conn_deadline(w, c, w->cfg->ws_ping_s);
	} else {
		rg_stat_inc(w->stats, RG_DROP_idle);
		// Mid-handshake and mid-response there is nothing polite left to say.
		if (c->phase == RG_PHASE_TLS || c->has_src)
			c->end = END_ABORT;
		else if (c->phase == RG_PHASE_HTTP && c->has_buf)
			conn_http_late(w, c);
		else
			c->end = END_CLOSE;
	}
	conn_finish(w, c);
}

static void count(struct worker *w) {
	rg_stat_set(w->stats, RG_STAT_now_conns, w->n_conns);
	rg_stat_set(w->stats, RG_STAT_now_tcp_slots, tcp_n_conns(w->tcp));
	rg_stat_set(w->stats, RG_STAT_now_tcp_waits, tcp_n_time_wait(w->tcp));
	rg_stat_set(w->stats, RG_STAT_now_tcp_buffers, w->n_tcp_bufs - tcp_n_free_buffers(w->tcp));
	rg_stat_set(w->stats, RG_STAT_now_rx_buffers, w->bufs.n_used);
}

// Puts c back into the wheel.
static void again(struct worker *w, struct conn *c) {
	uint32_t tick = tick_of(w->now_ns);

	c->is_watched = !is_idle(c);
	if (c->is_watched)
		due_by(w, c, tick_of(w->now_ns + WATCH_NS));
	if (c->phase == RG_PHASE_WS)
		due_by(w, c, binding_due(w, c));
	// Without a deadline while the control plane has the request; its answer sets one.
	due_by(w, c,
	       c->is_http_pending ? tick + tick_of(60 * RG_NS_PER_S) : conn_more(w, c)->deadline);
}

static unsigned look_at_some(struct worker *w, unsigned *budget) {
	struct conn *c[BATCH];
	unsigned n = 0;
	uint32_t idx;

	while (n < BATCH &&
	       (idx = tcp_wheel_pop(&w->wheel, w->now_ns >> TICK_SHIFT, budget)) != TCP_NIL) {
		c[n] = &w->conns[idx];
		conn_prefetch(c[n++], true);
	}
	for (unsigned i = 0; i < n; i++) {
		if (c[i]->is_open)
			look(w, c[i]);
		if (c[i]->is_open)
			again(w, c[i]);
		stage_unit(&w->stages, RG_STAGE_poll);
	}
	return n;
}

void due_run(struct worker *w) {
	unsigned budget = LOOKS_PER_POLL;

	if (w->now_ns >= w->count_at_ns) {
		w->count_at_ns = w->now_ns + RG_NS_PER_MS;
		count(w);
	}
	if (tcp_wheel_next_ms(&w->wheel) > w->now_ns >> TICK_SHIFT)
		return;
	while (look_at_some(w, &budget) == BATCH)
		;
}
