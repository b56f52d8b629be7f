// SPDX-License-Identifier: BSD-3-Clause
// message.c: the REGISTER of ims.md 1.5, header by header (T13).
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "ims/message.h"
#include "regate/err.h"

#define CONTACT                                                               \
	"<sip:dgtq535e@4ejhaldknkb7.invalid;transport=ws>;+sip.ice;reg-id=1;" \
	"+sip.instance=\"<urn:uuid:17951779-fb82-4c33-8e3b-a3f1e4121a63>\""

static char domain[] = "ims.example.net", host[] = "epcscf1.ims.example.net:5060",
	    network[] = "visited.example.net", integrity[] = "auth-done";

static struct conf conf = {
	.reg = {.domain = domain},
	.core = {.host = host, .visited_network = network, .integrity_protected = integrity},
};

static struct message_register example(void) {
	return (struct message_register){
		.conf = &conf,
		.impi = "pool-00017@ims.example.net",
		.impu = "sip:pool-00017@ims.example.net",
		.handle = RG_LIT("l17.g42.9b1c0000"),
		.has_ob = true,
		.branch = RG_LIT("z9hG4bK7f3a0001.17.3"),
		.from_tag = RG_LIT("g1-17-3"),
		.call_id = RG_LIT("17.5e2f9c"),
		.icid = RG_LIT("ep1-66f3a1c2-3"),
		.cseq = 3,
		.expires = 3600,
		.contact = RG_LIT(CONTACT),
	};
}

static const char *put(const struct message_register *r) {
	static char buf[SIP_MAX_MSG + 1];
	struct rg_wr w = rg_wr(buf, SIP_MAX_MSG);

	message_put_register(&w, r);
	ck_assert(!w.overflow);
	buf[w.len] = '\0';
	return buf;
}

START_TEST(whole) {
	struct message_register r = example();
	static const char want[] =
		"REGISTER sip:ims.example.net SIP/2.0\r\n"
		"Via: SIP/2.0/TCP epcscf1.ims.example.net:5060;branch=z9hG4bK7f3a0001.17.3\r\n"
		"Max-Forwards: 70\r\n"
		"From: <sip:pool-00017@ims.example.net>;tag=g1-17-3\r\n"
		"To: <sip:pool-00017@ims.example.net>\r\n"
		"Call-ID: 17.5e2f9c\r\n"
		"CSeq: 3 REGISTER\r\n"
		"Contact: " CONTACT ";expires=3600\r\n"
		"Expires: 3600\r\n"
		"Path: <sip:l17.g42.9b1c0000@epcscf1.ims.example.net:5060;transport=tcp;lr;ob>\r\n"
		"Require: path\r\n"
		"Supported: path, outbound, gruu\r\n"
		"P-Visited-Network-ID: \"visited.example.net\"\r\n"
		"P-Charging-Vector: icid-value=\"ep1-66f3a1c2-3\";"
		"icid-generated-at=epcscf1.ims.example.net\r\n"
		"Authorization: Digest username=\"pool-00017@ims.example.net\", "
		"realm=\"ims.example.net\", uri=\"sip:ims.example.net\", nonce=\"\", "
		"response=\"\", "
		"integrity-protected=\"auth-done\"\r\n"
		"Content-Length: 0\r\n\r\n";
	struct sip_msg m;

	ck_assert_str_eq(put(&r), want);
	ck_assert_int_eq(sip_parse(rg_str(put(&r)), &m), RG_OK);
}
END_TEST

static void check_has(const struct message_register *r, const char *has, const char *has_not) {
	const char *s = put(r);

	ck_assert_msg(strstr(s, has) != NULL, "missing %s in\n%s", has, s);
	if (has_not != NULL)
		ck_assert_msg(strstr(s, has_not) == NULL, "unwanted %s in\n%s", has_not, s);
}

START_TEST(without_outbound) {
	struct message_register r = example();

	r.has_ob = false;
	check_has(&r, ";transport=tcp;lr>\r\n", ";ob");
	check_has(&r, "Supported: path, outbound, gruu\r\n", NULL);
	r.is_outbound_hidden = true;
	check_has(&r, "Supported: path, gruu\r\n", "outbound");
}
END_TEST

