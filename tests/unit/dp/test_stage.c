// SPDX-License-Identifier: BSD-3-Clause
// Booking of the stages by a clock that the test moves: all time of a timed poll is in some stage,
// whatever ends early, and none of a poll that is not timed.
#include <check.h>
#include <stdlib.h>

#include "core/stage.h"

static uint64_t clock_now, clock_per_reading, clock_per_booking;
static struct rg_stages out;
static struct rg_stats stats;
static struct stages s;

static uint64_t n_booked(void) {
	uint64_t n = 0;

	for (unsigned i = 0; i < RG_N_STAGES; i++)
		n += rg_stage_count(&out.of[i]);
	return n;
}

// In the place of stage_clock.c.
uint64_t stage_clock(void) {
	static uint64_t n_before;
	uint64_t n = clock_per_booking == 0 ? 0 : n_booked();

	clock_now += clock_per_reading + (n - n_before) * clock_per_booking;
	n_before = n;
	return clock_now;
}

static void work(uint64_t cycles) {
	clock_now += cycles;
}

static void setup(void) {
	clock_now = 1000;
	clock_per_reading = clock_per_booking = 0;
	stages_init(&s, 1, &stats, &out);
	s.n_left = 0;
}

static uint64_t cycles(enum rg_stage i) {
	return out.of[i].cycles;
}

static uint64_t sum(void) {
	uint64_t all = 0;

	for (unsigned i = 0; i < RG_N_STAGES; i++)
		all += out.of[i].cycles;
	return all;
}

static void is(enum rg_stage i, uint64_t n, uint64_t want) {
	ck_assert_msg(rg_stage_count(&out.of[i]) == n, "%s: %lu samples", rg_stage_name(i),
		      rg_stage_count(&out.of[i]));
	ck_assert_msg(cycles(i) == want, "%s: %lu cycles", rg_stage_name(i), cycles(i));
}

// Down to the lease and back up to the wire, as the calls of a refresh nest.
static void refresh(void) {
	stage_unit(&s, RG_STAGE_tcp);
	work(10);
	stage_to(&s, RG_STAGE_tls);
	work(20);
	stage_to(&s, RG_STAGE_ws);
	work(3);
	stage_to(&s, RG_STAGE_sip);
	work(40);
	stage_to(&s, RG_STAGE_lease);
	work(5);
	stage_to(&s, RG_STAGE_sip);
	work(60);
	stage_to(&s, RG_STAGE_tls);
	work(25);
	stage_to(&s, RG_STAGE_tcp);
	work(7);
	stage_to(&s, RG_STAGE_tx);
	work(9);
	stage_to(&s, RG_STAGE_tcp);
	work(2);
	stage_to(&s, RG_STAGE_tls);
	work(1);
	stage_to(&s, RG_STAGE_ws);
	work(4);
	stage_to(&s, RG_STAGE_tls);
	work(1);
	stage_to(&s, RG_STAGE_tcp);
	work(6);
}

static void begin_packets(void) {
	stages_begin(&s);
	work(100);
	stage_to(&s, RG_STAGE_rx);
	work(30);
}

static void end_packets(unsigned n_received, unsigned n_sent) {
	stage_unit(&s, RG_STAGE_rx);
	work(8);
	stage_to(&s, RG_STAGE_tx);
	work(11);
	stage_to(&s, RG_STAGE_poll);
	work(50);
	rg_stat_add(&stats, RG_STAT_tx_packets, n_sent);
	stages_end(&s, true, n_received);
}

START_TEST(nested) {
	uint64_t begin = clock_now;

	begin_packets();
	refresh();
	refresh();
	end_packets(2, 2);
	is(RG_STAGE_rx, 2, 38);
	is(RG_STAGE_tcp, 2, 2 * 25);
	is(RG_STAGE_tls, 2, 2 * 47);
	is(RG_STAGE_ws, 2, 2 * 7);
	is(RG_STAGE_sip, 2, 2 * 100);
	is(RG_STAGE_lease, 2, 2 * 5);
	is(RG_STAGE_tx, 2, 2 * 9 + 11);
	is(RG_STAGE_poll, 1, 150);
	is(RG_STAGE_handshake, 0, 0);
	is(RG_STAGE_http, 0, 0);
	ck_assert_uint_eq(sum(), clock_now - begin);
	ck_assert_uint_eq(rg_stage_quantile(&out.of[RG_STAGE_sip], 0.5), 103); // 100 to a step
}
END_TEST

// The record is bad: the connection ends inside of TLS, and the call returns.
START_TEST(connection_dies) {
	uint64_t begin = clock_now;

	begin_packets();
	stage_unit(&s, RG_STAGE_tcp);
	work(10);
	stage_to(&s, RG_STAGE_tls);
	work(20);
	stage_to(&s, RG_STAGE_tcp); // of its RST
	work(7);
	stage_to(&s, RG_STAGE_tx);
	work(9);
	stage_to(&s, RG_STAGE_tcp);
	work(6);
	refresh(); // somebody else's
	end_packets(2, 2);
	is(RG_STAGE_tcp, 2, 23 + 25);
	is(RG_STAGE_tls, 2, 20 + 47);
	is(RG_STAGE_sip, 1, 100);
	ck_assert_uint_eq(sum(), clock_now - begin);
}
END_TEST

