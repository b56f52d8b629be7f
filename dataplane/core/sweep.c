// SPDX-License-Identifier: BSD-3-Clause
// Deadlines of connections: a slice of the slots each millisecond, all of them every SWEEP_NS. A
// deadline is late by that at most. Runs on the worker.
#include "core_int.h"

static void ws_due(struct worker *w, struct conn *c) {
	if (c->pings >= w->cfg->ws_pong_misses) {
		rg_stat_inc(w->stats, RG_DROP_pong);
		c->end = END_ABORT;
		return;
	}
	c->pings++;
	c->deadline = tick_in(w->now_ns, w->cfg->ws_ping_s);
	conn_ws_send(w, c, WS_PING, (struct rg_slice){0});
	rg_stat_inc(w->stats, RG_STAT_ws_pings);
}

// Buffers for messages and records are few: who begins one must end it. Requests that wait for their
// turn are not late.
static bool is_message_late(const struct worker *w, struct conn *c) {
	struct buf *b = c->buf == BUF_NONE ? NULL : buf_at(&w->bufs, c->buf);
	bool is_waiting = c->is_http_pending || c->src_left > 0;

	if (is_waiting || !tls_has_partial(&c->tls))
		c->record_since = tick_of(w->now_ns);
	if (is_waiting && b != NULL)
		b->head.since = tick_of(w->now_ns);
	return (c->phase == RG_PHASE_HTTP || c->phase == RG_PHASE_WS) &&
	       ((b != NULL && is_tick_old(w->now_ns, b->head.since, w->cfg->head_timeout_s)) ||
		is_tick_old(w->now_ns, c->record_since, w->cfg->head_timeout_s));
}

// A WebSocket that registers nothing must not hold its slot for ever by answering pings.
static bool is_unbound_too_long(const struct worker *w, struct conn *c) {
	if (c->phase != RG_PHASE_WS || c->flow.bound.lease_idx != RG_LEASE_NONE) {
		c->unbound_since = tick_of(w->now_ns);
		return false;
	}
	return is_tick_old(w->now_ns, c->unbound_since, w->cfg->unbound_timeout_s);
}

static void sweep_conn(struct worker *w, struct conn *c) {
	bool is_late;

	if (c->end == END_LINGER) {
		if (is_tick_due(w->now_ns, c->deadline))
			c->end = END_CLOSE;
		conn_finish(w, c);
		return;
	}
	if (c->flow.bound.lease_idx != RG_LEASE_NONE && c->flow.bound.promise_end_ns <= w->now_ns)
		punt_event(w, c, RG_PUNT_FLOW_EXPIRED);
	if (c->src_left > 0) { // it may have waited for buffers of others, which nobody tells it of
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
	if (c->is_http_pending || !is_tick_due(w->now_ns, c->deadline))
		return;
	if (c->phase == RG_PHASE_WS) {
		ws_due(w, c);
	} else {
		rg_stat_inc(w->stats, RG_DROP_idle);
		// Mid-handshake and mid-response there is nothing polite left to say.
		c->end = c->phase == RG_PHASE_TLS || c->src_left > 0 ? END_ABORT : END_CLOSE;
	}
	conn_finish(w, c);
}

static void count(struct worker *w) {
	rg_stat_set(w->stats, RG_STAT_now_conns, w->n_conns);
	rg_stat_set(w->stats, RG_STAT_now_tcp_slots, tcp_n_conns(w->tcp));
	rg_stat_set(w->stats, RG_STAT_now_tcp_buffers, w->n_tcp_bufs - tcp_n_free_buffers(w->tcp));
	rg_stat_set(w->stats, RG_STAT_now_rx_buffers, w->bufs.n_used);
}

void sweep_run(struct worker *w) {
	uint32_t n = w->cfg->max_conns;
	uint64_t late_ns, todo;

	if (w->now_ns < w->sweep_at_ns)
		return;
	late_ns = w->sweep_at_ns == 0 ? 0 : w->now_ns - w->sweep_at_ns;
	w->sweep_at_ns = w->now_ns + RG_NS_PER_MS;
	count(w);
	if (w->n_conns == 0)
		return;
	// As many slots as the time since the last slice asks for, so that sleep does not slow it.
	todo = RTE_MIN((late_ns + RG_NS_PER_MS) * n / SWEEP_NS + 1, (uint64_t)n);
	for (; todo > 0; todo--) {
		if (w->conns[w->sweep_pos].is_open)
			sweep_conn(w, &w->conns[w->sweep_pos]);
		w->sweep_pos = (w->sweep_pos + 1) % n;
	}
}
