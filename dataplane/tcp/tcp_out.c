// SPDX-License-Identifier: BSD-3-Clause
// Everything the engine sends: what the windows allow of the send queue, acknowledgements,
// retransmissions, probes, RSTs. Runs in a worker; copies no payload, it lends pieces of chunks.
#include "tcp/tcp_int.h"

static void emit(struct tcp *t, struct tcp_out *o) {
	rg_stat_inc(t->stats, RG_STAT_tcp_segs_out);
	t->ops.output(t->ops.ctx, o);
}

static uint16_t wnd_field(const struct tcp *t, bool has_wscale) {
	return (uint16_t)tcp_min(t->cfg.rcv_wnd >> (has_wscale ? t->rcv_wscale : 0), UINT16_MAX);
}

void tcp_out_note_dup(struct tcp *t, struct tcp_conn *c, uint32_t seq, uint32_t len) {
	if ((c->flags & TCP_F_SACK) == 0 || len == 0)
		return;
	c->flags |= TCP_F_ACK_NOW;
	if (t->dsack_of == c && t->dsack.end == seq) {
		t->dsack.end += len;
	} else if (t->dsack_of == NULL) {
		t->dsack_of = c;
		t->dsack = (struct tcp_range){seq, seq + len};
	}
}

// The SACK blocks that find room beside len bytes of data.
static void put_blocks(struct tcp *t, const struct tcp_conn *c, struct tcp_seg *s, size_t len) {
	unsigned max = TCP_SACK_MAX - s->has_ts;
	bool is_dup = t->dsack_of == c;

	if ((c->flags & TCP_F_SACK) == 0 || (!is_dup && c->ooo == TCP_NIL) ||
	    len + 4 + 8 * TCP_SACK_MAX > c->mss)
		return;
	if (is_dup) { // RFC 2883 section 4: first
		s->sack[0] = t->dsack;
		t->dsack_of = NULL;
	}
	s->n_sack = (uint8_t)(is_dup + tcp_reasm_blocks(t, c, s->sack + is_dup, max - is_dup));
}

// Sends a segment of c; pos says where its `len` bytes are. It carries the ACK that was due.
static void send_segment(struct tcp *t, struct tcp_conn *c, uint32_t seq, uint8_t flags,
			 struct tcp_pos *pos, size_t len) {
	struct tcp_out o;
	struct tcp_seg s = {.seq = seq,
			    .ack = c->rcv_nxt,
			    .wnd = wnd_field(t, (c->flags & TCP_F_WSCALE) != 0),
			    .flags = flags | TCP_ACK,
			    .wscale = TCP_WSCALE_NONE,
			    .has_ts = (c->flags & TCP_F_TS) != 0};

	if (s.has_ts) {
		s.ts_val = tcp_ts_now(t, c->ts_offset);
		s.ts_ecr = c->ts_recent;
	}
	put_blocks(t, c, &s, len);
	o.src = tcp_local(t, c);
	o.dst = c->peer;
	o.mac = c->mac;
	o.data_len = len;
	o.n_data = len == 0 ? 0
			    : tcp_sndq_get(&t->pool, pos, o.data, sizeof(o.data) / sizeof(*o.data),
					   &o.data_len);
	tcp_hdr_put(&o, &s);
	c->flags &= (uint16_t) ~(TCP_F_ACK_NOW | TCP_F_DELACK);
	c->n_unacked = 0;
	emit(t, &o);
}

void tcp_out_ack(struct tcp *t, struct tcp_conn *c) {
	// RFC 9293 3.10.7.4 names SND.NXT: what the peer holds for our next byte.
	send_segment(t, c, c->timer == TCP_T_WINDOW ? c->snd_nxt : c->snd_max, 0, NULL, 0);
}

bool tcp_may_challenge(struct tcp_ration *r, uint64_t now_ns) {
	uint8_t now = tcp_ms(now_ns) >> 10 & 15;

	if (r->at != now)
		*r = (struct tcp_ration){.at = now};
	if (r->n >= TCP_CHALLENGES_PER_S)
		return false;
	r->n++;
	return true;
}

void tcp_out_challenge(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	if (tcp_may_challenge(&c->challenges, now_ns))
		tcp_out_ack(t, c);
}

