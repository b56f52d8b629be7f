// SPDX-License-Identifier: BSD-3-Clause
// WebSocket server (RFC 6455), an engine without I/O: upgrade check, frames in, frame headers out.
// No extensions. Messages are unmasked and joined in place in the caller's buffer, as they come.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/http.h"
#include "regate/slice.h"

#define WS_MAX_MESSAGE 8192 // bytes, and at most WS_MAX_FRAGMENTS frames (ims.md 2.1)
#define WS_MAX_FRAGMENTS 16

enum ws_opcode { WS_CONT = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum ws_close_code {
	WS_NORMAL = 1000,
	WS_GOING_AWAY = 1001,
	WS_PROTOCOL = 1002,
	WS_UNSUPPORTED = 1003,
	WS_NO_STATUS = 1005, // never on the wire
	WS_BAD_UTF8 = 1007,
	WS_POLICY = 1008,
	WS_TOO_BIG = 1009,
	WS_INTERNAL = 1011,
};

struct ws_origin {
	struct rg_slice origin; // "https://wwsf.example.net", normalised
	uint16_t wwsf;
};
struct ws_policy {
	const char *path; // "/w2"
	const struct ws_origin *origins;
	size_t n_origins;
	bool is_origin_optional;
	bool is_echo; // who offers "echo", or nothing, gets an echo; never outside of tests
};
enum ws_refusal { WS_OK, WS_BAD_REQUEST, WS_BAD_VERSION, WS_BAD_ORIGIN, WS_NO_SUBPROTOCOL };
struct ws_upgrade {
	enum ws_refusal refusal;
	unsigned status;      // 101, 400, 403, 426
	uint16_t wwsf;        // UINT16_MAX = no Origin
	const char *protocol; // the one chosen, NULL = none was offered
	bool is_echo;
	uint8_t accept_input[60]; // key and GUID, to be hashed with SHA-1
};
// Is r an upgrade request (GET with Upgrade: websocket)? Anything else is plain HTTP.
bool ws_is_upgrade(const struct http_req *r);
// RFC 6455 4.2.1, RFC 7118 4, ims.md 2.2. Always fills out.
void ws_upgrade_check(const struct http_req *r, const struct ws_policy *p, struct ws_upgrade *out);
// Base64 of the SHA-1 of accept_input: 28 characters (RFC 6455 4.2.2).
void ws_accept(const uint8_t sha1[20], char out[28]);

struct ws_limits {
	uint32_t max_message; // bytes
	uint32_t max_fragments;
};
struct ws_rx {                // per connection, zeroed first
	uint32_t msg_len;     // of the open message so far, at the start of the buffer
	uint32_t n_valid;     // bytes of it known to be UTF-8, if it is text
	uint32_t n_fragments; // 0 = no message open
	uint32_t left;        // of the open frame's payload, still to come; 0 = no frame open
	uint8_t key[4];       // of the open frame, for the next byte
	uint8_t opcode;       // of the open message
	bool is_fin;          // the open frame is the last
	bool is_closed;       // close frame seen
};

enum ws_event_type { WS_EV_MESSAGE, WS_EV_PING, WS_EV_PONG, WS_EV_CLOSE };
struct ws_event {
	enum ws_event_type type;
	uint8_t opcode;       // MESSAGE: WS_TEXT or WS_BINARY
	struct rg_slice data; // in the caller's buffer; CLOSE: the reason
	uint16_t close_code;  // CLOSE: WS_NO_STATUS when absent
	size_t keep, drop;    // see ws_input()
};
// buf[0..len) holds the open message (rx->msg_len bytes) and then raw frames. RG_OK with an event:
// after handling it the caller removes buf[ev.keep .. ev.keep + ev.drop) and calls again. RG_MORE:
// remove the same range (ev is filled), then wait for more bytes. RG_E_PROTO, RG_E_UTF8, RG_E_LIMIT:
// close with ws_close_code_of(rc). What is wrong is seen at its first byte, text included. The
// buffer needs room for the longest message and a control frame.
[[nodiscard]] int ws_input(struct ws_rx *rx, const struct ws_limits *limits, uint8_t *buf,
			   size_t len, struct ws_event *ev);
uint16_t ws_close_code_of(int rc);

// Unmasked frame header for a payload of len bytes: 2, 4 or 10 bytes.
void ws_put_header(struct rg_wr *w, enum ws_opcode op, size_t len);
void ws_put_close(struct rg_wr *w, uint16_t code, const char *reason); // whole frame

// No message is open: the state may be forgotten. A close frame that was seen is the caller's to
// remember.
static inline bool ws_is_idle(const struct ws_rx *rx) {
	return rx->n_fragments == 0;
}

// RFC 3629, for text that comes in pieces: RG_OK, RG_MORE (the last character is cut, what there is
// of it is good), RG_E_UTF8. *n_whole: bytes of whole characters.
[[nodiscard]] int ws_utf8_check(struct rg_slice s, size_t *n_whole);
// RFC 3629: is it UTF-8, no surrogates, nothing overlong?
bool ws_is_utf8(struct rg_slice s);
// XOR with the 4-byte key, in place, starting at key offset 0.
void ws_unmask(uint8_t *p, size_t len, const uint8_t key[4]);
