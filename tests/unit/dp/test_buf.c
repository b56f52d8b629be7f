// SPDX-License-Identifier: BSD-3-Clause
// The pools of message buffers: two sizes, exhaustion of each, exact return, content that moves. And ticks.
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/buf.h"
#include "core/tick.h"

#define SMALL 100
#define LARGE 1000

static const struct buf_cfg cfg = {.n_small = 5,
				   .n_large = 2,
				   .small_cap = SMALL,
				   .large_cap = LARGE};

static struct buf_pool pool(void) {
	struct buf_pool p;

	ck_assert_int_eq(buf_pool_init(&p, &cfg), 0);
	return p;
}

// Fills all of a buffer with a mark; another one's must survive it.
static void paint(struct buf *b, uint8_t mark) {
	memset(b->data, mark, b->cap);
	b->len = b->cap;
}

static bool is_painted(const struct buf *b, uint8_t mark) {
	for (uint32_t i = 0; i < b->cap; i++)
		if (b->data[i] != mark)
			return false;
	return b->len == b->cap;
}

START_TEST(sizes_and_exhaustion) {
	struct buf_pool p = pool();
	uint32_t idx[7];

	for (uint8_t i = 0; i < 7; i++) {
		idx[i] = buf_take(&p, i < 5 ? SMALL : SMALL + 1, 7);
		ck_assert_uint_ne(idx[i], BUF_NONE);
		ck_assert_uint_eq(buf_at(&p, idx[i])->cap, i < 5 ? SMALL : LARGE);
		paint(buf_at(&p, idx[i]), i);
	}
	paint(p.scratch, 99);
	ck_assert_uint_eq(p.n_used, 7);
	ck_assert_uint_eq(buf_take(&p, 1, 7), BUF_NONE); // and takes no large one instead
	ck_assert_uint_eq(buf_take(&p, LARGE, 7), BUF_NONE);
	ck_assert_uint_eq(p.n_used, 7);
	for (uint8_t i = 0; i < 7; i++)
		ck_assert_msg(is_painted(buf_at(&p, idx[i]), i), "%u", i);
	ck_assert(is_painted(p.scratch, 99));
	for (unsigned i = 0; i < 7; i++)
		buf_put(&p, idx[i]);
	ck_assert_uint_eq(p.n_used, 0);
	buf_pool_fini(&p);
}
END_TEST

START_TEST(too_long_for_any) {
	struct buf_pool p = pool();

	ck_assert_uint_eq(buf_take(&p, LARGE + 1, 0), BUF_NONE);
	ck_assert_uint_eq(p.n_used, 0);
	buf_pool_fini(&p);
}
END_TEST

START_TEST(taken_again_is_empty) {
	struct buf_pool p = pool();
	uint32_t idx = buf_take(&p, 1, 3);
	struct buf *b = buf_at(&p, idx);

	b->head.ws.n_fragments = 3;
	paint(b, 1);
	ck_assert_uint_eq(b->head.since, 3);
	buf_put(&p, idx);
	ck_assert_uint_eq(buf_take(&p, 1, 4), idx); // the warmest first
	ck_assert_uint_eq(b->len, 0);
	ck_assert_uint_eq(b->head.since, 4);
	ck_assert(ws_is_idle(&b->head.ws));
	buf_pool_fini(&p);
}
END_TEST

START_TEST(copy_carries_all) {
	struct buf_pool p = pool();
	uint32_t idx;
	struct buf *b;

	buf_reset(p.scratch, 11);
	memcpy(p.scratch->data, "hello", 5);
	p.scratch->len = 5;
	p.scratch->head.ws.n_fragments = 2;
	for (size_t len = SMALL; len <= LARGE; len += LARGE - SMALL) {
		idx = buf_copy(&p, p.scratch, len);
		ck_assert_uint_ne(idx, BUF_NONE);
		b = buf_at(&p, idx);
		ck_assert_uint_eq(b->cap, len);
		ck_assert_uint_eq(b->len, 5);
		ck_assert_mem_eq(b->data, "hello", 5);
		ck_assert_uint_eq(b->head.since, 11);
		ck_assert_uint_eq(b->head.ws.n_fragments, 2);
		paint(b, 5);
	}
	ck_assert_uint_eq(p.scratch->len, 5);
	ck_assert_uint_ne(buf_take(&p, LARGE, 0), BUF_NONE);
	ck_assert_uint_eq(buf_copy(&p, p.scratch, LARGE), BUF_NONE);
	ck_assert_uint_eq(p.n_used, 3);
	buf_pool_fini(&p);
}
END_TEST

// Random takes and puts: whoever holds one holds it alone, and in the end none is missing.
START_TEST(churn) {
	struct buf_pool p = pool();
	uint32_t held[7] = {0};

	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = (unsigned)rand() % 7;

		if (held[k] == BUF_NONE) {
			held[k] = buf_take(&p, k < 5 ? 1 : LARGE, 0);
			ck_assert_uint_ne(held[k], BUF_NONE);
			paint(buf_at(&p, held[k]), (uint8_t)k);
		} else {
			ck_assert(is_painted(buf_at(&p, held[k]), (uint8_t)k));
			buf_put(&p, held[k]);
			held[k] = BUF_NONE;
		}
	}
	for (unsigned k = 0; k < 7; k++)
		if (held[k] != BUF_NONE)
			buf_put(&p, held[k]);
	ck_assert_uint_eq(p.n_used, 0);
	buf_pool_fini(&p);
}
END_TEST

START_TEST(no_memory) {
	struct buf_cfg huge = {.n_small = 1,
			       .n_large = 1u << 20,
			       .small_cap = 1,
			       .large_cap = UINT32_MAX};
	struct buf_pool p;

	ck_assert_int_eq(buf_pool_init(&p, &huge), -ENOMEM);
	buf_pool_fini(&p);
}
END_TEST

// A deadline never comes early, at the wrap too; and comes within two ticks.
START_TEST(ticks) {
	static const uint64_t starts[] = {0, 1, UINT64_C(0x1234567890abcdef),
					  (UINT64_C(1) << (32 + TICK_SHIFT)) - RG_NS_PER_S};
	const uint64_t tick = UINT64_C(1) << TICK_SHIFT;
	uint64_t now = starts[_i], s = 10;
	uint64_t end = now + s * RG_NS_PER_S;
	uint32_t deadline = tick_in(now, s);

	ck_assert(!is_tick_due(now, deadline));
	ck_assert(!is_tick_due(end - 1, deadline));
	ck_assert(is_tick_due(end + tick, deadline));
	ck_assert(is_tick_due(end + 86400 * RG_NS_PER_S, deadline));
	ck_assert(!is_tick_old(now, tick_of(now), s));
	ck_assert(!is_tick_old(end - 1, tick_of(now), s));
	ck_assert(is_tick_old(end + 2 * tick, tick_of(now), s));
}
END_TEST

int main(void) {
	Suite *s = suite_create("dp_buf");
	TCase *tc = tcase_create("buf");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, sizes_and_exhaustion);
	tcase_add_test(tc, too_long_for_any);
	tcase_add_test(tc, taken_again_is_empty);
	tcase_add_test(tc, copy_carries_all);
	tcase_add_test(tc, churn);
	tcase_add_test(tc, no_memory);
	tcase_add_loop_test(tc, ticks, 0, 4);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
