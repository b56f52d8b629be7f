// SPDX-License-Identifier: BSD-3-Clause
// One TLS connection as its user sees it: handshake.c first, record.c from then on. Runs on a
// worker; no system call, no clock. OpenSSL allocates from the first step to the hand-over. After
// a failure the connection is dead: records would be missing.
#include <errno.h>
#include <openssl/crypto.h>

#include "regate/err.h"
#include "tls_int.h"

void tls_conn_init(struct tls_conn *c, uint32_t slot) {
	*c = (struct tls_conn){.slot = slot, .ref = TLS_NO_REF};
}

void tls_conn_fini(struct tls_ctx *x, struct tls_conn *c) {
	if (c->is_established) {
		tls_record_drop(x, c);
		tls_keys_fini(x, c);
	} else {
		tls_handshake_drop(x, c);
	}
	OPENSSL_cleanse(c, sizeof(*c));
	c->ref = TLS_NO_REF;
	c->is_dead = true;
}

int tls_input(struct tls_ctx *x, struct tls_conn *c, struct rg_slice in,
	      const struct tls_sink *sink) {
	if (c->is_dead)
		return RG_E_PROTO;
	if (c->is_ended) // RFC 8446 6.1: ignore what follows
		return RG_E_CLOSED;
	if (in.len == 0)
		return RG_OK;
	if (!c->is_established)
		return tls_handshake_input(x, c, in, sink);
	x->is_served = true;
	return tls_record_input(x, c, in, sink);
}

int tls_write(struct tls_ctx *x, struct tls_conn *c, struct rg_slice d,
	      const struct tls_sink *sink) {
	if (!c->is_established || c->is_closed || c->is_dead)
		return RG_E_STALE;
	while (d.len > 0) {
		size_t n = d.len < TLS_MAX_PLAIN ? d.len : TLS_MAX_PLAIN;
		int rc = tls_record_renew(x, c, sink);

		if (rc == RG_OK)
			rc = tls_record_seal(x, c, SSL3_RT_APPLICATION_DATA, rg_slice(d.p, n),
					     sink);
		if (rc != RG_OK)
			return rc;
		d = rg_skip(d, n);
	}
	return RG_OK;
}

void tls_close(struct tls_ctx *x, struct tls_conn *c, const struct tls_sink *sink) {
	static const uint8_t message[] = {SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY};

	// During the handshake there is nothing to end (RFC 8446 6.1).
	if (c->is_established && !c->is_closed && !c->is_dead)
		(void)tls_record_seal(x, c, SSL3_RT_ALERT, rg_slice(message, sizeof(message)),
				      sink);
	c->is_closed = true;
}

void tls_forget(struct tls_ctx *x, struct tls_conn *c) {
	if (tls_has_partial(c))
		tls_record_drop(x, c);
}

bool tls_is_established(const struct tls_conn *c) {
	return c->is_established;
}

bool tls_has_partial(const struct tls_conn *c) {
	return c->is_established && c->ref != TLS_NO_REF;
}
