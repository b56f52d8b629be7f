// SPDX-License-Identifier: BSD-3-Clause
// The engine's slots and its public calls. Runs in a worker; allocates in tcp_new() only. Here a
// connection is born, ends, and tells the upper layer exactly once that it has.
#include "tcp/tcp.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"
#include "regate/huge.h"
#include "regate/siphash.h"
#include "tcp/tcp_cookie.h"
#include "tcp/tcp_int.h"

// Every use of the secret gets a key of its own, so that no table's order tells about another's.
static void derive_key(const uint8_t secret[32], uint8_t label, uint8_t key[16]) {
	for (uint8_t i = 0; i < 2; i++) {
		uint8_t msg[18] = {[16] = label, [17] = i};
		uint64_t h;

		memcpy(msg, secret + 16, 16);
		h = rg_siphash(secret, msg, sizeof(msg));
		memcpy(key + (size_t)8 * i, &h, 8);
	}
}

static uint8_t wscale_for(uint32_t wnd) {
	uint8_t shift = 0;

	while (shift < TCP_WSCALE_MAX && wnd >> shift > UINT16_MAX)
		shift++;
	return shift;
}

struct tcp *tcp_new(const struct tcp_cfg *cfg, const struct tcp_ops *ops, struct rg_stats *stats) {
	size_t conn_size = sizeof(struct tcp_conn);
	uint32_t n_waits = tcp_max(cfg->max_conns / 4, 64);
	struct tcp *t;

	if (cfg->max_conns > TCP_MAX_CONNS || cfg->n_buffers > TCP_MAX_BUFFERS ||
	    cfg->max_time_wait > TCP_MAX_CONNS || cfg->n_locals > TCP_MAX_LOCALS ||
	    cfg->keepalive_s > TCP_KEEP_MAX_S)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	if (cfg->max_time_wait != 0)
		n_waits = cfg->max_time_wait;
	t->cfg = *cfg;
	memcpy(t->locals, cfg->locals, cfg->n_locals * sizeof(*t->locals));
	t->ops = *ops;
	t->stats = stats;
	t->free_head = TCP_NIL;
	t->rcv_wscale = wscale_for(cfg->rcv_wnd);
	// Enough for a window of full segments; many tiny ones are the peer's own loss.
	t->max_ooo = (uint16_t)tcp_min(cfg->rcv_wnd / 1024 + 4, TCP_OOO_MAX);
	derive_key(cfg->secret, 1, t->cookie_key);
	derive_key(cfg->secret, 2, t->table_key);
	derive_key(cfg->secret, 3, t->ts_key);
	derive_key(cfg->secret, 4, t->iss_key);
	t->conns = rg_huge_alloc(cfg->max_conns, conn_size);
	if (t->conns == NULL || tcp_table_init(&t->table, cfg->max_conns) != 0 ||
	    tcp_pool_init(&t->pool, cfg->n_buffers) != 0 ||
	    tcp_wait_init(&t->waits, n_waits) != 0) {
		tcp_free(t);
		return NULL;
	}
	tcp_wheel_init(&t->wheel, &t->conns->link, (uint32_t)conn_size);
	return t;
}

void tcp_free(struct tcp *t) {
	if (t == NULL)
		return;
	tcp_wait_fini(&t->waits);
	tcp_pool_fini(&t->pool);
	tcp_table_fini(&t->table);
	rg_huge_free(t->conns, t->cfg.max_conns, sizeof(*t->conns));
	free(t);
}

static uint32_t in_hash(const struct tcp *t, const struct tcp_in *in) {
	return in->has_hash ? in->hash : tcp_hash(t, &in->src, &in->dst);
}

uint32_t tcp_local_idx(const struct tcp *t, const struct rg_addr *a) {
	for (uint32_t i = 0; i < t->cfg.n_locals; i++)
		if (memcmp(t->locals[i].ip, a->ip, sizeof(a->ip)) == 0)
			return i;
	return TCP_NIL;
}

static struct tcp_conn *slot_take(struct tcp *t) {
	struct tcp_conn *c;

	if (t->free_head == TCP_NIL && t->n_used < t->cfg.max_conns)
		return &t->conns[t->n_used++];
	if (t->free_head == TCP_NIL)
		return NULL;
	c = &t->conns[t->free_head];
	t->free_head = c->free_next;
	return c;
}

struct tcp_conn *tcp_conn_new(struct tcp *t, const struct tcp_in *in) {
	struct tcp_conn *c = slot_take(t);
	uint32_t gen;

	if (c == NULL)
		return NULL;
	gen = c->gen + 1 + (c->gen == UINT32_MAX); // never 0
	memset(c, 0, sizeof(*c));
	c->gen = gen;
	c->peer = in->src;
	c->local = (uint8_t)tcp_local_idx(t, &in->dst);
	c->local_port = in->dst.port;
	memcpy(c->mac, in->mac, sizeof(c->mac));
	c->ooo = c->board = TCP_NIL;
	c->ssthresh = TCP_CWND_MAX;
	tcp_sndq_init(&c->q);
	tcp_table_add(&t->table, in_hash(t, in), tcp_idx(t, c));
	t->n_conns++;
	return c;
}

