// SPDX-License-Identifier: BSD-3-Clause
// The life of a client connection in a worker: TCP events in, TLS in between, HTTP or WebSocket on
// top. Ends are only marked while TLS is on the call stack, and carried out by conn_finish().
#include <errno.h>

#include "core_int.h"
#include "regate/siphash.h"

#define PUMP_LEN 8192u // plaintext bytes of one record of a static response
#define PUMP_MIN 1024u // the same while TCP has little room; below it is not worth a record

struct conn_ref { // argument of the TLS sink
	struct worker *w;
	struct conn *c;
};

uint32_t conn_idx(const struct worker *w, const struct conn *c) {
	return (uint32_t)(c - w->conns);
}

struct conn_more *conn_more(const struct worker *w, const struct conn *c) {
	return &w->more[conn_idx(w, c)];
}

struct rg_conn_id conn_id(const struct worker *w, const struct conn *c) {
	uint32_t idx = conn_idx(w, c);

	return (struct rg_conn_id){idx, tcp_gen(w->tcp, idx), (uint16_t)w->id};
}

void conn_deadline(struct worker *w, struct conn *c, uint64_t s) {
	uint32_t tick = tick_in(w->now_ns, s);

	conn_more(w, c)->deadline = tick;
	due_by(w, c, tick);
}

static void drop_buf(struct worker *w, struct conn *c) {
	if (c->has_buf)
		buf_put(&w->bufs, conn_more(w, c)->buf);
	c->has_buf = false;
}

// Gives back all that the connection holds above TCP.
static void conn_release(struct worker *w, struct conn *c) {
	if (reg_is_bound(&c->flow))
		punt_event(w, c, RG_PUNT_FLOW_CLOSED);
	drop_buf(w, c);
	tls_conn_fini(w->tls, &c->tls);
	c->is_open = false;
	c->has_src = false;
	due_never(w, c);
	w->n_conns--;
}

static int sink_cipher(void *arg, struct rg_slice d) {
	struct conn_ref *r = arg;
	enum rg_stage was = r->w->stages.at;
	int rc;

	stage_to(&r->w->stages, RG_STAGE_tcp);
	rc = tcp_send(r->w->tcp, conn_idx(r->w, r->c), d, r->w->now_ns);
	stage_to(&r->w->stages, was);
	return rc;
}

// The connection's own buffer, or the scratch, empty, while it has none.
static struct buf *its_buf(struct worker *w, const struct conn *c) {
	if (c->has_buf)
		return buf_at(&w->bufs, conn_more(w, c)->buf);
	buf_reset(w->bufs.scratch, tick_of(w->now_ns));
	return w->bufs.scratch;
}

static void no_buffer(struct worker *w, struct conn *c) {
	rg_stat_inc(w->stats, RG_DROP_no_rx_buffer);
	if (c->phase == RG_PHASE_HTTP && !c->has_src) // amid a response there is nothing to say
		conn_http_no_buffer(w, c);
	if (c->end == END_NO)
		c->end = END_ABORT;
}

// Moves what b holds to a buffer of the connection's own with room for len bytes.
static void move_to(struct worker *w, struct conn *c, const struct buf *b, size_t len) {
	uint32_t idx;

	if (len > (size_t)RX_SMALL_LEN && c->phase == RG_PHASE_HTTP &&
	    !conn_http_may_be_long(w, c, b))
		return;
	idx = buf_copy(&w->bufs, b, len);
	if (idx == BUF_NONE) {
		no_buffer(w, c);
		return;
	}
	drop_buf(w, c);
	c->has_buf = true;
	conn_more(w, c)->buf = idx;
}

// b is full, and no message in it whole. An HTTP request may be as long as the large ones.
static void grow(struct worker *w, struct conn *c, const struct buf *b) {
	bool is_http = c->phase == RG_PHASE_HTTP;

	if (is_http && b->cap < RX_LARGE_LEN) {
		move_to(w, c, b, RX_LARGE_LEN);
		return;
	}
	// A parser that wants more has refused already; requests that wait for their turn may come
	// here.
	rg_stat_inc(w->stats, is_http ? RG_DROP_http_too_big : RG_DROP_ws_too_big);
	c->end = END_ABORT;
}

