// SPDX-License-Identifier: BSD-3-Clause
// The TCP engine between four peers that know the rules and keep them as the input says: segments
// relative to where a connection stands, time, and the calls from above. Both streams are functions of
// the sequence number, so any byte that is delivered or sent can be held against it. After each step
// the counts are in bounds; at the end everything has been given back.
#include <arpa/inet.h>
#include <stdlib.h>

#include "fuzz.h"
#include "tcp/tcp_int.h"

#define N_PEERS 4
#define N_CONNS 3 // one peer finds the table full
#define N_BUFFERS 12
#define MSS 1460
#define SND_MAX 8192

struct peer {
	uint32_t isn, snd_nxt; // ours, as the peer
	uint32_t rcv_nxt;      // behind the last byte of the engine's
	uint32_t right_edge;   // of the window that was ever offered
	uint32_t ts_ecr;       // the engine's last timestamp
	uint8_t wscale;        // the largest of its SYNs: the engine may know of any
	bool has_ts;
};

struct conn { // as the upper layer knows it
	bool is_up, is_closed, is_peer_closed;
	uint32_t gen;
	uint32_t rcv_nxt; // the next byte that may be delivered
	uint32_t snd_nxt; // the next one that will be queued
};

struct world {
	struct tcp *t;
	struct rg_stats stats;
	struct tcp_cfg cfg;
	uint64_t now_ns;
	struct peer peers[N_PEERS];
	struct conn conns[N_CONNS];
	uint8_t react; // what the ops do
	const struct tcp_seg *in_hand;
	unsigned n_up;
};

static uint8_t peer_byte(uint32_t seq) {
	return (uint8_t)(seq * 151 + (seq >> 8));
}

static uint8_t our_byte(uint32_t seq) {
	return (uint8_t)(seq * 37 + (seq >> 9) + 1);
}

static void check_counts(const struct world *w) {
	FUZZ_CHECK(tcp_n_conns(w->t) <= N_CONNS && tcp_n_conns(w->t) >= w->n_up);
	FUZZ_CHECK(tcp_n_free_buffers(w->t) <= N_BUFFERS);
	FUZZ_CHECK(tcp_n_time_wait(w->t) <= w->cfg.max_time_wait);
	for (uint32_t i = 0; i < N_CONNS; i++) {
		if (!w->conns[i].is_up)
			continue;
		FUZZ_CHECK(tcp_gen(w->t, i) == w->conns[i].gen);
		FUZZ_CHECK(tcp_send_room(w->t, i) <= SND_MAX);
		FUZZ_CHECK(!w->conns[i].is_closed || !tcp_is_open(w->t, i));
	}
}

static void send_some(struct world *w, uint32_t idx, size_t n) {
	static uint8_t b[2 * SND_MAX];
	struct conn *c = &w->conns[idx];
	size_t room = tcp_send_room(w->t, idx);
	int rc;

	for (size_t i = 0; i < n; i++)
		b[i] = our_byte(c->snd_nxt + (uint32_t)i);
	c->snd_nxt += (uint32_t)n; // it may leave before tcp_send() returns
	rc = tcp_send(w->t, idx, rg_slice(b, n), w->now_ns);
	if (c->is_closed)
		FUZZ_CHECK(rc == RG_E_STALE);
	else
		FUZZ_CHECK(n > room ? rc < 0 : rc == 0);
	if (rc != 0)
		c->snd_nxt -= (uint32_t)n;
}

static void react(struct world *w, uint32_t idx) {
	struct conn *c = &w->conns[idx];

	if (w->react == 1 && !c->is_closed)
		send_some(w, idx, 700);
	else if (w->react == 2) {
		c->is_closed = true;
		tcp_close(w->t, idx, w->now_ns);
	} else if (w->react == 3)
		tcp_abort(w->t, idx, w->now_ns);
}

static struct world *of(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct world *w = ctx;

	FUZZ_CHECK(idx < N_CONNS && now_ns == w->now_ns);
	return w;
}

static int on_opened(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct world *w = of(ctx, idx, now_ns);
	struct conn *c = &w->conns[idx];

	FUZZ_CHECK(!c->is_up && w->in_hand != NULL);
	*c = (struct conn){.is_up = true,
			   .gen = tcp_gen(w->t, idx),
			   .rcv_nxt = w->in_hand->seq,
			   .snd_nxt = w->in_hand->ack};
	if (w->react == 4) {
		c->is_up = false;
		return -1;
	}
	w->n_up++;
	if (w->react == 1)
		send_some(w, idx, 300);
	return 0;
}

