// SPDX-License-Identifier: BSD-3-Clause
// A peer of the TCP model test: a TCP of its own that checks every segment of the engine.
#include <arpa/inet.h>

#include "tcp_model.h"

static void put32(uint8_t *b, uint32_t v) {
	v = htonl(v);
	memcpy(b, &v, 4);
}

static uint32_t get32(const uint8_t *b) {
	uint32_t v;

	memcpy(&v, b, 4);
	return ntohl(v);
}

static uint32_t peer_ts(const struct world *w, const struct peer *p) {
	return p->ts_start + (uint32_t)(w->now_ns / MS);
}

// The first runs above what is acknowledged; a real one would take the latest.
static size_t peer_blocks(const struct peer *p, uint8_t *b) {
	unsigned n = 0, max = p->has_ts ? 3 : 4;

	for (uint32_t i = p->got; i < p->high && n < max; i++) {
		if (!p->have[i])
			continue;
		put32(b + 4 + n * 8, p->irs + i);
		while (i < p->high && p->have[i])
			i++;
		put32(b + 8 + n++ * 8, p->irs + i);
	}
	if (n == 0)
		return 0;
	put32(b, 0x01010502 + 8 * n);
	return 4 + 8 * n;
}

static size_t peer_options(const struct world *w, const struct peer *p, uint8_t flags, uint8_t *b) {
	size_t n = 0;

	if ((flags & SYN) != 0) {
		put32(b, 0x02040000u | p->mss);
		n = 4;
		if (p->shift > 0) {
			put32(b + n, 0x01030300u | p->shift);
			n += 4;
		}
		if (p->has_sack) {
			put32(b + n, 0x01010402);
			n += 4;
		}
	}
	if (p->has_ts) {
		put32(b + n, 0x0101080a);
		put32(b + n + 4, peer_ts(w, p));
		put32(b + n + 8, p->has_irs ? p->ts_recent : 0);
		n += 12;
	}
	if ((flags & SYN) == 0 && p->has_sack)
		n += peer_blocks(p, b + n);
	return n;
}

static void peer_send(struct world *w, struct peer *p, uint8_t flags, uint32_t pos, uint32_t len) {
	uint8_t b[1600] = {0};
	size_t h = 20;
	uint32_t wnd = p->adv - p->got;

	put32(b, (uint32_t)p->port << 16 | 443);
	put32(b + 4, p->isn + pos);
	if (p->has_irs) {
		put32(b + 8, p->irs + p->got);
		flags |= ACK;
	}
	h += peer_options(w, p, flags, b + h);
	if ((flags & SYN) == 0)
		wnd >>= p->shift;
	for (uint32_t i = 0; i < len; i++)
		b[h + i] = pattern(p, false, pos - 1 + i);
	b[12] = (uint8_t)(h / 4 << 4);
	b[13] = flags;
	b[14] = (uint8_t)(wnd >> 8);
	b[15] = (uint8_t)wnd;
	if ((int32_t)(p->adv - p->told) > 0)
		p->told = p->adv;
	p->ack_ns = RG_NEVER;
	link_put(w, (unsigned)(p - w->peers), false, b, h + len);
}

// Promises more room, or for a while none. Only multiples of the scale, never less than before.
static void peer_window(struct world *w, struct peer *p) {
	static const uint32_t sizes[] = {0, 1, 100, 1460, 3000, 20000, 65535};
	uint32_t size = sizes[rnd(w, 7)], adv;

	if (w->now_ns < p->open_ns)
		return;
	adv = p->got + (size >> p->shift << p->shift);
	if ((int32_t)(adv - p->adv) > 0)
		p->adv = adv;
	if (p->adv - p->got < 3000)
		p->open_ns = w->now_ns + rnd(w, 800) * MS;
	else
		p->open_ns = w->now_ns + rnd(w, 30) * MS;
	// What is left of an old promise may not be a multiple of the scale.
	p->adv = p->got + ((p->adv - p->got) >> p->shift << p->shift);
}

// Sends what their window allows. After a time-out, from the first byte not acknowledged.
static void peer_output(struct world *w, struct peer *p) {
	if (!p->has_irs || p->una > p->n_tx + 1)
		return;
	while (p->nxt <= p->n_tx) {
		uint32_t len = 1 + rnd(w, 1460), room = p->edge - p->nxt;

		len = len < p->n_tx + 1 - p->nxt ? len : p->n_tx + 1 - p->nxt;
		len = len < room ? len : room;
		if ((int32_t)room <= 0 || p->nxt - p->una > 8000)
			return;
		peer_send(w, p, rnd(w, 2) == 0 ? 8 : 0, p->nxt, len);
		p->nxt += len;
		p->top = p->nxt > p->top ? p->nxt : p->top;
	}
	// Closes at once, or only after the engine's side has.
	if (p->nxt == p->n_tx + 1 && (p->is_first_to_close || p->has_fin)) {
		peer_send(w, p, FIN, p->nxt, 0);
		p->nxt++;
	}
	p->top = p->nxt > p->top ? p->nxt : p->top;
}

