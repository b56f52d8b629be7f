// SPDX-License-Identifier: BSD-3-Clause
// The world of a scripted scenario: the engine, an upper layer that notes what it is told, peers
// that are nothing but numbers, and time.
#include "script.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"

#define LONG_NS (400 * RG_NS_PER_S) // nothing that is over lasts so long

// Two times and places for every scenario. The second has everything wrap: the peer's numbers within
// the first bytes, its timestamps and our 32-bit milliseconds within the first minute.
static const struct {
	bool is_v6;
	uint64_t start_ms; // a whole minute: cookies begin there
	uint32_t isn, ts_base;
} variants[] = {
	{false, 120000, 1000, 5000},
	{true, 4294920000, UINT32_MAX - 30, UINT32_MAX - 150},
};

void fail(struct world *w, const char *fmt, ...) {
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s:%u: ", w->file, w->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s\n", w->is_v6 ? " (second round: IPv6, wrapping numbers)" : "");
	longjmp(w->failed, 1);
}

// Data says where it belongs.
static uint8_t pattern(uint32_t seq) {
	return (uint8_t)(seq * 2654435761u >> 24);
}

static struct rg_addr addr(const struct world *w, uint8_t host, uint16_t port) {
	struct rg_addr a = rg_addr_v4(htonl(0x0a000000u | host), port);

	if (w->is_v6) {
		memset(a.ip, 0, sizeof(a.ip));
		a.ip[0] = 0xfd;
		a.ip[15] = host;
	}
	return a;
}

// --- upper layer

static unsigned peer_of(struct world *w, const struct rg_addr *a) {
	unsigned i = (unsigned)a->port - FIRST_PORT;

	if (i >= MAX_PEERS)
		fail(w, "the engine speaks to port %u, which nobody has", a->port);
	return i;
}

static unsigned owner(struct world *w, uint32_t idx) {
	return peer_of(w, tcp_peer(w->t, idx));
}

static void note(struct world *w, struct event e) {
	struct event *last = w->n_events > 0 ? &w->events[w->n_events - 1] : NULL;

	e.at_ns = w->now_ns;
	if (e.kind == EV_DATA && last != NULL && last->kind == EV_DATA && last->peer == e.peer &&
	    last->is_other == e.is_other && last->at_ns == e.at_ns) {
		last->n += e.n;
		return;
	}
	if (w->n_events == MAX_QUEUE)
		fail(w, "too many events");
	w->events[w->n_events++] = e;
}

static int react(struct world *w, enum when when, uint32_t idx) {
	const struct reaction *r = &w->reactions[when];

	if (r->send > 0)
		world_send(w, r->send, 0);
	if (r->is_close)
		tcp_close(w->t, idx, w->now_ns);
	if (r->is_abort)
		tcp_abort(w->t, idx, w->now_ns);
	return r->is_refused ? -1 : 0;
}

static int on_opened(void *ctx, uint32_t idx, uint64_t) {
	struct world *w = ctx;
	struct peer *p = &w->peers[owner(w, idx)];

	if (p->is_up)
		fail(w, "opened twice");
	p->is_connecting = false;
	p->is_up = !w->reactions[WHEN_OPENED].is_refused;
	p->idx = idx;
	p->n_tx = p->n_rx = 0;
	note(w, (struct event){.kind = EV_OPENED, .peer = owner(w, idx)});
	return react(w, WHEN_OPENED, idx);
}

static void on_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t) {
	struct world *w = ctx;
	struct peer *p = &w->peers[owner(w, idx)];

	if (!p->is_up || d.len == 0)
		fail(w, "data for a connection that is not up, or none of it");
	for (size_t i = 0; i < d.len; i++) {
		uint8_t want = pattern(1 + p->n_rx++);
		bool is_other = (d.p[i] ^ want) == 0xff;

		if (d.p[i] != want && !is_other)
			fail(w, "byte %u of the stream is wrong", p->n_rx);
		note(w, (struct event){.kind = EV_DATA,
				       .peer = owner(w, idx),
				       .n = 1,
				       .is_other = is_other});
	}
	(void)react(w, WHEN_DATA, idx);
}