void tcp_conn_free(struct tcp *t, struct tcp_conn *c) {
	struct rg_addr local = tcp_local(t, c);

	c->state = TCP_CLOSED;
	tcp_sndq_fini(&c->q, &t->pool);
	tcp_reasm_free(t, c);
	tcp_sack_free(t, c);
	if (c->link.slot != 0)
		tcp_wheel_del(&t->wheel, tcp_idx(t, c));
	tcp_table_del(&t->table, tcp_hash(t, &c->peer, &local), tcp_idx(t, c));
	c->gen = c->gen + 1 + (c->gen == UINT32_MAX);
	c->free_next = t->free_head;
	t->free_head = tcp_idx(t, c);
	t->n_conns--;
}

bool tcp_conn_offer(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	bool is_refused;

	c->flags |= TCP_F_IN_OPENED;
	is_refused = t->ops.opened(t->ops.ctx, tcp_idx(t, c), now_ns) != 0;
	c->flags &= (uint16_t) ~(TCP_F_IN_OPENED | TCP_F_ACTIVE);
	if (!is_refused) {
		rg_stat_inc(t->stats, RG_STAT_tcp_opened);
		c->flags |= TCP_F_UP;
	}
	if (!is_refused && (c->flags & TCP_F_ABORT) == 0)
		return true;
	tcp_conn_reset(t, c, now_ns);
	return false;
}

void tcp_conn_agree(struct tcp *t, struct tcp_conn *c, const struct tcp_cookie_opts *opts) {
	c->mss = (uint16_t)tcp_min(tcp_max(opts->mss, TCP_MSS_LEAST), tcp_our_mss(t, &c->peer));
	c->flags &= (uint16_t) ~(TCP_F_WSCALE | TCP_F_TS | TCP_F_SACK);
	if (opts->wscale != TCP_WSCALE_NONE) {
		c->flags |= TCP_F_WSCALE;
		c->snd_wscale = opts->wscale;
	}
	if (opts->has_ts) {
		c->flags |= TCP_F_TS;
		c->mss -= TCP_TS_LEN; // RFC 6691
	}
	if (opts->has_sack)
		c->flags |= TCP_F_SACK;
}

// Tells the upper layer, once, when it knows of the connection.
static void tell_ended(struct tcp *t, struct tcp_conn *c, enum tcp_end why, uint64_t now_ns) {
	uint16_t flags = c->flags;

	c->flags &= (uint16_t) ~(TCP_F_UP | TCP_F_ACTIVE);
	if ((flags & TCP_F_UP) != 0)
		rg_stat_inc(t->stats, RG_STAT_tcp_closed);
	if ((flags & (TCP_F_UP | TCP_F_ACTIVE)) != 0)
		t->ops.ended(t->ops.ctx, tcp_idx(t, c), why, now_ns);
}

static void conn_end(struct tcp *t, struct tcp_conn *c, bool is_time_wait, enum tcp_end why,
		     uint64_t now_ns) {
	// The clock goes round after nine minutes; then a record is made that is not needed.
	bool is_young = (uint8_t)(tcp_age_clock(now_ns) - c->opened_at) <=
			2 * TCP_COOKIE_MINUTE_NS / RG_NS_PER_MS / 2048 + 1;

	if (is_time_wait ||
	    (is_young && (c->flags & TCP_F_UP) != 0 && tcp_is_served(t, c->local_port)))
		tcp_wait_add(t, c, is_time_wait, now_ns);
	c->state = TCP_CLOSED; // what the op calls for this connection now does nothing
	tell_ended(t, c, why, now_ns);
	tcp_conn_free(t, c);
}

void tcp_conn_end(struct tcp *t, struct tcp_conn *c, enum tcp_end why, uint64_t now_ns) {
	conn_end(t, c, false, why, now_ns);
}

void tcp_conn_reset(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	tcp_out_rst(t, c);
	tcp_conn_end(t, c, TCP_END_ABORTED, now_ns);
}

void tcp_conn_wait(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	conn_end(t, c, true, TCP_END_CLOSED, now_ns);
}

size_t tcp_send_room(const struct tcp *t, uint32_t idx) {
	const struct tcp_conn *c = &t->conns[idx];
	size_t room, limit;

	// Whoever does not read leaves half of what is not reserved to the rest.
	limit = t->pool.n_free > (t->pool.n + tcp_reserve(t)) / 2
			? t->cfg.snd_max
			: tcp_min(t->cfg.snd_max, TCP_SND_SCARCE);
	if (!tcp_is_open(t, idx) || c->q.len >= limit)
		return 0;
	limit -= c->q.len;
	room = tcp_sndq_room(&c->q, &t->pool, tcp_reserve(t));
	return room < limit ? room : limit;
}

int tcp_send(struct tcp *t, uint32_t idx, struct rg_slice d, uint64_t now_ns) {
	struct tcp_conn *c = &t->conns[idx];

	if (!tcp_is_open(t, idx))
		return RG_E_STALE;
	if (d.len > tcp_send_room(t, idx))
		return -ENOBUFS;
	t->now_ns = now_ns;
	tcp_sndq_append(&c->q, &t->pool, d);
	tcp_out_flush(t, c, now_ns);
	return 0;
}

