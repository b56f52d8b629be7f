// SPDX-License-Identifier: BSD-3-Clause
// What routers say of our segments: path MTU (RFC 1191, RFC 8201) and unreachable peers (RFC 5461),
// believed as far as RFC 5927 lets them. Runs in a worker.
//
// A path MTU is kept per connection and never raised again.
// XXX a connection whose path was narrow once goes on with small segments to its end.
#include "tcp/tcp_int.h"

// The least MTU that is believed: forged ones must not make us send dust. RFC 8200 section 5; for
// IPv4 what Linux takes, RFC 791's 68 is found nowhere.
#define MTU_MIN_V4 552
#define MTU_MIN_V6 1280
#define MTU_UNKNOWN 1024 // when a router of before RFC 1191 does not say: below most tunnels

static uint16_t mss_for(const struct tcp_conn *c, uint32_t mtu) {
	bool is_v4 = rg_addr_is_v4(&c->peer);

	mtu = tcp_max(mtu == 0 ? MTU_UNKNOWN : mtu, is_v4 ? MTU_MIN_V4 : MTU_MIN_V6);
	mtu -= (is_v4 ? 20 : 40) + TCP_HDR_LEN;
	return (uint16_t)tcp_min(mtu - ((c->flags & TCP_F_TS) != 0 ? TCP_TS_LEN : 0), UINT16_MAX);
}

// All in flight goes again, cut anew, but what the peer has told us it has. No congestion: the
// window stays (RFC 8201 5.4).
static void send_again(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	if ((c->flags & TCP_F_RECOVERY) != 0)
		c->cwnd = tcp_max(c->ssthresh, c->mss); // what duplicates inflated
	c->recover = c->snd_max;
	c->flags &= (uint16_t) ~(TCP_F_RECOVERY | TCP_F_PARTIAL | TCP_F_TIMED);
	c->n_dupacks = 0;
	c->snd_nxt = c->snd_una;
	tcp_timer_set(t, c, TCP_T_RTO, tcp_timer_rto_ms(c), now_ns);
	tcp_out_flush(t, c, now_ns);
}

// True: it changed something. The connection may be gone.
static bool take_error(struct tcp *t, struct tcp_conn *c, const struct tcp_error *e,
		       uint64_t now_ns) {
	if (e->seq - c->snd_una >= c->snd_max - c->snd_una)
		return false;
	if (e->kind == TCP_ICMP_HARD && c->state < TCP_ESTABLISHED) {
		rg_stat_inc(t->stats, RG_DROP_tcp_unreachable);
		tcp_conn_end(t, c, TCP_END_UNREACHABLE, now_ns);
		return true;
	}
	if (e->kind != TCP_ICMP_TOO_BIG || mss_for(c, e->mtu) >= c->mss)
		return false;
	rg_stat_inc(t->stats, RG_STAT_tcp_path_mtu);
	c->mss = mss_for(c, e->mtu);
	if (c->timer == TCP_T_RTO && tcp_is_sending(c))
		send_again(t, c, now_ns);
	return true;
}

void tcp_icmp_error(struct tcp *t, const struct tcp_error *e, uint64_t now_ns) {
	struct tcp_in in = {.src = e->peer, .dst = e->local};
	struct tcp_conn *c;

	t->now_ns = now_ns;
	tcp_rx_hash(t, &in);
	c = tcp_conn_find(t, &in, in.hash);
	if (c == NULL || !take_error(t, c, e, now_ns))
		rg_stat_inc(t->stats, RG_DROP_tcp_icmp);
}