// Nothing is sent for the packet; the answer comes from the control plane, in the same poll.
START_TEST(punted_and_answered) {
	uint64_t begin = clock_now;

	begin_packets();
	stage_unit(&s, RG_STAGE_tcp);
	work(10);
	stage_to(&s, RG_STAGE_tls);
	work(20);
	stage_to(&s, RG_STAGE_ws);
	stage_to(&s, RG_STAGE_sip);
	work(40);
	stage_to(&s, RG_STAGE_lease);
	work(5);
	stage_to(&s, RG_STAGE_sip);
	work(30);
	stage_to(&s, RG_STAGE_ws);
	work(4);
	stage_to(&s, RG_STAGE_tls);
	stage_to(&s, RG_STAGE_tcp);
	stage_unit(&s, RG_STAGE_rx);
	stage_to(&s, RG_STAGE_poll);
	work(12); // finds the reply
	stage_to(&s, RG_STAGE_tls);
	work(25);
	stage_to(&s, RG_STAGE_tcp);
	work(7);
	stage_to(&s, RG_STAGE_tx);
	work(9);
	stage_to(&s, RG_STAGE_tcp);
	stage_to(&s, RG_STAGE_tls);
	stage_unit(&s, RG_STAGE_poll);
	end_packets(1, 1);
	is(RG_STAGE_sip, 1, 70);
	is(RG_STAGE_lease, 1, 5);
	is(RG_STAGE_tls, 2, 20 + 25);
	is(RG_STAGE_tcp, 2, 10 + 7);
	is(RG_STAGE_tx, 1, 9 + 11);
	is(RG_STAGE_poll, 1, 162);
	ck_assert_uint_eq(sum(), clock_now - begin);
}
END_TEST

// What arrives is for nobody, and nothing is sent: time without a sample of its own stays in the sum.
START_TEST(nothing_sent) {
	uint64_t begin = clock_now;

	begin_packets();
	end_packets(3, 0);
	is(RG_STAGE_rx, 3, 38);
	is(RG_STAGE_tx, 0, 11);
	ck_assert_uint_eq(sum(), clock_now - begin);
}
END_TEST

// A poll without work is no sample, and costs the next one nothing of its turn.
START_TEST(empty_poll) {
	uint64_t begin;

	for (unsigned i = 0; i < 3; i++) {
		stages_begin(&s);
		work(100);
		stage_to(&s, RG_STAGE_rx);
		work(30);
		stage_unit(&s, RG_STAGE_poll);
		work(1000);
		stages_end(&s, false, 0);
	}
	ck_assert_uint_eq(sum(), 0);
	begin = clock_now;
	begin_packets();
	refresh();
	end_packets(1, 1);
	ck_assert_uint_eq(sum(), clock_now - begin);
	is(RG_STAGE_poll, 1, 150);
}
END_TEST

START_TEST(others_are_not_timed) {
	s.n_left = 2;
	for (unsigned i = 0; i < 2; i++) {
		begin_packets();
		refresh();
		end_packets(1, 1);
		ck_assert_uint_eq(sum(), 0);
	}
	begin_packets();
	refresh();
	end_packets(1, 1);
	is(RG_STAGE_poll, 1, 150);
}
END_TEST

// One in STAGE_EVERY, to a tenth, at distances that differ.
START_TEST(picked_at_random) {
	bool is_seen[2 * STAGE_EVERY] = {false};
	unsigned n_polls = 1000 * STAGE_EVERY, n_distances = 0;

	for (unsigned i = 0, last = 0; i < n_polls; i++) {
		uint64_t before = rg_stage_count(&out.of[RG_STAGE_poll]);

		begin_packets();
		end_packets(1, 1);
		if (rg_stage_count(&out.of[RG_STAGE_poll]) == before)
			continue;
		ck_assert_uint_lt(i - last, 2 * STAGE_EVERY);
		is_seen[i - last] = true;
		last = i;
	}
	for (unsigned i = 0; i < 2 * STAGE_EVERY; i++)
		n_distances += is_seen[i];
	ck_assert_uint_gt(n_distances, STAGE_EVERY);
	ck_assert_uint_gt(rg_stage_count(&out.of[RG_STAGE_poll]), 900);
	ck_assert_uint_lt(rg_stage_count(&out.of[RG_STAGE_poll]), 1100);
}
END_TEST

// Readings cost: what they cost is measured, and not the stages'.
START_TEST(readings_are_left_out) {
	clock_per_reading = 24;
	stages_calibrate(&s);
	ck_assert_uint_eq(s.reading, 24);
	begin_packets();
	refresh();
	end_packets(1, 1);
	is(RG_STAGE_sip, 1, 100);
	is(RG_STAGE_lease, 1, 5);
	is(RG_STAGE_tls, 1, 47);
	is(RG_STAGE_poll, 1, 150);
	clock_per_reading = 23; // a shorter one than measured takes nothing from others
	s.n_left = 0;
	stages_begin(&s);
	stage_to(&s, RG_STAGE_rx);
	work(30);
	stage_to(&s, RG_STAGE_poll);
	stages_end(&s, true, 1);
	is(RG_STAGE_rx, 2, 38 + 29);
	is(RG_STAGE_poll, 2, 150);
}
END_TEST

// So does what writes the samples down.
START_TEST(booking_is_left_out) {
	clock_per_booking = 300;
	begin_packets();
	refresh();
	refresh();
	end_packets(2, 2);
	is(RG_STAGE_rx, 2, 38);
	is(RG_STAGE_tcp, 2, 2 * 25);
	is(RG_STAGE_lease, 2, 2 * 5);
	is(RG_STAGE_poll, 1, 150);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("dp_stage");
	TCase *tc = tcase_create("stage");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, nested);
	tcase_add_test(tc, connection_dies);
	tcase_add_test(tc, punted_and_answered);
	tcase_add_test(tc, nothing_sent);
	tcase_add_test(tc, empty_poll);
	tcase_add_test(tc, others_are_not_timed);
	tcase_add_test(tc, picked_at_random);
	tcase_add_test(tc, readings_are_left_out);
	tcase_add_test(tc, booking_is_left_out);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
