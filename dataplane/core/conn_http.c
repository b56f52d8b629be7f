// SPDX-License-Identifier: BSD-3-Clause
// HTTP on a client connection: the page from memory, the WebSocket upgrade, and the lease API by
// way of the control plane. One request at a time; the next waits in the buffer.
#include "core_int.h"

#define API_PREFIX "/v1/"
#define PLAIN_HEADERS                                                    \
	"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n" \
	"Strict-Transport-Security: max-age=31536000\r\n"

static void http_answer(struct worker *w, struct conn *c, unsigned status, const char *headers) {
	struct rg_wr wr = rg_wr(w->tx_buf, sizeof(w->tx_buf));

	http_put_head(&wr, status, 0, headers);
	conn_write(w, c, rg_wr_slice(&wr));
}

// Answers and ends the connection: after an error the framing cannot be trusted (RFC 9112 2.2).
static size_t http_refuse(struct worker *w, struct conn *c, unsigned status, enum rg_stat drop) {
	rg_stat_inc(w->stats, drop);
	http_answer(w, c, status, PLAIN_HEADERS "Connection: close\r\n");
	if (c->end == END_NO)
		c->end = END_CLOSE;
	return 0;
}

static size_t http_malformed(struct worker *w, struct conn *c, int rc, unsigned limit_status) {
	if (rc == RG_E_LIMIT)
		return http_refuse(w, c, limit_status, RG_DROP_http_too_big);
	return http_refuse(w, c, rc == RG_E_UNSUPPORTED ? 505 : 400, RG_DROP_http_bad);
}

static size_t http_upgrade(struct worker *w, struct conn *c) {
	static const enum rg_stat drops[] = {
		[WS_BAD_REQUEST] = RG_DROP_http_bad,
		[WS_BAD_VERSION] = RG_DROP_ws_version,
		[WS_BAD_ORIGIN] = RG_DROP_ws_origin,
		[WS_NO_SUBPROTOCOL] = RG_DROP_ws_subprotocol,
	};
	struct rg_wr wr = rg_wr(w->tx_buf, sizeof(w->tx_buf));
	struct ws_upgrade up;
	char accept[28];
	uint8_t sha1[20];

	ws_upgrade_check(&w->req, &w->ws_policy, &up);
	if (up.refusal == WS_BAD_VERSION) { // RFC 6455 4.4
		rg_stat_inc(w->stats, RG_DROP_ws_version);
		http_answer(w, c, 426,
			    PLAIN_HEADERS "Sec-WebSocket-Version: 13\r\nConnection: close\r\n");
		c->end = c->end == END_NO ? END_CLOSE : c->end;
		return 0;
	}
	if (up.refusal != WS_OK)
		return http_refuse(w, c, up.status, drops[up.refusal]);
	tls_sha1(w->tls, rg_slice(up.accept_input, sizeof(up.accept_input)), sha1);
	ws_accept(sha1, accept);
	rg_puts(&wr,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: ");
	rg_put(&wr, rg_slice(accept, sizeof(accept)));
	rg_puts(&wr, "\r\n\r\n");
	conn_write(w, c, rg_wr_slice(&wr));
	c->phase = RG_PHASE_WS;
	c->flow.wwsf = up.wwsf;
	c->deadline = tick_in(w->now_ns, w->cfg->ws_ping_s);
	rg_stat_inc(w->stats, RG_STAT_ws_opened);
	return w->req.head_len;
}

static const struct rg_file *file_find(const struct rg_dp_cfg *cfg, struct rg_slice path) {
	for (size_t i = 0; i < cfg->n_files; i++)
		if (rg_eq(path, rg_str(cfg->files[i].path)))
			return &cfg->files[i];
	return NULL;
}

static void http_file(struct worker *w, struct conn *c, const struct rg_file *f) {
	if (w->req.method != HTTP_GET && w->req.method != HTTP_HEAD) {
		http_answer(w, c, 405, PLAIN_HEADERS "Allow: GET, HEAD\r\n");
		return;
	}
	rg_stat_inc(w->stats, RG_STAT_http_static);
	c->src_file = (uint16_t)(f - w->cfg->files);
	c->is_head = w->req.method == HTTP_HEAD;
	c->src_left = (uint32_t)(c->is_head ? f->head_len : f->response.len);
	// conn_settle() pumps; a response longer than the send queue goes on in conn_sent().
}

static void http_punt(struct worker *w, struct conn *c, struct rg_slice request) {
	struct rg_punt p = {.kind = RG_PUNT_HTTP, .wwsf = UINT16_MAX};

	if (!punt_put(w, c, &p, request)) {
		http_answer(w, c, 503, PLAIN_HEADERS "Retry-After: 5\r\n");
		return;
	}
	rg_stat_inc(w->stats, RG_STAT_http_punted);
	c->is_http_pending = true; // the control plane answers every request
}

static void http_route(struct worker *w, struct conn *c, uint8_t *buf, struct rg_slice body) {
	const struct rg_file *f = file_find(w->cfg, w->req.path);

	if (f != NULL) {
		http_file(w, c, f);
	} else if (rg_is_prefix(w->req.path, RG_LIT(API_PREFIX))) {
		// The body follows the head: a chunked one was joined there.
		memmove(buf + w->req.head_len, body.p, body.len);
		http_punt(w, c, rg_slice(buf, w->req.head_len + body.len));
	} else {
		rg_stat_inc(w->stats, RG_DROP_http_not_found);
		http_answer(w, c, 404, PLAIN_HEADERS);
	}
}

static size_t http_input(struct worker *w, struct conn *c, uint8_t *buf, size_t len) {
	struct rg_slice body;
	size_t size;
	int rc;

	if (c->is_http_pending || c->src_left > 0)
		return 0;
	rc = http_req_parse(rg_slice(buf, len), &w->req);
	if (rc == RG_MORE)
		return 0;
	if (rc != RG_OK)
		return http_malformed(w, c, rc, 431);
	if (ws_is_upgrade(&w->req)) {
		rg_stat_inc(w->stats, RG_STAT_http_requests);
		return http_upgrade(w, c);
	}
	rc = http_body(&w->req, buf, len, &body, &size);
	if (rc == RG_MORE)
		return 0;
	if (rc != RG_OK)
		return http_malformed(w, c, rc, 413);
	rg_stat_inc(w->stats, RG_STAT_http_requests);
	c->is_keep_alive = w->req.is_keep_alive;
	c->deadline = tick_in(w->now_ns, w->cfg->idle_timeout_s);
	http_route(w, c, buf, body);
	if (!c->is_keep_alive && !c->is_http_pending && c->src_left == 0 && c->end == END_NO)
		c->end = END_CLOSE;
	return size;
}

void conn_http_input(struct worker *w, struct conn *c, struct buf *b) {
	size_t used = http_input(w, c, b->data, b->len);

	b->len -= (uint32_t)used;
	memmove(b->data, b->data + used, b->len);
}

void conn_http_no_buffer(struct worker *w, struct conn *c) {
	http_answer(w, c, 503, PLAIN_HEADERS "Retry-After: 5\r\nConnection: close\r\n");
	if (c->end == END_NO)
		c->end = END_CLOSE;
}
