// SPDX-License-Identifier: BSD-3-Clause
// contact.c: the comparison table of RFC 3261 19.1.4, and binding keys.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "ims/contact.h"
#include "regate/err.h"

static const struct {
	const char *a, *b;
	bool is_eq;
} uris[] = {
	// RFC 3261 19.1.4, equal
	{"sip:alice@AtLanTa.CoM;Transport=tcp", "sip:alice@atlanta.com;transport=TCP", true},
	{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
	{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true},
	{"SIP:a@h.example", "sip:a@H.EXAMPLE", true},
	// and not
	{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
	{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
	{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
	{"sip:bob@biloxi.com;transport=udp", "sip:bob@biloxi.com", false},
	{"sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;newparam=6", false},
	{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
	{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
	{"sip:a@h;user=phone", "sip:a@h", false},
	{"sip:a@h;maddr=x", "sip:a@h", false},
	{"sip:a@h;ttl=1", "sip:a@h", false},
	{"sip:a@h;method=INVITE", "sip:a@h", false},
	{"sip:a@h", "sips:a@h", false},
	{"sip:a@h", "sip:a@i", false},
	// no SIP URIs: bytes
	{"tel:+1", "tel:+1", true},
	{"tel:+1", "tel:+2", false},
	{"", "sip:a@h", false},
};

START_TEST(uri_table) {
	struct rg_slice a = guard_str(uris[_i].a), b = guard_str(uris[_i].b);

	ck_assert_msg(contact_uri_eq(a, b) == uris[_i].is_eq, "%s %s", uris[_i].a, uris[_i].b);
	ck_assert_msg(contact_uri_eq(b, a) == uris[_i].is_eq, "%s %s", uris[_i].b, uris[_i].a);
}
END_TEST

START_TEST(parse) {
	struct contact c;

	ck_assert_int_eq(contact_parse(guard_str("<sip:a@x.invalid;transport=ws>;reg-id=\"1\";"
						 "+sip.instance=\"<urn:uuid:1>\";q=0.5"),
				       &c),
			 RG_OK);
	ck_assert(rg_eq(c.uri, RG_LIT("sip:a@x.invalid;transport=ws")));
	ck_assert(rg_eq(c.instance, RG_LIT("<urn:uuid:1>")));
	ck_assert_uint_eq(c.reg_id, 1);
	ck_assert_int_eq(contact_parse(guard_str("<sip:a@h>"), &c), RG_OK);
	ck_assert_uint_eq(c.instance.len, 0);
	ck_assert_uint_eq(c.reg_id, 0);
	ck_assert_int_eq(contact_parse(guard_str("<sip:a@h>;reg-id=x"), &c), RG_OK);
	ck_assert_uint_eq(c.reg_id, 0);
	c.reg_id = 7;
	ck_assert_int_eq(contact_parse(guard_str("<sip:a@h"), &c), RG_E_PROTO);
	ck_assert_int_eq(contact_parse(guard_str(""), &c), RG_E_PROTO);
	ck_assert_uint_eq(c.reg_id, 7); // untouched on failure
}
END_TEST

static struct contact parsed(const char *s) {
	struct contact c;

	ck_assert_int_eq(contact_parse(guard_str(s), &c), RG_OK);
	return c;
}

START_TEST(flows) {
	struct contact a = parsed("<sip:a@h>;reg-id=1;+sip.instance=\"<urn:1>\"");
	struct contact moved = parsed("<sip:b@h>;reg-id=1;+sip.instance=\"<urn:1>\"");
	struct contact second = parsed("<sip:b@h>;reg-id=2;+sip.instance=\"<urn:1>\"");
	struct contact other = parsed("<sip:b@h>;reg-id=1;+sip.instance=\"<urn:2>\"");
	struct contact bare = parsed("<sip:b@h>");

	ck_assert(contact_flow_eq(&a, &moved));
	ck_assert(contact_is_same(&a, &moved));
	ck_assert(!contact_flow_eq(&a, &second));
	ck_assert(!contact_flow_eq(&a, &other));
	ck_assert(!contact_is_same(&a, &other));
	ck_assert(!contact_flow_eq(&bare, &bare));  // no flow at all
	ck_assert(contact_is_same(&bare, &second)); // same URI
}
END_TEST

START_TEST(folding) {
	uint8_t buf[64];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	contact_put_line(&w, RG_LIT("a\r\n b"));
	ck_assert(rg_eq(rg_wr_slice(&w), RG_LIT("a   b")));
}
END_TEST

int main(void) {
	Suite *s = suite_create("ims_contact");
	TCase *t = tcase_create("contact");
	SRunner *r;
	int n_failed;

	tcase_add_loop_test(t, uri_table, 0, sizeof(uris) / sizeof(*uris));
	tcase_add_test(t, parse);
	tcase_add_test(t, flows);
	tcase_add_test(t, folding);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	n_failed = srunner_ntests_failed(r);
	srunner_free(r);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
