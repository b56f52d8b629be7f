// SPDX-License-Identifier: BSD-3-Clause
// b2bua.c and reply.c: who may register, what is never forwarded, one request at a time.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

// The text with the values that are random replaced by X.
static void mask(char *s, const char *after, size_t len) {
	for (char *at = s; (at = strstr(at, after)) != NULL;) {
		at += strlen(after);
		for (size_t i = 0; i < len && *at != '\0' && *at != '\r'; i++)
			*at++ = 'X';
	}
}

START_TEST(whole_registration) {
	struct rig_lease c = rig_grant(7200);
	struct rig_reply *r;
	char want[2048], request[SIP_MAX_MSG + 1];

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	memcpy(request, rig.request_text, sizeof(request));
	mask(request, "branch=", 64);
	mask(request, ">;tag=", 8);
	mask(request, "Call-ID: 0.", 24);
	mask(request, "sip:l0.g1.", 8);
	mask(request, "icid-value=\"", 18);
	ck_assert_str_eq(
		request,
		"REGISTER sip:ims.example.net SIP/2.0\r\n"
		"Via: SIP/2.0/TCP epcscf1.ims.example.net:5060;branch=XXXXXXXXXXXXXXXXXXXXXXXXX\r\n"
		"Max-Forwards: 70\r\n"
		"From: <sip:pool-00000@ims.example.net>;tag=XXXXXXXX\r\n"
		"To: <sip:pool-00000@ims.example.net>\r\n"
		"Call-ID: 0.XXXXXXXXXXXXXXXXXXXXXXXX\r\n"
		"CSeq: 1 REGISTER\r\n"
		"Contact: " RIG_CONTACT ";expires=3600\r\n"
		"Expires: 3600\r\n"
		"Path: <sip:l0.g1.XXXXXXXX@epcscf1.ims.example.net:5060;transport=tcp;lr;ob>\r\n"
		"Require: path\r\n"
		"Supported: path, outbound, gruu\r\n"
		"P-Visited-Network-ID: \"ims.example.net\"\r\n"
		"P-Charging-Vector: icid-value=\"XXXXXXXXXXXXXXXXXX\";"
		"icid-generated-at=epcscf1.ims.example.net\r\n"
		"Authorization: Digest username=\"pool-00000@ims.example.net\", "
		"realm=\"ims.example.net\", uri=\"sip:ims.example.net\", nonce=\"\", "
		"response=\"\", "
		"integrity-protected=\"auth-done\"\r\n"
		"Content-Length: 0\r\n\r\n");
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_PENDING);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n"
			     "Service-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
			     "P-Associated-URI: <sip:pool-00000@ims.example.net>\r\n"
			     "P-Charging-Function-Addresses: ccf=192.0.2.20\r\n");
	r = rig_reply();
	mask(r->text, "ims.example.net>;tag=", 8);
	mask(r->text, ";expires=", 3);
	mask(r->text, "sip:l0.g1.", 8);
	mask(r->text, "CSeq: ", 1);
	snprintf(want, sizeof(want),
		 "SIP/2.0 200 OK\r\n"
		 "Via: SIP/2.0/WSS 4ejhaldknkb7.invalid;branch=z9hG4bK2812950"
		 ";received=198.51.100.9;rport=52144\r\n"
		 "To: <sip:pool-00000@ims.example.net>;tag=XXXXXXXX\r\n"
		 "From: <sip:pool-00000@ims.example.net>;tag=XXXXXXXX6e\r\n"
		 "Call-ID: kqct9mrk04l9g2q5ngism7\r\n"
		 "CSeq: X REGISTER\r\n"
		 "Contact: " RIG_CONTACT ";expires=XXX\r\n"
		 "Service-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
		 "P-Associated-URI: <sip:pool-00000@ims.example.net>\r\n"
		 "Path: <sip:l0.g1.XXXXXXXX@epcscf1.ims.example.net:5060;transport=tcp;lr;ob>\r\n"
		 "Supported: path, outbound\r\n"
		 "Require: outbound\r\n"
		 "Content-Length: 0\r\n\r\n");
	ck_assert_str_eq(r->text, want);
	ck_assert_uint_eq(r->r.kind, RG_REPLY_SIP);
	ck_assert_uint_eq(r->r.flags, RG_REPLY_F_BIND);
	ck_assert(rg_conn_eq(r->r.conn, c.conn));
	ck_assert_uint_eq(r->r.bound.lease_idx, c.idx);
	ck_assert_uint_eq(r->r.bound.gen, c.gen);
	ck_assert_uint_eq(r->r.bound.promise_end_ns, rig_lease_of(&c)->promise_end_ns);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_ACTIVE);
	ck_assert(rg_conn_eq(rig_lease_of(&c)->flow, c.conn));
	ck_assert_uint_eq(ims_get_stats(rig.ims)->register_initial, 1);
	ck_assert_uint_eq(ims_get_stats(rig.ims)->client_ok, 1);
	ck_assert(ims_is_connected(rig.ims));
	rig_expect_silence();
}
END_TEST

