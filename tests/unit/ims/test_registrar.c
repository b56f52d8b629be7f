// SPDX-License-Identifier: BSD-3-Clause
// imscore/registrar.c: the stand-in core keeps the rules a real one would hold us to.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/clock.h"
#include "regate/err.h"
#include "registrar.h"

#define FLOW ";reg-id=1;+sip.instance=\"<urn:1>\""
#define AUTH                                                                               \
	"Authorization: Digest username=\"u@ims.example.net\", realm=\"ims.example.net\"," \
	" uri=\"sip:ims.example.net\", nonce=\"\", response=\"\", "                        \
	"integrity-protected=\"auth-done\"\r\n"
#define PATH "Path: <sip:l1@gw;lr;ob>\r\nRequire: path\r\n"
#define OK AUTH PATH

static struct registrar *registrar;
static struct registrar_answer answer;
static uint64_t now_ns = RG_NS_PER_S;

static void setup(void) {
	struct registrar_cfg cfg = {.domain = "ims.example.net",
				    .min_expires = 60,
				    .max_expires = 3600};

	registrar = registrar_new(&cfg);
	ck_assert_ptr_nonnull(registrar);
}

static void teardown(void) {
	registrar_free(registrar);
}

static const char *ask(const char *user, unsigned cseq, const char *lines) {
	char text[4096];
	struct sip_msg m;

	snprintf(text, sizeof(text),
		 "REGISTER sip:ims.example.net SIP/2.0\r\nVia: SIP/2.0/TCP gw;branch=z9hG4bK1\r\n"
		 "From: <sip:%s@ims.example.net>;tag=1\r\nTo: <sip:%s@ims.example.net>\r\n"
		 "Call-ID: c\r\nCSeq: %u REGISTER\r\nSupported: path, outbound\r\n%s"
		 "Content-Length: 0\r\n\r\n",
		 user, user, cseq, lines);
	ck_assert_int_eq(sip_parse(rg_str(text), &m), RG_OK);
	registrar_serve(registrar, &m, NULL, now_ns, &answer);
	ck_assert_uint_lt(answer.len, sizeof(answer.bytes));
	answer.bytes[answer.len] = '\0';
	return (const char *)answer.bytes;
}

static const struct {
	const char *user, *lines;
	unsigned status;
	const char *has;
} cases[] = {
	{"u", OK "Contact: <sip:a@b>" FLOW ";expires=600\r\n", 200,
	 "Contact: <sip:a@b>" FLOW ";expires=600\r\nRequire: outbound\r\n"
	 "Path: <sip:l1@gw;lr;ob>\r\nService-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
	 "P-Associated-URI: <sip:u@ims.example.net>\r\n"},
	{"u", OK "Contact: <sip:a@b>\r\nExpires: 700\r\n", 200,
	 "Contact: <sip:a@b>;expires=700\r\n"},
	{"u", OK "Contact: <sip:a@b>;expires=99999\r\n", 200, ";expires=3600\r\n"},
	{"u", OK "Contact: <sip:a@b>;expires=59\r\n", 423, "Min-Expires: 60\r\n"},
	{"u", OK "Contact: *\r\nExpires: 10\r\n", 400, ""},
	{"u", OK, 200, "P-Associated-URI"},
	{"u", PATH "Contact: <sip:a@b>\r\n", 401, "WWW-Authenticate: Digest "},
	{"u", PATH "Authorization: Bearer x\r\n", 401, ""},
	{"u",
	 PATH "Authorization: Digest username=\"u@d\", realm=\"ims.example.net\", "
	      "integrity-protected=\"yes\"\r\n",
	 401, ""},
	{"u",
	 PATH "Authorization: Digest username=\"u@d\", realm=\"other\", "
	      "integrity-protected=\"auth-done\"\r\n",
	 401, ""},
	{"u",
	 PATH "Authorization: Digest username=\"u\", realm=\"ims.example.net\", "
	      "integrity-protected=\"auth-done\"\r\n",
	 401, ""},
	{"u", AUTH, 420, "Unsupported: path\r\n"},
	{"u", AUTH "Path: <sip:l1@gw;lr>\r\n", 420, ""},
	{"short1", OK "Contact: <sip:a@b>;expires=1199\r\n", 423, "Min-Expires: 1200\r\n"},
	{"short1", OK "Contact: <sip:a@b>;expires=1200\r\n", 200, ""},
	{"short1", OK "Contact: <sip:a@b>;expires=0\r\n", 200, ""},
	{"busy1", OK, 503, "Retry-After: "},
	{"deny1", OK, 403, ""},
	{"gone1", OK, 404, ""},
	{"tna1", OK, 401, ""},
	{"mute1", OK, 0, ""},
	{"less1", OK "Contact: <sip:a@b>;expires=600\r\n", 200, ";expires=300\r\n"},
	{"more1", OK "Contact: <sip:a@b>;expires=600\r\n", 200, ";expires=7200\r\n"},
	{"alien1", OK "Contact: <sip:a@b>;expires=600\r\n", 200,
	 "Contact: <sip:alien@198.51.100.66:5060>;expires=7200\r\n"},
};

