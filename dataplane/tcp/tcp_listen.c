// SPDX-License-Identifier: BSD-3-Clause
// The way from nothing to ESTABLISHED: SYNs, the ACK that completes a handshake, and RSTs for what
// belongs to no connection. Runs in a worker. A half-open connection is a slot, of which there may
// be max_half; the oldest makes room for the next.
#include "tcp/tcp_int.h"

#include "regate/siphash.h"

// RFC 6528: a 4 us clock plus a secret function of the 4-tuple.
static uint32_t initial_seq(const struct tcp *t, const struct tcp_in *in, uint64_t now_ns) {
	return (uint32_t)(now_ns / 4000) +
	       (uint32_t)rg_siphash_flow(t->isn_key, &in->src, &in->dst);
}

// Opens a half-open connection. iss_min: the initial sequence number is at least this, modulo 2^32;
// NULL when there was no connection before it.
static void take_syn(struct tcp *t, const struct tcp_rx *rx, const uint32_t *iss_min) {
	const struct tcp_seg *s = &rx->seg;
	struct tcp_conn *c = t->n_half < t->max_half ? tcp_conn_new(t, rx->in) : NULL;

	// RFC 4987 3.5: who is there answers within a round trip, so the oldest is of a flood.
	if (c == NULL && t->half.head != TCP_NIL) {
		rg_stat_inc(t->stats, RG_DROP_tcp_table_full);
		tcp_conn_free(t, &t->conns[t->half.head]);
		c = tcp_conn_new(t, rx->in);
	}
	if (c == NULL) {
		rg_stat_inc(t->stats, RG_DROP_tcp_table_full);
		return;
	}
	rg_stat_inc(t->stats, RG_STAT_tcp_segs_in);
	tcp_half_add(t, c);
	c->rcv_nxt = s->seq + 1; // data on a SYN is left for the peer to send again
	c->snd_una = initial_seq(t, rx->in, rx->now_ns);
	if (iss_min != NULL && tcp_seq_lt(c->snd_una, *iss_min))
		c->snd_una = *iss_min;
	c->snd_nxt = c->snd_max = c->snd_una + 1;
	c->recover = c->snd_una; // RFC 6582 3.2 step 1
	c->mss = s->mss == 0 ? TCP_MSS_DEFAULT : s->mss;
	c->mss = (uint16_t)tcp_min(tcp_max(c->mss, TCP_MSS_MIN), t->cfg.mss);
	if (s->wscale != TCP_WSCALE_NONE) {
		c->flags |= TCP_F_WSCALE;
		c->snd_wscale = s->wscale;
	}
	c->rto_us = TCP_RTO_INIT_MS * 1000;
	c->flags |= TCP_F_TIMED;
	c->rtt_at_us = (uint32_t)(rx->now_ns / RG_NS_PER_US);
	tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), rx->now_ns);
	tcp_out_syn_ack(t, c);
}

// RFC 9293 3.10.7.1 and 3.10.7.2.
void tcp_listen_input(struct tcp *t, const struct tcp_rx *rx) {
	const struct tcp_seg *s = &rx->seg;
	bool is_port = rx->in->dst.port == t->cfg.listen_port;

	if ((s->flags & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN)) {
		rg_stat_inc(t->stats, RG_DROP_tcp_bad);
		return;
	}
	if (is_port && (s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		take_syn(t, rx, NULL);
		return;
	}
	rg_stat_inc(t->stats, is_port ? RG_DROP_tcp_no_conn : RG_DROP_tcp_port);
	if ((s->flags & TCP_RST) == 0 && (!is_port || (s->flags & TCP_ACK) != 0))
		tcp_out_rst_for(t, rx);
}

bool tcp_listen_reuse(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx) {
	// RFC 9293 3.6.1, RFC 6191 section 2 without timestamps: beyond all that the old one saw,
	// and our numbers go on beyond all that it sent.
	uint32_t iss_min = c->snd_max + UINT16_MAX;

	if ((rx->seg.flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) != TCP_SYN ||
	    !tcp_seq_lt(c->rcv_nxt, rx->seg.seq))
		return false;
	tcp_conn_free(t, c);
	take_syn(t, rx, &iss_min);
	return true;
}

bool tcp_listen_establish(struct tcp *t, struct tcp_conn *c, const struct tcp_rx *rx) {
	const struct tcp_seg *s = &rx->seg;
	bool is_refused;

	if (s->ack != c->snd_nxt) { // RFC 9293 3.10.7.4, fifth, SYN-RECEIVED
		rg_stat_inc(t->stats, RG_DROP_tcp_window);
		tcp_out_rst_for(t, rx);
		return false;
	}
	tcp_half_del(t, c);
	c->state = TCP_ESTABLISHED;
	c->snd_una = s->ack;
	c->snd_wnd = c->max_wnd = (uint32_t)s->wnd << c->snd_wscale;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	c->n_retries = c->n_backoff = 0;
	if ((c->flags & TCP_F_TIMED) != 0)
		tcp_ack_rtt(c, rx->now_ns);
	else
		c->rto_us = TCP_RTO_INIT_LOST_MS * 1000;
	c->cwnd = tcp_ack_initial_cwnd(c);
	c->ssthresh = TCP_SSTHRESH_INIT;
	tcp_timer_stop(c);

	c->flags |= TCP_F_IN_OPENED;
	is_refused = t->ops.opened(t->ops.ctx, tcp_idx(t, c), rx->now_ns) != 0;
	c->flags &= (uint16_t)~TCP_F_IN_OPENED;
	if (!is_refused) {
		rg_stat_inc(t->stats, RG_STAT_tcp_opened);
		c->flags |= TCP_F_UP;
	}
	if (is_refused || (c->flags & TCP_F_ABORT) != 0) {
		tcp_conn_reset(t, c, rx->now_ns);
		return false;
	}
	return true;
}
