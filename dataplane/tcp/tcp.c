// SPDX-License-Identifier: BSD-3-Clause
// The engine's slots and its public calls. Runs in a worker; allocates in tcp_new() only. Here a
// connection is born, ends, and tells the upper layer exactly once that it has.
#include "tcp/tcp.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"
#include "regate/siphash.h"
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
	struct tcp *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->cfg = *cfg;
	t->ops = *ops;
	t->stats = stats;
	t->free_head = t->wait_head = t->wait_tail = TCP_NIL;
	t->rcv_wscale = wscale_for(cfg->rcv_wnd);
	// Enough for a window of full segments; many tiny ones are the peer's own loss.
	t->max_ooo = (uint16_t)tcp_min(cfg->rcv_wnd / 1024 + 4, UINT16_MAX);
	derive_key(cfg->secret, 1, t->cookie_key);
	derive_key(cfg->secret, 2, t->table_key);
	derive_key(cfg->secret, 3, t->ts_key);
	t->conns = aligned_alloc(_Alignof(struct tcp_conn),
				 conn_size * (cfg->max_conns == 0 ? 1 : cfg->max_conns));
	if (t->conns == NULL || tcp_table_init(&t->table, cfg->max_conns) != 0 ||
	    tcp_pool_init(&t->pool, cfg->n_buffers) != 0) {
		tcp_free(t);
		return NULL;
	}
	memset(t->conns, 0, conn_size * (cfg->max_conns == 0 ? 1 : cfg->max_conns));
	tcp_wheel_init(&t->wheel, &t->conns->link, (uint32_t)conn_size);
	return t;
}

void tcp_free(struct tcp *t) {
	if (t == NULL)
		return;
	tcp_pool_fini(&t->pool);
	tcp_table_fini(&t->table);
	free(t->conns);
	free(t);
}

static uint32_t hash_of(const struct tcp *t, const struct rg_addr *peer,
			const struct rg_addr *local) {
	return (uint32_t)rg_siphash_flow(t->table_key, peer, local);
}

// A TIME-WAIT slot protects against old duplicates only; a new connection is worth more than that.
static struct tcp_conn *slot_take(struct tcp *t) {
	struct tcp_conn *c;

	if (t->free_head == TCP_NIL && t->n_used < t->cfg.max_conns)
		return &t->conns[t->n_used++];
	if (t->free_head == TCP_NIL && t->wait_head != TCP_NIL)
		tcp_conn_free(t, &t->conns[t->wait_head]);
	if (t->free_head == TCP_NIL)
		return NULL;
	c = &t->conns[t->free_head];
	t->free_head = c->list_next;
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
	c->local = in->dst;
	memcpy(c->mac, in->mac, sizeof(c->mac));
	c->ooo_head = c->ooo_tail = c->board = TCP_NIL;
	tcp_sndq_init(&c->q);
	tcp_table_add(&t->table, hash_of(t, &c->peer, &c->local), tcp_idx(t, c));
	t->n_conns++;
	return c;
}

static void wait_list_del(struct tcp *t, struct tcp_conn *c) {
	if (c->list_prev != TCP_NIL)
		t->conns[c->list_prev].list_next = c->list_next;
	else
		t->wait_head = c->list_next;
	if (c->list_next != TCP_NIL)
		t->conns[c->list_next].list_prev = c->list_prev;
	else
		t->wait_tail = c->list_prev;
	c->ooo_head = c->ooo_tail = TCP_NIL; // the same words
}

static void leave_state(struct tcp *t, struct tcp_conn *c) {
	if (c->state == TCP_TIME_WAIT)
		wait_list_del(t, c);
	c->state = TCP_CLOSED;
}

void tcp_conn_free(struct tcp *t, struct tcp_conn *c) {
	leave_state(t, c);
	tcp_sndq_fini(&c->q, &t->pool);
	tcp_reasm_free(t, c);
	tcp_sack_free(t, c);
	if (c->link.slot != 0)
		tcp_wheel_del(&t->wheel, tcp_idx(t, c));
	tcp_table_del(&t->table, hash_of(t, &c->peer, &c->local), tcp_idx(t, c));
	c->gen = c->gen + 1 + (c->gen == UINT32_MAX);
	c->list_next = t->free_head;
	t->free_head = tcp_idx(t, c);
	t->n_conns--;
}

