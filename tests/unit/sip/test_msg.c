// SPDX-License-Identifier: BSD-3-Clause
// Messages: start lines, header lines, what must stand once, Content-Length, framing on a stream.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"
#include "sample.h"

#define EQ(slice, text)                                                                          \
	ck_assert_msg(rg_eq(slice, rg_str(text)), "%.*s is not %s", (int)(slice).len, (slice).p, \
		      text)

#define START "OPTIONS sip:b@c SIP/2.0\r\n"
#define VIA "Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\n"
#define FROM "From: <sip:a@b>;tag=1\r\n"
#define TO "To: <sip:b@c>\r\n"
#define CALL_ID "Call-ID: 1@a\r\n"
#define CSEQ "CSeq: 1 OPTIONS\r\n"
#define HEAD START VIA FROM TO CALL_ID CSEQ

static const struct {
	const char *name, *in;
	int rc;
} cases[] = {
	{"smallest", HEAD "\r\n", RG_OK},
	{"any order", START CSEQ CALL_ID TO FROM VIA "\r\n", RG_OK},
	{"no Via", START FROM TO CALL_ID CSEQ "\r\n", RG_E_PROTO},
	{"no From", START VIA TO CALL_ID CSEQ "\r\n", RG_E_PROTO},
	{"no To", START VIA FROM CALL_ID CSEQ "\r\n", RG_E_PROTO},
	{"no Call-ID", START VIA FROM TO CSEQ "\r\n", RG_E_PROTO},
	{"no CSeq", START VIA FROM TO CALL_ID "\r\n", RG_E_PROTO},
	{"two Vias", HEAD VIA "\r\n", RG_OK},
	{"two From", HEAD FROM "\r\n", RG_E_PROTO},
	{"two To, one compact", HEAD "t: <sip:b@c>\r\n\r\n", RG_E_PROTO},
	{"two Call-ID", HEAD CALL_ID "\r\n", RG_E_PROTO},
	{"two CSeq", HEAD CSEQ "\r\n", RG_E_PROTO},
	{"two Max-Forwards", HEAD "Max-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n", RG_E_PROTO},
	{"two Expires", HEAD "Expires: 1\r\nExpires: 1\r\n\r\n", RG_E_PROTO},
	{"two Content-Length", HEAD "l: 0\r\nContent-Length: 0\r\n\r\n", RG_E_PROTO},
	{"two Content-Type", HEAD "c: a/b\r\nc: a/b\r\n\r\n", RG_E_PROTO},
	{"two Contact", HEAD "m: <sip:a>\r\nm: <sip:b>\r\n\r\n", RG_OK},
	{"two Authorization", HEAD "Authorization: A b\r\nAuthorization: C d\r\n\r\n", RG_OK},
	{"empty Via", START "Via:\r\n" FROM TO CALL_ID CSEQ "\r\n", RG_E_PROTO},
	{"empty From", START VIA "f: \r\n" TO CALL_ID CSEQ "\r\n", RG_E_PROTO},
	{"empty To", START VIA FROM "To:\r\n" CALL_ID CSEQ "\r\n", RG_E_PROTO},
	{"empty Call-ID", START VIA FROM TO "i:\r\n" CSEQ "\r\n", RG_E_PROTO},
	{"Call-ID with blank", START VIA FROM TO "i: a b\r\n" CSEQ "\r\n", RG_E_PROTO},
	{"Call-ID with two @", START VIA FROM TO "i: a@b@c\r\n" CSEQ "\r\n", RG_E_PROTO},
	{"Call-ID ends in @", START VIA FROM TO "i: a@\r\n" CSEQ "\r\n", RG_E_PROTO},
	{"Call-ID starts with @", START VIA FROM TO "i: @a\r\n" CSEQ "\r\n", RG_E_PROTO},
	{"Call-ID of odd characters",
	 START VIA FROM TO "i: w%ZK-!.*_+'@w`~)(><:\\/\"][?}{\r\n" CSEQ "\r\n", RG_OK},
	{"CSeq of another method", START VIA FROM TO CALL_ID "CSeq: 1 INVITE\r\n\r\n", RG_E_PROTO},
	{"CSeq in lower case", START VIA FROM TO CALL_ID "CSeq: 1 options\r\n\r\n", RG_E_PROTO},
	{"CSeq 2^31", START VIA FROM TO CALL_ID "CSeq: 2147483648 OPTIONS\r\n\r\n", RG_E_PROTO},
	{"CSeq 2^31-1", START VIA FROM TO CALL_ID "CSeq: 2147483647 OPTIONS\r\n\r\n", RG_OK},
	{"Max-Forwards 0", HEAD "Max-Forwards: 0\r\n\r\n", RG_OK},
	{"Max-Forwards 255", HEAD "Max-Forwards: 0255\r\n\r\n", RG_OK},
	{"Max-Forwards 256", HEAD "Max-Forwards: 256\r\n\r\n", RG_E_PROTO},
	{"Max-Forwards -1", HEAD "Max-Forwards: -1\r\n\r\n", RG_E_PROTO},
	{"Max-Forwards empty", HEAD "Max-Forwards:\r\n\r\n", RG_E_PROTO},
	{"Content-Length negative", HEAD "l: -1\r\n\r\n", RG_E_PROTO},
	{"Content-Length with sign", HEAD "l: +0\r\n\r\n", RG_E_PROTO},
	{"Content-Length empty", HEAD "l:\r\n\r\n", RG_E_PROTO},
	{"Content-Length a list", HEAD "l: 0, 0\r\n\r\n", RG_E_PROTO},
	{"Content-Length overflows", HEAD "l: 18446744073709551616\r\n\r\n", RG_E_PROTO},
	{"Content-Length of the body", HEAD "l: 3\r\n\r\nabc", RG_OK},
	{"Content-Length too large", HEAD "l: 4\r\n\r\nabc", RG_E_PROTO},
	{"Content-Length huge", HEAD "l: 18446744073709551615\r\n\r\nabc", RG_E_PROTO},
	{"unknown header", HEAD "X-\x21y: \xc3\xa9, ;;\r\n\r\n", RG_OK},
	{"empty header", HEAD "Subject:\r\n\r\n", RG_OK},
	{"blanks around the colon", HEAD "Subject \t : \t x \t\r\n\r\n", RG_OK},
	{"fold", HEAD "Subject: a\r\n b\r\n\tc\r\n\r\n", RG_OK},
	{"fold right after the colon", HEAD "Subject:\r\n a\r\n\r\n", RG_OK},
	{"fold of blanks only", HEAD "Subject: a\r\n  \r\n\r\n", RG_OK},
	{"fold before the colon", HEAD "Subject\r\n : a\r\n\r\n", RG_E_PROTO},
	{"fold of the start line", "OPTIONS sip:b@c\r\n SIP/2.0\r\n\r\n", RG_E_PROTO},
	{"fold without a header", START " x\r\n" VIA FROM TO CALL_ID CSEQ "\r\n", RG_E_PROTO},
	{"no colon", HEAD "Subject\r\n\r\n", RG_E_PROTO},
	{"no name", HEAD ": x\r\n\r\n", RG_E_PROTO},
	{"blank in the name", HEAD "Sub ject: x\r\n\r\n", RG_E_PROTO},
	{"@ in the name", HEAD "Sub@ject: x\r\n\r\n", RG_E_PROTO},
	{"8-bit name", HEAD "Suj\xc3\xa9t: x\r\n\r\n", RG_E_PROTO},
	{"bare LF", HEAD "Subject: x\n\r\n", RG_E_PROTO},
	{"bare LF ends the head", HEAD "\n", RG_E_PROTO},
	{"bare CR", HEAD "Subject: x\ry\r\n\r\n", RG_E_PROTO},
	{"CR CR LF", HEAD "Subject: x\r\r\n\r\n", RG_E_PROTO},
	{"LF CR", HEAD "Subject: x\n\r\r\n\r\n", RG_E_PROTO},
	{"control character", HEAD "Subject: \x01\r\n\r\n", RG_E_PROTO},
	{"DEL", HEAD "Subject: \x7f\r\n\r\n", RG_E_PROTO},
	{"control character in quotes", HEAD "Subject: \"\x01\"\r\n\r\n", RG_E_PROTO},
	{"control character escaped in quotes", HEAD "Subject: \"\\\x01\"\r\n\r\n", RG_OK},
	{"control character escaped after a fold", HEAD "Subject: \"a\r\n \\\x01\"\r\n\r\n", RG_OK},
	{"control character escaped in a comment", HEAD "Server: (a (\"\\\x01))\r\n\r\n", RG_OK},
	{"control character escaped outside", HEAD "Subject: \"a\" \\\x01\r\n\r\n", RG_E_PROTO},
	{"control character escaped behind a comment", HEAD "Server: (a) \\\x01\r\n\r\n",
	 RG_E_PROTO},
	{"control characters escaped and not", HEAD "Subject: \"\\\x01\x02\"\r\n\r\n", RG_E_PROTO},
	{"two escaped, side by side", HEAD "Subject: \"\\\x01\\\x02\"\r\n\r\n", RG_OK},
	{"escaped, then a line end", HEAD "Subject: \"\\\x01\r\n\r\n", RG_OK},
	{"escaped, then a fold", HEAD "Subject: \"\\\x01\r\n \"\r\n\r\n", RG_OK},
	{"escaped, then a bare LF", HEAD "Subject: \"\\\x01\n\"\r\n\r\n", RG_E_PROTO},
	{"control at the start of a line", HEAD "\x01Subject: a\r\n\r\n", RG_E_PROTO},
	{"control after the last line", HEAD "\x01\r\n\r\n", RG_E_PROTO},
	{"DEL after CRLF", HEAD "\x7f: a\r\n\r\n", RG_E_PROTO},
	{"CR without LF ends the head", HEAD "\r\r\n", RG_E_PROTO},
	{"CR without LF, then text", HEAD "\rx\r\n\r\n", RG_E_PROTO},
	{"control characters in the body", HEAD "\r\n\r\n\x01", RG_OK},
	{"backslash escaped, then control", HEAD "Subject: \"\\\\\x01\"\r\n\r\n", RG_E_PROTO},
	{"CR escaped in quotes", HEAD "Subject: \"\\\ra\"\r\n\r\n", RG_E_PROTO},
	{"control in the start line", "OPT\x01IONS sip:b@c SIP/2.0\r\n\r\n", RG_E_PROTO},
	{"no empty line", HEAD, RG_E_PROTO},
	{"cut in CRLF", HEAD "\r", RG_E_PROTO},
	{"nothing", "", RG_E_PROTO},
	{"CRLF first", "\r\n" HEAD "\r\n", RG_E_PROTO},
	{"only a start line", START "\r\n", RG_E_PROTO},
};

