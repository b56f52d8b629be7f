// SPDX-License-Identifier: BSD-3-Clause
// The record layer of TLS 1.3 (RFC 8446 5), the second life of a connection: records are opened
// where they lie and sealed in the worker's buffer. Runs on a worker; never allocates but for a
// KeyUpdate, no clock. What breaks a rule is answered with the alert that the RFC names, and ends
// the connection.
#include <errno.h>
#include <openssl/err.h>

#include "regate/err.h"
#include "tls_int.h"

// KeyUpdates without application data between them; each makes us derive keys.
#define MAX_KEY_UPDATES 16
// Empty records and warnings without application data between them.
#define MAX_IDLE 32

#define KEY_UPDATE_LEN 5

static size_t body_len(const uint8_t *header) {
	return (size_t)header[3] << 8 | header[4];
}

// RFC 8446 5.3
static void make_nonce(const struct tls_conn *c, enum tls_dir dir, uint8_t nonce[TLS_NONCE_LEN]) {
	uint64_t low;

	memcpy(nonce, c->iv[dir], TLS_NONCE_LEN);
	memcpy(&low, nonce + 4, sizeof(low));
	low ^= __builtin_bswap64((uint64_t)c->seq[dir]);
	memcpy(nonce + 4, &low, sizeof(low));
}

void tls_record_drop(struct tls_ctx *x, struct tls_conn *c) {
	if (c->ref == TLS_NO_REF)
		return;
	tls_quota_put(&x->partial_quota, tls_partial_of(x, c)->source);
	tls_pool_put(&x->free_partials, c->ref);
	c->ref = TLS_NO_REF;
}

int tls_record_seal(struct tls_ctx *x, struct tls_conn *c, uint8_t type, struct rg_slice d,
		    const struct tls_sink *sink) {
	uint8_t *rec = x->sealed;
	size_t n = d.len + 1; // with the content type
	uint8_t nonce[TLS_NONCE_LEN];

	// RFC 8446 5.2: all that is sealed looks like application data of TLS 1.2.
	rec[0] = SSL3_RT_APPLICATION_DATA;
	rec[1] = TLS1_2_VERSION >> 8;
	rec[2] = TLS1_2_VERSION & 0xff;
	rec[3] = (uint8_t)((n + TLS_TAG_LEN) >> 8);
	rec[4] = (uint8_t)(n + TLS_TAG_LEN);
	if (d.len > 0)
		memcpy(rec + TLS_HEADER_LEN, d.p, d.len);
	rec[TLS_HEADER_LEN + d.len] = type;
	make_nonce(c, TLS_WR, nonce);
	c->seq[TLS_WR]++;
	c->is_refused =
		!x->crypt->aeads[c->suite].seal(x->crypt, tls_key_of(x, c, TLS_WR), nonce, rec,
						n) ||
		sink->cipher(sink->arg, rg_slice(rec, TLS_HEADER_LEN + n + TLS_TAG_LEN)) < 0;
	if (!c->is_refused)
		return RG_OK;
	c->is_dead = true;
	return -ENOBUFS;
}

int tls_record_renew(struct tls_ctx *x, struct tls_conn *c, const struct tls_sink *sink) {
	// RFC 8446 4.6.3: update_not_requested
	static const uint8_t message[KEY_UPDATE_LEN] = {SSL3_MT_KEY_UPDATE, 0, 0, 1, 0};
	int rc;

	if (!c->is_update_due && c->seq[TLS_WR] < TLS_MAX_SEALED)
		return RG_OK;
	rc = tls_record_seal(x, c, SSL3_RT_HANDSHAKE, rg_slice(message, sizeof(message)), sink);
	if (rc != RG_OK)
		return rc;
	c->is_update_due = false;
	if (tls_keys_update(x, c, TLS_WR))
		return RG_OK;
	ERR_clear_error();
	c->is_dead = true;
	return -ENOMEM;
}

// RFC 8446 6.2: says why, then it is over.
static int refuse(struct tls_ctx *x, struct tls_conn *c, uint8_t alert,
		  const struct tls_sink *sink) {
	const uint8_t message[] = {SSL3_AL_FATAL, alert};
	int rc = RG_OK;

	ERR_clear_error(); // if EVP says why a record does not open
	if (!c->is_closed)
		rc = tls_record_seal(x, c, SSL3_RT_ALERT, rg_slice(message, sizeof(message)), sink);
	c->is_dead = true;
	return rc == RG_OK ? RG_E_PROTO : rc;
}

