// SPDX-License-Identifier: BSD-3-Clause
// The check of histories: a row per promise, with a history that keeps it. One event of it replaced
// by another, and it must be refused for that promise. What no history shows is left out: I3 and that
// all pairs can be given out (INV-12) are looked for by the world itself.
#include <check.h>
#include <string.h>

#include "history.h"
#include "store/store.h"

#define SEC RG_NS_PER_S
#define GUARD_S 434
#define FULL 993 // as the engine's RG_E_EXHAUSTED is noted

#define EV(at, k, ...) \
	{ .at_ns = (at)*SEC, .kind = EV_##k, __VA_ARGS__ }
#define LEASE(p, g) .pair = (p), .gen = (g)
#define ASK(at, o, c) EV(at, INVOKE, .op = OP_##o, .client = (c))
#define ISSUE(at, o, c, p, g, t, end) \
	EV(at, ISSUE, LEASE(p, g), .op = OP_##o, .client = (c), .token = (t), .end_ns = (end)*SEC)
#define RECORD(at, p, g, t, end, ...)                                                             \
	EV(at, RECORD, LEASE(p, g), .token = (t), .asked_ns = ((end) + GUARD_S) * UINT64_C(1000), \
	   .told_ns = GUARD_S * SEC, __VA_ARGS__)
#define GOT(at, o, c, p, g, t, end, ...)                                                        \
	EV(at, OK, LEASE(p, g), .op = OP_##o, .client = (c), .token = (t), .end_ns = (end)*SEC, \
	   __VA_ARGS__)
#define BEGIN(at, c, p, g, t, end) ISSUE(at, GRANT, c, p, g, t, end), RECORD(at, p, g, t, end)
// Client c has pair p in generation g, by token t until end: three events.
#define GIVEN(at, c, p, g, t, end) BEGIN(at, c, p, g, t, end), GOT(at, GRANT, c, p, g, t, end)
#define BIND(at, p, g, end, ...)                                                          \
	EV(at, BIND, LEASE(p, g), .token = 77, .end_ns = (end)*SEC, .told_ns = (end)*SEC, \
	   .asked_ns = 100 * SEC, __VA_ARGS__)
#define NOTHING EV(0, PAUSE)
#define FIRST GIVEN(0, 1, 0, 1, 1, 100) // client 1, pair 0, until 100
#define SECOND(g) GIVEN(600, 2, 0, g, 2, 800)

static const struct row {
	const char *name, *fault;
	struct history_event ev[12];
	size_t n, at;
	struct history_event bad; // instead of ev[at]
} rows[] = {
#define ROW(name, fault, at, bad, ...)                                  \
	{                                                               \
		name, fault, {__VA_ARGS__},                             \
			sizeof((struct history_event[]){__VA_ARGS__}) / \
				sizeof(struct history_event),           \
			at, bad                                         \
	}
#define BAD(...) __VA_ARGS__
	ROW("I1", "before the guard was over (I1", 5, BAD(GOT(533, GRANT, 2, 0, 2, 2, 800)), FIRST,
	    SECOND(2)),
	ROW("I2", "acknowledged token is not known (I2)", 4,
	    BAD(EV(20, FAIL, LEASE(0, 1), .op = OP_REGISTER, .client = 1, .token = 1,
		   .status = 401)),
	    FIRST, EV(20, INVOKE, LEASE(0, 1), .op = OP_REGISTER, .client = 1, .token = 1),
	    EV(20, FAIL, LEASE(0, 1), .op = OP_REGISTER, .client = 1, .token = 1, .status = 503)),
	ROW("I2, revoked", "200 for a revoked lease", 6, BAD(GOT(40, REGISTER, 1, 0, 1, 1, 60)),
	    FIRST, EV(10, INVOKE, LEASE(0, 1), .op = OP_REVOKE, .client = 1),
	    EV(10, OK, LEASE(0, 1), .op = OP_REVOKE, .client = 1), EV(20, CRASH),
	    EV(40, FAIL, LEASE(0, 1), .op = OP_REGISTER, .client = 1, .token = 1, .status = 401)),
	ROW("I4", "the generation went back (I4", 5, BAD(GOT(600, GRANT, 2, 0, 1, 2, 800)),
	    GIVEN(0, 1, 0, 2, 1, 100), SECOND(3)),
	ROW("I4, late answer", "the generation went back (I4", 3, BAD(NOTHING), FIRST,
	    ISSUE(50, RENEW, 1, 0, 1, 2, 150), RECORD(50, 0, 1, 2, 150, .token2 = 1),
	    GIVEN(60, 1, 0, 2, 3, 300), GOT(65, RENEW, 1, 0, 1, 2, 150)),
	ROW("I4, store", "went back in the store (I4", 4, BAD(RECORD(600, 0, 1, 2, 800)),
	    GIVEN(0, 1, 0, 2, 1, 100), SECOND(3)),
	ROW("INV-1", "one generation for two owners", 5, BAD(GOT(600, GRANT, 2, 0, 1, 2, 800)),
	    FIRST, SECOND(2)),
	ROW("INV-2", "two pairs have one identity", 1,
	    BAD(EV(0, PROVISION, .pair = 1, .token = 2, .token2 = 1)),
	    EV(0, PROVISION, .pair = 0, .token = 1, .token2 = 1),
	    EV(0, PROVISION, .pair = 1, .token = 2, .token2 = 2)),
	ROW("INV-2, core", "another pair's identity goes with it", 5, BAD(NOTHING), FIRST,
	    EV(20, OTHER_ID, LEASE(0, 1)), RECORD(21, 0, 1, 1, 100, .flags = STORE_SUSPECT),
	    EV(500, CLEAR, .pair = 0), SECOND(2)),
	ROW("INV-2, another gateway", "another pair's identity goes with it", 4,
	    BAD(RECORD(21, 0, 1, 1, 100, .flags = STORE_SUSPECT)), FIRST,
	    EV(20, OTHER_ID, LEASE(0, 1), .gateway = 1), NOTHING, SECOND(2)),
	ROW("INV-2, told before", "another pair's identity goes with it", 4, BAD(NOTHING), FIRST,
	    EV(10, INVOKE, LEASE(0, 1), .op = OP_REGISTER, .token = 1), EV(15, CLEAR, .pair = 0),
	    EV(20, OTHER_ID, LEASE(0, 1), .token = 1), SECOND(2)),
	ROW("INV-3", "pair of another pool (INV-3)", 2,
	    BAD(GOT(0, GRANT, 1, 5, 1, 1, 100, .pool = 0)), BEGIN(0, 1, 5, 1, 1, 100),
	    GOT(0, GRANT, 1, 5, 1, 1, 100, .pool = 1)),
	ROW("INV-4", "lowered without a release (INV-4)", 3, BAD(RECORD(50, 0, 1, 1, 60)), FIRST,
	    RECORD(50, 0, 1, 0, 60, .is_over = true)),
	ROW("INV-4, moved", "lowered without a release (INV-4)", 3,
	    BAD(RECORD(50, 0, 1, 0, 60, .is_over = true, .flags = STORE_MOVED)), FIRST,
	    RECORD(50, 0, 1, 0, 60, .is_over = true)),
	ROW("INV-5", "an old generation reached the core", 6, BAD(BIND(610, 0, 1, 700)), FIRST,
	    SECOND(2), BIND(610, 0, 2, 700)),
	ROW("INV-5, answer", "200 for a generation that is over (INV-5)", 6,
	    BAD(GOT(610, REGISTER, 1, 0, 1, 1, 90)), FIRST, SECOND(2),
	    EV(610, FAIL, LEASE(0, 1), .op = OP_REGISTER, .client = 1, .token = 1, .status = 401)),
	ROW("INV-5, end", "ended the next owner's binding (INV-5)", 7,
	    BAD(EV(620, UNBIND, LEASE(0, 1), .token = 77)), FIRST, SECOND(2), BIND(610, 0, 2, 700),
	    EV(620, UNBIND, LEASE(0, 2), .token = 77)),
	ROW("INV-6", "before it was on record (I2, INV-6)", 1, BAD(NOTHING), FIRST),
	ROW("INV-6, renewal", "before it was on record (I2, INV-6)", 4,
	    BAD(RECORD(50, 0, 1, 1, 100)), FIRST, ISSUE(50, RENEW, 1, 0, 1, 2, 150),
	    RECORD(50, 0, 1, 2, 150, .token2 = 1), GOT(50, RENEW, 1, 0, 1, 2, 150)),
	ROW("INV-6, end", "a token outlasts its pair (INV-6)", 1,
	    BAD(EV(0, RECORD, LEASE(0, 1), .token = 1, .told_ns = (GUARD_S - 1) * SEC)), FIRST),
	ROW("INV-7", "while the core still has it bound (I1, INV-7)", 3, BAD(BIND(10, 0, 1, 601)),
	    FIRST, BIND(10, 0, 1, 599), SECOND(2)),
	ROW("INV-7, evidence", "before the guard was over (I1", 5,
	    BAD(EV(80, UNBIND, LEASE(0, 1), .token = 77, .n_left = 1)), FIRST, BIND(10, 0, 1, 100),
	    EV(15, FLOW_LOST, LEASE(0, 1)), EV(80, UNBIND, LEASE(0, 1), .token = 77),
	    GIVEN(85, 2, 0, 2, 2, 300)),
	ROW("INV-7, guard", "before the guard was over (I1", 8,
	    BAD(GOT(84, GRANT, 2, 0, 2, 2, 300)), FIRST, BIND(10, 0, 1, 100),
	    EV(15, FLOW_LOST, LEASE(0, 1)), EV(80, UNBIND, LEASE(0, 1), .token = 77),
	    GIVEN(85, 2, 0, 2, 2, 300)),
	ROW("INV-7, move", "the record does not say so (INV-7)", 3,
	    BAD(RECORD(10, 0, 1, 1, 100, .gateway = 2)), FIRST,
	    RECORD(10, 0, 1, 1, 100, .gateway = 2, .flags = STORE_MOVED)),
	ROW("INV-7, moved", "the record does not name (INV-7)", 3, BAD(NOTHING), FIRST,
	    RECORD(10, 0, 1, 1, 100, .gateway = 2, .flags = STORE_MOVED),
	    BIND(11, 0, 1, 100, .gateway = 2)),
	ROW("INV-7, moved end", "a gateway that the record does not name (INV-7)", 3, BAD(NOTHING),
	    FIRST, RECORD(10, 0, 1, 1, 100, .gateway = 2, .flags = STORE_MOVED),
	    EV(11, UNBIND, LEASE(0, 1), .token = 77, .gateway = 2)),
	ROW("INV-8", "longer than T_reg asked of the core (INV-8)", 3,
	    BAD(EV(10, BIND, LEASE(0, 1), .asked_ns = 3601 * SEC)), FIRST,
	    EV(10, BIND, LEASE(0, 1), .asked_ns = 3600 * SEC)),
	ROW("INV-9", "registered past the token (INV-9)", 4,
	    BAD(GOT(11, REGISTER, 1, 0, 1, 1, 101)), FIRST, BIND(10, 0, 1, 200),
	    GOT(11, REGISTER, 1, 0, 1, 1, 100)),
	ROW("INV-9, core", "registered longer than in the core (INV-9)", 4,
	    BAD(GOT(11, REGISTER, 1, 0, 1, 1, 91)), FIRST, BIND(10, 0, 1, 90),
	    GOT(11, REGISTER, 1, 0, 1, 1, 90)),
	ROW("INV-10", "two flows hold one lease (INV-10)", 4, BAD(NOTHING), FIRST,
	    EV(10, FLOW, LEASE(0, 1), .token = 1, .end_ns = 90 * SEC),
	    EV(20, FLOW_END, LEASE(0, 1), .token = 1),
	    EV(20, FLOW, LEASE(0, 1), .token = 2, .end_ns = 90 * SEC)),
	ROW("INV-11", "not known who had it (INV-11)", 3, BAD(GOT(1009, GRANT, 1, 0, 1, 1, 1200)),
	    EV(10, STORE_LOST), BEGIN(1010, 1, 0, 1, 1, 1200), GOT(1010, GRANT, 1, 0, 1, 1, 1200)),
	ROW("INV-12", "before the guard was over (I1", 6, BAD(GOT(10, GRANT, 2, 0, 2, 2, 200)),
	    FIRST, ASK(10, GRANT, 2), BEGIN(10, 2, 0, 2, 2, 200),
	    EV(10, FAIL, .op = OP_GRANT, .client = 2, .status = FULL)),
	ROW("suspect", "an operator took it out of rotation", 1, BAD(NOTHING),
	    EV(0, SUSPECT, .pair = 0), EV(1, CLEAR, .pair = 0), ASK(2, GRANT, 1),
	    GIVEN(2, 1, 0, 1, 1, 100)),
	ROW("suspect, another gateway", "on record as out of rotation", 2, BAD(NOTHING),
	    EV(0, SUSPECT, .pair = 0, .gateway = 1),
	    EV(1, RECORD, .pair = 0, .is_free = true, .flags = STORE_SUSPECT),
	    EV(2, CLEAR, .pair = 0), GIVEN(3, 1, 0, 1, 1, 100)),
	ROW("drain", "out of a pool that drains", 1, BAD(NOTHING),
	    EV(0, DRAIN, .pool = 0, .flags = 1), EV(1, DRAIN, .pool = 0), ASK(2, GRANT, 1),
	    GIVEN(2, 1, 0, 1, 1, 100)),
	ROW("import", "nothing provisions it", 0, BAD(NOTHING),
	    EV(0, RECORD, .pair = 8, .is_free = true, .flags = STORE_IMPORTED),
	    ISSUE(1, GRANT, 1, 8, 1, 1, 100), RECORD(1, 8, 1, 1, 100, .flags = STORE_IMPORTED),
	    GOT(1, GRANT, 1, 8, 1, 1, 100)),
	ROW("INV-7, release", "before the guard was over (I1", 3, BAD(NOTHING), FIRST,
	    EV(10, INVOKE, LEASE(0, 1), .op = OP_RELEASE), GIVEN(15, 2, 0, 2, 2, 300)),
	ROW("INV-7, release of what was ended whole", "before the guard was over (I1", 3,
	    BAD(EV(9, UNBIND, LEASE(0, 1), .token = 77)), FIRST,
	    EV(9, UNBIND, LEASE(0, 1), .is_star = true),
	    EV(10, INVOKE, LEASE(0, 1), .op = OP_RELEASE), GIVEN(15, 2, 0, 2, 2, 300)),
	ROW("INV-7, release of what was used", "before the guard was over (I1", 3,
	    BAD(BIND(9, 0, 1, 12)), FIRST, NOTHING, EV(10, INVOKE, LEASE(0, 1), .op = OP_RELEASE),
	    GIVEN(15, 2, 0, 2, 2, 300)),
	ROW("INV-13", "another pair has been free for longer (INV-13)", 3,
	    BAD(ISSUE(10, GRANT, 1, 0, 1, 1, 100)), EV(0, FREE, .pair = 0, .asked_ns = 3),
	    EV(0, FREE, .pair = 1, .asked_ns = 2), EV(0, FREE, .pair = 5, .asked_ns = 1),
	    ISSUE(10, GRANT, 1, 1, 1, 1, 100)),
};

static const struct history_rules rules = {
	.guard_ns = GUARD_S * SEC,
	.release_guard_ns = 5 * SEC,
	.flow_grace_ns = 60 * SEC,
	.reg_max_ns = 3600 * SEC,
	.core_slack_ns = 360 * SEC,
	.token_floor_ns = 70 * SEC,
	.hold_ns = 1000 * SEC,
	.pool_of = {0, 0, 0, 0, 0, 1, 2, 2},
	.imported = 1u << 8,
	.is_revoke_durable = true,
};

static struct history h;

static void fill(const struct row *r) {
	history_clear(&h);
	for (size_t i = 0; i < r->n; i++)
		history_add(&h, &r->ev[i]);
}

START_TEST(a_good_one_is_accepted) {
	const char *fault;
	size_t at;

	fill(&rows[_i]);
	fault = history_check(&h, &rules, &at);
	ck_assert_msg(fault == NULL, "%s: event %zu: %s", rows[_i].name, at, fault);
}
END_TEST

START_TEST(a_bad_one_is_refused) {
	const struct row *r = &rows[_i];
	const char *fault;
	size_t at;

	fill(r);
	h.ev[r->at] = r->bad;
	fault = history_check(&h, &rules, &at);
	ck_assert_msg(fault != NULL && strstr(fault, r->fault) != NULL, "%s: %s", r->name,
		      fault == NULL ? "accepted" : fault);
	ck_assert_msg(at >= r->at, "%s: event %zu", r->name, at);
}
END_TEST

int main(void) {
	Suite *s = suite_create("history");
	TCase *tc = tcase_create("history");
	SRunner *sr = srunner_create(s);
	int failed, n = sizeof(rows) / sizeof(*rows);

	tcase_add_loop_test(tc, a_good_one_is_accepted, 0, n);
	tcase_add_loop_test(tc, a_bad_one_is_refused, 0, n);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
