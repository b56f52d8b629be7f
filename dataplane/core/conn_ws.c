// SPDX-License-Identifier: BSD-3-Clause
// WebSocket and SIP on a client connection (RFC 6455, RFC 7118): frames to messages, messages to
// the decision of dataplane/reg, and its verdict carried out.
#include "hooks.h"

#define SIP_ROOM 4 // frame header of up to 65535 bytes (RFC 6455 5.2)
#define REQUIRED (1u << SIP_HDR_REQUIRE | 1u << SIP_HDR_PROXY_REQUIRE)

void conn_ws_send(struct worker *w, struct conn *c, enum ws_opcode op, struct rg_slice payload) {
	struct rg_wr wr = rg_wr(w->tx_buf, sizeof(w->tx_buf));

	ws_put_header(&wr, op, payload.len);
	if (payload.len <= wr.cap - wr.len) {
		rg_put(&wr, payload);
		conn_write(w, c, rg_wr_slice(&wr));
	} else {
		c->end = END_ABORT;
	}
}

void conn_ws_close(struct worker *w, struct conn *c, uint16_t code, const char *reason) {
	struct rg_wr wr = rg_wr(w->tx_buf, sizeof(w->tx_buf));

	if (c->phase != RG_PHASE_WS)
		return;
	ws_put_close(&wr, code, reason);
	conn_write(w, c, rg_wr_slice(&wr));
	c->phase = RG_PHASE_CLOSING;
	conn_deadline(w, c, CLOSE_WAIT_S);
	if (reg_is_bound(&c->flow))
		punt_event(w, c, RG_PUNT_FLOW_CLOSED);
}

// Written where it is sent from, behind room for its frame header.
static void sip_answer(struct worker *w, struct conn *c, const struct sip_msg *m,
		       const struct sip_answer *a) {
	struct rg_wr wr = rg_wr(w->tx_buf + SIP_ROOM, SIP_MAX_MSG);
	uint8_t head[SIP_ROOM];
	struct rg_wr h = rg_wr(head, sizeof(head));

	sip_put_answer(&wr, m, a);
	if (wr.overflow) { // a request at the size limit: its copy does not fit the answer
		rg_stat_inc(w->stats, RG_DROP_sip_bad);
		conn_ws_close(w, c, WS_TOO_BIG, "message too big");
		return;
	}
	ws_put_header(&h, WS_TEXT, wr.len);
	memcpy(wr.p - h.len, head, h.len);
	conn_write(w, c, rg_slice(wr.p - h.len, h.len + wr.len));
}

static void sip_status(struct worker *w, struct conn *c, unsigned status, struct rg_slice headers) {
	struct sip_answer a = {
		.status = status,
		.peer = tcp_peer(w->tcp, conn_idx(w, c)),
		.to_tag = RG_LIT("ep1"),
		.headers = headers,
	};

	sip_answer(w, c, &w->msg, &a);
}

// One counter to each rule of ims.md 4.3 that keeps a REGISTER from a local 200.
static void count_why(struct worker *w, enum rg_punt_reason why) {
	static_assert(RG_FIRST_WHY + RG_N_WHY - RG_WHY_DEREG == RG_STAT_why_cseq + 1,
		      "one for each");
	if (why != RG_WHY_NONE)
		rg_stat_inc(w->stats, (enum rg_stat)(RG_FIRST_WHY + why - RG_WHY_DEREG));
}

static void register_punt(struct worker *w, struct conn *c, enum rg_punt_reason why,
			  const struct rg_digest *digest) {
	struct rg_punt p = {
		.kind = RG_PUNT_REGISTER,
		.reason = why,
		.wwsf = c->flow.wwsf,
		.has_digest = digest != NULL,
	};

	if (digest != NULL)
		p.digest = *digest;
	count_why(w, why);
	if (punt_put(w, c, &p, w->msg.raw))
		rg_stat_inc(w->stats, RG_STAT_reg_punted);
	else
		sip_status(w, c, 503, RG_LIT("Retry-After: 5\r\n"));
}

// Rule 11 of ims.md 4.3, once per due time. A full ring: the next refresh tells.
static void core_due(struct worker *w, struct conn *c) {
	struct rg_punt p = {.kind = RG_PUNT_CORE_DUE, .wwsf = c->flow.wwsf};

	rg_stat_inc(w->stats, RG_STAT_reg_core_due);
	if (punt_put(w, c, &p, (struct rg_slice){0}))
		reg_core_asked(&c->flow, &w->view);
}

