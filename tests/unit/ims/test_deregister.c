// SPDX-License-Identifier: BSD-3-Clause
// deregister.c: ims.md 4.5 and 6.4, for clients and for the lease engine.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

#define BYE \
	{ .expires = -1 }

static void expect_dereg_request(void) {
	rig_core_next();
	rig_expect_line("Contact: " RIG_CONTACT ";expires=0");
	rig_expect_line("Expires: 0");
	ck_assert_uint_eq(rig_count("Contact:"), 1);
}

static void expect_unbound(void) {
	struct rig_reply *r = rig_reply();

	ck_assert_msg(r->m.status == 200, "%s", r->text);
	ck_assert_uint_eq(r->r.flags, RG_REPLY_F_BIND);
	ck_assert_uint_eq(r->r.bound.lease_idx, RG_LEASE_NONE);
	ck_assert_ptr_null(sip_hdr_first(&r->m, SIP_HDR_CONTACT));
}

static const struct {
	const char *name;
	struct rig_register r;
	const char *lines; // of the core's 200
} ways[] = {
	{"with the token", BYE, ""},
	{"without, on its flow", {.expires = -1, .has_no_token = true, .is_bound = true}, ""},
	{"star", {.contact = "*", .expires = -1}, ""},
	{"the core lists it with 0", BYE, "Contact: " RIG_CONTACT ";expires=0\r\n"},
};

START_TEST(well) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &ways[_i].r);
	expect_dereg_request();
	rig_expect_line("CSeq: 2 REGISTER");
	ck_assert_uint_eq(rig_count(";ob>"), 1); // the flow it was registered as
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_DEREG_PENDING);
	rig_core_answer(200, ways[_i].lines);
	expect_unbound();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_OFFERED); // the token is still good
	rig_expect_silence();
	rig_register_well(&c);
	ck_assert_uint_eq(ims_get_stats(rig.ims)->deregister, 1);
}
END_TEST

START_TEST(without_token_on_another_flow) {
	struct rig_lease c = rig_grant(7200);
	struct rg_conn_id other = {.idx = 99, .gen = 1};

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.expires = -1, .has_no_token = true, .conn = &other});
	rig_expect_status(401);
	// a flow that lost the lease to another one
	rig_send(&c, &(struct rig_register){.expires = -1,
					    .has_no_token = true,
					    .conn = &other,
					    .is_bound = true});
	rig_expect_status(401);
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_ACTIVE);
}
END_TEST

START_TEST(not_registered) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register)BYE);
	expect_unbound();
	rig_expect_silence();
}
END_TEST

// The page that was reloaded ends its own Contact: that one has gone with the new page's REGISTER.
START_TEST(old_contact) {
	struct rig_lease c = rig_grant(7200);
	struct rg_conn_id old = {.idx = 99, .gen = 1};
	struct rig_reply *r;

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.contact = RIG_CONTACT_2, .expires = -1, .conn = &old});
	expect_unbound();
	rig_send(&c, &(struct rig_register){.contact = RIG_CONTACT_2, .expires = -1});
	r = rig_reply();
	ck_assert_uint_eq(r->m.status, 200);
	ck_assert_uint_eq(r->r.flags, 0); // this flow holds the other Contact
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_ACTIVE);
}
END_TEST

START_TEST(no_answer) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register)BYE);
	expect_dereg_request();
	env_sim_advance(rig.env, 8 * RG_NS_PER_S);
	rig_expect_status(504);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	env_sim_advance(rig.env, 8 * RG_NS_PER_S); // the engine tries again
	expect_dereg_request();
	rig_expect_line("CSeq: 3 REGISTER");
	rig_core_answer(200, "");
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_QUARANTINE);
	rig_expect_silence();
}
END_TEST

static const struct {
	unsigned core, client;
} rows[] = {{401, 500}, {403, 403}, {404, 403}, {408, 504}, {423, 500},
	    {480, 504}, {500, 500}, {503, 504}, {504, 504}};

// Only a 200 is evidence (INV-7).
START_TEST(refused) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register)BYE);
	expect_dereg_request();
	rig_core_answer(rows[_i].core, "Min-Expires: 60\r\n");
	rig_expect_status(rows[_i].client);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	rig_expect_silence();
}
END_TEST