// Takes what it can out of b, and sees that the rest has a place until more comes.
static void consume(struct worker *w, struct conn *c, struct buf *b) {
	uint32_t before;

	do {
		before = b->len;
		if (c->end != END_NO || before == 0)
			break;
		if (c->phase == RG_PHASE_HTTP)
			conn_http_input(w, c, b);
		else
			conn_ws_input(w, c, b);
	} while (b->len != before);
	if (c->end != END_NO)
		return; // conn_release() gives it back
	if (b->len == 0 && ws_is_idle(&b->head.ws))
		drop_buf(w, c);
	else if (!c->has_buf)
		move_to(w, c, b, b->len);
}

// Noticed at the first plaintext, which may come with the last of the handshake, or after it.
static void established(struct worker *w, struct conn *c) {
	c->phase = RG_PHASE_HTTP;
	rg_stat_inc(w->stats, RG_STAT_tls_handshakes);
}

static enum rg_stage stage_of(const struct conn *c) {
	return c->phase == RG_PHASE_HTTP ? RG_STAGE_http : RG_STAGE_ws;
}

static void sink_plain(void *arg, struct rg_slice d) {
	struct conn_ref *r = arg;
	struct worker *w = r->w;
	struct conn *c = r->c;
	enum rg_stage was = w->stages.at;

	if (c->phase == RG_PHASE_TLS)
		established(w, c);
	stage_to(&w->stages, stage_of(c));
	while (d.len > 0 && c->end == END_NO) {
		struct buf *b = its_buf(w, c);
		size_t n = RTE_MIN(d.len, (size_t)(b->cap - b->len));

		if (n == 0) {
			grow(w, c, b);
			continue;
		}
		memcpy(b->data + b->len, d.p, n);
		b->len += (uint32_t)n;
		d = rg_skip(d, n);
		consume(w, c, b);
	}
	stage_to(&w->stages, was);
}

// An IPv6 client has a /64 to choose addresses from (RFC 6177, RFC 7934): it counts as one source.
static uint32_t sink_source(void *arg) {
	const struct conn_ref *r = arg;
	const struct rg_addr *peer = tcp_peer(r->w->tcp, conn_idx(r->w, r->c));

	return (uint32_t)rg_siphash(r->w->cfg->secret, peer->ip, rg_addr_is_v4(peer) ? 16 : 8);
}

static struct tls_sink sink_to(struct conn_ref *ref) {
	return (struct tls_sink){ref, sink_plain, sink_cipher, sink_source};
}

void conn_write(struct worker *w, struct conn *c, struct rg_slice d) {
	struct conn_ref ref = {w, c};
	struct tls_sink sink = sink_to(&ref);

	stage_to(&w->stages, RG_STAGE_tls);
	if (c->end == END_NO && tls_write(w->tls, &c->tls, d, &sink) != RG_OK) {
		rg_stat_inc(w->stats, RG_DROP_tcp_no_buffer);
		c->end = END_ABORT; // reads slower than it asks: its queue is full
	}
}

// What is still to be queued of a static response or an echo.
static const uint8_t *src_at(const struct worker *w, const struct conn *c) {
	const struct conn_more *m = conn_more(w, c);
	const struct rg_file *f;
	const struct buf *b;

	if (m->src_file == SRC_ECHO) {
		b = buf_at(&w->bufs, m->buf);
		return b->data + b->head.echo_end - m->src_left;
	}
	f = &w->cfg->files[m->src_file];
	return f->response.p + (c->is_head ? f->head_len : f->response.len) - m->src_left;
}

