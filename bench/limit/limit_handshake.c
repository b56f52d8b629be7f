// SPDX-License-Identifier: BSD-3-Clause
// A bare OpenSSL accept loop: the server's half of full TLS 1.3 handshakes over memory, with nothing
// around it. What the gateway's handshakes are compared with.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <time.h>

#include "limit.h"

#define MAX_STEPS 8

static uint64_t cpu_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static SSL_CTX *server_new(const char *certificate, const char *key) {
	SSL_CTX *s = SSL_CTX_new(TLS_server_method());

	if (s == NULL)
		return NULL;
	SSL_CTX_set_options(s, SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(s, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_num_tickets(s, 0) == 1 && SSL_CTX_set1_groups_list(s, "X25519") == 1 &&
	    SSL_CTX_set_ciphersuites(s, "TLS_AES_128_GCM_SHA256") == 1 &&
	    SSL_CTX_use_certificate_chain_file(s, certificate) == 1 &&
	    SSL_CTX_use_PrivateKey_file(s, key, SSL_FILETYPE_PEM) == 1)
		return s;
	SSL_CTX_free(s);
	return NULL;
}

// The server's share of one handshake, ns; 0 when it failed.
static uint64_t handshake(SSL_CTX *server, SSL_CTX *client) {
	SSL *c = SSL_new(client), *s = NULL;
	uint64_t ns = cpu_ns(), spent = 0;
	BIO *in, *out;
	bool is_done = false, is_client_done = false;

	s = SSL_new(server);
	in = BIO_new(BIO_s_mem());
	out = BIO_new(BIO_s_mem());
	if (c == NULL || s == NULL || in == NULL || out == NULL || BIO_up_ref(in) != 1 ||
	    BIO_up_ref(out) != 1)
		return 0;        // no memory: the program ends
	SSL_set_bio(s, in, out); // consumed
	SSL_set_accept_state(s);
	spent += cpu_ns() - ns;
	SSL_set_bio(c, out, in); // consumed
	SSL_set_connect_state(c);
	for (int i = 0; i < MAX_STEPS && !(is_done && is_client_done); i++) {
		is_client_done = SSL_do_handshake(c) == 1;
		ns = cpu_ns();
		is_done = SSL_do_handshake(s) == 1;
		spent += cpu_ns() - ns;
	}
	ns = cpu_ns();
	SSL_free(s);
	spent += cpu_ns() - ns;
	SSL_free(c);
	return is_done && is_client_done ? spent : 0;
}

double limit_handshake_ns(const char *certificate, const char *key, uint32_t n) {
	SSL_CTX *server = server_new(certificate, key);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	bool is_ok = server != NULL && client != NULL;
	uint64_t sum = 0;

	for (uint32_t i = 0; is_ok && i < n; i++) {
		uint64_t ns = handshake(server, client);

		sum += ns;
		is_ok = ns > 0;
	}
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	ERR_clear_error();
	return is_ok ? (double)sum / n : -1;
}
