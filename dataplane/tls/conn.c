// SPDX-License-Identifier: BSD-3-Clause
// One TLS connection: OpenSSL over a BIO that reads the caller's bytes where they lie and hands
// ciphertext to the caller's sink. Runs on a worker; no system call, no clock. OpenSSL allocates
// from the first byte on. After a failure the connection is dead: records would be missing.
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "regate/err.h"
#include "tls_int.h"

// What a client may send before it is through with the handshake. A ClientHello with every
// extension of today's browsers stays below 4 KiB.
#define MAX_HANDSHAKE 16384
// KeyUpdates without application data between them; each makes us derive keys and answer.
#define MAX_KEY_UPDATES 16

struct tls_conn {
	struct tls_ctx *ctx;
	SSL *ssl;                    // NULL before the first byte
	struct rg_slice in;          // not read by OpenSSL yet; empty between calls
	const struct tls_sink *sink; // of the call under way, else NULL
	uint32_t n_handshake;        // bytes read before is_established
	uint8_t n_key_updates;       // since the last application data
	bool is_established;
	bool is_refused; // by the sink
	bool is_closed;  // we sent close_notify, or never will
	bool is_dead;
};

static int bio_read(BIO *b, char *out, int n) {
	struct tls_conn *c = BIO_get_data(b);
	size_t len = (size_t)n < c->in.len ? (size_t)n : c->in.len;

	BIO_clear_retry_flags(b);
	if (len == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (!c->is_established) {
		c->n_handshake += (uint32_t)len;
		if (c->n_handshake > MAX_HANDSHAKE)
			return -1;
	}
	memcpy(out, c->in.p, len);
	c->in = rg_skip(c->in, len);
	return (int)len;
}

static int bio_write(BIO *b, const char *p, int n) {
	struct tls_conn *c = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (c->sink->cipher(c->sink->arg, rg_slice(p, (size_t)n)) < 0) {
		c->is_refused = true;
		return -1;
	}
	return n;
}

// 0 for what is unknown: a BIO that says yes to everything is taken for one with kernel TLS, and
// sent plaintext (performance.md 3).
static long bio_ctrl(BIO *b, int cmd, long num, void *ptr) {
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method_new(void) {
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "regate");

	if (m != NULL && BIO_meth_set_read(m, bio_read) == 1 &&
	    BIO_meth_set_write(m, bio_write) == 1 && BIO_meth_set_ctrl(m, bio_ctrl) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

void tls_on_message(int is_write, int version, int type, const void *buf, size_t len, SSL *ssl,
		    void *arg) {
	struct tls_conn *c = SSL_get_app_data(ssl);

	(void)version;
	(void)arg;
	if (!is_write && type == SSL3_RT_HANDSHAKE && len > 0 &&
	    *(const uint8_t *)buf == SSL3_MT_KEY_UPDATE && c->n_key_updates < UINT8_MAX)
		c->n_key_updates++;
}

struct tls_conn *tls_conn_new(struct tls_ctx *ctx) {
	struct tls_conn *c = OPENSSL_zalloc(sizeof(*c));

	if (c == NULL)
		ERR_clear_error();
	else
		c->ctx = ctx;
	return c;
}

void tls_conn_free(struct tls_conn *c) {
	if (c == NULL)
		return;
	SSL_free(c->ssl);
	OPENSSL_free(c);
}

// Makes the SSL object. XXX OpenSSL allocates what a ClientHello says it is long, up to 128 KiB,
// with its first bytes; whoever caps half-open connections should count on that.
static int start(struct tls_conn *c) {
	BIO *b = BIO_new(c->ctx->method);

	c->ssl = b == NULL ? NULL : SSL_new(c->ctx->ssl);
	if (c->ssl == NULL) {
		BIO_free(b);
		ERR_clear_error();
		return -ENOMEM;
	}
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	SSL_set_bio(c->ssl, b, b); // consumed
	SSL_set_app_data(c->ssl, c);
	SSL_set_accept_state(c->ssl);
	return RG_OK;
}

// Turns the failure of an OpenSSL call into ours. OpenSSL has sent an alert where one is due. The
// error queue belongs to the thread: what stays in it would be taken for the next connection's.
static int fail(struct tls_conn *c, int ret) {
	int error = SSL_get_error(c->ssl, ret);

	ERR_clear_error();
	if (c->is_refused) {
		c->is_dead = true;
		return -ENOBUFS;
	}
	if (error == SSL_ERROR_WANT_READ)
		return RG_MORE;
	if (error == SSL_ERROR_ZERO_RETURN) // from now on: RFC 8446 6.1, ignore what follows
		return RG_E_CLOSED;
	c->is_dead = true;
	return RG_E_PROTO;
}

// Runs the handshake, then opens records until the input is used up.
static int run(struct tls_conn *c) {
	uint8_t *plain = c->ctx->plain;
	int n;

	if (!c->is_established) {
		n = SSL_do_handshake(c->ssl);
		if (n != 1)
			return fail(c, n);
		c->is_established = true;
	}
	for (;;) {
		n = SSL_read(c->ssl, plain, TLS_MAX_PLAIN);
		if (c->n_key_updates > MAX_KEY_UPDATES) {
			c->is_dead = true;
			return RG_E_PROTO;
		}
		if (n <= 0)
			return fail(c, n);
		c->n_key_updates = 0;
		c->sink->plain(c->sink->arg, rg_slice(plain, (size_t)n));
		if (c->is_dead) // the sink wrote, and that failed
			return c->is_refused ? -ENOBUFS : RG_E_PROTO;
	}
}

int tls_input(struct tls_conn *c, struct rg_slice in, const struct tls_sink *sink) {
	int rc;

	if (c->is_dead)
		return RG_E_PROTO;
	if (in.len == 0)
		return RG_OK;
	if (c->ssl == NULL) {
		rc = start(c);
		if (rc != RG_OK)
			return rc;
	}
	c->in = in;
	c->sink = sink;
	ERR_clear_error(); // SSL_get_error() looks at the queue
	rc = run(c);
	c->in = rg_slice(NULL, 0);
	c->sink = NULL;
	return rc == RG_MORE ? RG_OK : rc;
}

int tls_write(struct tls_conn *c, struct rg_slice d, const struct tls_sink *sink) {
	const struct tls_sink *outer = c->sink; // of a tls_input() that we are called from
	size_t n;
	int ok;

	if (!c->is_established || c->is_closed || c->is_dead)
		return RG_E_STALE;
	if (d.len == 0)
		return RG_OK;
	ERR_clear_error();
	c->sink = sink;
	ok = SSL_write_ex(c->ssl, d.p, d.len, &n);
	c->sink = outer;
	if (ok == 1)
		return RG_OK;
	// Besides the sink, half a KeyUpdate from the peer stops OpenSSL; nobody honest sends that.
	ERR_clear_error();
	c->is_dead = true;
	return c->is_refused ? -ENOBUFS : RG_E_STALE;
}

void tls_close(struct tls_conn *c, const struct tls_sink *sink) {
	const struct tls_sink *outer = c->sink;

	// During the handshake there is nothing to end (RFC 8446 6.1), nor does OpenSSL offer it.
	if (c->is_established && !c->is_closed && !c->is_dead) {
		ERR_clear_error();
		c->sink = sink;
		(void)SSL_shutdown(c->ssl); // 0: sent, the peer's is yet to come
		c->sink = outer;
		ERR_clear_error();
		c->is_dead = c->is_refused;
	}
	c->is_closed = true;
}

bool tls_is_established(const struct tls_conn *c) {
	return c->is_established;
}