START_TEST(parse_table) {
	static struct sip_msg m;

	m.n_hdrs = 777;
	ck_assert_msg(sip_parse(guard_str(cases[_i].in), &m) == cases[_i].rc, "%s", cases[_i].name);
	if (cases[_i].rc < 0)
		ck_assert_uint_eq(m.n_hdrs, 777); // nothing written
}
END_TEST

static const struct {
	const char *line;
	bool is_good;
} lines[] = {
	{"OPTIONS sip:b@c SIP/2.0", true},
	{"OPTIONS sip:b@c sip/2.0", true}, // RFC 3261 7.1: the version has no case
	{"OPTIONS SIPS:b@c;lr SIP/2.0", true},
	{"OPTIONS tel:+1-201 SIP/2.0", true},
	{"OPTIONS nobody:totallyopaque SIP/2.0", true},
	{"OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", true},
	{"OPTIONS sip:[::1] SIP/2.0", true},
	{"OPTIONS  sip:b@c SIP/2.0", false},
	{"OPTIONS sip:b@c  SIP/2.0", false},
	{"OPTIONS sip:b@c SIP/2.0 ", false},
	{" OPTIONS sip:b@c SIP/2.0", false},
	{"OPTIONS\tsip:b@c SIP/2.0", false},
	{"OPTIONS sip:b@c; lr SIP/2.0", false},
	{"OPTIONS <sip:b@c> SIP/2.0", false},
	{"OPTIONS sip:b@c?h=v SIP/2.0", false},
	{"OPTIONS sip:b@c SIP/2.1", false},
	{"OPTIONS sip:b@c SIP/7.0", false},
	{"OPTIONS sip:b@c HTTP/1.1", false},
	{"OPTIONS sip:b@c", false},
	{"OPTIONS SIP/2.0", false},
	{"OPTIONS noscheme SIP/2.0", false},
	{"OPTIONS sip: SIP/2.0", false},
	{"OPTIONS sips: SIP/2.0", false},
	{"OPTIONS", false},
	{"OPTI@NS sip:b@c SIP/2.0", false},
	{"SIP/2.0 200 OK", true},
	{"SIP/2.0 200 ", true},
	{"sip/2.0 699 \xd1\x81 = 2**3", true},
	{"SIP/2.0 200 \"\\\x01\"", false},
	{"SIP/2.0 200 OK\r\n fold", false},
	{"SIP/2.0 200 O\tK", true},
	{"OPTIONS sip:b@c\r\n SIP/2.0", false},
	{"OPTIONS sip:b@c SIP/2.0\r\n ", false},
	{"SIP/2.0 200", false},
	{"SIP/2.0 20 OK", false},
	{"SIP/2.0 2000 OK", false},
	{"SIP/2.0 099 OK", false},
	{"SIP/2.0 700 OK", false},
	{"SIP/2.0 2x0 OK", false},
	{"SIP/2.0  200 OK", false},
	{"SIP/7.0 200 OK", false},
	{"SIP/2.0 4294967301 better", false},
	{"SIP/2.0", false},
	{"SIP/", false},
};

