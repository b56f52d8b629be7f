// SPDX-License-Identifier: BSD-3-Clause
// What a message that does not parse is answered, byte for byte.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"

#define START "REGISTER sip:c SIP/2.0\r\n"
#define VIA "Via: SIP/2.0/WSS h;branch=z9\r\n"
#define FROM "From: <sip:a@c>;tag=1\r\n"
#define TO "To: <sip:a@c>\r\n"
#define CALL_ID "Call-ID: 1\r\n"
#define CSEQ "CSeq: 5 REGISTER\r\n"
#define BAD "Max-Forwards: x\r\n"
#define ALL VIA FROM TO CALL_ID CSEQ BAD "\r\n"

#define VIA_BACK "Via: SIP/2.0/WSS h;branch=z9;received=192.0.2.1;rport=7\r\n"
#define TO_BACK "To: <sip:a@c>;tag=t\r\n"
#define BAD_REQUEST "SIP/2.0 400 Bad Request\r\n"
#define END "Content-Length: 0\r\n\r\n"
#define REST_BACK FROM TO_BACK CALL_ID CSEQ END
#define ALL_BACK BAD_REQUEST VIA_BACK REST_BACK

static const struct {
	const char *name, *in;
	int status;
	const char *answer; // NULL: none
} cases[] = {
	{"a bad number", START ALL, 400, ALL_BACK},
	{"two blanks", "REGISTER  sip:c SIP/2.0\r\n" ALL, 400, ALL_BACK},
	{"no URI", "REGISTER SIP/2.0\r\n" ALL, 400, ALL_BACK},
	{"a blank at the end", "REGISTER sip:c SIP/2.0 \r\n" ALL, 400, ALL_BACK},
	{"a folded start line", "REGISTER sip:c\r\n SIP/2.0\r\n" ALL, 400, ALL_BACK},
	{"another version", "REGISTER sip:c SIP/3.0\r\n" ALL, 505,
	 "SIP/2.0 505 Version Not Supported\r\n" VIA_BACK REST_BACK},
	{"no Call-ID", START VIA FROM TO CSEQ "\r\n", 400,
	 BAD_REQUEST VIA_BACK FROM TO_BACK CSEQ END},
	{"no more than a Via", START VIA "\r\n", 400, BAD_REQUEST VIA_BACK END},
	{"no empty line", START VIA FROM TO CALL_ID CSEQ, 400, ALL_BACK},
	{"cut in a header", START VIA FROM TO CALL_ID CSEQ "Contact: <si", 400, ALL_BACK},
	{"Via twice", START VIA "v: SIP/2.0/TCP i\r\n" FROM TO CALL_ID CSEQ BAD "\r\n", 400,
	 BAD_REQUEST VIA_BACK "v: SIP/2.0/TCP i\r\n" REST_BACK},
	{"To twice", START VIA FROM TO "t: <sip:x>\r\n" CALL_ID CSEQ "\r\n", 400, ALL_BACK},
	{"a control character in To", START VIA FROM "To: <sip:\x01>\r\n" CALL_ID CSEQ "\r\n", 400,
	 BAD_REQUEST VIA_BACK FROM CALL_ID CSEQ END},
	{"a bare LF in To", START VIA FROM "To: <sip:a@c>\nX: y\r\n" CALL_ID CSEQ "\r\n", 400,
	 BAD_REQUEST VIA_BACK FROM CALL_ID CSEQ END},
	{"a bare LF before To's value", START VIA FROM "To:\n <sip:a@c>\r\n" CALL_ID CSEQ "\r\n",
	 400, BAD_REQUEST VIA_BACK FROM CALL_ID CSEQ END},
	{"an escaped control character in To",
	 START VIA FROM "To: \"\\\x01\" <sip:a@c>\r\n" CALL_ID CSEQ BAD "\r\n", 400,
	 BAD_REQUEST VIA_BACK FROM CALL_ID CSEQ END},
	{"no value", START VIA FROM "To:\r\n" CALL_ID CSEQ "\r\n", 400,
	 BAD_REQUEST VIA_BACK FROM CALL_ID CSEQ END},
	{"no colon", START VIA FROM TO "Call-ID 1\r\n" CSEQ "\r\n", 400,
	 BAD_REQUEST VIA_BACK FROM TO_BACK CSEQ END},
	{"an open quote", START VIA FROM "To: \"a <sip:a@c>\r\n" CALL_ID CSEQ BAD "\r\n", 400,
	 BAD_REQUEST VIA_BACK FROM "To: \"a <sip:a@c>;tag=t\r\n" CALL_ID CSEQ END},
	{"a fold", START VIA FROM "To :\r\n <sip:a@c>\r\n" CALL_ID CSEQ BAD "\r\n", 400,
	 BAD_REQUEST VIA_BACK FROM "To :\r\n <sip:a@c>;tag=t\r\n" CALL_ID CSEQ END},
	{"a Via that is none", START "Via: ;;,\r\n" FROM TO CALL_ID CSEQ BAD "\r\n", 400,
	 BAD_REQUEST "Via: ;;,\r\n" REST_BACK},
	{"what follows the head", START VIA BAD "\r\n" FROM TO, 400, BAD_REQUEST VIA_BACK END},
	{"a body that begins with a blank", START VIA BAD "\r\n \r\n" FROM TO, 400,
	 BAD_REQUEST VIA_BACK END},
	{"no header, a body that begins with a blank", START "\r\n \r\n" VIA, RG_E_PROTO, NULL},
	{"no Via", START FROM TO CALL_ID CSEQ "\r\n", RG_E_PROTO, NULL},
	{"a control character in Via",
	 START "Via: SIP/2.0/WSS \x01\r\n" FROM TO CALL_ID CSEQ "\r\n", RG_E_PROTO, NULL},
	{"an ACK", "ACK sip:c SIP/2.0\r\n" ALL, 0, NULL},
	{"an ACK with tabs", "ACK\tsip:c\tSIP/2.0\r\n" ALL, 0, NULL},
	{"not quite an ACK", "ACKX sip:c SIP/2.0\r\n" ALL, 400, ALL_BACK},
	{"a response", "SIP/2.0 99999 OK\r\n" ALL, 0, NULL},
	{"HTTP", "GET / HTTP/1.1\r\n" ALL, RG_E_PROTO, NULL},
	{"no method", "@ sip:c SIP/2.0\r\n" ALL, RG_E_PROTO, NULL},
	{"one word", "hello", RG_E_PROTO, NULL},
	{"nothing", "", RG_E_PROTO, NULL},
};

