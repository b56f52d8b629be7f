// SPDX-License-Identifier: BSD-3-Clause
// The peer of the record tests: seals any bytes as any kind of record and opens what the server
// sends, by OpenSSL's EVP and HKDF, sharing nothing with what is tested.
#pragma once

#include "tls/tls_int.h"

#define WIRE_MAX 20000
#define WIRE_N_COMBOS (2 * TLS_N_SUITES)

struct wire_key { // of one direction
	const char *cipher;
	const char *hash;
	size_t hash_len, key_len;
	uint8_t secret[48], key[32], iv[12];
	uint32_t seq;
};

struct wire {
	struct tls_ctx *ctx;
	struct tls_conn *server, conn;
	struct wire_key keys[TLS_N_DIRS]; // as the server names them
	uint8_t plain[1 << 16];           // what the server delivered
	size_t n_plain, n_plain_calls;
	uint8_t cipher[1 << 16]; // what it sent, not opened yet
	size_t n_cipher;
	int n_refuse; // the n-th call of the sink from now; 0 = none
	uint32_t source;
};

// A server connection that is through with its handshake, and its peer. The suites with the best
// engine come first, then those with EVP, for the whole of ctx.
struct wire *wire_new(struct tls_ctx *ctx, int combo);
void wire_free(struct wire *w);
struct tls_sink wire_sink(struct wire *w);
// The key of the next generation.
void wire_update(struct wire_key *k);
void wire_derive(struct wire_key *k);
// Seals inner, content type and padding included, into out; returns the length of the record.
size_t wire_seal_inner(struct wire_key *k, struct rg_slice inner, uint8_t *out);
size_t wire_seal(struct wire_key *k, uint8_t type, struct rg_slice d, size_t n_padding,
		 uint8_t *out);
int wire_send(struct wire *w, uint8_t type, struct rg_slice d);
// A KeyUpdate, and the new key from then on.
int wire_send_update(struct wire *w, bool is_request);
// The server's side: bytes that end against a guard page; data for the peer.
int wire_input(struct wire *w, const void *p, size_t len);
int wire_output(struct wire *w, const void *p, size_t len);
// Opens the server's next record: its content type and content, -1 when there is none, -2 when it
// does not open. Static storage.
int wire_next(struct wire *w, struct rg_slice *d);
// The alert that the server sent as its last record; -1 = none.
int wire_alert(struct wire *w);
