// SPDX-License-Identifier: BSD-3-Clause
// The audit record: one line to each attempt, what it says, what it never says, and its bounds.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

static char said[1 << 20];

// How many records there are; said is the log.
static unsigned records(void) {
	ssize_t n = pread(rig.log_fd, said, sizeof(said) - 1, 0);
	unsigned count = 0;

	said[n < 0 ? 0 : n] = '\0';
	for (const char *p = said; (p = strstr(p, " msg=audit.register ")) != NULL; p++)
		count++;
	return count;
}

static void expect(unsigned n, const char *text) {
	ck_assert_uint_eq(records(), n);
	ck_assert_msg(strstr(said, text) != NULL, "no '%s' in:\n%s", text, said);
}

static void start(void) {
	rig_start();
	rig.conf.audit = CONF_AUDIT_ALL;
	rig.conf.audit_sample = 3;
	rig.conf.audit_rate = 1000;
}

START_TEST(one_each) {
	struct rig_lease c = rig_grant(7200), none = c;
	char head[17];

	log_set_level(rig.log, LOG_ERROR); // asked for by its own key
	rig_register_well(&c);
	expect(1, "msg=audit.register kind=initial status=200 source=core scenario=anonymous "
		  "flow=");
	snprintf(head, sizeof(head), "%02x%02x%02x%02x%02x%02x%02x%02x", c.digest.b[0],
		 c.digest.b[1], c.digest.b[2], c.digest.b[3], c.digest.b[4], c.digest.b[5],
		 c.digest.b[6], c.digest.b[7]);
	ck_assert_ptr_nonnull(strstr(said, head));
	ck_assert_ptr_nonnull(strstr(said, c.impu));
	rig_send(&c, &(struct rig_register){.to = "sip:x@ims.example.net"});
	rig_expect_status(403);
	expect(2, "kind=re status=403 source=local");
	rig_send(&c, &(struct rig_register){.expires = -1});
	rig_core_next();
	rig_core_answer(200, "");
	rig_expect_status(200);
	expect(3, "kind=dereg status=200 source=core");
	memset(&none.digest, 7, sizeof(none.digest));
	rig_send(&none, &(struct rig_register){0});
	rig_expect_status(401);
	expect(4, "status=401 source=local scenario=none");
	ck_assert_ptr_null(strstr(said, c.token));
}
END_TEST

START_TEST(off) {
	struct rig_lease c = rig_grant(7200);

	rig.conf.audit = CONF_AUDIT_OFF;
	rig_register_well(&c);
	ck_assert_uint_eq(records(), 0);
}
END_TEST

START_TEST(sampled) {
	struct rig_lease c = rig_grant(7200);

	rig.conf.audit = CONF_AUDIT_SAMPLED;
	for (unsigned i = 0; i < 7; i++) { // 1st, 4th, 7th
		rig_send(&c, &(struct rig_register){.contact = ""});
		rig_expect_status(200);
		rig.n_taken = rig.n_replies = 0;
	}
	expect(3, "kind=fetch");
	for (unsigned i = 0; i < 2; i++) { // each that does not go well
		rig_send(&c, &(struct rig_register){.to = "sip:x@ims.example.net"});
		rig_expect_status(403);
	}
	expect(5, "status=403");
}
END_TEST

START_TEST(bounded) {
	struct rig_lease c = rig_grant(7200);

	rig.conf.audit_rate = 4;
	for (unsigned i = 0; i < 6; i++) {
		rig_send(&c, &(struct rig_register){.contact = ""});
		rig_expect_status(200);
		rig.n_taken = rig.n_replies = 0;
	}
	ck_assert_uint_eq(records(), 4);
	ck_assert_uint_eq(ims_get_kpi(rig.ims)->count[KPI_AUDIT_LOST], 2);
	env_sim_advance(rig.env, RG_NS_PER_S / 4);
	rig_send(&c, &(struct rig_register){.contact = ""});
	rig_expect_status(200);
	ck_assert_uint_eq(records(), 5);
}
END_TEST

// What the client writes starts neither a line nor a field.
START_TEST(no_injection) {
	struct rig_lease c = rig_grant(7200);
	unsigned n_lines = 0;

	rig_send(&c, &(struct rig_register){.to = "sip:a;status=200@ims.example.net"});
	rig.n_taken = rig.n_replies;
	expect(1, "status=40");
	for (const char *p = said; *p != '\0'; p++) {
		n_lines += *p == '\n';
		ck_assert(*p == '\n' || (*p >= ' ' && *p < 0x7f));
	}
	ck_assert_ptr_nonnull(strstr(said, "impu=\"sip:a;status=200@ims.example.net\" token="));
	ck_assert_uint_eq(n_lines, 3); // lease.granted, ims.forbidden, and the record
}
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("audit");

	tcase_add_checked_fixture(t, start, rig_stop);
	tcase_add_test(t, one_each);
	tcase_add_test(t, off);
	tcase_add_test(t, sampled);
	tcase_add_test(t, bounded);
	tcase_add_test(t, no_injection);
	suite_add_tcase(suite, t);
}

int main(void) {
	return rig_main("ims_audit", add);
}
