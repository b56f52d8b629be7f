// SPDX-License-Identifier: BSD-3-Clause
// Our TCP engine against itself over the link of the TCP model test: one opens connections by
// tcp_connect(), the other listens, or opens as well in the same instant. Each byte is checked both
// ways, and that both give everything back.
#include "tcp_model.h"

struct end { // of one connection, at one side
	bool is_up, is_over, has_peer_fin, has_closed, is_first_to_close;
	uint32_t idx, n_got, n_sent;
	uint32_t n_in, n_out; // bytes in all
};

struct side {
	struct world *w;
	struct tcp *t;
	struct rg_stats stats;
	bool is_listener;
	unsigned peer_of[8]; // by the engine's index
	struct end ends[N_PEERS];
};

static unsigned peer_of(struct side *s, uint32_t idx) {
	return s->is_listener ? tcp_peer(s->t, idx)->port - 1000u : s->peer_of[idx];
}

static uint8_t byte_at(const struct side *s, unsigned peer, bool is_from_us, uint32_t i) {
	return pattern(&s->w->peers[peer], s->is_listener == is_from_us, i);
}

static void pump(struct side *s, unsigned peer) {
	struct world *w = s->w;
	struct end *e = &s->ends[peer];
	uint8_t b[5000];

	while (e->is_up && !e->has_closed && e->n_sent < e->n_out) {
		size_t room = tcp_send_room(s->t, e->idx), n = 1 + rnd(w, sizeof(b));

		n = n < e->n_out - e->n_sent ? n : e->n_out - e->n_sent;
		n = n < room ? n : room;
		if (n == 0)
			return;
		for (size_t i = 0; i < n; i++)
			b[i] = byte_at(s, peer, true, e->n_sent + (uint32_t)i);
		e->n_sent += (uint32_t)n; // first: the call comes back to us
		MUST(tcp_send(s->t, e->idx, rg_slice(b, n), w->now_ns) == 0);
	}
	// Whoever closes first waits for the data of the other, or it would be thrown away.
	if (e->is_up && !e->has_closed && e->n_sent == e->n_out &&
	    (e->has_peer_fin || (e->is_first_to_close && e->n_got == e->n_in))) {
		e->has_closed = true;
		tcp_close(s->t, e->idx, w->now_ns);
	}
}

static int on_opened(void *ctx, uint32_t idx, uint64_t) {
	struct side *s = ctx;
	struct world *w = s->w;
	unsigned peer = peer_of(s, idx);
	struct end *e = &s->ends[peer];

	MUST(peer < w->n_peers && !e->is_up && !e->is_over);
	e->is_up = true;
	e->idx = idx;
	pump(s, peer);
	return 0;
}

static void on_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t) {
	struct side *s = ctx;
	unsigned peer = peer_of(s, idx);
	struct end *e = &s->ends[peer];

	MUST(e->is_up && !e->has_peer_fin && d.len > 0 && e->n_got + d.len <= e->n_in);
	if (s->is_listener && e->n_got == 0 && d.p[0] != byte_at(s, peer, false, 0)) {
		// Of packets that overtake the third, one in 65536 passes for it (tcp_cookie.c).
		// Whoever reads the stream ends it; how often that is, the test's end looks at.
		s->w->n_overtaken++;
		s->w->peers[peer].is_given_up = true;
		tcp_abort(s->t, idx, s->w->now_ns);
		return;
	}
	for (size_t i = 0; i < d.len; i++)
		MUST(d.p[i] == byte_at(s, peer, false, e->n_got + (uint32_t)i));
	e->n_got += (uint32_t)d.len;
	pump(s, peer);
}

static void on_sent(void *ctx, uint32_t idx, uint64_t) {
	pump(ctx, peer_of(ctx, idx));
}

static void on_peer_closed(void *ctx, uint32_t idx, uint64_t) {
	struct side *s = ctx;
	unsigned peer = peer_of(s, idx);

	MUST(s->ends[peer].is_up && !s->ends[peer].has_peer_fin);
	MUST(s->ends[peer].n_got == s->ends[peer].n_in);
	s->ends[peer].has_peer_fin = true;
	pump(s, peer);
}

static void on_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t) {
	struct side *s = ctx;
	struct world *w = s->w;
	unsigned peer = peer_of(s, idx);
	struct end *e = &s->ends[peer];

	MUST(!e->is_over);
	e->is_up = false;
	e->is_over = true;
	w->n_ended++;
	if (why == TCP_END_TIMEOUT)
		w->peers[peer].is_given_up = true;
	if (w->peers[peer].is_given_up) // the other side may hear of it by RST, or not at all
		return;
	// The last ACK may get lost again and again, until the other's TIME-WAIT is over.
	MUST(why == TCP_END_CLOSED || (why == TCP_END_RESET && e->has_closed));
	MUST(e->n_got == e->n_in && e->n_sent == e->n_out);
}

static void on_output(void *ctx, const struct tcp_out *o) {
	struct side *s = ctx;
	struct world *w = s->w;
	uint8_t b[1600];
	size_t n = o->header_len;

	memcpy(b, o->header, n);
	for (unsigned i = 0; i < o->n_data; i++) {
		MUST(n + o->data[i].len <= sizeof(b));
		memcpy(b + n, o->data[i].p, o->data[i].len);
		n += o->data[i].len;
	}
	link_put(w, (s->is_listener ? o->dst.port : o->src.port) - 1000u, s->is_listener, b, n);
}

