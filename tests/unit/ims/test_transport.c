// SPDX-License-Identifier: BSD-3-Clause
// transport.c: lazy connection, loss and return, partial writes, stream framing, bounds.
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "ims/transport.h"
#include "regate/err.h"

#define OK_200(branch)                                                              \
	"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP gw;branch=" branch                      \
	"\r\nFrom: <sip:u@d>;tag=1\r\nTo: <sip:u@d>;tag=2\r\nCall-ID: c\r\nCSeq: 1" \
	" REGISTER\r\nContent-Length: 0\r\n\r\n"

static struct conf conf;
static struct env *env;
static struct transport *transport;
static uint64_t n_connects;
static unsigned n_messages, n_lost, n_attempts;
static int lost_rc;
static char branches[256];

static void on_message(void *ctx, const struct sip_msg *m, bool is_udp,
		       const struct rg_addr *from) {
	struct sip_via via;

	(void)ctx;
	(void)is_udp;
	(void)from;
	n_messages++;
	ck_assert_int_eq(sip_via_parse(sip_hdr_first(m, SIP_HDR_VIA)->value, &via), RG_OK);
	snprintf(branches + strlen(branches), sizeof(branches) - strlen(branches), "%.*s ",
		 (int)via.branch.len, via.branch.p);
}

static void on_lost(void *ctx, int rc, bool is_attempt) {
	(void)ctx;
	n_lost += !is_attempt;
	n_attempts += is_attempt;
	lost_rc = rc;
}

static void setup(void) {
	struct transport_ops ops = {.message = on_message,
				    .lost = on_lost,
				    .n_connects = &n_connects};

	n_connects = n_messages = n_lost = n_attempts = 0;
	branches[0] = '\0';
	env = env_sim_new(1);
	conf.core.is_udp = false;
	ck_assert_int_eq(rg_addr_parse(RG_LIT("192.0.2.20:5060"), &conf.core.address), 0);
	transport = transport_new(env, NULL, &conf, &ops);
	ck_assert_ptr_nonnull(transport);
}

static void teardown(void) {
	transport_free(transport);
	env_sim_free(env);
}

static struct env_sim_end *accept_core(void) {
	return env_sim_accept(env, &conf.core.address);
}

static void send_text(const char *s, struct transport_out **out) {
	ck_assert_int_eq(transport_send_tcp(transport, rg_str(s), out), 0);
}

static void expect_read(struct env_sim_end *end, const char *want) {
	char buf[4096] = {0};

	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf) - 1), (ssize_t)strlen(want));
	ck_assert_str_eq(buf, want);
}

START_TEST(lazy_connect) {
	struct env_sim_end *end;
	struct transport_out *out;

	env_sim_settle(env);
	ck_assert_ptr_null(accept_core()); // nothing to say, no connection
	send_text("one", &out);
	ck_assert(transport_out_is_unsent(out));
	ck_assert(!transport_is_up(transport));
	env_sim_settle(env);
	ck_assert(transport_is_up(transport));
	ck_assert_ptr_null(out); // gone out
	end = accept_core();
	expect_read(end, "one");
	send_text("two", NULL);
	expect_read(end, "two");
	ck_assert_uint_eq(n_connects, 1);
}
END_TEST

START_TEST(partial_writes) {
	struct env_sim_end *end;
	struct transport_out *a, *b;

	send_text("first", &a);
	send_text("second", &b);
	env_sim_turn(env);
	end = accept_core();
	ck_assert_ptr_nonnull(end);
	env_sim_settle(env);
	expect_read(end, "firstsecond");
	env_sim_set_room(end, 3);
	send_text("third", &a);
	send_text("fourth", &b);
	ck_assert(!transport_out_is_unsent(a));
	ck_assert(transport_out_is_unsent(b));
	expect_read(end, "thi");
	transport_out_drop(transport, a); // half of it is out: the rest must follow
	transport_out_drop(transport, b); // none is: taken back
	ck_assert_ptr_null(b);
	env_sim_stall(end, false);
	env_sim_settle(env);
	expect_read(end, "rd");
}
END_TEST

