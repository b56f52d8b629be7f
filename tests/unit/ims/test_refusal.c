// SPDX-License-Identifier: BSD-3-Clause
// refusal.c and op.c: every row of ims.md 1.6 that is not a 200, and no answer at all.
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

static const struct {
	unsigned core, client;
	enum lease_state state; // of a lease that was OFFERED
} rows[] = {
	{300, 504, LEASE_OFFERED}, {302, 504, LEASE_OFFERED}, {400, 500, LEASE_OFFERED},
	{401, 500, LEASE_OFFERED}, {403, 403, LEASE_OFFERED}, {404, 403, LEASE_OFFERED},
	{405, 500, LEASE_OFFERED}, {407, 500, LEASE_OFFERED}, {408, 504, LEASE_UNKNOWN},
	{420, 500, LEASE_OFFERED}, {480, 504, LEASE_OFFERED}, {486, 500, LEASE_OFFERED},
	{500, 500, LEASE_OFFERED}, {503, 504, LEASE_OFFERED}, {504, 504, LEASE_UNKNOWN},
	{513, 500, LEASE_OFFERED}, {600, 403, LEASE_OFFERED}, {604, 403, LEASE_OFFERED},
	{423, 500, LEASE_OFFERED}, // without Min-Expires
};

START_TEST(status_table) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(rows[_i].core, "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n");
	rig_expect_status(rows[_i].client);
	// the core's challenge is not the client's (ims.md 1.6)
	ck_assert_ptr_null(strstr(rig.replies[0].text, "Digest"));
	ck_assert_uint_eq(rig.replies[0].r.flags, 0);
	ck_assert_int_eq(rig_lease_of(&c)->state, rows[_i].state);
	rig_expect_silence();
}
END_TEST

// ims.md 6.4: a pair that the HSS bars leaves the rotation; one that was registered before does not.
START_TEST(barred_pair_is_suspect) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(_i == 0 ? 403 : 404, "");
	rig_expect_status(403);
	ck_assert_int_eq(rig_lease_of(&c)->suspect,
			 _i == 0 ? LEASE_SUSPECT_FORBIDDEN : LEASE_SUSPECT_UNKNOWN);
}
END_TEST

// A new lease whose first REGISTER the core answers so.
static struct rig_lease first(unsigned status) {
	struct rig_lease c = rig_grant(7200);

	rig.n_replies = rig.n_taken = 0;
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(status, "Contact: " RIG_CONTACT ";expires=600\r\n");
	rig_expect_status(status == 200 ? 200 : 403);
	return c;
}

static uint32_t n_suspect(void) {
	struct lease_pool_stats st;

	env_sim_settle(rig.env);
	lease_get_pool_stats(rig.leases, 0, &st);
	return st.n_suspect;
}

// Eight of a pool in a row: it is the core's fault, and the pool stays in service.
START_TEST(core_that_refuses_all) {
	struct rig_lease c;

	for (unsigned i = 0; i < 7; i++)
		first(_i == 0 ? 403 : 404);
	ck_assert_uint_eq(n_suspect(), 7);
	c = first(403);
	ck_assert_uint_eq(n_suspect(), 0);
	rig_send(&c, &(struct rig_register){0}); // the same again
	rig_core_next();
	rig_core_answer(403, "");
	ck_assert_uint_eq(n_suspect(), 0);
	first(404);
	ck_assert_uint_eq(n_suspect(), 0);
	ck_assert_uint_eq(ims_get_stats(rig.ims)->refused_runs, 1);
	ck_assert_uint_eq(ims_get_stats(rig.ims)->suspects, 7);
	ck_assert_uint_eq(ims_get_stats(rig.ims)->suspects_spared, 3);
	first(200); // it is back: who is refused now is suspect
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(403, "");
	ck_assert_uint_eq(n_suspect(), 1);
}
END_TEST