static void deliver(struct world *w, struct side sides[2], unsigned i) {
	struct packet k = w->packets[i];
	struct net_rx rx;

	w->packets[i] = w->packets[--w->n_packets];
	if (link_take(w, &k, &rx))
		tcp_input(sides[!k.is_to_peer].t,
			  &(struct tcp_in){.src = rx.src, .dst = rx.dst, .seg = rx.l4}, w->now_ns);
}

static void step(struct world *w, struct side sides[2], uint64_t most_ns) {
	uint64_t next = w->now_ns + most_ns;

	for (unsigned i = 0; i < 2; i++)
		if (tcp_next_deadline(sides[i].t) < next)
			next = tcp_next_deadline(sides[i].t);
	for (unsigned i = 0; i < w->n_packets; i++)
		next = w->packets[i].at_ns < next ? w->packets[i].at_ns : next;
	w->now_ns = next > w->now_ns ? next : w->now_ns;
	for (unsigned i = 0; i < w->n_packets;)
		if (w->packets[i].at_ns <= w->now_ns)
			deliver(w, sides, i);
		else
			i++;
	for (unsigned i = 0; i < 2; i++) {
		if (tcp_next_deadline(sides[i].t) <= w->now_ns)
			tcp_tick(sides[i].t, w->now_ns, 1 + rnd(w, 3));
		for (unsigned k = 0; k < w->n_peers; k++)
			pump(&sides[i], k);
	}
}

static void side_init(struct world *w, struct side *s, bool is_listener) {
	struct tcp_ops ops = {s, on_output, on_opened, on_data, on_sent, on_peer_closed, on_ended};
	struct rg_addr local = link_addr(w, is_listener, 0);
	struct tcp_cfg cfg = w->cfg;

	*s = (struct side){.w = w, .is_listener = is_listener};
	cfg.locals = &local;
	cfg.listen_port = is_listener ? 443 : 0;
	cfg.secret[1] = is_listener;
	s->t = tcp_new(&cfg, &ops, &s->stats);
	MUST(s->t != NULL);
}

static void connect_one(struct side *s, unsigned peer) {
	struct world *w = s->w;
	struct rg_addr a = link_addr(w, false, w->peers[peer].port), b = link_addr(w, true, 443);
	uint32_t idx;

	MUST(tcp_connect(s->t, s->is_listener ? &b : &a, s->is_listener ? &a : &b,
			 w->nets[!s->is_listener].mac, w->now_ns, &idx) == 0);
	s->peer_of[idx] = peer;
}

static void dialogue_init(struct world *w, struct side sides[2], unsigned i) {
	struct end *a = &sides[0].ends[i], *b = &sides[1].ends[i];
	const struct peer *p = &w->peers[i];

	peer_init(w, &w->peers[i], i);
	a->n_out = b->n_in = p->n_tx;
	a->n_in = b->n_out = p->n_rx;
	a->is_first_to_close = p->is_first_to_close;
	b->is_first_to_close = !p->is_first_to_close || rnd(w, 4) == 0; // or both
	// Nobody repeats our third packet: who opened must have something to say (n_tx, or FIN).
	if (p->n_tx == 0)
		a->n_in = b->n_out = 0;
	connect_one(&sides[0], i);
	if (rnd(w, 4) == 0) // RFC 9293 3.5, figure 8
		connect_one(&sides[1], i);
}

static bool is_done(const struct world *w, const struct side sides[2]) {
	for (unsigned i = 0; i < w->n_peers; i++)
		if (!w->peers[i].is_given_up &&
		    (!sides[0].ends[i].is_over || !sides[1].ends[i].is_over))
			return false;
	return true;
}

void pair_run(uint64_t seed, bool is_bad, struct world_sum *sum) {
	static struct world w;
	static struct side sides[2];
	uint64_t end_ns;

	world_init(&w, seed, is_bad);
	for (unsigned i = 0; i < 2; i++)
		side_init(&w, &sides[i], i == 1);
	for (unsigned i = 0; i < w.n_peers; i++)
		dialogue_init(&w, sides, i);
	end_ns = w.now_ns + 4000 * RG_NS_PER_S;
	while (!is_done(&w, sides)) {
		step(&w, sides, 10 * MS);
		MUST(w.now_ns < end_ns);
	}
	for (unsigned i = 0; i < w.n_peers; i++)
		for (unsigned k = 0; k < 2; k++)
			if (sides[k].ends[i].is_up) // the other has given up
				tcp_abort(sides[k].t, sides[k].ends[i].idx, w.now_ns);
	end_ns = w.now_ns + 400 * RG_NS_PER_S; // TIME-WAIT, and a connection that came to nothing
	while (w.now_ns < end_ns)
		step(&w, sides, RG_NS_PER_S);
	for (unsigned i = 0; i < 2; i++) {
		MUST(tcp_n_conns(sides[i].t) == 0 && tcp_n_time_wait(sides[i].t) == 0);
		MUST(tcp_n_free_buffers(sides[i].t) == w.cfg.n_buffers);
		MUST(tcp_next_deadline(sides[i].t) == RG_NEVER);
		tcp_free(sides[i].t);
	}
	for (unsigned i = 0; i < w.n_peers; i++)
		w.n_given_up += w.peers[i].is_given_up;
	world_add(&w, sum);
}
