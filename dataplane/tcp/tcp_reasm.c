// SPDX-License-Identifier: BSD-3-Clause
// Data that came before its turn: a list of chunks by rising sequence number, without overlaps. What
// came first stays. Runs in a worker. A connection holds at most max_ooo chunks, and the last eighth
// of the pool is kept for sending; what finds no room is dropped, the peer sends it again.
#include "tcp/tcp_int.h"

static uint32_t end_of(const struct tcp_chunk *k) {
	return k->seq + k->len;
}

// Appends d at the end of chunk i if it continues there. Returns the bytes that fitted.
static size_t extend(struct tcp *t, uint32_t i, uint32_t seq, struct rg_slice d) {
	struct tcp_chunk *k = &t->pool.chunks[i];
	size_t n = TCP_CHUNK_BYTES - k->len;

	if (end_of(k) != seq)
		return 0;
	n = d.len < n ? d.len : n;
	k->stamp = t->ooo_stamp;
	memcpy(tcp_pool_mem(&t->pool, i) + k->len, d.p, n);
	k->len += (uint32_t)n;
	return n;
}

// First chunk, and the one behind i; TCP_NIL: none.
static uint32_t first(const struct tcp *t, const struct tcp_conn *c) {
	return c->ooo == TCP_NIL ? TCP_NIL : t->pool.chunks[c->ooo].next;
}

static uint32_t behind(const struct tcp *t, const struct tcp_conn *c, uint32_t i) {
	return i == c->ooo ? TCP_NIL : t->pool.chunks[i].next;
}

// A new chunk behind *prev (TCP_NIL: in front), which moves there. False: none is free.
static bool link_new(struct tcp *t, struct tcp_conn *c, uint32_t *prev, uint32_t seq) {
	struct tcp_chunk *chunks = t->pool.chunks;
	uint32_t i = tcp_pool_take(&t->pool), front = *prev == TCP_NIL ? c->ooo : *prev;

	if (i == TCP_NIL)
		return false;
	chunks[i] = (struct tcp_chunk){.next = i, .seq = seq};
	if (front != TCP_NIL) {
		chunks[i].next = chunks[front].next;
		chunks[front].next = i;
	}
	if (c->ooo == *prev)
		c->ooo = i;
	*prev = i;
	c->n_ooo++;
	return true;
}

// Takes the first chunk, i, out of the ring; it is not given back.
static void unlink_first(struct tcp *t, struct tcp_conn *c, uint32_t i) {
	if (i == c->ooo)
		c->ooo = TCP_NIL;
	else
		t->pool.chunks[c->ooo].next = t->pool.chunks[i].next;
	c->n_ooo--;
}

// Puts d, which overlaps nothing, behind chunk prev (TCP_NIL: at the head). *prev becomes the last
// chunk that holds some of it.
static bool insert(struct tcp *t, struct tcp_conn *c, uint32_t *prev, uint32_t seq,
		   struct rg_slice d) {
	while (d.len > 0) {
		size_t n = *prev == TCP_NIL ? 0 : extend(t, *prev, seq, d);

		if (n == 0) {
			if (c->n_ooo >= t->max_ooo || t->pool.n_free <= tcp_reserve(t) ||
			    !link_new(t, c, prev, seq))
				return false;
			continue;
		}
		seq += (uint32_t)n;
		d = rg_skip(d, n);
	}
	return true;
}

bool tcp_reasm_add(struct tcp *t, struct tcp_conn *c, uint32_t seq, struct rg_slice d) {
	uint32_t prev = TCP_NIL, i = first(t, c);

	t->ooo_stamp++;
	// Behind a hole segments mostly come in order: at the tail.
	if (i != TCP_NIL && !tcp_seq_lt(seq, t->pool.chunks[c->ooo].seq))
		i = c->ooo;
	while (d.len > 0 && i != TCP_NIL) {
		struct tcp_chunk *k = &t->pool.chunks[i];
		uint32_t gap = k->seq - seq;

		if (tcp_seq_lt(seq, k->seq)) { // the part in front of k
			size_t n = d.len < gap ? d.len : gap;

			if (!insert(t, c, &prev, seq, rg_slice(d.p, n)))
				return false;
			seq += (uint32_t)n;
			d = rg_skip(d, n);
		}
		if (d.len > 0 && tcp_seq_lt(seq, end_of(k))) { // the part that k has
			size_t n = end_of(k) - seq;

			n = d.len < n ? d.len : n;
			tcp_out_note_dup(t, c, seq, (uint32_t)n);
			k->stamp = t->ooo_stamp;
			seq += (uint32_t)n;
			d = rg_skip(d, n);
		}
		prev = i;
		i = behind(t, c, i);
	}
	return insert(t, c, &prev, seq, d);
}

bool tcp_reasm_deliver(struct tcp *t, struct tcp_conn *c, uint64_t now_ns) {
	uint32_t gen = c->gen, i;

	while ((i = first(t, c)) != TCP_NIL) {
		struct tcp_chunk *k = &t->pool.chunks[i];
		uint32_t old = c->rcv_nxt - k->seq; // bytes at its front that were delivered

		if (tcp_seq_lt(c->rcv_nxt, k->seq))
			break;
		unlink_first(t, c, i);
		if (old < k->len) {
			c->rcv_nxt += k->len - old;
			t->ops.data(t->ops.ctx, tcp_idx(t, c),
				    rg_slice(tcp_pool_mem(&t->pool, i) + old, k->len - old),
				    now_ns);
		}
		tcp_pool_put(&t->pool, i);
		if (c->gen != gen)
			return false;
	}
	return true;
}

unsigned tcp_reasm_blocks(const struct tcp *t, const struct tcp_conn *c, struct tcp_range *out,
			  unsigned max) {
	uint32_t age[TCP_SACK_MAX], i = first(t, c);
	unsigned n = 0, at;

	while (i != TCP_NIL) {
		const struct tcp_chunk *k = &t->pool.chunks[i];
		struct tcp_range run = {k->seq, end_of(k)};
		uint32_t run_age = t->ooo_stamp - k->stamp;

		while ((i = behind(t, c, i)) != TCP_NIL && t->pool.chunks[i].seq == run.end) {
			k = &t->pool.chunks[i];
			run.end = end_of(k);
			run_age = tcp_min(run_age, t->ooo_stamp - k->stamp);
		}
		// An answer that leaves from inside data(): this run is next to be delivered.
		if (!tcp_seq_lt(c->rcv_nxt, run.seq))
			continue;
		for (at = n; at > 0 && age[at - 1] > run_age; at--)
			if (at < max) {
				age[at] = age[at - 1];
				out[at] = out[at - 1];
			}
		if (at == max)
			continue;
		age[at] = run_age;
		out[at] = run;
		n += n < max;
	}
	return n;
}

void tcp_reasm_free(struct tcp *t, struct tcp_conn *c) {
	uint32_t i;

	while ((i = first(t, c)) != TCP_NIL) {
		unlink_first(t, c, i);
		tcp_pool_put(&t->pool, i);
	}
	c->n_ooo = 0; // what tcp_close() begins to count
}