static void on_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t now_ns) {
	struct world *w = of(ctx, idx, now_ns);
	struct conn *c = &w->conns[idx];

	FUZZ_CHECK(c->is_up && !c->is_peer_closed && !c->is_closed && d.len > 0);
	for (size_t i = 0; i < d.len; i++)
		FUZZ_CHECK(d.p[i] == peer_byte(c->rcv_nxt++));
	react(w, idx);
}

static void on_sent(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct world *w = of(ctx, idx, now_ns);

	FUZZ_CHECK(w->conns[idx].is_up);
	if (w->react != 1)
		react(w, idx);
}

static void on_peer_closed(void *ctx, uint32_t idx, uint64_t now_ns) {
	struct world *w = of(ctx, idx, now_ns);

	FUZZ_CHECK(w->conns[idx].is_up && !w->conns[idx].is_peer_closed);
	w->conns[idx].is_peer_closed = true;
	react(w, idx);
}

static void on_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t now_ns) {
	struct world *w = of(ctx, idx, now_ns);

	FUZZ_CHECK(w->conns[idx].is_up && why <= TCP_END_ABORTED);
	w->conns[idx].is_up = false;
	w->n_up--;
}

static void take_output(struct world *w, struct peer *pr, const struct tcp_seg *s,
			const struct tcp_out *o) {
	uint32_t at = s->seq, end = s->seq + tcp_seg_len(s);

	for (unsigned i = 0; i < o->n_data; i++)
		for (size_t k = 0; k < o->data[i].len; k++)
			FUZZ_CHECK(o->data[i].p[k] == our_byte(at++));
	FUZZ_CHECK(at == s->seq + o->data_len);
	if ((s->flags & TCP_SYN) != 0) {
		FUZZ_CHECK((s->flags & TCP_ACK) != 0 && o->data_len == 0);
		pr->rcv_nxt = end;
		pr->right_edge = end;
	} else if (o->data_len > 1) { // one byte may be a window probe
		FUZZ_CHECK(tcp_seq_leq(at, pr->right_edge));
	}
	if ((s->flags & TCP_RST) == 0 && tcp_seq_lt(pr->rcv_nxt, end))
		pr->rcv_nxt = end;
	if (s->has_ts)
		pr->ts_ecr = s->ts_val;
	(void)w;
}

static void on_output(void *ctx, const struct tcp_out *o) {
	struct world *w = ctx;
	uint8_t head[60];
	size_t n_data = 0;
	struct tcp_seg s;

	FUZZ_CHECK(o->header_len >= TCP_HDR_LEN && o->header_len <= 60 && o->n_data <= 4);
	memcpy(head, o->header, o->header_len);
	FUZZ_CHECK(tcp_hdr_parse(rg_slice(head, o->header_len), &s) == RG_OK);
	FUZZ_CHECK(s.data.len == 0 && head[16] == 0 && head[17] == 0);
	FUZZ_CHECK(o->src.port == w->cfg.listen_port && o->mac[0] == 0x52);
	for (unsigned i = 0; i < o->n_data; i++)
		n_data += o->data[i].len;
	FUZZ_CHECK(n_data == o->data_len && o->header_len - TCP_HDR_LEN + n_data <= MSS);
	FUZZ_CHECK((s.flags & TCP_RST) == 0 || n_data == 0);
	if (o->dst.port >= 1000 && o->dst.port < 1000 + N_PEERS)
		take_output(w, &w->peers[o->dst.port - 1000], &s, o);
}

// A segment of a peer's; its data is what the stream says at that place.
static void input(struct world *w, unsigned who, struct tcp_seg *s, struct rg_slice opts,
		  size_t n_data) {
	static uint8_t b[60 + 3000];
	struct rg_wr wr = rg_wr(b, sizeof(b));
	struct tcp_in in = {.src = rg_addr_v4(htonl(0x0a000001), (uint16_t)(1000 + who)),
			    .dst = rg_addr_v4(htonl(0x0a000002), w->cfg.listen_port),
			    .mac = {0x52}};

	rg_put_be(&wr, in.src.port, 2);
	rg_put_be(&wr, in.dst.port, 2);
	rg_put_be(&wr, s->seq, 4);
	rg_put_be(&wr, s->ack, 4);
	rg_put_be(&wr, (TCP_HDR_LEN + opts.len) / 4 << 4, 1);
	rg_put_be(&wr, s->flags, 1);
	rg_put_be(&wr, s->wnd, 2);
	rg_put_be(&wr, 0, 4);
	rg_put(&wr, opts);
	for (size_t i = 0; i < n_data; i++)
		rg_putc(&wr, (char)peer_byte(s->seq + ((s->flags & TCP_SYN) != 0) + (uint32_t)i));
	in.seg = fuzz_guard(0, rg_wr_slice(&wr));
	w->in_hand = s;
	tcp_input(w->t, &in, w->now_ns);
	w->in_hand = NULL;
}

