// SPDX-License-Identifier: BSD-3-Clause
// WebSocket frames (RFC 6455 5). Runs on a worker; never allocates. A frame is refused at the first
// byte that makes it bad: a header before its payload has arrived, text in the middle of it.
#include "regate/err.h"
#include "ws.h"

#define FIN 0x80
#define RSV 0x70
#define OPCODE 0x0f
#define CONTROL 0x08
#define MASKED 0x80
#define KEY_LEN 4
#define MAX_CONTROL 125

struct frame {
	uint8_t opcode;
	bool is_fin;
	size_t hdr_len;
	size_t len; // payload
	const uint8_t *key;
};

struct input {
	uint8_t *buf; // the open message is at its start
	uint8_t *p;   // raw bytes
	size_t len;
};

static void skip(struct input *in, size_t n) {
	in->p += n;
	in->len -= n;
}

static bool is_control(const struct frame *f) {
	return (f->opcode & CONTROL) != 0;
}

// RFC 6455 5.2 and 5.4: the first byte alone.
static int check_first(const struct ws_rx *rx, const struct ws_limits *limits, uint8_t b) {
	uint8_t op = b & OPCODE;

	if ((b & RSV) != 0)
		return RG_E_PROTO; // no extension is ever negotiated
	switch (op) {
	case WS_CONT:
		if (rx->n_fragments == 0)
			return RG_E_PROTO;
		break;
	case WS_TEXT:
	case WS_BINARY:
		if (rx->n_fragments > 0)
			return RG_E_PROTO;
		break;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		return (b & FIN) != 0 ? RG_OK : RG_E_PROTO; // 5.5: never fragmented
	default:
		return RG_E_PROTO;
	}
	return rx->n_fragments < limits->max_fragments ? RG_OK : RG_E_LIMIT;
}

// RFC 6455 5.2: the length in its shortest form.
static int read_length(struct rg_rd *rd, uint8_t len7, uint64_t *len) {
	*len = len7;
	if (len7 == 126) {
		*len = rg_rd_be(rd, 2);
		return rd->bad ? RG_MORE : *len < 126 ? RG_E_PROTO : RG_OK;
	}
	if (len7 == 127) {
		*len = rg_rd_be(rd, 8);
		return rd->bad ? RG_MORE : *len <= UINT16_MAX || *len >> 63 ? RG_E_PROTO : RG_OK;
	}
	return RG_OK;
}

// RG_OK when the header is whole, and of a control frame the payload too.
static int parse_header(const struct ws_rx *rx, const struct ws_limits *limits, struct rg_slice in,
			struct frame *f) {
	struct rg_rd rd = rg_rd(in);
	uint64_t len;
	int rc;

	if (in.len < 1)
		return RG_MORE;
	rc = check_first(rx, limits, (uint8_t)rg_rd_be(&rd, 1));
	if (rc != RG_OK)
		return rc;
	if (in.len < 2)
		return RG_MORE;
	f->opcode = in.p[0] & OPCODE;
	f->is_fin = (in.p[0] & FIN) != 0;
	if ((in.p[1] & MASKED) == 0) // 5.1: a client masks every frame
		return RG_E_PROTO;
	if (is_control(f) && (in.p[1] & 0x7f) > MAX_CONTROL) // 5.5
		return RG_E_PROTO;
	rd = rg_rd(rg_skip(in, 2));
	rc = read_length(&rd, in.p[1] & 0x7f, &len);
	if (rc != RG_OK)
		return rc;
	if (!is_control(f) && len > limits->max_message - rx->msg_len)
		return RG_E_LIMIT;
	f->len = len;
	f->key = rg_rd_bytes(&rd, KEY_LEN).p;
	f->hdr_len = (size_t)(rd.p - in.p);
	if (rd.bad)
		return RG_MORE;
	return is_control(f) && in.len - f->hdr_len < f->len ? RG_MORE : RG_OK;
}