START_TEST(framing) {
	static const char two[] = OK_200("z9hG4bKa") "\r\n\r\n" OK_200("z9hG4bKb");
	struct env_sim_end *end;

	send_text("x", NULL);
	env_sim_settle(env);
	end = accept_core();
	for (size_t i = 0; i < sizeof(two) - 1; i++) { // byte by byte
		ck_assert_int_eq(env_sim_write(end, rg_slice(two + i, 1)), 0);
		env_sim_settle(env);
	}
	ck_assert_str_eq(branches, "z9hG4bKa z9hG4bKb ");
	ck_assert_int_eq(env_sim_write(end, RG_LIT(OK_200("z9hG4bKc") OK_200("z9hG4bKd"))), 0);
	env_sim_settle(env); // both in one segment
	ck_assert_str_eq(branches, "z9hG4bKa z9hG4bKb z9hG4bKc z9hG4bKd ");
	ck_assert_uint_eq(n_lost, 0);
}
END_TEST

START_TEST(garbage_ends_the_connection) {
	struct env_sim_end *end;
	char byte;

	send_text("x", NULL);
	env_sim_settle(env);
	end = accept_core();
	expect_read(end, "x");
	ck_assert_int_eq(env_sim_write(end, RG_LIT("no SIP at all\r\n\r\n")), 0);
	env_sim_settle(env);
	ck_assert_uint_eq(n_lost, 1);
	ck_assert_int_eq(lost_rc, RG_E_PROTO);
	ck_assert_int_eq(env_sim_read(end, &byte, 1), 0);
	ck_assert(!transport_is_up(transport));
}
END_TEST

START_TEST(comes_back_after_a_loss) {
	struct env_sim_end *end;
	struct transport_out *out;

	send_text("x", NULL);
	env_sim_settle(env);
	end = accept_core();
	env_sim_hangup(end);
	env_sim_settle(env);
	ck_assert_uint_eq(n_lost, 1);
	ck_assert_int_eq(lost_rc, RG_E_CLOSED);
	send_text("y", &out); // waits for the pause to end
	env_sim_settle(env);
	ck_assert_ptr_null(accept_core());
	ck_assert(transport_out_is_unsent(out));
	env_sim_advance(env, 100 * RG_NS_PER_MS);
	end = accept_core();
	ck_assert_ptr_nonnull(end);
	env_sim_settle(env);
	expect_read(end, "y");
	ck_assert_uint_eq(n_connects, 2);
}
END_TEST

// What was half sent does not continue on the next connection; what had not begun does.
START_TEST(loss_in_the_middle) {
	struct env_sim_end *end;
	struct transport_out *a, *b;

	send_text("x", NULL);
	env_sim_settle(env);
	end = accept_core();
	env_sim_set_room(end, 2);
	send_text("half", &a);
	send_text("whole", &b);
	env_sim_reset(end, ECONNRESET);
	env_sim_settle(env);
	ck_assert_uint_eq(n_lost, 1);
	ck_assert_int_eq(lost_rc, -ECONNRESET);
	ck_assert_ptr_null(a);
	ck_assert(transport_out_is_unsent(b));
	env_sim_advance(env, 100 * RG_NS_PER_MS);
	expect_read(accept_core(), "whole");
}
END_TEST

