// SPDX-License-Identifier: BSD-3-Clause
// The client's TLS handshake, by OpenSSL. Behind it the traffic secrets are taken from its key log
// and OpenSSL's state is freed: with tickets wanted when the upgrade has been answered, since a
// server sends them before that, else at once.
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "sock_int.h"

#define MAX_HELLO 2048

struct takeover { // of one SSL, as its app data
	struct sock *s;
	struct conn *c;
	uint8_t secret[TLS_N_DIRS][TLS_MAX_SECRET];
	bool has_secret[TLS_N_DIRS];
	bool is_done;                   // the handshake
	uint64_t n_records[TLS_N_DIRS]; // since then
};

static int hex_digit(char c) {
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "SERVER_TRAFFIC_SECRET_0 CLIENT_RANDOM SECRET", in hexadecimal.
static void on_key_log(const SSL *ssl, const char *line) {
	static const char *const labels[TLS_N_DIRS] = {
		[TLS_RD] = "SERVER_TRAFFIC_SECRET_0 ",
		[TLS_WR] = "CLIENT_TRAFFIC_SECRET_0 ",
	};
	struct takeover *t = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');

	for (int dir = 0; t != NULL && hex != NULL && dir < TLS_N_DIRS; dir++) {
		if (strncmp(line, labels[dir], strlen(labels[dir])) != 0)
			continue;
		for (size_t i = 0; i < TLS_MAX_SECRET; i++) {
			int hi = hex_digit(hex[1 + 2 * i]);

			if (hi < 0)
				break;
			t->secret[dir][i] = (uint8_t)(hi << 4 | hex_digit(hex[2 + 2 * i]));
		}
		t->has_secret[dir] = true;
	}
}

static void on_message(int is_write, int, int type, const void *, size_t, SSL *ssl, void *) {
	struct takeover *t = SSL_get_app_data(ssl);

	if (type == SSL3_RT_HEADER && t != NULL && t->is_done)
		t->n_records[is_write ? TLS_WR : TLS_RD]++;
}

// Takes the session: 1 keeps the reference.
static int on_ticket(SSL *ssl, SSL_SESSION *session) {
	struct takeover *t = SSL_get_app_data(ssl);

	if (t == NULL)
		return 0;
	SSL_SESSION_free(t->c->session);
	t->c->session = session;
	return 1;
}

static bool record_hello(struct sock *s) {
	SSL *ssl = SSL_new(s->ssl_ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	uint8_t *hello = malloc(MAX_HELLO);
	int n = -1;

	if (ssl == NULL || in == NULL || out == NULL || hello == NULL) {
		BIO_free(in);
		BIO_free(out);
	} else {
		SSL_set_bio(ssl, in, out); // consumed
		if (s->sni[0] != '\0')
			(void)SSL_set_tlsext_host_name(ssl, s->sni);
		SSL_set_connect_state(ssl);
		(void)SSL_do_handshake(ssl);
		n = BIO_read(out, hello, MAX_HELLO);
	}
	SSL_free(ssl);
	ERR_clear_error();
	s->hello = rg_slice(hello, n > 0 ? (size_t)n : 0);
	return n > 0;
}

int sock_ssl_init(struct sock *s, char *err, size_t err_len) {
	static const char *const suites[] = {
		[SUITE_AES128] = "TLS_AES_128_GCM_SHA256",
		[SUITE_AES256] = "TLS_AES_256_GCM_SHA384",
		[SUITE_CHACHA20] = "TLS_CHACHA20_POLY1305_SHA256",
	};
	static const char *const groups[] = {[GROUP_X25519] = "X25519", [GROUP_P256] = "P-256"};
	const struct scenario *sc = s->sc;
	SSL_CTX *x = SSL_CTX_new(TLS_client_method());

	s->ssl_ctx = x;
	s->crypt = tls_crypt_new(NULL);
	if (x == NULL || s->crypt == NULL ||
	    SSL_CTX_set_min_proto_version(x, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(x, suites[sc->suite]) != 1 ||
	    SSL_CTX_set1_groups_list(x, groups[sc->group]) != 1) {
		snprintf(err, err_len, "OpenSSL cannot be set up; is it 3.0?");
		return -ENOMEM;
	}
	if (sc->ca != NULL && SSL_CTX_load_verify_file(x, sc->ca) != 1) {
		snprintf(err, err_len, "ca: %s: no certificates in PEM there", sc->ca);
		return -EINVAL;
	}
	SSL_CTX_set_verify(x, sc->ca != NULL ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_keylog_callback(x, on_key_log);
	SSL_CTX_set_msg_callback(x, on_message);
	SSL_CTX_set_session_cache_mode(x, s->has_tickets ? SSL_SESS_CACHE_CLIENT |
								   SSL_SESS_CACHE_NO_INTERNAL
							 : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_new_cb(x, on_ticket);
	return record_hello(s) ? 0 : -ENOMEM;
}

void sock_ssl_fini(struct sock *s) {
	SSL_CTX_free(s->ssl_ctx);
	tls_crypt_free(s->crypt);
	free((void *)(uintptr_t)s->hello.p);
}

bool sock_tls_begin(struct sock *s, struct conn *c) {
	struct takeover *t = calloc(1, sizeof(*t));
	SSL *ssl = SSL_new(s->ssl_ctx);
	bool is_ok = t != NULL && ssl != NULL && SSL_set_fd(ssl, c->fd) == 1;

	c->ssl = ssl;
	if (!is_ok || SSL_set_app_data(ssl, t) != 1) {
		free(t);
		return false;
	}
	*t = (struct takeover){.s = s, .c = c};
	if (s->sni[0] != '\0')
		is_ok = SSL_set_tlsext_host_name(ssl, s->sni) == 1 &&
			SSL_set1_host(ssl, s->sni) == 1;
	else if (s->sc->ca != NULL)
		is_ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), s->ip) == 1;
	if (c->session != NULL)
		is_ok = is_ok && SSL_set_session(ssl, c->session) == 1;
	SSL_set_connect_state(ssl);
	return is_ok;
}

void sock_tls_free(struct conn *c) {
	if (c->ssl == NULL)
		return;
	free(SSL_get_app_data(c->ssl));
	SSL_set_quiet_shutdown(c->ssl, 1); // a session of one that ends otherwise would be lost
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	c->ssl = NULL;
}

// From what OpenSSL says to how the connection ended. why: its words, where it did not like it.
static void explain(SSL *ssl, int rc, struct sock_end *end, const char **why) {
	int saved = errno, what = SSL_get_error(ssl, rc);
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);
	long verified = SSL_get_verify_result(ssl);

	*why = NULL;
	if (what == SSL_ERROR_ZERO_RETURN || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		*end = (struct sock_end){.why = WHY_FIN};
	} else if (what == SSL_ERROR_SYSCALL) {
		*end = (struct sock_end){.why = saved == ECONNRESET ? WHY_RST : WHY_ERRNO,
					 .code = (uint16_t)saved};
	} else if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
		*end = (struct sock_end){.why = WHY_ALERT,
					 .code = (uint16_t)(reason - SSL_AD_REASON_OFFSET)};
	} else {
		*end = (struct sock_end){.why = WHY_TLS};
		*why = verified != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE
			       ? X509_verify_cert_error_string(verified)
			       : ERR_reason_error_string(e);
	}
	ERR_clear_error();
}

int sock_tls_step(struct conn *c, struct sock_end *end, const char **why) {
	struct takeover *t = SSL_get_app_data(c->ssl);
	int rc, what;

	errno = 0;
	rc = SSL_do_handshake(c->ssl);
	if (rc == 1) {
		t->is_done = true;
		return RG_OK;
	}
	what = SSL_get_error(c->ssl, rc);
	if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE)
		return RG_MORE;
	explain(c->ssl, rc, end, why);
	return RG_E_PROTO;
}

