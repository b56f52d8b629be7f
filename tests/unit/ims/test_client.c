// SPDX-License-Identifier: BSD-3-Clause
// client.c: non-INVITE client transactions (RFC 3261 17.1.2) on a virtual clock.
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "ims/client.h"
#include "regate/err.h"

static struct conf conf;
static struct env *env;
static struct ims_stats stats;
static struct client *client;

struct seen { // of one transaction
	unsigned n;
	struct client_result r;
	unsigned status;
};

static void on_done(void *arg, const struct client_result *r) {
	struct seen *s = arg;

	s->n++;
	s->r = *r;
	s->status = r->answer != NULL ? r->answer->status : 0;
}

static void start(bool is_udp) {
	env = env_sim_new(1);
	memset(&stats, 0, sizeof(stats));
	conf.core.is_udp = is_udp;
	conf.core.timer_f_s = 32;
	ck_assert_int_eq(rg_addr_parse(RG_LIT("192.0.2.20:5060"), &conf.core.address), 0);
	ck_assert_int_eq(rg_addr_parse(RG_LIT("192.0.2.10:5060"), &conf.core.local), 0);
	client = client_new(&conf, env, NULL, &stats);
	ck_assert_ptr_nonnull(client);
}

static void setup_udp(void) {
	start(true);
}

static void setup_tcp(void) {
	start(false);
}

static void teardown(void) {
	client_free(client);
	env_sim_free(env);
}

static void send_request(const char *branch, bool is_udp, struct seen *seen) {
	struct client_id id = {rg_str(branch), RG_LIT("call"), 7};

	memset(seen, 0, sizeof(*seen));
	ck_assert_int_eq(client_send(client, rg_str(branch), is_udp, &id, on_done, seen), 0);
	ck_assert_uint_eq(seen->n, 0);
}

// A response, with one part replaced at will.
struct response {
	unsigned status;
	const char *branch, *call_id, *cseq, *more;
};

static struct rg_slice response(const struct response *r) {
	static char text[2048];
	int n = snprintf(text, sizeof(text),
			 "SIP/2.0 %u Text\r\nVia: SIP/2.0/UDP gw:5060;branch=%s;rport=1\r\n%s"
			 "From: <sip:u@d>;tag=1\r\nTo: <sip:u@d>;tag=2\r\nCall-ID: %s\r\n"
			 "CSeq: %s\r\nContent-Length: 0\r\n\r\n",
			 r->status, r->branch, r->more != NULL ? r->more : "",
			 r->call_id != NULL ? r->call_id : "call",
			 r->cseq != NULL ? r->cseq : "7 REGISTER");

	return rg_slice(text, (size_t)n);
}

static void deliver(struct rg_slice m) {
	ck_assert_int_eq(env_sim_udp_deliver(env, &conf.core.local, &conf.core.address, m), 0);
	env_sim_settle(env);
}

static unsigned count_sent(void) {
	unsigned n = 0;
	char buf[2048];

	while (env_sim_udp_take(env, buf, sizeof(buf), NULL, NULL) >= 0)
		n++;
	return n;
}

// Timer E: 0.5, 1, 2, 4, 4 ... s after one another; Timer F ends it at 32 s.
START_TEST(retransmission_schedule) {
	static const unsigned at_ms[] = {0,     500,   1500,  3500,  7500, 11500,
					 15500, 19500, 23500, 27500, 31500};
	uint64_t start_ns = env_now_ns(env);
	struct seen seen;

	send_request("z9hG4bK1", true, &seen);
	for (unsigned i = 0; i < sizeof(at_ms) / sizeof(*at_ms); i++) {
		uint64_t due_ns = start_ns + at_ms[i] * RG_NS_PER_MS;

		if (i > 0) {
			env_sim_advance(env, due_ns - env_now_ns(env) - 1);
			ck_assert_msg(count_sent() == 0, "early before %u ms", at_ms[i]);
			env_sim_advance(env, 1);
		}
		ck_assert_msg(count_sent() == 1, "missing at %u ms", at_ms[i]);
	}
	env_sim_advance(env, start_ns + 32 * RG_NS_PER_S - env_now_ns(env) - 1);
	ck_assert_uint_eq(seen.n, 0);
	env_sim_advance(env, 1);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_int_eq(seen.r.rc, -ETIMEDOUT);
	ck_assert(seen.r.is_sent);
	env_sim_advance(env, 64 * RG_NS_PER_S);
	ck_assert_uint_eq(count_sent(), 0);
	ck_assert_uint_eq(stats.core_retransmits, 10);
	ck_assert_uint_eq(stats.core_timeouts, 1);
	ck_assert(!client_is_connected(client));
}
END_TEST

