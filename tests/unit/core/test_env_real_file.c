// SPDX-License-Identifier: BSD-3-Clause
// Reading whole files.
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env.h"

static char dir[64];

static const char *path_of(const char *name) {
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, size_t len) {
	FILE *f = fopen(path_of(name), "w");

	for (size_t i = 0; i < len; i++)
		fputc((int)(i % 251), f);
	fclose(f);
}

static void setup(void) {
	strcpy(dir, "/tmp/regate-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void) {
	static const char *const names[] = {"f", "b", "a", "fifo"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	rmdir(path_of("sub"));
	rmdir(dir);
}

static const struct {
	size_t size, max;
	int rc;
} sizes[] = {
	{0, 0, 0},
	{1, 0, -EFBIG},
	{1, 1, 0},
	{4095, 4095, 0},
	{4096, 4096, 0},
	{4096, 4095, -EFBIG},
	{4097, 4096, -EFBIG},
	{20000, 20000, 0},
	{20000, 1 << 20, 0},
	{20001, 20000, -EFBIG},
};

START_TEST(size_table) {
	uint8_t *data = NULL;
	size_t len = 77;

	put("f", sizes[_i].size);
	ck_assert_int_eq(env_real_read_file(path_of("f"), sizes[_i].max, &data, &len),
			 sizes[_i].rc);
	if (sizes[_i].rc != 0) {
		ck_assert_ptr_null(data);
		ck_assert_uint_eq(len, 77);
		return;
	}
	ck_assert_uint_eq(len, sizes[_i].size);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(data[i], i % 251);
	ck_assert_uint_eq(data[len], 0);
	free(data);
}
END_TEST

START_TEST(not_a_regular_file) {
	uint8_t *data;
	size_t len;

	ck_assert_int_eq(env_real_read_file(dir, 10, &data, &len), -EISDIR);
	ck_assert_int_eq(env_real_read_file(path_of("none"), 10, &data, &len), -ENOENT);
	ck_assert_int_eq(mkfifo(path_of("fifo"), 0600), 0);
	ck_assert_int_eq(env_real_read_file(path_of("fifo"), 10, &data, &len), -EINVAL);
}
END_TEST

int main(void) {
	Suite *s = suite_create("env_real_file");
	TCase *tc = tcase_create("file");
	SRunner *sr = srunner_create(s);
	int n_failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, size_table, 0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tc, not_a_regular_file);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
