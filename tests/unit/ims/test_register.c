// SPDX-License-Identifier: BSD-3-Clause
// register.c: lifetimes asked for and promised, and what is bound beside our Contact.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

static const struct {
	const char *name;
	uint64_t token_s;
	int asked; // by the client, as in struct rig_register
	unsigned core_asked, granted;
	unsigned lo, hi; // of what the client is told
} lifetimes[] = {
	{"the client's maximum", 7200, 600, 3600, 3600, 270, 300},
	{"as asked", 7200, 100, 3600, 3600, 90, 100},
	{"nothing asked", 7200, -2, 3600, 3600, 270, 300},
	{"below the floor", 7200, 30, 3600, 3600, 60, 60},
	{"the token is short", 1000, 600, 1000, 1000, 270, 300},
	{"the token is shorter", 200, 600, 200, 200, 171, 190}, // less the guard
	{"the core grants less", 7200, 600, 3600, 100, 81, 90},
	{"and less than the floor", 7200, 600, 3600, 40, 30, 30},
	{"the core grants more", 200, 600, 200, 7200, 180, 200}, // never past the token
};

START_TEST(lifetime_table) {
	struct rig_lease c = rig_grant(lifetimes[_i].token_s);
	uint64_t now_ns = env_now_ns(rig.env), high_s, low_s;
	const struct lease_binding *b = &rig_lease_of(&c)->binding;
	char line[512];
	unsigned told;

	rig_send(&c, &(struct rig_register){.expires = lifetimes[_i].asked});
	rig_core_next();
	snprintf(line, sizeof(line), "Expires: %u", lifetimes[_i].core_asked);
	rig_expect_line(line);
	snprintf(line, sizeof(line), ";expires=%u\r\n", lifetimes[_i].core_asked);
	ck_assert_uint_eq(rig_count(line), 1);
	snprintf(line, sizeof(line), "Contact: " RIG_CONTACT ";expires=%u\r\n",
		 lifetimes[_i].granted);
	rig_core_answer(200, line);
	told = (unsigned)atoi(strstr(rig_reply()->text, ";expires=") + 9);
	ck_assert_msg(told >= lifetimes[_i].lo && told <= lifetimes[_i].hi, "%s: %u",
		      lifetimes[_i].name, told);
	ck_assert_uint_eq(rig_lease_of(&c)->promise_end_ns, now_ns + told * RG_NS_PER_S);
	low_s = lifetimes[_i].granted - 10;
	high_s = lifetimes[_i].granted > lifetimes[_i].core_asked ? lifetimes[_i].granted
								  : lifetimes[_i].core_asked;
	ck_assert_uint_eq(b->core_low_ns, now_ns + low_s * RG_NS_PER_S);
	ck_assert_uint_eq(b->core_high_ns, now_ns + (high_s + 360) * RG_NS_PER_S);
	ck_assert_uint_le(b->core_refresh_ns, now_ns + lifetimes[_i].granted * RG_NS_PER_S / 2);
	ck_assert_uint_ge(b->core_refresh_ns,
			  now_ns + lifetimes[_i].granted * RG_NS_PER_S * 45 / 100);
	// the pair outlives whatever the core may hold (INV-4)
	ck_assert_uint_ge(rig_lease_of(&c)->reassign_ns, b->core_high_ns);
}
END_TEST

// What a late answer grants began when it was asked for (INV-9).
START_TEST(late_answer) {
	struct rig_lease c = rig_grant(7200);
	uint64_t now_ns = env_now_ns(rig.env);

	rig_send(&c, &(struct rig_register){0});
	env_sim_advance(rig.env, 7 * RG_NS_PER_S);
	rig_core_ok(200);
	ck_assert_uint_eq(rig_lease_of(&c)->binding.core_low_ns, now_ns + 190 * RG_NS_PER_S);
	ck_assert_uint_le(rig_lease_of(&c)->promise_end_ns, now_ns + 190 * RG_NS_PER_S);
}
END_TEST

START_TEST(jitter_differs) {
	struct rig_lease c = rig_grant(7200);
	unsigned first = rig_register_well(&c), n_same = 1;

	for (unsigned i = 0; i < 9; i++)
		n_same += rig_register_well(&c) == first;
	ck_assert_uint_lt(n_same, 10);
}
END_TEST