START_TEST(final_answer_ends_it) {
	struct seen seen;

	send_request("z9hG4bK1", true, &seen);
	deliver(response(&(struct response){.status = 100, .branch = "z9hG4bK1"}));
	ck_assert_uint_eq(seen.n, 0);
	deliver(response(&(struct response){.status = 200, .branch = "z9hG4bK1"}));
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(seen.status, 200);
	deliver(response(&(struct response){.status = 200, .branch = "z9hG4bK1"})); // again
	ck_assert_uint_eq(seen.n, 1);
	count_sent();
	env_sim_advance(env, 64 * RG_NS_PER_S);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(count_sent(), 0); // timers are off
	ck_assert(client_is_connected(client));
	ck_assert_uint_eq(stats.core_answers, 1);
}
END_TEST

static const struct response strangers[] = {
	{.status = 200, .branch = "z9hG4bK2"},
	{.status = 200, .branch = "Z9HG4BK1"},
	{.status = 200, .branch = "z9hG4bK1", .call_id = "other"},
	{.status = 200, .branch = "z9hG4bK1", .cseq = "8 REGISTER"},
	{.status = 200, .branch = "z9hG4bK1", .cseq = "7 OPTIONS"},
	{.status = 200, .branch = "z9hG4bK1", .more = "Via: SIP/2.0/UDP x;branch=z9hG4bKy\r\n"},
};

START_TEST(strangers_are_ignored) {
	struct seen seen;

	send_request("z9hG4bK1", true, &seen);
	deliver(response(&strangers[_i]));
	ck_assert_uint_eq(seen.n, 0);
	deliver(response(&(struct response){.status = 403, .branch = "z9hG4bK1"}));
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(seen.status, 403);
}
END_TEST

START_TEST(many_at_once) {
	struct seen seen[3];

	send_request("z9hG4bKa", true, &seen[0]);
	send_request("z9hG4bKb", true, &seen[1]);
	send_request("z9hG4bKc", true, &seen[2]);
	deliver(response(&(struct response){.status = 500, .branch = "z9hG4bKb"}));
	ck_assert_uint_eq(seen[0].n, 0);
	ck_assert_uint_eq(seen[1].status, 500);
	ck_assert_uint_eq(seen[2].n, 0);
	deliver(response(&(struct response){.status = 200, .branch = "z9hG4bKc"}));
	deliver(response(&(struct response){.status = 200, .branch = "z9hG4bKa"}));
	ck_assert_uint_eq(seen[0].n + seen[1].n + seen[2].n, 3);
}
END_TEST

// RFC 3261 18.1.1: the Via must say how the request goes, so the size is asked for first.
START_TEST(size_rule) {
	ck_assert(client_is_udp(client, 1300));
	ck_assert(!client_is_udp(client, 1301));
}
END_TEST

START_TEST(large_over_tcp) {
	struct env_sim_end *end;
	struct seen seen;
	char buf[64];

	send_request("z9hG4bK1", false, &seen);
	env_sim_settle(env);
	ck_assert_uint_eq(count_sent(), 0);
	end = env_sim_accept(env, &conf.core.address);
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf)), 8);
	ck_assert_int_eq(env_sim_write(end, response(&(struct response){.status = 200,
									.branch = "z9hG4bK1"})),
			 0);
	env_sim_settle(env);
	ck_assert_uint_eq(seen.status, 200);
}
END_TEST

static const struct {
	const char *method;
	unsigned status;
} requests[] = {{"OPTIONS", 200}, {"INVITE", 405}, {"NOTIFY", 405}, {"MESSAGE", 405}, {"ACK", 0}};