void tcp_close(struct tcp *t, uint32_t idx, uint64_t now_ns) {
	struct tcp_conn *c = &t->conns[idx];

	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		tcp_abort(t, idx, now_ns);
	if (!tcp_is_open(t, idx))
		return;
	t->now_ns = now_ns;
	c->state = c->state == TCP_ESTABLISHED ? TCP_FIN_WAIT_1 : TCP_LAST_ACK;
	c->flags |= TCP_F_FIN_QUEUED;
	c->flags &= (uint16_t)~TCP_F_PEER_FIN;
	c->closed_at_ms = tcp_ms(now_ns);
	tcp_reasm_free(t, c);
	tcp_out_flush(t, c, now_ns);
}

void tcp_abort(struct tcp *t, uint32_t idx, uint64_t now_ns) {
	struct tcp_conn *c = &t->conns[idx];

	if (c->state == TCP_CLOSED)
		return;
	t->now_ns = now_ns;
	if ((c->flags & TCP_F_IN_OPENED) != 0)
		c->flags |= TCP_F_ABORT;   // ended() would come before opened() has returned
	else if (c->state == TCP_SYN_SENT) // RFC 9293 3.10.5: the peer knows of nothing
		tcp_conn_end(t, c, TCP_END_ABORTED, now_ns);
	else
		tcp_conn_reset(t, c, now_ns);
}

bool tcp_is_open(const struct tcp *t, uint32_t idx) {
	const struct tcp_conn *c = &t->conns[idx];

	return (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT) &&
	       (c->flags & TCP_F_ABORT) == 0;
}

uint32_t tcp_gen(const struct tcp *t, uint32_t idx) {
	return t->conns[idx].gen == 0 ? 1 : t->conns[idx].gen;
}

const struct rg_addr *tcp_peer(const struct tcp *t, uint32_t idx) {
	return &t->conns[idx].peer;
}

uint32_t tcp_n_conns(const struct tcp *t) {
	return t->n_conns;
}

uint32_t tcp_n_time_wait(const struct tcp *t) {
	return t->waits.n;
}

uint32_t tcp_n_free_buffers(const struct tcp *t) {
	return t->pool.n_free;
}

void tcp_rx_hash(const struct tcp *t, struct tcp_in *in) {
	in->hash = tcp_hash(t, &in->src, &in->dst);
	in->has_hash = true;
}

void tcp_rx_prefetch_entry(const struct tcp *t, const struct tcp_in *in) {
	__builtin_prefetch(&t->table.entries[tcp_table_home(&t->table, in->hash)]);
}

void tcp_prefetch(const struct tcp *t, uint32_t idx) {
	__builtin_prefetch(&t->conns[idx], 1);
	__builtin_prefetch((uint8_t *)&t->conns[idx] + 64, 1);
}

uint32_t tcp_rx_prefetch(const struct tcp *t, const struct tcp_in *in) {
	uint32_t pos = tcp_table_home(&t->table, in->hash);
	uint32_t idx = tcp_table_next(&t->table, in->hash, &pos);

	if (idx == TCP_NIL)
		return TCP_NO_SLOT;
	tcp_prefetch(t, idx);
	return idx;
}

struct tcp_conn *tcp_conn_find(struct tcp *t, const struct tcp_in *in, uint32_t hash) {
	uint32_t pos = tcp_table_home(&t->table, hash), idx;

	while ((idx = tcp_table_next(&t->table, hash, &pos)) != TCP_NIL) {
		struct tcp_conn *c = &t->conns[idx];

		if (tcp_is_between(in, &c->peer, t->locals[c->local].ip, c->local_port))
			return c;
	}
	return NULL;
}

void tcp_input(struct tcp *t, const struct tcp_in *in, uint64_t now_ns) {
	struct tcp_rx rx = {.in = in, .now_ns = now_ns};
	struct tcp_conn *c;
	struct tcp_wait *r;
	uint32_t hash;

	t->now_ns = now_ns;
	if (tcp_hdr_parse(in->seg, &rx.seg) != RG_OK || in->src.port == 0) {
		rg_stat_inc(t->stats, RG_DROP_tcp_bad);
		return;
	}
	hash = in_hash(t, in);
	c = tcp_conn_find(t, in, hash);
	r = c == NULL ? tcp_wait_find(t, in, hash) : NULL;
	if (c != NULL)
		tcp_conn_input(t, c, &rx);
	else if (r != NULL)
		tcp_wait_input(t, r, &rx);
	else
		tcp_listen_input(t, &rx);
	t->dsack_of = NULL;
}

uint64_t tcp_next_deadline(const struct tcp *t) {
	uint64_t ms = tcp_wheel_next_ms(&t->wheel), wait_ns = tcp_wait_deadline(t);
	uint64_t wheel_ns = ms == UINT64_MAX ? RG_NEVER : ms * RG_NS_PER_MS;

	return wheel_ns < wait_ns ? wheel_ns : wait_ns;
}