// TS 33.203 U: what would speak for the client in the core is ours to say.
START_TEST(nothing_of_the_client_passes) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){
			     .more = "Authorization: Digest username=\"evil@x\", realm=\"x\", "
				     "integrity-protected=\"yes\"\r\n"
				     "P-Asserted-Identity: <sip:evil@x>\r\n"
				     "Security-Client: ipsec-3gpp\r\n"
				     "Proxy-Require: sec-agree\r\n"
				     "Route: <sip:epcscf1.ims.example.net;lr>\r\n"
				     "Path: <sip:evil@x;lr>\r\n"
				     "P-Charging-Vector: icid-value=evil\r\n"
				     "P-Visited-Network-ID: evil\r\n"});
	rig_core_next();
	rig_expect_no("evil");
	rig_expect_no("Bearer");
	rig_expect_no("Security-Client");
	rig_expect_no("sec-agree");
	rig_expect_no("Route:");
	rig_expect_no("P-Asserted");
	ck_assert_uint_eq(rig_count("Authorization:"), 1);
	ck_assert_uint_eq(rig_count("Path:"), 1);
	ck_assert_uint_eq(rig_count("Via:"), 1);
}
END_TEST

static void expect_challenge(const char *error) {
	struct rig_reply *r = rig_reply();
	char want[256];

	ck_assert_uint_eq(r->m.status, 401);
	snprintf(want, sizeof(want),
		 "WWW-Authenticate: Bearer realm=\"ims.example.net\", "
		 "authz_server=\"https://wwsf.example.net\", scope=\"ims.register\"%s\r\n",
		 error != NULL ? ", error=\"invalid_token\"" : "");
	ck_assert_msg(strstr(r->text, want) != NULL, "%s", r->text);
	ck_assert_uint_eq(r->r.flags, 0);
	rig_expect_silence();
}

START_TEST(without_a_token) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){.has_no_token = true});
	expect_challenge(NULL);
	rig_send(&c, &(struct rig_register){.has_no_token = true, .is_bound = true});
	expect_challenge(NULL); // a flow lets nobody register, only de-register
}
END_TEST

START_TEST(unknown_tokens) {
	struct rig_lease c = rig_grant(7200), other;

	other = c;
	other.digest.b[0] ^= 1; // good signature, not the digest of record
	rig_send(&other, &(struct rig_register){.reason = RG_WHY_TOKEN_NEW});
	expect_challenge("invalid_token");
	other.token[strlen(other.token) - 1] ^= 1; // bad signature
	rig_send(&other, &(struct rig_register){.reason = RG_WHY_TOKEN_NEW});
	expect_challenge("invalid_token");
	rig_send(&other, &(struct rig_register){.reason = RG_WHY_INITIAL});
	expect_challenge("invalid_token");
}
END_TEST

// Its grant may be on its way to us, from another gateway.
START_TEST(unknown_but_recent) {
	struct rig_lease c = rig_grant(7200);

	c.digest.b[0] ^= 1;
	rig.conf.store.is_etcd = true;
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_TOKEN_NEW});
	rig_expect_status(503);
	env_sim_advance(rig.env, 11 * RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_TOKEN_NEW});
	expect_challenge("invalid_token");
}
END_TEST

START_TEST(generation_gone) {
	struct rig_lease c = rig_grant(7200);

	ck_assert_int_eq(lease_revoke(rig.leases, c.idx, c.gen), 0);
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_TOKEN_NEW});
	expect_challenge("invalid_token");
}
END_TEST

START_TEST(token_over) {
	struct rig_lease c = rig_grant(100);

	env_sim_advance(rig.env, 100 * RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){0});
	expect_challenge("invalid_token");
}
END_TEST