// Carries out what was decided of w->msg. The digest is that of its token, NULL without one.
static void register_done(struct worker *w, struct conn *c, const struct reg_out *out,
			  const struct rg_digest *digest) {
	stage_to(&w->stages, RG_STAGE_sip);
	if (out->verdict == REG_PUNT) {
		register_punt(w, c, out->reason, digest);
		return;
	}
	if (out->answer.status == 200) {
		rg_stat_inc(w->stats, RG_STAT_reg_local_ok);
	} else {
		rg_stat_inc(w->stats, RG_STAT_reg_refused);
		count_why(w, out->reason);
	}
	if (out->is_bind) {
		bool is_sooner = out->bound.promise_end_ns < c->flow.bound.promise_end_ns;

		c->flow.bound = out->bound;
		if (is_sooner)
			due_bound(w, c);
	}
	sip_answer(w, c, &w->msg, &out->answer);
	if (out->is_moved) {
		rg_stat_inc(w->stats, RG_STAT_reg_moved);
		punt_event(w, c, RG_PUNT_FLOW_BOUND);
	}
	if (out->is_core_due)
		core_due(w, c);
}

// The next REGISTER is probably like this one.
static void register_learn(struct worker *w, struct conn *c, const struct sip_register *r,
			   const struct rg_slice *contact) {
	struct sip_again a;
	struct sip_msg m;

	if (!sip_again_cut(w->msg.raw, &a, &m) || !sip_again_is(&a, r) ||
	    !reg_learn(&w->tokens, &c->flow, &a, contact, &w->view))
		reg_unlearn(&c->flow);
}

// RFC 3261 10.3 step 2: before anything else is looked at.
static bool required_ok(struct worker *w, struct conn *c) {
	uint8_t buf[256];
	struct rg_wr unsupported = rg_wr(buf, sizeof(buf));

	sip_put_unsupported(&unsupported, &w->msg);
	if (unsupported.len == 0)
		return true;
	rg_stat_inc(w->stats, RG_STAT_reg_refused);
	if (unsupported.overflow)
		sip_status(w, c, 400, (struct rg_slice){0});
	else
		sip_status(w, c, 420, rg_wr_slice(&unsupported));
	return false;
}

static void register_input(struct worker *w, struct conn *c) {
	const struct rg_addr *peer = tcp_peer(w->tcp, conn_idx(w, c));
	struct rg_digest digest;
	struct sip_register r;
	struct reg_out out;
	bool is_known = false;

	if (sip_register_parse(&w->msg, &r) != RG_OK) {
		rg_stat_inc(w->stats, RG_DROP_sip_bad);
		sip_status(w, c, 400, (struct rg_slice){0});
		return;
	}
	if ((w->msg.seen & REQUIRED) != 0 && !required_ok(w, c))
		return;
	stage_to(&w->stages, RG_STAGE_lease);
	if (r.n_bearer > 0)
		is_known = reg_find_lease(&w->tokens, &c->flow, r.bearer, &digest, &w->view);
	reg_decide(&w->cfg->reg, &c->flow, &r, peer, is_known ? &w->view : NULL, w->now_ns, &out);
	register_done(w, c, &out, r.n_bearer > 0 ? &digest : NULL);
	if (out.is_bind)
		register_learn(w, c, &r, &out.answer.contact);
}

// SIP that is no REGISTER: nothing else is offered, and nothing at all before registration (T31).
static void other_input(struct worker *w, struct conn *c) {
	if (!w->msg.is_request)
		return; // we send no requests to clients
	rg_stat_inc(w->stats, RG_DROP_sip_method);
	if (w->msg.method == SIP_ACK)
		return; // never answered (RFC 3261 17)
	if (!reg_is_bound(&c->flow))
		sip_status(w, c, 403, (struct rg_slice){0});
	else
		sip_status(w, c, 405, RG_LIT("Allow: REGISTER\r\n"));
}

// Rule 2 of ims.md 4.3, before any answer work is done. True = go on.
static bool rate_ok(struct worker *w, struct conn *c) {
	struct reg_out out;

	reg_rate(&w->cfg->reg, &c->flow, w->now_ns, &out);
	if (out.verdict == REG_ANSWER && out.answer.status == 0)
		return true;
	rg_stat_inc(w->stats, RG_DROP_rate);
	if (out.verdict == REG_CLOSE)
		conn_ws_close(w, c, WS_POLICY, "too many messages");
	else if (out.verdict == REG_ANSWER && w->msg.is_request && w->msg.method != SIP_ACK)
		sip_answer(w, c, &w->msg, &out.answer);
	return false;
}

// What does not parse. Of a message that is not even SIP the peer hears by the end of the connection.
static void refused_input(struct worker *w, struct conn *c, struct rg_slice message) {
	int status = sip_refusal(message, &w->msg);

	rg_stat_inc(w->stats, RG_DROP_sip_bad);
	if (status < 0)
		conn_ws_close(w, c, WS_PROTOCOL, "malformed SIP");
	else if (rate_ok(w, c) && status > 0)
		sip_status(w, c, (unsigned)status, (struct rg_slice){0});
}

