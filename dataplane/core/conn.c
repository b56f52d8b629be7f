// SPDX-License-Identifier: BSD-3-Clause
// The life of a client connection in a worker: TCP events in, TLS in between, HTTP or WebSocket on
// top. Ends are only marked while TLS is on the call stack, and carried out by conn_finish().
#include "core_int.h"

#define PUMP_LEN 8192 // plaintext bytes of one record of a static response
#define PUMP_MIN 2048 // the same while TCP has little room; below it is not worth a record

struct conn_ref { // argument of the TLS sink
	struct worker *w;
	struct conn *c;
};

static uint32_t conn_idx(const struct worker *w, const struct conn *c) {
	return (uint32_t)(c - w->conns);
}

struct rg_conn_id conn_id(const struct worker *w, const struct conn *c) {
	return (struct rg_conn_id){conn_idx(w, c), c->gen, (uint16_t)w->id};
}

static void buf_put(struct worker *w, struct conn *c) {
	if (c->buf == NULL)
		return;
	w->free_bufs[w->n_free_bufs++] = c->buf;
	c->buf = NULL;
	c->buf_len = 0;
}

// Gives back all that the connection holds above TCP.
static void conn_release(struct worker *w, struct conn *c) {
	if (c->flow.bound.lease_idx != RG_LEASE_NONE)
		punt_event(w, c, RG_PUNT_FLOW_CLOSED);
	buf_put(w, c);
	tls_conn_fini(w->tls, &c->tls);
	c->is_open = false;
	c->src = (struct rg_slice){0};
	w->n_conns--;
}

static int sink_cipher(void *arg, struct rg_slice d) {
	struct conn_ref *r = arg;

	return tcp_send(r->w->tcp, conn_idx(r->w, r->c), d, r->w->now_ns);
}

// Takes what it can from buf[0..len); returns how many bytes are left, moved to its start.
static size_t consume(struct worker *w, struct conn *c, uint8_t *buf, size_t len) {
	size_t before;

	do {
		before = len;
		if (c->end != END_NO || len == 0)
			return 0;
		if (c->phase == RG_PHASE_HTTP) {
			size_t used = conn_http_input(w, c, buf, len);

			len -= used;
			memmove(buf, buf + used, len);
		} else {
			conn_ws_input(w, c, buf, &len);
		}
	} while (len != before);
	return c->end != END_NO ? 0 : len;
}

// Keeps the len bytes left in buf for the next call.
static void keep(struct worker *w, struct conn *c, const uint8_t *buf, size_t len) {
	if (len == 0) {
		buf_put(w, c);
		return;
	}
	if (c->buf == NULL) {
		if (w->n_free_bufs == 0) {
			rg_stat_inc(w->stats, RG_DROP_no_rx_buffer);
			c->end = END_ABORT;
			return;
		}
		c->buf = w->free_bufs[--w->n_free_bufs];
		c->buf_since_ns = w->now_ns;
		memcpy(c->buf, buf, len);
	}
	c->buf_len = (uint32_t)len;
}

static void sink_plain(void *arg, struct rg_slice d) {
	struct conn_ref *r = arg;
	struct worker *w = r->w;
	struct conn *c = r->c;

	c->record_since_ns = w->now_ns;
	if (c->phase == RG_PHASE_TLS) {
		c->phase = RG_PHASE_HTTP;
		rg_stat_inc(w->stats, RG_STAT_tls_handshakes);
	}
	while (d.len > 0 && c->end == END_NO) {
		uint8_t *buf = c->buf != NULL ? c->buf : w->scratch;
		size_t len = c->buf != NULL ? c->buf_len : 0;
		size_t n = RTE_MIN(d.len, RX_BUF_LEN - len);

		if (n ==
		    0) { // a parser that wants more than fits has already refused; see RX_BUF_LEN
			rg_stat_inc(w->stats, c->phase == RG_PHASE_HTTP ? RG_DROP_http_too_big
									: RG_DROP_ws_too_big);
			c->end = END_ABORT;
			return;
		}
		memcpy(buf + len, d.p, n);
		d = rg_skip(d, n);
		keep(w, c, buf, consume(w, c, buf, len + n));
	}
}

void conn_write(struct worker *w, struct conn *c, struct rg_slice d) {
	struct conn_ref ref = {w, c};
	struct tls_sink sink = {&ref, sink_plain, sink_cipher};

	if (c->end == END_NO && tls_write(w->tls, &c->tls, d, &sink) != RG_OK)
		c->end = END_ABORT; // reads slower than it asks: its queue is full
}

