// SPDX-License-Identifier: BSD-3-Clause
// The torture messages of RFC 5118, IPv6, with the section and what must be found in them.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"

#define EQ(slice, text)                                                                          \
	ck_assert_msg(rg_eq(slice, rg_str(text)), "%.*s is not %s", (int)(slice).len, (slice).p, \
		      text)

#define FROM_TO "To: sip:user@example.com\r\nFrom: sip:user@example.com;tag=81x2\r\n"
#define CALL_ID "Call-ID: SSG9559905523997077@hlau_4100\r\nMax-Forwards: 70\r\n"
#define REGISTER(host)                                                       \
	"REGISTER sip:" host " SIP/2.0\r\n" FROM_TO                          \
	"Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\r\n" CALL_ID \
	"Contact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n"                 \
	"CSeq: 98176 REGISTER\r\nContent-Length: 0\r\n\r\n"
#define BYE(vias)                                                         \
	"BYE sip:user@host1.example.net SIP/2.0\r\n" vias FROM_TO CALL_ID \
	"Contact: \"Caller\" <sip:caller@[2001:db8::9:1]>\r\n"            \
	"CSeq: 321 BYE\r\nContent-Length: 0\r\n\r\n"
#define INVITE(vias, contact, sdp)                                                            \
	"INVITE sip:user@[2001:db8::10] SIP/2.0\r\n" FROM_TO vias CALL_ID "Contact: " contact \
	"\r\nCSeq: 8912 INVITE\r\n"                                                           \
	"Content-Type: application/sdp\r\n\r\n" sdp
#define OPTIONS(host)                                                              \
	"OPTIONS sip:user@" host " SIP/2.0\r\nTo: sip:user@" host "\r\n"           \
	"From: sip:user@example.com;tag=810x2\r\n"                                 \
	"Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111\r\n" CALL_ID \
	"CSeq: 689 OPTIONS\r\nContent-Length: 0\r\n\r\n"
#define VIA "Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111\r\n"
#define MAPPED                                                              \
	"Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19\r\n" \
	"Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111\r\n"
#define MIXED                                                              \
	"Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111\r\n"  \
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\r\n" \
	"Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200\r\n"
#define SDP                                                               \
	"v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\n" \
	"c=IN IP6 2001:db8::20\r\nm=audio 6000 RTP/AVP 2\r\n"             \
	"c=IN IP4 192.0.2.5\r\n"

static const struct {
	const char *name, *in;
	const char *host; // of the Request-URI; NULL: no good message, answered 400
	uint16_t port;
	const char *via[3], *received; // sent-by without port; received of the last one
	uint16_t via_port;             // of the first
	const char *contact;           // host
} cases[] = {
	{"4.1: an IPv6 reference",
	 REGISTER("[2001:db8::10]"),
	 "[2001:db8::10]",
	 0,
	 {"[2001:db8::9:1]"},
	 "",
	 0,
	 "[2001:db8::1]"},
	{"4.2: no brackets", REGISTER("2001:db8::10"), NULL, 0, {NULL}, NULL, 0, NULL},
	{"4.3: what looks like a port belongs to the address",
	 REGISTER("[2001:db8::10:5070]"),
	 "[2001:db8::10:5070]",
	 0,
	 {"[2001:db8::9:1]"},
	 "",
	 0,
	 "[2001:db8::1]"},
	{"4.4: a port",
	 REGISTER("[2001:db8::10]:5070"),
	 "[2001:db8::10]",
	 5070,
	 {"[2001:db8::9:1]"},
	 "",
	 0,
	 "[2001:db8::1]"},
	{"4.5: received in brackets",
	 BYE("Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3\r\n"),
	 "host1.example.net",
	 0,
	 {"[2001:db8::9:1]"},
	 "[2001:db8::9:255]",
	 0,
	 "[2001:db8::9:1]"},
	{"4.5: received without brackets",
	 BYE("Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3\r\n"),
	 "host1.example.net",
	 0,
	 {"[2001:db8::9:1]"},
	 "2001:db8::9:255",
	 0,
	 "[2001:db8::9:1]"},
	{"4.6: IPv6 in SDP",
	 INVITE(VIA, "\"Caller\" <sip:caller@[2001:db8::20]>", SDP),
	 "[2001:db8::10]",
	 0,
	 {"[2001:db8::20]"},
	 "",
	 0,
	 "[2001:db8::20]"},
	{"4.7: both families in headers",
	 BYE(MIXED),
	 "host1.example.net",
	 0,
	 {"[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"},
	 "192.0.2.200",
	 6050,
	 "[2001:db8::9:1]"},
	{"4.8: both families in SDP",
	 INVITE(MIXED, "<sip:caller@192.0.2.1>", SDP),
	 "[2001:db8::10]",
	 0,
	 {"[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"},
	 "192.0.2.200",
	 6050,
	 "192.0.2.1"},
	{"4.9: mapped addresses",
	 INVITE(MAPPED, "\"T. desk phone\" <sip:ted@[::ffff:192.0.2.2]>", SDP),
	 "[2001:db8::10]",
	 0,
	 {"[::ffff:192.0.2.10]", "[::ffff:192.0.2.2]"},
	 "",
	 19823,
	 "[::ffff:192.0.2.2]"},
	{"4.10: the third colon of RFC 3261's grammar is tolerated",
	 OPTIONS("[2001:db8:::192.0.2.1]"),
	 "[2001:db8:::192.0.2.1]",
	 0,
	 {"lab1.east.example.com"},
	 "",
	 0,
	 NULL},
	{"4.10: without it",
	 OPTIONS("[2001:db8::192.0.2.1]"),
	 "[2001:db8::192.0.2.1]",
	 0,
	 {"lab1.east.example.com"},
	 "",
	 0,
	 NULL},
};

