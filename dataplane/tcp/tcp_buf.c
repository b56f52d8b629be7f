// SPDX-License-Identifier: BSD-3-Clause
// Chunk pool and send queue. Runs in a worker; allocates in tcp_pool_init() only. A chunk is in
// exactly one place: free, in one send queue, or in one reassembly list.
#include "tcp/tcp_buf.h"

#include <errno.h>

#include "regate/huge.h"

int tcp_pool_init(struct tcp_pool *p, uint32_t n) {
	*p = (struct tcp_pool){.n = n, .n_free = n, .free_head = TCP_NIL};
	p->mem = rg_huge_alloc(n, TCP_CHUNK_BYTES);
	p->chunks = rg_huge_alloc(n, sizeof(*p->chunks));
	if (p->mem == NULL || p->chunks == NULL) {
		tcp_pool_fini(p);
		return -ENOMEM;
	}
	return 0;
}

void tcp_pool_fini(struct tcp_pool *p) {
	rg_huge_free(p->mem, p->n, TCP_CHUNK_BYTES);
	rg_huge_free(p->chunks, p->n, sizeof(*p->chunks));
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
	*q = (struct tcp_sndq){.head = TCP_NIL, .tail = TCP_NIL};
}

void tcp_sndq_fini(struct tcp_sndq *q, struct tcp_pool *p) {
	while (q->head != TCP_NIL) {
		uint32_t chunk = q->head;

		q->head = p->chunks[chunk].next;
		tcp_pool_put(p, chunk);
	}
	tcp_sndq_init(q);
}

// Bytes that the last chunk still takes. A full one is left as it is until a byte comes, so that an
// idle queue holds none.
static uint32_t tail_room(const struct tcp_sndq *q) {
	return (TCP_CHUNK_BYTES - (q->off + q->len) % TCP_CHUNK_BYTES) % TCP_CHUNK_BYTES;
}

size_t tcp_sndq_room(const struct tcp_sndq *q, const struct tcp_pool *p, uint32_t reserve) {
	uint32_t n = p->n_free > reserve ? p->n_free - reserve : 0;

	if (q->len == 0 && n < p->n_free)
		n++;
	return (size_t)n * TCP_CHUNK_BYTES + tail_room(q);
}

static void grow(struct tcp_sndq *q, struct tcp_pool *p) {
	uint32_t chunk = tcp_pool_take(p);

	if (q->tail == TCP_NIL)
		q->head = chunk;
	else
		p->chunks[q->tail].next = chunk;
	q->tail = chunk;
}

void tcp_sndq_append(struct tcp_sndq *q, struct tcp_pool *p, struct rg_slice d) {
	while (d.len > 0) {
		uint32_t room = tail_room(q);
		size_t n;

		if (room == 0) {
			grow(q, p);
			room = TCP_CHUNK_BYTES;
		}
		n = d.len < room ? d.len : room;
		memcpy(tcp_pool_mem(p, q->tail) + (TCP_CHUNK_BYTES - room), d.p, n);
		q->len += (uint32_t)n;
		d = rg_skip(d, n);
	}
}

void tcp_sndq_ack(struct tcp_sndq *q, struct tcp_pool *p, uint32_t n) {
	uint32_t off = q->off + n;

	q->len -= n;
	if (q->len == 0) {
		tcp_sndq_fini(q, p);
		return;
	}
	for (; off >= TCP_CHUNK_BYTES; off -= TCP_CHUNK_BYTES) {
		uint32_t chunk = q->head;

		q->head = p->chunks[chunk].next;
		tcp_pool_put(p, chunk);
	}
	q->off = (uint16_t)off;
}

struct tcp_pos tcp_sndq_at(const struct tcp_sndq *q, const struct tcp_pool *p, uint32_t off) {
	struct tcp_pos pos = {q->head, q->off + off};

	// The end of a full chunk is named as such: there may be no other chunk.
	for (; pos.off > TCP_CHUNK_BYTES; pos.off -= TCP_CHUNK_BYTES)
		pos.chunk = p->chunks[pos.chunk].next;
	return pos;
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
		pos->off += (uint32_t)here;
		got += here;
	}
	*len = got;
	return n;
}