START_TEST(start_table) {
	uint8_t buf[512];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_msg m;

	rg_puts(&w, lines[_i].line);
	rg_puts(&w, "\r\n" VIA FROM TO CALL_ID CSEQ "\r\n");
	ck_assert_msg(sip_parse(guard_copy(rg_wr_slice(&w)), &m) ==
			      (lines[_i].is_good ? RG_OK : RG_E_PROTO),
		      "%s", lines[_i].line);
}
END_TEST

START_TEST(request_fields) {
	struct rg_slice in = guard_str(SAMPLE_REGISTER "rest");
	struct sip_msg m;

	ck_assert_int_eq(sip_parse(in, &m), RG_OK);
	ck_assert(m.is_request);
	ck_assert_int_eq(m.method, SIP_REGISTER);
	EQ(m.method_name, "REGISTER");
	EQ(m.ruri, "sip:ims.example.net");
	ck_assert_uint_eq(m.n_hdrs, 13);
	EQ(m.hdrs[0].name, "Via");
	EQ(m.hdrs[0].value, "SIP/2.0/WSS 4ejhaldknkb7.invalid;branch=z9hG4bK2812950");
	EQ(m.hdrs[12].value, "0");
	ck_assert_uint_eq(m.size, in.len - 4);
	ck_assert_uint_eq(m.raw.len, in.len - 4);
	ck_assert_ptr_eq(m.raw.p, in.p);
	ck_assert_uint_eq(m.body.len, 0);
}
END_TEST