static void check_vias(const struct sip_msg *m, int i) {
	const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_VIA);
	struct rg_slice received = {NULL, 0};
	struct sip_via v;

	for (unsigned n = 0; h != NULL; n++, h = sip_hdr_next(m, h)) {
		ck_assert(n < 3 && cases[i].via[n] != NULL);
		ck_assert_int_eq(sip_via_parse(h->value, &v), RG_OK);
		EQ(v.host, cases[i].via[n]);
		ck_assert_uint_eq(v.port, n == 0 ? cases[i].via_port : 0);
		sip_param(v.params, RG_LIT("received"), &received);
	}
	EQ(received, cases[i].received);
}

static void check_addresses(const struct sip_msg *m, int i) {
	const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_CONTACT);
	struct sip_nameaddr n;
	struct sip_uri u;

	ck_assert_int_eq(sip_uri_parse(m->ruri, &u), RG_OK);
	EQ(u.host, cases[i].host);
	ck_assert_uint_eq(u.port, cases[i].port);
	ck_assert_int_eq(sip_nameaddr_parse(sip_hdr_first(m, SIP_HDR_TO)->value, &n), RG_OK);
	ck_assert_int_eq(sip_uri_parse(n.uri, &u), RG_OK);
	if (h == NULL)
		return;
	ck_assert_int_eq(sip_nameaddr_parse(h->value, &n), RG_OK);
	ck_assert_int_eq(sip_uri_parse(n.uri, &u), RG_OK);
	EQ(u.host, cases[i].contact);
}

START_TEST(message) {
	struct rg_slice in = guard_str(cases[_i].in);
	static struct sip_msg m;
	struct sip_register r;
	int rc = sip_parse(in, &m);

	ck_assert_msg((rc == RG_OK) == (cases[_i].host != NULL), "%s", cases[_i].name);
	if (rc != RG_OK) {
		ck_assert_int_eq(sip_refusal(in, &m), 400);
		return;
	}
	check_vias(&m, _i);
	check_addresses(&m, _i);
	if (m.method == SIP_REGISTER)
		ck_assert_int_eq(sip_register_parse(&m, &r), RG_OK);
}
END_TEST

// The third colon is tolerated where that grammar had it, before an IPv4 address, and nowhere else.
static const struct {
	const char *host;
	bool is_good;
} references[] = {
	{"[:::192.0.2.1]", true},
	{"[1:2:3:4:5:::192.0.2.1]", true},
	{"[2001:db8:::1]", false},
	{"[2001:db8:::]", false},
	{"[2001:db8::::192.0.2.1]", false},
	{"[2001::db8:::192.0.2.1]", false},
	{"[2001:db8:::192.0.2.256]", false},
	{"[2001:db8:::192.0.2]", false},
	{"[:::]", false},
	{"[::]", true},
	{"[]", false},
	{"[fe80::1%eth0]", false},
	{"[::1", false},
	{"[1:2:3:4:5:6:7:8:9]", false},
};

START_TEST(reference) {
	uint8_t buf[64];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_uri u;

	rg_puts(&w, "sip:a@");
	rg_puts(&w, references[_i].host);
	ck_assert_msg((sip_uri_parse(guard_copy(rg_wr_slice(&w)), &u) == RG_OK) ==
			      references[_i].is_good,
		      "%s", references[_i].host);
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_rfc5118");
	TCase *t = tcase_create("rfc5118");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, message, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_loop_test(t, reference, 0, sizeof(references) / sizeof(*references));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