START_TEST(too_little_granted) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_ok(19); // 9 s after the guard: of no use to anybody
	rig_expect_status(500);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
}
END_TEST

// ims.md 6.4: the token must last for a registration worth having.
START_TEST(token_too_short) {
	struct rig_lease c = rig_grant(100);
	struct rig_reply *r;

	env_sim_advance(rig.env, 41 * RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){0}); // 59 s left
	r = rig_reply();
	ck_assert_uint_eq(r->m.status, 401);
	ck_assert_ptr_nonnull(strstr(r->text, "error=\"invalid_token\""));
	rig_expect_silence();
}
END_TEST

static void on_renewed(void *arg, int rc, const struct lease *l, struct rg_slice token) {
	(void)arg;
	(void)l;
	(void)token;
	ck_assert_int_eq(rc, 0);
}

static int issue(void *arg, const struct lease *l, uint64_t end_ns, struct rg_wr *token) {
	(void)arg;
	(void)l;
	(void)end_ns;
	rg_puts(token, "another");
	return 0;
}

// The registration ends with the token that was shown, not with a longer one of the same lease.
START_TEST(shown_token_counts) {
	struct rig_lease c = rig_grant(500);
	struct lease_ask ask = {.token_life_ns = 7200 * RG_NS_PER_S,
				.issue = issue,
				.done = on_renewed,
				.digester = rig.digester};

	lease_renew(rig.leases, c.idx, c.gen, &ask);
	env_sim_settle(rig.env);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("Expires: 500");
}
END_TEST

START_TEST(refresh_goes_on) {
	struct rig_lease c = rig_grant(7200);
	char call_id[LEASE_CALL_ID_MAX];

	rig_register_well(&c);
	memcpy(call_id, rig_lease_of(&c)->core_call_id, sizeof(call_id));
	env_sim_advance(rig.env, 100 * RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_CORE_DUE});
	rig_core_next();
	ck_assert_uint_eq(rig_count(call_id), 1);
	rig_expect_line("CSeq: 2 REGISTER");
	ck_assert_uint_eq(rig_count("Contact:"), 1);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_status(200);
	ck_assert_uint_eq(ims_get_stats(rig.ims)->register_refresh, 1);
}
END_TEST

static void make_due(const struct rig_lease *c) {
	uint64_t due_ns = rig_lease_of(c)->binding.core_refresh_ns;

	env_sim_advance(rig.env, due_ns - env_now_ns(rig.env));
}

// ims.md 4.3 rule 11: the worker has answered; the core is asked once, and nobody hears of it.
START_TEST(background_refresh) {
	struct rig_lease c = rig_grant(7200);
	const struct lease *l;
	uint64_t due_ns;

	rig_register_well(&c);
	l = rig_lease_of(&c);
	due_ns = l->binding.core_refresh_ns;
	env_sim_advance(rig.env, due_ns - env_now_ns(rig.env) - 1);
	ims_refresh(rig.ims, c.idx, c.gen);
	rig_expect_silence();
	env_sim_advance(rig.env, 1);
	ims_refresh(rig.ims, c.idx, c.gen);
	ims_refresh(rig.ims, c.idx, c.gen); // of another flow
	env_sim_settle(rig.env);
	rig_core_next();
	rig_expect_line("CSeq: 2 REGISTER");
	ck_assert_uint_eq(rig_count("Contact: " RIG_CONTACT ";expires=3600\r\n"), 1);
	ck_assert_uint_eq(rig_count(";ob>"), 1);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n"
			     "Service-Route: <sip:new@scscf.ims.example.net;lr>\r\n");
	rig_expect_silence();
	ck_assert_int_eq(l->state, LEASE_ACTIVE);
	ck_assert_uint_gt(l->binding.core_refresh_ns, due_ns);
	ck_assert(rg_conn_eq(l->flow, c.conn));
	ck_assert(rg_eq(l->binding.call_id, RG_LIT("kqct9mrk04l9g2q5ngism7")));
	ck_assert_ptr_nonnull(memmem(l->binding.headers.p, l->binding.headers.len, "sip:new@", 8));
	ck_assert_uint_eq(ims_get_stats(rig.ims)->register_refresh, 1);
	ck_assert_uint_eq(rig.n_closed, 0);
	ims_refresh(rig.ims, c.idx, c.gen + 1);
	ims_refresh(rig.ims, c.idx, c.gen);
	rig_expect_silence();
}
END_TEST