static void on_sent(void *ctx, uint32_t idx, uint64_t) {
	struct world *w = ctx;

	if (!w->peers[owner(w, idx)].is_up)
		fail(w, "sent() for a connection that is not up");
}

static void on_peer_closed(void *ctx, uint32_t idx, uint64_t) {
	struct world *w = ctx;

	note(w, (struct event){.kind = EV_CLOSED, .peer = owner(w, idx)});
	(void)react(w, WHEN_CLOSED, idx);
}

static void on_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t) {
	struct world *w = ctx;
	struct peer *p = &w->peers[owner(w, idx)];

	if (!p->is_up && !p->is_connecting)
		fail(w, "ended() for a connection that is not up");
	p->is_up = p->is_connecting = false;
	note(w, (struct event){.kind = EV_ENDED, .peer = owner(w, idx), .n = why});
}

const char *event_text(const struct event *e, char *out, size_t out_len) {
	static const char *const ends[] = {"closed", "reset", "timeout", "unreachable", "aborted"};

	switch (e->kind) {
	case EV_OPENED:
		return "opened";
	case EV_CLOSED:
		return "closed";
	case EV_DATA:
		snprintf(out, out_len, "data %u%s", e->n, e->is_other ? " other" : "");
		return out;
	default:
		snprintf(out, out_len, "ended %s", ends[e->n]);
		return out;
	}
}

void world_send(struct world *w, uint32_t n, int want) {
	struct peer *p = &w->peers[w->peer];
	uint8_t *b = malloc(n + 1);
	int rc;

	for (uint32_t i = 0; i < n; i++)
		b[i] = pattern(1 + p->n_tx + i);
	p->n_tx += want == 0 ? n : 0; // first: the call comes back to us
	rc = tcp_send(w->t, p->idx, rg_slice(b, n), w->now_ns);
	free(b);
	if (rc != want)
		fail(w, "tcp_send() returned %d, not %d", rc, want);
}

void world_connect(struct world *w, int want) {
	struct peer *p = &w->peers[w->peer];
	struct rg_addr local = addr(w, 2, LISTEN_PORT);
	struct rg_addr peer = addr(w, 1, (uint16_t)(FIRST_PORT + w->peer));
	uint32_t idx = 0;
	int rc = tcp_connect(w->t, &local, &peer, (uint8_t[6]){2}, w->now_ns, &idx);

	if (rc != want)
		fail(w, "tcp_connect() returned %d, not %d", rc, want);
	if (rc == 0) {
		p->idx = idx;
		p->is_connecting = true;
	}
}

void world_icmp(struct world *w, enum tcp_icmp kind, uint32_t mtu, uint32_t seq) {
	const struct peer *p = &w->peers[w->peer];
	struct tcp_error e = {.kind = kind,
			      .mtu = mtu == 0 ? 0 : mtu + (w->is_v6 ? 20 : 0),
			      .local = addr(w, 2, LISTEN_PORT),
			      .peer = addr(w, 1, (uint16_t)(FIRST_PORT + w->peer)),
			      .seq = p->iss + seq};

	tcp_icmp_error(w->t, &e, w->now_ns);
}

// --- segments

static uint32_t get32(const uint8_t *b) {
	uint32_t v;

	memcpy(&v, b, 4);
	return ntohl(v);
}

static void put32(uint8_t *b, uint32_t v) {
	v = htonl(v);
	memcpy(b, &v, 4);
}

// The first SYN of the engine, and the first timestamp, are what its numbers count from.
static void learn(struct world *w, struct peer *p, const uint8_t *b, size_t h) {
	struct seg raw = {0};

	if ((b[13] & 2) == 0)
		return;
	if (!p->has_iss) {
		p->iss = w->last_iss = get32(b + 4);
		p->has_iss = true;
	}
	seg_decode_opts(&raw, b + 20, h - 20, 0, 0, 0);
	for (unsigned i = 0; i < raw.n_opts; i++)
		if (raw.opts[i].kind == OPT_TS && !p->has_ts_iss) {
			p->ts_iss = raw.opts[i].v[0];
			p->has_ts_iss = true;
		}
}

