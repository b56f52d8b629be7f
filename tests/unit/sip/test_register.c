// SPDX-License-Identifier: BSD-3-Clause
// The REGISTER view: identity, Contact, expires, both Bearer syntaxes, and the Contact key.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"
#include "sample.h"

#define EQ(slice, text)                                                                          \
	ck_assert_msg(rg_eq(slice, rg_str(text)), "%.*s is not %s", (int)(slice).len, (slice).p, \
		      text)

#define HEAD                                                                             \
	"REGISTER sip:c SIP/2.0\r\nVia: SIP/2.0/WSS a;branch=z9hG4bK1\r\nCall-ID: 1\r\n" \
	"CSeq: 5 REGISTER\r\n"
#define PARTIES "From: <sip:a@c>;tag=1\r\nTo: <sip:a@c>\r\n"
#define BASE HEAD PARTIES

static struct sip_msg m;

static int parse(const char *text, struct sip_register *r) {
	ck_assert_msg(sip_parse(guard_str(text), &m) == RG_OK, "%s", text);
	return sip_register_parse(&m, r);
}

START_TEST(jssip) {
	struct sip_register r;

	ck_assert_int_eq(parse(SAMPLE_REGISTER, &r), RG_OK);
	ck_assert_ptr_eq(r.msg, &m);
	EQ(r.via.transport, "WSS");
	EQ(r.via.host, "4ejhaldknkb7.invalid");
	EQ(r.via.branch, "z9hG4bK2812950");
	EQ(r.from_uri, "sip:pool-00017@ims.example.net");
	EQ(r.from_tag, "39du4ih86e");
	EQ(r.to_uri, "sip:pool-00017@ims.example.net");
	EQ(r.to_tag, "");
	EQ(r.call_id, "kqct9mrk04l9g2q5ngism7");
	ck_assert_uint_eq(r.cseq, 1);
	ck_assert_uint_eq(r.n_contacts, 1);
	ck_assert(!r.is_star);
	EQ(r.contact_uri, "sip:dgtq535e@4ejhaldknkb7.invalid;transport=ws");
	EQ(r.instance, "\"<urn:uuid:17951779-fb82-4c33-8e3b-a3f1e4121a63>\"");
	ck_assert_uint_eq(r.reg_id, 1);
	ck_assert(r.has_expires);
	ck_assert_uint_eq(r.expires, 600);
	ck_assert_uint_eq(r.n_bearer, 1);
	EQ(r.bearer, "abc.def.ghi");
	ck_assert(r.has_outbound && r.has_path);
}
END_TEST

static const struct {
	const char *in;
	int rc;
} cases[] = {
	{BASE "\r\n", RG_OK}, // no Contact: a query
	{BASE "Contact: <sip:a@b>\r\n\r\n", RG_OK},
	{BASE "Contact: sip:a@b;expires=5\r\n\r\n", RG_OK},
	{BASE "Contact: <sip:a@b>, <sip:c@d>\r\n\r\n", RG_E_UNSUPPORTED},
	{BASE "Contact: <sip:a@b>\r\nm: <sip:c@d>\r\n\r\n", RG_E_UNSUPPORTED},
	{BASE "Contact:\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: ,\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a@b\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a b>\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a@b>;;\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:@b>\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <name:John_Smith>\r\n\r\n", RG_OK},
	{BASE "Contact: *\r\nExpires: 0\r\n\r\n", RG_OK},
	{BASE "Contact: *\r\nExpires: 1\r\n\r\n", RG_E_PROTO}, // RFC 3261 10.2.2
	{BASE "Contact: *\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: *, <sip:a@b>\r\nExpires: 0\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: *;expires=0\r\nExpires: 0\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a@b>;expires=1;expires=0\r\n\r\n", RG_E_PROTO}, // RFC 3261 7.3.1
	{BASE "Contact: <sip:a@b>;reg-id=1;reg-id=2\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a@b>;reg-id=0\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a@b>;reg-id=2147483648\r\n\r\n", RG_E_PROTO}, // RFC 5626 11.1
	{BASE "Contact: <sip:a@b>;reg-id=2147483647\r\n\r\n", RG_OK},
	{BASE "Contact: <sip:a@b>;reg-id=\"1\"\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a@b>;+sip.instance=x\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a@b>;+sip.instance=\"\"\r\n\r\n", RG_E_PROTO},
	{BASE "Contact: <sip:a@b>;+sip.instance=\"<a>\";+sip.instance=\"<b>\"\r\n\r\n", RG_E_PROTO},
	{BASE "Expires: x\r\n\r\n", RG_E_PROTO},
	{BASE "Expires:\r\n\r\n", RG_E_PROTO},
	{HEAD "From: <sip:a@c>\r\nTo: <sip:a@c>\r\n\r\n", RG_E_PROTO}, // no From tag
	{HEAD "From: <sip:a@c>;tag\r\nTo: <sip:a@c>\r\n\r\n", RG_E_PROTO},
	{HEAD "From: <sip:a@c>;tag=1;tag=2\r\nTo: <sip:a@c>\r\n\r\n", RG_E_PROTO},
	{HEAD "From: <sip:a@c>;tag=1;;\r\nTo: <sip:a@c>\r\n\r\n", RG_E_PROTO},
	{HEAD "From: sip:a@c;tag=1\r\nTo: \"x <sip:a@c>\r\n\r\n", RG_E_PROTO},
	{"REGISTER sip:c SIP/2.0\r\nVia: SIP/2.0 a\r\ni: 1\r\nCSeq: 5 REGISTER\r\n" PARTIES "\r\n",
	 RG_E_PROTO},
	{"OPTIONS sip:c SIP/2.0\r\nv: SIP/2.0/WS a\r\ni: 1\r\nCSeq: 5 OPTIONS\r\n" PARTIES "\r\n",
	 RG_E_PROTO},
	{"SIP/2.0 200 OK\r\nv: SIP/2.0/WS a\r\ni: 1\r\nCSeq: 5 REGISTER\r\n" PARTIES "\r\n",
	 RG_E_PROTO},
};

