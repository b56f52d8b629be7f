// SPDX-License-Identifier: BSD-3-Clause
#include "token/introspect.h"

#include <errno.h>

#include "regate/base64.h"
#include "regate/err.h"
#include "regate/token.h"

#define TIMEOUT_MS 5000 // a client waits for it, 32 s at most
#define ANSWER_MAX 16384

// URL standard 5.2, all that is not RFC 3986 2.3.
static void put_encoded(struct rg_wr *w, struct rg_slice s) {
	static const char digits[] = "0123456789ABCDEF"; // RFC 3986 2.1

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i], low = rg_lower(c);

		if ((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		    c == '_' || c == '~') {
			rg_putc(w, (char)c);
		} else {
			rg_putc(w, '%');
			rg_putc(w, digits[c >> 4]);
			rg_putc(w, digits[c & 15]);
		}
	}
}

void introspect_put_authorization(struct rg_wr *w, const char *id, struct rg_slice secret) {
	char text[2048];
	struct rg_wr pair = rg_wr(text, sizeof(text));

	put_encoded(&pair, rg_str(id));
	rg_putc(&pair, ':');
	put_encoded(&pair, secret);
	rg_puts(w, "Authorization: Basic ");
	rg_b64_put(w, RG_B64_PADDED, rg_wr_slice(&pair));
	explicit_bzero(text, pair.len);
}

int introspect_ask(struct http_client *http, const struct introspect_ask *ask,
		   void (*done)(void *arg, const struct http_answer *a), void *arg,
		   struct http_request **out) {
	char body[3 * RG_TOKEN_MAX + 64];
	struct rg_wr w = rg_wr(body, sizeof(body));
	const char *headers[] = {ask->authorization,
				 "Content-Type: application/x-www-form-urlencoded",
				 "Accept: application/json", NULL};
	struct http_ask h = {
		.method = "POST",
		.url = ask->uri,
		.headers = headers,
		.ca_file = ask->ca_file,
		.timeout_ms = TIMEOUT_MS,
		.max_body = ANSWER_MAX,
		.done = done,
		.arg = arg,
	};
	int rc;

	rg_puts(&w, "token=");
	put_encoded(&w, ask->token);
	rg_puts(&w, "&token_type_hint=access_token");
	h.body = rg_wr_slice(&w);
	rc = http_client_ask(http, &h, out);
	explicit_bzero(body, w.len);
	return rc;
}

int introspect_read(const struct http_answer *a, const char *iss, const char *aud, int64_t now,
		    uint32_t cache_s, struct token_claims *out) {
	int rc;

	if (a->rc != 0 || a->status != 200)
		return -EAGAIN;
	rc = token_introspected(a->body, iss, aud, now, out);
	if (rc == 0 && out->exp > now + cache_s)
		out->exp = now + cache_s;
	return rc;
}