static const struct {
	const char *name;
	struct rig_register r;
	unsigned status;
} refused[] = {
	{"another identity", {.to = "sip:pool-00001@ims.example.net"}, 403},
	{"third party", {.from = "sip:pool-00001@ims.example.net"}, 403},
	{"other case of the user", {.to = "sip:POOL-00000@ims.example.net"}, 403},
	{"two tokens", {.more = "Authorization: Bearer abc\r\n"}, 400},
	{"two contacts", {.more = "Contact: <sip:a@b>\r\n"}, 400},
	{"star without Expires: 0", {.contact = "*", .expires = 600}, 400},
};

START_TEST(refusals) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &refused[_i].r);
	rig_expect_status(refused[_i].status);
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_OFFERED);
	ck_assert_uint_eq(ims_get_stats(rig.ims)->client_refused, 1);
}
END_TEST

// The same identity, written differently (RFC 3261 10.3 step 5).
START_TEST(same_identity) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){.to = "sip:%70ool-00000@IMS.example.net:5060"});
	rig_core_next();
	rig_expect_line("To: <sip:pool-00000@ims.example.net>");
}
END_TEST

START_TEST(origins) {
	static const uint16_t none = UINT16_MAX, other = 1;
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){.wwsf = &other});
	rig_expect_status(403);
	rig_send(&c, &(struct rig_register){.wwsf = &none});
	rig_expect_status(403);
	rig.conf.reg.is_origin_optional = true;
	rig_send(&c, &(struct rig_register){.wwsf = &other});
	rig_expect_status(403);
	rig_expect_silence();
	rig_send(&c, &(struct rig_register){.wwsf = &none});
	rig_core_next();
}
END_TEST

START_TEST(too_long) {
	struct rig_lease c = rig_grant(7200);
	char contact[1200];

	snprintf(contact, sizeof(contact), "<sip:a@b>;x=%01050d", 0);
	rig_send(&c, &(struct rig_register){.contact = contact});
	rig_expect_status(513);
	rig_expect_silence();
}
END_TEST

START_TEST(rubbish) {
	struct rig_lease c = rig_grant(7200);
	struct rig_register usual = {0};

	rig_send_text(&c, &usual, "");
	rig_send_text(&c, &usual, "REGISTER nonsense\r\n\r\n");
	rig_send_text(&c, &usual,
		      "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/WSS a;branch=z9hG4bK1\r\n"
		      "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
		      "\r\n");
	rig_expect_silence();
}
END_TEST

START_TEST(one_waits) {
	struct rig_lease c = rig_grant(7200);
	struct rig_reply *r;

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("CSeq: 1 REGISTER");
	rig_send(&c, &(struct rig_register){.contact = RIG_CONTACT_2});
	rig_expect_silence();
	rig_send(&c, &(struct rig_register){0});
	r = rig_reply(); // the third is refused at once
	ck_assert_uint_eq(r->m.status, 500);
	ck_assert_ptr_nonnull(strstr(r->text, "Retry-After: 1\r\n"));
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_status(200);
	rig_core_next(); // the second goes out now
	rig_expect_line("CSeq: 2 REGISTER");
	rig_core_answer(200, "Contact: " RIG_CONTACT_2 ";expires=3600\r\n");
	rig_expect_status(200);
	rig_expect_silence();
}
END_TEST

// What waited and asks for just what has been bound meanwhile is a refresh within the fresh time.
START_TEST(one_waits_and_is_absorbed) {
	struct rig_lease c = rig_grant(7200);
	const struct rig_reply *r;

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_send(&c, &(struct rig_register){.expires = 120});
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_status(200);
	r = rig_reply();
	ck_assert_uint_eq(r->m.status, 200);
	ck_assert_uint_eq(r->r.flags, RG_REPLY_F_BIND);
	ck_assert_uint_eq(r->r.bound.lease_idx, c.idx);
	ck_assert_uint_le(r->r.bound.promise_end_ns, env_now_ns(rig.env) + 120 * RG_NS_PER_S);
	ck_assert_uint_ge(r->r.bound.promise_end_ns, env_now_ns(rig.env) + 108 * RG_NS_PER_S);
	rig_expect_silence();
	ck_assert_uint_eq(ims_get_stats(rig.ims)->core_requests, 1);
}
END_TEST