START_TEST(response_fields) {
	struct sip_msg m;

	ck_assert_int_eq(sip_parse(guard_str(SAMPLE_RESPONSE), &m), RG_OK);
	ck_assert(!m.is_request);
	ck_assert_uint_eq(m.status, 200);
	EQ(m.reason, "OK");
	EQ(m.body, "body");
	EQ(sip_hdr_first(&m, SIP_HDR_CSEQ)->value, "7\r\n\tREGISTER");
}
END_TEST

START_TEST(body_without_length) {
	struct sip_msg m;

	ck_assert_int_eq(sip_parse(guard_str(HEAD "\r\n\x01 any\n"), &m), RG_OK);
	EQ(m.body, "\x01 any\n");
}
END_TEST

START_TEST(methods) {
	uint8_t buf[512];
	struct sip_msg m;

	for (unsigned i = 0; i < SIP_OTHER_METHOD + 3; i++) {
		static const char *const others[] = {"NEWMETHOD", "register", "REGISTERS"};
		const char *name =
			i < SIP_OTHER_METHOD ? sip_method_name(i) : others[i - SIP_OTHER_METHOD];
		struct rg_wr w = rg_wr(buf, sizeof(buf));

		rg_puts(&w, name);
		rg_puts(&w, " sip:b@c SIP/2.0\r\n" VIA FROM TO CALL_ID "CSeq: 1 ");
		rg_puts(&w, name);
		rg_puts(&w, "\r\n\r\n");
		ck_assert_int_eq(sip_parse(guard_copy(rg_wr_slice(&w)), &m), RG_OK);
		ck_assert_int_eq(m.method, i < SIP_OTHER_METHOD ? i : SIP_OTHER_METHOD);
	}
}
END_TEST

