// SPDX-License-Identifier: BSD-3-Clause
// WebSocket frames (RFC 6455 5). Runs on a worker; never allocates. A frame is refused at the first
// byte that makes it bad, before its payload has arrived.
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

// RFC 6455 5.2 and 5.4: the first byte alone.
static int check_first(const struct ws_rx *rx, uint8_t b) {
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
	return rx->n_fragments < WS_MAX_FRAGMENTS ? RG_OK : RG_E_LIMIT;
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

static int parse_header(const struct ws_rx *rx, struct rg_slice in, struct frame *f) {
	struct rg_rd rd = rg_rd(in);
	uint64_t len;
	int rc;

	if (in.len < 1)
		return RG_MORE;
	rc = check_first(rx, (uint8_t)rg_rd_be(&rd, 1));
	if (rc != RG_OK)
		return rc;
	if (in.len < 2)
		return RG_MORE;
	f->opcode = in.p[0] & OPCODE;
	f->is_fin = (in.p[0] & FIN) != 0;
	if ((in.p[1] & MASKED) == 0) // 5.1: a client masks every frame
		return RG_E_PROTO;
	if ((f->opcode & CONTROL) != 0 && (in.p[1] & 0x7f) > MAX_CONTROL) // 5.5
		return RG_E_PROTO;
	rd = rg_rd(rg_skip(in, 2));
	rc = read_length(&rd, in.p[1] & 0x7f, &len);
	if (rc != RG_OK)
		return rc;
	if ((f->opcode & CONTROL) == 0 && len > WS_MAX_MESSAGE - rx->msg_len)
		return RG_E_LIMIT;
	f->len = len;
	f->key = rg_rd_bytes(&rd, KEY_LEN).p;
	f->hdr_len = (size_t)(rd.p - in.p);
	return rd.bad || in.len - f->hdr_len < f->len ? RG_MORE : RG_OK;
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
static int take_control(struct ws_rx *rx, const struct frame *f, struct ws_event *ev) {
	if (f->opcode == WS_CLOSE)
		return take_close(rx, ev);
	ev->type = f->opcode == WS_PING ? WS_EV_PING : WS_EV_PONG;
	return RG_OK;
}

// The payload of a data frame joins the fragments before it, if any. RG_MORE when more follow.
static int take_data(struct ws_rx *rx, uint8_t *buf, uint8_t *payload, const struct frame *f,
		     struct ws_event *ev) {
	bool is_whole = f->is_fin && rx->n_fragments == 0;

	if (rx->n_fragments == 0)
		rx->opcode = f->opcode;
	if (!is_whole) {
		memmove(buf + rx->msg_len, payload, f->len);
		rx->msg_len += (uint32_t)f->len;
		rx->n_fragments++;
		ev->data = rg_slice(buf, rx->msg_len);
	}
	if (!f->is_fin)
		return RG_MORE;
	rx->msg_len = 0;
	rx->n_fragments = 0;
	ev->type = WS_EV_MESSAGE;
	ev->opcode = rx->opcode;
	// RFC 6455 8.1
	return rx->opcode == WS_TEXT && !ws_is_utf8(ev->data) ? RG_E_UTF8 : RG_OK;
}

int ws_input(struct ws_rx *rx, uint8_t *buf, size_t len, struct ws_event *ev) {
	size_t at = rx->msg_len; // of the next frame
	struct frame f;
	int rc;

	memset(ev, 0, sizeof(*ev));
	if (rx->is_closed) { // RFC 6455 5.5.1: what follows a close frame means nothing
		rx->msg_len = 0;
		ev->drop = len;
		return RG_MORE;
	}
	do {
		rc = parse_header(rx, rg_slice(buf + at, len - at), &f);
		if (rc != RG_OK)
			break;
		at += f.hdr_len;
		ws_unmask(buf + at, f.len, f.key);
		ev->data = rg_slice(buf + at, f.len);
		if ((f.opcode & CONTROL) != 0)
			rc = take_control(rx, &f, ev);
		else
			rc = take_data(rx, buf, buf + at, &f, ev);
		at += f.len;
	} while (rc == RG_MORE);
	ev->keep = rx->msg_len;
	ev->drop = at - ev->keep;
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
