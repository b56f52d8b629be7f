// SPDX-License-Identifier: BSD-3-Clause
// Chunk pool and send queue. Runs in a worker; allocates in tcp_pool_init() only. A chunk is in
// exactly one place: free, in one send queue, or in one reassembly list.
#include "tcp/tcp_buf.h"

#include <errno.h>
#include <stdlib.h>

int tcp_pool_init(struct tcp_pool *p, uint32_t n) {
	*p = (struct tcp_pool){.n = n, .n_free = n, .free_head = TCP_NIL};
	p->mem = aligned_alloc(64, (size_t)(n == 0 ? 1 : n) * TCP_CHUNK_BYTES);
	p->chunks = calloc(n == 0 ? 1 : n, sizeof(*p->chunks));
	if (p->mem == NULL || p->chunks == NULL) {
		tcp_pool_fini(p);
		return -ENOMEM;
	}
	return 0;
}

void tcp_pool_fini(struct tcp_pool *p) {
	free(p->mem);
	free(p->chunks);
	*p = (struct tcp_pool){.free_head = TCP_NIL};
}

uint32_t tcp_pool_take(struct tcp_pool *p) {
	uint32_t i = p->free_head;

	if (i != TCP_NIL)
		p->free_head = p->chunks[i].next;
	else if (p->n_used < p->n)
		i = p->n_used++;
	else
		return TCP_NIL;
	p->n_free--;
	p->chunks[i].next = TCP_NIL;
	return i;
}

void tcp_pool_put(struct tcp_pool *p, uint32_t chunk) {
	p->chunks[chunk].next = p->free_head;
	p->free_head = chunk;
	p->n_free++;
}

void tcp_sndq_init(struct tcp_sndq *q) {
	static const struct tcp_pos none = {TCP_NIL, 0};

	*q = (struct tcp_sndq){.head = none, .nxt = none, .tail = none};
}

void tcp_sndq_fini(struct tcp_sndq *q, struct tcp_pool *p) {
	while (q->head.chunk != TCP_NIL) {
		uint32_t chunk = q->head.chunk;

		q->head.chunk = p->chunks[chunk].next;
		tcp_pool_put(p, chunk);
	}
	tcp_sndq_init(q);
}

size_t tcp_sndq_room(const struct tcp_sndq *q, const struct tcp_pool *p) {
	size_t room = (size_t)p->n_free * TCP_CHUNK_BYTES;

	return q->tail.chunk == TCP_NIL ? room : room + (TCP_CHUNK_BYTES - q->tail.off);
}

// A full last chunk is left as it is until a byte comes, so that an idle queue holds none.
static void grow(struct tcp_sndq *q, struct tcp_pool *p) {
	uint32_t chunk = tcp_pool_take(p);

	if (q->tail.chunk == TCP_NIL)
		q->head = q->nxt = (struct tcp_pos){chunk, 0};
	else
		p->chunks[q->tail.chunk].next = chunk;
	q->tail = (struct tcp_pos){chunk, 0};
}

void tcp_sndq_append(struct tcp_sndq *q, struct tcp_pool *p, struct rg_slice d) {
	q->len += (uint32_t)d.len;
	while (d.len > 0) {
		size_t n;

		if (q->tail.chunk == TCP_NIL || q->tail.off == TCP_CHUNK_BYTES)
			grow(q, p);
		n = TCP_CHUNK_BYTES - q->tail.off;
		n = d.len < n ? d.len : n;
		memcpy(tcp_pool_mem(p, q->tail.chunk) + q->tail.off, d.p, n);
		q->tail.off += (uint16_t)n;
		d = rg_skip(d, n);
	}
}

void tcp_sndq_ack(struct tcp_sndq *q, struct tcp_pool *p, uint32_t n) {
	bool is_behind = false; // the send position is in bytes that go away

	q->len -= n;
	while (n > 0) {
		uint32_t chunk = q->head.chunk;
		uint32_t end = chunk == q->tail.chunk ? q->tail.off : TCP_CHUNK_BYTES;
		uint32_t here = end - q->head.off < n ? end - q->head.off : n;

		is_behind = is_behind || (q->nxt.chunk == chunk && q->nxt.off < q->head.off + here);
		q->head.off += (uint16_t)here;
		n -= here;
		if (q->head.off < TCP_CHUNK_BYTES)
			continue;
		q->head = (struct tcp_pos){p->chunks[chunk].next, 0};
		is_behind = is_behind || q->nxt.chunk == chunk;
		tcp_pool_put(p, chunk);
	}
	if (q->len == 0)
		tcp_sndq_fini(q, p);
	else if (is_behind)
		q->nxt = q->head;
}

struct tcp_pos tcp_sndq_at(const struct tcp_sndq *q, const struct tcp_pool *p, uint32_t off) {
	struct tcp_pos pos = q->head;

	if (off == q->len)
		return q->tail;
	for (off += pos.off; off >= TCP_CHUNK_BYTES; off -= TCP_CHUNK_BYTES)
		pos.chunk = p->chunks[pos.chunk].next;
	pos.off = (uint16_t)off;
	return pos;
}

void tcp_sndq_rewind(struct tcp_sndq *q) {
	q->nxt = q->head;
}

unsigned tcp_sndq_get(const struct tcp_pool *p, struct tcp_pos *pos, struct rg_slice *pieces,
		      unsigned max, size_t *len) {
	size_t want = *len, got = 0;
	unsigned n = 0;

	while (got < want) {
		size_t here;

		if (pos->off == TCP_CHUNK_BYTES)
			*pos = (struct tcp_pos){p->chunks[pos->chunk].next, 0};
		if (n == max)
			break;
		here = TCP_CHUNK_BYTES - pos->off;
		here = want - got < here ? want - got : here;
		pieces[n++] = rg_slice(tcp_pool_mem(p, pos->chunk) + pos->off, here);
		pos->off += (uint16_t)here;
		got += here;
	}
	*len = got;
	return n;
}
