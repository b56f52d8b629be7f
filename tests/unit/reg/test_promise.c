// SPDX-License-Identifier: BSD-3-Clause
// What a local 200 promises: how long, for which question, and never more than the token and the core's
// binding allow, as a property over random questions.
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"

static struct ask a;

static const struct {
	const char *name, *expires;
	uint32_t core_left_s, token_left_s, low, high;
} grants[] = {
	{"asked for less than the most", "300", 3000, 3600, 270, 300},
	{"asked for more", "3600", 3000, 3600, 540, 600},
	{"asked for nothing", NULL, 3000, 3600, 540, 600},
	{"asked for the floor", "60", 3000, 3600, 60, 60},
	{"asked for less than the floor", "1", 3000, 3600, 60, 60},
	{"core limits", "600", 430, 3600, 360, 400},
	{"core limits to the floor", "600", 90, 3600, 60, 60},
	{"token limits", "600", 3000, 200, 180, 200},
	{"2^32-1", "4294967295", 3000, 3600, 540, 600},
};

// Over many transactions the jitter stays in its range and uses most of it.
START_TEST(grant_table) {
	uint32_t low = UINT32_MAX, high = 0;
	char contact[300], cseq[16];

	ask_init(&a);
	a.lease.core_end_ns = NOW + grants[_i].core_left_s * S;
	a.lease.token_end_ns = NOW + grants[_i].token_left_s * S;
	snprintf(contact, sizeof(contact), "Contact: " ASK_CONTACT "%s%s\r\n",
		 grants[_i].expires == NULL ? "" : ";expires=", OR(grants[_i].expires, ""));
	for (unsigned i = 1; i <= 300; i++) {
		snprintf(cseq, sizeof(cseq), "%u", i);
		ask_write(&a, &(struct ask_text){.contact = contact, .cseq = cseq});
		ask_decide(&a);
		ck_assert_uint_eq(a.out.answer.status, 200);
		low = a.out.answer.expires < low ? a.out.answer.expires : low;
		high = a.out.answer.expires > high ? a.out.answer.expires : high;
	}
	ck_assert_msg(low >= grants[_i].low && high <= grants[_i].high, "%s: %u to %u",
		      grants[_i].name, low, high);
	ck_assert_uint_le((high - low) * 10, grants[_i].high);
	ck_assert_uint_ge((high - low) * 10 + 30, (grants[_i].high - grants[_i].low) * 10);
	// twice the same question, twice the same answer
	ask_decide(&a);
	high = a.out.answer.expires;
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.expires, high);
}
END_TEST

static uint32_t next(uint64_t *seed) {
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(*seed >> 33);
}

// A time around NOW: near its neighbours' limits, or far, or never.
static uint64_t some_time(uint64_t *seed) {
	switch (next(seed) % 8) {
	case 0:
		return next(seed) % 3 == 0 ? RG_NEVER : 0;
	case 1:
		return NOW + next(seed) % 200 * S + next(seed) % 3 - 1;
	case 2:
		return NOW - next(seed) % 100 * S;
	default:
		return NOW + (uint64_t)(next(seed) % 4000) * S + next(seed) % S;
	}
}

// INV-9 (ims.md 6.3), whatever the clocks and limits say; and every 200 has a Contact with expires.
START_TEST(promises) {
	uint64_t seed = (uint64_t)_i + 1;
	unsigned n_local = 0;
	char contact[300], cseq[16];

	for (unsigned i = 0; i < 4000; i++) {
		uint64_t end_ns, guard_ns;

		ask_init(&a);
		a.cfg.client_max_s = next(&seed) % 2 ? 600 : next(&seed) % 4000;
		a.cfg.client_min_s = next(&seed) % 2 ? 60 : next(&seed) % 700;
		a.cfg.guard_s = next(&seed) % 3 ? 30 : next(&seed) % 2000;
		a.lease.token_end_ns = some_time(&seed);
		a.lease.core_end_ns = some_time(&seed);
		a.lease.core_refresh_ns = next(&seed) % 2 ? RG_NEVER : some_time(&seed);
		if (next(&seed) % 2)
			ask_bind(&a);
		a.flow.bound.promise_end_ns = some_time(&seed);
		snprintf(contact, sizeof(contact), "Contact: " ASK_CONTACT ";expires=%u\r\n",
			 next(&seed) % 3 ? next(&seed) % 1000 : next(&seed));
		snprintf(cseq, sizeof(cseq), "%u", next(&seed) % 1000);
		ask_write(&a, &(struct ask_text){.contact = next(&seed) % 4 ? contact : "",
						 .cseq = cseq});
		ask_decide(&a);
		if (a.out.verdict != REG_ANSWER || a.out.answer.status != 200)
			continue;
		n_local++;
		end_ns = a.now_ns + a.out.answer.expires * S;
		guard_ns = a.cfg.guard_s * S;
		ck_assert_uint_le(end_ns, a.lease.token_end_ns);
		ck_assert_uint_le(end_ns + guard_ns, a.lease.core_end_ns);
		ck_assert_uint_gt(a.out.answer.expires, 0);
		ck_assert_uint_gt(a.out.answer.contact.len, 0);
		if (a.out.is_bind)
			ck_assert_uint_eq(a.out.bound.promise_end_ns, end_ns);
		else
			ck_assert_uint_le(end_ns, a.flow.bound.promise_end_ns);
	}
	ck_assert_uint_gt(n_local, 400);
}
END_TEST

int main(void) {
	Suite *s = suite_create("reg_promise");
	TCase *t = tcase_create("promise");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, grant_table, 0, sizeof(grants) / sizeof(*grants));
	tcase_add_loop_test(t, promises, 0, 3);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