START_TEST(back_off) {
	static const unsigned pauses_ms[] = {100, 200, 400, 800, 1600, 2000, 2000};
	struct env_sim_end *end;
	struct transport_out *out;

	env_sim_refuse(env, &conf.core.address, ECONNREFUSED);
	for (unsigned i = 0; i < sizeof(pauses_ms) / sizeof(*pauses_ms); i++) {
		send_text("x", &out);
		env_sim_settle(env);
		ck_assert_uint_eq(n_attempts, i + 1);
		ck_assert_int_eq(lost_rc, -ECONNREFUSED);
		ck_assert_ptr_null(out); // an attempt that fails takes the queue with it
		send_text("y", &out);
		env_sim_advance(env, (pauses_ms[i] - 1) * RG_NS_PER_MS);
		ck_assert_uint_eq(n_attempts, i + 1);
		transport_out_drop(transport, out);
		env_sim_advance(env, RG_NS_PER_MS);
		ck_assert_uint_eq(n_attempts, i + 1); // nothing waits: no attempt
	}
	env_sim_refuse(env, &conf.core.address, 0);
	send_text("z", NULL);
	env_sim_settle(env);
	end = accept_core();
	expect_read(end, "z");
	env_sim_hangup(end); // a connection that stood begins the count anew
	env_sim_settle(env);
	send_text("again", NULL);
	env_sim_advance(env, 100 * RG_NS_PER_MS);
	expect_read(accept_core(), "again");
}
END_TEST

START_TEST(silent_peer) {
	struct transport_out *out;

	env_sim_refuse(env, &conf.core.address, ENV_SIM_HANG);
	send_text("x", &out);
	env_sim_advance(env, 4 * RG_NS_PER_S - 1);
	ck_assert_uint_eq(n_attempts, 0);
	env_sim_advance(env, 1);
	ck_assert_uint_eq(n_attempts, 1);
	ck_assert_int_eq(lost_rc, -ETIMEDOUT);
}
END_TEST

START_TEST(bounded_queue) {
	static char big[1u << 20];
	struct transport_out *out = NULL;

	env_sim_refuse(env, &conf.core.address, ENV_SIM_HANG);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(transport_send_tcp(transport, rg_slice(big, sizeof(big)), NULL),
				 0);
	ck_assert_int_eq(transport_send_tcp(transport, RG_LIT("x"), &out), -ENOBUFS);
	ck_assert_ptr_null(out);
}
END_TEST

// A failing send is told later, never from inside the call.
START_TEST(send_error) {
	struct env_sim_end *end;

	send_text("x", NULL);
	env_sim_settle(env);
	end = accept_core();
	env_sim_reset(end, EPIPE);
	send_text("y", NULL);
	ck_assert_uint_eq(n_lost, 0);
	env_sim_settle(env);
	ck_assert_uint_eq(n_lost, 1);
}
END_TEST

START_TEST(udp) {
	struct transport_ops ops = {.message = on_message,
				    .lost = on_lost,
				    .n_connects = &n_connects};
	struct rg_addr local, to;
	char buf[64] = {0};

	transport_free(transport);
	conf.core.is_udp = true;
	transport = transport_new(env, NULL, &conf, &ops);
	ck_assert_int_eq(transport_send_udp(transport, RG_LIT("hello"), NULL), 0);
	ck_assert_int_eq(env_sim_udp_take(env, buf, sizeof(buf), &local, &to), 5);
	ck_assert_int_eq(memcmp(&to, &conf.core.address, sizeof(to)), 0);
	ck_assert_int_eq(env_sim_udp_deliver(env, &local, &to, RG_LIT(OK_200("z9hG4bKu"))), 0);
	ck_assert_int_eq(env_sim_udp_deliver(env, &local, &to, RG_LIT("rubbish")), 0);
	env_sim_settle(env);
	ck_assert_str_eq(branches, "z9hG4bKu ");
}
END_TEST

int main(void) {
	Suite *s = suite_create("ims_transport");
	TCase *t = tcase_create("transport");
	SRunner *r;
	int n_failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, lazy_connect);
	tcase_add_test(t, partial_writes);
	tcase_add_test(t, framing);
	tcase_add_test(t, garbage_ends_the_connection);
	tcase_add_test(t, comes_back_after_a_loss);
	tcase_add_test(t, loss_in_the_middle);
	tcase_add_test(t, back_off);
	tcase_add_test(t, silent_peer);
	tcase_add_test(t, bounded_queue);
	tcase_add_test(t, send_error);
	tcase_add_test(t, udp);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	n_failed = srunner_ntests_failed(r);
	srunner_free(r);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
