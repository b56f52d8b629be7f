// SPDX-License-Identifier: BSD-3-Clause
// Answers, byte for byte.
#include <check.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"
#include "sample.h"

#define REST "From: <sip:a@c>;tag=1\r\nTo: <sip:a@c>\r\nCall-ID: 1\r\nCSeq: 5 REGISTER\r\n"
#define REST_TAGGED \
	"From: <sip:a@c>;tag=1\r\nTo: <sip:a@c>;tag=t\r\nCall-ID: 1\r\nCSeq: 5 REGISTER\r\n"
#define END "Content-Length: 0\r\n\r\n"

static const uint8_t ip6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};

static struct rg_slice answer(const char *request, const struct sip_answer *a) {
	static uint8_t buf[2048];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	static struct sip_msg m;

	ck_assert_msg(sip_parse(guard_str(request), &m) == RG_OK, "%s", request);
	sip_put_answer(&w, &m, a);
	ck_assert(!w.overflow);
	return rg_wr_slice(&w);
}

static void check(const char *request, const struct sip_answer *a, const char *want) {
	struct rg_slice got = answer(request, a);

	ck_assert_msg(rg_eq(got, rg_str(want)), "got\n%.*s\nwant\n%s", (int)got.len, got.p, want);
}

// The 200 of ims.md 1.6.
START_TEST(register_200) {
	struct rg_addr peer = rg_addr_v4(htobe32(0xc6336409), 52144);
	const struct rg_slice more[] = {RG_LIT("Suppor"),
					{NULL, 0},
					RG_LIT("ted: path, outbound\r\n")};
	struct sip_answer a = {
		.status = 200,
		.peer = &peer,
		.to_tag = RG_LIT("ep1.17.42"),
		.contact = RG_LIT("<sip:dgtq535e@4ejhaldknkb7.invalid;transport=ws>;reg-id=1"),
		.expires = 300,
		.headers = RG_LIT("Service-Route: <sip:s;lr>\r\n"),
		.more = more,
		.n_more = 3,
	};

	check(SAMPLE_REGISTER, &a,
	      "SIP/2.0 200 OK\r\n"
	      "Via: SIP/2.0/WSS 4ejhaldknkb7.invalid;branch=z9hG4bK2812950"
	      ";received=198.51.100.9;rport=52144\r\n"
	      "To: <sip:pool-00017@ims.example.net>;tag=ep1.17.42\r\n"
	      "From: <sip:pool-00017@ims.example.net>;tag=39du4ih86e\r\n"
	      "Call-ID: kqct9mrk04l9g2q5ngism7\r\n"
	      "CSeq: 1 REGISTER\r\n"
	      "Contact: <sip:dgtq535e@4ejhaldknkb7.invalid;transport=ws>;reg-id=1;expires=300\r\n"
	      "Service-Route: <sip:s;lr>\r\nSupported: path, outbound\r\n"
	      "Content-Length: 0\r\n\r\n");
}
END_TEST

static const struct {
	const char *name, *vias, *want;
} vias[] = {
	{"one", "Via: SIP/2.0/WS h\r\n", "Via: SIP/2.0/WS h;received=192.0.2.1;rport=7\r\n"},
	{"rport asked for", "Via: SIP/2.0/WS h;rport;branch=b\r\n",
	 "Via: SIP/2.0/WS h;branch=b;received=192.0.2.1;rport=7\r\n"},
	{"claims of its own", "v: SIP/2.0/WS h;received=9.9.9.9;a=\"x;y\";rport=1;b\r\n",
	 "Via: SIP/2.0/WS h;a=\"x;y\";b;received=192.0.2.1;rport=7\r\n"},
	{"several headers", "Via: SIP/2.0/WS a\r\nVia: SIP/2.0/TCP b\r\nv: SIP/2.0/UDP c;rport\r\n",
	 "Via: SIP/2.0/WS a;received=192.0.2.1;rport=7\r\nVia: SIP/2.0/TCP b\r\n"
	 "v: SIP/2.0/UDP c;rport\r\n"},
	{"a list", "Via: SIP/2.0/WS a;x=\",\" , SIP/2.0/TCP b;rport,SIP/2.0/UDP c\r\n",
	 "Via: SIP/2.0/WS a;x=\",\";received=192.0.2.1;rport=7,  SIP/2.0/TCP b;rport,SIP/2.0/UDP "
	 "c\r\n"},
	{"malformed", "Via: SIP/2.0/WS h;;\r\n", "Via: SIP/2.0/WS h;;\r\n"},
};

