// SPDX-License-Identifier: BSD-3-Clause
// WebSocket upgrade: the verdict does not depend on the order of the headers nor on one that means
// nothing; an accepted request has each thing that RFC 6455 4.2.1 asks for.
#include "fuzz.h"
#include "ws/ws.h"

static const struct ws_origin origins[] = {{RG_LIT("https://wwsf.example.net"), 3},
					   {RG_LIT("https://10.77.0.2"), 0}};

static void check_accepted(const struct http_req *r, const struct ws_upgrade *u, bool is_optional) {
	struct rg_slice key = http_header(r, "sec-websocket-key");

	FUZZ_CHECK(u->refusal == WS_OK && r->method == HTTP_GET && ws_is_upgrade(r));
	FUZZ_CHECK(http_has_token(r, "connection", "upgrade"));
	FUZZ_CHECK(rg_eq(http_header(r, "sec-websocket-version"), RG_LIT("13")));
	FUZZ_CHECK(!r->is_chunked && r->content_length == 0);
	FUZZ_CHECK(key.len == 24 && memcmp(u->accept_input, key.p, 24) == 0);
	FUZZ_CHECK(memcmp(u->accept_input + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36) == 0);
	FUZZ_CHECK(http_has_token(r, "sec-websocket-protocol", "sip"));
	if (http_header_count(r, "origin") == 0)
		FUZZ_CHECK(is_optional && u->wwsf == UINT16_MAX);
	else
		FUZZ_CHECK(u->wwsf == 3 || u->wwsf == 0);
}

static void check(const struct http_req *r, bool is_optional) {
	const struct ws_policy policy = {"/w2", origins, 2, is_optional, false};
	static struct http_req other;
	struct ws_upgrade u, v;

	ws_upgrade_check(r, &policy, &u);
	FUZZ_CHECK((u.status == 101) == (u.refusal == WS_OK));
	FUZZ_CHECK(u.status == 101 || u.status == 400 || u.status == 403 || u.status == 426);
	if (u.status == 101)
		check_accepted(r, &u, is_optional);
	other = *r;
	for (unsigned i = 0; i < r->n_hdrs; i++)
		other.hdrs[i] = r->hdrs[r->n_hdrs - 1 - i];
	if (other.n_hdrs < HTTP_MAX_HEADERS)
		other.hdrs[other.n_hdrs++] =
			(struct http_hdr){RG_LIT("x-nothing"), RG_LIT("websocket, sip")};
	ws_upgrade_check(&other, &policy, &v);
	FUZZ_CHECK(u.status == v.status);
	FUZZ_CHECK(u.status != 101 || memcmp(&u, &v, sizeof(u)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static struct http_req r;

	if (len > HTTP_MAX_HEAD || http_req_parse(fuzz_guard(0, rg_slice(p, len)), &r) != RG_OK)
		return 0;
	check(&r, false);
	check(&r, true);
	return 0;
}
