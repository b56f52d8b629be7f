// SPDX-License-Identifier: BSD-3-Clause
// The dataplane with EAL and two real workers on a port that drops everything (net_null): start,
// errors, queries, replies for connections that have gone, stop. EAL starts once per process, so the
// cases run in order in one process (CK_NOFORK).
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "regate/dp.h"

static struct rg_lease_bucket bucket;
static const struct rg_lease_table leases = {.buckets = &bucket};
static struct rg_dp_cfg cfg = {
	.port = "net_null0",
	.lcores = "0,0",
	.n_workers = 2,
	.memory_mib = 128,
	.hugepages = RG_HUGE_NO,
	.ip_be = 0x0200000a,
	.listen_port = 443,
	.max_conns = 700,
	.tls = {.max_half_open = 4, .handshake_share = 25},
	.ws_path = "/w2",
	.leases = &leases,
	.ws_ping_s = 25,
	.ws_pong_misses = 2,
	.head_timeout_s = 10,
	.idle_timeout_s = 60,
	.unbound_timeout_s = 600,
};
static struct rg_dp *dp;

struct seen {
	unsigned n_info, n_end, n_closed;
	uint16_t worker_of_end;
	struct rg_binding bound;
};

static void on_punt(void *arg, const struct rg_punt *p, struct rg_slice payload) {
	struct seen *s = arg;

	ck_assert_uint_eq(p->len, payload.len);
	s->n_info += p->kind == RG_PUNT_CONN_INFO;
	if (p->kind == RG_PUNT_CONN_END) {
		s->n_end++;
		s->worker_of_end = p->conn.worker;
		ck_assert_uint_eq(p->query, 7);
	} else if (p->kind == RG_PUNT_FLOW_CLOSED) {
		s->n_closed++;
		s->bound = p->bound;
	}
}

// Polls until want punts of any kind came, woken by the event descriptor alone.
static void poll_until(struct seen *s, unsigned want) {
	struct pollfd fd = {.fd = rg_dp_event_fd(dp), .events = POLLIN};

	while (s->n_end + s->n_closed + s->n_info < want) {
		ck_assert_msg(poll(&fd, 1, 30000) == 1,
			      "the workers never woke the control thread");
		rg_dp_poll(dp, 16, on_punt, s);
	}
}

// Every case behind `starts` needs it.
static void need_dp(void) {
	ck_assert_msg(dp != NULL, "the dataplane did not start");
}

static void expect_start_error(const char *port, const char *lcores, const char *phrase) {
	struct rg_dp_cfg bad = cfg;
	struct rg_dp *none = NULL;
	char err[1024];

	bad.port = port;
	bad.lcores = lcores;
	ck_assert_int_lt(rg_dp_start(&bad, &none, err, sizeof(err)), 0);
	ck_assert_msg(strstr(err, phrase) != NULL, "'%s' does not name %s", err, phrase);
	ck_assert_ptr_null(strchr(err, '\n'));
	ck_assert_ptr_null(none);
}

START_TEST(errors_before_eal) {
	expect_start_error("net_null0", "9999,9999", "dataplane.lcores");
	expect_start_error("net_null0", "0", "dataplane.lcores");
	expect_start_error("net_null0", "0;0", "dataplane.lcores");
}
END_TEST

START_TEST(starts) {
	char err[1024];

	ck_assert_msg(rg_dp_start(&cfg, &dp, err, sizeof(err)) == 0, "%s", err);
	ck_assert_uint_eq(rg_dp_n_workers(dp), 2);
}
END_TEST

START_TEST(query_ends_on_the_worker_asked) {
	need_dp();
	for (uint16_t worker = 0; worker < 2; worker++) {
		struct rg_reply r = {.kind = RG_REPLY_QUERY,
				     .query = 7,
				     .conn = {.worker = worker}};
		struct seen s = {0};

		ck_assert_int_eq(rg_dp_reply(dp, &r, (struct rg_slice){0}), 0);
		poll_until(&s, 1);
		ck_assert_uint_eq(s.n_end, 1);
		ck_assert_uint_eq(s.worker_of_end, worker);
	}
}
END_TEST

// A 200 for a client that left: the control plane must hear that nobody holds the flow.
START_TEST(lost_binding_comes_back) {
	struct rg_reply r = {
		.kind = RG_REPLY_SIP,
		.flags = RG_REPLY_F_BIND,
		.conn = {.idx = 3, .gen = 9, .worker = 1},
		.bound = {.lease_idx = 5, .gen = 11, .promise_end_ns = 1},
		.len = 2,
	};
	struct seen s = {0};

	need_dp();
	ck_assert_int_eq(rg_dp_reply(dp, &r, RG_LIT("hi")), 0);
	poll_until(&s, 1);
	ck_assert_uint_eq(s.n_closed, 1);
	ck_assert_uint_eq(s.bound.lease_idx, 5);
	ck_assert_uint_eq(s.bound.gen, 11);
	ck_assert_uint_ge(rg_stat_get(rg_dp_stats(dp, 1), RG_DROP_reply_stale), 1);
}
END_TEST

// Nothing of these has a connection behind it, nor may anything be touched out of bounds.
START_TEST(replies_to_nobody) {
	static const struct rg_conn_id ids[] = {{0, 0, 0},          {699, 1, 0}, {700, 1, 0},
						{UINT32_MAX, 1, 1}, {0, 1, 2},   {0, 1, 65535}};
	struct rg_reply q = {.kind = RG_REPLY_QUERY, .query = 7, .conn = {.worker = 1}};
	struct seen s = {0};

	need_dp();
	for (int kind = RG_REPLY_SIP; kind <= RG_REPLY_CLOSE; kind++) {
		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
			struct rg_reply r = {.kind = (uint16_t)kind, .conn = ids[i]};

			ck_assert_int_eq(rg_dp_reply(dp, &r, (struct rg_slice){0}), 0);
		}
	}
	ck_assert_int_eq(rg_dp_reply(dp, &q, (struct rg_slice){0}), 0);
	poll_until(&s, 1);
	ck_assert_uint_eq(s.n_closed, 0);
}
END_TEST

START_TEST(stops) {
	rg_dp_stop(dp);
}
END_TEST

// The port is looked for after EAL: last, since EAL does not start twice.
int main(int argc, char **argv) {
	TCase *tc = tcase_create("dp");
	Suite *suite = suite_create("dp");
	SRunner *runner;
	int n_failed;

	if (argc != 3)
		return EXIT_FAILURE;
	static struct rg_cert_file cert;

	cert = (struct rg_cert_file){argv[1], argv[2]};
	cfg.certs = &cert;
	cfg.n_certs = 1;
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 0);
	tcase_add_test(tc, errors_before_eal);
	tcase_add_test(tc, starts);
	tcase_add_test(tc, query_ends_on_the_worker_asked);
	tcase_add_test(tc, lost_binding_comes_back);
	tcase_add_test(tc, replies_to_nobody);
	tcase_add_test(tc, stops);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
