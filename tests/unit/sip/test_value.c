// SPDX-License-Identifier: BSD-3-Clause
// Lists, parameters, name-addr, Via, CSeq and numbers.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "sip/value.h"

#define EQ(slice, text)                                                                          \
	ck_assert_msg(rg_eq(slice, rg_str(text)), "%.*s is not %s", (int)(slice).len, (slice).p, \
		      text)

static const struct {
	const char *list;
	const char *elements[4];
} lists[] = {
	{"", {NULL}},
	{"  ", {NULL}},
	{"a", {"a"}},
	{"a,b", {"a", "b"}},
	{" a ,\r\n b\t", {"a", "b"}},
	{"<sip:a,b@c>;x=1,\"d,\\\"e\" <sip:f>", {"<sip:a,b@c>;x=1", "\"d,\\\"e\" <sip:f>"}},
	{"a,,b", {"a", "", "b"}},
	{",a", {"", "a"}},
	{"\"open, b", {"\"open, b"}}, // the quote never ends: one element, refused later
	{"<sip:open, b", {"<sip:open, b"}},
	{"\"a\\", {"\"a\\"}},
	{"path, outbound, gruu", {"path", "outbound", "gruu"}},
};

START_TEST(list_table) {
	struct rg_slice list = guard_str(lists[_i].list), e;
	unsigned n = 0;

	for (; sip_list_next(&list, &e); n++) {
		ck_assert_msg(n < 4 && lists[_i].elements[n] != NULL, "%s", lists[_i].list);
		EQ(e, lists[_i].elements[n]);
	}
	ck_assert_msg(n == 4 || lists[_i].elements[n] == NULL, "%s", lists[_i].list);
}
END_TEST

static const struct {
	const char *params, *name;
	bool is_there;
	const char *value;
} params[] = {
	{";a=1;b=2", "a", true, "1"},
	{";a=1;b=2", "B", true, "2"},
	{";a=1;b=2", "c", false, ""},
	{";lr", "lr", true, ""},
	{"  ;  tag\r\n = \t 98asjd8  ", "tag", true, "98asjd8"},
	{";x=\"a;tag=2\";tag=3", "tag", true, "3"},
	{";x=\"a\\\";tag=2\";tag=3", "tag", true, "3"},
	{";q=\"v\"", "q", true, "\"v\""},
	{";received=2001:db8::1;rport=5", "received", true, "2001:db8::1"},
	{";transport=ws;lr", "transport", true, "ws"},
	{";;tag=1", "tag", false, ""},   // an empty parameter ends the look
	{";a=;tag=1", "tag", false, ""}, // so does an empty value
	{";x=\"open;tag=1", "tag", false, ""},
	{";x=\"a\\\r\n b\";tag=1", "tag", false, ""}, // no CR in a quoted-pair
	{";x=\"a\\\n\";tag=1", "tag", false, ""},     // nor LF
	{";x=\"a\r\n b\";tag=1", "tag", true, "1"},   // but a fold
	{";x=a/b;tag=1", "tag", false, ""},           // no token: "/", nor are these
	{";x=a&b;tag=1", "tag", false, ""},
	{";x=a$b;tag=1", "tag", false, ""},
	{";x=(a);tag=1", "tag", false, ""},
	{";x=-.!%*_+`'~;tag=1", "tag", true, "1"},
	{"tag=1", "tag", false, ""},
	{"", "tag", false, ""},
	{";tagg=1;ta=2", "tag", false, ""},
};

START_TEST(param_table) {
	struct rg_slice v = {NULL, 0};

	ck_assert_msg(sip_param(guard_str(params[_i].params), rg_str(params[_i].name), &v) ==
			      params[_i].is_there,
		      "%s", params[_i].params);
	EQ(v, params[_i].value);
}
END_TEST

