// SPDX-License-Identifier: BSD-3-Clause
// Header names: long and compact forms, any case, near misses, look-up.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "sip/hdr.h"

static const struct {
	const char *name, *compact;
	enum sip_hdr_id id;
} names[] = {
	{"Via", "v", SIP_HDR_VIA},
	{"From", "f", SIP_HDR_FROM},
	{"To", "t", SIP_HDR_TO},
	{"Call-ID", "i", SIP_HDR_CALL_ID},
	{"CSeq", NULL, SIP_HDR_CSEQ},
	{"Contact", "m", SIP_HDR_CONTACT},
	{"Max-Forwards", NULL, SIP_HDR_MAX_FORWARDS},
	{"Expires", NULL, SIP_HDR_EXPIRES},
	{"Min-Expires", NULL, SIP_HDR_MIN_EXPIRES},
	{"Authorization", NULL, SIP_HDR_AUTHORIZATION},
	{"WWW-Authenticate", NULL, SIP_HDR_WWW_AUTHENTICATE},
	{"Content-Length", "l", SIP_HDR_CONTENT_LENGTH},
	{"Content-Type", "c", SIP_HDR_CONTENT_TYPE},
	{"Route", NULL, SIP_HDR_ROUTE},
	{"Record-Route", NULL, SIP_HDR_RECORD_ROUTE},
	{"Path", NULL, SIP_HDR_PATH},
	{"Service-Route", NULL, SIP_HDR_SERVICE_ROUTE},
	{"P-Associated-URI", NULL, SIP_HDR_P_ASSOCIATED_URI},
	{"Supported", "k", SIP_HDR_SUPPORTED},
	{"Require", NULL, SIP_HDR_REQUIRE},
	{"Proxy-Require", NULL, SIP_HDR_PROXY_REQUIRE},
	{"Unsupported", NULL, SIP_HDR_UNSUPPORTED},
	{"Retry-After", NULL, SIP_HDR_RETRY_AFTER},
	{"Event", "o", SIP_HDR_EVENT},
	{"P-Asserted-Identity", NULL, SIP_HDR_P_ASSERTED_IDENTITY},
	{"P-Charging-Function-Addresses", NULL, SIP_HDR_P_CHARGING_FUNCTION_ADDRESSES},
};

static struct rg_slice changed(const char *name, int (*fn)(char)) {
	char buf[64];
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		buf[i] = (char)fn(name[i]);
	return guard_copy(rg_slice(buf, n));
}

static int upper(char c) {
	return c >= 'a' && c <= 'z' ? c - 0x20 : c;
}

static int lower(char c) {
	return rg_lower((uint8_t)c);
}

START_TEST(name_forms) {
	ck_assert_int_eq(sip_hdr_id(guard_str(names[_i].name)), names[_i].id);
	ck_assert_int_eq(sip_hdr_id(changed(names[_i].name, upper)), names[_i].id);
	ck_assert_int_eq(sip_hdr_id(changed(names[_i].name, lower)), names[_i].id);
	if (names[_i].compact == NULL)
		return;
	ck_assert_int_eq(sip_hdr_id(guard_str(names[_i].compact)), names[_i].id);
	ck_assert_int_eq(sip_hdr_id(changed(names[_i].compact, upper)), names[_i].id);
}
END_TEST

// One byte more, one less, or one changed is another header.
START_TEST(near_misses) {
	const char *name = names[_i].name;
	size_t n = strlen(name);
	char buf[64];

	for (size_t i = 0; i < n; i++) {
		memcpy(buf, name, n);
		buf[i] = buf[i] == '-' ? '_' : '-';
		ck_assert_int_eq(sip_hdr_id(guard_copy(rg_slice(buf, n))), SIP_HDR_OTHER);
		buf[i] = '9';
		ck_assert_int_eq(sip_hdr_id(guard_copy(rg_slice(buf, n))), SIP_HDR_OTHER);
	}
	memcpy(buf, name, n);
	buf[n] = 's';
	ck_assert_int_eq(sip_hdr_id(guard_copy(rg_slice(buf, n + 1))), SIP_HDR_OTHER);
	if (n > 2) // "T" is a compact form
		ck_assert_int_eq(sip_hdr_id(guard_copy(rg_slice(buf, n - 1))), SIP_HDR_OTHER);
}
END_TEST

START_TEST(ids_are_covered) {
	bool seen[SIP_N_HDR_IDS] = {true};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		seen[names[i].id] = true;
	for (unsigned i = 0; i < SIP_N_HDR_IDS; i++)
		ck_assert_msg(seen[i], "id %u", i);
	ck_assert_int_eq(sip_hdr_id(rg_slice(NULL, 0)), SIP_HDR_OTHER);
	for (unsigned c = 0; c < 256; c++)
		if (c == 0 || strchr("vftimlckoVFTIMLCKO", (int)c) == NULL)
			ck_assert_int_eq(sip_hdr_id(rg_slice(&c, 1)), SIP_HDR_OTHER);
}
END_TEST

START_TEST(look_up) {
	struct rg_slice in = guard_str("OPTIONS sip:b SIP/2.0\r\n"
				       "Via: SIP/2.0/UDP a\r\n"
				       "v: SIP/2.0/UDP b\r\n"
				       "VIA: SIP/2.0/UDP c\r\n"
				       "From: sip:a@b;tag=1\r\nTo: sip:b\r\ni: 1\r\n"
				       "CSeq: 1 OPTIONS\r\n"
				       "x-own: 1\r\ns: Hello\r\n\r\n");
	const struct sip_hdr *h;
	struct sip_msg m;

	ck_assert_int_eq(sip_parse(in, &m), RG_OK);
	h = sip_hdr_first(&m, SIP_HDR_VIA);
	ck_assert_ptr_eq(h, &m.hdrs[0]);
	h = sip_hdr_next(&m, h);
	ck_assert_ptr_eq(h, &m.hdrs[1]);
	h = sip_hdr_next(&m, h);
	ck_assert_ptr_eq(h, &m.hdrs[2]);
	ck_assert_ptr_null(sip_hdr_next(&m, h));
	ck_assert_ptr_null(sip_hdr_first(&m, SIP_HDR_CONTACT));
	ck_assert_ptr_eq(sip_hdr_named(&m, RG_LIT("X-OWN")), &m.hdrs[7]);
	ck_assert_ptr_eq(sip_hdr_named(&m, RG_LIT("subject")), &m.hdrs[8]);
	ck_assert_ptr_eq(sip_hdr_named(&m, RG_LIT("S")), &m.hdrs[8]);
	ck_assert_ptr_eq(sip_hdr_named(&m, RG_LIT("call-id")), &m.hdrs[5]);
	ck_assert_ptr_null(sip_hdr_named(&m, RG_LIT("x-other")));
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_hdr");
	TCase *t = tcase_create("hdr");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, name_forms, 0, sizeof(names) / sizeof(*names));
	tcase_add_loop_test(t, near_misses, 0, sizeof(names) / sizeof(*names));
	tcase_add_test(t, ids_are_covered);
	tcase_add_test(t, look_up);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
