// SPDX-License-Identifier: BSD-3-Clause
// A look at a ClientHello (RFC 8446 4.1.2) before anything is allocated for it: is it whole, does
// it offer what we speak, which name does it ask for? A pure function over the peer's bytes.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/slice.h"

// What a client may send before we answer, record headers included. A ClientHello with every
// extension of today's browsers stays below 4 KiB.
#define TLS_HELLO_MAX 16384

struct tls_hello {
	size_t len; // of it in the input, record headers included
	uint16_t legacy_version;
	struct rg_slice sni; // host_name (RFC 6066 3) in the input or in scratch; empty = none
	bool has_alpn;
	bool has_ticket;     // session_ticket of TLS 1.2
	bool has_psk;        // wants to resume
	bool has_early_data; // which we never asked for
};

enum tls_refusal_kind { TLS_SAY_ALERT, TLS_SAY_NOTHING, TLS_SAY_HTTP };

struct tls_refusal {
	uint8_t kind;     // enum tls_refusal_kind
	uint8_t alert;    // RFC 8446 6
	uint16_t version; // of the alert's record: what the client can read
};

// How far the records of a ClientHello that comes in pieces have been looked at; zero at first.
struct tls_hello_scan {
	uint32_t pos;      // of the first record that was not whole
	uint32_t len;      // of the message, in the records before it
	uint8_t header[4]; // of the message, as far as it has come
};

// Goes on in `in`, which is what it was and perhaps more; what lies before s->pos is not read. RG_OK
// when the message is whole, and else what tls_hello_peek() would say, but for what only the whole
// message shows.
[[nodiscard]] int tls_hello_scan(struct rg_slice in, struct tls_hello_scan *s,
				 struct tls_refusal *why);
// Reads no byte behind the ClientHello. RG_OK, RG_MORE, RG_E_UNSUPPORTED when it is well-formed and
// offers no TLS 1.3, RG_E_PROTO, RG_E_LIMIT when it is or would be too long; the last three write
// *why. scratch (TLS_HELLO_MAX bytes) is used for one that is spread over records.
[[nodiscard]] int tls_hello_peek(struct rg_slice in, uint8_t *scratch, struct tls_hello *out,
				 struct tls_refusal *why);