void conn_pump(struct worker *w, struct conn *c) {
	const size_t overhead = tls_sealed_len(0);
	bool has_moved = false;

	while (c->src.len > 0 && c->end == END_NO) {
		size_t room = tcp_send_room(w->tcp, conn_idx(w, c));
		size_t n = RTE_MIN(c->src.len, (size_t)PUMP_LEN);

		n = RTE_MIN(n, room > overhead ? room - overhead : 0);
		if (n < RTE_MIN(c->src.len, (size_t)PUMP_MIN))
			break; // conn_sent() or the sweep goes on
		conn_write(w, c, rg_slice(c->src.p, n));
		c->src = rg_skip(c->src, n);
		has_moved = true;
	}
	if (!has_moved || c->end != END_NO)
		return;
	c->deadline_ns = w->now_ns + w->cfg->idle_timeout_s * RG_NS_PER_S;
	if (c->src.len == 0 && !c->is_keep_alive)
		c->end = END_CLOSE;
}

void conn_finish(struct worker *w, struct conn *c) {
	struct conn_ref ref = {w, c};
	struct tls_sink sink = {&ref, sink_plain, sink_cipher};
	uint32_t idx = conn_idx(w, c);

	if (c->end == END_NO || !c->is_open)
		return;
	if (c->end == END_CLOSE)
		tls_close(w->tls, &c->tls, &sink);
	conn_release(w, c);
	if (c->end == END_CLOSE)
		tcp_close(w->tcp, idx, w->now_ns);
	else
		tcp_abort(w->tcp, idx, w->now_ns);
}

void conn_settle(struct worker *w, struct conn *c) {
	conn_pump(w, c);
	while (c->end == END_NO && c->buf != NULL && !c->is_http_pending && c->src.len == 0) {
		keep(w, c, c->buf, consume(w, c, c->buf, c->buf_len));
		if (c->src.len == 0)
			break;
		conn_pump(w, c); // nobody acknowledges it before it is sent
	}
	conn_finish(w, c);
}

int conn_opened(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct worker *w = ctx;
	struct conn *c = &w->conns[idx];

	*c = (struct conn){
		.is_open = true,
		.gen = tcp_gen(w->tcp, idx),
		.phase = RG_PHASE_TLS,
		.flow = {.bound.lease_idx = RG_LEASE_NONE, .wwsf = UINT16_MAX},
		.since_ns = now_ns,
		.unbound_since_ns = now_ns,
		.record_since_ns = now_ns,
		.deadline_ns = now_ns + w->cfg->head_timeout_s * RG_NS_PER_S,
	};
	tls_conn_init(&c->tls, idx);
	w->n_conns++;
	return 0;
}

void conn_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t now_ns) {
	struct worker *w = ctx;
	struct conn *c = &w->conns[idx];
	struct conn_ref ref = {w, c};
	struct tls_sink sink = {&ref, sink_plain, sink_cipher};
	int rc;

	(void)now_ns; // the same as w->now_ns
	if (!c->is_open)
		return;
	rc = tls_input(w->tls, &c->tls, d, &sink);
	if (rc == RG_OK && c->phase == RG_PHASE_TLS && tls_is_established(&c->tls)) {
		c->phase = RG_PHASE_HTTP;
		rg_stat_inc(w->stats, RG_STAT_tls_handshakes);
	}
	if (rc == RG_E_PROTO)
		rg_stat_inc(w->stats, RG_DROP_tls_bad);
	if (rc == RG_E_LIMIT || rc == -ENOMEM)
		rg_stat_inc(w->stats, RG_DROP_tls_no_memory);
	if (rc != RG_OK && c->end == END_NO) // the alert, if any, is queued: let it out
		c->end = rc == RG_E_CLOSED || rc == RG_E_PROTO ? END_CLOSE : END_ABORT;
	conn_settle(w, c);
}

void conn_sent(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct worker *w = ctx;

	(void)now_ns;
	if (w->conns[idx].is_open && w->conns[idx].src.len > 0)
		conn_settle(w, &w->conns[idx]);
}

void conn_peer_closed(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct worker *w = ctx;
	struct conn *c = &w->conns[idx];

	(void)now_ns;
	if (!c->is_open)
		return;
	if (c->end == END_NO)
		c->end =
			END_CLOSE; // half-open clients are not served (RFC 8446 6.1 asks for close_notify)
	conn_finish(w, c);
}

void conn_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t now_ns) {
	struct worker *w = ctx;
	struct conn *c = &w->conns[idx];

	(void)now_ns;
	(void)why; // counted in dataplane/tcp
	if (c->is_open)
		conn_release(w, c);
}
