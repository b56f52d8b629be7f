// SPDX-License-Identifier: BSD-3-Clause
// The disk fails at each call of 300 operations (reliability.md G4): full, or EIO, once or until it is
// repaired. Nothing is acknowledged that is not durable, even when the power is lost afterwards; the
// store comes back by itself. And bits flip in the files (F5): refused, or without effect.
// STORE_FAULTS: every n-th call, 1 for all.
#include <stdlib.h>

#include "trace.h"

#define N_PAGES 12
#define N_FLIPS 10000 // of a file, with every call
#define N_AFTER 3u    // operations after the store has come back

static unsigned stride(unsigned otherwise) {
	const char *text = getenv("STORE_FAULTS");

	return text == NULL ? otherwise : (unsigned)atoi(text);
}

static bool is_there(void *arg, size_t op, size_t sector) {
	uint64_t z = (*(uint64_t *)arg ^ op << 20 ^ sector) * UINT64_C(0x9e3779b97f4a7c15);

	return *(uint64_t *)arg != 0 && (z >> 40 & 1) != 0;
}

// The power goes at this point: nothing of what is pending is there, or some. before: the state at the
// failure.
static void check_point(const struct disk_walk *w, struct trace *t, unsigned n_acked,
			const struct trace_state *before, const char *when) {
	static struct disk_image image;

	for (uint64_t seed = 0; seed < 3; seed++) {
		struct trace_state now = t->acked[n_acked];
		const char *wrong;
		bool is_open;

		disk_walk_image(w, &image, is_there, &seed);
		disk_load(&image);
		wrong = trace_check(t, n_acked, &is_open);
		if (wrong != NULL && before != NULL) {
			t->acked[n_acked] = *before;
			wrong = trace_check(t, n_acked, &is_open);
			t->acked[n_acked] = now;
		}
		ck_assert_msg(wrong == NULL, "%s, power lost at %zu, %u acknowledged: %s", when,
			      w->at, n_acked, wrong);
	}
}

// What would be left if the power went at the end, and at each call behind a sync that failed: what
// that should have written is read back, but not on the disk.
static void lose_power(struct trace *t, const struct trace_state *before, unsigned n_before,
		       const char *when) {
	bool is_behind = false;
	struct disk_walk w;
	unsigned n_acked = 0;
	size_t n;

	(void)disk_log(&n);
	disk_walk_init(&w);
	while (w.at < n) {
		const struct disk_op *op = &disk_log(&n)[w.at];

		disk_walk_step(&w);
		if (op->what == DISK_MARK)
			n_acked = (unsigned)op->at;
		is_behind |= op->what == DISK_SYNC_FAILED;
		if (is_behind || w.at == n)
			check_point(&w, t, n_acked, n_acked == n_before ? before : NULL, when);
	}
	disk_walk_fini(&w);
}

// After a failure: up again, with what the file says, and more can be stored.
static void go_on(struct trace *t, const char *when) {
	ck_assert_msg(trace_begin_again(t), "%s: not up within 5 s", when);
	ck_assert_msg(trace_run(t, t->n_acked + N_AFTER), "%s: failed again", when);
}

static void run_with_fault(uint64_t at, enum disk_fault how, bool is_staying) {
	static struct trace t;
	struct trace_state before;
	unsigned n_before;
	char when[80];

	snprintf(when, sizeof(when), "call %llu %s%s", (unsigned long long)at,
		 how == DISK_FULL ? "full" : "EIO", is_staying ? " until repaired" : "");
	t = (struct trace){0};
	trace_forget();
	disk_fail(at, how, is_staying);
	if (trace_begin(&t) && trace_run(&t, TRACE_OPS - N_AFTER)) {
		trace_end(&t); // it came at the end, or in a call that does not matter
		lose_power(&t, NULL, 0, when);
		return;
	}
	disk_repair();
	n_before = t.n_acked;
	before = t.acked[n_before];
	go_on(&t, when);
	trace_end(&t);
	lose_power(&t, &before, n_before, when);
}

START_TEST(the_disk_fails_at_any_call) {
	static struct trace t;
	uint64_t n_calls, n_runs = 0;

	trace_setup(N_PAGES);
	ck_assert(trace_begin(&t));
	ck_assert(trace_run(&t, TRACE_OPS));
	trace_end(&t);
	n_calls = disk_n_calls();
	for (uint64_t at = 0; at < n_calls; at += stride(5), n_runs++)
		run_with_fault(at, at % 2 == 0 ? DISK_EIO : DISK_FULL, false);
	for (uint64_t at = 0; at < n_calls; at += 40 * stride(5), n_runs++)
		run_with_fault(at, at % 2 == 0 ? DISK_FULL : DISK_EIO, true);
	printf("%llu calls, %llu runs with a fault: 0 failed\n", (unsigned long long)n_calls,
	       (unsigned long long)n_runs);
	trace_teardown();
}
END_TEST

// Of the log the last commit may be taken for one that the power cut short: nothing outside of the
// file says how many there were.
START_TEST(bits_flip) {
	bool has_log = _i == 1, is_open;
	struct disk_image image = {0};
	unsigned n_refused = 0, n_flips = 0;
	static struct trace t;
	struct disk_walk w;
	size_t n;

	trace_setup(has_log ? 1000 : N_PAGES);
	ck_assert(trace_begin(&t));
	ck_assert(trace_run(&t, 60));
	if (!has_log)
		trace_end(&t);
	(void)disk_log(&n);
	disk_walk_init(&w);
	while (w.at < n)
		disk_walk_step(&w);
	for (unsigned file = 0; file < 2; file++) {
		size_t n_bits = 8 * w.durable.files[file].len;

		for (size_t bit = 0; bit < n_bits;
		     bit += n_bits * stride(5) / N_FLIPS + 1, n_flips++) {
			const char *wrong;
			unsigned n_acked = t.n_acked;

			disk_walk_image(&w, &image, NULL, NULL);
			image.files[file].p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			disk_load(&image);
			wrong = trace_check(&t, n_acked, &is_open);
			if (is_open && wrong != NULL && file == 1)
				wrong = trace_check(&t, n_acked - 1, &is_open);
			ck_assert_msg(!is_open || wrong == NULL, "bit %zu of file %u: %s", bit,
				      file, wrong);
			n_refused += !is_open;
		}
	}
	printf("%u flips: %u refused, the others without effect\n", n_flips, n_refused);
	ck_assert_uint_gt(n_refused, n_flips / 40);
	disk_walk_fini(&w);
	disk_image_free(&image);
	if (has_log)
		trace_end(&t);
	trace_teardown();
}
END_TEST

int main(void) {
	Suite *suite = suite_create("store_faults");
	TCase *tc = tcase_create("faults");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, the_disk_fails_at_any_call);
	tcase_add_loop_test(tc, bits_flip, 0, 2);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