static struct rg_slice request(const char *method) {
	static char text[1024];
	int n = snprintf(text, sizeof(text),
			 "%s sip:l17@gw SIP/2.0\r\nVia: SIP/2.0/UDP core;branch=z9hG4bKx;rport\r\n"
			 "From: <sip:u@d>;tag=1\r\nTo: <sip:u@d>\r\nCall-ID: q\r\nCSeq: 1 %s\r\n"
			 "Content-Length: 0\r\n\r\n",
			 method, method);

	return rg_slice(text, (size_t)n);
}

START_TEST(requests_of_the_core) {
	char buf[2048] = {0}, want[64];
	struct rg_addr to;
	struct sip_msg m;
	ssize_t n;

	deliver(request(requests[_i].method));
	n = env_sim_udp_take(env, buf, sizeof(buf) - 1, NULL, &to);
	if (requests[_i].status == 0) {
		ck_assert_int_eq(n, -EAGAIN);
		return;
	}
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(memcmp(&to, &conf.core.address, sizeof(to)), 0);
	ck_assert_int_eq(sip_parse(rg_slice(buf, (size_t)n), &m), RG_OK);
	ck_assert_uint_eq(m.status, requests[_i].status);
	ck_assert_ptr_nonnull(strstr(buf, "Allow: OPTIONS\r\n"));
	snprintf(want, sizeof(want), "rport=%u", conf.core.address.port);
	ck_assert_ptr_nonnull(strstr(buf, want));
}
END_TEST

START_TEST(requests_of_others) {
	struct rg_addr other;
	char buf[64];

	ck_assert_int_eq(rg_addr_parse(RG_LIT("198.51.100.1:5060"), &other), 0);
	ck_assert_int_eq(env_sim_udp_deliver(env, &conf.core.local, &other, request("OPTIONS")), 0);
	env_sim_settle(env);
	ck_assert_int_eq(env_sim_udp_take(env, buf, sizeof(buf), NULL, NULL), -EAGAIN);
}
END_TEST

// --- TCP

static struct env_sim_end *accept_core(void) {
	env_sim_settle(env);
	return env_sim_accept(env, &conf.core.address);
}

START_TEST(tcp_never_repeats) {
	struct seen seen;
	char buf[64];
	struct env_sim_end *end;

	send_request("z9hG4bK1", false, &seen);
	end = accept_core();
	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf)), 8);
	env_sim_advance(env, 32 * RG_NS_PER_S - 1);
	ck_assert_uint_eq(seen.n, 0);
	env_sim_advance(env, 1);
	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf)), -EAGAIN);
	ck_assert_int_eq(seen.r.rc, -ETIMEDOUT);
	ck_assert(seen.r.is_sent);
	ck_assert_uint_eq(stats.core_retransmits, 0);
}
END_TEST

START_TEST(tcp_answers) {
	struct env_sim_end *end;
	struct seen a, b;

	ck_assert(!client_is_udp(client, 10));
	send_request("z9hG4bKa", false, &a);
	send_request("z9hG4bKb", false, &b);
	end = accept_core();
	ck_assert(client_is_connected(client));
	env_sim_write(end, response(&(struct response){.status = 200, .branch = "z9hG4bKb"}));
	env_sim_write(end, response(&(struct response){.status = 403, .branch = "z9hG4bKa"}));
	env_sim_settle(env);
	ck_assert_uint_eq(a.status, 403);
	ck_assert_uint_eq(b.status, 200);
	ck_assert_uint_eq(stats.core_connects, 1);
}
END_TEST

START_TEST(tcp_request_of_the_core) {
	struct env_sim_end *end;
	char buf[2048] = {0};
	struct seen a;

	send_request("z9hG4bKa", false, &a);
	end = accept_core();
	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf)), 8);
	env_sim_write(end, request("INVITE"));
	env_sim_settle(env);
	ck_assert_int_gt(env_sim_read(end, buf, sizeof(buf) - 1), 0);
	ck_assert_ptr_eq(strstr(buf, "SIP/2.0 405 "), buf);
}
END_TEST