static int idle(struct tls_ctx *x, struct tls_conn *c, const struct tls_sink *sink) {
	if (++c->n_idle <= MAX_IDLE)
		return RG_OK;
	return refuse(x, c, SSL_AD_UNEXPECTED_MESSAGE, sink);
}

static int on_data(struct tls_ctx *x, struct tls_conn *c, struct rg_slice d,
		   const struct tls_sink *sink) {
	if (d.len == 0) // RFC 8446 5.1: allowed, against traffic analysis
		return idle(x, c, sink);
	c->n_idle = 0;
	c->n_key_updates = 0;
	sink->plain(sink->arg, d);
	if (c->is_dead) // the sink wrote, and that failed
		return c->is_refused ? -ENOBUFS : RG_E_PROTO;
	return RG_OK;
}

static int on_alert(struct tls_ctx *x, struct tls_conn *c, struct rg_slice d,
		    const struct tls_sink *sink) {
	if (d.len != 2) // RFC 8446 5.1: neither in pieces nor several in a record
		return refuse(x, c, d.len == 0 ? SSL_AD_UNEXPECTED_MESSAGE : SSL_AD_DECODE_ERROR,
			      sink);
	switch (d.p[1]) { // RFC 8446 6: whatever the level says
	case SSL_AD_CLOSE_NOTIFY:
		c->is_ended = true;
		return RG_E_CLOSED;
	case SSL_AD_USER_CANCELLED:
		return idle(x, c, sink);
	default:
		c->is_dead = true;
		return RG_E_PROTO;
	}
}

// RFC 8446 4.6.3. May be spread over records (5.1); must end one, since the key changes.
static int on_handshake(struct tls_ctx *x, struct tls_conn *c, struct rg_slice d,
			const struct tls_sink *sink) {
	static const uint8_t head[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1};

	if (d.len == 0)
		return refuse(x, c, SSL_AD_UNEXPECTED_MESSAGE, sink);
	for (; d.len > 0 && c->n_key_update < sizeof(head); d = rg_skip(d, 1)) {
		if (d.p[0] != head[c->n_key_update]) // another message, or of another length
			return refuse(x, c,
				      c->n_key_update == 0 ? SSL_AD_UNEXPECTED_MESSAGE
							   : SSL_AD_DECODE_ERROR,
				      sink);
		c->n_key_update++;
	}
	if (d.len == 0)
		return idle(x, c, sink);
	if (d.len > 1)
		return refuse(x, c, SSL_AD_UNEXPECTED_MESSAGE, sink);
	if (d.p[0] > 1)
		return refuse(x, c, SSL_AD_ILLEGAL_PARAMETER, sink);
	if (++c->n_key_updates > MAX_KEY_UPDATES)
		return refuse(x, c, SSL_AD_UNEXPECTED_MESSAGE, sink);
	c->n_key_update = 0;
	// Answered with our next data, as the RFC allows: then many requests cost one answer, and
	// none is sent to a peer that takes nothing.
	c->is_update_due = c->is_update_due || d.p[0] == 1;
	if (tls_keys_update(x, c, TLS_RD))
		return RG_OK;
	ERR_clear_error();
	c->is_dead = true;
	return -ENOMEM;
}

// Length of p[0..n) without the zeroes at its end.
static size_t without_padding(const uint8_t *p, size_t n) {
	uint64_t word;

	while (n >= sizeof(word)) {
		memcpy(&word, p + n - sizeof(word), sizeof(word));
		if (word != 0)
			break;
		n -= sizeof(word);
	}
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n;
}

// A whole record.
static int on_record(struct tls_ctx *x, struct tls_conn *c, struct rg_slice rec,
		     const struct tls_sink *sink) {
	size_t n = rec.len - TLS_HEADER_LEN - TLS_TAG_LEN;
	uint8_t nonce[TLS_NONCE_LEN];
	struct rg_slice d;

	// RFC 8446 5.3: must not wrap. XXX ours is of 32 bits: who sends 2^32 records under one key
	// (5.5 allows 2^24.5 of AES-GCM) is refused.
	if (c->seq[TLS_RD] == UINT32_MAX)
		return refuse(x, c, SSL_AD_INTERNAL_ERROR, sink);
	make_nonce(c, TLS_RD, nonce);
	if (!x->crypt->aeads[c->suite].open(x->crypt, tls_key_of(x, c, TLS_RD), nonce, rec,
					    x->plain))
		return refuse(x, c, SSL_AD_BAD_RECORD_MAC, sink);
	c->seq[TLS_RD]++;
	tls_record_drop(x, c); // its bytes are no longer needed
	if (n > TLS_MAX_INNER) // RFC 8446 5.4
		return refuse(x, c, SSL_AD_RECORD_OVERFLOW, sink);
	n = without_padding(x->plain, n);
	if (n == 0) // RFC 8446 5.4: no content type
		return refuse(x, c, SSL_AD_UNEXPECTED_MESSAGE, sink);
	d = rg_slice(x->plain, n - 1);
	if (c->n_key_update > 0 && x->plain[n - 1] != SSL3_RT_HANDSHAKE) // RFC 8446 5.1
		return refuse(x, c, SSL_AD_UNEXPECTED_MESSAGE, sink);
	switch (x->plain[n - 1]) {
	case SSL3_RT_APPLICATION_DATA:
		return on_data(x, c, d, sink);
	case SSL3_RT_ALERT:
		return on_alert(x, c, d, sink);
	case SSL3_RT_HANDSHAKE:
		return on_handshake(x, c, d, sink);
	default:
		return refuse(x, c, SSL_AD_UNEXPECTED_MESSAGE, sink);
	}
}