static void step_syn(struct world *w, struct rg_rd *rd, unsigned who) {
	struct peer *pr = &w->peers[who];
	uint8_t what = (uint8_t)rg_rd_be(rd, 1), wscale;
	uint8_t mem[40];
	struct rg_wr opts = rg_wr(mem, sizeof(mem));
	struct tcp_seg s = {.flags = TCP_SYN, .wnd = 65535};

	pr->isn += 0x01000001u * (what >> 6); // 0: the same SYN again
	wscale = what & 1 ? (uint8_t)(what >> 1 & 7) : 0;
	pr->wscale = wscale > pr->wscale ? wscale : pr->wscale;
	pr->has_ts = (what & 16) != 0;
	s.seq = pr->isn;
	rg_put_be(&opts, 0x02040000 | (what & 2 ? 1460 : what & 4 ? 88 : 536), 4);
	if ((what & 1) != 0)
		rg_put_be(&opts, 0x01030300 | wscale, 4);
	if ((what & 32) != 0)
		rg_put_be(&opts, 0x01010402, 4);
	if (pr->has_ts) {
		rg_put_be(&opts, 0x0101080a, 4);
		rg_put_be(&opts, w->now_ns / RG_NS_PER_MS, 4);
		rg_put_be(&opts, 0, 4);
	}
	pr->snd_nxt = pr->isn + 1;
	input(w, who, &s, rg_wr_slice(&opts), what & 8 ? 10 : 0);
}

static void put_sack(struct rg_wr *opts, const struct peer *pr, struct rg_rd *rd) {
	unsigned n = (unsigned)rg_rd_be(rd, 1) % 4;

	if (n == 0)
		return;
	rg_put_be(opts, 0x01010500 | (2 + 8 * n), 4);
	for (unsigned i = 0; i < n; i++) {
		uint32_t from = pr->rcv_nxt - (uint32_t)rg_rd_be(rd, 2);

		rg_put_be(opts, from, 4);
		rg_put_be(opts, from + (uint32_t)rg_rd_be(rd, 2), 4);
	}
}

// A segment near where the connection stands, as far off as the script wants.
static void step_segment(struct world *w, struct rg_rd *rd, unsigned who) {
	static const uint8_t flags[8] = {
		TCP_ACK,           TCP_ACK, TCP_PSH | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST,
		TCP_RST | TCP_ACK, 0,       TCP_SYN | TCP_ACK};
	struct peer *pr = &w->peers[who];
	uint8_t what = (uint8_t)rg_rd_be(rd, 1);
	uint8_t mem[60];
	struct rg_wr opts = rg_wr(mem, sizeof(mem));
	size_t n_data = what & 8 ? (size_t)rg_rd_be(rd, 2) % 1461 : 0;
	struct tcp_seg s = {.flags = flags[what & 7], .seq = pr->snd_nxt, .ack = pr->rcv_nxt};
	uint32_t edge;

	s.wnd = (uint16_t)(what & 16 ? rg_rd_be(rd, 2) : 65535);
	if ((what & 32) != 0)
		s.seq += (uint32_t)(int16_t)rg_rd_be(rd, 2);
	if ((what & 64) != 0)
		s.ack -= (uint32_t)(int16_t)rg_rd_be(rd, 2);
	if (pr->has_ts) {
		rg_put_be(&opts, 0x0101080a, 4);
		rg_put_be(&opts, w->now_ns / RG_NS_PER_MS - (what & 128 ? rg_rd_be(rd, 2) : 0), 4);
		rg_put_be(&opts, pr->ts_ecr, 4);
	}
	if ((what & 128) != 0)
		put_sack(&opts, pr, rd);
	edge = s.ack + ((uint32_t)s.wnd << pr->wscale);
	if ((s.flags & TCP_ACK) != 0 && tcp_seq_lt(pr->right_edge, edge))
		pr->right_edge = edge;
	if (opts.len > 40)
		opts.len = 40;
	if ((what & 32) == 0)
		pr->snd_nxt += (uint32_t)n_data + ((s.flags & TCP_FIN) != 0);
	input(w, who, &s, rg_wr_slice(&opts), n_data);
}

