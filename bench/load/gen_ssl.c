// SPDX-License-Identifier: BSD-3-Clause
// Clients that do their handshake: OpenSSL over memory, then the upgrade and a first REGISTER, until
// the 200. Or one ClientHello, recorded once and sent by all: the gateway does the costly half of a
// handshake, the generator nothing. A client stays open when it is done, and does nothing more.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "gen.h"

#define MAX_HELLO 1024

enum ssl_step { STEP_FREE, STEP_HANDSHAKE, STEP_UPGRADE, STEP_REGISTER };

struct ssl_flow {
	SSL *ssl;
	BIO *in, *out; // of ssl
	enum ssl_step step;
};

struct ssl_clients {
	enum ssl_kind kind;
	SSL_CTX *ctx;
	struct ssl_flow flows[GEN_N_FLOWS];
	unsigned n_busy;
	uint64_t n_done, n_failed;
	uint8_t hello[MAX_HELLO];
	size_t hello_len;
};

static bool flow_start(struct ssl_clients *s, struct ssl_flow *f) {
	f->ssl = SSL_new(s->ctx);
	f->in = BIO_new(BIO_s_mem());
	f->out = BIO_new(BIO_s_mem());
	if (f->ssl == NULL || f->in == NULL || f->out == NULL)
		return false;               // the run fails
	SSL_set_bio(f->ssl, f->in, f->out); // consumed
	SSL_set_connect_state(f->ssl);
	return true;
}

static bool record_hello(struct ssl_clients *s) {
	struct ssl_flow f = {0};
	int n = -1;

	if (flow_start(s, &f)) {
		(void)SSL_do_handshake(f.ssl);
		n = BIO_read(f.out, s->hello, sizeof(s->hello));
	}
	SSL_free(f.ssl);
	ERR_clear_error();
	s->hello_len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

struct ssl_clients *ssl_clients_new(enum ssl_kind kind) {
	struct ssl_clients *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->kind = kind;
	s->ctx = SSL_CTX_new(TLS_client_method());
	if (s->ctx == NULL || SSL_CTX_set_min_proto_version(s->ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set1_groups_list(s->ctx, "X25519") != 1 ||
	    SSL_CTX_set_ciphersuites(s->ctx, "TLS_AES_128_GCM_SHA256") != 1 || !record_hello(s)) {
		ssl_clients_free(s);
		return NULL;
	}
	return s;
}

void ssl_clients_free(struct ssl_clients *s) {
	if (s == NULL)
		return;
	for (unsigned i = 0; i < GEN_N_FLOWS; i++)
		SSL_free(s->flows[i].ssl);
	SSL_CTX_free(s->ctx);
	free(s);
}

uint64_t ssl_n_done(const struct ssl_clients *s) {
	return s->n_done;
}

uint64_t ssl_n_failed(const struct ssl_clients *s) {
	return s->n_failed;
}

unsigned ssl_n_busy(const struct ssl_clients *s) {
	return s->n_busy;
}

bool ssl_begin(struct gen *g, uint32_t client, unsigned window) {
	struct ssl_clients *s = g->ssl;
	unsigned i = 0;

	if (s->n_busy >= RTE_MIN(window, (unsigned)GEN_N_FLOWS))
		return false;
	while (s->flows[i].step != STEP_FREE)
		i++;
	s->n_busy++;
	s->flows[i].step = STEP_HANDSHAKE;
	g->clients[client].flow = (uint8_t)(i + 1);
	gen_begin_open(g, client);
	return true;
}

static bool send_bytes(struct gen *g, uint32_t client, const uint8_t *p, size_t len) {
	return tcp_send(g->tcp, g->clients[client].conn, rg_slice(p, len), g->now_ns) == 0;
}

static void flow_end(struct gen *g, uint32_t client, struct ssl_flow *f, bool is_ok) {
	SSL_free(f->ssl);
	ERR_clear_error();
	*f = (struct ssl_flow){0};
	g->clients[client].flow = 0;
	g->ssl->n_busy--;
	g->ssl->n_done += is_ok;
	g->ssl->n_failed += !is_ok;
}

void ssl_opened(struct gen *g, uint32_t client) {
	struct ssl_clients *s = g->ssl;
	struct ssl_flow *f = &s->flows[g->clients[client].flow - 1];

	if (s->kind == SSL_HELLO ? !send_bytes(g, client, s->hello, s->hello_len)
				 : !flow_start(s, f))
		flow_end(g, client, f, false);
	else if (s->kind != SSL_HELLO)
		ssl_data(g, client, (struct rg_slice){0});
}

void ssl_ended(struct gen *g, uint32_t client) {
	flow_end(g, client, &g->ssl->flows[g->clients[client].flow - 1], false);
}

// Does `need` come in what there is to read? -1: no, and nothing else will help.
static int expect(struct ssl_flow *f, const char *need) {
	char text[4096];
	int n = SSL_read(f->ssl, text, sizeof(text));

	if (n <= 0)
		return SSL_get_error(f->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
	return memmem(text, (size_t)n, need, strlen(need)) != NULL ? 1 : -1;
}

static bool write_upgrade(struct ssl_flow *f) {
	static const char text[] = "GET /w2 HTTP/1.1\r\nHost: gateway.example.net\r\n"
				   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
				   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
				   "Sec-WebSocket-Version: 13\r\n"
				   "Sec-WebSocket-Protocol: sip\r\n\r\n";

	return SSL_write(f->ssl, text, sizeof(text) - 1) > 0;
}

static bool write_register(struct ssl_flow *f, uint32_t client) {
	uint8_t frame[LOAD_REQUEST_LEN + 16];
	size_t n = gen_put_frame(frame, client, 1);

	return SSL_write(f->ssl, frame, (int)n) > 0;
}

// As far as it gets with what has come. 1: to its end; -1: it failed.
static int flow_go_on(enum ssl_kind kind, struct ssl_flow *f, uint32_t client) {
	int rc;

	switch (f->step) {
	case STEP_HANDSHAKE:
		rc = SSL_do_handshake(f->ssl);
		if (rc != 1)
			return SSL_get_error(f->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : -1;
		if (kind == SSL_ONLY)
			return 1;
		f->step = STEP_UPGRADE;
		return write_upgrade(f) ? 0 : -1;
	case STEP_UPGRADE:
		rc = expect(f, "HTTP/1.1 101 ");
		if (rc <= 0)
			return rc;
		f->step = STEP_REGISTER;
		return write_register(f, client) ? 0 : -1;
	case STEP_REGISTER:
		return expect(f, "SIP/2.0 200 OK");
	default:
		return -1;
	}
}

void ssl_data(struct gen *g, uint32_t client, struct rg_slice d) {
	struct ssl_flow *f = &g->ssl->flows[g->clients[client].flow - 1];
	uint8_t bytes[4096];
	int rc, n;

	if (g->ssl->kind == SSL_HELLO) { // its answer begins: that was the costly part
		flow_end(g, client, f, true);
		tcp_abort(g->tcp, g->clients[client].conn, g->now_ns);
		return;
	}
	if (d.len > 0 && BIO_write(f->in, d.p, (int)d.len) != (int)d.len) {
		flow_end(g, client, f, false);
		return;
	}
	rc = flow_go_on(g->ssl->kind, f, client);
	while ((n = BIO_read(f->out, bytes, sizeof(bytes))) > 0)
		if (!send_bytes(g, client, bytes, (size_t)n))
			rc = -1;
	if (rc != 0)
		flow_end(g, client, f, rc == 1);
}