START_TEST(udp) {
	struct message_register r = example();

	r.is_udp = true;
	check_has(&r,
		  "Via: SIP/2.0/UDP "
		  "epcscf1.ims.example.net:5060;branch=z9hG4bK7f3a0001.17.3;rport\r\n",
		  "SIP/2.0/TCP");
	check_has(&r, "@epcscf1.ims.example.net:5060;transport=tcp;lr",
		  NULL); // Path: as configured
	conf.core.is_udp = true;
	check_has(&r, "@epcscf1.ims.example.net:5060;transport=udp;lr", "transport=tcp");
	conf.core.is_udp = false;
}
END_TEST

START_TEST(two_contacts) {
	struct message_register r = example();

	r.removed[0] = RG_LIT("<sip:old@x.invalid>;reg-id=1");
	r.n_removed = 1;
	check_has(&r,
		  "Contact: " CONTACT ";expires=3600\r\n"
		  "Contact: <sip:old@x.invalid>;reg-id=1;expires=0\r\nExpires: 3600\r\n",
		  NULL);
}
END_TEST

START_TEST(deregistration) {
	struct message_register r = example();

	r.expires = 0;
	check_has(&r, "Contact: " CONTACT ";expires=0\r\nExpires: 0\r\n", NULL);
	r.contact = rg_slice(NULL, 0);
	r.is_star = true;
	check_has(&r, "Contact: *\r\nExpires: 0\r\n", "Contact: <");
}
END_TEST

// A folded Contact must not bring a line of its own.
START_TEST(folded_contact) {
	struct message_register r = example();

	r.contact = RG_LIT("<sip:a@h>\r\n ;q=1");
	check_has(&r, "Contact: <sip:a@h>   ;q=1;expires=3600\r\n", NULL);
}
END_TEST

static const struct {
	const char *host, *icid;
} hosts[] = {
	{"gw.example", "icid-generated-at=gw.example\r\n"},
	{"192.0.2.10:5070", "icid-generated-at=192.0.2.10\r\n"},
	{"[2001:db8::1]:5060", "icid-generated-at=[2001:db8::1]\r\n"},
	{"[2001:db8::1]", "icid-generated-at=[2001:db8::1]\r\n"},
};

START_TEST(charging_host) {
	struct message_register r = example();
	char other[64];

	snprintf(other, sizeof(other), "%s", hosts[_i].host);
	conf.core.host = other;
	check_has(&r, hosts[_i].icid, NULL);
	conf.core.host = host;
}
END_TEST

START_TEST(handle) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = {1}, other_key[RG_DIGEST_KEY_LEN] = {2};
	struct rg_digester *d = rg_digester_new(key), *e = rg_digester_new(other_key);
	char a[64], b[64], c[64], o[64];
	struct rg_wr wa = rg_wr(a, 64), wb = rg_wr(b, 64), wc = rg_wr(c, 64), wo = rg_wr(o, 64);

	message_put_handle(&wa, d, 17, 42);
	message_put_handle(&wb, d, 17, 42);
	message_put_handle(&wc, d, 17, 43);
	message_put_handle(&wo, e, 17, 42);
	ck_assert(rg_eq(rg_wr_slice(&wa), rg_wr_slice(&wb)));
	ck_assert(rg_is_prefix(rg_wr_slice(&wa), RG_LIT("l17.g42.")));
	ck_assert_uint_eq(wa.len, 8 + 8);
	ck_assert(rg_is_prefix(rg_wr_slice(&wc), RG_LIT("l17.g43.")));
	ck_assert_int_ne(memcmp(a + 8, c + 8, 8), 0); // the MAC covers the generation
	ck_assert_int_ne(memcmp(a + 8, o + 8, 8), 0); // and depends on the key
	rg_digester_free(d);
	rg_digester_free(e);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ims_message");
	TCase *t = tcase_create("message");
	SRunner *r;
	int n_failed;

	tcase_add_test(t, whole);
	tcase_add_test(t, without_outbound);
	tcase_add_test(t, udp);
	tcase_add_test(t, two_contacts);
	tcase_add_test(t, deregistration);
	tcase_add_test(t, folded_contact);
	tcase_add_loop_test(t, charging_host, 0, sizeof(hosts) / sizeof(*hosts));
	tcase_add_test(t, handle);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	n_failed = srunner_ntests_failed(r);
	srunner_free(r);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