// One that is accepted between them says that the others are to blame; one pair again and again is one.
START_TEST(refusals_that_are_not_all) {
	struct rig_lease c;

	for (unsigned i = 0; i < 8; i++)
		first(i == 4 ? 200 : 403);
	ck_assert_uint_eq(n_suspect(), 7);
	c = first(403);
	for (unsigned i = 0; i < 6; i++) {
		rig.n_replies = rig.n_taken = 0;
		rig_send(&c, &(struct rig_register){0});
		rig_core_next();
		rig_core_answer(403, "");
	}
	ck_assert_uint_eq(n_suspect(), 8);
	ck_assert_uint_eq(ims_get_stats(rig.ims)->refused_runs, 0);
}
END_TEST

START_TEST(refused_refresh_is_no_suspect) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_CORE_DUE});
	rig_core_next();
	rig_core_answer(403, "");
	rig_expect_status(403);
	ck_assert_int_eq(rig_lease_of(&c)->suspect, LEASE_SUSPECT_NONE);
}
END_TEST

// INV-2: the core lists an identity of another pair with this one.
START_TEST(other_pairs_identity_is_suspect) {
	struct rig_lease c = rig_grant(7200);
	const char *other = lease_at(rig.leases, c.idx == 0 ? 1 : 0)->impu;
	char lines[512];

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	snprintf(lines, sizeof(lines),
		 "Contact: " RIG_CONTACT ";expires=600\r\nP-Associated-URI: <%s>\r\n",
		 _i == 0 ? other : "sip:nobody@elsewhere.example");
	rig_core_answer(200, lines);
	rig_expect_status(200);
	ck_assert_int_eq(rig_lease_of(&c)->suspect,
			 _i == 0 ? LEASE_SUSPECT_IDENTITY : LEASE_SUSPECT_NONE);
}
END_TEST

// A refused refresh leaves the binding as it was.
START_TEST(refused_refresh) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_CORE_DUE});
	rig_core_next();
	rig_core_answer(500, "");
	rig_expect_status(500);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_ACTIVE);
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_CORE_DUE});
	env_sim_advance(rig.env, 8 * RG_NS_PER_S);
	rig_expect_status(504);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
}
END_TEST

START_TEST(too_brief_retried_once) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("Expires: 3600");
	rig_core_answer(423, "Min-Expires: 1200\r\n");
	rig_core_next();
	rig_expect_line("Expires: 1200");
	rig_expect_line("CSeq: 2 REGISTER");
	rig_core_answer(423, "Min-Expires: 1300\r\n");
	rig_expect_status(403);
	rig_expect_silence();
}
END_TEST

START_TEST(too_brief_granted) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(423, "Min-Expires: 1200\r\n");
	rig_core_ok(1200);
	rig_expect_status(200);
}
END_TEST

// A longer token would do: 401. Longer than T_reg never will (INV-8): 403.
START_TEST(too_brief_for_the_token) {
	struct rig_lease c = rig_grant(1000);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("Expires: 1000");
	rig_core_answer(423, "Min-Expires: 1200\r\n");
	rig_expect_status(401);
	ck_assert_ptr_nonnull(strstr(rig.replies[0].text, "error=\"invalid_token\""));
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(423, "Min-Expires: 3601\r\n");
	rig_expect_status(403);
	rig_expect_silence();
}
END_TEST

START_TEST(first_hop_lacks_outbound) {
	struct rig_lease c = rig_grant(7200);
	struct rig_reply *r;

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	ck_assert_uint_eq(rig_count(";ob>"), 1);
	rig_core_answer(439, "");
	rig_core_next();
	ck_assert_uint_eq(rig_count(";ob"), 0);
	rig_expect_line("Supported: path, gruu");
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	r = rig_reply();
	ck_assert_uint_eq(r->m.status, 200);
	ck_assert_ptr_null(strstr(r->text, "Require: outbound"));
	ck_assert_ptr_null(strstr(r->text, ";ob"));
}
END_TEST

START_TEST(lacks_outbound_twice) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	for (unsigned i = 0; i < 2; i++) {
		rig_core_next();
		rig_core_answer(439, "");
	}
	rig_expect_status(500);
	rig_expect_silence();
}
END_TEST

