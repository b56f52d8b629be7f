// SPDX-License-Identifier: BSD-3-Clause
// The quick forms of a REGISTER against the grammar: each header stands once where much follows it,
// so that the quick form is tried, and once at the end, where it is not. Both must say the same.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"

#define FROM "<sip:a@b>;tag=1"
#define LONG_HOST "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcde"
#define VIA "SIP/2.0/WSS h.invalid;branch=z9"

enum header { H_VIA, H_FROM, H_CONTACT, H_SUPPORTED, N_HEADERS };

static const struct {
	enum header header;
	const char *value;
	int rc;
} cases[] = {
	{H_VIA, VIA, RG_OK},
	{H_VIA, VIA ";rport", RG_OK},
	{H_VIA, "SIP/2.0/WS h.invalid;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/W h.invalid;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/WSSX h.invalid;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/WSS h.invalid", RG_OK},
	{H_VIA, VIA ";rport=1", RG_OK},
	{H_VIA, VIA ";rports", RG_OK},
	{H_VIA, VIA ";received=1.2.3.4;rport", RG_OK},
	{H_VIA, VIA ", SIP/2.0/WSS i;branch=1", RG_OK},
	{H_VIA, VIA " ;rport", RG_OK},
	{H_VIA, VIA ";branch=z8", RG_E_PROTO},
	{H_VIA, VIA ";", RG_E_PROTO},
	{H_VIA, VIA "=", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h.invalid;branch=", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h.invalid;branch=;rport", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS ;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSSh.invalid;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h.invalid:5060;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/WSS h.invalid.;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/WSS h-1.invalid;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/WSS h--1.in--valid;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/WSS .h.invalid;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS -h.invalid;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h-.invalid;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h.-invalid;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h.invalid-;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h..invalid;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h.invalid..;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS .;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS 192.0.2.1;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/WSS 192.0.2.256;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h.1nvalid;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS 1.h;branch=z9", RG_OK},
	{H_VIA, "SIP/2.0/WSS h.1.;branch=z9", RG_E_PROTO},
	{H_VIA, "SIP/2.0/WSS h;branch=0123456789012345678901234567890123456789", RG_OK},

	{H_FROM, FROM, RG_OK},
	{H_FROM, "<sip:a@b>", RG_E_PROTO}, // no tag
	{H_FROM, "<sip:a@b>;tag=", RG_E_PROTO},
	{H_FROM, "<sip:a@b>;tag", RG_E_PROTO},
	{H_FROM, "<sip:a@b>;tag=1;tag=2", RG_E_PROTO},
	{H_FROM, "<sip:a@b>;tag=1;x", RG_OK},
	{H_FROM, "<sip:a@b>;tag=1,", RG_E_PROTO},
	{H_FROM, "<sip:a@b>;tag=1 ;x=\"y\"", RG_OK},
	{H_FROM, "<sip:a@b>;tags=1", RG_E_PROTO},
	{H_FROM, "<sip:a@b>x;tag=1", RG_E_PROTO},
	{H_FROM, "<sip:>;tag=1", RG_E_PROTO},
	{H_FROM, "<sip:a b>;tag=1", RG_E_PROTO},
	{H_FROM, "<sip:a@b;tag=1", RG_E_PROTO},
	{H_FROM, "<tel:1>;tag=1", RG_OK},
	{H_FROM, "<SIP:a@b>;tag=1", RG_OK},
	{H_FROM, "sip:a@b;tag=1", RG_OK},
	{H_FROM, "\"A\" <sip:a@b>;tag=1", RG_OK},
	{H_FROM, "<sip:a@b>;tag=0123456789012345678901234567890123456789", RG_OK},

	{H_CONTACT, "<sip:a@b>", RG_OK},
	{H_CONTACT, "<sip:b>", RG_OK},
	{H_CONTACT, "<sip:a@b;transport=ws>", RG_OK},
	{H_CONTACT, "<sip:a@b;transport=wss>", RG_OK},
	{H_CONTACT, "<sip:a@b;transport=ws;ob>", RG_OK},
	{H_CONTACT, "<sip:a@b;transport=ws;>", RG_E_PROTO},
	{H_CONTACT, "<sip:a:p@b>", RG_OK},
	{H_CONTACT, "<sip:a%41@b>", RG_OK},
	{H_CONTACT, "<sip:a%4@b>", RG_E_PROTO},
	{H_CONTACT, "<sip:a[@b>", RG_E_PROTO},
	{H_CONTACT, "<sip:@b>", RG_E_PROTO},
	{H_CONTACT, "<sip:a@>", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b@c>", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b_c>", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b.1>", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b?h=v>", RG_OK},
	{H_CONTACT, "<sip:a@b>x", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;;reg-id=1", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>, <sip:c@d>", RG_E_UNSUPPORTED},
	{H_CONTACT, "<sip:a@b>;expires=7", RG_OK},
	{H_CONTACT, "<sip:a@b>;expires=000000007", RG_OK},
	{H_CONTACT, "<sip:a@b>;expires=4294967296", RG_OK},
	{H_CONTACT, "<sip:a@b>;expires", RG_OK},
	{H_CONTACT, "<sip:a@b>;expires=", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;expires=7x", RG_OK},
	{H_CONTACT, "<sip:a@b>;EXPIRES=7", RG_OK},
	{H_CONTACT, "<sip:a@b>;expires=7;expires=7", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;expires=7;expires", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;expires=7,", RG_OK},
	{H_CONTACT, "<sip:a@" LONG_HOST ">;expires=7", RG_OK},       // 63 bytes in the brackets
	{H_CONTACT, "<sip:a@" LONG_HOST "ab;expires=7", RG_E_PROTO}, // 64 and no bracket
	{H_CONTACT, "<sip:a@b>;reg-id=1", RG_OK},
	{H_CONTACT, "<sip:a@b>;reg-id=0", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;reg-id", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;reg-id=2147483647", RG_OK},
	{H_CONTACT, "<sip:a@b>;reg-id=2147483648", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;reg-id=1;reg-id=1", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;reg-id=1;REG-ID", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;+sip.ice;ob;x", RG_OK},
	{H_CONTACT, "<sip:a@b>;+sip.ice=1;x=\"y\"", RG_OK},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"<u>\"", RG_OK},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"<u>\" ;ob", RG_OK},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"a\\\"b\"", RG_OK},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"\"", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"<u>", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"a\\;x", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"<u>\"x", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"<u>\";+sip.instance=\"<u>\"", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;+sip.instance", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;+sip.instance=x", RG_E_PROTO},
	{H_CONTACT, "<sip:a@b>;+sip.instance=\"0123456789012345678901234567890123456789\"", RG_OK},

	{H_SUPPORTED, "path", RG_OK},
	{H_SUPPORTED, "outbound,path", RG_OK},
	{H_SUPPORTED, "outbounds, paths, xpath", RG_OK},
	{H_SUPPORTED, "gruu , Outbound,,", RG_OK},
	{H_SUPPORTED, "", RG_OK},
};

