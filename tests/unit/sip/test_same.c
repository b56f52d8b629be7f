// SPDX-License-Identifier: BSD-3-Clause
// One REGISTER in many forms: compact names, any case, folds, blanks, lists or headers of their own,
// quotes and escapes. The view of a registrar is always the same.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"

#define EQ(slice, text)                                                                          \
	ck_assert_msg(rg_eq(slice, rg_str(text)), "%.*s is not %s", (int)(slice).len, (slice).p, \
		      text)

#define BINDING "<sip:u@h.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:x>\";expires=600"

enum header {
	VIA,
	FROM,
	TO,
	CALL_ID,
	CSEQ,
	MAX,
	CONTACT,
	EXPIRES,
	AUTH,
	SUPPORTED,
	LENGTH,
	N_HEADERS
};

static const char *const usual[N_HEADERS] = {
	[VIA] = "Via: SIP/2.0/WSS h.invalid;branch=z9hG4bK77;rport",
	[FROM] = "From: \"A, \\\"B\\\"\" <sip:a@c.example;x=y>;tag=f1",
	[TO] = "To: <sip:a@c.example>",
	[CALL_ID] = "Call-ID: id@h.invalid",
	[CSEQ] = "CSeq: 42 REGISTER",
	[MAX] = "Max-Forwards: 70",
	[CONTACT] = ("Contact: " BINDING),
	[EXPIRES] = "Expires: 600",
	[AUTH] = "Authorization: Bearer abc.def",
	[SUPPORTED] = "Supported: path, outbound",
	[LENGTH] = "Content-Length: 0",
};

static const struct {
	const char *name;
	enum header header;
	const char *lines; // without the last line's end
} forms[] = {
	{"as it is", VIA, "Via: SIP/2.0/WSS h.invalid;branch=z9hG4bK77;rport"},
	// RFC 3261 7.3.3
	{"compact Via", VIA, "v: SIP/2.0/WSS h.invalid;branch=z9hG4bK77;rport"},
	{"compact From", FROM, "f: <sip:a@c.example;x=y>;tag=f1"},
	{"compact To", TO, "t: <sip:a@c.example>"},
	{"compact Call-ID", CALL_ID, "i: id@h.invalid"},
	{"compact Contact", CONTACT, "m: " BINDING},
	{"compact Supported", SUPPORTED, "k: path, outbound"},
	{"compact Content-Length", LENGTH, "l: 0"},
	{"compact, upper case", CONTACT, "M: " BINDING},
	// 7.3.1: names of headers and parameters have no case
	{"VIA", VIA, "VIA: sip/2.0/WSS h.invalid;BRANCH=z9hG4bK77;RPORT"},
	{"fROM", FROM, "fROM: <sip:a@c.example;x=y>;TAG=f1"},
	{"to", TO, "to: <sip:a@c.example>"},
	{"CALL-id", CALL_ID, "CALL-id: id@h.invalid"},
	{"cseq", CSEQ, "cseq: 42 REGISTER"},
	{"MAX-FORWARDS", MAX, "MAX-FORWARDS: 70"},
	{"CONTACT", CONTACT,
	 "CONTACT: <sip:u@h.invalid;transport=ws>;REG-ID=1;+SIP.INSTANCE=\"<urn:x>\";EXPIRES=600"},
	{"expires", EXPIRES, "expires: 600"},
	{"AUTHORIZATION", AUTH, "AUTHORIZATION: BEARER abc.def"},
	{"SUPPORTED", SUPPORTED, "SUPPORTED: PATH, Outbound"},
	{"CONTENT-LENGTH", LENGTH, "CONTENT-LENGTH: 0"},
	// 7.3.1: folds, and blanks wherever the grammar has LWS or SWS
	{"folded Via", VIA,
	 "Via\t:\r\n SIP / 2.0\r\n /\tWSS\r\n\th.invalid ;\r\n branch\r\n = z9hG4bK77 ; rport"},
	{"folded From", FROM,
	 "From :\r\n\t\"A,\r\n B\"\r\n <sip:a@c.example;x=y>\r\n ;\r\n tag\r\n =\r\n f1\r\n "},
	{"folded To", TO, "To:\r\n   <sip:a@c.example>  "},
	{"folded Call-ID", CALL_ID, "Call-ID:\r\n\t id@h.invalid\t"},
	{"folded CSeq", CSEQ, "CSeq: \r\n 42\r\n\tREGISTER \r\n "},
	{"folded Max-Forwards", MAX, "Max-Forwards:\r\n 70"},
	{"folded Contact", CONTACT,
	 "Contact:\r\n <sip:u@h.invalid;transport=ws>\r\n ; reg-id = 1\r\n\t;\r\n +sip.instance "
	 "=\r\n"
	 " \"<urn:x>\" ; expires\t=\t600"},
	{"folded Expires", EXPIRES, "Expires:\r\n\t600"},
	{"folded Authorization", AUTH, "Authorization:\r\n Bearer\r\n\tabc.def"},
	{"folded Supported", SUPPORTED, "Supported: path\r\n ,\r\n outbound"},
	{"folded Content-Length", LENGTH, "Content-Length:\r\n 0"},
	// 7.3.1: a list, or headers of their own
	{"Vias in a list", VIA,
	 "Via: SIP/2.0/WSS h.invalid;branch=z9hG4bK77;rport , SIP/2.0/TCP i;branch=z1"},
	{"Vias apart", VIA,
	 "Via: SIP/2.0/WSS h.invalid;branch=z9hG4bK77;rport\r\nv: SIP/2.0/TCP i;branch=z1"},
	{"Supported apart", SUPPORTED, "Supported: path\r\nk: outbound"},
	{"Supported, apart and together", SUPPORTED,
	 "Supported:\r\nk: gruu,path\r\nSupported: a,outbound"},
	{"two Authorization", AUTH,
	 "Authorization: Digest username=\"Bearer x\", uri=\"sip:c\"\r\nAuthorization: Bearer "
	 "abc.def"},
	// 25.1: quoted-string, display-name, token
	{"no display name", FROM, "From: <sip:a@c.example;x=y>;tag=f1"},
	{"tokens as display name", FROM, "From: A. B C<sip:a@c.example;x=y>;tag=f1"},
	{"an empty one", FROM, "From: \"\"<sip:a@c.example;x=y>;tag=f1"},
	{"separators in quotes", FROM,
	 "From: \"<sip:x@y>;tag=z, \\\\\" <sip:a@c.example;x=y>;tag=f1"},
	{"UTF-8", FROM, "From: \"\xd0\x90\" <sip:a@c.example;x=y>;tag=f1"},
	{"an escaped control character", FROM, "From: \"\\\x01\" <sip:a@c.example;x=y>;tag=f1"},
	{"a quoted parameter first", FROM, "From: <sip:a@c.example;x=y>;q=\"a;tag=\\\"z\";tag=f1"},
	{"a bare addr-spec", TO, "To: sip:a@c.example"},
	{"a token in its parameter", AUTH,
	 "Authorization: Bearer access_token = \"abc.def\" , scope=\"a,b\""},
	{"a display name with separators", CONTACT, "Contact: \"a, <b>;expires=9\" " BINDING},
	// numbers
	{"zeros in front", CSEQ, "CSeq: 00000000000042 REGISTER"},
	{"zeros in front of expires", CONTACT,
	 "Contact: "
	 "<sip:u@h.invalid;transport=ws>;reg-id=01;+sip.instance=\"<urn:x>\";expires="
	 "0000000000600"},
	{"no Content-Length", LENGTH, "X: y"}, // RFC 7118 5
	{"no Max-Forwards", MAX, "X: y"},
	{"no Expires but the parameter", EXPIRES, "X: y"},
};