// Tells the upper layer, once, when it knows of the connection.
static void tell_ended(struct tcp *t, struct tcp_conn *c, enum tcp_end why, uint64_t now_ns) {
	if ((c->flags & TCP_F_UP) == 0)
		return;
	c->flags &= (uint16_t)~TCP_F_UP;
	rg_stat_inc(t->stats, RG_STAT_tcp_closed);
	t->ops.ended(t->ops.ctx, tcp_idx(t, c), why, now_ns);
}

void tcp_conn_end(struct tcp *t, struct tcp_conn *c, enum tcp_end why, uint64_t now_ns) {
	leave_state(t, c); // CLOSED: what the op calls for this connection now does nothing
	tell_ended(t, c, why, now_ns);
	tcp_conn_free(t, c);
}

void tcp_conn_reset(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	tcp_out_rst(t, c);
	tcp_conn_end(t, c, TCP_END_ABORTED, now_ns);
}

void tcp_conn_wait(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	c->state = TCP_TIME_WAIT;
	tcp_sndq_fini(&c->q, &t->pool);
	tcp_reasm_free(t, c);
	tcp_sack_free(t, c);
	c->list_prev = t->wait_tail;
	c->list_next = TCP_NIL;
	if (t->wait_tail != TCP_NIL)
		t->conns[t->wait_tail].list_next = tcp_idx(t, c);
	else
		t->wait_head = tcp_idx(t, c);
	t->wait_tail = tcp_idx(t, c);
	tcp_timer_set(t, c, TCP_T_LINGER, TCP_LINGER_MS, now_ns);
	tell_ended(t, c, TCP_END_CLOSED, now_ns);
}

size_t tcp_send_room(const struct tcp *t, uint32_t idx) {
	const struct tcp_conn *c = &t->conns[idx];
	size_t room, limit;

	if (!tcp_is_open(t, idx) || c->q.len >= t->cfg.snd_max)
		return 0;
	limit = t->cfg.snd_max - c->q.len;
	room = tcp_sndq_room(&c->q, &t->pool);
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

	if (!tcp_is_open(t, idx))
		return;
	t->now_ns = now_ns;
	c->state = c->state == TCP_ESTABLISHED ? TCP_FIN_WAIT_1 : TCP_LAST_ACK;
	c->flags |= TCP_F_FIN_QUEUED;
	c->flags &= (uint16_t)~TCP_F_PEER_FIN;
	tcp_reasm_free(t, c);
	tcp_out_flush(t, c, now_ns);
}

void tcp_abort(struct tcp *t, uint32_t idx, uint64_t now_ns) {
	struct tcp_conn *c = &t->conns[idx];

	if (c->state == TCP_CLOSED || c->state == TCP_TIME_WAIT)
		return;
	t->now_ns = now_ns;
	if ((c->flags & TCP_F_IN_OPENED) != 0)
		c->flags |= TCP_F_ABORT; // ended() would come before opened() has returned
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

uint32_t tcp_n_free_buffers(const struct tcp *t) {
	return t->pool.n_free;
}

static struct tcp_conn *find(struct tcp *t, const struct tcp_in *in) {
	uint32_t hash = hash_of(t, &in->src, &in->dst), pos = hash, idx;

	while ((idx = tcp_table_next(&t->table, hash, &pos)) != TCP_NIL) {
		struct tcp_conn *c = &t->conns[idx];

		if (c->peer.port == in->src.port && c->local.port == in->dst.port &&
		    memcmp(c->peer.ip, in->src.ip, 16) == 0 &&
		    memcmp(c->local.ip, in->dst.ip, 16) == 0)
			return c;
	}
	return NULL;
}

void tcp_input(struct tcp *t, const struct tcp_in *in, uint64_t now_ns) {
	struct tcp_rx rx = {.in = in, .now_ns = now_ns};
	struct tcp_conn *c;

	t->now_ns = now_ns;
	if (tcp_hdr_parse(in->seg, &rx.seg) != RG_OK || in->src.port == 0) {
		rg_stat_inc(t->stats, RG_DROP_tcp_bad);
		return;
	}
	c = find(t, in);
	if (c == NULL)
		tcp_listen_input(t, &rx);
	else
		tcp_conn_input(t, c, &rx);
	t->dsack_of = NULL;
}

uint64_t tcp_next_deadline(const struct tcp *t) {
	uint64_t ms = tcp_wheel_next_ms(&t->wheel);

	return ms == UINT64_MAX ? RG_NEVER : ms * RG_NS_PER_MS;
}