void conn_pump(struct worker *w, struct conn *c) {
	const size_t overhead = tls_sealed_len(0);
	struct conn_more *m = conn_more(w, c);
	bool has_moved = false;

	while (c->has_src && c->end == END_NO) {
		size_t room = tcp_send_room(w->tcp, conn_idx(w, c));
		size_t n = RTE_MIN(m->src_left, PUMP_LEN);

		n = RTE_MIN(n, room > overhead ? room - overhead : 0);
		if (n < RTE_MIN(m->src_left, PUMP_MIN))
			break; // conn_sent() or due.c goes on
		conn_write(w, c, rg_slice(src_at(w, c), n));
		m->src_left -= (uint32_t)n;
		c->has_src = m->src_left > 0;
		has_moved = true;
	}
	if (!has_moved || c->end != END_NO || c->phase != RG_PHASE_HTTP)
		return;
	conn_deadline(w, c, w->cfg->idle_timeout_s);
	if (!c->has_src && !c->is_keep_alive)
		c->end = END_CLOSE;
}

void conn_finish(struct worker *w, struct conn *c) {
	struct conn_ref ref = {w, c};
	struct tls_sink sink = sink_to(&ref);
	uint32_t idx = conn_idx(w, c);

	if (c->end == END_NO || !c->is_open)
		return;
	if (c->end == END_LINGER) {
		// RFC 9112 9.6: an RST for bytes that nobody reads would take our answer with it.
		tls_close(w->tls, &c->tls, &sink);
		tls_forget(w->tls, &c->tls);
		drop_buf(w, c);
		if (c->phase != RG_PHASE_CLOSING)
			conn_deadline(w, c, CLOSE_WAIT_S);
		c->phase = RG_PHASE_CLOSING;
		return;
	}
	if (c->end == END_CLOSE)
		tls_close(w->tls, &c->tls, &sink);
	conn_release(w, c);
	stage_to(&w->stages, RG_STAGE_tcp);
	if (c->end == END_CLOSE)
		tcp_close(w->tcp, idx, w->now_ns);
	else
		tcp_abort(w->tcp, idx, w->now_ns);
}

// Does a peer that says no more wait for something? A half-closed WebSocket is of no use, nor is a
// handshake without the client's Finished.
static bool is_owed(const struct worker *w, const struct conn *c) {
	return c->phase == RG_PHASE_TLS
		       ? tls_is_finishing(w->tls, &c->tls)
		       : c->phase == RG_PHASE_HTTP && (c->is_http_pending || c->has_src);
}

void conn_settle(struct worker *w, struct conn *c) {
	conn_pump(w, c);
	while (c->end == END_NO && c->has_buf && !c->is_http_pending && !c->has_src) {
		stage_to(&w->stages, stage_of(c));
		consume(w, c, its_buf(w, c));
		if (!c->has_src)
			break;
		conn_pump(w, c); // nobody acknowledges it before it is sent
	}
	if (c->is_half_closed && c->end == END_NO && !is_owed(w, c))
		c->end = END_CLOSE;
	conn_finish(w, c);
	due_settle(w, c);
}

int conn_opened(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct worker *w = ctx;
	struct conn *c = &w->conns[idx];

	*c = (struct conn){
		.is_open = true,
		.phase = RG_PHASE_TLS,
		.flow = {.bound.lease_idx = RG_LEASE_NONE, .wwsf = UINT16_MAX},
	};
	w->more[idx] = (struct conn_more){.since = tick_of(now_ns)};
	conn_deadline(w, c, w->cfg->head_timeout_s);
	tls_conn_init(&c->tls, idx);
	w->n_conns++;
	return 0;
}

