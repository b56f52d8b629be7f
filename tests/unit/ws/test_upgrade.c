// SPDX-License-Identifier: BSD-3-Clause
// The opening handshake: what is refused and how, and the accept vector of RFC 6455 1.3.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "ws/ws.h"

#define GET "GET /w2 HTTP/1.1\r\nHost: a.example\r\n"
#define UP "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define ORIGIN "Origin: https://wwsf.example.net\r\n"
#define SIP "Sec-WebSocket-Protocol: sip\r\n"
#define REST UP KEY V13 SIP

static const struct ws_origin origins[] = {
	{{(const uint8_t *)"http://[2001:db8::1]", 20}, 3},
	{{(const uint8_t *)"https://wwsf.example.net", 24}, 7},
	{{(const uint8_t *)"https://b.example:8443", 22}, 8},
	{{(const uint8_t *)"null", 4}, 9},
};

static const struct {
	const char *in;
	enum ws_refusal refusal;
	unsigned status;
	bool is_origin_optional;
	uint16_t wwsf;
} cases[] = {
	{GET UP KEY V13 ORIGIN SIP, WS_OK, 101, false, 7},
	{GET SIP ORIGIN V13 KEY UP, WS_OK, 101, true, 7},
	{"GET /w2?x=y HTTP/1.1\r\nHost: a\r\n" REST ORIGIN, WS_OK, 101, false, 7},
	{GET "UPGRADE: WebSocket\r\nconnection: keep-alive\r\nConnection: x, upgrade\r\n" KEY V13
		 ORIGIN SIP,
	 WS_OK, 101, false, 7},
	{GET REST ORIGIN "Content-Length: 0\r\n", WS_OK, 101, false, 7},
	{GET REST ORIGIN "Sec-WebSocket-Extensions: permessage-deflate\r\n", WS_OK, 101, false, 7},
	// not an upgrade we serve: 400
	{"POST /w2 HTTP/1.1\r\nHost: a\r\n" REST ORIGIN, WS_BAD_REQUEST, 400, false, 0},
	{"GET /w3 HTTP/1.1\r\nHost: a\r\n" REST ORIGIN, WS_BAD_REQUEST, 400, false, 0},
	{"GET /w2/ HTTP/1.1\r\nHost: a\r\n" REST ORIGIN, WS_BAD_REQUEST, 400, false, 0},
	{GET KEY V13 ORIGIN SIP "Connection: upgrade\r\n", WS_BAD_REQUEST, 400, false, 0},
	{GET KEY V13 ORIGIN SIP "Connection: upgrade\r\nUpgrade: h2c\r\n", WS_BAD_REQUEST, 400,
	 false, 0},
	{GET REST ORIGIN "Upgrade: websocket\r\n", WS_BAD_REQUEST, 400, false, 0},
	{GET KEY V13 ORIGIN SIP "Upgrade: websocket\r\n", WS_BAD_REQUEST, 400, false, 0},
	{GET KEY V13 ORIGIN SIP "Upgrade: websocket\r\nConnection: close\r\n", WS_BAD_REQUEST, 400,
	 false, 0},
	{GET REST ORIGIN "Content-Length: 1\r\n", WS_BAD_REQUEST, 400, false, 0},
	{GET REST ORIGIN "Transfer-Encoding: chunked\r\n", WS_BAD_REQUEST, 400, false, 0},
	// version: 400 when not said once, 426 when not ours
	{GET UP KEY ORIGIN SIP, WS_BAD_REQUEST, 400, false, 0},
	{GET REST ORIGIN V13, WS_BAD_REQUEST, 400, false, 0},
	{GET UP KEY ORIGIN SIP "Sec-WebSocket-Version: 8\r\n", WS_BAD_VERSION, 426, false, 0},
	{GET UP ORIGIN SIP "Sec-WebSocket-Version: 14\r\n", WS_BAD_VERSION, 426, false, 0},
	{GET UP KEY ORIGIN SIP "Sec-WebSocket-Version: 13, 8\r\n", WS_BAD_VERSION, 426, false, 0},
	{GET UP KEY ORIGIN SIP "Sec-WebSocket-Version: 013\r\n", WS_BAD_VERSION, 426, false, 0},
	// key
	{GET UP V13 ORIGIN SIP, WS_BAD_REQUEST, 400, false, 0},
	{GET REST ORIGIN KEY, WS_BAD_REQUEST, 400, false, 0},
	{GET UP V13 ORIGIN SIP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n", WS_BAD_REQUEST,
	 400, false, 0},
	{GET UP V13 ORIGIN SIP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQQ=\r\n", WS_BAD_REQUEST,
	 400, false, 0},
	{GET UP V13 ORIGIN SIP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===\r\n", WS_BAD_REQUEST,
	 400, false, 0},
	{GET UP V13 ORIGIN SIP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=Q\r\n", WS_BAD_REQUEST,
	 400, false, 0},
	{GET UP V13 ORIGIN SIP "Sec-WebSocket-Key: dGhlIHNhbXBs-SBub25jZQ==\r\n", WS_BAD_REQUEST,
	 400, false, 0},
	{GET UP V13 ORIGIN SIP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==AAAA\r\n",
	 WS_BAD_REQUEST, 400, false, 0},
	// origin
	{GET REST, WS_BAD_ORIGIN, 403, false, 0},
	{GET REST, WS_OK, 101, true, UINT16_MAX},
	{GET REST ORIGIN ORIGIN, WS_BAD_ORIGIN, 403, true, 0},
	{GET REST "Origin: null\r\n", WS_BAD_ORIGIN, 403, true, 0},
	{GET REST "Origin: NULL\r\n", WS_BAD_ORIGIN, 403, true, 0},
	{GET REST "Origin:\r\n", WS_BAD_ORIGIN, 403, true, 0},
	{GET REST "Origin: https://evil.example\r\n", WS_BAD_ORIGIN, 403, true, 0},
	{GET REST "Origin: HTTPS://WWSF.example.NET\r\n", WS_OK, 101, false, 7},
	{GET REST "Origin: https://wwsf.example.net:443\r\n", WS_OK, 101, false, 7},
	{GET REST "Origin: https://wwsf.example.net:80\r\n", WS_BAD_ORIGIN, 403, false, 0},
	{GET REST "Origin: https://wwsf.example.net:443:443\r\n", WS_BAD_ORIGIN, 403, false, 0},
	{GET REST "Origin: http://wwsf.example.net\r\n", WS_BAD_ORIGIN, 403, false, 0},
	{GET REST "Origin: https://wwsf.example.net/\r\n", WS_BAD_ORIGIN, 403, false, 0},
	{GET REST "Origin: https://wwsf.example.net.evil\r\n", WS_BAD_ORIGIN, 403, false, 0},
	{GET REST "Origin: https://wwsf.example.ne\r\n", WS_BAD_ORIGIN, 403, false, 0},
	{GET REST "Origin: https://wwsf.example.net https://b.example:8443\r\n", WS_BAD_ORIGIN, 403,
	 false, 0},
	{GET REST "Origin: https://b.example:8443\r\n", WS_OK, 101, false, 8},
	{GET REST "Origin: https://b.example\r\n", WS_BAD_ORIGIN, 403, false, 0},
	{GET REST "Origin: http://[2001:DB8::1]:80\r\n", WS_OK, 101, false, 3},
	{GET REST "Origin: https://:443\r\n", WS_BAD_ORIGIN, 403, false, 0},
	// subprotocol
	{GET UP KEY V13 ORIGIN, WS_NO_SUBPROTOCOL, 400, false, 0},
	{GET UP KEY V13 ORIGIN "Sec-WebSocket-Protocol: SIP\r\n", WS_NO_SUBPROTOCOL, 400, false, 0},
	{GET UP KEY V13 ORIGIN "Sec-WebSocket-Protocol: sips, xsip\r\n", WS_NO_SUBPROTOCOL, 400,
	 false, 0},
	{GET UP KEY V13 ORIGIN "Sec-WebSocket-Protocol:\r\n", WS_NO_SUBPROTOCOL, 400, false, 0},
	{GET UP KEY V13 ORIGIN "Sec-WebSocket-Protocol: msrp ,\tsip ,x\r\n", WS_OK, 101, false, 7},
	{GET UP KEY V13 ORIGIN "Sec-WebSocket-Protocol: msrp\r\nsec-websocket-protocol: sip\r\n",
	 WS_OK, 101, false, 7},
};

