// SPDX-License-Identifier: BSD-3-Clause
// What a TLS connection takes of its owner's memory: all that a record of AES-128 touches. The rest
// of it lies in the tls_ctx, by index. The fields are those of dataplane/tls; others know the size.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum tls_dir { TLS_RD, TLS_WR, TLS_N_DIRS };

struct tls_conn {
	uint8_t key[TLS_N_DIRS][16]; // of AES-128; those of 32 bytes are in struct tls_long
	uint8_t iv[TLS_N_DIRS][12];
	uint32_t seq[TLS_N_DIRS]; // one cache line up to here
	uint32_t slot;            // in the tls_ctx, for as long as the connection lives
	uint32_t ref;      // half-open, then partial record, in the tls_ctx; TLS_NO_REF = none
	uint8_t suite : 2; // enum tls_suite
	uint8_t n_key_update : 3; // bytes seen of a KeyUpdate that is spread over records
	bool is_update_due : 1;   // the peer asked; goes before our next data
	bool is_established : 1;
	bool is_refused : 1;   // by the sink
	bool is_closed : 1;    // we sent close_notify, or never will
	bool is_ended : 1;     // the peer sent close_notify
	bool is_dead : 1;      // nothing goes in or out any more
	uint8_t n_key_updates; // since the last application data
	uint8_t n_idle;        // empty records and warnings since then
};
static_assert(sizeof(struct tls_conn) <= 80, "what a connection may take of its owner");