void tcp_out_syn_ack(struct tcp *t, const struct tcp_rx *rx, uint32_t iss) {
	struct tcp_out o = {.src = rx->in->dst, .dst = rx->in->src, .mac = rx->in->mac};
	struct tcp_seg s = {.seq = iss,
			    .ack = rx->seg.seq + 1,
			    .wnd = (uint16_t)tcp_min(t->cfg.rcv_wnd, UINT16_MAX),
			    .flags = TCP_SYN | TCP_ACK,
			    .mss = tcp_our_mss(t, &rx->in->src),
			    .wscale = TCP_WSCALE_NONE,
			    .has_sack_ok = rx->seg.has_sack_ok,
			    .has_ts = rx->seg.has_ts};

	if (s.has_ts) {
		s.ts_val = tcp_ts_now(t, tcp_ts_offset(t, rx->in));
		s.ts_ecr = rx->seg.ts_val;
	}
	if (rx->seg.wscale != TCP_WSCALE_NONE)
		s.wscale = t->rcv_wscale;
	tcp_hdr_put(&o, &s);
	emit(t, &o);
}

void tcp_out_syn(struct tcp *t, struct tcp_conn *c) {
	bool is_ack = c->state == TCP_SYN_RECEIVED;
	uint16_t flags = is_ack ? c->flags : TCP_F_SACK | TCP_F_TS | TCP_F_WSCALE; // offers all
	struct tcp_out o = {.src = tcp_local(t, c), .dst = c->peer, .mac = c->mac};
	struct tcp_seg s = {.seq = c->snd_una,
			    .ack = is_ack ? c->rcv_nxt : 0,
			    .wnd = wnd_field(t, false),
			    .flags = is_ack ? TCP_SYN | TCP_ACK : TCP_SYN,
			    .mss = tcp_our_mss(t, &c->peer),
			    .wscale = (flags & TCP_F_WSCALE) != 0 ? t->rcv_wscale : TCP_WSCALE_NONE,
			    .has_sack_ok = (flags & TCP_F_SACK) != 0,
			    .has_ts = (flags & TCP_F_TS) != 0,
			    .ts_val = tcp_ts_now(t, c->ts_offset),
			    .ts_ecr = is_ack ? c->ts_recent : 0};

	tcp_hdr_put(&o, &s);
	emit(t, &o);
}

void tcp_out_wait_ack(struct tcp *t, const struct tcp_wait *r, const struct tcp_rx *rx) {
	struct tcp_out o = {.src = r->local, .dst = r->peer, .mac = rx->in->mac};
	struct tcp_seg s = {.seq = r->snd_max,
			    .ack = r->rcv_nxt,
			    .wnd = wnd_field(t, r->has_wscale),
			    .flags = TCP_ACK,
			    .wscale = TCP_WSCALE_NONE,
			    .has_ts = r->has_ts,
			    .ts_ecr = r->ts_recent};

	if (s.has_ts)
		s.ts_val = tcp_ts_now(t, tcp_ts_offset(t, rx->in));
	tcp_hdr_put(&o, &s);
	emit(t, &o);
}

void tcp_out_rst(struct tcp *t, struct tcp_conn *c) {
	// The peer takes only an RST at exactly its next byte (RFC 5961 3.2); bytes that were sent
	// are assumed to have arrived, a window probe is assumed to have been refused.
	send_segment(t, c, c->timer == TCP_T_WINDOW ? c->snd_nxt : c->snd_max, TCP_RST, NULL, 0);
}

void tcp_out_rst_for(struct tcp *t, const struct tcp_rx *rx) {
	struct tcp_out o = {.src = rx->in->dst, .dst = rx->in->src, .mac = rx->in->mac};
	struct tcp_seg s = {.flags = TCP_RST, .wscale = TCP_WSCALE_NONE};

	// RFC 9293 3.10.7.1
	if ((rx->seg.flags & TCP_ACK) != 0) {
		s.seq = rx->seg.ack;
	} else {
		s.flags |= TCP_ACK;
		s.ack = rx->seg.seq + tcp_seg_len(&rx->seg);
	}
	tcp_hdr_put(&o, &s);
	emit(t, &o);
}

static uint16_t coarse(uint64_t now_ns) { // of 256 ms
	return (uint16_t)(tcp_ms(now_ns) >> 8);
}

// The next segment from snd_nxt.
struct plan {
	uint32_t len;
	bool is_fin;
};

