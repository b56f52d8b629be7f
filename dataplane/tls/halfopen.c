// SPDX-License-Identifier: BSD-3-Clause
// Connections amid their handshake: a bounded pool of them, what each sent and nobody has read yet,
// and the queues of those whose next step can be made. OpenSSL, which costs a hundred times what a
// refresh does, runs in tls_step() only, and tls_ready() rations that. Runs on a worker.
#include <errno.h>
#include <openssl/crypto.h>

#include "regate/err.h"
#include "tls_int.h"

// What may be spent at once after a rest: a step. Refreshes at half load wait behind a burst.
#define BURST_NS 100000
// What may be owed: a step that was held up, by whatever stops a machine for a while, must not stop
// handshakes for long.
#define DEBT_NS 10000000
// Nobody else has asked for anything for so long: the time is theirs.
#define IDLE_NS 50000

static int take(struct tls_ctx *x, struct tls_conn *c, uint32_t source) {
	struct tls_handshake *h;

	if (!tls_quota_take(&x->half_open_quota, source, x->max_per_source))
		return -EDQUOT;
	c->ref = tls_pool_take(&x->free_handshakes);
	if (c->ref == TLS_NO_REF) {
		tls_quota_put(&x->half_open_quota, source);
		return RG_E_EXHAUSTED;
	}
	h = tls_handshake_of(x, c);
	memset(h, 0, offsetof(struct tls_handshake, b));
	h->slot = c->slot;
	h->source = source;
	return RG_OK;
}

static void push(struct tls_ctx *x, uint32_t i) {
	struct tls_handshake *h = &x->handshakes[i];
	struct tls_queue *q = &x->queues[h->ssl == NULL ? TLS_FIRST : TLS_LATER];

	h->is_queued = true;
	h->next = TLS_NO_REF;
	h->prev = q->n == 0 ? TLS_NO_REF : q->tail;
	if (q->n++ == 0)
		q->head = i;
	else
		x->handshakes[q->tail].next = i;
	q->tail = i;
}

static void unlink_queued(struct tls_ctx *x, uint32_t i) {
	struct tls_handshake *h = &x->handshakes[i];
	struct tls_queue *q = &x->queues[h->ssl == NULL ? TLS_FIRST : TLS_LATER];

	if (!h->is_queued)
		return;
	h->is_queued = false;
	q->n--;
	if (h->prev == TLS_NO_REF)
		q->head = h->next;
	else
		x->handshakes[h->prev].next = h->next;
	if (h->next == TLS_NO_REF)
		q->tail = h->prev;
	else
		x->handshakes[h->next].prev = h->prev;
}

static void put(struct tls_ctx *x, uint32_t i) {
	struct tls_handshake *h = &x->handshakes[i];

	unlink_queued(x, i);
	tls_quota_put(&x->half_open_quota, h->source);
	SSL_free(h->ssl);
	OPENSSL_cleanse(h, offsetof(struct tls_handshake, b));
	tls_pool_put(&x->free_handshakes, i);
}

void tls_handshake_drop(struct tls_ctx *x, struct tls_conn *c) {
	if (c->ref == TLS_NO_REF)
		return;
	put(x, c->ref);
	c->ref = TLS_NO_REF;
}

static int refuse(struct tls_conn *c, int rc, const struct tls_refusal *why,
		  const struct tls_sink *sink) {
	static const struct rg_slice http =
		RG_LIT("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
		       "Content-Length: 24\r\nConnection: close\r\n\r\nThis port speaks HTTPS.\n");
	const uint8_t alert[] = {SSL3_RT_ALERT,
				 (uint8_t)(why->version >> 8),
				 (uint8_t)why->version,
				 0,
				 2,
				 SSL3_AL_FATAL,
				 why->alert};
	int sent = 0;

	c->is_dead = true;
	if (why->kind == TLS_SAY_HTTP)
		sent = sink->cipher(sink->arg, http);
	else if (why->kind == TLS_SAY_ALERT)
		sent = sink->cipher(sink->arg, rg_slice(alert, sizeof(alert)));
	return sent < 0 ? -ENOBUFS : rc;
}

