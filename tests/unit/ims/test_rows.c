// SPDX-License-Identifier: BSD-3-Clause
// Rows of ims.md 6.4 and 9 that are about one lease and the core, as the wire shows them
// (tests/README.md).
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

#define T_REG 3600
#define T_SIP 69
#define S_CORE 360

static void expect(const struct rig_lease *c, unsigned status) {
	rig_send(c, &(struct rig_register){0});
	if (status == 200)
		rig_core_ok(3600);
	rig_expect_status(status);
	if (status == 401) {
		ck_assert_ptr_nonnull(
			strstr(rig.replies[rig.n_taken - 1].text, "error=\"invalid_token\""));
		ck_assert(rig_core_is_idle());
	}
	rig.n_taken = rig.n_replies = 0;
}

static void on_renewed(void *arg, int rc, const struct lease *, struct rg_slice token) {
	struct rig_lease *c = arg;

	ck_assert_int_eq(rc, 0);
	rg_token_digest(rig.digester, token, &c->digest);
	snprintf(c->token, sizeof(c->token), "%.*s", (int)token.len, (const char *)token.p);
}

static int issue(void *, const struct lease *, uint64_t, struct rg_wr *token) {
	rg_puts(token, "newer");
	return 0;
}

static struct rig_lease renew(const struct rig_lease *c, uint64_t life_s) {
	struct rig_lease new = *c;
	const struct lease_ask ask = {.token_life_ns = life_s * RG_NS_PER_S,
				      .issue = issue,
				      .done = on_renewed,
				      .arg = &new,
				      .digester = rig.digester};

	lease_renew(rig.leases, c->idx, c->gen, &ask);
	env_sim_settle(rig.env);
	return new;
}

// T16: with the old token until its end, with the new one in place; no binding outlives its token.
START_TEST(t16_refresh_with_old_and_new_token) {
	struct rig_lease old = rig_grant(500), new;

	expect(&old, 200);
	env_sim_advance(rig.env, 300 * RG_NS_PER_S);
	new = renew(&old, 500);
	expect(&old, 200);
	ck_assert_uint_eq(rig_count("Expires: 200\r\n"), 1);
	expect(&new, 200);
	ck_assert_uint_eq(rig_count("Expires: 500\r\n"), 1);
	env_sim_advance(rig.env, 200 * RG_NS_PER_S);
	expect(&old, 401);
	expect(&new, 200);
	ck_assert_uint_eq(rig_count("Expires: 300\r\n"), 1);
	ck_assert_int_eq(rig_lease_of(&new)->state, LEASE_ACTIVE);
	env_sim_advance(rig.env, 300 * RG_NS_PER_S);
	rig_core_next(); // the gateway's own
	rig_expect_line("Expires: 0");
	expect(&new, 401);
}
END_TEST

// T17: the core lists a second identity with the pair's own, whoever's it is.
START_TEST(t17_second_identity_raises_an_alarm) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(200,
			"Contact: " RIG_CONTACT ";expires=600\r\nP-Associated-URI: "
			"<sip:pool-00000@ims.example.net>, <sip:second@elsewhere.example>\r\n");
	rig_expect_status(200);
	ck_assert(rig_said("level=error msg=core_other_identity"));
	ck_assert(rig_said("other=sip:second@elsewhere.example"));
	ck_assert(!rig_said("other=sip:pool-00000@"));
}
END_TEST

// T21: granted more than T_reg, which was asked for: the pair is kept for longer, the operator told, and
// the formula without feedback holds from now on.
START_TEST(t21_core_grants_7200) {
	struct rig_lease c = rig_grant(7200), next;
	uint64_t now_ns = env_now_ns(rig.env), end_ns = lease_token_end_ns(rig_lease_of(&c));

	env_sim_advance(rig.env, 3700 * RG_NS_PER_S);
	now_ns = env_now_ns(rig.env);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("Expires: 3500"); // what is left of the token; never over T_reg
	ck_assert_uint_eq(rig_lease_of(&c)->reassign_ns,
			  end_ns + (5 + T_SIP + S_CORE) * RG_NS_PER_S);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=7200\r\n");
	env_sim_advance(rig.env, RG_NS_PER_S); // on record first
	rig_expect_status(200);
	ck_assert_uint_ge(rig_lease_of(&c)->reassign_ns,
			  now_ns + (7200 + S_CORE + T_SIP) * RG_NS_PER_S);
	ck_assert(rig_said("level=warn msg=core_granted_more"));
	ck_assert(rig_said("level=error msg=lease.core_exceeds"));
	next = rig_grant(100);
	ck_assert_uint_eq(rig_lease_of(&next)->reassign_ns,
			  lease_token_end_ns(rig_lease_of(&next)) +
				  (5 + T_SIP + T_REG + S_CORE) * RG_NS_PER_S);
}
END_TEST

