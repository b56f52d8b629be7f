// SPDX-License-Identifier: BSD-3-Clause
// The timer heap: order, re-arming, cancelling, and against a plain model.
#include <check.h>
#include <stdlib.h>

#include "core/env_impl.h"

#define N 200

struct item {
	struct env_timer t; // first
	struct rig *rig;
	unsigned id;
	uint64_t model_ns; // 0 = not armed
	unsigned set_no;   // order of env_timers_set()
};

struct rig {
	struct env_timers heap;
	struct item items[N];
	unsigned fired[4 * N];
	unsigned n_fired;
	unsigned n_sets;
};

static void on_fire(struct env_timer *t, uint64_t) {
	struct item *it = (struct item *)t;

	ck_assert(!env_timer_is_set(t));
	it->rig->fired[it->rig->n_fired++] = it->id;
	it->model_ns = 0;
}

static void rig_init(struct rig *r) {
	*r = (struct rig){0};
	for (unsigned i = 0; i < N; i++)
		r->items[i] = (struct item){.t.fn = on_fire, .rig = r, .id = i};
}

static void set(struct rig *r, unsigned i, uint64_t ns) {
	env_timers_set(&r->heap, &r->items[i].t, ns);
	r->items[i].model_ns = ns;
	r->items[i].set_no = r->n_sets++;
}

static void cancel(struct rig *r, unsigned i) {
	env_timers_cancel(&r->heap, &r->items[i].t);
	r->items[i].model_ns = 0;
}

START_TEST(order_and_ties) {
	struct rig r;
	const unsigned want[] = {2, 1, 3, 0};

	rig_init(&r);
	ck_assert_uint_eq(env_timers_next(&r.heap), RG_NEVER);
	set(&r, 0, 40);
	set(&r, 1, 20);
	set(&r, 2, 10);
	set(&r, 3, 20);
	ck_assert_uint_eq(env_timers_next(&r.heap), 10);
	ck_assert_uint_eq(env_timers_run(&r.heap, 9), 0);
	ck_assert_uint_eq(env_timers_run(&r.heap, 40), 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(r.fired[i], want[i]);
	ck_assert_uint_eq(env_timers_next(&r.heap), RG_NEVER);
	env_timers_fini(&r.heap);
}
END_TEST

START_TEST(rearm_and_cancel) {
	struct rig r;

	rig_init(&r);
	set(&r, 0, 10);
	set(&r, 1, 20);
	set(&r, 0, 30);
	ck_assert_uint_eq(env_timers_next(&r.heap), 20);
	cancel(&r, 1);
	cancel(&r, 1);
	cancel(&r, 2);
	ck_assert(!env_timer_is_set(&r.items[1].t));
	ck_assert(env_timer_is_set(&r.items[0].t));
	ck_assert_uint_eq(env_timers_run(&r.heap, 100), 1);
	ck_assert_uint_eq(r.fired[0], 0);
	env_timers_fini(&r.heap);
}
END_TEST

static void on_fire_again(struct env_timer *t, uint64_t now_ns) {
	struct item *it = (struct item *)t;

	on_fire(t, now_ns);
	set(it->rig, it->id, now_ns);
}

START_TEST(rearmed_for_now_waits) {
	struct rig r;

	rig_init(&r);
	r.items[0].t.fn = on_fire_again;
	set(&r, 0, 10);
	set(&r, 1, 15);
	ck_assert_uint_eq(env_timers_run(&r.heap, 20), 2);
	ck_assert_uint_eq(r.fired[1], 1);
	ck_assert_uint_eq(env_timers_run(&r.heap, 20), 1);
	ck_assert_uint_eq(r.fired[2], 0);
	env_timers_fini(&r.heap);
}
END_TEST

static void on_fire_cancel_next(struct env_timer *t, uint64_t now_ns) {
	struct item *it = (struct item *)t;

	on_fire(t, now_ns);
	cancel(it->rig, it->id + 1);
}

START_TEST(cancelled_by_another) {
	struct rig r;

	rig_init(&r);
	r.items[0].t.fn = on_fire_cancel_next;
	set(&r, 0, 10);
	set(&r, 1, 10);
	set(&r, 2, 10);
	ck_assert_uint_eq(env_timers_run(&r.heap, 10), 2);
	ck_assert_uint_eq(r.fired[1], 2);
	env_timers_fini(&r.heap);
}
END_TEST

// The armed item that should fire next; NULL when none is due.
static struct item *model_next(struct rig *r, uint64_t now) {
	struct item *best = NULL;

	for (unsigned i = 0; i < N; i++) {
		struct item *it = &r->items[i];

		if (it->model_ns == 0 || it->model_ns > now)
			continue;
		if (best == NULL || it->model_ns < best->model_ns ||
		    (it->model_ns == best->model_ns && it->set_no < best->set_no))
			best = it;
	}
	return best;
}

START_TEST(against_a_model) {
	unsigned seed = 7;
	struct rig r;

	rig_init(&r);
	for (uint64_t now = 1; now < 3000; now++) {
		unsigned want[N], n_want = 0, i = (unsigned)rand_r(&seed) % N;

		if (rand_r(&seed) % 4 == 0)
			cancel(&r, i);
		else
			set(&r, i, now + (unsigned)rand_r(&seed) % 50);
		for (struct item *it; (it = model_next(&r, now)) != NULL; it->model_ns = 0)
			want[n_want++] = it->id;
		r.n_fired = 0;
		ck_assert_uint_eq(env_timers_run(&r.heap, now), n_want);
		ck_assert(memcmp(want, r.fired, n_want * sizeof(want[0])) == 0);
	}
	env_timers_fini(&r.heap);
}
END_TEST

int main(void) {
	Suite *s = suite_create("env_timer");
	TCase *tc = tcase_create("heap");
	SRunner *sr = srunner_create(s);
	int n_failed;

	suite_add_tcase(s, tc);
	tcase_add_test(tc, order_and_ties);
	tcase_add_test(tc, rearm_and_cancel);
	tcase_add_test(tc, rearmed_for_now_waits);
	tcase_add_test(tc, cancelled_by_another);
	tcase_add_test(tc, against_a_model);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