// A core that is away is asked again later; one that refuses must refuse the client itself.
START_TEST(background_refresh_fails) {
	struct rig_lease c = rig_grant(7200);
	const struct lease *l;

	rig_register_well(&c);
	l = rig_lease_of(&c);
	make_due(&c);
	ims_refresh(rig.ims, c.idx, c.gen);
	env_sim_settle(rig.env);
	rig_core_next();
	rig_core_answer(480, "");
	rig_expect_silence();
	ck_assert_int_eq(l->state, LEASE_ACTIVE);
	ck_assert(!l->is_stale);
	ck_assert_uint_eq(l->binding.core_refresh_ns, env_now_ns(rig.env) + 60 * RG_NS_PER_S);
	make_due(&c);
	ims_refresh(rig.ims, c.idx, c.gen);
	env_sim_settle(rig.env);
	rig_core_next();
	rig_core_answer(403, "");
	rig_expect_silence();
	ck_assert(l->is_stale);
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_STALE});
	rig_core_ok(3600);
	rig_expect_status(200);
	ck_assert(!l->is_stale);
}
END_TEST

START_TEST(revoked_while_refreshed) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	make_due(&c);
	ims_refresh(rig.ims, c.idx, c.gen);
	env_sim_settle(rig.env);
	rig_core_next();
	ck_assert_int_eq(lease_revoke(rig.leases, c.idx, c.gen), 0);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	env_sim_advance(rig.env, 1);
	rig_core_next();
	rig_expect_line("Expires: 0");
	rig_core_answer(200, "");
	rig_expect_silence();
	ck_assert_int_eq(lease_at(rig.leases, c.idx)->state, LEASE_QUARANTINE);
}
END_TEST

// After a restart nothing is known of the core's dialog.
START_TEST(new_dialog_after_restart) {
	struct rig_lease c = rig_grant(7200);
	char call_id[LEASE_CALL_ID_MAX];

	rig_register_well(&c);
	memcpy(call_id, rig_lease_of(&c)->core_call_id, sizeof(call_id));
	rig_restart();
	c.impu = rig_lease_of(&c)->impu;
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_STALE});
	rig_core_next();
	rig_expect_line("CSeq: 1 REGISTER");
	ck_assert_uint_eq(rig_count(call_id), 0);
	ck_assert_uint_eq(strlen(rig_lease_of(&c)->core_call_id), 2 + 24);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_status(200);
	ck_assert(!rig_lease_of(&c)->is_stale);
}
END_TEST

START_TEST(cseq_ends) { // RFC 3261 8.1.1.5: below 2^31
	struct rig_lease c = rig_grant(7200);

	lease_set_core_dialog(rig.leases, c.idx, "old", 0x7ffffffe);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("CSeq: 2147483647 REGISTER");
	rig_expect_line("Call-ID: old");
	rig_core_answer(500, "");
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("CSeq: 1 REGISTER");
	rig_expect_no("Call-ID: old");
}
END_TEST

static const struct {
	const char *contact;
	bool has_no_outbound;
	const char *path_end, *supported;
} outbounds[] = {
	{RIG_CONTACT, false, ";lr;ob>", "Supported: path, outbound, gruu"},
	{RIG_CONTACT, true, ";lr>", "Supported: path, gruu"}, // else 439 (RFC 5626 6)
	{"<sip:a@b.invalid>", false, ";lr>", "Supported: path, outbound, gruu"},
	{"<sip:a@b.invalid>;+sip.instance=\"<urn:1>\"", false, ";lr>",
	 "Supported: path, outbound, gruu"},
	{"<sip:a@b.invalid>;reg-id=1", false, ";lr>", "Supported: path, gruu"},
};

START_TEST(outbound) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){.contact = outbounds[_i].contact,
					    .has_no_outbound = outbounds[_i].has_no_outbound});
	rig_core_next();
	ck_assert_msg(rig_count(outbounds[_i].path_end) == 1, "%s", rig.request_text);
	rig_expect_line(outbounds[_i].supported);
}
END_TEST

START_TEST(not_bound) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(200, "");
	rig_core_next(); // once more
	rig_expect_line("CSeq: 2 REGISTER");
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_status(200);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(200, "");
	rig_core_next();
	rig_core_answer(200, "");
	rig_expect_status(500);
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
}
END_TEST