START_TEST(refusal) {
	struct rg_addr peer = {.ip = {[10] = 0xff, 0xff, 192, 0, 2, 1}, .port = 7};
	struct rg_slice in = guard_str(cases[_i].in);
	static struct sip_msg m;
	uint8_t buf[1024];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_answer a = {.peer = &peer, .to_tag = RG_LIT("t")};
	int rc;

	ck_assert_int_ne(sip_parse(in, &m), RG_OK);
	rc = sip_refusal(in, &m);
	ck_assert_msg(rc == cases[_i].status, "%s: %d", cases[_i].name, rc);
	if (cases[_i].answer == NULL)
		return;
	a.status = (unsigned)rc;
	sip_put_answer(&w, &m, &a);
	ck_assert_msg(rg_eq(rg_wr_slice(&w), rg_str(cases[_i].answer)), "%s:\n%.*s", cases[_i].name,
		      (int)w.len, buf);
}
END_TEST

// More headers than there may be: those beyond are not looked at.
START_TEST(many) {
	static uint8_t buf[SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	static struct sip_msg m;

	rg_puts(&w, START);
	for (unsigned i = 0; i < 3 * SIP_MAX_HEADERS; i++)
		rg_puts(&w, "v: SIP/2.0/WS h\r\n");
	rg_puts(&w, "\r\n");
	ck_assert_int_eq(sip_refusal(guard_copy(rg_wr_slice(&w)), &m), 400);
	ck_assert_uint_eq(m.n_hdrs, SIP_MAX_HEADERS);
}
END_TEST

static const struct {
	const char *headers, *want;
} required[] = {
	{"Require: path\r\n", ""},
	{"Require: Path , outbound\r\nProxy-Require:gruu\r\n", ""},
	{"Require:\r\n", ""},
	{"Supported: 100rel\r\n", ""},
	{"Require: 100rel\r\n", "Unsupported: 100rel\r\n"},
	{"require: path,\r\n nothingSupportsThis, outbound, x\r\n",
	 "Unsupported: nothingSupportsThis, x\r\n"},
	{"Require: a\r\nRequire: b\r\nProxy-Require: c\r\n", "Unsupported: a, b, c\r\n"},
	{"Proxy-Require: noProxiesSupportThis\r\n", "Unsupported: noProxiesSupportThis\r\n"},
	{"Require: paths\r\n", "Unsupported: paths\r\n"},
	{"Require: a b, ;;, path\r\n", ""}, // no option tags
};

START_TEST(unsupported) {
	static struct sip_msg m;
	char text[512];
	uint8_t buf[128];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	snprintf(text, sizeof(text), "%s%s\r\n", START VIA FROM TO CALL_ID CSEQ,
		 required[_i].headers);
	ck_assert_int_eq(sip_parse(guard_str(text), &m), RG_OK);
	sip_put_unsupported(&w, &m);
	ck_assert_msg(rg_eq(rg_wr_slice(&w), rg_str(required[_i].want)), "%s",
		      required[_i].headers);
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_refuse");
	TCase *t = tcase_create("refuse");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, refusal, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_test(t, many);
	tcase_add_loop_test(t, unsupported, 0, sizeof(required) / sizeof(*required));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