#define N_CASES (sizeof(cases) / sizeof(*cases))

static const char *const names[N_HEADERS] = {"Via", "From", "Contact", "Supported"};
static const char *const usual[N_HEADERS] = {VIA, FROM, "<sip:a@b>", "x"};
static struct sip_msg msg[2];

static void put_line(struct rg_wr *w, const char *name, const char *value) {
	rg_puts(w, name);
	rg_puts(w, ": ");
	rg_puts(w, value);
	rg_puts(w, "\r\n");
}

// The header comes first or last.
static int parse(unsigned n, bool is_last, struct sip_register *r) {
	static uint8_t buf[SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	enum header h = cases[n].header;

	rg_puts(&w, "REGISTER sip:c SIP/2.0\r\n");
	if (!is_last)
		put_line(&w, names[h], cases[n].value);
	put_line(&w, "Subject", "\"quoted\"; and much more that follows, > and \" and ;expires=9;");
	put_line(&w, "To", "<sip:a@b>");
	put_line(&w, "Call-ID", "1");
	put_line(&w, "CSeq", "5 REGISTER");
	put_line(&w, "Expires", "300");
	for (unsigned i = 0; i < N_HEADERS; i++)
		if (i != h)
			put_line(&w, names[i], usual[i]);
	put_line(&w, "X-Tail", "\"0123456789012345678901234567890123456789012345678901234567890\"");
	if (is_last)
		put_line(&w, names[h], cases[n].value);
	rg_puts(&w, "\r\n");
	ck_assert_msg(sip_parse(guard_copy(rg_wr_slice(&w)), &msg[is_last]) == RG_OK, "%s",
		      cases[n].value);
	return sip_register_parse(&msg[is_last], r);
}

START_TEST(both_ways) {
	struct sip_register r[2] = {{.cseq = 0}};
	const char *text = cases[_i].value;

	for (unsigned k = 0; k < 2; k++)
		ck_assert_msg(parse((unsigned)_i, k == 1, &r[k]) == cases[_i].rc, "%s %u", text, k);
	ck_assert_msg(rg_eq(r[0].via.transport, r[1].via.transport), "%s", text);
	ck_assert_msg(rg_eq(r[0].via.host, r[1].via.host), "%s", text);
	ck_assert_msg(rg_eq(r[0].via.branch, r[1].via.branch), "%s", text);
	ck_assert_msg(rg_eq(r[0].via.params, r[1].via.params), "%s", text);
	ck_assert_msg(r[0].via.port == r[1].via.port, "%s", text);
	ck_assert_msg(rg_eq(r[0].from_uri, r[1].from_uri), "%s", text);
	ck_assert_msg(rg_eq(r[0].from_tag, r[1].from_tag), "%s", text);
	ck_assert_msg(rg_eq(r[0].contact, r[1].contact), "%s", text);
	ck_assert_msg(rg_eq(r[0].contact_uri, r[1].contact_uri), "%s", text);
	ck_assert_msg(rg_eq(r[0].contact_params, r[1].contact_params), "%s", text);
	ck_assert_msg(rg_eq(r[0].instance, r[1].instance), "%s", text);
	ck_assert_msg(r[0].n_contacts == r[1].n_contacts, "%s", text);
	ck_assert_msg(r[0].reg_id == r[1].reg_id, "%s", text);
	ck_assert_msg(r[0].expires == r[1].expires, "%s: %u, %u", text, r[0].expires, r[1].expires);
	ck_assert_msg(r[0].has_outbound == r[1].has_outbound, "%s", text);
	ck_assert_msg(r[0].has_path == r[1].has_path, "%s", text);
}
END_TEST

static const struct {
	const char *line;
	int rc;
} starts[] = {
	{"REGISTER sip:c.example SIP/2.0", RG_OK},
	{"REGISTER sip:a@c.example SIP/2.0", RG_OK},
	{"REGISTER sip:c.example;transport=ws SIP/2.0", RG_OK},
	{"REGISTER sip:c.example:5060 SIP/2.0", RG_OK},
	{"REGISTER sip:c.example sip/2.0", RG_OK},
	{"REGISTER SIP:c.example SIP/2.0", RG_OK},
	{"REGISTER tel:1 SIP/2.0", RG_OK},
	{"REGISTER sip:c.example SIP/2.0 ", RG_E_PROTO},
	{"REGISTER sip:c.example SIP/2.00", RG_E_PROTO},
	{"REGISTER sip:c.example SIP/2.1", RG_E_PROTO},
	{"REGISTER sip:c.example SIP/2.", RG_E_PROTO},
	{"REGISTER sip:c.example  SIP/2.0", RG_E_PROTO},
	{"REGISTER  sip:c.example SIP/2.0", RG_E_PROTO},
	{"REGISTER sip:c.example\tSIP/2.0", RG_E_PROTO},
	{"REGISTER sip:c.1 SIP/2.0", RG_E_PROTO},
	{"REGISTER sip:c-.example SIP/2.0", RG_E_PROTO},
	{"REGISTER sip:c.example?x=y SIP/2.0", RG_E_PROTO},
	{"REGISTER sip:@c.example SIP/2.0", RG_E_PROTO},
	{"REGISTER sip: SIP/2.0", RG_E_PROTO},
	{"REGISTER  SIP/2.0", RG_E_PROTO},
	{"REGISTER SIP/2.0", RG_E_PROTO},
	{"register sip:c.example SIP/2.0", RG_E_PROTO}, // not the method of CSeq
};

// With and without enough behind it.
START_TEST(start_line) {
	static uint8_t buf[SIP_MAX_MSG];

	for (unsigned k = 0; k < 2; k++) {
		struct rg_wr w = rg_wr(buf, sizeof(buf));

		rg_puts(&w, starts[_i].line);
		rg_puts(&w, "\r\nv:a\r\nf:a\r\nt:a\r\ni:1\r\nCSeq:5 REGISTER\r\n");
		for (unsigned i = 0; i < 5 * k; i++)
			put_line(&w, "X", "01234567890123456789012345678901234567890123456789");
		rg_puts(&w, "\r\n");
		ck_assert_msg(sip_parse(guard_copy(rg_wr_slice(&w)), &msg[k]) == starts[_i].rc,
			      "%s %u", starts[_i].line, k);
	}
	if (starts[_i].rc == RG_OK)
		ck_assert(rg_eq(msg[0].ruri, msg[1].ruri) &&
			  rg_eq(msg[0].method_name, msg[1].method_name) &&
			  msg[0].method == msg[1].method && msg[1].is_request);
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_plain");
	TCase *t = tcase_create("plain");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, both_ways, 0, N_CASES);
	tcase_add_loop_test(t, start_line, 0, sizeof(starts) / sizeof(*starts));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