// The alert for a header, -1 when there is nothing against it. Its version is authenticated with
// the record, and otherwise ignored (RFC 8446 5.1).
static int judge(const uint8_t *header) {
	if (header[0] != SSL3_RT_APPLICATION_DATA) // RFC 8446 5: change_cipher_spec is over, too
		return SSL_AD_UNEXPECTED_MESSAGE;
	if (body_len(header) > TLS_MAX_CIPHER)
		return SSL_AD_RECORD_OVERFLOW;
	return body_len(header) < TLS_TAG_LEN ? SSL_AD_BAD_RECORD_MAC : -1;
}

// Moves bytes of *in behind what is there, until that is want bytes.
static bool fill(struct tls_partial *p, struct rg_slice *in, size_t want) {
	size_t n = want - p->len < in->len ? want - p->len : in->len;

	memcpy(p->b + p->len, in->p, n);
	p->len += (uint32_t)n;
	*in = rg_skip(*in, n);
	return p->len == want;
}

// The record that began with earlier input.
static int go_on(struct tls_ctx *x, struct tls_conn *c, struct rg_slice *in,
		 const struct tls_sink *sink) {
	struct tls_partial *p = tls_partial_of(x, c);

	if (p->len < TLS_HEADER_LEN) {
		int alert;

		if (!fill(p, in, TLS_HEADER_LEN))
			return RG_OK;
		alert = judge(p->b);
		if (alert >= 0)
			return refuse(x, c, (uint8_t)alert, sink);
	}
	if (!fill(p, in, TLS_HEADER_LEN + body_len(p->b)))
		return RG_OK;
	return on_record(x, c, rg_slice(p->b, p->len), sink);
}

static int keep(struct tls_ctx *x, struct tls_conn *c, struct rg_slice in, uint32_t source) {
	unsigned max = x->max_per_source > 0 ? TLS_MAX_PARTIAL_PER_SOURCE : 0;
	struct tls_partial *p;

	c->is_dead = true;
	if (!tls_quota_take(&x->partial_quota, source, max))
		return -EDQUOT;
	c->ref = tls_pool_take(&x->free_partials);
	if (c->ref == TLS_NO_REF) {
		tls_quota_put(&x->partial_quota, source);
		return RG_E_EXHAUSTED;
	}
	c->is_dead = false;
	p = tls_partial_of(x, c);
	p->source = source;
	p->len = (uint32_t)in.len;
	memcpy(p->b, in.p, in.len);
	return RG_OK;
}

// The record that begins here.
static int begin(struct tls_ctx *x, struct tls_conn *c, struct rg_slice *in,
		 const struct tls_sink *sink) {
	struct rg_slice rec = *in;

	if (in->len >= TLS_HEADER_LEN) {
		int alert = judge(in->p);
		size_t len = TLS_HEADER_LEN + body_len(in->p);

		if (alert >= 0)
			return refuse(x, c, (uint8_t)alert, sink);
		if (in->len >= len) {
			rec.len = len;
			*in = rg_skip(*in, len);
			return on_record(x, c, rec, sink);
		}
	}
	in->len = 0;
	return keep(x, c, rec, sink->source(sink->arg));
}

int tls_record_input(struct tls_ctx *x, struct tls_conn *c, struct rg_slice in,
		     const struct tls_sink *sink) {
	int rc = RG_OK;

	while (rc == RG_OK && in.len > 0)
		rc = c->ref != TLS_NO_REF ? go_on(x, c, &in, sink) : begin(x, c, &in, sink);
	if (rc != RG_OK)
		tls_record_drop(x, c);
	return rc;
}
