// SPDX-License-Identifier: BSD-3-Clause
// What goes over the connection: WebSocket frames (RFC 6455), HTTP answers (RFC 9112) and SIP
// (RFC 3261), as a client makes and reads them. No I/O. What is wrong is named in `why`, a literal.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/err.h"
#include "regate/slice.h"

#define WIRE_FRAME_HEAD 14 // bytes, at most

enum wire_op { OP_CONT = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

struct wire_frame {
	uint8_t op;
	bool is_fin;
	struct rg_slice data; // in the input
	size_t len;           // of all of it
};

// The frame of a server at the start of `in`. RG_OK, RG_MORE, RG_E_PROTO.
[[nodiscard]] int wire_frame_parse(struct rg_slice in, size_t max, struct wire_frame *f,
				   const char **why);
// Masks the d_len bytes that lie WIRE_FRAME_HEAD behind `room`, and puts the head right before them;
// the whole frame.
struct rg_slice wire_frame_put(uint8_t *room, uint8_t op, size_t d_len, uint32_t mask);

struct wire_http {
	unsigned status;
	struct rg_slice head, body; // in the input; head from the status line to the empty line
	size_t len;                 // of all of it
};

// The answer at the start of `in`. RG_OK, RG_MORE, RG_E_PROTO. One with status 101 has no body.
[[nodiscard]] int wire_http_parse(struct rg_slice in, struct wire_http *a, const char **why);
// The only header of that name, without blanks around it; len 0: there is none, or more than one.
struct rg_slice wire_header(struct rg_slice head, const char *name, const char *short_name);

struct wire_upgrade {
	const char *host, *path, *origin; // origin may be NULL
	uint8_t nonce[16];
};
void wire_upgrade_put(struct rg_wr *w, const struct wire_upgrade *u);
// Is it the right 101? Else why: what is wrong with it.
[[nodiscard]] bool wire_upgrade_check(const struct wire_http *a, const struct wire_upgrade *u,
				      const char **why);

struct wire_register {
	const char *domain;
	struct rg_slice impu, token; // token.len 0: none
	uint64_t salt;               // of this process: tells its Call-IDs from those of others
	uint32_t client, cseq;
	unsigned expires_s;
	size_t padding; // bytes more
};
void wire_register_put(struct rg_wr *w, const struct wire_register *r);

struct wire_sip {
	unsigned status; // 0: a request
	uint64_t cseq;
};
// What came as a message; is it the answer to `r`? RG_OK; RG_E_PROTO, why: what is wrong.
[[nodiscard]] int wire_sip_check(struct rg_slice m, const struct wire_register *r,
				 struct wire_sip *s, const char **why);