static void check_view(const struct sip_register *r, const char *name) {
	EQ(r->via.transport, "WSS");
	EQ(r->via.host, "h.invalid");
	EQ(r->via.branch, "z9hG4bK77");
	EQ(r->from_uri, "sip:a@c.example;x=y");
	EQ(r->from_tag, "f1");
	EQ(r->to_uri, "sip:a@c.example");
	EQ(r->to_tag, "");
	EQ(r->call_id, "id@h.invalid");
	EQ(r->contact_uri, "sip:u@h.invalid;transport=ws");
	EQ(r->instance, "\"<urn:x>\"");
	EQ(r->bearer, "abc.def");
	ck_assert_msg(r->cseq == 42 && r->n_contacts == 1 && r->reg_id == 1 && r->has_expires &&
			      r->expires == 600 && r->n_bearer == 1 && r->has_path &&
			      r->has_outbound && !r->is_star,
		      "%s", name);
}

// Much follows the header, so that the quick forms are tried; or nothing does.
START_TEST(same) {
	uint8_t buf[2048];
	static struct sip_msg m;
	struct sip_register r;

	for (int is_last = 0; is_last < 2; is_last++) {
		struct rg_wr w = rg_wr(buf, sizeof(buf));

		rg_puts(&w, "REGISTER sip:c.example SIP/2.0\r\n");
		for (enum header i = 0; i < N_HEADERS; i++) {
			if (i == forms[_i].header && is_last)
				continue;
			rg_puts(&w, i == forms[_i].header ? forms[_i].lines : usual[i]);
			rg_puts(&w, "\r\n");
		}
		if (is_last)
			rg_puts(&w, forms[_i].lines);
		rg_puts(&w, is_last ? "\r\n\r\n" : "\r\n");
		ck_assert_msg(sip_parse(guard_copy(rg_wr_slice(&w)), &m) == RG_OK, "%s",
			      forms[_i].name);
		ck_assert_msg(sip_register_parse(&m, &r) == RG_OK, "%s", forms[_i].name);
		check_view(&r, forms[_i].name);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_same");
	TCase *t = tcase_create("same");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, same, 0, sizeof(forms) / sizeof(*forms));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
