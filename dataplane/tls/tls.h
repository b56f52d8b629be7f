// SPDX-License-Identifier: BSD-3-Clause
// TLS 1.3 server (RFC 8446), an engine without I/O: ciphertext in, plaintext and ciphertext out.
// OpenSSL does the handshake, a record layer of our own the rest. The only folder of the dataplane
// that sees OpenSSL and ipsec-mb. Each worker has its own tls_ctx (own OSSL_LIB_CTX). An
// established connection takes no memory beyond its own, but while keys change.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/cert.h"
#include "regate/slice.h"
#include "tls_conn.h"

struct tls_ctx;

// Connections of one tls_ctx that may hold a part of a record at once, 16 KiB each.
#define TLS_MAX_PARTIAL 1024
// Of these, those of one source. Who speaks has one for as long as a record takes to come, the
// hundreds behind one carrier's address seldom a few.
#define TLS_MAX_PARTIAL_PER_SOURCE (TLS_MAX_PARTIAL / 8)

#define TLS_NO_SLOT UINT32_MAX

struct tls_cfg {                          // borrowed for the call
	const struct rg_cert_file *certs; // the first is for names that nobody has
	size_t n_certs;
	uint32_t max_conns;
	uint32_t max_half_open;       // connections that may be amid their handshake; 17 KiB each
	uint16_t max_per_source;      // of these, of one source; 0 = all, of partial records too
	unsigned share;               // of the time that handshakes may take, percent
	unsigned n_tickets;           // 0, 1: sessions can be resumed; the next three then
	uint32_t ticket_life_s;       // and how often their key changes
	uint64_t ticket_offset_ns;    // what is added to now_ns for the number of that period
	const uint8_t *ticket_secret; // 32 bytes; the same secret and time make the same keys
};

// What OpenSSL frees is wiped from now on, in the whole process: it leaves secrets behind otherwise.
// First thing in main(); false once OpenSSL has allocated anything.
[[nodiscard]] bool tls_wipe_freed(void);

// NULL with one line in err: what is wrong with which file, and the cure (missing, unreadable, not
// PEM, key does not match the certificate).
[[nodiscard]] struct tls_ctx *tls_ctx_new(const struct tls_cfg *cfg, char *err, size_t err_len);
void tls_ctx_free(struct tls_ctx *c); // accepts NULL

// Certificates for handshakes to come, while the worker runs: made by the control plane, exchanged
// at once. What tls_certs_swap() returns is to be freed, by any thread, when the worker has passed
// a quiescent state, and before tls_ctx_free(). Errors as tls_ctx_new().
struct tls_certs;
[[nodiscard]] struct tls_certs *tls_certs_new(struct tls_ctx *x, const struct rg_cert_file *files,
					      size_t n, char *err, size_t err_len);
[[nodiscard]] struct tls_certs *tls_certs_swap(struct tls_ctx *x, struct tls_certs *set);
void tls_certs_free(struct tls_certs *set);                    // accepts NULL
const struct tls_certs *tls_certs_of(const struct tls_ctx *x); // control plane only
const struct rg_cert_info *tls_certs_info(const struct tls_certs *set, size_t i); // NULL: no more

struct tls_sink {
	void *arg;
	void (*plain)(void *arg, struct rg_slice d); // application data, borrowed for the call
	int (*cipher)(void *arg, struct rg_slice d); // bytes for the peer; negative stops
	uint32_t (*source)(void *arg); // keyed hash of whom the peer's address stands for
};

// slot: below max_conns, of no other connection until tls_conn_fini(). It costs 64 bytes of the
// tls_ctx from the hand-over on; before the first byte there is nothing to give back.
void tls_conn_init(struct tls_conn *c, uint32_t slot);
void tls_conn_fini(struct tls_ctx *x, struct tls_conn *c); // wipes what it held

// Feeds bytes from the peer; all are consumed. RG_OK; RG_E_CLOSED after the peer's close_notify;
// RG_E_PROTO (an alert was sent where one is due), as are RG_E_UNSUPPORTED, a client without TLS
// 1.3, and RG_E_LIMIT, one that says too much before its handshake; RG_E_EXHAUSTED when
// max_half_open connections are amid theirs, or TLS_MAX_PARTIAL have part of a record waiting;
// -EDQUOT when one source has its share of either; -ENOBUFS when the sink refused; -ENOMEM in a
// change of keys. The sink may call tls_write() and tls_close() on c, but not end it.
[[nodiscard]] int tls_input(struct tls_ctx *x, struct tls_conn *c, struct rg_slice in,
			    const struct tls_sink *sink);

// Handshakes wait for their turn: tls_input() only keeps what comes during one. Once per poll: the
// slot of the connection that is next, for tls_step(), or TLS_NO_SLOT, for there is none or their
// share of the time is used up. What steps take is told by tls_charge(). While established
// connections are silent there is no share: all the time is theirs.
uint32_t tls_ready(struct tls_ctx *x, uint64_t now_ns);
// As tls_input(); -ENOMEM without memory. May deliver data that came behind the handshake.
[[nodiscard]] int tls_step(struct tls_ctx *x, struct tls_conn *c, const struct tls_sink *sink);
void tls_charge(struct tls_ctx *x, uint64_t cost_ns);
bool tls_is_waiting(const struct tls_ctx *x); // a step can be made, when its time has come

// Seals and sends d. RG_OK, -ENOBUFS, RG_E_STALE (not established or closed), -ENOMEM (a change of
// keys). After -ENOBUFS the connection is dead, since a record is missing: ask tls_sealed_len()
// for the room before.
[[nodiscard]] int tls_write(struct tls_ctx *x, struct tls_conn *c, struct rg_slice d,
			    const struct tls_sink *sink);
void tls_close(struct tls_ctx *x, struct tls_conn *c,
	       const struct tls_sink *sink); // close_notify, once
// Nobody reads on: gives back what there is of a record. Not from the sink.
void tls_forget(struct tls_ctx *x, struct tls_conn *c);
bool tls_is_established(const struct tls_conn *c);
// The last that the client has to say in its handshake is here, and waits for its turn.
bool tls_is_finishing(const struct tls_ctx *x, const struct tls_conn *c);
bool tls_has_partial(const struct tls_conn *c); // part of a record waits for its rest

// Bytes of ciphertext that tls_write() makes of n bytes, at most.
static inline size_t tls_sealed_len(size_t n) {
	return n + (n / 16384 + 1) * 22 + 27; // header 5, type 1, tag 16 (RFC 8446 5.2); KeyUpdate
}

// SHA-1 for the WebSocket handshake (RFC 6455 4.2.2).
void tls_sha1(struct tls_ctx *c, struct rg_slice in, uint8_t out[20]);