// 64 headers and 8192 bytes are the most.
START_TEST(limits) {
	static uint8_t buf[SIP_MAX_MSG + 1];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_msg m;

	rg_puts(&w, HEAD);
	for (unsigned i = 5; i < SIP_MAX_HEADERS; i++)
		rg_puts(&w, "a-: b\r\n");
	rg_puts(&w, "\r\n");
	ck_assert_int_eq(sip_parse(guard_copy(rg_wr_slice(&w)), &m), RG_OK);
	ck_assert_uint_eq(m.n_hdrs, SIP_MAX_HEADERS);
	w.len -= 2;
	rg_puts(&w, "a-: b\r\n\r\n");
	ck_assert_int_eq(sip_parse(guard_copy(rg_wr_slice(&w)), &m), RG_E_LIMIT);
	w.len = 0;
	rg_puts(&w, HEAD "\r\n");
	memset(buf + w.len, 'x', sizeof(buf) - w.len);
	ck_assert_int_eq(sip_parse(rg_slice(buf, SIP_MAX_MSG), &m), RG_OK);
	ck_assert_uint_eq(m.size, SIP_MAX_MSG);
	ck_assert_int_eq(sip_parse(rg_slice(buf, SIP_MAX_MSG + 1), &m), RG_E_LIMIT);
}
END_TEST

// Sixteen escaped control characters are the most: each costs a look at its line.
START_TEST(odd_limit) {
	uint8_t buf[512];
	struct sip_msg m;

	for (unsigned n = 16; n <= 17; n++) {
		struct rg_wr w = rg_wr(buf, sizeof(buf));

		rg_puts(&w, HEAD "Subject: \"");
		for (unsigned i = 0; i < n; i++)
			rg_puts(&w, "\\\x01");
		rg_puts(&w, "\"\r\n\r\n");
		ck_assert_int_eq(sip_parse(guard_copy(rg_wr_slice(&w)), &m),
				 n == 16 ? RG_OK : RG_E_LIMIT);
	}
}
END_TEST

static const struct {
	const char *in;
	size_t size; // 0 = no message
	int rc;
} streams[] = {
	{SAMPLE_RESPONSE, sizeof(SAMPLE_RESPONSE) - 1, RG_OK},
	{SAMPLE_RESPONSE "SIP/2.0 ", sizeof(SAMPLE_RESPONSE) - 1, RG_OK},
	{"\r\n\r\n" SAMPLE_REGISTER, sizeof(SAMPLE_REGISTER) + 3, RG_OK},
	{"", 0, RG_MORE},
	{"\r\n", 0, RG_MORE},
	{"\r\n\r", 0, RG_MORE},
	{HEAD "\r\n", 0, RG_E_PROTO}, // RFC 3261 20.14: a stream needs Content-Length
	{HEAD "l: 5\r\n\r\nabcd", 0, RG_MORE},
	{HEAD "l: 5\r\n\r\nabcde", sizeof(HEAD "l: 5\r\n\r\nabcde") - 1, RG_OK},
	{HEAD "l: 18446744073709551615\r\n\r\nab", 0, RG_E_LIMIT},
	{HEAD "l: 8192\r\n\r\nab", 0, RG_E_LIMIT},
	{HEAD "l: -1\r\n", 0, RG_MORE}, // a fold may follow
	{HEAD "l: -1\r\n\r", 0, RG_E_PROTO},
	{"garbage\r\n", 0, RG_MORE}, // a fold may follow
	{"garbage\r\nx", 0, RG_E_PROTO},
	{HEAD "l: 1\r\nl: 1\r\nX", 0, RG_E_PROTO}, // before the end is there
	{HEAD "X@Y: 0123456789012345678901234567890\r\nl: 0\r\n\r\n", 0, RG_E_PROTO},
	{"\n", 0, RG_E_PROTO},
	{"\rx", 0, RG_E_PROTO},
};

// Blanks around a value, where much follows the header and where nothing does.
static const char *const blanks[] = {"Z:a b",     "Z: a b",      "Z:\t a b",
				     "Z: a b ",   "Z: a b\t",    "Z :  a b ",
				     "Z:a b \t ", "Z: \r\n a b", "Z: a b\r\n "};