START_TEST(parse_table) {
	struct sip_register r = {.cseq = 777};

	ck_assert_msg(parse(cases[_i].in, &r) == cases[_i].rc, "%s", cases[_i].in);
	ck_assert_uint_eq(r.cseq, cases[_i].rc == RG_OK ? 5 : 777);
}
END_TEST

static const struct {
	const char *headers;
	bool has;
	uint32_t expires;
} expires[] = {
	{"m: <sip:a@b>\r\n", false, 0},
	{"m: <sip:a@b>\r\nExpires: 7\r\n", true, 7},
	{"Expires: 7\r\nm: <sip:a@b>;expires=5\r\n", true, 5}, // the parameter wins (10.2.1.1)
	{"m: <sip:a@b>;expires=5\r\nExpires: 7\r\n", true, 5},
	{"m: <sip:a@b>;EXPIRES = 0\r\nExpires: 7\r\n", true, 0},
	{"m: <sip:a@b>;expires=280297596632815\r\n", true, UINT32_MAX},
	{"m: <sip:a@b>;expires=x\r\n", true, 3600}, // RFC 3261 20.10
	{"m: <sip:a@b;expires=5>\r\nExpires: 7\r\n", true, 7},
	{"Expires: 99999999999999999999\r\n", true, UINT32_MAX},
};

START_TEST(expires_table) {
	uint8_t buf[512];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_register r;

	rg_puts(&w, BASE);
	rg_puts(&w, expires[_i].headers);
	rg_put(&w, rg_slice("\r\n", 3));
	ck_assert_int_eq(parse((char *)buf, &r), RG_OK);
	ck_assert_msg(r.has_expires == expires[_i].has, "%s", expires[_i].headers);
	ck_assert_uint_eq(r.expires, expires[_i].expires);
}
END_TEST

static const struct {
	const char *headers;
	unsigned n;
	const char *token;
} bearers[] = {
	{"", 0, ""},
	{"Authorization: Bearer abc.def.ghi\r\n", 1, "abc.def.ghi"},
	{"Authorization: bearer  abc-_~+/==\r\n", 1, "abc-_~+/=="},
	{"authorization:BEARER\r\n\tabc\r\n", 1, "abc"},
	{"Authorization: Bearer access_token=\"O91G\"\r\n", 1, "O91G"}, // TS 24.371 A.3.2
	{"Authorization: Bearer access_token = \"O91G==\" \r\n", 1, "O91G=="},
	{"Authorization: Bearer realm=\"a, b\", Access_Token=\"t\", x=y\r\n", 1, "t"},
	{"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", 2, "a"},
	{"Authorization: Bearer a\r\nAuthorization: Digest x=y\r\n", 1, "a"},
	{"Authorization: Digest x=y\r\nAuthorization: Bearer a\r\n", 1, "a"},
	{"Authorization: Digest username=\"Bearer a\"\r\n", 0, ""},
	{"Authorization: Bearerx a\r\n", 0, ""},
	{"Authorization: Bear\r\n", 0, ""},
	{"Proxy-Authorization: Bearer a\r\n", 0, ""},
	// malformed: a token was given, and it is none
	{"Authorization: Bearer\r\n", 1, ""},
	{"Authorization: Bearer ==\r\n", 1, ""},
	{"Authorization: Bearer a b\r\n", 1, ""},
	{"Authorization: Bearer a, Bearer b\r\n", 1, ""},
	{"Authorization: Bearer a=b\r\n", 1, ""},
	{"Authorization: Bearer \"a\"\r\n", 1, ""},
	{"Authorization: Bearer a\xc3\xa9\r\n", 1, ""},
	{"Authorization: Bearer access_token=abc\r\n", 1, ""},
	{"Authorization: Bearer access_token=\"\"\r\n", 1, ""},
	{"Authorization: Bearer access_token=\"a b\"\r\n", 1, ""},
	{"Authorization: Bearer access_token=\"a\\b\"\r\n", 1, ""},
	{"Authorization: Bearer access_token=\"a\r\n", 1, ""},
	{"Authorization: Bearer access_token=\"abcd\r\n", 1, ""},
	{"Authorization: Bearer access_token=\"a\"b\r\n", 1, ""},
	{"Authorization: Bearer access_token=\"a\", access_token=\"b\"\r\n", 1, ""},
	{"Authorization: Bearer token=\"a\"\r\n", 1, ""},
	{"Authorization: Bearer x, access_token=\"a\"\r\n", 1, ""},
};