#define ALIEN "<sip:alien@198.51.100.66:5060>"

START_TEST(foreign_contact) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n"
			     "Contact: " ALIEN ";expires=7200, "
			     "<sip:b@x>;reg-id=2;+sip.instance=\"<urn:9>\";q=1\r\n");
	rig_core_next();
	rig_expect_line("Contact: " RIG_CONTACT ";expires=3600");
	rig_expect_line("Contact: " ALIEN ";expires=0");
	rig_expect_line("Contact: <sip:b@x>;+sip.instance=\"<urn:9>\";reg-id=2;expires=0");
	rig_expect_silence();
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_status(200);
}
END_TEST

START_TEST(foreign_contact_stays) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	for (unsigned i = 0; i < 2; i++) {
		rig_core_next();
		rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n"
				     "Contact: " ALIEN ";expires=7200\r\n");
	}
	rig_expect_status(500);
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
}
END_TEST

// The core holds what its 200 says, whatever becomes of the rest: the pair is kept as long (INV-4).
START_TEST(unusable_grant_holds_the_pair) {
	static char route[2400], lines[sizeof(route) + 1024];
	struct rig_lease c = rig_grant(1000);
	uint64_t now_ns = env_now_ns(rig.env);

	memset(route, 'r', sizeof(route) - 1);
	snprintf(lines, sizeof(lines),
		 "Contact: " RIG_CONTACT ";expires=7200\r\n"
		 "Service-Route: <sip:%s@x;lr>\r\n",
		 route);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(200, lines);
	rig_expect_status(500);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	ck_assert_uint_ge(rig_lease_of(&c)->reassign_ns, now_ns + (7200 + 360 + 69) * RG_NS_PER_S);
}
END_TEST

// The first 200 bound us: a refusal of the request that was to remove the rest takes nothing back.
START_TEST(removal_refused) {
	struct rig_lease c = rig_grant(1000);
	uint64_t now_ns = env_now_ns(rig.env);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=7200\r\n"
			     "Contact: " ALIEN ";expires=7200\r\n");
	rig_core_next();
	rig_core_answer(403, "");
	rig_expect_status(403);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	ck_assert_uint_ge(rig_lease_of(&c)->reassign_ns, now_ns + (7200 + 360 + 69) * RG_NS_PER_S);
}
END_TEST

// ims.md 6.2: no request asks for more than the token's rest, however late it is sent.
START_TEST(repeat_ends_with_the_token) {
	struct rig_lease c = rig_grant(1000);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("Expires: 1000");
	env_sim_advance(rig.env, 7 * RG_NS_PER_S);
	rig_core_answer(200, "");
	rig_core_next();
	rig_expect_line("Expires: 993");
}
END_TEST

START_TEST(no_repeat_after_the_token) {
	struct rig_lease c = rig_grant(64);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	env_sim_advance(rig.env, 7 * RG_NS_PER_S); // less than the shortest registration is left
	rig_core_answer(200, "");
	rig_expect_status(401);
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
}
END_TEST

// An account's identity may be on other devices, too.
START_TEST(account_has_devices) {
	struct rig_lease c = rig_grant_account(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n"
			     "Contact: " ALIEN ";expires=7200\r\n");
	rig_expect_status(200);
	rig_expect_silence();
}
END_TEST

// Page reload: the old Contact goes with the request that brings the new one.
START_TEST(page_reload) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.contact = RIG_CONTACT_2, .reason = RG_WHY_CHANGED});
	rig_core_next();
	rig_expect_line("Contact: " RIG_CONTACT_2 ";expires=3600");
	rig_expect_line("Contact: " RIG_CONTACT ";expires=0");
	rig_core_answer(200, "Contact: " RIG_CONTACT_2 ";expires=3600\r\n");
	rig_expect_status(200);
	ck_assert(rg_eq(rig_lease_of(&c)->binding.contact, RG_LIT(RIG_CONTACT_2)));
}
END_TEST

START_TEST(same_flow_new_uri) {
	static const char moved[] = "<sip:moved@new.invalid;transport=ws>;reg-id=1;+sip.instance=\""
				    "<urn:uuid:17951779-fb82-4c33-8e3b-a3f1e4121a63>\"";
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.contact = moved});
	rig_core_next();
	ck_assert_uint_eq(rig_count("Contact:"), 1); // ending the old one would end the new one
}
END_TEST