START_TEST(still_bound) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register)BYE);
	expect_dereg_request();
	rig_core_answer(200, "Contact: <sip:left@over>;expires=100\r\n");
	rig_core_next(); // a pool pair has no other device: clear it whole
	rig_expect_line("Contact: *");
	rig_expect_line("Expires: 0");
	rig_core_answer(200, "Contact: <sip:left@over>;expires=100\r\n");
	rig_expect_status(500);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	rig_expect_silence();
}
END_TEST

START_TEST(account_keeps_devices) {
	struct rig_lease c = rig_grant_account(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register)BYE);
	expect_dereg_request();
	rig_core_answer(200, "Contact: <sip:my@phone>;expires=100\r\n");
	expect_unbound();
	rig_register_well(&c);
	rig_send(&c, &(struct rig_register)BYE);
	expect_dereg_request();
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=100\r\n"); // but not ours
	rig_expect_status(500);
	rig_expect_silence();
}
END_TEST

START_TEST(waits_for_the_registration) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_send(&c, &(struct rig_register)BYE);
	rig_core_ok(3600);
	rig_expect_status(200);
	expect_dereg_request();
	rig_core_answer(200, "");
	expect_unbound();
}
END_TEST

// After 439 the registration is no flow, and its end must not claim to be one.
START_TEST(without_outbound) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){.has_no_outbound = true});
	rig_core_ok(3600);
	rig_expect_status(200);
	rig_send(&c, &(struct rig_register)BYE);
	expect_dereg_request();
	rig_expect_no(";ob");
	rig_expect_line("Supported: path, gruu");
}
END_TEST

// After a restart the core may have a binding that nobody here remembers.
START_TEST(after_restart) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_restart();
	c.impu = rig_lease_of(&c)->impu;
	rig_send(&c, &(struct rig_register)BYE);
	expect_dereg_request(); // the Contact is the client's word
	rig_core_answer(200, "");
	expect_unbound();
	ck_assert(!rig_lease_of(&c)->is_stale);
}
END_TEST

START_TEST(star_after_restart) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_restart();
	c.impu = rig_lease_of(&c)->impu;
	rig_send(&c, &(struct rig_register){.contact = "*", .expires = -1});
	rig_core_next();
	rig_expect_line("Contact: *");
	rig_core_answer(200, "");
	expect_unbound();
}
END_TEST

// --- the engine's own

START_TEST(flow_lost) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	lease_flow_closed(rig.leases, c.idx, c.gen, c.conn);
	env_sim_advance(rig.env, 60 * RG_NS_PER_S);
	expect_dereg_request();
	rig_core_answer(200, "");
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_QUARANTINE); // back to its pool
	rig_expect_silence();
}
END_TEST

START_TEST(account_flow_lost) {
	struct rig_lease c = rig_grant_account(7200);

	rig_register_well(&c);
	lease_flow_closed(rig.leases, c.idx, c.gen, c.conn);
	env_sim_advance(rig.env, 60 * RG_NS_PER_S);
	expect_dereg_request();
	rig_core_answer(200, "");
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_OFFERED); // its pair, its token
	rig_expect_silence();
}
END_TEST

START_TEST(token_ends) {
	struct rig_lease c = rig_grant(200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_ok(200);
	rig_expect_status(200);
	env_sim_advance(rig.env, 200 * RG_NS_PER_S);
	expect_dereg_request();
	rig_core_answer(200, "");
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_QUARANTINE);
	rig_expect_silence();
}
END_TEST

// The process stood still past the token's end: what it sends may take T_sip, and the pair is free at
// 7634.
START_TEST(token_ended_long_ago) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	env_sim_pause(rig.env, (_i == 0 ? 7550 : 7580) * RG_NS_PER_S);
	env_sim_settle(rig.env);
	if (_i == 0)
		expect_dereg_request();
	rig_expect_silence();
	env_sim_advance(rig.env, 90 * RG_NS_PER_S);
	ck_assert_int_eq(lease_at(rig.leases, c.idx)->state, LEASE_FREE);
}
END_TEST