// RFC 3261 21.5.4: a core that asks for a rest gets it; de-registrations go on.
START_TEST(rest_for_the_core) {
	struct rig_lease a = rig_grant(7200), b = rig_grant(7200);
	struct rig_reply *r;

	rig_register_well(&b);
	rig_send(&a, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(503, "Retry-After: 5 (rest)\r\n");
	rig_expect_status(504);
	rig_send(&a, &(struct rig_register){0});
	r = rig_reply();
	ck_assert_uint_eq(r->m.status, 504);
	ck_assert_ptr_nonnull(strstr(r->text, "Retry-After: "));
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&a)->state, LEASE_OFFERED);
	rig_send(&b, &(struct rig_register){.expires = -1});
	rig_core_next();
	rig_expect_line("Expires: 0");
	env_sim_advance(rig.env, 5 * RG_NS_PER_S);
	rig_send(&a, &(struct rig_register){0});
	rig_core_next();
}
END_TEST

START_TEST(rest_is_bounded) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(503, "Retry-After: 99999\r\n");
	rig_expect_status(504);
	env_sim_advance(rig.env, 60 * RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
}
END_TEST

// Restoration: after a 504 the registration begins anew.
START_TEST(new_dialog_after_504) {
	struct rig_lease c = rig_grant(7200);
	char call_id[LEASE_CALL_ID_MAX];

	rig_register_well(&c);
	memcpy(call_id, rig_lease_of(&c)->core_call_id, sizeof(call_id));
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_CORE_DUE});
	rig_core_next();
	rig_core_answer(504, "");
	rig_expect_status(504);
	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_expect_line("CSeq: 1 REGISTER");
	rig_expect_no(call_id);
}
END_TEST

START_TEST(lost_answer) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	env_sim_advance(rig.env, 8 * RG_NS_PER_S - 1);
	rig_expect_silence();
	env_sim_advance(rig.env, 1);
	rig_expect_status(504);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	// the answer that was late after all belongs to nobody
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
	rig_send(&c, &(struct rig_register){0}); // and the client may try again
	rig_core_ok(3600);
	rig_expect_status(200);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_ACTIVE);
}
END_TEST

START_TEST(core_away) {
	struct rig_lease c = rig_grant(7200);

	env_sim_refuse(rig.env, &rig.conf.core.address, ECONNREFUSED);
	rig_send(&c, &(struct rig_register){0});
	rig_expect_status(504);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_OFFERED); // nothing was sent
	ck_assert(!ims_is_connected(rig.ims));
	env_sim_refuse(rig.env, &rig.conf.core.address, 0);
	env_sim_advance(rig.env, 100 * RG_NS_PER_MS);
	rig_send(&c, &(struct rig_register){0});
	rig_core_ok(3600);
	rig_expect_status(200);
}
END_TEST

START_TEST(connection_lost) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	env_sim_reset(rig.core, ECONNRESET);
	env_sim_settle(rig.env);
	rig_expect_status(504);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_UNKNOWN);
}
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("refusal");

	tcase_add_checked_fixture(t, rig_start, rig_stop);
	tcase_add_loop_test(t, status_table, 0, sizeof(rows) / sizeof(*rows));
	tcase_add_test(t, refused_refresh);
	tcase_add_loop_test(t, barred_pair_is_suspect, 0, 2);
	tcase_add_loop_test(t, core_that_refuses_all, 0, 2);
	tcase_add_test(t, refusals_that_are_not_all);
	tcase_add_test(t, refused_refresh_is_no_suspect);
	tcase_add_loop_test(t, other_pairs_identity_is_suspect, 0, 2);
	tcase_add_test(t, too_brief_retried_once);
	tcase_add_test(t, too_brief_granted);
	tcase_add_test(t, too_brief_for_the_token);
	tcase_add_test(t, first_hop_lacks_outbound);
	tcase_add_test(t, lacks_outbound_twice);
	tcase_add_test(t, rest_for_the_core);
	tcase_add_test(t, rest_is_bounded);
	tcase_add_test(t, new_dialog_after_504);
	tcase_add_test(t, lost_answer);
	tcase_add_test(t, core_away);
	tcase_add_test(t, connection_lost);
	suite_add_tcase(suite, t);
}

int main(void) {
	return rig_main("ims_refusal", add);
}
