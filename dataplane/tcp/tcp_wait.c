// SPDX-License-Identifier: BSD-3-Clause
// What is left of a connection that has gone: a record of 64 bytes for a minute. After our close it
// is TIME-WAIT (RFC 9293 3.6.1). After any other end of a young connection it keeps a late copy of
// the third packet, whose cookie is still good, from opening it again. Runs in a worker. There are
// max_time_wait records; when they are used up the oldest goes, since a new one protects more.
#include <errno.h>

#include "regate/huge.h"
#include "tcp/tcp_int.h"

int tcp_wait_init(struct tcp_waits *w, uint32_t max) {
	*w = (struct tcp_waits){.max = max, .head = TCP_NIL, .tail = TCP_NIL, .free = TCP_NIL};
	w->recs = rg_huge_alloc(max, sizeof(*w->recs));
	return w->recs == NULL ? -ENOMEM : tcp_table_init(&w->table, max);
}

void tcp_wait_fini(struct tcp_waits *w) {
	tcp_table_fini(&w->table);
	rg_huge_free(w->recs, w->max, sizeof(*w->recs));
	w->recs = NULL;
}

static void list_add(struct tcp_waits *w, uint32_t i, uint64_t now_ns) {
	w->recs[i].at_ms = tcp_ms(now_ns);
	w->recs[i].prev = w->tail;
	w->recs[i].next = TCP_NIL;
	*(w->tail == TCP_NIL ? &w->head : &w->recs[w->tail].next) = i;
	w->tail = i;
}

static void list_del(struct tcp_waits *w, uint32_t i) {
	const struct tcp_wait *r = &w->recs[i];

	*(r->prev == TCP_NIL ? &w->head : &w->recs[r->prev].next) = r->next;
	*(r->next == TCP_NIL ? &w->tail : &w->recs[r->next].prev) = r->prev;
}

void tcp_wait_del(struct tcp *t, struct tcp_wait *r) {
	struct tcp_waits *w = &t->waits;
	uint32_t i = (uint32_t)(r - w->recs);

	list_del(w, i);
	tcp_table_del(&w->table, tcp_hash(t, &r->peer, &r->local), i);
	r->next = w->free;
	w->free = i;
	w->n--;
}

void tcp_wait_add(struct tcp *t, const struct tcp_conn *c, bool is_time_wait, uint64_t now_ns) {
	struct tcp_waits *w = &t->waits;
	uint32_t i;

	if (w->n == w->max)
		tcp_wait_del(t, &w->recs[w->head]);
	i = w->free;
	if (i == TCP_NIL)
		i = w->n_used++;
	else
		w->free = w->recs[i].next;
	w->recs[i] = (struct tcp_wait){
		.peer = c->peer,
		.local = tcp_local(t, c),
		.rcv_nxt = c->rcv_nxt,
		.snd_max = c->snd_max,
		.ts_recent = c->ts_recent,
		.has_ts = (c->flags & TCP_F_TS) != 0,
		.has_wscale = (c->flags & TCP_F_WSCALE) != 0,
		.is_time_wait = is_time_wait,
	};
	list_add(w, i, now_ns);
	tcp_table_add(&w->table, tcp_hash(t, &w->recs[i].peer, &w->recs[i].local), i);
	w->n++;
}

struct tcp_wait *tcp_wait_find(struct tcp *t, const struct tcp_in *in, uint32_t hash) {
	uint32_t pos = tcp_table_home(&t->waits.table, hash), i;

	while ((i = tcp_table_next(&t->waits.table, hash, &pos)) != TCP_NIL) {
		struct tcp_wait *r = &t->waits.recs[i];

		if (tcp_is_between(in, &r->peer, r->local.ip, r->local.port))
			return r;
	}
	return NULL;
}

// RFC 6191 section 2: does it belong to a connection that is newer?
static bool is_newer(const struct tcp_wait *r, const struct tcp_seg *s) {
	if (!r->is_time_wait) // nothing is left to be protected: any will do
		return true;
	if (s->has_ts && !r->has_ts)
		return true;
	if (s->has_ts && s->ts_val != r->ts_recent)
		return tcp_seq_lt(r->ts_recent, s->ts_val);
	return tcp_seq_lt(r->rcv_nxt, s->seq);
}

// RFC 9293 3.10.7.4 in TIME-WAIT.
static void take_late(struct tcp *t, struct tcp_wait *r, const struct tcp_rx *rx) {
	const struct tcp_seg *s = &rx->seg;
	uint32_t i = (uint32_t)(r - t->waits.recs);

	rg_stat_inc(t->stats, RG_DROP_tcp_window);
	if ((s->flags & TCP_RST) != 0) // RFC 1337: an RST must not end TIME-WAIT
		return;
	if ((tcp_seg_len(s) > 0 || s->seq != r->rcv_nxt) &&
	    tcp_may_challenge(&r->challenges, rx->now_ns))
		tcp_out_wait_ack(t, r, rx);
	if ((s->flags & TCP_FIN) != 0) { // the last ACK was lost
		list_del(&t->waits, i);
		list_add(&t->waits, i, rx->now_ns);
	}
}

void tcp_wait_input(struct tcp *t, struct tcp_wait *r, struct tcp_rx *rx) {
	const struct tcp_seg *s = &rx->seg;
	uint8_t kind = s->flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);
	// RFC 9293 3.6.1: our numbers go on beyond all that the old one sent. The third packet is
	// held to what its SYN was answered with, no more: half of the numbers lie beyond.
	uint32_t iss_min = r->snd_max + UINT16_MAX;

	if (kind == TCP_SYN && tcp_is_served(t, r->local.port) && is_newer(r, s)) {
		tcp_listen_syn(t, rx, &iss_min);
	} else if ((kind & ~TCP_FIN) == TCP_ACK && is_newer(r, s) &&
		   tcp_seq_lt(iss_min, s->ack - 1) && tcp_listen_has_cookie(t, rx)) {
		// The record stays until somebody shows that he has seen our answer.
		tcp_wait_del(t, r);
		tcp_listen_input(t, rx);
	} else if (r->is_time_wait) {
		take_late(t, r, rx);
	} else {
		rg_stat_inc(t->stats, RG_DROP_tcp_no_conn);
		if ((s->flags & TCP_RST) == 0) // RFC 9293 3.10.7.1
			tcp_out_rst_for(t, rx);
	}
}

uint64_t tcp_wait_deadline(const struct tcp *t) {
	uint32_t left_ms;

	if (t->waits.head == TCP_NIL)
		return RG_NEVER;
	left_ms = t->waits.recs[t->waits.head].at_ms + TCP_LINGER_MS - tcp_ms(t->now_ns);
	return t->now_ns + ((int32_t)left_ms > 0 ? left_ms * RG_NS_PER_MS : 0);
}

void tcp_wait_tick(struct tcp *t, uint64_t now_ns, unsigned budget) {
	for (; budget > 0 && t->waits.head != TCP_NIL; budget--) {
		struct tcp_wait *r = &t->waits.recs[t->waits.head];

		if (tcp_seq_lt(tcp_ms(now_ns), r->at_ms + TCP_LINGER_MS))
			return;
		tcp_wait_del(t, r);
	}
}
