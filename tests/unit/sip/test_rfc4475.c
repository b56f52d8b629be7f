// SPDX-License-Identifier: BSD-3-Clause
// Every torture message of RFC 4475 against the verdict we mean to give, with the section and the
// reason. RFC4475_DIR is where the messages are.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"

enum verdict {
	GOOD,      // parses, and so do the addresses and Vias in it
	BAD_FRAME, // sip_parse() refuses it; the status is what it is answered, 0 = nothing
	BAD_VALUE, // it parses, but an address or a Via in it does not
};

static const struct {
	const char *file;
	enum verdict verdict;
	int status; // of BAD_FRAME
	const char *reason;
} cases[] = {
	{"wsinv", GOOD, 0, "3.1.1.1: folds, blanks and compact forms are all legal"},
	{"intmeth", GOOD, 0, "3.1.1.2: odd tokens; control characters only as quoted-pair"},
	{"esc01", GOOD, 0, "3.1.1.3: valid escapes"},
	{"escnull", GOOD, 0, "3.1.1.4: an escaped NUL is a legal URI"},
	{"esc02", GOOD, 0, "3.1.1.5: a percent sign is no escape in a token"},
	{"lwsdisp", GOOD, 0, "3.1.1.6: no blank between display name and <"},
	{"longreq", GOOD, 0, "3.1.1.7: long values within our 8 KiB"},
	{"dblreq", GOOD, 0, "3.1.1.8: Content-Length ends the message, the rest is ignored"},
	{"semiuri", GOOD, 0, "3.1.1.9: the user part may have a semicolon"},
	{"transports", GOOD, 0, "3.1.1.10: unknown transports in Via"},
	{"mpart01", GOOD, 0, "3.1.1.11: a binary body is not looked at"},
	{"unreason", GOOD, 0, "3.1.1.12: UTF-8 in the reason phrase"},
	{"noreason", GOOD, 0, "3.1.1.13: an empty reason phrase"},
	{"badinv01", BAD_VALUE, 0, "3.1.2.1: empty parameters in Via and Contact"},
	{"clerr", BAD_FRAME, 400, "3.1.2.2: Content-Length larger than the datagram"},
	{"ncl", BAD_FRAME, 400, "3.1.2.3: negative Content-Length"},
	{"scalar02", BAD_FRAME, 400, "3.1.2.4: CSeq and Max-Forwards out of range"},
	{"scalarlg", BAD_FRAME, 0, "3.1.2.5: CSeq of a response out of range: discarded"},
	{"quotbal", BAD_VALUE, 0, "3.1.2.6: the quote in To does not end"},
	{"ltgtruri", BAD_FRAME, 400, "3.1.2.7: angle brackets around the Request-URI"},
	{"lwsruri", BAD_FRAME, 400, "3.1.2.8: a blank inside the Request-URI"},
	{"lwsstart", BAD_FRAME, 400, "3.1.2.9: more than one blank in the request line"},
	{"trws", BAD_FRAME, 400, "3.1.2.10: blanks after the version"},
	{"escruri", BAD_FRAME, 400, "3.1.2.11: headers in the Request-URI"},
	{"baddate", GOOD, 0, "3.1.2.12: nothing here reads Date"},
	{"regbadct", BAD_VALUE, 0, "3.1.2.13: a question mark in a bare addr-spec"},
	{"badaspec", BAD_VALUE, 0, "3.1.2.14: blanks inside the angle brackets"},
	{"baddn", BAD_FRAME, 400, "3.1.2.15: the file ends before the empty line; see baddn_whole"},
	{"badvers", BAD_FRAME, 505, "3.1.2.16: unknown version: 505"},
	{"mismatch01", BAD_FRAME, 400, "3.1.2.17: method of CSeq differs"},
	{"mismatch02", BAD_FRAME, 400, "3.1.2.18: the same with an unknown method"},
	{"bigcode", BAD_FRAME, 0, "3.1.2.19: the status code overflows: discarded"},
	{"badbranch", GOOD, 0, "3.2.1: an empty branch is for the transaction layer"},
	{"insuf", BAD_FRAME, 400, "3.3.1: To, From and Call-ID are missing: ideally a 400"},
	{"unkscm", GOOD, 0, "3.3.2: an unknown scheme is for the application"},
	{"novelsc", GOOD, 0, "3.3.3: so is a known one that is not SIP"},
	{"unksm2", GOOD, 0, "3.3.4: and in To, From and Contact"},
	{"bext01", GOOD, 0, "3.3.5: Require is for the application"},
	{"invut", GOOD, 0, "3.3.6: Content-Type is for the application"},
	{"regaut01", GOOD, 0, "3.3.7: an unknown scheme in Authorization"},
	{"multi01", BAD_FRAME, 400, "3.3.8: headers that stand once stand twice"},
	{"mcl01", BAD_FRAME, 400, "3.3.9: two Content-Length"},
	{"bcast", GOOD, 0, "3.3.10: a broadcast address in Via"},
	{"zeromf", GOOD, 0, "3.3.11: Max-Forwards 0 is legal"},
	{"cparam01", GOOD, 0, "3.3.12: an unknown Contact parameter"},
	{"cparam02", GOOD, 0, "3.3.13: an unknown URI parameter"},
	{"regescrt", GOOD, 0, "3.3.14: headers in the Contact URI"},
	{"sdp01", GOOD, 0, "3.3.15: Accept is for the application"},
	{"inv2543", GOOD, 0, "3.4.1: RFC 2543 knew no branch and no From tag"},
};

