// SPDX-License-Identifier: BSD-3-Clause
// The way from tcp_connect() to ESTABLISHED: our SYN, its answer, and the other side's SYN when both
// open at once. Runs in a worker. Lost SYNs are the retransmission timer's, as lost data is. Data on
// a SYN is not taken (RFC 9293 3.10.7.3 would keep it): it comes again.
#include <errno.h>

#include "tcp/tcp_cookie.h"
#include "tcp/tcp_int.h"

// RFC 6528: a clock of 4 us, and a secret that tells apart what the clock must not join.
static uint32_t iss_for(const struct tcp *t, const struct tcp_in *in, uint64_t now_ns) {
	return (uint32_t)(rg_siphash_flow(t->iss_key, &in->src, &in->dst) + now_ns / 4096);
}

int tcp_connect(struct tcp *t, const struct rg_addr *local, const struct rg_addr *peer,
		const uint8_t mac[6], uint64_t now_ns, uint32_t *idx) {
	struct tcp_in in = {.src = *peer, .dst = *local};
	struct tcp_wait *r;
	struct tcp_conn *c;

	t->now_ns = now_ns;
	if (tcp_local_idx(t, local) == TCP_NIL)
		return -EADDRNOTAVAIL;
	memcpy(in.mac, mac, sizeof(in.mac));
	tcp_rx_hash(t, &in);
	r = tcp_wait_find(t, &in, in.hash);
	if (tcp_conn_find(t, &in, in.hash) != NULL || (r != NULL && r->is_time_wait))
		return -EADDRINUSE;
	c = tcp_conn_new(t, &in);
	if (c == NULL)
		return -ENOBUFS;
	if (r != NULL)
		tcp_wait_del(t, r);
	c->state = TCP_SYN_SENT;
	c->flags = TCP_F_ACTIVE;
	c->snd_una = iss_for(t, &in, now_ns);
	c->snd_nxt = c->snd_max = c->snd_una + 1;
	c->recover = c->snd_una;
	c->ts_offset = tcp_ts_offset(t, &in);
	c->opened_at = tcp_age_clock(now_ns);
	tcp_timer_set(t, c, TCP_T_RTO, TCP_RTO_INIT_MS, now_ns);
	tcp_out_syn(t, c);
	*idx = tcp_idx(t, c);
	return 0;
}

// The round trip of the SYN, when it was sent once; its timestamp tells it in any case.
static void measure(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint32_t sent_ms) {
	if ((c->flags & TCP_F_TS) != 0 && (s->flags & TCP_ACK) != 0)
		sent_ms = s->ts_ecr - c->ts_offset;
	else if (c->n_retries > 0)
		return;
	if (tcp_ms(t->now_ns) - sent_ms <= TCP_RTO_MAX_MS)
		tcp_ack_rtt(c, (tcp_ms(t->now_ns) - sent_ms) * TCP_RTT_PER_MS, 0);
}

// RFC 5681 3.1, RFC 6298 5.7: a lost SYN is a loss.
static void start_sending(struct tcp *t, struct tcp_conn *c) {
	c->cwnd = c->n_retries == 0 ? tcp_ack_initial_cwnd(c) : c->mss;
	if (c->n_retries > 0 && c->srtt == 0) { // 3 s
		c->srtt = 1000 * TCP_RTT_PER_MS;
		c->rttvar = 500 * TCP_RTT_PER_MS;
	}
	c->n_retries = c->n_backoff = 0;
	c->state = TCP_ESTABLISHED;
	tcp_timer_stop(t, c);
}

// The peer's SYN: where it begins, and what it says.
static void take_syn(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx) {
	const struct tcp_seg *s = &rx->seg;
	// No timestamp was sent before our first SYN, and the timer was set with it.
	uint32_t sent_ms = c->timer_at_ms - 1 - TCP_RTO_INIT_MS;

	tcp_conn_agree(t, c,
		       &(struct tcp_cookie_opts){.mss = tcp_mss_of(&c->peer, s->mss),
						 .wscale = s->wscale,
						 .has_sack = s->has_sack_ok,
						 .has_ts = s->has_ts});
	memcpy(c->mac, rx->in->mac, sizeof(c->mac));
	c->rcv_nxt = s->seq + 1;
	c->snd_wnd = c->max_wnd = s->wnd >> c->snd_wscale; // RFC 7323 2.2: this one is not scaled
	c->snd_wl1 = s->seq;
	if ((s->flags & TCP_ACK) != 0)
		measure(t, c, s, sent_ms);
	if (s->has_ts)
		tcp_conn_take_ts(c, s, rx->now_ns);
}

static void drop(struct tcp *t) {
	rg_stat_inc(t->stats, RG_DROP_tcp_window);
}

// RFC 9293 3.10.7.3.
void tcp_open_input(struct tcp *t, struct tcp_conn *c, struct tcp_rx *rx) {
	const struct tcp_seg *s = &rx->seg;
	bool has_ack = (s->flags & TCP_ACK) != 0;

	if (has_ack && s->ack != c->snd_nxt) {
		drop(t);
		if ((s->flags & TCP_RST) == 0)
			tcp_out_rst_for(t, rx);
		return;
	}
	if ((s->flags & TCP_RST) != 0 && has_ack) {
		rg_stat_inc(t->stats, RG_DROP_tcp_reset);
		tcp_conn_end(t, c, TCP_END_RESET, rx->now_ns);
		return;
	}
	if ((s->flags & (TCP_RST | TCP_SYN | TCP_FIN)) != TCP_SYN) {
		drop(t);
		return;
	}
	rg_stat_inc(t->stats, RG_STAT_tcp_segs_in);
	take_syn(t, c, rx); // data on it is left for the peer to send again
	if (!has_ack) {
		c->state = TCP_SYN_RECEIVED;
		tcp_out_syn(t, c);
		return;
	}
	c->snd_una = s->ack;
	start_sending(t, c);
	c->flags |= TCP_F_ACK_NOW;
	if (!tcp_conn_offer(t, c, rx->now_ns))
		return;
	tcp_out_flush(t, c, rx->now_ns);
	tcp_timer_idle(t, c, rx->now_ns);
}

// RFC 9293 figure 8: by its number it lies in front of the window, but it tells all we wait for.
void tcp_open_take_syn_ack(struct tcp_conn *c, struct tcp_rx *rx) {
	struct tcp_seg *s = &rx->seg;

	if ((s->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != (TCP_SYN | TCP_ACK) ||
	    s->seq + 1 != c->rcv_nxt || s->ack != c->snd_nxt)
		return;
	s->flags &= (uint8_t)~TCP_SYN;
	s->seq++;
	s->wnd >>= c->snd_wscale;
	c->flags |= TCP_F_ACK_NOW; // so that the peer knows as well, should our SYN-ACK be lost
}

// RFC 9293 3.10.7.4, fifth.
bool tcp_open_acked(struct tcp *t, struct tcp_conn *c, struct tcp_rx *rx) {
	if (rx->seg.ack != c->snd_nxt) {
		drop(t);
		tcp_out_rst_for(t, rx);
		return false;
	}
	c->snd_una = rx->seg.ack;
	start_sending(t, c);
	return tcp_conn_offer(t, c, rx->now_ns);
}
