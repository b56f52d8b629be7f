// SPDX-License-Identifier: BSD-3-Clause
// Key figures: one attempt of each kind is counted once, where it belongs, and nowhere else.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

static char found[4096];

// "NAME{LABELS} VALUE\n" of all that is above zero.
static void note(void *arg, const struct kpi_row *r) {
	size_t len = strlen(found);

	(void)arg;
	ck_assert_uint_gt(strlen(r->text), 0);
	if (r->value > 0)
		snprintf(found + len, sizeof(found) - len, "%s{%s} %lu\n", r->name, r->labels,
			 r->value);
}

static void walk(void) {
	found[0] = '\0';
	kpi_walk(ims_get_kpi(rig.ims), note, NULL);
}

static void expect(const char *line) {
	walk();
	ck_assert_msg(strstr(found, line) != NULL, "no '%s' in:\n%s", line, found);
}

static void expect_no(const char *text) {
	walk();
	ck_assert_msg(strstr(found, text) == NULL, "'%s' in:\n%s", text, found);
}

START_TEST(initial_and_re) {
	struct rig_lease c = rig_grant(7200), a = rig_grant_account(7200);

	rig_register_well(&c);
	expect("UR.AttInitReg{scenario=anonymous,source=core} 1\n"
	       "UR.SuccInitReg{scenario=anonymous,source=core} 1\n");
	expect("RRD.seconds{source=core,le=+Inf} 1\n");
	expect("core.answers{class=2xx} 1\n");
	expect_no("ReReg");
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_STALE});
	rig_core_ok(3600);
	rig_expect_status(200);
	expect("UR.SuccReReg{scenario=anonymous,source=core} 1\n");
	expect("UR.SuccInitReg{scenario=anonymous,source=core} 1\n");
	rig_register_well(&a);
	expect("UR.SuccInitReg{scenario=account,source=core} 1\n");
	expect_no("Fail");
	expect_no("DeReg");
	expect_no("safety");
}
END_TEST

START_TEST(refused_by_the_core) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	rig_core_answer(423, "Min-Expires: 100000\r\n");
	rig_expect_status(403);
	expect("UR.AttInitReg{scenario=anonymous,source=core} 1\n"
	       "UR.FailInitReg{scenario=anonymous,source=core,cause=403} 1\n");
	expect("core.423{} 1\n");
	expect("core.answers{class=4xx} 1\n");
	expect_no("RRD");
	expect_no("Succ");
}
END_TEST

START_TEST(no_answer_is_unknown) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	env_sim_advance(rig.env, 9 * RG_NS_PER_S);
	rig_expect_status(504);
	expect("UR.FailInitReg{scenario=anonymous,source=core,cause=504} 1\n");
	expect("safety.unknown_outcomes{} 1\n");
}
END_TEST

START_TEST(refused_here) {
	struct rig_lease c = rig_grant(7200), none = c;

	rig_send(&c, &(struct rig_register){.to = "sip:x@ims.example.net"});
	rig_expect_status(403);
	expect("UR.FailInitReg{scenario=anonymous,source=local,cause=403} 1\n");
	memset(&none.digest, 7, sizeof(none.digest));
	rig_send(&none, &(struct rig_register){0});
	rig_expect_status(401);
	expect("UR.FailInitReg{scenario=none,source=local,cause=401} 1\n");
	expect("token.verified{reason=no-lease} 1\n");
}
END_TEST

START_TEST(deregistered) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	rig_send(&c, &(struct rig_register){.expires = -1, .is_bound = true});
	rig_core_next();
	rig_core_answer(200, "");
	rig_expect_status(200);
	expect("UR.SuccDeRegUe{scenario=anonymous,source=core} 1\n");
	expect_no("early"); // its user may register again
	rig_send(&c, &(struct rig_register){.expires = -1, .is_bound = true});
	rig_expect_status(200);
	expect("UR.SuccDeRegUe{scenario=anonymous,source=local} 1\n");
	expect_no("DeRegGw");
}
END_TEST

START_TEST(left_alone) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	lease_flow_closed(rig.leases, c.idx, c.gen, c.conn);
	env_sim_advance(rig.env, 61 * RG_NS_PER_S);
	rig_core_next();
	rig_core_answer(200, "");
	expect("regate.SuccDeRegGw{scenario=anonymous,source=core} 1\n");
	expect("safety.early_releases{} 1\n");
	expect_no("DeRegUe");
}
END_TEST

START_TEST(background_refresh) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	for (unsigned i = 0; i < 2; i++) {
		env_sim_advance(rig.env,
				rig_lease_of(&c)->binding.core_refresh_ns - env_now_ns(rig.env));
		ims_refresh(rig.ims, c.idx, c.gen);
		if (i == 0) {
			rig_core_ok(3600);
		} else {
			rig_core_next();
			rig_core_answer(500, "");
		}
	}
	expect("regate.AttReRegGw{scenario=anonymous,source=core} 2\n"
	       "regate.SuccReRegGw{scenario=anonymous,source=core} 1\n"
	       "regate.FailReRegGw{scenario=anonymous,source=core,cause=500} 1\n");
	expect_no("UR.AttReReg");
}
END_TEST

START_TEST(revoked_under_way) {
	struct rig_lease c = rig_grant(7200);

	rig_send(&c, &(struct rig_register){0});
	rig_core_next();
	ck_assert_int_eq(lease_revoke(rig.leases, c.idx, c.gen), 0);
	rig_core_answer(200, "Contact: " RIG_CONTACT ";expires=3600\r\n");
	expect("safety.generation_rejects{} 1\n");
}
END_TEST

// A histogram is cumulative, and a step holds its own upper end.
START_TEST(steps) {
	struct kpi k = {0};

	kpi_took(&k, KPI_CORE, RG_NS_PER_MS);
	kpi_took(&k, KPI_CORE, RG_NS_PER_MS + 1);
	kpi_took(&k, KPI_CORE, 3600 * RG_NS_PER_S);
	found[0] = '\0';
	kpi_walk(&k, note, NULL);
	ck_assert_ptr_nonnull(strstr(found, "RRD.seconds{source=core,le=0.001} 1\n"
					    "RRD.seconds{source=core,le=0.002} 2\n"));
	ck_assert_ptr_nonnull(strstr(found, "le=10} 2\nRRD.seconds{source=core,le=+Inf} 3\n"));
	ck_assert_ptr_null(strstr(found, "source=local"));
}
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("kpi");

	tcase_add_checked_fixture(t, rig_start, rig_stop);
	tcase_add_test(t, initial_and_re);
	tcase_add_test(t, refused_by_the_core);
	tcase_add_test(t, no_answer_is_unknown);
	tcase_add_test(t, refused_here);
	tcase_add_test(t, deregistered);
	tcase_add_test(t, left_alone);
	tcase_add_test(t, background_refresh);
	tcase_add_test(t, revoked_under_way);
	tcase_add_test(t, steps);
	suite_add_tcase(suite, t);
}

int main(void) {
	return rig_main("ims_kpi", add);
}