START_TEST(revoked) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	ck_assert_int_eq(lease_revoke(rig.leases, c.idx, c.gen), 0);
	env_sim_settle(rig.env);
	expect_dereg_request();
	env_sim_advance(rig.env, 8 * RG_NS_PER_S); // no answer
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	env_sim_advance(rig.env, 8 * RG_NS_PER_S);
	expect_dereg_request();
	rig_core_answer(200, "");
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_QUARANTINE);
	rig_expect_silence();
}
END_TEST

// A first REGISTER without an answer: the Contact is not on record.
START_TEST(unknown_contact_of_a_pool_pair) {
	struct rig_lease c = rig_grant(7200);
	uint64_t reassign_ns;

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	env_sim_advance(rig.env, 8 * RG_NS_PER_S);
	rig_expect_status(504);
	env_sim_advance(rig.env, 60 * RG_NS_PER_S);
	rig_core_next();
	rig_expect_line("Contact: *");
	rig_expect_line("Expires: 0");
	reassign_ns = rig_lease_of(&c)->reassign_ns;
	rig_core_answer(200, "");
	// No evidence, and that REGISTER may still arrive: no release. The token is still good.
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_OFFERED);
	ck_assert_uint_eq(rig_lease_of(&c)->reassign_ns, reassign_ns);
	rig_expect_silence();
	rig_register_well(&c);
}
END_TEST

// A core may say 200 to that and clear nothing: the pair rests until the binding has run out.
START_TEST(star_frees_no_pair) {
	struct rig_lease c = rig_grant(7200);
	uint64_t reassign_ns;

	rig_register_well(&c);
	rig_restart();
	ck_assert_int_eq(lease_revoke(rig.leases, c.idx, c.gen), 0);
	env_sim_settle(rig.env);
	rig_core_next();
	rig_expect_line("Contact: *");
	reassign_ns = rig_lease_of(&c)->reassign_ns;
	ck_assert_uint_ge(reassign_ns, env_now_ns(rig.env) + 3600 * RG_NS_PER_S);
	rig_core_answer(200, "");
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_QUARANTINE);
	ck_assert_uint_eq(rig_lease_of(&c)->reassign_ns, reassign_ns);
	rig_expect_silence();
}
END_TEST

// An account's other devices must not pay for that; the end stays unknown.
START_TEST(unknown_contact_of_an_account) {
	struct rig_lease c = rig_grant_account(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	env_sim_advance(rig.env, 8 * RG_NS_PER_S);
	rig_expect_status(504);
	env_sim_advance(rig.env, 60 * RG_NS_PER_S);
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	// its owner's word names the Contact
	rig_send(&c, &(struct rig_register)BYE);
	expect_dereg_request();
	rig_core_answer(200, "");
	expect_unbound();
}
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("deregister");

	tcase_add_checked_fixture(t, rig_start, rig_stop);
	tcase_add_loop_test(t, well, 0, sizeof(ways) / sizeof(*ways));
	tcase_add_test(t, without_token_on_another_flow);
	tcase_add_test(t, not_registered);
	tcase_add_test(t, old_contact);
	tcase_add_test(t, no_answer);
	tcase_add_loop_test(t, refused, 0, sizeof(rows) / sizeof(*rows));
	tcase_add_test(t, still_bound);
	tcase_add_test(t, account_keeps_devices);
	tcase_add_test(t, waits_for_the_registration);
	tcase_add_test(t, without_outbound);
	tcase_add_test(t, after_restart);
	tcase_add_test(t, star_after_restart);
	tcase_add_test(t, flow_lost);
	tcase_add_test(t, account_flow_lost);
	tcase_add_test(t, token_ends);
	tcase_add_loop_test(t, token_ended_long_ago, 0, 2);
	tcase_add_test(t, revoked);
	tcase_add_test(t, unknown_contact_of_a_pool_pair);
	tcase_add_test(t, star_frees_no_pair);
	tcase_add_test(t, unknown_contact_of_an_account);
	suite_add_tcase(suite, t);
}

int main(void) {
	return rig_main("ims_deregister", add);
}