// T24, 200 to the de-registration lost: the engine asks again with a higher CSeq, and the core's second
// 200 frees the pair, but not before the first request can have no effect any more.
START_TEST(t24_dereg_200_lost) {
	struct rig_lease c = rig_grant(7200);
	uint64_t lost_ns;

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.expires = -1});
	rig_core_next();
	rig_expect_line("CSeq: 2 REGISTER");
	env_sim_advance(rig.env, 8 * RG_NS_PER_S);
	rig_expect_status(504);
	lost_ns = env_now_ns(rig.env);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	env_sim_advance(rig.env, 8 * RG_NS_PER_S);
	rig_core_next();
	rig_expect_line("CSeq: 3 REGISTER");
	rig_expect_line("Expires: 0");
	rig_core_answer(200, "");
	ck_assert_uint_eq(rig_lease_of(&c)->reassign_ns, lost_ns + T_SIP * RG_NS_PER_S);
	env_sim_advance(rig.env, (T_SIP - 9) * RG_NS_PER_S);
	ck_assert_int_eq(lease_at(rig.leases, c.idx)->state, LEASE_QUARANTINE);
	env_sim_advance(rig.env, RG_NS_PER_S);
	ck_assert_int_eq(lease_at(rig.leases, c.idx)->state, LEASE_FREE);
}
END_TEST

// The shortest registration that is left of the token is asked for, and held until it cannot arrive any
// more; a millisecond later the client has to bring a new token.
START_TEST(register_at_the_end_of_the_token) {
	struct rig_lease c = rig_grant(600);
	uint64_t end_ns = lease_token_end_ns(rig_lease_of(&c));

	env_sim_advance(rig.env, 540 * RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("Expires: 60");
	env_sim_advance(rig.env, 7 * RG_NS_PER_S); // a slow core
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=60\r\n");
	rig_expect_status(200);
	ck_assert_uint_le(rig_lease_of(&c)->promise_end_ns, end_ns);
	ck_assert_uint_ge(rig_lease_of(&c)->reassign_ns, end_ns + T_SIP * RG_NS_PER_S);
	rig.n_taken = rig.n_replies = 0;
	expect(&c, 401);
	env_sim_advance(rig.env, 53 * RG_NS_PER_S - RG_NS_PER_MS);
	expect(&c, 401); // 1 ms before its end
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_ACTIVE);
}
END_TEST

// SIP.js refreshes at 99 % of what it was told; told all that is left of the token, it needs a new one.
START_TEST(refresh_when_the_token_is_used_up) {
	struct rig_lease c = rig_grant(200);
	unsigned told = rig_register_well(&c);

	ck_assert_uint_le(told, 200);
	env_sim_advance(rig.env, told * RG_NS_PER_S * 99 / 100);
	expect(&c, 401);
	c = renew(&c, 200);
	expect(&c, 200);
}
END_TEST

// INV-5: whoever had the pair before reaches neither the core nor a 200 with what he has.
START_TEST(former_owner_comes_late) {
	struct rig_lease old = rig_grant(600), new;

	expect(&old, 200);
	ck_assert_int_eq(lease_revoke(rig.leases, old.idx, old.gen), 0);
	env_sim_settle(rig.env);
	rig_core_next();
	rig_core_answer(200, "");
	env_sim_advance(rig.env, 6 * RG_NS_PER_S);
	do
		new = rig_grant(600);
	while (new.idx != old.idx);
	ck_assert_uint_gt(new.gen, old.gen);
	old.gen = new.gen; // for the rig's own look
	old.impu = new.impu;
	expect(&old, 401);
	expect(&new, 200);
	expect(&old, 401);
	old.gen = new.gen - 1;
	rig_send(&new, &(struct rig_register){.has_no_token = true,
					      .expires = -1,
					      .conn = &old.conn}); // on his flow
	rig_expect_status(401);
	ck_assert_int_eq(rig_lease_of(&new)->state, LEASE_ACTIVE);
}
END_TEST