// Options as they come, sensible or not.
static void step_options(struct world *w, struct rg_rd *rd, unsigned who) {
	struct peer *pr = &w->peers[who];
	uint8_t what = (uint8_t)rg_rd_be(rd, 1);
	struct rg_slice opts = rg_rd_bytes(rd, (size_t)(what % 11) * 4);
	struct tcp_seg s = {.flags = what & 64 ? TCP_SYN : TCP_ACK,
			    .seq = what & 64 ? pr->isn : pr->snd_nxt,
			    .ack = pr->rcv_nxt,
			    .wnd = 1000};

	if ((what & 64) != 0)
		pr->wscale = TCP_WSCALE_MAX; // perhaps
	if (tcp_seq_lt(pr->right_edge, s.ack + (1000u << pr->wscale)))
		pr->right_edge = s.ack + (1000u << pr->wscale);
	input(w, who, &s, opts, 0);
}

static void let_pass(struct world *w, uint64_t ns) {
	uint64_t end_ns = w->now_ns + ns;
	unsigned n = 0;

	while (tcp_next_deadline(w->t) <= end_ns) {
		uint64_t at = tcp_next_deadline(w->t);

		FUZZ_CHECK(n++ < 100000); // a timer that fires for ever
		w->now_ns = at > w->now_ns ? at : w->now_ns;
		tcp_tick(w->t, w->now_ns, 16);
		check_counts(w);
	}
	w->now_ns = end_ns;
}

static void step_upper(struct world *w, struct rg_rd *rd, unsigned who) {
	uint8_t what = (uint8_t)rg_rd_be(rd, 1);
	uint32_t idx = who % N_CONNS;

	if ((what & 0xc0) == 0xc0) {
		w->react = what % 5;
		return;
	}
	if (!w->conns[idx].is_up)
		return;
	if ((what & 0xc0) == 0x80) {
		w->conns[idx].is_closed = true;
		tcp_close(w->t, idx, w->now_ns);
	} else if ((what & 0xc0) == 0x40) {
		tcp_abort(w->t, idx, w->now_ns);
	} else {
		send_some(w, idx, (size_t)rg_rd_be(rd, 2) % (SND_MAX + 100));
	}
}

static void run(struct world *w, struct rg_rd *rd) {
	for (unsigned n = 0; n < 200 && !rd->bad && rd->p < rd->end; n++) {
		uint8_t op = (uint8_t)rg_rd_be(rd, 1);
		unsigned who = op >> 3 & 3;

		switch (op & 7) {
		case 0:
			step_syn(w, rd, who);
			break;
		case 1:
		case 2:
		case 3:
			step_segment(w, rd, who);
			break;
		case 4:
			step_options(w, rd, who);
			break;
		case 5:
			let_pass(w, rg_rd_be(rd, 1) * (op & 0x80 ? RG_NS_PER_S : RG_NS_PER_MS));
			break;
		default:
			step_upper(w, rd, who);
			break;
		}
		check_counts(w);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct rg_addr local = rg_addr_v4(htonl(0x0a000002), 0);
	struct world w = {.cfg = {.max_conns = N_CONNS,
				  .n_buffers = N_BUFFERS,
				  .locals = &local,
				  .n_locals = 1,
				  .listen_port = 443,
				  .mss = MSS,
				  .rcv_wnd = 16384,
				  .snd_max = SND_MAX,
				  .quick_acks = 4,
				  .max_time_wait = 2,
				  .secret = "0123456789abcdef0123456789abcde"},
			  .now_ns = 1000 * RG_NS_PER_S};
	const struct tcp_ops ops = {&w,      on_output,      on_opened, on_data,
				    on_sent, on_peer_closed, on_ended};
	struct rg_rd rd = rg_rd(rg_slice(p, len));

	w.t = tcp_new(&w.cfg, &ops, &w.stats);
	FUZZ_CHECK(w.t != NULL);
	for (unsigned i = 0; i < N_PEERS; i++)
		w.peers[i] = (struct peer){.isn = 0xfffff000u + i * 0x10000};
	run(&w, &rd);
	w.react = 0;
	for (uint32_t i = 0; i < N_CONNS; i++)
		if (w.conns[i].is_up)
			tcp_abort(w.t, i, w.now_ns);
	let_pass(&w, 200 * RG_NS_PER_S);
	FUZZ_CHECK(w.n_up == 0 && tcp_n_conns(w.t) == 0 && tcp_n_time_wait(w.t) == 0);
	FUZZ_CHECK(tcp_n_free_buffers(w.t) == N_BUFFERS && tcp_next_deadline(w.t) == RG_NEVER);
	FUZZ_CHECK(rg_stat_get(&w.stats, RG_STAT_tcp_opened) ==
		   rg_stat_get(&w.stats, RG_STAT_tcp_closed));
	tcp_free(w.t);
	return 0;
}
