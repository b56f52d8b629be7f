// SPDX-License-Identifier: BSD-3-Clause
// Two engines and a bad path between them: one calls, or both at once, over IPv4 or IPv6. The path
// loses, delays and swaps segments, and refuses large ones with an ICMP error. Every byte is checked
// both ways, and that nothing is left. REGATE_SEED=n runs one seed.
#include "tcp_rig.h"

#define N_PACKETS 512
#define MAX_BYTES 60000

static unsigned long seed;
static uint64_t n_resent, n_narrowed, n_crossed; // what the path did

#define MUST(x) ((x) ? (void)0 : ck_abort_msg("seed %lu: %s", seed, #x))

struct packet {
	uint64_t at_ns;
	struct rg_addr src, dst;
	bool is_error; // for who sent it: seq
	uint32_t seq;
	size_t len;
	uint8_t b[1600];
};

struct end {
	struct world *w;
	struct tcp *t;
	struct rg_stats stats;
	struct rg_addr addr;
	uint32_t idx;
	uint32_t to_send, n_sent, n_got, to_get;
	unsigned n_opened, n_ended;
	bool is_up, has_closed, closes_first, has_peer_fin;
	struct packet q[N_PACKETS]; // on their way to it
	unsigned n_q;
};

struct world {
	struct end ends[2];
	uint64_t rng, now_ns;
	uint32_t loss, jitter_ms, mtu;
};

static uint32_t rnd(struct world *w, uint32_t n) {
	w->rng = w->rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return n == 0 ? 0 : (uint32_t)(w->rng >> 33) % n;
}

static struct end *other(struct end *e) {
	return &e->w->ends[e == &e->w->ends[0]];
}

static void put(struct end *to, const struct packet *p) {
	struct world *w = to->w;

	if (rnd(w, 1000) < w->loss)
		return;
	MUST(to->n_q < N_PACKETS);
	to->q[to->n_q] = *p;
	to->q[to->n_q++].at_ns =
		w->now_ns + (5 + rnd(w, w->jitter_ms)) * RG_NS_PER_MS + rnd(w, 1000);
}

static void on_output(void *ctx, const struct tcp_out *o) {
	struct end *e = ctx;
	struct packet p = {.src = o->src, .dst = o->dst, .len = o->header_len};
	size_t ip_len = rg_addr_is_v4(&o->dst) ? 20 : 40;

	memcpy(p.b, o->header, o->header_len);
	for (unsigned i = 0; i < o->n_data; i++) {
		memcpy(p.b + p.len, o->data[i].p, o->data[i].len);
		p.len += o->data[i].len;
	}
	MUST(ip_len + p.len <= 1500);
	p.is_error = ip_len + p.len > e->w->mtu;
	p.seq = (uint32_t)((uint32_t)p.b[4] << 24 | p.b[5] << 16 | p.b[6] << 8 | p.b[7]);
	put(p.is_error ? e : other(e), &p);
}

static uint8_t pattern(const struct end *from, uint32_t i) {
	return (uint8_t)((i + from->addr.port) * 2654435761u >> 24);
}

static void pump(struct end *e) {
	uint8_t b[4000];

	while (e->is_up && !e->has_closed && e->n_sent < e->to_send) {
		uint32_t n = tcp_min(1 + rnd(e->w, sizeof(b)), e->to_send - e->n_sent);

		n = (uint32_t)tcp_min(n, (uint32_t)tcp_send_room(e->t, e->idx));
		if (n == 0)
			return;
		for (uint32_t i = 0; i < n; i++)
			b[i] = pattern(e, e->n_sent + i);
		e->n_sent += n;
		MUST(tcp_send(e->t, e->idx, rg_slice(b, n), e->w->now_ns) == 0);
	}
	if (e->is_up && !e->has_closed && e->n_sent == e->to_send && e->n_got == e->to_get &&
	    (e->closes_first || e->has_peer_fin)) {
		e->has_closed = true;
		tcp_close(e->t, e->idx, e->w->now_ns);
	}
}

static int on_opened(void *ctx, uint32_t idx, uint64_t) {
	struct end *e = ctx;

	e->n_opened++;
	e->idx = idx;
	e->is_up = true;
	MUST(memcmp(tcp_peer(e->t, idx)->ip, other(e)->addr.ip, 16) == 0);
	return 0;
}

static void on_data(void *ctx, uint32_t, struct rg_slice d, uint64_t) {
	struct end *e = ctx;

	MUST(e->is_up && e->n_got + d.len <= e->to_get);
	for (size_t i = 0; i < d.len; i++)
		MUST(d.p[i] == pattern(other(e), e->n_got + (uint32_t)i));
	e->n_got += (uint32_t)d.len;
}

static void on_sent(void *, uint32_t, uint64_t) {
}

static void on_peer_closed(void *ctx, uint32_t, uint64_t) {
	((struct end *)ctx)->has_peer_fin = true;
}

static void on_ended(void *ctx, uint32_t, enum tcp_end why, uint64_t) {
	struct end *e = ctx;

	MUST(e->is_up && why == TCP_END_CLOSED);
	e->is_up = false;
	e->n_ended++;
}

