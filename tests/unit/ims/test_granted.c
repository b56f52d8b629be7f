// SPDX-License-Identifier: BSD-3-Clause
// granted.c: what the core's 200 says of our Contact and of others, and the lines for the client.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "ims/message.h"
#include "regate/err.h"

#define OURS "<sip:a@x.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:1>\""

static struct sip_msg parsed(const char *lines) {
	static char text[SIP_MAX_MSG];
	struct sip_msg m;

	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP gw;branch=z9hG4bK1\r\n"
		 "From: <sip:u@d>;tag=1\r\nTo: <sip:u@d>;tag=2\r\nCall-ID: c\r\n"
		 "CSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n",
		 lines);
	ck_assert_int_eq(sip_parse(guard_str(text), &m), RG_OK);
	return m;
}

static const struct {
	const char *name, *lines;
	bool is_bound;
	uint32_t expires;
	unsigned n_foreign;
} cases[] = {
	{"parameter", "Contact: " OURS ";expires=540\r\nExpires: 9\r\n", true, 540, 0},
	{"header", "Contact: " OURS "\r\nExpires: 77\r\n", true, 77, 0},
	{"as requested", "Contact: " OURS "\r\n", true, 3600, 0},
	{"quoted", "Contact: " OURS ";expires=\"540\"\r\n", true, 540, 0},
	{"beyond 32 bits", "Contact: " OURS ";expires=99999999999\r\n", true, UINT32_MAX, 0},
	{"unreadable", "Contact: " OURS ";expires=x\r\nExpires: 77\r\n", true, 77, 0},
	{"none", "", false, 0, 0},
	{"ended", "Contact: " OURS ";expires=0\r\n", false, 0, 0},
	{"quoted reg-id (ims.md 0.5)",
	 "Contact: <sip:a@x.invalid;transport=ws>;expires=540;+sip.instance=\"<urn:1>\";"
	 "reg-id=\"1\"\r\n",
	 true, 540, 0},
	{"by URI alone", "Contact: <sip:a@X.invalid;transport=WS>;expires=10\r\n", true, 10, 0},
	{"by flow alone",
	 "Contact: <sip:z@y.invalid>;reg-id=1;+sip.instance=\"<urn:1>\";expires=10\r\n", true, 10,
	 0},
	{"foreign only", "Contact: <sip:z@y.invalid>;expires=10\r\n", false, 0, 1},
	{"in one line with another",
	 "Contact: <sip:z@y.invalid>;expires=10, " OURS ";expires=20\r\n", true, 20, 1},
	{"in two lines", "Contact: " OURS ";expires=20\r\nContact: <sip:z@y.invalid>\r\n", true, 20,
	 1},
	{"compact", "m: " OURS ";expires=20\r\n", true, 20, 0},
	{"same flow twice, ours by URI",
	 "Contact: <sip:z@y.invalid>;reg-id=1;+sip.instance=\"<urn:1>\";expires=10\r\n"
	 "Contact: " OURS ";expires=20\r\n",
	 true, 20, 1},
	{"unreadable contacts are skipped", "Contact: <sip:, " OURS ";expires=20\r\n", false, 0, 0},
};

START_TEST(contacts) {
	struct sip_msg m = parsed(cases[_i].lines);
	struct message_granted g;
	struct contact ours;

	ck_assert_int_eq(contact_parse(RG_LIT(OURS), &ours), RG_OK);
	message_parse_granted(&m, &ours, 3600, &g);
	ck_assert_msg(g.is_bound == cases[_i].is_bound, "%s", cases[_i].name);
	ck_assert_msg(g.n_foreign == cases[_i].n_foreign, "%s: %u", cases[_i].name, g.n_foreign);
	if (g.is_bound)
		ck_assert_msg(g.expires == cases[_i].expires, "%s: %u", cases[_i].name, g.expires);
}
END_TEST

START_TEST(many_foreign) {
	struct sip_msg m = parsed("Contact: <sip:1@x>, <sip:2@x>, <sip:3@x>, <sip:4@x>, <sip:5@x>, "
				  "<sip:6@x>\r\n");
	struct contact none = {0};
	struct message_granted g;

	message_parse_granted(&m, &none, 60, &g);
	ck_assert(!g.is_bound);
	ck_assert_uint_eq(g.n_foreign, MESSAGE_MAX_REMOVED);
}
END_TEST

static const struct {
	const char *name, *lines;
	bool has_ob;
	const char *want;
} lines[] = {
	{"all of it",
	 "Service-Route: <sip:orig@s1;lr>, <sip:s2;lr>\r\nService-Route: <sip:s3;lr>\r\n"
	 "P-Associated-URI: <sip:u@d>\r\nPath: <sip:h@gw;lr;ob>\r\n"
	 "P-Charging-Function-Addresses: ccf=192.0.2.20\r\nServer: x\r\n",
	 true,
	 "Service-Route: <sip:orig@s1;lr>, <sip:s2;lr>\r\nService-Route: <sip:s3;lr>\r\n"
	 "P-Associated-URI: <sip:u@d>\r\nPath: <sip:h@gw;lr;ob>\r\n"
	 "Supported: path, outbound\r\nRequire: outbound\r\n"},
	{"no Path from the core", "", false, "Path: <own>\r\nSupported: path, outbound\r\n"},
	{"the core says outbound", "Require: gruu , Outbound\r\n", false,
	 "Path: <own>\r\nSupported: path, outbound\r\nRequire: outbound\r\n"},
	{"folded", "Service-Route: <sip:a;lr>,\r\n <sip:b;lr>\r\n", false,
	 "Service-Route: <sip:a;lr>,   <sip:b;lr>\r\nPath: <own>\r\nSupported: path, outbound\r\n"},
};

START_TEST(client_lines) {
	struct sip_msg m = parsed(lines[_i].lines);
	char buf[1024];
	struct rg_wr w = rg_wr(buf, sizeof(buf) - 1);

	message_put_client_lines(&w, &m, RG_LIT("<own>"), lines[_i].has_ob);
	buf[w.len] = '\0';
	ck_assert_str_eq(buf, lines[_i].want);
}
END_TEST

START_TEST(seconds) {
	struct sip_msg m = parsed("Min-Expires: 1200\r\nRetry-After: 5 (busy);duration=60\r\n");
	uint32_t s;

	ck_assert(message_seconds(&m, SIP_HDR_MIN_EXPIRES, &s) && s == 1200);
	ck_assert(message_seconds(&m, SIP_HDR_RETRY_AFTER, &s) && s == 5);
	m = parsed("Retry-After: soon\r\n");
	ck_assert(!message_seconds(&m, SIP_HDR_MIN_EXPIRES, &s));
	ck_assert(!message_seconds(&m, SIP_HDR_RETRY_AFTER, &s));
}
END_TEST

START_TEST(other_ids) {
	struct sip_msg m = parsed("P-Associated-URI: <sip:u@D>, <tel:+15550100>\r\n");

	ck_assert_uint_eq(message_count_other_ids(&m, "sip:u@d"), 0);
	m = parsed("P-Associated-URI: <sip:u@d>, <sip:other@d>\r\n");
	ck_assert_uint_eq(message_count_other_ids(&m, "sip:u@d"), 1);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ims_granted");
	TCase *t = tcase_create("granted");
	SRunner *r;
	int n_failed;

	tcase_add_loop_test(t, contacts, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_test(t, many_foreign);
	tcase_add_loop_test(t, client_lines, 0, sizeof(lines) / sizeof(*lines));
	tcase_add_test(t, seconds);
	tcase_add_test(t, other_ids);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	n_failed = srunner_ntests_failed(r);
	srunner_free(r);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
