// SPDX-License-Identifier: BSD-3-Clause
// Loss of power at every point of 300 operations (reliability.md G3): after each call to the disk
// what was not synced is there or not, its last write torn at each sector, and all of it in any order.
// What was acknowledged is there each time. STORE_POWER_IMAGES: random ones per point, beside the
// systematic ones; 24 when not set.
#include <sqlite3.h>
#include <stdlib.h>

#include "trace.h"

#define N_PAGES 12 // of the log, so that it is emptied often

struct cut { // which sectors of what is pending are there
	enum { NONE, ALL, HEAD, HOLE, SOME } kind;
	size_t op, sector; // HEAD, HOLE: of this write, before, or all but, this sector
	uint64_t seed;
};

static struct trace t;
static struct disk_image image;
static unsigned long n_images, n_torn, n_random;

static uint64_t mix(uint64_t z) { // splitmix64
	z += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool is_there(void *arg, size_t op, size_t sector) {
	const struct cut *c = arg;

	switch (c->kind) {
	case NONE:
		return false;
	case HEAD:
		return op != c->op || sector < c->sector;
	case HOLE:
		return op != c->op || sector != c->sector;
	case SOME:
		return (mix(c->seed ^ mix(op << 20 | sector)) & 1) != 0;
	case ALL:
		break;
	}
	return true;
}

static void check_one(const struct disk_walk *w, unsigned n_acked, struct cut *c) {
	const char *wrong;
	bool is_open;

	disk_walk_image(w, &image, is_there, c);
	disk_load(&image);
	wrong = trace_check(&t, n_acked, &is_open);
	ck_assert_msg(wrong == NULL,
		      "after call %zu, %u acknowledged, cut %d op %zu sector %zu: %s", w->at,
		      n_acked, c->kind, c->op, c->sector, wrong);
	n_images++;
}

static void check_integrity(void) {
	sqlite3_stmt *st;
	sqlite3 *h;

	ck_assert_int_eq(sqlite3_open("/db", &h), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(h, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL), 0);
	ck_assert_int_eq(sqlite3_prepare_v2(h, "PRAGMA integrity_check", -1, &st, NULL), 0);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
	sqlite3_close(h);
}

static void check_point(const struct disk_walk *w, unsigned n_acked, unsigned n_some) {
	size_t n;
	const struct disk_op *op = &disk_log(&n)[w->at - 1];
	struct cut c = {.kind = NONE, .op = w->at - 1};

	check_one(w, n_acked, &c);
	c.kind = ALL;
	check_one(w, n_acked, &c);
	check_integrity();
	for (c.sector = 0; op->what == DISK_WRITE && c.sector * DISK_SECTOR < op->len; c.sector++) {
		c.kind = HEAD;
		check_one(w, n_acked, &c);
		c.kind = HOLE;
		check_one(w, n_acked, &c);
		n_torn += 2;
	}
	c.kind = SOME;
	for (unsigned i = 0; i < n_some && w->n_pending > 1; i++) {
		c.seed = w->at * 1000 + i;
		check_one(w, n_acked, &c);
		n_random++;
	}
}

START_TEST(power_is_lost_anywhere) {
	const char *more = getenv("STORE_POWER_IMAGES");
	unsigned n_some = more == NULL ? 24 : (unsigned)atoi(more), n_acked = 0;
	struct disk_walk w;
	size_t n;

	trace_setup(N_PAGES);
	ck_assert(trace_begin(&t));
	ck_assert(trace_run(&t, TRACE_OPS));
	trace_end(&t);
	(void)disk_log(&n);
	disk_walk_init(&w);
	while (w.at < n) {
		const struct disk_op *op = &disk_log(&n)[w.at];

		disk_walk_step(&w);
		if (op->what == DISK_MARK)
			n_acked = (unsigned)op->at;
		check_point(&w, n_acked, n_some);
	}
	disk_walk_fini(&w);
	disk_image_free(&image);
	printf("%u operations, %zu calls, %lu images (%lu torn, %lu in any order): 0 failed\n",
	       TRACE_OPS, n, n_images, n_torn, n_random);
	trace_teardown();
}
END_TEST

int main(void) {
	Suite *suite = suite_create("store_power");
	TCase *tc = tcase_create("power");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, power_is_lost_anywhere);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