// What the congestion window allows to be sent beyond snd_nxt.
static uint32_t cwnd_room(const struct tcp *t, const struct tcp_conn *c) {
	uint32_t cwnd = c->cwnd, pipe = c->snd_nxt - c->snd_una;

	if ((c->flags & TCP_F_SACK) != 0)
		pipe = tcp_sack_pipe(t, c);
	else if ((c->flags & TCP_F_RECOVERY) == 0 && c->snd_nxt == c->snd_max)
		// RFC 3042: the first two duplicate ACKs each let one new segment out, none again.
		cwnd += tcp_min(c->n_dupacks, 2) * c->mss;
	return cwnd > pipe ? cwnd - pipe : 0;
}

// False: nothing may be sent now.
static bool plan_next(const struct tcp *t, const struct tcp_conn *c, struct plan *p) {
	uint32_t flight = c->snd_nxt - c->snd_una, wnd = tcp_snd_wnd(c), avail, usable;

	if (flight > c->q.len) // the FIN is out too
		return false;
	usable = wnd > flight ? wnd - flight : 0;
	usable = tcp_min(usable, cwnd_room(t, c));
	avail = c->q.len - flight;
	p->len = tcp_min(tcp_min(avail, usable), c->mss);
	if (c->board != TCP_NIL && tcp_seq_lt(c->snd_nxt, c->snd_max))
		p->len = tcp_min(p->len, tcp_sack_gap(t, c, c->snd_nxt).end - c->snd_nxt);
	p->is_fin = (c->flags & TCP_F_FIN_QUEUED) != 0 && p->len == avail && wnd > flight + p->len;
	if (p->len == 0)
		return p->is_fin;
	// RFC 9293 3.8.6.2.1: no silly segments. The end of the queue goes at once: each
	// tcp_send() is a whole record, so Nagle's delay would gain nothing.
	return p->len == c->mss || p->len == avail ||
	       p->len >= ((uint32_t)c->max_wnd << c->snd_wscale) / 2 ||
	       tcp_seq_lt(c->snd_nxt, c->snd_max);
}

// Where in the queue snd_nxt is.
static struct tcp_pos next_pos(const struct tcp *t, const struct tcp_conn *c) {
	return tcp_sndq_at(&c->q, &t->pool, tcp_min(c->snd_nxt - c->snd_una, c->q.len));
}

// pos is that of snd_nxt, and moves along.
static void send_next(struct tcp *t, struct tcp_conn *c, struct plan p, struct tcp_pos *pos,
		      uint64_t now_ns) {
	uint32_t seq = c->snd_nxt;
	uint8_t flags = p.is_fin ? TCP_FIN : 0;

	if (p.len > 0 && seq - c->snd_una + p.len == c->q.len)
		flags |= TCP_PSH;
	if (seq != c->snd_max) {
		rg_stat_inc(t->stats, RG_STAT_tcp_retransmits);
	} else if ((c->flags & (TCP_F_TIMED | TCP_F_TS)) == 0) {
		c->flags |= TCP_F_TIMED;
		c->rtt_seq = seq;
		c->rtt_at_us = (uint32_t)(now_ns / RG_NS_PER_US);
	}
	c->snd_nxt += p.len + p.is_fin;
	if (tcp_seq_lt(c->snd_max, c->snd_nxt))
		c->snd_max = c->snd_nxt;
	c->sent_at = coarse(now_ns);
	send_segment(t, c, seq, flags, pos, p.len);
}

// Is there something that only waits for the window?
static bool is_held_back(const struct tcp_conn *c) {
	return c->snd_nxt == c->snd_una && (c->q.len > 0 || (c->flags & TCP_F_FIN_QUEUED) != 0);
}

// After a time-out: what the peer has told us since that it has is not sent again. False: snd_nxt
// is where it was.
static bool skip_sacked(struct tcp *t, struct tcp_conn *c) {
	uint32_t old = c->snd_nxt;

	if (c->board == TCP_NIL || !tcp_seq_lt(c->snd_nxt, c->snd_max))
		return false;
	c->snd_nxt = tcp_sack_gap(t, c, old).seq;
	return c->snd_nxt != old;
}

// RFC 6675 section 5, step C, but for new data.
static void fill_holes(struct tcp *t, struct tcp_conn *c, bool is_any, uint64_t now_ns) {
	struct tcp_range hole;

	while (cwnd_room(t, c) >= c->mss && tcp_sack_next(t, c, is_any, &hole))
		tcp_sack_resent(t, c,
				hole.seq + tcp_out_resend(t, c, hole.seq, hole.end - hole.seq,
							  now_ns));
	if (is_any && cwnd_room(t, c) >= c->mss && tcp_sack_rescue(t, c, &hole))
		tcp_out_resend(t, c, hole.seq, hole.end - hole.seq, now_ns);
}