static const struct {
	const char *in;
	int rc;
	const char *display, *uri, *params;
} nameaddrs[] = {
	{"<sip:a@b>", RG_OK, "", "sip:a@b", ""},
	{" <sip:a@b> ;tag=1 ", RG_OK, "", "sip:a@b", " ;tag=1"},
	{"sip:a@b", RG_OK, "", "sip:a@b", ""},
	{"sip:a@b;tag=1", RG_OK, "", "sip:a@b", ";tag=1"},
	{"sip:+1650@b;user=phone", RG_OK, "", "sip:+1650@b", ";user=phone"},
	{"Alice <sip:a@b>", RG_OK, "Alice", "sip:a@b", ""},
	{"A. B\r\n C <sip:a@b>", RG_OK, "A. B\r\n C", "sip:a@b", ""},
	{"caller<sip:a@b>;tag=3", RG_OK, "caller", "sip:a@b", ";tag=3"},
	{"\"J \\\\\\\"\"       <sip:a@b>\r\n  ;\r\n  tag = 98", RG_OK, "\"J \\\\\\\"\"", "sip:a@b",
	 "\r\n  ;\r\n  tag = 98"},
	{"\"\" <sip:a@b>", RG_OK, "\"\"", "sip:a@b", ""},
	{"\"\x01\" <sip:a@b>", RG_OK, "\"\x01\"", "sip:a@b", ""}, // the message scan refuses it
	{"<sip:a@b;lr?x=y>", RG_OK, "", "sip:a@b;lr?x=y", ""},
	{"<http://www.example.com>;tag=3", RG_OK, "", "http://www.example.com", ";tag=3"},
	{"isbn:2983792873", RG_OK, "", "isbn:2983792873", ""},
	{"<tel:+1-201>;x", RG_OK, "", "tel:+1-201", ";x"},
	{"", RG_E_PROTO, "", "", ""},
	{"<>", RG_E_PROTO, "", "", ""},
	{"<sip:a@b", RG_E_PROTO, "", "", ""},
	{"<sip:a@b>x", RG_E_PROTO, "", "", ""},
	{"<sip:a@b>;", RG_E_PROTO, "", "", ""},
	{"<sip:a@b>;;", RG_E_PROTO, "", "", ""},
	{"< sip:a@b >", RG_E_PROTO, "", "", ""},
	{"<sip:a b@c>", RG_E_PROTO, "", "", ""},
	{"<<sip:a@b>>", RG_E_PROTO, "", "", ""},
	{"<noscheme>", RG_E_PROTO, "", "", ""},
	{"<:empty>", RG_E_PROTO, "", "", ""},
	{"<1x:y>", RG_E_PROTO, "", "", ""},
	{"<sip:>", RG_E_PROTO, "", "", ""},
	{"\"open <sip:a@b>", RG_E_PROTO, "", "", ""},
	{"\"a\" sip:a@b", RG_E_PROTO, "", "", ""},
	{"\"a\"", RG_E_PROTO, "", "", ""},
	{"Bell, A <sip:a@b>", RG_E_PROTO, "", "", ""},
	{"sip:a@b?x=y", RG_E_PROTO, "", "", ""},
	{"sip:a@b,sip:c", RG_E_PROTO, "", "", ""},
	{"*", RG_E_PROTO, "", "", ""},
};

START_TEST(nameaddr_table) {
	struct sip_nameaddr n = {.display = {NULL, 0}};

	ck_assert_msg(sip_nameaddr_parse(guard_str(nameaddrs[_i].in), &n) == nameaddrs[_i].rc, "%s",
		      nameaddrs[_i].in);
	EQ(n.display, nameaddrs[_i].display);
	EQ(n.uri, nameaddrs[_i].uri);
	EQ(n.params, nameaddrs[_i].params);
}
END_TEST

