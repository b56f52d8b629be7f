// SPDX-License-Identifier: BSD-3-Clause
// HTTP answers, and the upgrade to WebSocket (RFC 6455 4.1, RFC 7118 4).
#include <openssl/evp.h>

#include "wire.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define MAX_HEAD 16384

struct rg_slice wire_header(struct rg_slice head, const char *name, const char *short_name) {
	struct rg_slice found = {0};
	unsigned n = 0;

	while (head.len > 0) {
		const uint8_t *end = memmem(head.p, head.len, "\r\n", 2);
		struct rg_slice line = {head.p, end == NULL ? head.len : (size_t)(end - head.p)};
		const uint8_t *colon = line.len == 0 ? NULL : memchr(line.p, ':', line.len);
		struct rg_slice key =
			rg_trim(rg_slice(line.p, colon == NULL ? 0 : (size_t)(colon - line.p)));

		if (colon != NULL && (rg_ieq(key, rg_str(name)) ||
				      (short_name != NULL && rg_ieq(key, rg_str(short_name))))) {
			found = rg_trim(rg_skip(line, (size_t)(colon - line.p) + 1));
			n++;
		}
		head = rg_skip(head, line.len + 2);
	}
	return n == 1 ? found : (struct rg_slice){0};
}

int wire_http_parse(struct rg_slice in, struct wire_http *a, const char **why) {
	static const char version[] = "HTTP/1.1 ";
	const size_t n_version = sizeof(version) - 1;
	const uint8_t *end = in.len == 0 ? NULL : memmem(in.p, in.len, "\r\n\r\n", 4);
	uint64_t status, length = 0;
	struct rg_slice head, field;

	if (memcmp(in.p, version, in.len < n_version ? in.len : n_version) != 0) {
		*why = "something that is not HTTP/1.1";
		return RG_E_PROTO;
	}
	if (end == NULL && in.len < MAX_HEAD)
		return RG_MORE;
	if (end == NULL || !rg_parse_u64(rg_slice(in.p + n_version, 3), &status) || status < 100) {
		*why = "an HTTP answer without a status or an end of its head";
		return RG_E_PROTO;
	}
	head = rg_slice(in.p, (size_t)(end - in.p));
	field = wire_header(head, "Content-Length", NULL);
	if (field.len > 0 && (!rg_parse_u64(field, &length) || length > UINT16_MAX)) {
		*why = "an HTTP answer whose Content-Length is no number up to 65535";
		return RG_E_PROTO;
	}
	if (wire_header(head, "Transfer-Encoding", NULL).len > 0) {
		*why = "an HTTP answer with a Transfer-Encoding, which is not read here";
		return RG_E_PROTO;
	}
	if (status < 200 || status == 204)
		length = 0;
	a->status = (unsigned)status;
	a->head = head;
	a->body = rg_slice(end + 4, (size_t)length);
	a->len = head.len + 4 + (size_t)length;
	return a->len > in.len ? RG_MORE : RG_OK;
}

void wire_upgrade_put(struct rg_wr *w, const struct wire_upgrade *u) {
	unsigned char key[32];

	EVP_EncodeBlock(key, u->nonce, sizeof(u->nonce));
	rg_puts(w, "GET ");
	rg_puts(w, u->path);
	rg_puts(w, " HTTP/1.1\r\nHost: ");
	rg_puts(w, u->host);
	rg_puts(w, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
	rg_puts(w, (const char *)key);
	rg_puts(w, "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n");
	if (u->origin != NULL) {
		rg_puts(w, "Origin: ");
		rg_puts(w, u->origin);
		rg_puts(w, "\r\n");
	}
	rg_puts(w, "\r\n");
}

bool wire_upgrade_check(const struct wire_http *a, const struct wire_upgrade *u, const char **why) {
	unsigned char text[64], sha1[EVP_MAX_MD_SIZE], want[32];
	unsigned n = 0;
	int len = EVP_EncodeBlock(text, u->nonce, sizeof(u->nonce));

	memcpy(text + len, GUID, sizeof(GUID));
	if (EVP_Digest(text, strlen((const char *)text), sha1, &n, EVP_sha1(), NULL) != 1)
		n = 0; // the comparison fails
	len = EVP_EncodeBlock(want, sha1, (int)n);
	if (!rg_eq(wire_header(a->head, "Sec-WebSocket-Accept", NULL), rg_slice(want, (size_t)len)))
		*why = "an upgrade whose Sec-WebSocket-Accept does not belong to our key";
	else if (!rg_ieq(wire_header(a->head, "Sec-WebSocket-Protocol", NULL), RG_LIT("sip")))
		*why = "an upgrade without the subprotocol sip";
	else if (!rg_ieq(wire_header(a->head, "Upgrade", NULL), RG_LIT("websocket")))
		*why = "an upgrade without Upgrade: websocket";
	else if (wire_header(a->head, "Sec-WebSocket-Extensions", NULL).len > 0)
		*why = "an upgrade with an extension that was not offered";
	else
		return true;
	return false;
}
