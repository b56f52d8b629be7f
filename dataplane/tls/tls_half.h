// SPDX-License-Identifier: BSD-3-Clause
// Connections amid their handshake: what is kept of them, the pools and queues they are in, and the
// calls between the files that deal with them.
#pragma once

#include <openssl/ssl.h>

#include "hello.h"
#include "tls.h"

#define TLS_MAX_SECRET 48
#define TLS_NO_REF UINT32_MAX

// Indices of what is not in use, last in first out: what was touched is touched again.
struct tls_pool {
	uint32_t n, n_free;
	uint32_t *free;
};

// How many of something each source has, by two hashes of it.
#define TLS_N_SOURCES 4096
struct tls_quota {
	uint16_t n[2][TLS_N_SOURCES];
};

// First in, first out, linked in the handshakes themselves.
struct tls_queue {
	uint32_t n, head, tail;
};

// The first step of a handshake, and those after it: the client's Finished.
enum tls_queue_id { TLS_FIRST, TLS_LATER, TLS_N_QUEUES };

// The first life: from the first byte to the hand-over.
struct tls_handshake {
	SSL *ssl;              // NULL until the ClientHello's turn
	uint32_t slot, source; // of the connection
	uint32_t prev, next;   // of those that wait
	bool is_queued;
	struct rg_slice in;             // not read by OpenSSL yet; empty between calls
	const struct tls_sink *sink;    // of the call under way, else NULL
	uint64_t n_sealed;              // records that OpenSSL sealed with the application key
	struct tls_hello_scan scan;     // of b, until the ClientHello is whole
	uint32_t n_read;                // bytes
	bool is_refused;                // by the sink
	uint8_t secret_len[TLS_N_DIRS]; // 0 = not heard yet
	uint8_t secret[TLS_N_DIRS][TLS_MAX_SECRET];
	uint32_t len;             // of b
	uint8_t b[TLS_HELLO_MAX]; // waits for the next step
};

// Of one period, derived from the secret of all.
struct tls_ticket_key {
	uint64_t period;
	bool is_made;
	uint8_t name[16], cipher[32], mac[32];
};

// tickets.c
bool tls_tickets_init(struct tls_ctx *x, const struct tls_cfg *cfg); // false without memory
bool tls_tickets_policy(const struct tls_ctx *x, SSL_CTX *s);
// SSL_CTX_set_tlsext_ticket_key_evp_cb()
int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		  EVP_MAC_CTX *mac, int is_sealing);

// pool.c
bool tls_pool_init(struct tls_pool *p, uint32_t n); // false without memory
void tls_pool_fini(struct tls_pool *p);
uint32_t tls_pool_take(struct tls_pool *p); // TLS_NO_REF when there is none
void tls_pool_put(struct tls_pool *p, uint32_t i);
// One more for that source; false when it has max, 0 = no limit.
bool tls_quota_take(struct tls_quota *q, uint32_t source, unsigned max);
void tls_quota_put(struct tls_quota *q, uint32_t source);

// handshake.c: the BIO that stands between SSL and the caller's memory.
BIO_METHOD *tls_bio_method_new(void);
// handshake.c: counts what OpenSSL seals, and sets the next; SSL_CTX_set_msg_callback().
void tls_on_message(int is_write, int version, int type, const void *buf, size_t len, SSL *ssl,
		    void *arg);
// handshake.c: takes the traffic secrets; SSL_CTX_set_keylog_callback().
void tls_on_secret(const SSL *ssl, const char *line);
// handshake.c: runs it over *in. RG_OK when handed over: *in is what followed; RG_MORE; or as
// tls_step().
int tls_handshake_run(struct tls_ctx *x, struct tls_conn *c, struct rg_slice *in,
		      const struct tls_sink *sink);

// halfopen.c
int tls_handshake_input(struct tls_ctx *x, struct tls_conn *c, struct rg_slice in,
			const struct tls_sink *sink);
void tls_handshake_drop(struct tls_ctx *x, struct tls_conn *c); // if there is one