static enum rg_stat tls_drop_of(int rc, const struct conn *c) {
	switch (rc) {
	case RG_E_PROTO:
		return RG_DROP_tls_bad;
	case RG_E_UNSUPPORTED:
		return RG_DROP_tls_version;
	case RG_E_LIMIT:
		return RG_DROP_tls_hello_long;
	case -EDQUOT:
		return tls_is_established(&c->tls) ? RG_DROP_tls_partial : RG_DROP_tls_source;
	case RG_E_EXHAUSTED:
		return tls_is_established(&c->tls) ? RG_DROP_tls_no_memory : RG_DROP_tls_half_open;
	case -ENOMEM:
		return RG_DROP_tls_no_memory;
	default: // RG_E_CLOSED is no drop, -ENOBUFS was counted by TCP
		return RG_N_STATS;
	}
}

// What tls_input() and tls_step() said.
static void tls_done(struct worker *w, struct conn *c, int rc) {
	enum rg_stat drop = tls_drop_of(rc, c);

	// Who ends one record and begins the next in a segment has still begun one.
	if (c->is_watched && !tls_has_partial(&c->tls))
		conn_more(w, c)->record_since = tick_of(w->now_ns);
	if (rc == RG_OK && c->phase == RG_PHASE_TLS && tls_is_established(&c->tls))
		established(w, c);
	if (rc != RG_OK && drop != RG_N_STATS)
		rg_stat_inc(w->stats, drop);
	if (rc == -ENOBUFS && c->end == END_NO)
		rg_stat_inc(w->stats, RG_DROP_tcp_no_buffer);
	if (rc == RG_E_CLOSED) // RFC 8446 6.1: of one direction
		c->is_half_closed = true;
	else if (rc != RG_OK && c->end == END_NO) // the alert, if any, is queued: let it out
		c->end = rc == RG_E_PROTO || rc == RG_E_UNSUPPORTED || rc == RG_E_LIMIT ? END_CLOSE
											: END_ABORT;
	conn_settle(w, c);
}

void conn_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t now_ns) {
	struct worker *w = ctx;
	struct conn *c = &w->conns[idx];
	struct conn_ref ref = {w, c};
	struct tls_sink sink = sink_to(&ref);

	(void)now_ns; // the same as w->now_ns
	stage_to(&w->stages, RG_STAGE_tls);
	if (c->is_open && c->end != END_LINGER)
		tls_done(w, c, tls_input(w->tls, &c->tls, d, &sink));
	stage_to(&w->stages, RG_STAGE_tcp);
}

bool conn_handshake(struct worker *w) {
	uint32_t idx = tls_ready(w->tls, w->now_ns);
	struct conn_ref ref = {.w = w};
	struct tls_sink sink = sink_to(&ref);
	uint64_t start_ns;
	int rc;

	if (idx == TLS_NO_SLOT)
		return false;
	stage_to(&w->stages, RG_STAGE_handshake);
	ref.c = &w->conns[idx];
	start_ns = idle_now_ns();
	rc = tls_step(w->tls, &ref.c->tls, &sink);
	tls_charge(w->tls, idle_now_ns() - start_ns);
	tls_done(w, ref.c, rc);
	stage_unit(&w->stages, RG_STAGE_poll);
	return true;
}

void conn_sent(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct worker *w = ctx;

	(void)now_ns;
	if (w->conns[idx].is_open && w->conns[idx].has_src)
		conn_settle(w, &w->conns[idx]);
	stage_to(&w->stages, RG_STAGE_tcp);
}

void conn_peer_closed(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct worker *w = ctx;
	struct conn *c = &w->conns[idx];

	(void)now_ns;
	if (!c->is_open)
		return;
	c->is_half_closed = true; // RFC 9293 3.6: it may still listen
	if (c->end == END_LINGER || (c->end == END_NO && !is_owed(w, c)))
		c->end = END_CLOSE;
	stage_to(&w->stages, RG_STAGE_tls);
	conn_finish(w, c);
	stage_to(&w->stages, RG_STAGE_tcp);
}

void conn_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t now_ns) {
	struct worker *w = ctx;
	struct conn *c = &w->conns[idx];

	(void)now_ns;
	(void)why; // counted in dataplane/tcp
	if (c->is_open)
		conn_release(w, c);
}