static const struct {
	const char *in;
	int rc;
	const char *transport, *host, *branch;
	uint16_t port;
} vias[] = {
	{"SIP/2.0/WSS 4ej.invalid;branch=z9hG4bK28", RG_OK, "WSS", "4ej.invalid", "z9hG4bK28", 0},
	{"SIP/2.0/UDP 192.0.2.1:5060", RG_OK, "UDP", "192.0.2.1", "", 5060},
	{"SIP/2.0/TCP [2001:db8::1]:5061;rport;branch=a", RG_OK, "TCP", "[2001:db8::1]", "a", 5061},
	{"SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390", RG_OK, "UDP", "192.0.2.2", "390", 0},
	{"SIP / 2.0 / TCP   spindle.example.com   ;\r\n  branch  =   z9", RG_OK, "TCP",
	 "spindle.example.com", "z9", 0},
	{"SIP/2.0/UDP h : 5 ;x", RG_OK, "UDP", "h", "", 5},
	{"SIP/2.0/ WSS h;branch=1", RG_OK, "WSS", "h", "1", 0},
	{"SIP/2.0/\r\n\tWSS h;branch=1", RG_OK, "WSS", "h", "1", 0},
	{"SIP/2.0/UNKNOWN t4.example.com;BRANCH=1", RG_OK, "UNKNOWN", "t4.example.com", "1", 0},
	{"sip/2.0/udp h", RG_OK, "udp", "h", "", 0},
	{"", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP ", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0 h", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/ h", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP 192.0.2.15;;,;,,", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP h:", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP h:0", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP h:65536", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP h:5x", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP h;branch=1;branch=2", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP h;branch", RG_E_PROTO, "", "", "", 0},
	{"SIP/2.0/UDP a b", RG_E_PROTO, "", "", "", 0},
};

START_TEST(via_table) {
	struct sip_via v = {.port = 0};

	ck_assert_msg(sip_via_parse(guard_str(vias[_i].in), &v) == vias[_i].rc, "%s", vias[_i].in);
	EQ(v.transport, vias[_i].transport);
	EQ(v.host, vias[_i].host);
	EQ(v.branch, vias[_i].branch);
	ck_assert_uint_eq(v.port, vias[_i].port);
}
END_TEST

static const struct {
	const char *in;
	int rc;
	uint32_t number;
	const char *method;
} cseqs[] = {
	{"1 REGISTER", RG_OK, 1, "REGISTER"},
	{"0009\r\n  INVITE", RG_OK, 9, "INVITE"},
	{"0 X", RG_OK, 0, "X"},
	{"2147483647 A", RG_OK, 2147483647, "A"}, // RFC 3261 8.1.1.5: below 2^31
	{"2147483648 A", RG_E_PROTO, 0, ""},
	{"36893488147419103232 A", RG_E_PROTO, 0, ""},
	{"1REGISTER", RG_E_PROTO, 0, ""},
	{"REGISTER", RG_E_PROTO, 0, ""},
	{"-1 A", RG_E_PROTO, 0, ""},
	{"1", RG_E_PROTO, 0, ""},
	{"1 ", RG_E_PROTO, 0, ""},
	{"1 A B", RG_E_PROTO, 0, ""},
	{"", RG_E_PROTO, 0, ""},
};

START_TEST(cseq_table) {
	struct rg_slice method = {NULL, 0};
	uint32_t number = 0;

	ck_assert_msg(sip_cseq_parse(guard_str(cseqs[_i].in), &number, &method) == cseqs[_i].rc,
		      "%s", cseqs[_i].in);
	ck_assert_uint_eq(number, cseqs[_i].number);
	EQ(method, cseqs[_i].method);
}
END_TEST

START_TEST(seconds) {
	uint32_t v = 7;

	ck_assert(sip_seconds(guard_str("0600"), &v) && v == 600);
	ck_assert(sip_seconds(guard_str("4294967295"), &v) && v == UINT32_MAX);
	ck_assert(sip_seconds(guard_str("4294967296"), &v) && v == UINT32_MAX);
	ck_assert(sip_seconds(guard_str("99999999999999999999999999999999999"), &v));
	ck_assert_uint_eq(v, UINT32_MAX);
	ck_assert(!sip_seconds(guard_str(""), &v));
	ck_assert(!sip_seconds(guard_str("1x"), &v));
	ck_assert(!sip_seconds(guard_str("-1"), &v));
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, sizeof(table) / sizeof(*(table)))

int main(void) {
	Suite *s = suite_create("sip_value");
	TCase *t = tcase_create("value");
	SRunner *r = srunner_create(s);
	int failed;

	LOOP(list_table, lists);
	LOOP(param_table, params);
	LOOP(nameaddr_table, nameaddrs);
	LOOP(via_table, vias);
	LOOP(cseq_table, cseqs);
	tcase_add_test(t, seconds);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
