// SPDX-License-Identifier: BSD-3-Clause
// WebSocket opening handshake, server side (RFC 6455 4.2). Runs on a worker; never allocates.
#include "ws.h"

#define KEY_LEN 24 // base64 of 16 bytes
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool ws_is_upgrade(const struct http_req *r) {
	return r->method == HTTP_GET && http_has_token(r, "upgrade", "websocket");
}

// RFC 6455 4.2.1 item 5: once, and 16 bytes when decoded.
static bool is_key_good(const struct http_req *r) {
	struct rg_slice key = http_header(r, "sec-websocket-key");

	if (http_header_count(r, "sec-websocket-key") != 1 || key.len != KEY_LEN)
		return false;
	for (size_t i = 0; i < KEY_LEN - 2; i++)
		if (memchr(digits, key.p[i], sizeof(digits) - 1) == NULL)
			return false;
	return key.p[KEY_LEN - 2] == '=' && key.p[KEY_LEN - 1] == '=';
}

// The origin without the port that its scheme implies (RFC 6454 4).
static struct rg_slice cut_default_port(struct rg_slice o) {
	static const struct {
		struct rg_slice scheme, port;
	} defaults[] = {{RG_LIT("https://"), RG_LIT(":443")}, {RG_LIT("http://"), RG_LIT(":80")}};

	for (size_t i = 0; i < 2; i++) {
		struct rg_slice scheme = defaults[i].scheme, port = defaults[i].port;

		if (o.len > scheme.len + port.len && rg_ieq(rg_slice(o.p, scheme.len), scheme) &&
		    rg_eq(rg_skip(o, o.len - port.len), port))
			o.len -= port.len;
	}
	return o;
}

// ims.md 2.2: one Origin, on the list; "null" never, even if a list should name it.
static bool find_origin(const struct http_req *r, const struct ws_policy *p, uint16_t *wwsf) {
	struct rg_slice o = cut_default_port(http_header(r, "origin"));
	unsigned n = http_header_count(r, "origin");

	*wwsf = UINT16_MAX;
	if (n == 0)
		return p->is_origin_optional || p->is_echo;
	if (n > 1 || rg_ieq(o, RG_LIT("null")))
		return false;
	for (size_t i = 0; i < p->n_origins; i++) {
		if (!rg_ieq(o, p->origins[i].origin))
			continue;
		*wwsf = p->origins[i].wwsf;
		return true;
	}
	return false;
}

// Subprotocols are compared with case (RFC 6455 4.1).
static bool is_offered(const struct http_req *r, const char *protocol) {
	for (unsigned i = 0; i < r->n_hdrs; i++) {
		struct rg_slice list = r->hdrs[i].value;

		if (!rg_ieq(r->hdrs[i].name, RG_LIT("sec-websocket-protocol")))
			continue;
		while (list.len > 0) {
			const uint8_t *comma = memchr(list.p, ',', list.len);
			size_t n = comma == NULL ? list.len : (size_t)(comma - list.p);

			if (rg_eq(rg_trim(rg_slice(list.p, n)), rg_str(protocol)))
				return true;
			list = rg_skip(list, n + 1);
		}
	}
	return false;
}

// RFC 6455 4.2.1 items 1 to 4, RFC 9110 7.8 for 1.0. A body would stand where frames are expected.
static bool is_request_good(const struct http_req *r, const struct ws_policy *p) {
	return ws_is_upgrade(r) && !r->is_http10 && rg_eq(r->path, rg_str(p->path)) &&
	       http_header_count(r, "host") == 1 && http_header_count(r, "upgrade") == 1 &&
	       http_has_token(r, "connection", "upgrade") && !r->is_chunked &&
	       r->content_length == 0 && http_header_count(r, "sec-websocket-version") == 1;
}

static enum ws_refusal check(const struct http_req *r, const struct ws_policy *p, uint16_t *wwsf) {
	if (!is_request_good(r, p))
		return WS_BAD_REQUEST;
	// Before the key: other versions have other keys (RFC 6455 4.4).
	if (!rg_eq(http_header(r, "sec-websocket-version"), RG_LIT("13")))
		return WS_BAD_VERSION;
	if (!is_key_good(r))
		return WS_BAD_REQUEST;
	if (!find_origin(r, p, wwsf))
		return WS_BAD_ORIGIN;
	return is_offered(r, "sip") || p->is_echo ? WS_OK : WS_NO_SUBPROTOCOL; // RFC 7118 4.1
}

void ws_upgrade_check(const struct http_req *r, const struct ws_policy *p, struct ws_upgrade *out) {
	static const unsigned status[] = {
		[WS_OK] = 101,         [WS_BAD_REQUEST] = 400,    [WS_BAD_VERSION] = 426,
		[WS_BAD_ORIGIN] = 403, [WS_NO_SUBPROTOCOL] = 400,
	};

	memset(out, 0, sizeof(*out));
	out->wwsf = UINT16_MAX;
	out->refusal = check(r, p, &out->wwsf);
	out->status = status[out->refusal];
	if (out->refusal != WS_OK)
		return;
	out->is_echo = !is_offered(r, "sip");
	out->protocol = !out->is_echo ? "sip" : is_offered(r, "echo") ? "echo" : NULL;
	memcpy(out->accept_input, http_header(r, "sec-websocket-key").p, KEY_LEN);
	memcpy(out->accept_input + KEY_LEN, GUID, sizeof(GUID) - 1);
}

void ws_accept(const uint8_t sha1[20], char out[28]) {
	for (size_t i = 0, o = 0; i < 20; i += 3, o += 4) {
		uint32_t last = i + 2 < 20 ? sha1[i + 2] : 0;
		uint32_t v = (uint32_t)sha1[i] << 16 | (uint32_t)sha1[i + 1] << 8 | last;

		out[o] = digits[v >> 18];
		out[o + 1] = digits[v >> 12 & 63];
		out[o + 2] = digits[v >> 6 & 63];
		out[o + 3] = digits[v & 63];
	}
	out[27] = '='; // 20 bytes leave two over
}
