// SPDX-License-Identifier: BSD-3-Clause
// What an acknowledgement does: round-trip time (RFC 6298), congestion control (RFC 5681, NewReno
// of RFC 6582, SACK of RFC 6675, initial window of RFC 6928), the peer's window. Runs in a worker; sends nothing new,
// retransmits one segment at most.
#include "tcp/tcp_int.h"

// flight: bytes that were out when it was measured. With timestamps each of their ACKs measures,
// and so counts for less (RFC 7323 appendix G).
void tcp_ack_rtt(struct tcp_conn *c, uint32_t rtt, uint32_t flight) {
	int32_t r = (int32_t)tcp_min(tcp_max(rtt, 1), UINT16_MAX), delta = r - c->srtt, n = 1;

	c->flags &= (uint16_t)~TCP_F_TIMED;
	c->n_backoff = 0; // RFC 6298 section 5: a new measurement ends the back-off
	if ((c->flags & TCP_F_TS) != 0)
		n = (int32_t)tcp_max((flight + 2u * c->mss - 1) / (2u * c->mss), 1);
	if (c->srtt == 0) { // RFC 6298 2.2
		c->srtt = (uint16_t)r;
		c->rttvar = (uint16_t)(r / 2);
		return;
	}
	// RFC 6298 2.3
	c->rttvar = (uint16_t)(c->rttvar + ((delta < 0 ? -delta : delta) - c->rttvar) / (4 * n));
	c->srtt = (uint16_t)tcp_max((uint32_t)(c->srtt + delta / (8 * n)), 1);
}

// The round-trip time that this acknowledgement of something new shows, if it does.
static void measure(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint32_t flight) {
	uint32_t ms, us;

	if ((c->flags & TCP_F_TS) != 0) { // RFC 7323 4.1
		ms = tcp_ts_now(t, c->ts_offset) - s->ts_ecr;
		if (s->has_ts && ms <= TCP_RTO_MAX_MS)
			tcp_ack_rtt(c, ms * TCP_RTT_PER_MS, flight);
	} else if ((c->flags & TCP_F_TIMED) != 0 && tcp_seq_lt(c->rtt_seq, s->ack)) {
		us = (uint32_t)(t->now_ns / RG_NS_PER_US) - c->rtt_at_us;
		tcp_ack_rtt(c, us / (1000 / TCP_RTT_PER_MS), flight);
	}
}

uint32_t tcp_ack_initial_cwnd(const struct tcp_conn *c) {
	return tcp_min(10u * c->mss, tcp_max(2u * c->mss, 14600)); // RFC 6928 section 2
}

static void halve(struct tcp_conn *c) { // RFC 5681 equation (4)
	uint32_t flight = tcp_min(c->snd_nxt - c->snd_una, c->cwnd);

	c->ssthresh = tcp_max(flight / 2, 2u * c->mss);
}

static void take_duplicate(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	c->n_dupacks += c->n_dupacks < TCP_DUPACKS_MAX;
	if ((c->flags & TCP_F_RECOVERY) != 0) { // RFC 6582 3.2 step 4 of RFC 5681
		c->cwnd = tcp_min(c->cwnd + c->mss, TCP_CWND_MAX);
		return;
	}
	// RFC 6582 3.2 step 2: duplicates of what an earlier recovery sent again say nothing new.
	if (c->n_dupacks != 3 || tcp_seq_leq(c->snd_una, c->recover))
		return;
	halve(c);
	c->recover = c->snd_max;
	c->flags |= TCP_F_RECOVERY;
	c->flags &= (uint16_t)~TCP_F_PARTIAL;
	c->cwnd = c->ssthresh + 3u * c->mss;
	tcp_out_resend(t, c, c->snd_una, c->mss, now_ns);
	tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns);
}

// RFC 6675 section 5. What is sent again after the first segment, tcp_out_flush() finds out.
static void take_sack(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint64_t now_ns) {
	struct tcp_range hole;

	if (!tcp_sack_take(t, c, s) || (c->flags & TCP_F_RECOVERY) != 0)
		return;
	c->n_dupacks += c->n_dupacks < TCP_DUPACKS_MAX;
	// Section 5.1: not again for what a time-out has already sent again.
	if ((c->n_dupacks < 3 && !tcp_sack_is_lost(t, c)) || tcp_seq_lt(c->snd_una, c->recover) ||
	    c->timer != TCP_T_RTO)
		return;
	halve(c);
	c->recover = c->snd_max;
	c->flags |= TCP_F_RECOVERY;
	c->cwnd = c->ssthresh;
	tcp_sack_enter(t, c);
	hole = tcp_sack_gap(t, c, c->snd_una);
	tcp_sack_resent(t, c,
			hole.seq + tcp_out_resend(t, c, hole.seq, hole.end - hole.seq, now_ns));
	tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns);
}