// What has come so far, before there is an SSL object.
static int judge(struct tls_ctx *x, struct tls_conn *c, const struct tls_sink *sink) {
	struct tls_handshake *h = tls_handshake_of(x, c);
	struct tls_refusal why;
	struct tls_hello hello;
	int rc = tls_hello_scan(rg_slice(h->b, h->len), &h->scan, &why);

	if (rc == RG_OK) // x->plain is for records that were opened: none is now
		rc = tls_hello_peek(rg_slice(h->b, h->len), x->plain, &hello, &why);
	if (rc == RG_OK)
		push(x, c->ref);
	return rc == RG_OK || rc == RG_MORE ? RG_OK : refuse(c, rc, &why, sink);
}

int tls_handshake_input(struct tls_ctx *x, struct tls_conn *c, struct rg_slice in,
			const struct tls_sink *sink) {
	int rc = c->ref == TLS_NO_REF ? take(x, c, sink->source(sink->arg)) : RG_OK;
	struct tls_handshake *h;

	if (rc != RG_OK) {
		c->is_dead = true;
		return rc;
	}
	h = tls_handshake_of(x, c);
	if (in.len > sizeof(h->b) - h->len && h->ssl != NULL && h->len > 0 &&
	    h->secret_len[TLS_WR] != 0) {
		// Data right behind its Finished, more than can wait: the step is made out of turn.
		// That took it 16 KiB, and the costly step is made, so it is no way to jump the queue.
		rc = tls_step(x, c, sink);
		return rc == RG_OK ? tls_input(x, c, in, sink) : rc;
	}
	if (in.len > sizeof(h->b) - h->len) {
		c->is_dead = true;
		return RG_E_LIMIT;
	}
	memcpy(h->b + h->len, in.p, in.len);
	h->len += (uint32_t)in.len;
	if (h->is_queued)
		return RG_OK;
	if (h->ssl == NULL)
		return judge(x, c, sink);
	push(x, c->ref);
	return RG_OK;
}

int tls_step(struct tls_ctx *x, struct tls_conn *c, const struct tls_sink *sink) {
	const uint32_t i = c->ref;
	struct tls_handshake *h = &x->handshakes[i];
	struct rg_slice in = rg_slice(h->b, h->len);
	int rc;

	unlink_queued(x, i);
	h->len = 0;
	rc = tls_handshake_run(x, c, &in, sink);
	if (rc == RG_MORE) // OpenSSL keeps what it has read, and it reads all
		return RG_OK;
	c->ref = TLS_NO_REF;
	if (rc == RG_OK) // the rest is still in h
		rc = tls_record_input(x, c, in, sink);
	put(x, i);
	return rc;
}

uint32_t tls_ready(struct tls_ctx *x, uint64_t now_ns) {
	if (!tls_is_waiting(x))
		return TLS_NO_REF;
	x->credit_ns += (int64_t)((now_ns - x->earned_ns) / 100 * x->share);
	x->earned_ns = x->now_ns = now_ns;
	if (x->credit_ns > BURST_NS)
		x->credit_ns = BURST_NS;
	if (x->is_served)
		x->served_ns = now_ns;
	x->is_served = false;
	x->is_idle = now_ns - x->served_ns >= IDLE_NS;
	if (x->credit_ns <= 0 && !x->is_idle)
		return TLS_NO_REF;
	// Work begun is worth more than work to begin.
	return x->handshakes[x->queues[x->queues[TLS_LATER].n > 0 ? TLS_LATER : TLS_FIRST].head]
		.slot;
}

void tls_charge(struct tls_ctx *x, uint64_t cost_ns) {
	if (x->is_idle)
		return;
	x->credit_ns -= (int64_t)cost_ns;
	if (x->credit_ns < -DEBT_NS)
		x->credit_ns = -DEBT_NS;
}

bool tls_is_finishing(const struct tls_ctx *x, const struct tls_conn *c) {
	const struct tls_handshake *h;

	if (c->is_established || c->ref == TLS_NO_REF)
		return false;
	h = tls_handshake_of(x, c);
	return h->is_queued && h->ssl != NULL;
}

bool tls_is_waiting(const struct tls_ctx *x) {
	return x->queues[TLS_FIRST].n + x->queues[TLS_LATER].n > 0;
}