// RFC 6455 7.4: what may stand on the wire. 1004 is reserved; 1005, 1006 and 1015 are for APIs.
static bool is_close_code(uint64_t code) {
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

// RFC 6455 5.5.1.
static int take_close(struct ws_rx *rx, struct ws_event *ev) {
	struct rg_rd rd = rg_rd(ev->data);

	ev->type = WS_EV_CLOSE;
	ev->close_code = WS_NO_STATUS;
	if (ev->data.len > 0) {
		uint64_t code = rg_rd_be(&rd, 2);

		if (rd.bad || !is_close_code(code))
			return RG_E_PROTO;
		ev->close_code = (uint16_t)code;
		ev->data = rg_skip(ev->data, 2);
		if (!ws_is_utf8(ev->data))
			return RG_E_UTF8;
	}
	rx->is_closed = true;
	return RG_OK;
}

// Control frames may stand between fragments, and leave them alone (RFC 6455 5.4).
static int take_control(struct ws_rx *rx, const struct frame *f, uint8_t *payload,
			struct ws_event *ev) {
	ws_unmask(payload, f->len, f->key);
	ev->data = rg_slice(payload, f->len);
	if (f->opcode == WS_CLOSE)
		return take_close(rx, ev);
	ev->type = f->opcode == WS_PING ? WS_EV_PING : WS_EV_PONG;
	return RG_OK;
}

// The usual message: one frame, all of it here. It is not moved.
static int take_whole(const struct frame *f, uint8_t *payload, struct ws_event *ev) {
	ws_unmask(payload, f->len, f->key);
	ev->type = WS_EV_MESSAGE;
	ev->opcode = f->opcode;
	ev->data = rg_slice(payload, f->len);
	return f->opcode == WS_TEXT && !ws_is_utf8(ev->data) ? RG_E_UTF8 : RG_OK; // RFC 6455 8.1
}

static void open_frame(struct ws_rx *rx, const struct frame *f) {
	if (rx->n_fragments++ == 0)
		rx->opcode = f->opcode;
	rx->is_fin = f->is_fin;
	rx->left = (uint32_t)f->len;
	memcpy(rx->key, f->key, KEY_LEN);
}

// Joins what there is of the open frame's payload to the message. RG_MORE until it is whole.
static int take_payload(struct ws_rx *rx, struct input *in) {
	uint8_t *to = in->buf + rx->msg_len, key[KEY_LEN];
	size_t n = in->len < rx->left ? in->len : rx->left, n_whole;

	memmove(to, in->p, n);
	skip(in, n);
	ws_unmask(to, n, rx->key);
	memcpy(key, rx->key, KEY_LEN);
	for (size_t i = 0; i < KEY_LEN; i++)
		rx->key[i] = key[(i + n) % KEY_LEN];
	rx->msg_len += (uint32_t)n;
	rx->left -= (uint32_t)n;
	if (rx->opcode == WS_TEXT) { // RFC 6455 8.1, at once
		to = in->buf + rx->n_valid;
		if (ws_utf8_check(rg_slice(to, rx->msg_len - rx->n_valid), &n_whole) == RG_E_UTF8)
			return RG_E_UTF8;
		rx->n_valid += (uint32_t)n_whole;
	}
	return rx->left > 0 ? RG_MORE : RG_OK;
}

// The last frame of the message is whole.
static int end_message(struct ws_rx *rx, uint8_t *buf, struct ws_event *ev) {
	bool is_cut = rx->opcode == WS_TEXT && rx->n_valid < rx->msg_len;

	ev->type = WS_EV_MESSAGE;
	ev->opcode = rx->opcode;
	ev->data = rg_slice(buf, rx->msg_len);
	*rx = (struct ws_rx){0};
	return is_cut ? RG_E_UTF8 : RG_OK;
}

// The next frame or part of one. RG_OK with an event; RG_MORE: go on while there is input left that
// it took some of.
static int step(struct ws_rx *rx, const struct ws_limits *limits, struct input *in,
		struct ws_event *ev) {
	struct frame f;
	uint8_t *payload;
	int rc;

	if (rx->left == 0) {
		rc = parse_header(rx, limits, rg_slice(in->p, in->len), &f);
		if (rc != RG_OK)
			return rc;
		skip(in, f.hdr_len);
		payload = in->p;
		if (is_control(&f)) {
			skip(in, f.len);
			return take_control(rx, &f, payload, ev);
		}
		if (f.is_fin && rx->n_fragments == 0 && in->len >= f.len) {
			skip(in, f.len);
			return take_whole(&f, payload, ev);
		}
		open_frame(rx, &f);
	}
	rc = take_payload(rx, in);
	if (rc != RG_OK)
		return rc;
	return rx->is_fin ? end_message(rx, in->buf, ev) : RG_MORE;
}

int ws_input(struct ws_rx *rx, const struct ws_limits *limits, uint8_t *buf, size_t len,
	     struct ws_event *ev) {
	struct input in = {buf, buf + rx->msg_len, len - rx->msg_len};
	size_t before;
	int rc;

	memset(ev, 0, sizeof(*ev));
	if (rx->is_closed) { // RFC 6455 5.5.1: what follows a close frame means nothing
		rx->msg_len = 0;
		ev->drop = len;
		return RG_MORE;
	}
	do {
		before = in.len;
		rc = step(rx, limits, &in, ev);
	} while (rc == RG_MORE && in.len < before);
	ev->keep = rx->msg_len;
	ev->drop = (size_t)(in.p - buf) - ev->keep;
	return rc;
}

uint16_t ws_close_code_of(int rc) {
	switch (rc) {
	case RG_E_PROTO:
		return WS_PROTOCOL;
	case RG_E_UTF8:
		return WS_BAD_UTF8;
	case RG_E_LIMIT:
		return WS_TOO_BIG;
	default:
		return WS_INTERNAL;
	}
}

void ws_put_header(struct rg_wr *w, enum ws_opcode op, size_t len) {
	rg_putc(w, (char)(FIN | op));
	if (len < 126) {
		rg_putc(w, (char)len);
	} else if (len <= UINT16_MAX) {
		rg_putc(w, 126);
		rg_put_be(w, len, 2);
	} else {
		rg_putc(w, 127);
		rg_put_be(w, len, 8);
	}
}

void ws_put_close(struct rg_wr *w, uint16_t code, const char *reason) {
	struct rg_slice text = rg_str(reason);

	if (code == WS_NO_STATUS) { // RFC 6455 7.4.1: never on the wire; an empty body says it
		ws_put_header(w, WS_CLOSE, 0);
		return;
	}
	if (text.len > MAX_CONTROL - 2)
		for (text.len = MAX_CONTROL - 2; (text.p[text.len] & 0xc0) == 0x80;)
			text.len--; // not inside a character
	ws_put_header(w, WS_CLOSE, 2 + text.len);
	rg_put_be(w, code, 2);
	rg_put(w, text);
}