bool peer_is_done(const struct peer *p) {
	return p->is_given_up || (p->una == p->n_tx + 2 && p->has_fin);
}

static void peer_data(struct peer *p, uint32_t pos, const uint8_t *d, uint32_t len, bool is_fin) {
	MUST(len + (p->has_ts ? 12 : 0) <= p->mss); // RFC 6691
	// One octet beyond the window is a probe. What is under way may be of a window that the scale
	// has since cut (RFC 7323 2.4).
	if (len + is_fin > 0)
		MUST((int32_t)(pos + len + is_fin - p->told) <= 1);
	for (uint32_t i = 0; i < len; i++) {
		MUST(pos + i <= p->n_rx);
		MUST(d[i] == pattern(p, true, pos - 1 + i));
		if ((int32_t)(pos + i - p->adv) < 0)
			p->have[pos + i] = 1;
	}
	if (is_fin) {
		MUST(pos + len == p->n_rx + 1);
		if ((int32_t)(pos + len - p->adv) < 0)
			p->have[pos + len] = 1;
	}
	while (p->high < p->n_rx + 2 && p->high < pos + len + is_fin)
		p->high++;
	while (p->got <= p->n_rx + 1 && p->have[p->got])
		p->got++;
	p->has_fin = p->got == p->n_rx + 2;
	if ((int32_t)(p->got - p->adv) > 0)
		p->adv = p->got;
}

struct seen { // options of the engine's segment
	bool has_mss, has_ws, has_sack_ok, has_ts;
	uint8_t ws;
	uint32_t ts_val, ts_ecr;
	unsigned n_sack;
	uint32_t sack[4][2];
};

static struct seen peer_read_options(const uint8_t *b, size_t h) {
	struct seen o = {0};

	for (size_t i = 20; i < h; i += b[i] == 1 ? 1 : b[i + 1]) {
		const uint8_t *d = b + i + 2;

		if (b[i] == 1)
			continue;
		MUST(i + 1 < h && b[i + 1] >= 2 && i + b[i + 1] <= h);
		o.has_mss = o.has_mss || b[i] == 2;
		o.has_sack_ok = o.has_sack_ok || b[i] == 4;
		if (b[i] == 3) {
			o.has_ws = true;
			o.ws = d[0];
		} else if (b[i] == 8) {
			o.has_ts = true;
			o.ts_val = get32(d);
			o.ts_ecr = get32(d + 4);
		} else if (b[i] == 5) {
			o.n_sack = (b[i + 1] - 2u) / 8;
			MUST(o.n_sack > 0 && o.n_sack <= 4);
			for (unsigned k = 0; k < o.n_sack; k++, d += 8) {
				o.sack[k][0] = get32(d);
				o.sack[k][1] = get32(d + 4);
			}
		}
	}
	return o;
}

// Every block is something we have sent; only the first may lie below the ACK or in another one.
static void peer_check_sack(const struct peer *p, const struct seen *o, uint32_t ack) {
	for (unsigned i = 0; i < o->n_sack; i++) {
		uint32_t from = o->sack[i][0] - p->isn, to = o->sack[i][1] - p->isn;

		MUST(from > 0 && from < to && to <= p->top);
		MUST(i == 0 || from > ack);
		for (unsigned k = 1; k < i; k++)
			MUST(o->sack[k][0] - p->isn > to || o->sack[k][1] - p->isn < from);
	}
}

// False: an old segment (RFC 7323 5.3).
static bool peer_check_ts(const struct world *w, struct peer *p, const struct seen *o,
			  uint32_t seq) {
	MUST(o->has_ts == p->has_ts);
	if (!p->has_ts)
		return true;
	MUST(peer_ts(w, p) - o->ts_ecr < 4000000); // we did send it
	if (p->has_irs && (int32_t)(o->ts_val - p->ts_recent) < 0)
		return false;
	if (!p->has_irs || (int32_t)(seq - p->irs - p->got) <= 0)
		p->ts_recent = o->ts_val;
	return true;
}