static uint32_t iss_of(const struct world *w, const struct peer *p) {
	return p->has_iss ? p->iss : w->last_iss;
}

static void check_payload(struct world *w, const struct tcp_out *o, uint32_t seq) {
	size_t n = 0;

	for (unsigned i = 0; i < o->n_data; i++)
		for (size_t k = 0; k < o->data[i].len; k++, n++)
			if (o->data[i].p[k] != pattern(seq + (uint32_t)n))
				fail(w, "the engine sends a wrong byte at %u", seq + (uint32_t)n);
	if (n != o->data_len)
		fail(w, "data_len is %zu, the pieces hold %zu", o->data_len, n);
}

static void on_output(void *ctx, const struct tcp_out *o) {
	struct world *w = ctx;
	struct sent *x = &w->sent[w->n_sent];
	struct peer *p = &w->peers[peer_of(w, &o->dst)];
	const uint8_t *b = o->header;
	bool has_ack = (b[13] & 16) != 0;
	char text[256];

	if (w->n_sent == MAX_QUEUE)
		fail(w, "too many segments");
	learn(w, p, b, o->header_len);
	*x = (struct sent){.peer = (unsigned)(p - w->peers), .at_ns = w->now_ns};
	x->seg.flags = b[13];
	x->seg.seq = get32(b + 4) == 0 ? 0 : get32(b + 4) - iss_of(w, p); // 0: RST from nowhere
	x->seg.len = (uint32_t)o->data_len;
	x->seg.ack = has_ack ? get32(b + 8) - p->isn : get32(b + 8);
	x->seg.win = b[14] << 8 | b[15];
	// A SYN of ours echoes nothing.
	seg_decode_opts(&x->seg, b + 20, o->header_len - 20u, p->isn, p->ts_iss,
			has_ack ? w->ts_base : 0);
	if (w->is_traced) {
		seg_format(&x->seg, NULL, text, sizeof(text));
		printf("%10.3f > %s\n", (double)w->now_ns / 1e9, text);
	}
	if (b[12] >> 4 != o->header_len / 4 || memcmp(b + 16, "\0\0\0\0", 4) != 0)
		fail(w, "data offset, checksum or urgent pointer of the header is wrong");
	check_payload(w, o, x->seg.seq);
	w->n_sent++;
}

static void inject(struct world *w, const struct seg *s) {
	const struct peer *p = &w->peers[w->peer];
	uint8_t opts[40];
	size_t h = 20 + seg_encode_opts(s, iss_of(w, p), w->ts_base, p->ts_iss, opts);
	size_t len = s->cut >= 0 ? (size_t)s->cut : h + s->len;
	uint8_t *all = calloc(1, h + s->len), *b;
	char text[256];

	all[0] = (uint8_t)((FIRST_PORT + w->peer) >> 8);
	all[1] = (uint8_t)(FIRST_PORT + w->peer);
	all[2] = (uint8_t)((s->dport >= 0 ? s->dport : LISTEN_PORT) >> 8);
	all[3] = (uint8_t)(s->dport >= 0 ? s->dport : LISTEN_PORT);
	put32(all + 4, p->isn + s->seq);
	put32(all + 8, (s->flags & 16) != 0 ? iss_of(w, p) + s->ack : s->ack);
	all[12] = (uint8_t)((s->doff >= 0 ? (size_t)s->doff / 4 : h / 4) << 4 | s->rsv);
	all[13] = s->flags;
	all[14] = (uint8_t)((s->win >= 0 ? s->win : 65535) >> 8);
	all[15] = (uint8_t)(s->win >= 0 ? s->win : 65535);
	all[18] = (uint8_t)(s->urg >> 8);
	all[19] = (uint8_t)s->urg;
	memcpy(all + 20, opts, h - 20);
	for (uint32_t i = 0; i < s->len; i++)
		all[h + i] = pattern(s->seq + i) ^ (s->is_other ? 0xff : 0);
	if (w->is_traced) {
		seg_format(s, NULL, text, sizeof(text));
		printf("%10.3f < %s\n", (double)w->now_ns / 1e9, text);
	}
	b = malloc(len + (len == 0)); // exact, for ASan
	memcpy(b, all, len);
	free(all);
	tcp_input(w->t,
		  &(struct tcp_in){.src = addr(w, 1, (uint16_t)(FIRST_PORT + w->peer)),
				   .dst = addr(w, 2,
					       s->dport >= 0 ? (uint16_t)s->dport : LISTEN_PORT),
				   .mac = {2, 0, 0, 0, 0, (uint8_t)w->peer},
				   .seg = rg_slice(b, len)},
		  w->now_ns);
	free(b);
}

