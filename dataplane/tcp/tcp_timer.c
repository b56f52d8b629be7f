// SPDX-License-Identifier: BSD-3-Clause
// Timers of connections over the wheel. Runs in a worker. A deadline that moves later leaves the
// wheel alone: the entry comes out at its old time, or when it moves to a finer level, and is put
// back. Only an earlier deadline moves it, and one that goes away with nothing left to wait for.
#include "tcp/tcp_int.h"

#define MAX_SHIFT 15

// When the held back ACK is due.
static uint32_t delack_at_ms(const struct tcp_conn *c, uint32_t now_ms) {
	return now_ms + (uint32_t)(int16_t)(c->delack_at - (uint16_t)now_ms);
}

// The earliest deadline of c. False: none.
static bool earliest(const struct tcp_conn *c, uint32_t now_ms, uint32_t *at_ms) {
	bool has_main = c->timer != TCP_T_NONE, has_ack = (c->flags & TCP_F_DELACK) != 0;
	uint32_t ack_at_ms = delack_at_ms(c, now_ms);

	*at_ms = has_ack && (!has_main || tcp_seq_lt(ack_at_ms, c->timer_at_ms)) ? ack_at_ms
										 : c->timer_at_ms;
	return has_main || has_ack;
}

static void schedule(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	uint32_t at_ms;

	if (!earliest(c, tcp_ms(now_ns), &at_ms))
		return;
	if (c->link.slot != 0) {
		if (!tcp_seq_lt(at_ms, (uint32_t)tcp_wheel_at_ms(&t->wheel, tcp_idx(t, c))))
			return;
		tcp_wheel_del(&t->wheel, tcp_idx(t, c));
	}
	tcp_wheel_add(&t->wheel, tcp_idx(t, c), at_ms, now_ns / RG_NS_PER_MS);
}

// Who has closed waits no longer than this for all to be acknowledged, whatever the peer does to
// look alive: a byte from time to time, a window that opens by one.
static uint32_t closing_left_ms(const struct tcp_conn *c, uint32_t now_ms) {
	uint32_t age_ms = now_ms - c->closed_at_ms;

	if ((c->flags & (TCP_F_FIN_QUEUED | TCP_F_FIN_ACKED)) != TCP_F_FIN_QUEUED)
		return UINT32_MAX;
	return age_ms < TCP_CLOSING_MS ? TCP_CLOSING_MS - age_ms : 0;
}

void tcp_timer_set(struct tcp *t, struct tcp_conn *c, enum tcp_timer what, uint32_t in_ms,
		   uint64_t now_ns) {
	in_ms = tcp_min(in_ms, closing_left_ms(c, tcp_ms(now_ns)));
	c->timer = what;
	c->timer_at_ms = tcp_ms(now_ns) + in_ms + 1; // now_ns is rounded down: never early
	schedule(t, c, now_ns);
}

// Taken out of the wheel at once: c and those armed just before and after it are in the cache now,
// and would not be when their time has come.
void tcp_timer_stop(struct tcp *t, struct tcp_conn *c) {
	c->timer = TCP_T_NONE;
	if (c->link.slot != 0 && (c->flags & TCP_F_DELACK) == 0)
		tcp_wheel_del(&t->wheel, tcp_idx(t, c));
}

void tcp_timer_idle(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	// Who closes waits for something all the time.
	if (t->cfg.keepalive_s == 0 || (c->timer != TCP_T_NONE && c->timer != TCP_T_KEEP))
		return;
	c->n_retries = 0;
	tcp_timer_set(t, c, TCP_T_KEEP, t->cfg.keepalive_s * 1000, now_ns);
}

void tcp_timer_delack(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	if ((c->flags & TCP_F_DELACK) != 0)
		return;
	c->flags |= TCP_F_DELACK;
	c->delack_at = (uint16_t)(tcp_ms(now_ns) + TCP_DELACK_MS);
	schedule(t, c, now_ns);
}

uint32_t tcp_timer_base_ms(const struct tcp_conn *c) {
	uint32_t rto = c->srtt + tcp_max(4u * c->rttvar, TCP_RTT_PER_MS);

	if (c->srtt == 0)
		return TCP_RTO_INIT_MS;
	rto = (rto + TCP_RTT_PER_MS - 1) / TCP_RTT_PER_MS;
	return tcp_min(tcp_max(rto, TCP_RTO_MIN_MS), TCP_RTO_MAX_MS);
}

uint32_t tcp_timer_rto_ms(const struct tcp_conn *c) {
	return tcp_min(tcp_timer_base_ms(c) << tcp_min(c->n_backoff, MAX_SHIFT), TCP_RTO_MAX_MS);
}