START_TEST(new_connection) {
	struct rig_lease c = rig_grant(7200);
	struct rg_conn_id other = {.idx = 77, .gen = 5};

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.conn = &other});
	rig_core_ok(3600);
	ck_assert(rg_conn_eq(rig_reply()->r.conn, other));
	ck_assert(rg_conn_eq(rig_lease_of(&c)->flow, other));
	ck_assert_uint_eq(rig.n_closed, 1);
}
END_TEST

// Revoked while the core is asked: the client learns it, and the core is told to forget.
START_TEST(revoked_under_way) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	ck_assert_int_eq(lease_revoke(rig.leases, c.idx, c.gen), 0);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_status(401);
	rig_core_next();
	rig_expect_line("Contact: " RIG_CONTACT ";expires=0");
	rig_expect_line("Expires: 0");
	rig_core_answer(200, "");
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_QUARANTINE);
	rig_expect_silence();
}
END_TEST

// RFC 3261 18.1.1
START_TEST(large_request_on_udp) {
	struct rig_lease c = rig_grant(7200);
	char contact[1024];

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	ck_assert_ptr_null(rig.core);
	ck_assert_uint_eq(rig_count("Via: SIP/2.0/UDP "), 1);
	ck_assert_uint_eq(rig_count(";transport=udp;lr;ob>"), 1);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_status(200);
	snprintf(contact, sizeof(contact), "<sip:a@b.invalid>;x=%0500d", 0);
	rig_send(&c, &(struct rig_register){.contact = contact});
	rig_core_next();
	ck_assert_ptr_nonnull(rig.core); // over TCP, and the Via says so
	ck_assert_uint_eq(rig_count("Via: SIP/2.0/TCP "), 1);
	ck_assert_uint_eq(rig_count(";transport=udp;lr"), 1);
	snprintf(contact, sizeof(contact), "Contact: <sip:a@b.invalid>;x=%0500d;expires=3600\r\n",
		 0);
	rig_core_answer(200, contact);
	rig_expect_status(200);
}
END_TEST

START_TEST(huge_answer) {
	static char lines[4096];
	struct rig_lease c = rig_grant(7200);

	snprintf(lines, sizeof(lines),
		 "Contact: " RIG_CONTACT ";expires=3600\r\nService-Route: <sip:s;x=%02500d>\r\n",
		 0);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(200, lines);
	rig_expect_status(500);
}
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("register"), *udp = tcase_create("udp");

	tcase_add_checked_fixture(t, rig_start, rig_stop);
	tcase_add_loop_test(t, lifetime_table, 0, sizeof(lifetimes) / sizeof(*lifetimes));
	tcase_add_test(t, late_answer);
	tcase_add_test(t, jitter_differs);
	tcase_add_test(t, too_little_granted);
	tcase_add_test(t, token_too_short);
	tcase_add_test(t, shown_token_counts);
	tcase_add_test(t, refresh_goes_on);
	tcase_add_test(t, background_refresh);
	tcase_add_test(t, background_refresh_fails);
	tcase_add_test(t, revoked_while_refreshed);
	tcase_add_test(t, new_dialog_after_restart);
	tcase_add_test(t, cseq_ends);
	tcase_add_loop_test(t, outbound, 0, sizeof(outbounds) / sizeof(*outbounds));
	tcase_add_test(t, not_bound);
	tcase_add_test(t, foreign_contact);
	tcase_add_test(t, foreign_contact_stays);
	tcase_add_test(t, unusable_grant_holds_the_pair);
	tcase_add_test(t, removal_refused);
	tcase_add_test(t, repeat_ends_with_the_token);
	tcase_add_test(t, no_repeat_after_the_token);
	tcase_add_test(t, account_has_devices);
	tcase_add_test(t, page_reload);
	tcase_add_test(t, same_flow_new_uri);
	tcase_add_test(t, new_connection);
	tcase_add_test(t, revoked_under_way);
	tcase_add_test(t, huge_answer);
	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(udp, rig_start_udp, rig_stop);
	tcase_add_test(udp, large_request_on_udp);
	suite_add_tcase(suite, udp);
}

int main(void) {
	return rig_main("ims_register", add);
}