// A REGISTER that repeats the last one. False when it does not: nothing has happened then.
static bool register_again(struct worker *w, struct conn *c, struct rg_slice message) {
	struct sip_again a;
	struct reg_out out;

	if (!reg_has_message(&c->flow) || !sip_again_cut(message, &a, &w->msg))
		return false;
	stage_to(&w->stages, RG_STAGE_lease);
	if (!reg_find_again(&w->tokens, &c->flow, &a, &w->view)) {
		stage_to(&w->stages, RG_STAGE_sip);
		return false;
	}
	if (!rate_ok(w, c))
		return true;
	reg_decide_again(&w->cfg->reg, &c->flow, &a.r, tcp_peer(w->tcp, conn_idx(w, c)), &w->view,
			 w->now_ns, &out);
	register_done(w, c, &out, w->view.digest);
	return true;
}

void conn_sip_input(struct worker *w, struct conn *c, struct rg_slice message) {
	stage_to(&w->stages, RG_STAGE_sip);
	if (sip_is_keepalive(message)) { // RFC 5626 3.5.1: the double CRLF is a ping
		if (message.len >= 4)
			conn_ws_send(w, c, WS_TEXT, RG_LIT("\r\n"));
		return;
	}
	rg_stat_inc(w->stats, RG_STAT_sip_messages);
	if (register_again(w, c, message))
		return;
	if (sip_parse(message, &w->msg) != RG_OK) {
		refused_input(w, c, message);
		return;
	}
	if (!rate_ok(w, c))
		return;
	if (w->msg.is_request && w->msg.method == SIP_REGISTER)
		register_input(w, c);
	else
		other_input(w, c);
}

// Without the body, which may be anything.
static struct rg_slice head_of(struct rg_slice message) {
	for (size_t i = 0; i + 4 <= message.len; i++)
		if (memcmp(message.p + i, "\r\n\r\n", 4) == 0)
			return rg_slice(message.p, i);
	return message;
}

// SIP's text is UTF-8 (RFC 3261 7). Of a text message that is known; without it a part of the message
// could not go back in one.
static void sip_event(struct worker *w, struct conn *c, const struct ws_event *ev) {
	if (ev->opcode == WS_TEXT || ws_is_utf8(head_of(ev->data))) {
		conn_sip_input(w, c, ev->data);
		return;
	}
	rg_stat_inc(w->stats, RG_DROP_sip_bad);
	conn_ws_close(w, c, WS_PROTOCOL, "malformed SIP");
}

static void ws_event(struct worker *w, struct conn *c, struct buf *b, struct ws_event *ev) {
	c->pings = 0; // alive, whatever it says
	switch (ev->type) {
	case WS_EV_MESSAGE:
		b->head.since = tick_of(w->now_ns); // what is left in the buffer begins another
		if (c->phase != RG_PHASE_WS)
			break;
		if (c->is_echo)
			hooks_echo(w, c, b, ev);
		else
			sip_event(w, c, ev);
		break;
	case WS_EV_PING:
		if (c->phase == RG_PHASE_WS)
			conn_ws_send(w, c, WS_PONG, ev->data);
		break;
	case WS_EV_PONG:
		break;
	case WS_EV_CLOSE: // RFC 6455 5.5.1: echo, then the server closes first
		conn_ws_close(w, c, ev->close_code == WS_NO_STATUS ? WS_NORMAL : ev->close_code,
			      "");
		if (c->end == END_NO)
			c->end = END_CLOSE;
		break;
	}
}

static void ws_refuse(struct worker *w, struct conn *c, int rc) {
	rg_stat_inc(w->stats, rc == RG_E_LIMIT  ? RG_DROP_ws_too_big
			      : rc == RG_E_UTF8 ? RG_DROP_ws_utf8
						: RG_DROP_ws_bad);
	conn_ws_close(w, c, ws_close_code_of(rc), "");
	if (c->end == END_NO)
		c->end = END_LINGER; // the framing is lost: no close frame can be awaited
}

// Removes drop bytes of b behind the first keep.
static void cut(struct buf *b, size_t keep, size_t drop) {
	b->len -= (uint32_t)drop;
	memmove(b->data + keep, b->data + keep + drop, b->len - keep);
}

void conn_ws_input(struct worker *w, struct conn *c, struct buf *b) {
	struct ws_event ev;
	int rc;

	if (c->has_src)
		return; // an echo is under way
	cut(b, 0, b->head.echo_end);
	b->head.echo_end = 0;
	rc = ws_input(&b->head.ws, &w->ws_limits, b->data, b->len, &ev);
	if (rc < 0) {
		ws_refuse(w, c, rc);
		return;
	}
	if (rc == RG_OK)
		ws_event(w, c, b, &ev);
	stage_to(&w->stages, RG_STAGE_ws);
	cut(b, ev.keep, ev.drop);
}