static struct http_req parse(const char *lines) {
	struct http_req r;
	char in[1024];

	snprintf(in, sizeof(in), "%s\r\n", lines);
	ck_assert_int_eq(http_req_parse(guard_str(in), &r), RG_OK);
	return r;
}

START_TEST(table) {
	static const uint8_t zero[60];
	struct ws_policy p = {"/w2", origins, 4, cases[_i].is_origin_optional, false};
	struct http_req r = parse(cases[_i].in);
	struct ws_upgrade u;

	memset(&u, 0xa5, sizeof(u));
	ws_upgrade_check(&r, &p, &u);
	ck_assert_msg(u.refusal == cases[_i].refusal, "%d for %s", u.refusal, cases[_i].in);
	ck_assert_uint_eq(u.status, cases[_i].status);
	if (u.refusal == WS_OK) {
		ck_assert_uint_eq(u.wwsf, cases[_i].wwsf);
		ck_assert_str_eq(u.protocol, "sip");
		ck_assert(!u.is_echo);
		ck_assert_mem_eq(u.accept_input,
				 "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
				 60);
	} else {
		ck_assert_mem_eq(u.accept_input, zero, 60);
	}
}
END_TEST

// What test builds offer besides.
START_TEST(echo) {
	static const struct {
		const char *lines, *protocol;
		bool is_echo;
	} some[] = {
		{SIP, "sip", false},
		{"", NULL, true},
		{"Sec-WebSocket-Protocol: x, echo\r\n", "echo", true},
		{"Sec-WebSocket-Protocol: echo, sip\r\n", "sip", false},
		{"Sec-WebSocket-Protocol: x\r\n", NULL, true},
	};
	struct ws_policy p = {"/w2", origins, 4, false, true};
	struct ws_upgrade u;
	char in[512];

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		struct http_req r;

		snprintf(in, sizeof(in), "%s%s", GET UP KEY V13, some[i].lines);
		r = parse(in);
		ws_upgrade_check(&r, &p, &u);
		ck_assert_int_eq(u.refusal, WS_OK);
		ck_assert_pstr_eq(u.protocol, some[i].protocol);
		ck_assert(u.is_echo == some[i].is_echo);
	}
}
END_TEST

START_TEST(is_upgrade) {
	static const struct {
		const char *in;
		bool is;
	} some[] = {
		{GET UP, true},
		{GET "Upgrade: h2c, WEBSOCKET\r\n", true},
		{GET, false},
		{GET "Upgrade: h2c\r\n", false},
		{"POST / HTTP/1.1\r\nHost: a\r\n" UP, false},
	};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		struct http_req r = parse(some[i].in);

		ck_assert_msg(ws_is_upgrade(&r) == some[i].is, "%s", some[i].in);
	}
}
END_TEST

// RFC 6455 1.3: SHA-1 of the sample key and the GUID, and its base64.
START_TEST(accept_vector) {
	static const uint8_t sha1[20] = {0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f,
					 0x16, 0x90, 0xf6, 0x46, 0x06, 0xcf, 0x38,
					 0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea};
	char out[28];

	ws_accept(sha1, out);
	ck_assert_mem_eq(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ws_upgrade");
	TCase *t = tcase_create("upgrade");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, table, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, is_upgrade);
	tcase_add_test(t, echo);
	tcase_add_test(t, accept_vector);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