START_TEST(leases_do_not_wait_for_each_other) {
	struct rig_lease a = rig_grant(7200), b = rig_grant(7200);

	rig_send(&a, &(struct rig_register){0});
	rig_send(&b, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("To: <sip:pool-00000@ims.example.net>");
	rig_core_next();
	rig_expect_line("To: <sip:pool-00001@ims.example.net>");
}
END_TEST

START_TEST(fetch) {
	struct rig_lease c = rig_grant(7200);
	struct rig_register ask = {.contact = ""};
	struct rig_reply *r;
	unsigned told;
	char want[512];

	rig_send(&c, &ask);
	r = rig_reply();
	ck_assert_uint_eq(r->m.status, 200);
	ck_assert_ptr_null(sip_hdr_first(&r->m, SIP_HDR_CONTACT));
	told = rig_register_well(&c);
	env_sim_advance(rig.env, 10 * RG_NS_PER_S);
	rig_send(&c, &ask);
	r = rig_reply();
	snprintf(want, sizeof(want), "Contact: " RIG_CONTACT ";expires=%u\r\n", told - 10);
	ck_assert_msg(strstr(r->text, want) != NULL, "%s", r->text);
	ck_assert_uint_eq(r->r.flags, 0);
	rig_expect_silence();
}
END_TEST

static void expect_told(const struct rig_lease *c, const struct rig_register *ask, unsigned told) {
	char want[512];
	struct rig_reply *r;

	rig_send(c, ask);
	r = rig_reply();
	snprintf(want, sizeof(want), "Contact: " RIG_CONTACT ";expires=%u\r\n", told);
	ck_assert_msg(strstr(r->text, want) != NULL, "%s", r->text);
}

// What the worker has promised since then counts too, of this assignment, and never less.
START_TEST(fetch_after_local_answers) {
	struct rig_lease c = rig_grant(7200), gone;
	uint16_t wwsf = rig_lease_of(&c)->wwsf;
	struct rig_register ask = {.contact = "", .is_bound = true, .wwsf = &wwsf};
	unsigned told = rig_register_well(&c);
	uint64_t now_ns = env_now_ns(rig.env);

	gone = c;
	gone.gen--;
	ask.promise_end_ns = now_ns + (told + 100) * RG_NS_PER_S;
	expect_told(&c, &ask, told + 100);
	expect_told(&gone, &ask, told);
	ask.promise_end_ns = now_ns + RG_NS_PER_S;
	expect_told(&c, &ask, told);
	env_sim_advance(rig.env, (told + 1) * RG_NS_PER_S); // only the worker's promise stands
	ask.promise_end_ns = env_now_ns(rig.env) + 300 * RG_NS_PER_S;
	expect_told(&c, &ask, 300);
	rig_send(&c, &(struct rig_register){.contact = ""});
	ck_assert_ptr_null(sip_hdr_first(&rig_reply()->m, SIP_HDR_CONTACT));
}
END_TEST

// A worker answers nothing to a connection that has gone; here that is no event at all.
START_TEST(stop_under_way) {
	struct rig_lease a = rig_grant(7200), b = rig_grant(7200);

	rig_send(&a, &(struct rig_register){0});
	rig_send(&a, &(struct rig_register){0});
	rig_send(&b, &(struct rig_register){0});
} // rig_stop() frees what is under way and what waits
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("b2bua");

	tcase_add_checked_fixture(t, rig_start, rig_stop);
	tcase_add_test(t, whole_registration);
	tcase_add_test(t, nothing_of_the_client_passes);
	tcase_add_test(t, without_a_token);
	tcase_add_test(t, unknown_tokens);
	tcase_add_test(t, unknown_but_recent);
	tcase_add_test(t, generation_gone);
	tcase_add_test(t, token_over);
	tcase_add_loop_test(t, refusals, 0, sizeof(refused) / sizeof(*refused));
	tcase_add_test(t, same_identity);
	tcase_add_test(t, origins);
	tcase_add_test(t, too_long);
	tcase_add_test(t, rubbish);
	tcase_add_test(t, one_waits);
	tcase_add_test(t, one_waits_and_is_absorbed);
	tcase_add_test(t, leases_do_not_wait_for_each_other);
	tcase_add_test(t, fetch);
	tcase_add_test(t, fetch_after_local_answers);
	tcase_add_test(t, stop_under_way);
	suite_add_tcase(suite, t);
}

int main(void) {
	return rig_main("ims_b2bua", add);
}