// The core has what the former owner left behind, and will not let go of it: the new one is not bound
// beside it, and the operator is told.
START_TEST(contact_of_the_former_owner) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	for (unsigned i = 0; i < 2; i++) {
		rig_core_next();
		ck_assert_uint_eq(rig_count("<sip:former@owner.invalid>;expires=0"), i);
		rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=600\r\n"
				     "Contact: <sip:former@owner.invalid>;expires=90\r\n");
	}
	rig_expect_status(500);
	ck_assert(rig_said("level=error msg=core_foreign_contact"));
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
}
END_TEST

static unsigned ask(const char *method, const char *route) {
	char text[1024];
	unsigned status;

	snprintf(text, sizeof(text),
		 "%s sip:dgtq535e@4ejhaldknkb7.invalid SIP/2.0\r\n"
		 "Via: SIP/2.0/TCP scscf.example;branch=z9hG4bKx\r\n%s"
		 "From: <sip:b@d>;tag=1\r\nTo: <sip:pool-00000@ims.example.net>\r\nCall-ID: q\r\n"
		 "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
		 method, route, method);
	rig_core_send(text);
	ck_assert_int_eq(sscanf(rig_core_text(), "SIP/2.0 %u ", &status), 1);
	return status;
}

static unsigned invite(const char *route) {
	return ask("INVITE", route);
}

static void path_to_route(char *route, size_t size) {
	const char *at = strstr(rig.request_text, "\r\nPath: ");

	ck_assert_ptr_nonnull(at);
	at += strlen("\r\nPath: ");
	snprintf(route, size, "Route: %.*s\r\n", (int)strcspn(at, "\r"), at);
}

// What terminates at a flow is refused here in any case; at one that has gone, or is another owner's by
// now, the S-CSCF hears that (RFC 5626 5.3).
START_TEST(request_for_the_former_owner) {
	struct rig_lease old = rig_grant(600), new;
	char route[512], forged[512], *at;

	expect(&old, 200);
	path_to_route(route, sizeof(route));
	ck_assert_uint_eq(invite(route), 405);
	ck_assert_uint_eq(invite(""), 405);
	memcpy(forged, route, sizeof(forged));
	at = strchr(forged, '@') - 1;
	*at = *at == '0' ? '1' : '0';
	ck_assert_uint_eq(invite(forged), 430);
	ck_assert_uint_eq(invite("Route: <sip:l0.g.@gw;lr>\r\n"), 430);
	ck_assert_uint_eq(invite("Route: <sip:l99999999999.g1.00@gw;lr>\r\n"), 430);
	ck_assert_int_eq(lease_revoke(rig.leases, old.idx, old.gen), 0);
	env_sim_settle(rig.env);
	rig_core_next();
	ck_assert_uint_eq(invite(route), 430);
	rig_core_answer(200, "");
	env_sim_advance(rig.env, 6 * RG_NS_PER_S);
	do
		new = rig_grant(600);
	while (new.idx != old.idx);
	expect(&new, 200);
	ck_assert_uint_eq(invite(route), 430);
	path_to_route(route, sizeof(route));
	ck_assert_uint_eq(invite(route), 405);
	lease_flow_closed(rig.leases, new.idx, new.gen, new.conn);
	ck_assert_uint_eq(invite(route), 430);
}
END_TEST

// A Route that names us in another way: the core asks whether we are there, or is wrong.
START_TEST(request_to_us) {
	static const char *const users[] = {"pcscf@", "l@", "l0.g@", "lisa.green.1@", "l1.g1@", ""};
	struct rig_lease l = rig_grant(600);
	char route[64];

	expect(&l, 200);
	for (unsigned i = 0; i < sizeof(users) / sizeof(*users); i++) {
		snprintf(route, sizeof(route), "Route: <sip:%sgw;lr>\r\n", users[i]);
		ck_assert_uint_eq(ask("OPTIONS", route), 200);
		ck_assert_uint_eq(invite(route), 405);
	}
}
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("rows");

	tcase_add_checked_fixture(t, rig_start, rig_stop);
	tcase_add_test(t, t16_refresh_with_old_and_new_token);
	tcase_add_test(t, t17_second_identity_raises_an_alarm);
	tcase_add_test(t, t21_core_grants_7200);
	tcase_add_test(t, t24_dereg_200_lost);
	tcase_add_test(t, register_at_the_end_of_the_token);
	tcase_add_test(t, refresh_when_the_token_is_used_up);
	tcase_add_test(t, former_owner_comes_late);
	tcase_add_test(t, contact_of_the_former_owner);
	tcase_add_test(t, request_for_the_former_owner);
	tcase_add_test(t, request_to_us);
	suite_add_tcase(suite, t);
}

int main(void) {
	return rig_main("ims_rows", add);
}