void peer_input(struct world *w, struct peer *p, const uint8_t *b, size_t len) {
	size_t h = (size_t)(b[12] >> 4) * 4;
	uint8_t flags = b[13];
	uint32_t pos, ack = get32(b + 8) - p->isn;
	uint32_t wnd = (uint32_t)(b[14] << 8 | b[15]);
	struct seen o = peer_read_options(b, h);

	if ((flags & RST) != 0) {
		MUST(peer_is_done(p)); // no RST before
		return;
	}
	MUST((flags & ACK) != 0);
	MUST(p->has_sack || o.n_sack == 0);
	if (!peer_check_ts(w, p, &o, get32(b + 4))) {
		peer_send(w, p, 0, p->nxt, 0);
		return;
	}
	if ((flags & SYN) != 0) {
		if (!p->has_irs) {
			p->irs = get32(b + 4);
			p->has_irs = true;
			p->una = p->nxt = p->top = 1;
			p->got = 1;
			p->adv = 1 + (65535 >> p->shift << p->shift);
			p->edge = 1 + wnd;
			p->their_shift = o.ws;
			p->high = 1;
			MUST(o.has_mss && o.has_ws == (p->shift > 0));
			MUST(o.has_sack_ok == p->has_sack);
		} else if (get32(b + 4) != p->irs) {
			return; // to a late copy of our SYN, of another minute
		}
		peer_send(w, p, 0, p->nxt, 0);
		peer_output(w, p);
		return;
	}
	if (!p->has_irs)
		return;
	pos = get32(b + 4) - p->irs;
	MUST(ack <= p->top);
	peer_check_sack(p, &o, ack);
	if (w->has_renegers && rnd(w, 50) == 0) // RFC 2018 section 8
		while (p->high > p->got)
			p->have[--p->high] = 0;
	if ((int32_t)(ack - p->una) > 0) {
		p->una = ack;
		p->nxt = p->nxt > ack ? p->nxt : ack;
		p->rto_ns = w->now_ns + PEER_RTO_NS;
	}
	if ((int32_t)(ack + (wnd << p->their_shift) - p->edge) > 0)
		p->edge = ack + (wnd << p->their_shift);
	peer_data(p, pos, b + h, (uint32_t)(len - h), (flags & FIN) != 0);
	peer_window(w, p);
	if (len > h || (flags & FIN) != 0) {
		if (rnd(w, 3) == 0)
			p->ack_ns = w->now_ns + rnd(w, 30) * MS;
		else
			peer_send(w, p, 0, p->nxt, 0);
	}
	peer_output(w, p);
}

void peer_tick(struct world *w, struct peer *p) {
	if (p->is_given_up)
		return;
	if (p->has_irs && w->now_ns >= p->open_ns) {
		uint32_t before = p->adv;

		peer_window(w, p);
		if (p->adv != before && p->adv - p->got > 0 && !p->has_fin)
			peer_send(w, p, 0, p->nxt, 0); // window update, once; it may be lost
	}
	if (w->now_ns >= p->ack_ns)
		peer_send(w, p, 0, p->nxt, 0);
	if (w->now_ns >= p->rto_ns) {
		p->rto_ns = w->now_ns + PEER_RTO_NS;
		if (!p->has_irs)
			peer_send(w, p, SYN, 0, 0);
		else if (p->una < p->n_tx + 2)
			p->nxt = p->una;
	}
	peer_output(w, p);
}

void peer_init(struct world *w, struct peer *p, unsigned i) {
	static const uint16_t mss[] = {1460, 536, 100, 1460, 1410};

	p->isn = rnd(w, 2) == 0 ? UINT32_MAX - rnd(w, 50000) : rnd(w, UINT32_MAX);
	p->port = (uint16_t)(1000 + i);
	p->mss = mss[rnd(w, 5)];
	p->shift = (uint8_t)(rnd(w, 2) * (1 + rnd(w, 7)));
	p->n_tx = rnd(w, 4) == 0 ? rnd(w, 3) : rnd(w, w->max_bytes / (1 + rnd(w, 20)));
	p->n_rx = rnd(w, 4) == 0 ? rnd(w, 3) : rnd(w, w->max_bytes / (1 + rnd(w, 20)));
	// Its third packet may get lost, and nobody sends that again: it must have something to say.
	p->has_ts = rnd(w, 2) == 0;
	p->has_sack = rnd(w, 2) == 0;
	p->ts_start = rnd(w, 2) == 0 ? 0u - (uint32_t)(w->now_ns / MS) - rnd(w, 20000)
				     : rnd(w, UINT32_MAX);
	p->is_first_to_close = p->n_tx == 0 || rnd(w, 2) == 0;
	p->adv = 65535;
	p->ack_ns = RG_NEVER;
}