int sock_tls_read(struct conn *c, uint8_t *out, size_t room, size_t *n, struct sock_end *end,
		  const char **why) {
	int rc;

	errno = 0;
	rc = SSL_read_ex(c->ssl, out, room, n);
	if (rc == 1)
		return RG_OK;
	if (SSL_get_error(c->ssl, rc) == SSL_ERROR_WANT_READ)
		return RG_MORE;
	explain(c->ssl, rc, end, why);
	return RG_E_PROTO;
}

bool sock_tls_is_resumed(const struct conn *c) {
	return SSL_session_reused(c->ssl) == 1;
}

bool sock_tls_take_over(struct sock *s, struct conn *c) {
	static const uint16_t ids[TLS_N_SUITES] = {
		[TLS_AES128] = 0x1301, [TLS_AES256] = 0x1302, [TLS_CHACHA] = 0x1303};
	struct takeover *t = SSL_get_app_data(c->ssl);
	uint16_t id = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(c->ssl));
	bool is_ok = t->has_secret[TLS_RD] && t->has_secret[TLS_WR];

	for (unsigned i = 0; i < TLS_N_SUITES; i++)
		if (ids[i] == id)
			c->suite = (uint8_t)i;
	for (int dir = 0; is_ok && dir < TLS_N_DIRS; dir++)
		is_ok = sock_keys_init(s, c, (enum tls_dir)dir, t->secret[dir], t->n_records[dir]);
	sock_tls_free(c);
	return is_ok;
}
