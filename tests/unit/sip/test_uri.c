// SPDX-License-Identifier: BSD-3-Clause
// SIP URIs and the canonical form of an address of record.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"

#define EQ(slice, text)                                                                          \
	ck_assert_msg(rg_eq(slice, rg_str(text)), "%.*s is not %s", (int)(slice).len, (slice).p, \
		      text)

static const struct {
	const char *in, *scheme, *user, *host, *params, *headers;
	uint16_t port;
} good[] = {
	{"sip:a@b", "sip", "a", "b", "", "", 0},
	{"sip:ims.example.net", "sip", "", "ims.example.net", "", "", 0},
	{"SIPS:a@b:5061;lr", "SIPS", "a", "b", ";lr", "", 5061},
	{"sip:a:secret@b", "sip", "a", "b", "", "", 0},
	{"sip:a:@b", "sip", "a", "b", "", "", 0},
	{"sip:a@[2001:db8::1]:5062;transport=tcp", "sip", "a", "[2001:db8::1]", ";transport=tcp",
	 "", 5062},
	{"sip:[::1]", "sip", "", "[::1]", "", "", 0},
	{"sip:192.0.2.1:1", "sip", "", "192.0.2.1", "", "", 1},
	{"sip:a@b;x=y?h=v&i=", "sip", "a", "b", ";x=y", "h=v&i=", 0},
	{"sip:user;par=u%40example.net@example.com", "sip", "user;par=u%40example.net",
	 "example.com", "", "", 0},
	{"sip:sips%3Auser%40example.com@example.net", "sip", "sips%3Auser%40example.com",
	 "example.net", "", "", 0},
	{"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too."
	 "(doesn't-it)@example.com",
	 "sip", "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "example.com", "", "", 0},
	{"sip:a@b;n%61me=v%61lue", "sip", "a", "b", ";n%61me=v%61lue", "", 0},
	{"sip:%00@b", "sip", "%00", "b", "", "", 0},
	{"sip:a@b.", "sip", "a", "b.", "", "", 0},
	{"sip:a@xn--bcher-kva.example", "sip", "a", "xn--bcher-kva.example", "", "", 0},
	{"sip:a@an-eighty-character-long-host-name-that-crosses-the-first-block-of-bytes.example."
	 "net",
	 "sip", "a",
	 "an-eighty-character-long-host-name-that-crosses-the-first-block-of-bytes.example.net", "",
	 "", 0},
};

START_TEST(good_table) {
	struct sip_uri u;

	ck_assert_msg(sip_uri_parse(guard_str(good[_i].in), &u) == RG_OK, "%s", good[_i].in);
	EQ(u.scheme, good[_i].scheme);
	EQ(u.user, good[_i].user);
	EQ(u.host, good[_i].host);
	EQ(u.params, good[_i].params);
	EQ(u.headers, good[_i].headers);
	ck_assert_uint_eq(u.port, good[_i].port);
}
END_TEST

static const char *const bad[] = {
	"",
	"sip",
	"sip:",
	"sips:",
	"tel:+1",
	"sipx:a@b",
	"sip:@b",
	"sip:a@",
	"sip:a@b@c",
	"sip:a b@c",
	"sip:a@b c",
	"sip:a@b; lr",
	"sip:a@b\r\n",
	"sip: a@b",
	"<sip:a@b>",
	"sip:a@b:",
	"sip:a@b:0",
	"sip:a@b:65536",
	"sip:a@b:5060x",
	"sip:a@b:-1",
	"sip:a@b;",
	"sip:a@b;;lr",
	"sip:a@b;=x",
	"sip:a@b;x=",
	"sip:a@b;x=y=z",
	"sip:a@b?",
	"sip:a@b?h",
	"sip:a@b?=v",
	"sip:a@b?h=v&",
	"sip:a@b?h=v?i=w=",
	"sip:%zz@b",
	"sip:%4@b",
	"sip:%@b",
	"sip:a@b;x=%4",
	"sip:a\"b@c",
	"sip:a@b_c",
	"sip:a@-b",
	"sip:a@b-",
	"sip:a@b-.c",
	"sip:a@b.-c",
	"sip:a@.b",
	"sip:a@b..c",
	"sip:a@.",
	"sip:a@1.2.3",
	"sip:a@1.2.3.4.5",
	"sip:a@1.2.3.256",
	"sip:a@host.1x",
	"sip:a@[::1",
	"sip:a@[zz::1]",
	"sip:a@[1.2.3.4]",
	"sip:a@::1",
	"sip:a@an-eighty-character-long-host-name-that-crosses-the-first-block-of-byt-.example.net",
	"sip:caf\xc3\xa9@b",
};

START_TEST(bad_table) {
	struct sip_uri u = {.port = 77};

	ck_assert_msg(sip_uri_parse(guard_str(bad[_i]), &u) == RG_E_PROTO, "%s", bad[_i]);
	ck_assert_uint_eq(u.port, 77); // nothing written
}
END_TEST

static const struct {
	const char *in, *out;
} aors[] = {
	{"sip:a@b", "sip:a@b"},
	{"SIP:Alice@Example.NET:5060;transport=ws", "sip:Alice@example.net"},
	{"sips:a@B:5061;x?h=v", "sips:a@b:5061"},
	{"sip:%61lice@b", "sip:alice@b"},
	{"sip:a%2Bb@c", "sip:a+b@c"},
	{"sip:a%40b@c", "sip:a%40b@c"},
	{"sip:%c3%a9@c", "sip:%C3%A9@c"},
	{"sip:%2541@c", "sip:%2541@c"}, // not to become %41, which is A
	{"sip:a:secret@b", "sip:a@b"},
	{"sip:IMS.example.net", "sip:ims.example.net"},
	{"tel:+1", NULL},
	{"sip:a@b c", NULL},
};

START_TEST(aor_table) {
	uint8_t buf[64];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	int rc = sip_aor(guard_str(aors[_i].in), &w);

	ck_assert_msg(rc == (aors[_i].out == NULL ? RG_E_PROTO : RG_OK), "%s", aors[_i].in);
	if (rc == RG_OK)
		EQ(rg_wr_slice(&w), aors[_i].out);
}
END_TEST

START_TEST(aor_room) {
	uint8_t buf[8];
	struct rg_wr w = rg_wr(buf, 7), v = rg_wr(buf, 6);

	ck_assert_int_eq(sip_aor(guard_str("sip:a@b;x"), &w), RG_OK);
	ck_assert_int_eq(sip_aor(guard_str("sip:a@b;x"), &v), RG_E_LIMIT);
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_uri");
	TCase *t = tcase_create("uri");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, good_table, 0, sizeof(good) / sizeof(*good));
	tcase_add_loop_test(t, bad_table, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_loop_test(t, aor_table, 0, sizeof(aors) / sizeof(*aors));
	tcase_add_test(t, aor_room);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
