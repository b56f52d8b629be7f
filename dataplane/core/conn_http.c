// SPDX-License-Identifier: BSD-3-Clause
// HTTP on a client connection: the page from memory, the WebSocket upgrade, and the lease API by
// way of the control plane. One request at a time; the next waits in the buffer.
#include "core_int.h"

#define API_PREFIX "/v1/"
#define WELL_KNOWN_PREFIX "/.well-known/" // RFC 8615: the key set
#define PLAIN_HEADERS                                                    \
	"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n" \
	"Strict-Transport-Security: max-age=31536000\r\n"

// Answers with the status in words. headers: whole lines.
static void http_say(struct worker *w, struct conn *c, unsigned status, const char *headers) {
	struct rg_wr wr = rg_wr(w->tx_buf, sizeof(w->tx_buf));
	const char *reason = http_reason(status);
	char lines[512];
	struct rg_wr h = rg_wr(lines, sizeof(lines));

	rg_puts(&h, PLAIN_HEADERS "Content-Type: text/plain\r\n");
	rg_puts(&h, headers);
	rg_puts(&h, c->is_keep_alive ? "" : "Connection: close\r\n");
	rg_putc(&h, '\0');
	http_put_head(&wr, status, strlen("404 \n") + strlen(reason), lines);
	if (!c->is_head) {
		rg_put_u64(&wr, status);
		rg_putc(&wr, ' ');
		rg_puts(&wr, reason);
		rg_putc(&wr, '\n');
	}
	conn_write(w, c, rg_wr_slice(&wr));
}

// Answers and ends the connection: after an error the framing cannot be trusted (RFC 9112 2.2).
static void http_end(struct worker *w, struct conn *c, unsigned status, const char *headers) {
	c->is_keep_alive = false;
	http_say(w, c, status, headers);
	if (c->end == END_NO)
		c->end = END_LINGER;
}

static void http_refuse(struct worker *w, struct conn *c, unsigned status, enum rg_stat drop) {
	rg_stat_inc(w->stats, drop);
	http_end(w, c, status, "");
}

static void http_malformed(struct worker *w, struct conn *c, int rc, unsigned status) {
	http_refuse(w, c, status, rc == RG_E_LIMIT ? RG_DROP_http_too_big : RG_DROP_http_bad);
}

