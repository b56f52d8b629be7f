// SPDX-License-Identifier: BSD-3-Clause
// What the TLS tests share: certificates made on the spot, OpenSSL's own client over memory BIOs,
// a sink that collects, and an allocator that counts and can fail.
#pragma once

#include <openssl/ssl.h>

#include "tls/tls.h"

// First in main(): counts OpenSSL's allocations from here on.
void alloc_init(void);
long alloc_live(void); // blocks
long alloc_calls(void);
// The n-th allocation from now fails, once; 0 = none.
void alloc_fail_at(long n);

// Path of a file in this run's temporary directory. Static storage, 8 paths.
const char *tmp_path(const char *name);
void tmp_put(const char *name, const char *text);
void tmp_remove(void);
// Makes NAME.crt and NAME.key (P-256, or RSA-2048). Encrypts the key when password is not NULL.
void make_pair(const char *name, bool is_rsa, const char *password);
// The same, P-256, with a subjectAltName ("DNS:a.example,DNS:*.b.example") and a serial number.
void make_named(const char *name, const char *names, long serial);

// One connection between OpenSSL's client and ours.
struct pair {
	struct tls_ctx *ctx;
	struct tls_conn *server, conn;
	SSL *client;
	uint8_t plain[131072]; // what the server opened
	size_t n_plain;
	size_t n_cipher; // bytes that the server sent
	uint32_t source;
	int n_refuse;     // refuse the n-th call of the sink from now; 0 = none
	size_t cut;       // feed the server this many bytes at a time
	const char *echo; // written, or closed when "", from within the sink
	int echo_rc;
	int rc; // last of tls_input()
};

extern unsigned ctx_tickets; // of ctx_new()
extern uint64_t pair_now_ns; // of the steps of handshakes
// Slots of connections and half-open ones are plenty. As tls_ctx_new() otherwise.
struct tls_ctx *ctx_new(const char *certificate, const char *key, char *err, size_t err_len);
uint32_t slot_take(void); // round and round
SSL_CTX *client_ctx_new(void);
// The traffic secret that a client last came to: 0 its own, 1 the server's. Static storage.
struct rg_slice client_secret(int dir);
struct pair *pair_new(struct tls_ctx *ctx, SSL_CTX *client);
void pair_end(struct pair *p); // of the server's side only
void pair_free(struct pair *p);
const struct tls_sink *pair_sink(struct pair *p); // static storage
// tls_input() to the server, and the steps of its handshake.
int pair_input(struct pair *p, struct rg_slice in);
// Moves what the client has to say into the server.
void pair_to_server(struct pair *p);
// Handshake, as far as it goes. True when both ends are through.
bool pair_handshake(struct pair *p);
// The client sends or reads len bytes; false when it does not get there.
bool pair_client_write(struct pair *p, const void *d, size_t len);
bool pair_client_read(struct pair *p, void *d, size_t len);
// What the client says about an alert it got: an SSL_R_ code.
int pair_client_reason(struct pair *p);