START_TEST(table) {
	const char *text = ask(cases[_i].user, 1, cases[_i].lines);

	ck_assert_msg(answer.status == cases[_i].status, "%u: %s", cases[_i].status, text);
	ck_assert_msg(strstr(text, cases[_i].has) != NULL, "no %s in %s", cases[_i].has, text);
}
END_TEST

START_TEST(order) {
	ask("u", 5, OK "Contact: <sip:a@b>\r\n");
	ask("u", 4, OK "Contact: <sip:a@b>\r\n");
	ck_assert_uint_eq(answer.status, 500);
	ask("u", 5, OK "Contact: <sip:a@b>\r\n");
	ck_assert_uint_eq(answer.status, 200);
	ask("u", 6, OK "Contact: <sip:a@b>\r\n");
	ck_assert_uint_eq(answer.status, 200);
	ck_assert_uint_eq(registrar_get_stats(registrar)->n_bindings, 1);
	ck_assert_uint_eq(registrar_get_stats(registrar)->retransmits, 1);
}
END_TEST

START_TEST(ends) {
	const char *text;

	ask("u", 1, OK "Contact: <sip:a@b>;expires=60\r\n");
	ask("u", 2, OK "Contact: <sip:c@d>;expires=600, <sip:a@b>;expires=0\r\n");
	text = ask("u", 3, OK);
	ck_assert_ptr_null(strstr(text, "<sip:a@b>"));
	ck_assert_ptr_nonnull(strstr(text, "<sip:c@d>"));
	now_ns += 600 * RG_NS_PER_S;
	ck_assert_ptr_null(strstr(ask("u", 4, OK), "Contact:"));
	ask("u", 5, OK "Contact: <sip:c@d>;expires=600\r\n");
	ck_assert_ptr_null(strstr(ask("u", 6, OK "Contact: *\r\nExpires: 0\r\n"), "Contact:"));
	ck_assert_uint_eq(registrar_get_stats(registrar)->n_bindings, 0);
}
END_TEST

START_TEST(flows) { // RFC 5626 6: a new URI of the same flow takes the old one's place
	const char *text;

	ask("u", 1, OK "Contact: <sip:a@b>" FLOW "\r\n");
	text = ask("u", 2, OK "Contact: <sip:c@d>" FLOW "\r\n");
	ck_assert_ptr_null(strstr(text, "<sip:a@b>"));
	ck_assert_uint_eq(registrar_get_stats(registrar)->n_bindings, 1);
	// without ob in the Path a reg-id means nothing
	ask("u", 3, AUTH "Path: <sip:l1@gw;lr>\r\nRequire: path\r\nContact: <sip:e@f>" FLOW "\r\n");
	ck_assert_uint_eq(registrar_get_stats(registrar)->n_bindings, 2);
}
END_TEST

START_TEST(lost_and_slow) {
	ask("lost2001", 1, OK "Contact: <sip:a@b>\r\n");
	ck_assert_uint_eq(answer.status, 0);
	ck_assert_uint_eq(registrar_get_stats(registrar)->n_bindings, 1); // registered all the same
	ask("lost2001", 1, OK "Contact: <sip:a@b>\r\n");
	ck_assert_uint_eq(answer.status, 200);
	ask("slow1", 1, OK "Contact: <sip:a@b>\r\n");
	ck_assert_uint_eq(answer.delay_ns, 2 * RG_NS_PER_S);
}
END_TEST

START_TEST(alien_can_be_removed) {
	ask("alien1", 1, OK "Contact: <sip:a@b>\r\n");
	ck_assert_ptr_null(strstr(ask("alien1", 2,
				      OK "Contact: <sip:a@b>\r\n"
					 "Contact: <sip:alien@198.51.100.66:5060>;expires=0\r\n"),
				  "alien@"));
	ck_assert_ptr_null(strstr(ask("alien1", 3, OK "Contact: <sip:a@b>\r\n"), "alien@"));
}
END_TEST

int main(void) {
	Suite *s = suite_create("imscore_registrar");
	TCase *t = tcase_create("registrar");
	SRunner *r;
	int n_failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, table, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_test(t, order);
	tcase_add_test(t, ends);
	tcase_add_test(t, flows);
	tcase_add_test(t, lost_and_slow);
	tcase_add_test(t, alien_can_be_removed);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	n_failed = srunner_ntests_failed(r);
	srunner_free(r);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