static void http_upgrade(struct worker *w, struct conn *c) {
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
	if (up.refusal != WS_OK) {
		rg_stat_inc(w->stats, drops[up.refusal]);
		http_end(w, c, up.status, // RFC 6455 4.4
			 up.refusal == WS_BAD_VERSION ? "Sec-WebSocket-Version: 13\r\n" : "");
		return;
	}
	tls_sha1(w->tls, rg_slice(up.accept_input, sizeof(up.accept_input)), sha1);
	ws_accept(sha1, accept);
	rg_puts(&wr, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
	rg_put(&wr, rg_slice(accept, sizeof(accept)));
	if (up.protocol != NULL) {
		rg_puts(&wr, "\r\nSec-WebSocket-Protocol: ");
		rg_puts(&wr, up.protocol);
	}
	rg_puts(&wr, "\r\n\r\n");
	conn_write(w, c, rg_wr_slice(&wr));
	c->phase = RG_PHASE_WS;
	c->flow.wwsf = up.wwsf;
	c->is_echo = up.is_echo;
	due_bound(w, c);
	conn_deadline(w, c, w->cfg->ws_ping_s);
	rg_stat_inc(w->stats, RG_STAT_ws_opened);
}

static const struct rg_file *file_find(const struct rg_dp_cfg *cfg, struct rg_slice path) {
	for (size_t i = 0; i < cfg->n_files; i++)
		if (rg_eq(path, rg_str(cfg->files[i].path)))
			return &cfg->files[i];
	return NULL;
}

static void http_file(struct worker *w, struct conn *c, const struct rg_file *f) {
	struct conn_more *m = conn_more(w, c);

	if (w->req.method != HTTP_GET && w->req.method != HTTP_HEAD) {
		http_say(w, c, 405, "Allow: GET, HEAD\r\n");
		return;
	}
	rg_stat_inc(w->stats, RG_STAT_http_static);
	c->has_src = true;
	m->src_file = (uint32_t)(f - w->cfg->files);
	m->src_left = (uint32_t)(c->is_head ? f->head_len : f->response.len);
	// conn_settle() pumps; a response longer than the send queue goes on in conn_sent().
}

static void http_punt(struct worker *w, struct conn *c, struct rg_slice request) {
	struct rg_punt p = {.kind = RG_PUNT_HTTP, .wwsf = UINT16_MAX};

	if (!punt_put(w, c, &p, request)) {
		http_say(w, c, 503, "Retry-After: 5\r\n");
		return;
	}
	rg_stat_inc(w->stats, RG_STAT_http_punted);
	c->is_http_pending = true; // the control plane answers every request
}

// request: head and body, chunks joined.
static void http_route(struct worker *w, struct conn *c, struct rg_slice request) {
	const struct rg_file *f = file_find(w->cfg, w->req.path);

	if (w->req.method == HTTP_OTHER) {
		rg_stat_inc(w->stats, RG_DROP_http_method);
		http_end(w, c, 501,
			 ""); // RFC 9110 9.1; who knows what it means for the bytes behind
	} else if (f != NULL) {
		http_file(w, c, f);
	} else if (rg_is_prefix(w->req.path, RG_LIT(API_PREFIX)) ||
		   rg_is_prefix(w->req.path, RG_LIT(WELL_KNOWN_PREFIX))) {
		http_punt(w, c, request);
	} else if (rg_eq(w->req.path, RG_LIT("*"))) {
		http_say(w, c, 405, "Allow: GET, HEAD\r\n");
	} else {
		rg_stat_inc(w->stats, RG_DROP_http_not_found);
		http_say(w, c, 404, "");
	}
}

// A new head. RG_OK: judged good and its body is awaited.
static int http_begin(struct worker *w, struct conn *c, struct buf *b) {
	struct rg_slice in = {b->data, b->len};
	unsigned expectation;
	int rc = http_req_parse(in, &w->req);

	c->is_head = false;
	if (rc < RG_OK)
		http_malformed(w, c, rc, http_refusal(rc, in));
	if (rc != RG_OK)
		return rc;
	c->is_head = w->req.method == HTTP_HEAD;
	c->is_keep_alive = w->req.is_keep_alive;
	rc = http_body_begin(&w->req, &b->head.http);
	if (rc != RG_OK) {
		http_malformed(w, c, rc, 413);
		return rc;
	}
	expectation = http_expectation(&w->req);
	if (expectation == 417) {
		http_refuse(w, c, 417, RG_DROP_http_bad);
		return RG_E_UNSUPPORTED;
	}
	if (expectation == 100 && b->len == w->req.head_len) // else it comes unasked
		conn_write(w, c, RG_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
	return RG_OK;
}

// The request's bytes are b's no longer; what follows begins another.
static void http_done(struct worker *w, struct buf *b, size_t used) {
	b->len -= (uint32_t)used;
	memmove(b->data, b->data + used, b->len);
	b->head.http = (struct http_rx){0};
	b->head.since = tick_of(w->now_ns);
}

// A head that is not whole is read again from its start: not for each byte of a peer that dribbles,
// but at the ends of lines.
static bool is_old_news(const struct buf *b) {
	uint32_t seen = b->head.http.left;

	return b->len > 256 && b->len < HTTP_MAX_HEAD && b->len - seen < 256 &&
	       memchr(b->data + seen, '\n', b->len - seen) == NULL;
}

void conn_http_input(struct worker *w, struct conn *c, struct buf *b) {
	struct http_rx *rx = &b->head.http;
	bool is_new = rx->head_len == 0;
	size_t len = b->len, used;
	int rc;

	stage_to(&w->stages, RG_STAGE_http);
	if (c->is_http_pending || c->has_src || (is_new && is_old_news(b)))
		return;
	if (is_new && http_begin(w, c, b) != RG_OK) {
		rx->left = b->len; // how far was looked
		return;
	}
	if (is_new && ws_is_upgrade(&w->req)) {
		rg_stat_inc(w->stats, RG_STAT_http_requests);
		used = w->req.head_len;
		http_upgrade(w, c);
		http_done(w, b, used);
		return;
	}
	rc = http_body(rx, b->data, &len);
	b->len = (uint32_t)len;
	if (rc < RG_OK)
		http_malformed(w, c, rc, rc == RG_E_LIMIT ? 413 : 400);
	if (rc != RG_OK)
		return;
	used = rx->head_len + rx->n_body;
	if (!is_new && http_req_parse(rg_slice(b->data, rx->head_len), &w->req) != RG_OK)
		return; // cannot be: it was good
	rg_stat_inc(w->stats, RG_STAT_http_requests);
	conn_deadline(w, c, w->cfg->idle_timeout_s);
	http_route(w, c, rg_slice(b->data, used));
	if (!c->is_keep_alive && !c->is_http_pending && !c->has_src && c->end == END_NO)
		c->end = END_CLOSE;
	http_done(w, b, used);
}

static bool is_posted_to(const struct worker *w, struct rg_slice path) {
	for (size_t i = 0; i < w->cfg->n_post_paths; i++)
		if (rg_eq(path, rg_str(w->cfg->post_paths[i])))
			return true;
	return false;
}

bool conn_http_may_be_long(struct worker *w, struct conn *c, const struct buf *b) {
	uint32_t head_len = b->head.http.head_len;

	// Behind a request that is being answered it cannot be judged, and may wait for long.
	if (head_len == 0 && (c->is_http_pending || c->has_src)) {
		rg_stat_inc(w->stats, RG_DROP_http_too_big);
		c->end = END_ABORT; // nothing can be said amid a response
		return false;
	}
	if (head_len == 0 || http_req_parse(rg_slice(b->data, head_len), &w->req) != RG_OK)
		return true;
	if (is_posted_to(w, w->req.path)) {
		if (w->req.method == HTTP_POST)
			return true;
		http_refuse(w, c, 413, RG_DROP_http_too_big);
	} else if (file_find(w->cfg, w->req.path) != NULL) {
		rg_stat_inc(w->stats, RG_DROP_http_method);
		http_end(w, c, 405, "Allow: GET, HEAD\r\n");
	} else {
		http_refuse(w, c, 404, RG_DROP_http_not_found);
	}
	return false;
}

void conn_http_no_buffer(struct worker *w, struct conn *c) {
	http_end(w, c, 503, "Retry-After: 5\r\n");
}

void conn_http_late(struct worker *w, struct conn *c) {
	c->is_head = false;
	http_end(w, c, 408, "");
}