START_TEST(bearer_table) {
	uint8_t buf[512];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_register r;

	rg_puts(&w, BASE);
	rg_puts(&w, bearers[_i].headers);
	rg_put(&w, rg_slice("\r\n", 3));
	ck_assert_int_eq(parse((char *)buf, &r), RG_OK);
	ck_assert_msg(r.n_bearer == bearers[_i].n, "%s", bearers[_i].headers);
	EQ(r.bearer, bearers[_i].token);
}
END_TEST

static const struct {
	const char *value;
	bool has_outbound, has_path;
} supported[] = {
	{"path, outbound, gruu", true, true},
	{"Outbound", true, false},
	{"path", false, true},
	{"", false, false},
	{"outbounds,xpath", false, false},
};

START_TEST(supported_table) {
	uint8_t buf[512];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_register r;

	rg_puts(&w, BASE "k: ");
	rg_puts(&w, supported[_i].value);
	rg_put(&w, rg_slice("\r\n\r\n", 5));
	ck_assert_int_eq(parse((char *)buf, &r), RG_OK);
	ck_assert_int_eq(r.has_outbound, supported[_i].has_outbound);
	ck_assert_int_eq(r.has_path, supported[_i].has_path);
}
END_TEST

// Only the topmost Via is read; those below are none of our business.
START_TEST(top_via) {
	struct sip_register r;

	ck_assert_int_eq(parse("REGISTER sip:c SIP/2.0\r\n"
			       "Via: SIP/2.0/WSS a;branch=1 , SIP/2.0/TCP b;branch=2\r\n"
			       "Via: ;;;\r\ni: 1\r\nCSeq: 5 REGISTER\r\n" PARTIES "\r\n",
			       &r),
			 RG_OK);
	EQ(r.via.host, "a");
	EQ(r.via.branch, "1");
}
END_TEST

static const struct {
	const char *contact, *key;
} keys[] = {
	{"<sip:a@b>", "<sip:a@b>"},
	{"<sip:a@b>;expires=600", "<sip:a@b>"},
	{"sip:a@b;expires=600", "<sip:a@b>"},
	{"<sip:a@b;x=1>;+sip.ice;reg-id=1;+sip.instance=\"<urn:x>\";expires=6",
	 "<sip:a@b;x=1>;+sip.ice;reg-id=1;+sip.instance=\"<urn:x>\""},
	{"<sip:a@b>;expires=6;q=0.5", "<sip:a@b>;q=0.5"},
	{"<sip:a@b> ; Expires = 6 ; q = 0.5", "<sip:a@b>;q=0.5"},
	{"\"A\r\n B\" <sip:a@b>;x=\"c\r\n d\"", "\"A B\" <sip:a@b>;x=\"c d\""},
	{"<sip:a@b>;x=\";expires=6\"", "<sip:a@b>;x=\";expires=6\""},
};

START_TEST(key_table) {
	uint8_t buf[512], out[256];
	struct rg_wr w = rg_wr(buf, sizeof(buf)), k = rg_wr(out, sizeof(out));
	struct sip_register r;

	rg_puts(&w, BASE "Contact: ");
	rg_puts(&w, keys[_i].contact);
	rg_put(&w, rg_slice("\r\n\r\n", 5));
	ck_assert_int_eq(parse((char *)buf, &r), RG_OK);
	sip_put_contact_key(&k, &r);
	EQ(rg_wr_slice(&k), keys[_i].key);
}
END_TEST

START_TEST(key_of_none) {
	struct rg_wr k = rg_wr(NULL, 0);
	struct sip_register r;

	ck_assert_int_eq(parse(BASE "\r\n", &r), RG_OK);
	sip_put_contact_key(&k, &r);
	ck_assert_int_eq(parse(BASE "m: *\r\nExpires: 0\r\n\r\n", &r), RG_OK);
	ck_assert(r.is_star);
	sip_put_contact_key(&k, &r);
	ck_assert(!k.overflow && k.len == 0);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, sizeof(table) / sizeof(*(table)))

int main(void) {
	Suite *s = suite_create("sip_register");
	TCase *t = tcase_create("register");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, jssip);
	LOOP(parse_table, cases);
	LOOP(expires_table, expires);
	LOOP(bearer_table, bearers);
	LOOP(supported_table, supported);
	tcase_add_test(t, top_via);
	LOOP(key_table, keys);
	tcase_add_test(t, key_of_none);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