static void deliver(struct end *e, unsigned i) {
	struct packet p = e->q[i];
	uint8_t *b = malloc(p.len); // exact, for ASan

	e->q[i] = e->q[--e->n_q];
	memcpy(b, p.b, p.len);
	if (p.is_error)
		tcp_icmp_error(e->t,
			       &(struct tcp_error){.kind = TCP_ICMP_TOO_BIG,
						   .mtu = e->w->mtu,
						   .local = p.src,
						   .peer = p.dst,
						   .seq = p.seq},
			       e->w->now_ns);
	else
		tcp_input(e->t,
			  &(struct tcp_in){.src = p.src, .dst = p.dst, .seg = rg_slice(b, p.len)},
			  e->w->now_ns);
	free(b);
}

static void step(struct world *w) {
	uint64_t next = w->now_ns + 100 * RG_NS_PER_MS;

	for (struct end *e = w->ends; e < w->ends + 2; e++) {
		uint64_t at = tcp_next_deadline(e->t);

		next = at < next ? at : next;
		for (unsigned i = 0; i < e->n_q; i++)
			next = e->q[i].at_ns < next ? e->q[i].at_ns : next;
	}
	w->now_ns = next > w->now_ns ? next : w->now_ns;
	for (struct end *e = w->ends; e < w->ends + 2; e++) {
		for (unsigned i = 0; i < e->n_q;)
			if (e->q[i].at_ns <= w->now_ns)
				deliver(e, i);
			else
				i++;
		if (tcp_next_deadline(e->t) <= w->now_ns)
			tcp_tick(e->t, w->now_ns, 4);
		pump(e);
	}
}

static void end_init(struct world *w, unsigned i, bool is_v6, bool listens) {
	struct end *e = &w->ends[i];
	struct tcp_ops ops = {e, on_output, on_opened, on_data, on_sent, on_peer_closed, on_ended};
	struct tcp_cfg cfg = {.max_conns = 2,
			      .n_buffers = 64,
			      .locals = &e->addr,
			      .n_locals = 1,
			      .listen_port = listens ? 443 : 0,
			      .mss = 1460,
			      .rcv_wnd = rnd(w, 2) == 0 ? 65535 : 3000 + rnd(w, 200000),
			      .snd_max = 2000 + rnd(w, 60000),
			      .keepalive_s = rnd(w, 2) * 5};

	e->w = w;
	e->addr = rig_locals[is_v6];
	e->addr.ip[15] = (uint8_t)(10 + i);
	e->addr.port = (uint16_t)(listens ? 443 : 50000 + i);
	cfg.secret[0] = (uint8_t)(seed + i);
	e->to_send = rnd(w, 4) == 0 ? rnd(w, 10) : rnd(w, MAX_BYTES);
	e->t = tcp_new(&cfg, &ops, &e->stats);
	MUST(e->t != NULL);
}

static void call(struct world *w, unsigned i) {
	struct end *e = &w->ends[i];

	MUST(tcp_connect(e->t, &e->addr, &other(e)->addr, (const uint8_t[6]){0}, w->now_ns,
			 &e->idx) == 0);
}

static void run(void) {
	static struct world w;
	bool is_v6 = seed % 2 == 1, at_once = seed % 3 == 0;
	uint64_t end_ns;

	memset(&w, 0, sizeof(w));
	w.rng = seed * 7919 + 1;
	w.now_ns = rnd(&w, UINT32_MAX) * UINT64_C(1000000);
	end_init(&w, 0, is_v6, false);
	end_init(&w, 1, is_v6, !at_once);
	w.ends[0].to_get = w.ends[1].to_send;
	w.ends[1].to_get = w.ends[0].to_send;
	w.ends[rnd(&w, 2)].closes_first = true;
	w.ends[rnd(&w, 2)].closes_first = true;
	w.loss = at_once ? 0 : rnd(&w, 3) * 40;
	w.jitter_ms = rnd(&w, 2) * 30;
	w.mtu = rnd(&w, 2) == 0 ? 1500 : 1280 + rnd(&w, 200);
	call(&w, 0);
	if (at_once)
		call(&w, 1);
	w.loss = at_once ? rnd(&w, 3) * 40 : w.loss; // the first SYNs do cross
	end_ns = w.now_ns + 3000 * RG_NS_PER_S;
	while (w.ends[0].n_ended == 0 || w.ends[1].n_ended == 0) {
		step(&w);
		MUST(w.now_ns < end_ns);
	}
	end_ns = w.now_ns + 130 * RG_NS_PER_S;
	while (w.now_ns < end_ns)
		step(&w);
	for (struct end *e = w.ends; e < w.ends + 2; e++) {
		MUST(e->n_opened == 1 && e->n_ended == 1 && e->n_got == e->to_get);
		MUST(tcp_n_conns(e->t) == 0 && tcp_n_time_wait(e->t) == 0);
		MUST(tcp_n_free_buffers(e->t) == 64 && tcp_next_deadline(e->t) == RG_NEVER);
		n_resent += rg_stat_get(&e->stats, RG_STAT_tcp_retransmits);
		n_narrowed += rg_stat_get(&e->stats, RG_STAT_tcp_path_mtu);
		tcp_free(e->t);
	}
	n_crossed += at_once;
}

START_TEST(bad_path) {
	const char *one = getenv("REGATE_SEED");

	for (unsigned i = 0; i < (one != NULL ? 1 : 60); i++) {
		seed = one != NULL ? strtoul(one, NULL, 10) : (unsigned long)_i * 60 + i;
		run();
	}
	MUST(one != NULL || (n_resent > 100 && n_narrowed > 10 && n_crossed > 10));
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {RIG_ROWS(bad_path, 10)};

	return rig_main("tcp_pair", cases, RIG_LEN(cases));
}