static void send_new(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	struct tcp_pos pos = {.chunk = TCP_NIL};
	struct plan p;
	bool has_pos = false; // finding it walks over all that is in flight

	for (;;) {
		has_pos = !skip_sacked(t, c) && has_pos;
		if (!plan_next(t, c, &p))
			return;
		if (!has_pos)
			pos = next_pos(t, c);
		has_pos = true;
		send_next(t, c, p, &pos, now_ns);
		if (c->timer != TCP_T_RTO) {
			if (c->timer == TCP_T_WINDOW)
				c->n_backoff = 0;
			tcp_progress(c); // or of keep-alive
			tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns);
		}
	}
}

void tcp_out_flush(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	if (tcp_is_sending(c)) {
		bool has_holes = c->board != TCP_NIL && (c->flags & TCP_F_RECOVERY) != 0;

		// RFC 5681 4.1: the path may have changed while we were silent.
		if (c->snd_nxt == c->snd_una &&
		    (uint16_t)(coarse(now_ns) - c->sent_at) > tcp_timer_base_ms(c) / 256 + 1)
			tcp_set_cwnd(c, tcp_min(c->cwnd, tcp_ack_initial_cwnd(c)));
		if (has_holes)
			fill_holes(t, c, false, now_ns);
		send_new(t, c, now_ns);
		if (has_holes)
			fill_holes(t, c, true, now_ns);
		if (c->timer != TCP_T_WINDOW && is_held_back(c)) {
			c->n_retries = c->n_backoff = 0;
			tcp_timer_set(t, c, TCP_T_WINDOW, tcp_timer_rto_ms(c), now_ns);
		} else if (c->snd_nxt != c->snd_una && c->timer != TCP_T_RTO &&
			   c->timer != TCP_T_WINDOW) {
			// SACK led on over what counted as lost: only its word says that it came.
			tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns);
		}
	}
	if ((c->flags & TCP_F_ACK_NOW) != 0)
		tcp_out_ack(t, c);
}

uint32_t tcp_out_resend(struct tcp *t, struct tcp_conn *c, uint32_t seq, uint32_t len,
			uint64_t now_ns) {
	uint32_t off = seq - c->snd_una, sent = c->snd_max - c->snd_una;
	uint32_t data = tcp_min(c->q.len, sent);
	struct tcp_pos pos = tcp_sndq_at(&c->q, &t->pool, tcp_min(off, c->q.len));
	bool is_fin;

	data = data > off ? tcp_min(tcp_min(data - off, len), c->mss) : 0;
	// What was sent beyond the queue is the FIN.
	is_fin = off + data == c->q.len && sent > c->q.len;
	rg_stat_inc(t->stats, RG_STAT_tcp_retransmits);
	c->flags &= (uint16_t)~TCP_F_TIMED; // Karn: RFC 6298 section 3
	c->sent_at = coarse(now_ns);
	send_segment(t, c, seq, is_fin ? TCP_FIN : 0, &pos, data);
	return data + is_fin;
}

// An old sequence number: whoever lives must answer.
void tcp_out_keepalive(struct tcp *t, struct tcp_conn *c) {
	send_segment(t, c, c->snd_nxt - 1, 0, NULL, 0);
}

// RFC 9293 3.8.6.1: an octet beyond the window, or whatever the window does allow. snd_nxt stays:
// the octet counts as not sent until it is acknowledged.
void tcp_out_probe(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	struct plan p = {.len = tcp_min(tcp_min(c->q.len, tcp_snd_wnd(c)), c->mss)};
	struct tcp_pos pos;

	c->snd_nxt = c->snd_una; // SACK may have led it on, over what the peer can take back
	pos = next_pos(t, c);
	if (p.len > 0) { // held back to avoid a silly segment: time is up
		send_next(t, c, p, &pos, now_ns);
		tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns);
		return;
	}
	if (c->snd_max == c->snd_nxt)
		c->snd_max++;
	c->flags &= (uint16_t)~TCP_F_TIMED;
	send_segment(t, c, c->snd_nxt, c->q.len == 0 ? TCP_FIN : TCP_PSH, &pos, c->q.len > 0);
}
