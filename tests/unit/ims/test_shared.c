// SPDX-License-Identifier: BSD-3-Clause
// Where another gateway uses the store: what waits for the record, and who has gone to that gateway.
#include <check.h>
#include <string.h>

#include "rig.h"
#include "store/store_mem.h"

#define BYE                      \
	&(struct rig_register) { \
		.expires = -1    \
	}

static void advance(uint64_t ns) {
	env_sim_advance(rig.env, ns);
}

// As the other gateway does for a client that has come to it.
static void move_away(const struct rig_lease *c) {
	ck_assert_int_eq(lease_register_begin(rig.other, c->idx, c->gen,
					      lease_token_end_ns(rig_lease_of(c))),
			 RG_MORE);
	advance(2 * RG_NS_PER_MS);
}

static void expect_later(void) {
	struct rig_reply *r = rig_reply();

	ck_assert_msg(r->m.status == 503, "%s", r->text);
	ck_assert_ptr_nonnull(strstr(r->text, "Retry-After: 5\r\n"));
}

START_TEST(an_end_is_on_record_first) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	store_mem_set_delay(rig.store, RG_NS_PER_MS);
	rig_send(&c, BYE);
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_DEREG_PENDING);
	advance(2 * RG_NS_PER_MS);
	rig_core_next();
	rig_expect_line("Contact: " RIG_CONTACT ";expires=0");
	rig_core_answer(200, "");
	rig_expect_status(200);
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_OFFERED);
}
END_TEST

START_TEST(an_end_without_the_store) {
	struct rig_lease c = rig_grant(7200);

	rig_register_well(&c);
	store_mem_cut(rig.store, true);
	rig_send(&c, BYE);
	advance(10 * RG_NS_PER_MS);
	expect_later();
	rig_expect_silence();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_ACTIVE);
	store_mem_cut(rig.store, false);
	advance(10 * RG_NS_PER_S);
	rig_send(&c, BYE);
	advance(2 * RG_NS_PER_MS);
	rig_core_next();
	rig_core_answer(200, "");
	rig_expect_status(200);
}
END_TEST

// The client has gone on to the other gateway: its token is good.
START_TEST(moved_while_a_200_waits) {
	struct rig_lease c = rig_grant(600);

	advance(RG_NS_PER_S);
	store_mem_set_watch_delay(rig.store, RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){0});
	move_away(&c);
	rig_core_ok(3600); // longer than asked: on record before the client hears of it
	expect_later();
	ck_assert_int_eq(rig_lease_of(&c)->state, LEASE_OFFERED);
	lease_register_failed(rig.other, c.idx, c.gen, false);
}
END_TEST

// A grant elsewhere may be news still, but not of a lease that was ended: by us or by the other
// gateway.
START_TEST(young_token_of_an_ended_lease) {
	struct rig_lease c = rig_grant(600);
	struct rig_reply *r;

	rig.conf.store.is_etcd = true;
	advance(10 * RG_NS_PER_MS);
	ck_assert_int_eq(lease_revoke(_i == 1 ? rig.other : rig.leases, c.idx, c.gen), 0);
	advance(10 * RG_NS_PER_MS);
	rig_send(&c, &(struct rig_register){.reason = RG_WHY_TOKEN_NEW});
	r = rig_reply();
	ck_assert_msg(r->m.status == 401, "%s", r->text);
	ck_assert_ptr_nonnull(strstr(r->text, "error=\"invalid_token\""));
}
END_TEST

// Nor of one whose pair has its next owner. What is not known to be over may be renewed elsewhere.
START_TEST(young_token_of_a_later_generation) {
	struct rig_lease c = rig_grant(600), later = c;

	rig.conf.store.is_etcd = true;
	later.digest.b[0] ^= 1;
	rig_send(&later, &(struct rig_register){.reason = RG_WHY_TOKEN_NEW});
	rig_expect_status(503);
	advance(601 * RG_NS_PER_S);
	ck_assert(!lease_is_over(rig.leases, "pool-00000@ims.example.net", 1));
	advance(500 * RG_NS_PER_S);
	while (rig_grant(600).idx != c.idx)
		continue;
	ck_assert(lease_is_over(rig.leases, lease_at(rig.leases, c.idx)->impi, c.gen));
	ck_assert(!lease_is_over(rig.leases, lease_at(rig.leases, c.idx)->impi, c.gen + 1));
	ck_assert(!lease_is_over(rig.leases, "nobody@ims.example.net", 1));
}
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("shared");

	tcase_add_checked_fixture(t, rig_start_shared, rig_stop);
	tcase_add_test(t, an_end_is_on_record_first);
	tcase_add_test(t, an_end_without_the_store);
	tcase_add_test(t, moved_while_a_200_waits);
	tcase_add_loop_test(t, young_token_of_an_ended_lease, 0, 2);
	tcase_add_test(t, young_token_of_a_later_generation);
	suite_add_tcase(suite, t);
}

int main(void) {
	return rig_main("ims_shared", add);
}
