// SPDX-License-Identifier: BSD-3-Clause
// Large arrays: zeroed, aligned, touched lazily, given back whole.
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "regate/huge.h"

#define MIB ((size_t)1 << 20)
#define ALL (SIZE_MAX / 2) // of the process

// Bytes of [p, p + len) that are mapped; *has_flag: all of it is marked for huge pages. An array of
// ours is kept out of core files.
static size_t mapped(const uint8_t *p, size_t len, bool *has_flag) {
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	size_t sum = 0;
	bool is_ours = false;

	ck_assert_ptr_nonnull(f);
	*has_flag = true;
	while (fgets(line, sizeof(line), f) != NULL) {
		uintptr_t from, to, a = (uintptr_t)p, b = a + len;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			from = from < a ? a : from;
			to = to > b ? b : to;
			is_ours = from < to;
			sum += is_ours ? to - from : 0;
		} else if (is_ours && strncmp(line, "VmFlags:", 8) == 0) {
			*has_flag = *has_flag && strstr(line, " hg") != NULL;
			ck_assert(len == ALL || strstr(line, " dd") != NULL);
		}
	}
	fclose(f);
	return sum;
}

static size_t resident(uint8_t *p, size_t len) {
	size_t n = len / 4096, sum = 0;
	unsigned char *vec = malloc(n);

	ck_assert_ptr_nonnull(vec);
	ck_assert_int_eq(mincore(p, len, vec), 0);
	for (size_t i = 0; i < n; i++)
		sum += vec[i] & 1;
	free(vec);
	return sum * 4096;
}

static const struct {
	size_t n, size;
} rows[] = {{0, 64},      {1, 1},           {3, 4096},   {2 * MIB - 1, 1},
	    {2 * MIB, 1}, {2 * MIB + 1, 1}, {50001, 128}};

START_TEST(zeroed_and_given_back) {
	size_t len = rows[_i].n * rows[_i].size;
	uint8_t *p = rg_huge_alloc(rows[_i].n, rows[_i].size);
	bool has_flag;

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq((uintptr_t)p % 4096, 0);
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			ck_abort_msg("byte %zu is not zero", i);
	if (len > 0)
		memset(p, 1, len);
	ck_assert_uint_eq(mapped(p, len, &has_flag), len);
	if (len >= 2 * MIB) {
		ck_assert_uint_eq((uintptr_t)p % (2 * MIB), 0);
		ck_assert(has_flag);
	}
	rg_huge_free(p, rows[_i].n, rows[_i].size);
	ck_assert_uint_eq(mapped(p, len, &has_flag), 0);
}
END_TEST

// What alignment needs in front and behind is not kept.
START_TEST(nothing_is_left) {
	size_t before, after;
	bool has_flag;

	before = mapped(NULL, ALL, &has_flag);
	for (unsigned i = 0; i < 50; i++)
		rg_huge_free(rg_huge_alloc(7 * MIB + 5, 1), 7 * MIB + 5, 1);
	after = mapped(NULL, ALL, &has_flag);
	ck_assert_uint_le(after, before + MIB);
}
END_TEST

START_TEST(touched_lazily) {
	size_t len = 64 * MIB;
	uint8_t *p = rg_huge_alloc(len, 1);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(resident(p, len), 0);
	p[0] = 1;
	ck_assert_uint_le(resident(p, len), 2 * MIB);
	rg_huge_free(p, len, 1);
}
END_TEST

START_TEST(no_room) {
	ck_assert_ptr_null(rg_huge_alloc(SIZE_MAX / 4, 8)); // the product wraps
	ck_assert_ptr_null(rg_huge_alloc(SIZE_MAX / 4, 1));
	ck_assert_ptr_null(rg_huge_alloc(SIZE_MAX, 1));
	rg_huge_free(NULL, 5, 5);
}
END_TEST

int main(void) {
	Suite *s = suite_create("common_huge");
	TCase *tc = tcase_create("huge");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, zeroed_and_given_back, 0, sizeof(rows) / sizeof(*rows));
	tcase_add_test(tc, nothing_is_left);
	tcase_add_test(tc, touched_lazily);
	tcase_add_test(tc, no_room);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