START_TEST(tcp_loss) {
	struct env_sim_end *end;
	struct seen sent, queued;

	send_request("z9hG4bKa", false, &sent);
	end = accept_core();
	env_sim_stall(end, true);
	send_request("z9hG4bKb", false, &queued);
	env_sim_hangup(end);
	env_sim_settle(env);
	ck_assert_uint_eq(sent.n, 1);
	ck_assert_int_eq(sent.r.rc, RG_E_CLOSED);
	ck_assert(sent.r.is_sent);
	ck_assert_uint_eq(queued.n, 0); // goes over the next connection
	env_sim_advance(env, 100 * RG_NS_PER_MS);
	end = accept_core();
	ck_assert_ptr_nonnull(end);
	env_sim_write(end, response(&(struct response){.status = 200, .branch = "z9hG4bKb"}));
	env_sim_settle(env);
	ck_assert_uint_eq(queued.status, 200);
}
END_TEST

START_TEST(tcp_refused) {
	struct seen a, b;

	env_sim_refuse(env, &conf.core.address, ECONNREFUSED);
	send_request("z9hG4bKa", false, &a);
	send_request("z9hG4bKb", false, &b);
	env_sim_settle(env);
	ck_assert_int_eq(a.r.rc, -ECONNREFUSED);
	ck_assert_int_eq(b.r.rc, -ECONNREFUSED);
	ck_assert(!a.r.is_sent);
	ck_assert_uint_eq(a.n + b.n, 2);
}
END_TEST

// Timer F while the request still waits: it must not leave afterwards.
START_TEST(tcp_timeout_unsent) {
	struct env_sim_end *end;
	struct seen a, b;
	char buf[64] = {0};

	conf.core.timer_f_s = 1;
	client_free(client);
	client = client_new(&conf, env, NULL, &stats);
	env_sim_refuse(env, &conf.core.address, ENV_SIM_HANG);
	send_request("z9hG4bKa", false, &a);
	env_sim_advance(env, RG_NS_PER_S);
	ck_assert_int_eq(a.r.rc, -ETIMEDOUT);
	ck_assert(!a.r.is_sent);
	send_request("z9hG4bKb", false, &b);
	env_sim_refuse(env, &conf.core.address, 0);
	end = accept_core();
	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf)), 8);
	ck_assert_str_eq(buf, "z9hG4bKb");
}
END_TEST

START_TEST(limits) {
	struct client_id id = {RG_LIT("z9hG4bK012345678901234567890123456789012345678901"),
			       RG_LIT("call"), 7};
	struct seen seen = {0};

	ck_assert_int_eq(client_send(client, RG_LIT("x"), false, &id, on_done, &seen), RG_E_LIMIT);
	id.branch = RG_LIT("z9hG4bK1");
	id.call_id = RG_LIT("0123456789012345678901234567890123456789012345678901234567890123x");
	ck_assert_int_eq(client_send(client, RG_LIT("x"), false, &id, on_done, &seen), RG_E_LIMIT);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ims_client");
	TCase *udp = tcase_create("udp"), *tcp = tcase_create("tcp");
	SRunner *r;
	int n_failed;

	tcase_add_checked_fixture(udp, setup_udp, teardown);
	tcase_add_test(udp, retransmission_schedule);
	tcase_add_test(udp, final_answer_ends_it);
	tcase_add_loop_test(udp, strangers_are_ignored, 0, sizeof(strangers) / sizeof(*strangers));
	tcase_add_test(udp, many_at_once);
	tcase_add_test(udp, size_rule);
	tcase_add_test(udp, large_over_tcp);
	tcase_add_loop_test(udp, requests_of_the_core, 0, sizeof(requests) / sizeof(*requests));
	tcase_add_test(udp, requests_of_others);
	suite_add_tcase(s, udp);
	tcase_add_checked_fixture(tcp, setup_tcp, teardown);
	tcase_add_test(tcp, tcp_never_repeats);
	tcase_add_test(tcp, tcp_answers);
	tcase_add_test(tcp, tcp_request_of_the_core);
	tcase_add_test(tcp, tcp_loss);
	tcase_add_test(tcp, tcp_refused);
	tcase_add_test(tcp, tcp_timeout_unsent);
	tcase_add_test(tcp, limits);
	suite_add_tcase(s, tcp);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	n_failed = srunner_ntests_failed(r);
	srunner_free(r);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