// Growth only while the window was what held us back, RFC 7661 section 3 in its simplest form.
static void grow(struct tcp_conn *c, uint32_t acked, uint32_t flight) {
	uint32_t cwnd = c->cwnd;

	if (cwnd < c->ssthresh && 2 * flight >= cwnd) // RFC 5681 equation (2)
		cwnd += tcp_min(acked, c->mss);
	else if (cwnd >= c->ssthresh && flight + c->mss > cwnd) // equation (3)
		cwnd += tcp_max((uint32_t)c->mss * c->mss / cwnd, 1);
	tcp_set_cwnd(c, tcp_min(cwnd, TCP_CWND_MAX));
}

// RFC 6582 3.2 step 3. True: the retransmission timer starts anew.
static bool recover(struct tcp *t, struct tcp_conn *c, uint32_t acked, uint64_t now_ns) {
	bool is_first = (c->flags & TCP_F_PARTIAL) == 0;
	uint32_t cwnd;

	if (!tcp_seq_lt(c->snd_una, c->recover)) {
		uint32_t flight = c->snd_nxt - c->snd_una;

		c->cwnd = tcp_min(c->ssthresh, tcp_max(flight, c->mss) + c->mss);
		c->flags &= (uint16_t)~TCP_F_RECOVERY;
		c->n_dupacks = 0;
		return true;
	}
	if ((c->flags & TCP_F_SACK) != 0)
		return true; // the scoreboard knows what is missing
	c->flags |= TCP_F_PARTIAL;
	cwnd = c->cwnd > acked ? c->cwnd - acked : 0;
	c->cwnd = tcp_max(cwnd + (acked >= c->mss ? c->mss : 0), c->mss);
	tcp_out_resend(t, c, c->snd_una, c->mss, now_ns);
	return is_first;
}

// ack is above snd_una. Returns the bytes of data it took off the queue.
static uint32_t take_new(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s,
			 uint64_t now_ns) {
	uint32_t ack = s->ack, acked = ack - c->snd_una, flight = c->snd_nxt - c->snd_una;
	uint32_t bytes = tcp_min(acked, c->q.len);
	bool is_timer_due = true;

	measure(t, c, s, flight);
	if (acked > bytes)
		c->flags |= TCP_F_FIN_ACKED;
	tcp_sndq_ack(&c->q, &t->pool, bytes);
	c->snd_una = ack;
	if (tcp_seq_lt(c->snd_nxt, ack))
		c->snd_nxt = ack;
	tcp_progress(c);
	if ((c->flags & TCP_F_RECOVERY) != 0) {
		is_timer_due = recover(t, c, acked, now_ns);
	} else {
		c->n_dupacks = 0;
		grow(c, acked, flight);
	}
	tcp_sack_trim(t, c);
	if (c->timer == TCP_T_RTO && c->snd_nxt == c->snd_una)
		tcp_timer_stop(t, c); // RFC 6298 5.2
	else if (c->timer == TCP_T_RTO && is_timer_due)
		tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns); // 5.3
	return bytes;
}

bool tcp_ack_input(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx, uint32_t *acked) {
	const struct tcp_seg *s = &rx->seg;
	bool is_new;

	*acked = 0;
	// RFC 5961 5.2: neither for what was never sent, nor older than a window.
	if (tcp_seq_lt(c->snd_max, s->ack) ||
	    tcp_seq_lt(s->ack, c->snd_una - ((uint32_t)c->max_wnd << c->snd_wscale))) {
		rg_stat_inc(t->stats, RG_DROP_tcp_window);
		tcp_out_challenge(t, c, rx->now_ns);
		return false;
	}
	if (c->timer == TCP_T_WINDOW)
		c->n_retries = 0; // RFC 9293 3.8.6.1: it answers, so it may stay closed
	is_new = tcp_seq_lt(c->snd_una, s->ack);
	if (is_new)
		*acked = take_new(t, c, s, rx->now_ns);
	else if ((c->flags & TCP_F_SACK) == 0 && s->ack == c->snd_una && tcp_seg_len(s) == 0 &&
		 s->wnd == c->snd_wnd && c->timer == TCP_T_RTO) // RFC 5681 section 2
		take_duplicate(t, c, rx->now_ns);
	// RFC 9293 3.10.7.4: only the newest segment speaks for the window. Sequence
	// numbers do not tell when something is sent again, a higher acknowledgement does.
	if (is_new || tcp_seq_lt(c->snd_wl1, s->seq) ||
	    (c->snd_wl1 == s->seq && s->ack == c->snd_una)) {
		c->snd_wnd = s->wnd;
		c->snd_wl1 = s->seq;
		c->max_wnd = (uint16_t)tcp_max(c->max_wnd, s->wnd);
	}
	if ((c->flags & TCP_F_SACK) != 0 && s->n_sack > 0)
		take_sack(t, c, s, rx->now_ns);
	return true;
}
