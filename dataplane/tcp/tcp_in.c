// SPDX-License-Identifier: BSD-3-Clause
// A segment of a known connection, in the order of RFC 9293 3.10.7.4 with the checks of RFC 5961.
// Runs in a worker. Every op may end the connection, so each step says whether it is still there.
#include "tcp/tcp_int.h"

static bool refuse(struct tcp *t) {
	rg_stat_inc(t->stats, RG_DROP_tcp_window);
	return false;
}

// RFC 5961 3.2.
static bool take_rst(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx) {
	if (rx->seg.seq == c->rcv_nxt) {
		rg_stat_inc(t->stats, RG_DROP_tcp_reset);
		tcp_conn_end(t, c, TCP_END_RESET, rx->now_ns);
		return false;
	}
	if (rx->seg.seq - c->rcv_nxt < tcp_rcv_wnd(t, c))
		tcp_out_challenge(t, c, rx->now_ns);
	return refuse(t);
}

void tcp_conn_take_ts(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now_ns) {
	c->ts_recent = s->ts_val;
	c->ts_age = (uint16_t)(tcp_ms(now_ns) >> 16);
}

// Data below rcv_nxt has come again.
static void note_old(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s) {
	if (tcp_seq_lt(s->seq, c->rcv_nxt))
		tcp_out_note_dup(t, c, s->seq, tcp_min((uint32_t)s->data.len, c->rcv_nxt - s->seq));
}

// RFC 7323 5.3: protection against wrapped sequence numbers. False: it is older than what we have.
static bool check_ts(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx) {
	uint16_t age = (uint16_t)((tcp_ms(rx->now_ns) >> 16) - c->ts_age);

	if ((c->flags & TCP_F_TS) == 0)
		return true;
	if (!rx->seg.has_ts) // 3.2
		return refuse(t);
	if (!tcp_seq_lt(rx->seg.ts_val, c->ts_recent) || age > TCP_TS_STALE)
		return true;
	note_old(t, c, &rx->seg);
	tcp_out_challenge(t, c, rx->now_ns);
	return refuse(t);
}

// RFC 9293 3.10.7.4, first to fourth: is the segment acceptable? Cuts it to the window.
static bool check_sequence(struct tcp *t, struct tcp_conn *c, struct tcp_rx *rx) {
	struct tcp_seg *s = &rx->seg;
	uint32_t wnd = tcp_rcv_wnd(t, c), len = tcp_seg_len(s), room;

	if ((s->flags & TCP_RST) != 0)
		return take_rst(t, c, rx);
	if ((s->flags & TCP_SYN) != 0) { // RFC 5961 4.2
		tcp_out_challenge(t, c, rx->now_ns);
		return refuse(t);
	}
	if (!check_ts(t, c, rx))
		return false;
	note_old(t, c, s);
	if (!tcp_seq_lt(s->seq, c->rcv_nxt + wnd) ||
	    (len == 0 ? tcp_seq_lt(s->seq, c->rcv_nxt) : !tcp_seq_lt(c->rcv_nxt, s->seq + len))) {
		// An old duplicate means that our ACK was lost; only empty segments can loop.
		if (len > 0)
			tcp_out_ack(t, c);
		else
			tcp_out_challenge(t, c, rx->now_ns);
		return refuse(t);
	}
	if ((s->flags & TCP_ACK) == 0)
		return refuse(t);
	// RFC 7323 4.3: while an ACK is held back, the first that it will answer is what it echoes.
	if ((c->flags & TCP_F_TS) != 0 && c->n_unacked == 0 && tcp_seq_leq(s->seq, c->rcv_nxt))
		tcp_conn_take_ts(c, s, rx->now_ns);
	if (tcp_seq_lt(s->seq, c->rcv_nxt)) {
		s->data = rg_skip(s->data, c->rcv_nxt - s->seq);
		s->seq = c->rcv_nxt;
	}
	room = c->rcv_nxt + wnd - s->seq;
	if (s->data.len >= room) {
		s->data.len = room;
		s->flags &= (uint8_t)~TCP_FIN;
	}
	return true;
}

// Our FIN has been acknowledged. False: the connection is done with.
static bool take_fin_acked(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	switch (c->state) {
	case TCP_FIN_WAIT_1:
		c->state = TCP_FIN_WAIT_2;
		tcp_timer_set(t, c, TCP_T_LINGER, TCP_LINGER_MS, now_ns);
		return true;
	case TCP_CLOSING:
		tcp_conn_wait(t, c, now_ns);
		return false;
	case TCP_LAST_ACK:
		tcp_conn_end(t, c, TCP_END_CLOSED, now_ns);
		return false;
	default:
		return true;
	}
}