START_TEST(via_table) {
	struct rg_addr peer = rg_addr_v4(htobe32(0xc0000201), 7);
	struct sip_answer a = {.status = 400, .peer = &peer, .to_tag = RG_LIT("t")};
	char request[512], want[512];

	snprintf(request, sizeof(request), "REGISTER sip:c SIP/2.0\r\n%s" REST "\r\n",
		 vias[_i].vias);
	snprintf(want, sizeof(want), "SIP/2.0 400 Bad Request\r\n%s" REST_TAGGED END,
		 vias[_i].want);
	check(request, &a, want);
}
END_TEST

START_TEST(no_peer) {
	struct sip_answer a = {.status = 100};

	check("REGISTER sip:c SIP/2.0\r\nVia: SIP/2.0/WS h;rport\r\n" REST "\r\n", &a,
	      "SIP/2.0 100 Trying\r\nVia: SIP/2.0/WS h;rport\r\n" REST END);
}
END_TEST

START_TEST(ipv6_peer) {
	struct rg_addr peer = {.port = 5};
	struct sip_answer a = {.status = 403, .reason = "No", .peer = &peer};

	memcpy(peer.ip, ip6, sizeof(ip6));
	check("REGISTER sip:c SIP/2.0\r\nVia: SIP/2.0/WS h\r\n" REST "\r\n", &a,
	      "SIP/2.0 403 No\r\nVia: SIP/2.0/WS h;received=2001:db8::1;rport=5\r\n" REST END);
}
END_TEST

static const struct {
	const char *to, *want;
} tos[] = {
	{"<sip:a@c>", "<sip:a@c>;tag=t"},
	{"<sip:a@c>;tag=x", "<sip:a@c>;tag=x"},
	{"sip:a@c;TAG=x", "sip:a@c;TAG=x"},
	{"sip:a@c", "sip:a@c;tag=t"},
	{"<sip:a@c;tag=x>", "<sip:a@c;tag=x>;tag=t"},
	{"\";tag=x\" <sip:a@c>;y=1", "\";tag=x\" <sip:a@c>;y=1;tag=t"},
	{"\"open <sip:a@c>", "\"open <sip:a@c>;tag=t"},
};

START_TEST(to_table) {
	struct sip_answer a = {.status = 400, .to_tag = RG_LIT("t")};
	char request[512], want[512];

	snprintf(request, sizeof(request),
		 "REGISTER sip:c SIP/2.0\r\nv: SIP/2.0/WS h\r\nf: <sip:a@c>;tag=1\r\nTo: %s\r\n"
		 "i: 1\r\nCSeq: 5 REGISTER\r\nx: y\r\n\r\n",
		 tos[_i].to);
	snprintf(want, sizeof(want),
		 "SIP/2.0 400 Bad Request\r\nv: SIP/2.0/WS h\r\nf: <sip:a@c>;tag=1\r\nTo: %s\r\n"
		 "i: 1\r\nCSeq: 5 REGISTER\r\n" END,
		 tos[_i].want);
	check(request, &a, want);
}
END_TEST

// However small the room, the writer stops at its end.
START_TEST(overflow) {
	struct rg_addr peer = rg_addr_v4(1, 1);
	struct sip_answer a = {.status = 200, .peer = &peer, .to_tag = RG_LIT("t")};
	size_t whole = answer(SAMPLE_REGISTER, &a).len;
	static struct sip_msg m;

	ck_assert_int_eq(sip_parse(guard_str(SAMPLE_REGISTER), &m), RG_OK);
	for (size_t n = 0; n <= whole; n++) {
		uint8_t zero[2048] = {0};
		struct rg_wr w;

		struct rg_slice room = guard_copy(rg_slice(zero, n));
		w = rg_wr((uint8_t *)room.p, n);
		sip_put_answer(&w, &m, &a);
		ck_assert_int_eq(w.overflow, n < whole);
	}
}
END_TEST

START_TEST(reasons) {
	ck_assert_str_eq(sip_reason(200), "OK");
	ck_assert_str_eq(sip_reason(401), "Unauthorized");
	ck_assert_str_eq(sip_reason(504), "Server Time-out");
	ck_assert_str_eq(sip_reason(299), "Unknown");
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, sizeof(table) / sizeof(*(table)))

int main(void) {
	Suite *s = suite_create("sip_answer");
	TCase *t = tcase_create("answer");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, register_200);
	LOOP(via_table, vias);
	tcase_add_test(t, no_peer);
	tcase_add_test(t, ipv6_peer);
	LOOP(to_table, tos);
	tcase_add_test(t, overflow);
	tcase_add_test(t, reasons);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
