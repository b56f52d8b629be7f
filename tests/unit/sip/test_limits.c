// SPDX-License-Identifier: BSD-3-Clause
// How large a message and each part of it may be, and how a body and its Content-Length go together in a
// WebSocket message, which is whole (RFC 7118 5, RFC 3261 18.3).
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"

#define N_USUAL 6 // headers of every message here

// Every count is of what is added to a REGISTER; SIZE_MAX fills the message up to SIP_MAX_MSG.
static const struct {
	const char *name;
	size_t n_headers;                                     // of one line
	size_t n_folds;                                       // lines of one header
	size_t header_name, value, user, tag, call_id, n_via; // bytes; Vias in one header
	size_t too_long;                                      // bytes beyond SIP_MAX_MSG
	int rc;
} cases[] = {
	{.name = "nothing", .rc = RG_OK},
	{.name = "58 headers", .n_headers = SIP_MAX_HEADERS - N_USUAL, .rc = RG_OK},
	{.name = "59 headers", .n_headers = SIP_MAX_HEADERS - N_USUAL + 1, .rc = RG_E_LIMIT},
	{.name = "1000 headers", .n_headers = 1000, .rc = RG_E_LIMIT},
	{.name = "1000 folds", .n_folds = 1000, .rc = RG_OK},
	{.name = "a long name", .header_name = 4000, .rc = RG_OK},
	{.name = "a long value", .value = SIZE_MAX, .rc = RG_OK},
	{.name = "a value too long", .value = SIZE_MAX, .too_long = 1, .rc = RG_E_LIMIT},
	{.name = "a long user", .user = 4000, .rc = RG_OK},
	{.name = "a long tag", .tag = 4000, .rc = RG_OK},
	{.name = "a long Call-ID", .call_id = 4000, .rc = RG_OK},
	{.name = "200 Vias in a list", .n_via = 200, .rc = RG_OK},
	{.name = "all of it long",
	 .n_headers = SIP_MAX_HEADERS - N_USUAL - 1,
	 .header_name = 900,
	 .user = 900,
	 .tag = 900,
	 .call_id = 900,
	 .n_via = 50,
	 .rc = RG_OK},
};

static void put_n(struct rg_wr *w, size_t n, const char *text) {
	for (size_t i = 0; i < n; i++)
		rg_puts(w, text);
}

static void put_message(struct rg_wr *w, int i) {
	rg_puts(w, "REGISTER sip:c SIP/2.0\r\nVia: SIP/2.0/WSS h;branch=z9");
	put_n(w, cases[i].n_via, ",SIP/2.0/TCP i;branch=z");
	rg_puts(w, "\r\nFrom: <sip:u");
	put_n(w, cases[i].user, "u");
	rg_puts(w, "@c>;tag=t");
	put_n(w, cases[i].tag, "t");
	rg_puts(w, "\r\nTo: <sip:u@c>\r\nCall-ID: i");
	put_n(w, cases[i].call_id, "i");
	rg_puts(w, "\r\nCSeq: 1 REGISTER\r\n");
	put_n(w, cases[i].n_headers, "X: y\r\n");
	rg_puts(w, "Z");
	put_n(w, cases[i].header_name, "z");
	rg_puts(w, ": v");
	put_n(w, cases[i].n_folds, "\r\n v");
	if (cases[i].value == SIZE_MAX)
		put_n(w, SIP_MAX_MSG + cases[i].too_long - w->len - 4, "v");
	rg_puts(w, "\r\n\r\n");
}

START_TEST(limit) {
	static uint8_t buf[2 * SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	static struct sip_msg m;
	struct sip_register r;
	struct rg_slice in;

	put_message(&w, _i);
	in = guard_copy(rg_wr_slice(&w));
	ck_assert_msg(sip_parse(in, &m) == cases[_i].rc, "%s", cases[_i].name);
	if (cases[_i].rc != RG_OK) {
		ck_assert_int_eq(sip_refusal(in, &m), 400);
		return;
	}
	ck_assert_uint_eq(m.n_hdrs, N_USUAL + cases[_i].n_headers);
	ck_assert_uint_eq(m.size, in.len);
	ck_assert_int_eq(sip_register_parse(&m, &r), RG_OK);
	ck_assert_uint_eq(r.from_tag.len, 1 + cases[_i].tag);
	ck_assert_uint_eq(r.call_id.len, 1 + cases[_i].call_id);
}
END_TEST

static const struct {
	const char *name, *header, *body;
	int rc;
	const char *read;
} bodies[] = {
	{"no body, no header", "", "", RG_OK, ""},
	{"no body", "Content-Length: 0\r\n", "", RG_OK, ""},
	{"a body without the header, which is not needed", "", "abc", RG_OK, "abc"},
	{"as long as it says", "Content-Length: 3\r\n", "abc", RG_OK, "abc"},
	{"longer: the rest is not of the message", "Content-Length: 2\r\n", "abc", RG_OK, "ab"},
	{"not empty, but said to be", "l: 0\r\n", "abc", RG_OK, ""},
	{"shorter", "Content-Length: 4\r\n", "abc", RG_E_PROTO, NULL},
	{"not there", "l: 1\r\n", "", RG_E_PROTO, NULL},
	{"2^32 more", "Content-Length: 4294967299\r\n", "abc", RG_E_PROTO, NULL},
	{"2^64 more", "Content-Length: 18446744073709551619\r\n", "abc", RG_E_PROTO, NULL},
	{"negative", "Content-Length: -3\r\n", "abc", RG_E_PROTO, NULL},
	{"no number", "Content-Length: 3x\r\n", "abc", RG_E_PROTO, NULL},
	{"twice", "Content-Length: 3\r\nl: 3\r\n", "abc", RG_E_PROTO, NULL},
	{"lines and all", "l: 6\r\n", "\r\n\r\n\x01\x02", RG_OK, "\r\n\r\n\x01\x02"},
};

START_TEST(body) {
	char text[512];
	static struct sip_msg m;

	snprintf(text, sizeof(text),
		 "REGISTER sip:c SIP/2.0\r\nVia: SIP/2.0/WSS h\r\nFrom: <sip:u@c>;tag=t\r\n"
		 "To: <sip:u@c>\r\nCall-ID: i\r\nCSeq: 1 REGISTER\r\n%s\r\n%s",
		 bodies[_i].header, bodies[_i].body);
	ck_assert_msg(sip_parse(guard_str(text), &m) == bodies[_i].rc, "%s", bodies[_i].name);
	if (bodies[_i].rc == RG_OK)
		ck_assert_msg(rg_eq(m.body, rg_str(bodies[_i].read)), "%s", bodies[_i].name);
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_limits");
	TCase *t = tcase_create("limits");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, limit, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_loop_test(t, body, 0, sizeof(bodies) / sizeof(*bodies));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
