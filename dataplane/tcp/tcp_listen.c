// SPDX-License-Identifier: BSD-3-Clause
// The way from nothing to ESTABLISHED: SYNs, the ACK that completes a handshake, and RSTs for what
// belongs to no connection. Runs in a worker. A SYN leaves nothing behind, not even a timer: all of
// it is in the cookie, and a peer that misses our answer sends its SYN again (RFC 4987 3.6).
#include "regate/siphash.h"
#include "tcp/tcp_cookie.h"
#include "tcp/tcp_int.h"

void tcp_listen_syn(struct tcp *t, const struct tcp_rx *rx, const uint32_t *iss_min) {
	const struct tcp_seg *s = &rx->seg;
	struct tcp_cookie_opts opts = {
		.mss = tcp_mss_of(&rx->in->src, s->mss),
		.wscale = s->wscale,
		.has_sack = s->has_sack_ok,
		.has_ts = s->has_ts,
	};
	uint32_t iss = tcp_cookie_make(t->cookie_key, rx->in, s->seq, &opts, rx->now_ns);

	if (iss_min != NULL && !tcp_seq_lt(*iss_min, iss))
		iss ^= TCP_COOKIE_FREE_BIT;
	rg_stat_inc(t->stats, RG_STAT_tcp_segs_in);
	tcp_out_syn_ack(t, rx, iss); // data on a SYN is left for the peer to send again
}

static struct tcp_conn *conn_open(struct tcp *t, const struct tcp_rx *rx,
				  const struct tcp_cookie_opts *opts) {
	const struct tcp_seg *s = &rx->seg;
	struct tcp_conn *c = tcp_conn_new(t, rx->in);

	if (c == NULL)
		return NULL;
	c->state = TCP_ESTABLISHED;
	c->rcv_nxt = s->seq;
	c->snd_una = c->snd_nxt = c->snd_max = s->ack;
	c->recover = s->ack - 1; // RFC 6582 3.2 step 1
	tcp_conn_agree(t, c, opts);
	if (opts->has_ts) {
		c->ts_offset = tcp_ts_offset(t, rx->in);
		tcp_conn_take_ts(c, s, rx->now_ns);
		tcp_ack_rtt(c, (tcp_ts_now(t, c->ts_offset) - s->ts_ecr) * TCP_RTT_PER_MS, 0);
	}
	c->snd_wnd = c->max_wnd = s->wnd;
	c->snd_wl1 = s->seq;
	c->opened_at = tcp_age_clock(rx->now_ns);
	// XXX whether our SYN-ACK was lost is not known, so RFC 5681 3.1 (one segment then) is not
	// followed.
	c->cwnd = tcp_ack_initial_cwnd(c);
	return c;
}

// s.seq and s.ack are those of a third packet: does s.ack - 1 hold a cookie of ours? Its timestamp
// is as old as the cookie, and as hard to guess.
static enum tcp_cookie check_cookie(const struct tcp *t, const struct tcp_rx *rx,
				    struct tcp_cookie_opts *opts) {
	const struct tcp_seg *s = &rx->seg;

	opts->has_ts = s->has_ts;
	if (s->has_ts && tcp_ts_now(t, tcp_ts_offset(t, rx->in)) - s->ts_ecr >
				 2 * TCP_COOKIE_MINUTE_NS / RG_NS_PER_MS)
		return TCP_COOKIE_BAD;
	return tcp_cookie_check(t->cookie_key, rx->in, s->seq - 1, s->ack - 1, opts, rx->now_ns);
}

bool tcp_listen_has_cookie(const struct tcp *t, const struct tcp_rx *rx) {
	struct tcp_cookie_opts opts;

	return check_cookie(t, rx, &opts) == TCP_COOKIE_GOOD;
}

// An ACK for no connection: the third packet of a handshake, or nothing we know.
static void take_ack(struct tcp *t, struct tcp_rx *rx) {
	struct tcp_cookie_opts opts = {0};
	enum tcp_cookie cookie = check_cookie(t, rx, &opts);
	struct tcp_conn *c = cookie == TCP_COOKIE_GOOD ? conn_open(t, rx, &opts) : NULL;

	if (c != NULL) {
		if (tcp_conn_offer(t, c, rx->now_ns))
			tcp_conn_input(t, c, rx);
		return;
	}
	rg_stat_inc(t->stats,
		    cookie == TCP_COOKIE_GOOD ? RG_DROP_tcp_table_full : RG_DROP_tcp_cookie);
	if (cookie != TCP_COOKIE_LATER)
		tcp_out_rst_for(t, rx);
}

// RFC 9293 3.10.7.1 and 3.10.7.2.
void tcp_listen_input(struct tcp *t, struct tcp_rx *rx) {
	const struct tcp_seg *s = &rx->seg;
	bool is_port =
		tcp_is_served(t, rx->in->dst.port) && tcp_local_idx(t, &rx->in->dst) != TCP_NIL;
	uint8_t kind = s->flags & (TCP_SYN | TCP_ACK | TCP_RST);

	if ((s->flags & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN)) {
		rg_stat_inc(t->stats, RG_DROP_tcp_bad);
		return;
	}
	if (is_port && kind == TCP_SYN) {
		tcp_listen_syn(t, rx, NULL);
		return;
	}
	if (is_port && kind == TCP_ACK) {
		take_ack(t, rx);
		return;
	}
	rg_stat_inc(t->stats, is_port ? RG_DROP_tcp_no_conn : RG_DROP_tcp_port);
	if ((s->flags & TCP_RST) == 0 && (!is_port || (s->flags & TCP_ACK) != 0))
		tcp_out_rst_for(t, rx);
}