START_TEST(value_trimmed) {
	char text[512];
	struct sip_msg m;

	for (int is_last = 0; is_last < 2; is_last++) {
		snprintf(text, sizeof(text), HEAD "%s\r\n%s\r\n", blanks[_i],
			 is_last ? "" : "Subject: 0123456789012345678901234567890\r\n");
		ck_assert_int_eq(sip_parse(guard_str(text), &m), RG_OK);
		EQ(sip_hdr_named(&m, RG_LIT("z"))->value, "a b");
	}
}
END_TEST

START_TEST(stream_table) {
	struct sip_msg m = {.size = 0};

	ck_assert_msg(sip_parse_stream(guard_str(streams[_i].in), &m) == streams[_i].rc, "case %d",
		      _i);
	ck_assert_uint_eq(m.size, streams[_i].size);
}
END_TEST

START_TEST(stream_limits) {
	static uint8_t buf[4 * SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_msg m;

	rg_puts(&w, HEAD "Subject: ");
	memset(buf + w.len, 'x', sizeof(buf) - w.len);
	ck_assert_int_eq(sip_parse_stream(rg_slice(buf, SIP_MAX_MSG - 1), &m), RG_MORE);
	ck_assert_int_eq(sip_parse_stream(rg_slice(buf, SIP_MAX_MSG), &m), RG_E_LIMIT);
	ck_assert_int_eq(sip_parse_stream(rg_slice(buf, sizeof(buf)), &m), RG_E_LIMIT);
	for (size_t i = 0; i < sizeof(buf); i += 2)
		memcpy(buf + i, "\r\n", 2);
	ck_assert_int_eq(sip_parse_stream(rg_slice(buf, SIP_MAX_MSG), &m), RG_MORE);
	ck_assert_int_eq(sip_parse_stream(rg_slice(buf, SIP_MAX_MSG + 2), &m), RG_E_LIMIT);
}
END_TEST

// Every prefix of a good message asks for more, and says nothing.
START_TEST(stream_prefixes) {
	static const char *const good[] = {SAMPLE_REGISTER, SAMPLE_RESPONSE,
					   "\r\n\r\n" SAMPLE_RESPONSE,
					   HEAD
					   "l: 1\r\nServer: (\\\x01) \"\\\x02\"\r\n \r\n\r\n\n"};
	struct rg_slice in = guard_str(good[_i]), end = rg_skip(in, in.len);
	static struct sip_msg m;

	for (size_t n = 0; n < in.len; n++) {
		// the cut moved to the guard page
		struct rg_slice cut = rg_slice(end.p - n, n);

		memmove((uint8_t *)cut.p, good[_i], n);
		m.size = 99;
		ck_assert_msg(sip_parse_stream(cut, &m) == RG_MORE, "%zu bytes", n);
		ck_assert_uint_eq(m.size, 99);
	}
	ck_assert_int_eq(sip_parse_stream(guard_str(good[_i]), &m), RG_OK);
	ck_assert_uint_eq(m.size, in.len);
}
END_TEST

START_TEST(keepalive) {
	ck_assert(sip_is_keepalive(guard_str("\r\n")));
	ck_assert(sip_is_keepalive(guard_str("\r\n\r\n")));
	ck_assert(!sip_is_keepalive(guard_str("")));
	ck_assert(!sip_is_keepalive(guard_str("\r")));
	ck_assert(!sip_is_keepalive(guard_str("\r\n\r")));
	ck_assert(!sip_is_keepalive(guard_str("\n\n")));
	ck_assert(!sip_is_keepalive(guard_str("\r\n ")));
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, sizeof(table) / sizeof(*(table)))

int main(void) {
	Suite *s = suite_create("sip_msg");
	TCase *t = tcase_create("msg");
	SRunner *r = srunner_create(s);
	int failed;

	LOOP(parse_table, cases);
	LOOP(start_table, lines);
	tcase_add_test(t, request_fields);
	tcase_add_test(t, response_fields);
	tcase_add_test(t, body_without_length);
	tcase_add_test(t, methods);
	tcase_add_test(t, limits);
	tcase_add_test(t, odd_limit);
	LOOP(value_trimmed, blanks);
	LOOP(stream_table, streams);
	tcase_add_test(t, stream_limits);
	tcase_add_loop_test(t, stream_prefixes, 0, 4);
	tcase_add_test(t, keepalive);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