// Data after our FIN. What the peer had under way (a close_notify, the rest of a request) is taken
// and thrown away, since an RST could destroy our last words on its side (RFC 9112 9.6). One that
// goes on gets it: RFC 9293 3.6.1. False: the connection is gone.
static bool drain_data(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx) {
	if (++c->n_ooo > TCP_DRAIN_SEGS) {
		tcp_conn_reset(t, c, rx->now_ns);
		return false;
	}
	if (rx->seg.seq == c->rcv_nxt)
		c->rcv_nxt += (uint32_t)rx->seg.data.len;
	c->flags |= TCP_F_ACK_NOW;
	return true;
}

// False: the connection is gone.
static bool take_data(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx) {
	const struct tcp_seg *s = &rx->seg;
	uint32_t gen = c->gen;

	if (s->data.len == 0)
		return true;
	if (c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2)
		return drain_data(t, c, rx);
	if (c->state != TCP_ESTABLISHED) // after its FIN: RFC 9293 3.10.7.4, seventh
		return true;
	if (s->seq != c->rcv_nxt) {
		c->flags |= TCP_F_ACK_NOW; // RFC 5681 4.2
		if (!tcp_reasm_add(t, c, s->seq, s->data))
			rg_stat_inc(t->stats, RG_DROP_tcp_no_buffer);
		return true;
	}
	c->rcv_nxt += (uint32_t)s->data.len;
	// RFC 5681 4.2, RFC 9293 3.8.6.3. A client's first small writes wait for each other's ACKs
	// (Nagle, RFC 9293 3.7.4): delaying those would cost every set-up 40 ms.
	if (++c->n_unacked >= 2 || c->ooo != TCP_NIL || c->n_quick < t->cfg.quick_acks)
		c->flags |= TCP_F_ACK_NOW;
	c->n_quick += c->n_quick < t->cfg.quick_acks;
	t->ops.data(t->ops.ctx, tcp_idx(t, c), s->data, rx->now_ns);
	return c->gen == gen && tcp_reasm_deliver(t, c, rx->now_ns);
}

// The peer's FIN, once all data before it has come. False: the connection is done with.
static bool take_fin(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx) {
	uint32_t gen = c->gen, fin_seq = rx->seg.seq + (uint32_t)rx->seg.data.len;
	bool is_fin = (rx->seg.flags & TCP_FIN) != 0;

	if (is_fin)
		c->flags |= TCP_F_ACK_NOW;
	if (is_fin && (c->flags & TCP_F_FIN_QUEUED) == 0) { // else it comes again, as its data does
		c->flags |= TCP_F_PEER_FIN;
		c->fin_seq = fin_seq;
	} else if ((c->flags & TCP_F_PEER_FIN) != 0) {
		is_fin = true;
		fin_seq = c->fin_seq;
	}
	if (!is_fin || fin_seq != c->rcv_nxt)
		return true;
	c->flags &= (uint16_t)~TCP_F_PEER_FIN;
	c->flags |= TCP_F_ACK_NOW; // also when the last of its data came later than it
	switch (c->state) {
	case TCP_ESTABLISHED:
		c->rcv_nxt++;
		c->state = TCP_CLOSE_WAIT;
		tcp_reasm_free(t, c);
		t->ops.peer_closed(t->ops.ctx, tcp_idx(t, c), rx->now_ns);
		return c->gen == gen;
	case TCP_FIN_WAIT_1:
		c->rcv_nxt++;
		c->state = TCP_CLOSING;
		return true;
	case TCP_FIN_WAIT_2:
		c->rcv_nxt++;
		tcp_out_ack(t, c);
		tcp_conn_wait(t, c, rx->now_ns);
		return false;
	default:
		return true;
	}
}

void tcp_conn_input(struct tcp *t, struct tcp_conn *c, struct tcp_rx *rx) {
	uint32_t gen = c->gen, acked;

	if (c->state == TCP_SYN_SENT) {
		tcp_open_input(t, c, rx);
		return;
	}
	if (c->state == TCP_SYN_RECEIVED)
		tcp_open_take_syn_ack(c, rx);
	if (!check_sequence(t, c, rx))
		return;
	if (c->state == TCP_SYN_RECEIVED && !tcp_open_acked(t, c, rx))
		return;
	memcpy(c->mac, rx->in->mac, sizeof(c->mac));
	if (!tcp_ack_input(t, c, rx, &acked))
		return;
	rg_stat_inc(t->stats, RG_STAT_tcp_segs_in);
	if (acked > 0) {
		t->ops.sent(t->ops.ctx, tcp_idx(t, c), rx->now_ns);
		if (c->gen != gen)
			return;
	}
	if ((c->flags & TCP_F_FIN_ACKED) != 0 && !take_fin_acked(t, c, rx->now_ns))
		return;
	if (!take_data(t, c, rx) || !take_fin(t, c, rx))
		return;
	tcp_out_flush(t, c, rx->now_ns);
	if (c->n_unacked > 0)
		tcp_timer_delack(t, c, rx->now_ns);
	tcp_timer_idle(t, c, rx->now_ns);
}