static void on_window(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	bool is_closed = (c->flags & TCP_F_FIN_QUEUED) != 0;

	if (c->q.len == 0 && !is_closed) {
		tcp_timer_stop(t, c);
		tcp_timer_idle(t, c, now_ns);
		return;
	}
	// A window may stay closed for ever, but not unanswered, and not once nobody up here waits.
	if (++c->n_retries > TCP_MAX_RETRIES || (is_closed && c->n_backoff > TCP_MAX_RETRIES)) {
		rg_stat_inc(t->stats, RG_DROP_tcp_timeout);
		tcp_conn_end(t, c, TCP_END_TIMEOUT, now_ns);
		return;
	}
	c->n_backoff += c->n_backoff < MAX_SHIFT;
	tcp_timer_set(t, c, TCP_T_WINDOW, tcp_timer_rto_ms(c), now_ns);
	tcp_out_probe(t, c, now_ns);
}

// RFC 6298 5.4 to 5.7, RFC 5681 3.1.
static void on_rto(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	uint32_t flight = tcp_min(c->snd_nxt - c->snd_una, c->cwnd);

	if (++c->n_retries > TCP_MAX_RETRIES) {
		rg_stat_inc(t->stats, RG_DROP_tcp_timeout);
		tcp_conn_end(t, c, TCP_END_TIMEOUT, now_ns);
		return;
	}
	if (c->state < TCP_ESTABLISHED) {
		c->n_backoff += c->n_backoff < MAX_SHIFT;
		tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns);
		rg_stat_inc(t->stats, RG_STAT_tcp_retransmits);
		tcp_out_syn(t, c);
		return;
	}
	c->recover = c->snd_max; // RFC 6582 3.2 step 4
	c->flags &= (uint16_t) ~(TCP_F_RECOVERY | TCP_F_TIMED);
	c->n_dupacks = 0;
	c->snd_nxt = c->snd_una; // what is out there counts as lost
	tcp_sack_free(t, c);     // RFC 2018 section 8: the peer may have thrown it away
	if (c->snd_wnd == 0) {   // the peer took its window back: no congestion, so probe
		c->n_retries = c->n_backoff = 0;
		tcp_timer_set(t, c, TCP_T_WINDOW, tcp_timer_rto_ms(c), now_ns);
		tcp_out_probe(t, c, now_ns);
		return;
	}
	// RFC 2923 2.1: a path that swallows large packets, and the ICMP errors about them too.
	if (c->n_retries == 2 && c->q.len >= c->mss)
		c->mss = (uint16_t)tcp_min(c->mss, TCP_MSS_NARROW);
	if (c->n_retries == 1) // equation (4), but only once for the same loss
		c->ssthresh = tcp_max(flight / 2, 2u * c->mss);
	c->cwnd = c->mss;
	c->n_backoff += c->n_backoff < MAX_SHIFT;
	tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns);
	tcp_out_flush(t, c, now_ns);
}

static void on_linger(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	tcp_conn_end(t, c, TCP_END_TIMEOUT, now_ns); // FIN-WAIT-2: the peer never closed
}

static void on_closing_end(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	rg_stat_inc(t->stats, RG_DROP_tcp_timeout);
	tcp_out_rst(t, c);
	tcp_conn_end(t, c, TCP_END_TIMEOUT, now_ns);
}

static void on_keep(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) { // RFC 9293 3.8.4
	if (++c->n_retries > TCP_KEEP_PROBES) {
		rg_stat_inc(t->stats, RG_DROP_tcp_timeout);
		tcp_conn_end(t, c, TCP_END_TIMEOUT, now_ns);
		return;
	}
	tcp_timer_set(t, c, TCP_T_KEEP, TCP_KEEP_MS, now_ns);
	tcp_out_keepalive(t, c);
}

static void fire(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	uint32_t now_ms = tcp_ms(now_ns), gen = c->gen;

	if ((c->flags & TCP_F_DELACK) != 0 && tcp_seq_leq(delack_at_ms(c, now_ms), now_ms))
		tcp_out_ack(t, c);
	if (c->timer != TCP_T_NONE && tcp_seq_leq(c->timer_at_ms, now_ms)) {
		if (closing_left_ms(c, now_ms) == 0)
			on_closing_end(t, c, now_ns);
		else if (c->timer == TCP_T_LINGER)
			on_linger(t, c, now_ns);
		else if (c->timer == TCP_T_WINDOW)
			on_window(t, c, now_ns);
		else if (c->timer == TCP_T_KEEP)
			on_keep(t, c, now_ns);
		else
			on_rto(t, c, now_ns);
	}
	if (c->gen == gen)
		schedule(t, c, now_ns);
}

void tcp_tick(struct tcp *t, uint64_t now_ns, unsigned budget) {
	uint32_t idx;

	t->now_ns = now_ns;
	while ((idx = tcp_wheel_pop(&t->wheel, now_ns / RG_NS_PER_MS, &budget)) != TCP_NIL)
		fire(t, &t->conns[idx], now_ns);
	tcp_wait_tick(t, now_ns, budget);
}