static struct rg_slice load(const char *name) {
	static uint8_t buf[16384];
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.dat", RFC4475_DIR, name);
	f = fopen(path, "rb");
	ck_assert_msg(f != NULL, "%s", path);
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	return guard_copy(rg_slice(buf, n));
}

static bool is_address(struct rg_slice value) {
	struct sip_nameaddr n;
	struct sip_uri u;

	if (sip_nameaddr_parse(value, &n) < 0)
		return false;
	return !rg_is_prefix(n.uri, RG_LIT("sip")) || sip_uri_parse(n.uri, &u) == RG_OK;
}

static bool is_header_good(const struct sip_hdr *h) {
	struct rg_slice list = h->value, element;
	struct sip_via v;

	if (h->id == SIP_HDR_FROM || h->id == SIP_HDR_TO)
		return is_address(h->value);
	if (h->id != SIP_HDR_VIA && h->id != SIP_HDR_CONTACT)
		return true;
	while (sip_list_next(&list, &element))
		if (h->id == SIP_HDR_VIA ? sip_via_parse(element, &v) < 0 : !is_address(element))
			return false;
	return true;
}

static enum verdict judge(struct rg_slice in) {
	struct sip_msg m;

	if (sip_parse(in, &m) != RG_OK)
		return BAD_FRAME;
	for (unsigned i = 0; i < m.n_hdrs; i++)
		if (!is_header_good(&m.hdrs[i]))
			return BAD_VALUE;
	return GOOD;
}

START_TEST(verdict) {
	struct rg_slice in = load(cases[_i].file);
	static struct sip_msg m;

	ck_assert_msg(judge(in) == cases[_i].verdict, "%s, %s", cases[_i].file, cases[_i].reason);
	if (cases[_i].verdict == BAD_FRAME)
		ck_assert_msg(sip_refusal(in, &m) == cases[_i].status, "%s", cases[_i].file);
}
END_TEST

START_TEST(baddn_whole) {
	struct rg_slice cut = load("baddn");
	uint8_t buf[1024];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	rg_put(&w, cut);
	rg_put(&w, RG_LIT("\r\n"));
	ck_assert_int_eq(judge(rg_wr_slice(&w)), BAD_VALUE); // a bare comma in the display name
}
END_TEST

START_TEST(dblreq_size) {
	struct rg_slice in = load("dblreq");
	struct sip_msg m;

	ck_assert_int_eq(sip_parse(in, &m), RG_OK);
	ck_assert_uint_eq(m.body.len, 0);
	ck_assert_uint_lt(m.size, in.len);
	// on a stream the second message follows, after two CRLFs
	in = rg_skip(in, m.size);
	ck_assert_int_eq(sip_parse_stream(in, &m), RG_OK);
	ck_assert_int_eq(m.method, SIP_INVITE);
}
END_TEST

static const struct {
	const char *file;
	int rc;
} registers[] = {
	{"cparam01", RG_OK},   {"cparam02", RG_OK},
	{"dblreq", RG_OK},     {"escnull", RG_E_UNSUPPORTED}, // two Contacts
	{"regaut01", RG_OK},   {"regbadct", RG_E_PROTO},
	{"regescrt", RG_OK},   {"unksm2", RG_OK},
	{"esc02", RG_E_PROTO}, // its method only looks like REGISTER
};

START_TEST(register_view) {
	struct sip_register r;
	struct sip_msg m;

	ck_assert_int_eq(sip_parse(load(registers[_i].file), &m), RG_OK);
	ck_assert_msg(sip_register_parse(&m, &r) == registers[_i].rc, "%s", registers[_i].file);
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_rfc4475");
	TCase *t = tcase_create("rfc4475");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, verdict, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_test(t, baddn_whole);
	tcase_add_test(t, dblreq_size);
	tcase_add_loop_test(t, register_view, 0, sizeof(registers) / sizeof(*registers));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