void world_inject(struct world *w, const struct seg *s) {
	struct seg part = *s;

	if (s->each == 0) {
		inject(w, s);
		return;
	}
	for (uint32_t at = 0; at < s->len; at += s->each) {
		part.seq = s->seq + at;
		part.len = s->len - at < s->each ? s->len - at : s->each;
		part.flags = s->flags;
		if (at + part.len < s->len) // FIN comes last
			part.flags &= (uint8_t)~1;
		inject(w, &part);
	}
}

// --- time

void world_advance(struct world *w, uint64_t to_ns, bool is_any_end) {
	for (;;) {
		uint64_t next = tcp_next_deadline(w->t);

		if (is_any_end && (w->n_sent > 0 || w->n_events > 0))
			return;
		if (next > to_ns)
			break;
		w->now_ns = next > w->now_ns ? next : w->now_ns;
		tcp_tick(w->t, w->now_ns, 1000);
		if (tcp_next_deadline(w->t) <= w->now_ns) // early by less than a tick
			w->now_ns += w->now_ns < to_ns ? MS : 0;
		if (w->now_ns >= to_ns && tcp_next_deadline(w->t) <= to_ns) {
			tcp_tick(w->t, to_ns, 1000);
			break;
		}
	}
	w->now_ns = to_ns;
}

void world_init(struct world *w, unsigned variant) {
	w->is_v6 = variants[variant].is_v6;
	w->now_ns = variants[variant].start_ms * MS;
	w->isn = variants[variant].isn;
	w->ts_base = variants[variant].ts_base;
	w->cfg = (struct tcp_cfg){.max_conns = 8,
				  .n_buffers = 256,
				  .listen_port = LISTEN_PORT,
				  .mss = 1460,
				  .rcv_wnd = 65535,
				  .snd_max = 200000};
	w->cfg.secret[0] = 7;
	for (unsigned i = 0; i < MAX_PEERS; i++)
		w->peers[i].isn = w->isn;
}

void world_start(struct world *w) {
	struct tcp_ops ops = {w, on_output, on_opened, on_data, on_sent, on_peer_closed, on_ended};

	if (w->t != NULL)
		return;
	w->local = addr(w, 2, 0);
	w->cfg.locals = &w->local;
	w->cfg.n_locals = 1;
	w->cfg.mss += w->is_v6 ? 20 : 0; // it is that of IPv4: so the scripts hold for both
	w->t = tcp_new(&w->cfg, &ops, &w->stats);
	if (w->t == NULL)
		fail(w, "tcp_new() failed");
}

void world_end(struct world *w) {
	uint64_t end_ns = w->now_ns + LONG_NS;

	w->is_traced = false;
	for (unsigned i = 0; i < MAX_PEERS; i++)
		if (w->peers[i].is_up || w->peers[i].is_connecting)
			tcp_abort(w->t, w->peers[i].idx, w->now_ns);
	while (w->now_ns < end_ns) {
		w->n_sent = w->n_events = 0;
		world_advance(w, w->now_ns + RG_NS_PER_S, false);
	}
	if (tcp_n_conns(w->t) != 0 || tcp_n_time_wait(w->t) != 0)
		fail(w, "at the end %u connections and %u records are left", tcp_n_conns(w->t),
		     tcp_n_time_wait(w->t));
	if (tcp_n_free_buffers(w->t) != w->cfg.n_buffers)
		fail(w, "at the end %u of %u buffers are free", tcp_n_free_buffers(w->t),
		     w->cfg.n_buffers);
	if (tcp_next_deadline(w->t) != RG_NEVER)
		fail(w, "at the end a timer is left");
}
