// SPDX-License-Identifier: BSD-3-Clause
// The first life of a connection: OpenSSL over a BIO that reads the caller's bytes where they lie
// and hands ciphertext to the caller's sink; then the hand-over to record.c, after which nothing of
// OpenSSL's is left. Runs on a worker; no system call, no clock. Secrets come by the key log, the
// only way OpenSSL gives them out, and go no further than the connection.
#include <errno.h>
#include <openssl/err.h>

#include "regate/err.h"
#include "tls_int.h"

// OpenSSL without read-ahead asks for a header, then for a body: it never takes a byte of what
// follows the client's Finished.
static int bio_read(BIO *b, char *out, int n) {
	struct tls_handshake *h = BIO_get_data(b);
	size_t len = (size_t)n < h->in.len ? (size_t)n : h->in.len;

	BIO_clear_retry_flags(b);
	if (len == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	h->n_read += (uint32_t)len;
	if (h->n_read > TLS_HELLO_MAX)
		return -1;
	memcpy(out, h->in.p, len);
	h->in = rg_skip(h->in, len);
	return (int)len;
}

static int bio_write(BIO *b, const char *p, int n) {
	struct tls_handshake *h = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (h->sink->cipher(h->sink->arg, rg_slice(p, (size_t)n)) < 0) {
		h->is_refused = true;
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

static int nibble(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A line is LABEL, the client's random and the secret, in hex, one blank between them.
void tls_on_secret(const SSL *ssl, const char *line) {
	static const struct rg_slice labels[TLS_N_DIRS] = {
		[TLS_RD] = RG_LIT("CLIENT_TRAFFIC_SECRET_0 "),
		[TLS_WR] = RG_LIT("SERVER_TRAFFIC_SECRET_0 "),
	};
	struct tls_handshake *h = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');
	int dir = 0;
	size_t len;

	while (dir < TLS_N_DIRS && !rg_is_prefix(rg_str(line), labels[dir]))
		dir++;
	if (dir == TLS_N_DIRS || hex == NULL)
		return;
	len = strlen(++hex) / 2;
	if (len > TLS_MAX_SECRET)
		return;
	for (size_t i = 0; i < len; i++) {
		int high = nibble(hex[2 * i]);
		int low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		h->secret[dir][i] = (uint8_t)(high << 4 | low);
	}
	h->secret_len[dir] = (uint8_t)len;
	SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), NULL);
}

// Asks for the key log at both Finished only, since the lines of the handshake keys would cost 6 us:
// the traffic secrets follow upon them. Tickets take sequence numbers of the application key, which
// OpenSSL names as soon as its own Finished is sealed with the one before.
void tls_on_message(int is_write, int version, int type, const void *buf, size_t len, SSL *ssl,
		    void *arg) {
	struct tls_handshake *h = SSL_get_app_data(ssl);

	(void)version;
	(void)arg;
	if (type == SSL3_RT_HANDSHAKE && len > 0 && *(const uint8_t *)buf == SSL3_MT_FINISHED)
		SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), tls_on_secret);
	if (is_write && type == SSL3_RT_HEADER && h->secret_len[TLS_WR] != 0)
		h->n_sealed++;
}

// XXX OpenSSL allocates what a ClientHello says it is long, up to 128 KiB, with its first bytes. The
// first one is whole by now and below TLS_HELLO_MAX, the one after a HelloRetryRequest is not.
static int start(struct tls_ctx *x, struct tls_handshake *h) {
	BIO *b = BIO_new(x->method);
	struct tls_refusal why;
	struct tls_hello hello;

	// It was looked at before; a certificate may have come since.
	if (b != NULL && tls_hello_peek(rg_slice(h->b, h->in.len), x->plain, &hello, &why) == RG_OK)
		h->ssl = SSL_new(tls_certs_pick(x, hello.sni));
	if (b == NULL || h->ssl == NULL) {
		BIO_free(b);
		ERR_clear_error();
		return -ENOMEM;
	}
	BIO_set_data(b, h);
	BIO_set_init(b, 1);
	SSL_set_bio(h->ssl, b, b); // consumed
	SSL_set_app_data(h->ssl, h);
	SSL_set_accept_state(h->ssl);
	return RG_OK;
}

// Turns the failure of SSL_do_handshake() into ours. OpenSSL has sent an alert where one is due.
// The error queue belongs to the thread: what stays in it would be taken for the next connection's.
static int fail(struct tls_conn *c, const struct tls_handshake *h, int ret) {
	int error = SSL_get_error(h->ssl, ret);

	ERR_clear_error();
	if (!h->is_refused && error == SSL_ERROR_WANT_READ)
		return RG_MORE;
	c->is_dead = true;
	if (!h->is_refused && error == SSL_ERROR_ZERO_RETURN)
		return RG_E_CLOSED;
	c->is_refused = h->is_refused;
	return h->is_refused ? -ENOBUFS : RG_E_PROTO;
}

static enum tls_suite suite_of(const SSL *ssl) {
	switch (SSL_CIPHER_get_id(SSL_get_current_cipher(ssl))) {
	case TLS1_3_CK_AES_128_GCM_SHA256:
		return TLS_AES128;
	case TLS1_3_CK_AES_256_GCM_SHA384:
		return TLS_AES256;
	case TLS1_3_CK_CHACHA20_POLY1305_SHA256:
		return TLS_CHACHA;
	default:
		return TLS_N_SUITES;
	}
}

// From here on the connection is record.c's.
static int hand_over(struct tls_ctx *x, struct tls_conn *c) {
	struct tls_handshake *h = tls_handshake_of(x, c);
	enum tls_suite suite = suite_of(h->ssl);
	size_t len;

	c->is_dead = true;
	if (suite == TLS_N_SUITES)
		return RG_E_PROTO; // one that the policy leaves out
	c->suite = suite;
	len = tls_hash_len(x->crypt->aeads[suite].hash);
	if (h->secret_len[TLS_RD] != len || h->secret_len[TLS_WR] != len)
		return -ENOMEM; // OpenSSL could not make the line
	if (!tls_keys_init(x, c, h)) {
		tls_keys_fini(x, c);
		ERR_clear_error();
		return -ENOMEM;
	}
	c->seq[TLS_WR] = h->n_sealed;
	c->is_established = true;
	c->is_dead = false;
	return RG_OK;
}

int tls_handshake_run(struct tls_ctx *x, struct tls_conn *c, struct rg_slice *in,
		      const struct tls_sink *sink) {
	struct tls_handshake *h = tls_handshake_of(x, c);
	int n;

	h->in = *in;
	h->sink = sink;
	if (h->ssl == NULL && start(x, h) != RG_OK) {
		c->is_dead = true;
		return -ENOMEM;
	}
	ERR_clear_error(); // SSL_get_error() looks at the queue
	n = SSL_do_handshake(h->ssl);
	*in = h->in;
	h->in = rg_slice(NULL, 0);
	h->sink = NULL;
	return n == 1 ? hand_over(x, c) : fail(c, h, n);
}
