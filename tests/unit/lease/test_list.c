// SPDX-License-Identifier: BSD-3-Clause
// Finding pairs by name, and walking over those that a filter lets through.
#include <stdio.h>

#include "lease_fixture.h"

#define N 20 // pairs p0.. of pool 0 and WWSF 7; the account alice of WWSF 8 is number N

static struct fix f;

static void setup(void) {
	fix_init(&f, N);
	fix_grant(&f, "a");
	fix_grant(&f, "b");
	fix_grant(&f, "a");
	fix_account(&f, "alice");
	fix_register(&f, 1, fix_lease(&f, 1)->gen, 5);
}

static void teardown(void) {
	fix_fini(&f);
}

#define ANY \
	{ .pool = -1, .wwsf = -1, .state = -1 }

static const struct {
	struct lease_filter filter;
	const char *idx;
} scans[] = {
	{ANY, "0 1 2 20 "},
	{{0, -1, -1, false, NULL, {0}}, "0 1 2 "},
	{{UINT16_MAX, -1, -1, false, NULL, {0}}, "20 "},
	{{3, -1, -1, false, NULL, {0}}, ""},
	{{-1, 8, -1, false, NULL, {0}}, "20 "},
	{{-1, 7, LEASE_OFFERED, false, NULL, {0}}, "0 2 "},
	{{-1, -1, LEASE_ACTIVE, false, NULL, {0}}, "1 "},
	{{-1, -1, LEASE_FREE, false, NULL, RG_LIT("sip:p1")}, "10 11 12 13 14 15 16 17 18 19 "},
	{{-1, -1, LEASE_FREE, false, NULL, RG_LIT("SIP:P10@X")}, "10 "},
	{{-1, -1, LEASE_FREE, false, NULL, RG_LIT("sip:p10@x.")}, ""},
	{{-1, -1, LEASE_FREE, false, "a", {0}}, ""},
	{{-1, -1, -1, false, "a", {0}}, "0 2 "},
	{{-1, -1, -1, false, "A", {0}}, ""},
	{{-1, -1, -1, false, "alice", {0}}, "20 "},
	{{-1, -1, LEASE_OFFERED, false, "b", {0}}, ""},
};

// Steps of all lengths see the same pairs, each once.
static void check_scan(const struct lease_filter *filter, const char *want) {
	for (unsigned step = 1; step < N + 3; step++) {
		char got[256] = "";
		uint32_t idx = 0;
		unsigned n_seen = 0;

		while (idx < lease_n_pairs(f.e)) {
			unsigned n = step;

			if (lease_scan(f.e, filter, &idx, &n))
				snprintf(got + strlen(got), sizeof(got) - strlen(got), "%u ",
					 idx++);
			n_seen += step - n;
		}
		ck_assert_str_eq(got, want);
		ck_assert_uint_eq(n_seen, N + 1);
	}
}

START_TEST(scan) {
	check_scan(&scans[_i].filter, scans[_i].idx);
	fix_restart(&f, 100);
	if (scans[_i].filter.state != LEASE_ACTIVE && scans[_i].filter.state != LEASE_OFFERED)
		check_scan(&scans[_i].filter, scans[_i].idx);
}
END_TEST

START_TEST(owner_goes_with_the_lease) {
	const struct lease_filter of_a = {-1, -1, -1, false, "a", {0}};

	ck_assert_int_eq(lease_revoke(f.e, 0, fix_lease(&f, 0)->gen), 0);
	check_scan(&of_a, "0 2 "); // in quarantine
	fix_advance(&f, FIX_LIFE + FIX_GUARD);
	check_scan(&of_a, "");
	ck_assert_int_eq(fix_lease(&f, 0)->state, LEASE_FREE);
}
END_TEST

static const struct {
	const char *name;
	uint32_t idx;
} finds[] = {
	{"sip:p0@x", 0},     {"p0@x", 0},
	{"P19@X", 19},       {"SIP:p7@x", 7},
	{"alice@x", N},      {"alice", RG_LEASE_NONE},
	{"", RG_LEASE_NONE}, {"p20@x", RG_LEASE_NONE},
};

START_TEST(find) {
	ck_assert_uint_eq(lease_find(f.e, finds[_i].name), finds[_i].idx);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_list");
	TCase *tc = tcase_create("list");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, scan, 0, sizeof(scans) / sizeof(*scans));
	tcase_add_test(tc, owner_goes_with_the_lease);
	tcase_add_loop_test(tc, find, 0, sizeof(finds) / sizeof(*finds));
	suite_add_tcase(s, tc);
	return fix_main(s);
}
