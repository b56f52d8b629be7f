// SPDX-License-Identifier: BSD-3-Clause
// The simulated environment: that it keeps the promises of env.h, and those of env_sim.h to tests.
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/env_sim.h"

static struct rg_addr addr(const char *s) {
	struct rg_addr a;

	ck_assert_int_eq(rg_addr_parse(rg_str(s), &a), 0);
	return a;
}

struct rec { // records what one socket is told
	struct env *env;
	unsigned n, events; // calls, and the last one's events
	bool close_it;
	struct env_sock *also_close;
};

static void on_sock(void *arg, struct env_sock *s, unsigned events) {
	struct rec *r = arg;

	r->n++;
	r->events = events;
	if (r->close_it)
		env_sock_close(s);
	env_sock_close(r->also_close);
	r->also_close = NULL;
}

struct tick {
	struct env_timer t; // first
	struct env *env;
	uint64_t times[8];
	unsigned n, n_max;
	uint64_t step_ns;
};

static void on_tick(struct env_timer *t, uint64_t now_ns) {
	struct tick *k = (struct tick *)t;

	ck_assert_uint_eq(now_ns, env_now_ns(k->env));
	k->times[k->n++] = now_ns;
	if (k->n < k->n_max)
		env_timer_set(k->env, t, now_ns + k->step_ns);
}

START_TEST(clock_and_timers) {
	struct env *e = env_sim_new(1);
	struct tick k = {.t.fn = on_tick, .env = e, .n_max = 3, .step_ns = 10};
	uint64_t t0 = env_now_ns(e);
	int64_t w0 = env_wall_ms(e);

	env_timer_set(e, &k.t, t0 + 5);
	env_sim_advance(e, 4);
	ck_assert_uint_eq(k.n, 0);
	env_sim_advance(e, 1);
	ck_assert_uint_eq(k.n, 1);
	env_sim_advance(e, 100);
	ck_assert_uint_eq(k.n, 3);
	ck_assert_uint_eq(k.times[0], t0 + 5);
	ck_assert_uint_eq(k.times[1], t0 + 15); // at its own time, not at the end of the step
	ck_assert_uint_eq(k.times[2], t0 + 25);
	ck_assert_uint_eq(env_now_ns(e), t0 + 105);
	ck_assert_int_eq(env_wall_ms(e), w0);
	for (int i = 0; i < 4; i++)
		env_sim_advance(e, RG_NS_PER_S / 3);
	ck_assert_int_eq(env_wall_ms(e), w0 + 1333);
	env_sim_set_wall_ms(e, 42);
	env_sim_advance(e, 2 * RG_NS_PER_MS);
	ck_assert_int_eq(env_wall_ms(e), 44);
	env_sim_free(e);
	env_sim_free(NULL);
}
END_TEST

START_TEST(random_by_seed) {
	struct env *a = env_sim_new(1), *b = env_sim_new(1), *c = env_sim_new(2);
	uint8_t x[21], y[21], z[21];

	env_random(a, x, sizeof(x));
	env_random(b, y, sizeof(y));
	env_random(c, z, sizeof(z));
	ck_assert_mem_eq(x, y, sizeof(x));
	ck_assert_mem_ne(x, z, sizeof(x));
	env_random(a, y, sizeof(y));
	ck_assert_mem_ne(x, y, sizeof(x));
	env_sim_free(a);
	env_sim_free(b);
	env_sim_free(c);
}
END_TEST

static void add_one(void *arg) {
	++*(int *)arg;
}

static void add_ten(void *arg) {
	*(int *)arg += 10;
}

START_TEST(work) {
	struct env *e = env_sim_new(1);
	int v = 0;

	ck_assert_int_eq(env_work(e, add_one, add_ten, &v), 0);
	ck_assert_int_eq(v, 1);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_int_eq(v, 11);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(env_work(e, add_one, add_ten, &v), 0);
	ck_assert_int_eq(env_work(e, add_one, add_ten, &v), -EAGAIN);
	ck_assert_uint_eq(env_sim_turn(e), 64);
	ck_assert_int_eq(v, 11 + 64 * 11);
	env_sim_free(e);
}
END_TEST

START_TEST(files) {
	struct env *e = env_sim_new(1);
	uint8_t *data;
	size_t len;

	ck_assert_int_eq(env_read_file(e, "/a/y", 10, &data, &len), -ENOENT);
	env_sim_file(e, "/a/y", RG_LIT("hello"));
	env_sim_file(e, "/a/x", RG_LIT(""));
	env_sim_file(e, "/a/b/z", RG_LIT("deep"));
	env_sim_file(e, "/ab", RG_LIT("other"));
	ck_assert_int_eq(env_read_file(e, "/a/y", 4, &data, &len), -EFBIG);
	ck_assert_int_eq(env_read_file(e, "/a/y", 5, &data, &len), 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_str_eq((char *)data, "hello");
	free(data);
	env_sim_file_error(e, "/a/y", EACCES);
	ck_assert_int_eq(env_read_file(e, "/a/y", 5, &data, &len), -EACCES);
	env_sim_file(e, "/a/y", RG_LIT("new"));
	ck_assert_int_eq(env_read_file(e, "/a/y", 5, &data, &len), 0);
	ck_assert_str_eq((char *)data, "new");
	free(data);
	env_sim_free(e);
}
END_TEST

START_TEST(connect_and_talk) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e};
	struct rg_addr peer = addr("10.0.0.1:5060"), local = addr("10.0.0.2:0"), got;
	struct env_sim_end *end;
	struct env_sock *s;
	char buf[8];

	ck_assert_ptr_null(env_sim_accept(e, &peer));
	ck_assert_int_eq(env_tcp_connect(e, &peer, &local, on_sock, &r, &s), 0);
	ck_assert_int_eq(env_send(s, "x", 1), -EAGAIN);
	ck_assert_int_eq(env_recv(s, buf, 1), -ENOTCONN);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_uint_eq(r.events, ENV_WRITE);
	ck_assert_uint_eq(env_sim_turn(e), 0); // told once
	end = env_sim_accept(e, &peer);
	ck_assert_ptr_nonnull(end);
	ck_assert_ptr_null(env_sim_accept(e, &peer));
	env_sim_local(end, &got);
	ck_assert_mem_eq(got.ip, local.ip, 16);
	ck_assert_uint_ne(got.port, 0);
	ck_assert_int_eq(env_sock_local(s, &local), 0);
	ck_assert_uint_eq(got.port, local.port);
	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf)), -EAGAIN);
	ck_assert_int_eq(env_send(s, "hello", 5), 5);
	ck_assert_int_eq(env_sim_read(end, buf, 2), 2);
	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf)), 3);
	ck_assert_mem_eq(buf, "llo", 3);
	ck_assert_int_eq(env_sim_write(end, RG_LIT("abcdef")), 0);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_uint_eq(r.events, ENV_READ);
	ck_assert_int_eq(env_recv(s, buf, 4), 4);
	ck_assert_uint_eq(env_sim_turn(e), 1); // level-triggered: two bytes are left
	ck_assert_int_eq(env_recv(s, buf, 4), 2);
	ck_assert_int_eq(env_recv(s, buf, 4), -EAGAIN);
	ck_assert_uint_eq(env_sim_turn(e), 0);
	env_sock_close(s);
	ck_assert_int_eq(env_sim_read(end, buf, 1), 0);
	ck_assert_int_eq(env_sim_write(end, RG_LIT("x")), -EPIPE);
	env_sim_free(e);
}
END_TEST

START_TEST(hangup_and_reset) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e};
	struct rg_addr peer = addr("[2001:db8::1]:5060");
	struct env_sim_end *end;
	struct env_sock *s;
	char buf[8];

	ck_assert_int_eq(env_tcp_connect(e, &peer, NULL, on_sock, &r, &s), 0);
	end = env_sim_accept(e, &peer); // before the code was told
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(env_sim_write(end, RG_LIT("bye")), 0);
	env_sim_hangup(end);
	ck_assert_int_eq(env_sim_write(end, RG_LIT("more")), -EPIPE);
	env_sim_turn(e);
	ck_assert_uint_eq(r.events, ENV_WRITE);
	env_sim_turn(e);
	ck_assert_uint_eq(r.events, ENV_READ);
	ck_assert_int_eq(env_recv(s, buf, 8), 3);
	ck_assert_int_eq(env_recv(s, buf, 8), 0);
	ck_assert_int_eq(env_send(s, "x", 1), -EPIPE);
	env_sock_close(s);

	ck_assert_int_eq(env_tcp_connect(e, &peer, NULL, on_sock, &r, &s), 0);
	env_sim_turn(e);
	end = env_sim_accept(e, &peer);
	env_sim_reset(end, ECONNRESET);
	env_sim_turn(e);
	ck_assert_uint_eq(r.events, ENV_READ | ENV_ERROR);
	ck_assert_int_eq(env_sock_error(s), -ECONNRESET);
	ck_assert_int_eq(env_recv(s, buf, 8), -ECONNRESET);
	ck_assert_int_eq(env_send(s, "x", 1), -ECONNRESET);
	env_sim_free(e);
}
END_TEST

START_TEST(refuse_and_hang) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e, .close_it = true};
	struct rg_addr peer = addr("10.0.0.1:5060");
	struct env_sock *s;

	env_sim_refuse(e, &peer, ECONNREFUSED);
	ck_assert_int_eq(env_tcp_connect(e, &peer, NULL, on_sock, &r, &s), 0);
	ck_assert_ptr_null(env_sim_accept(e, &peer));
	r.close_it = false;
	env_sim_turn(e);
	ck_assert_uint_eq(r.events, ENV_ERROR);
	ck_assert_int_eq(env_sock_error(s), -ECONNREFUSED);
	env_sock_close(s);
	env_sim_refuse(e, &peer, ENV_SIM_HANG);
	r = (struct rec){.env = e};
	ck_assert_int_eq(env_tcp_connect(e, &peer, NULL, on_sock, &r, &s), 0);
	env_sim_advance(e, 100 * RG_NS_PER_S);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_ptr_null(env_sim_accept(e, &peer));
	env_sim_refuse(e, &peer, 0);
	env_sim_refuse(e, &peer, 0);
	env_sim_turn(e);
	ck_assert_uint_eq(r.events, ENV_WRITE);
	ck_assert_ptr_nonnull(env_sim_accept(e, &peer));
	env_sim_free(e);
}
END_TEST

START_TEST(back_pressure) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e};
	struct rg_addr peer = addr("10.0.0.1:5060");
	struct env_sim_end *end;
	struct env_sock *s;
	char buf[16];

	ck_assert_int_eq(env_tcp_connect(e, &peer, NULL, on_sock, &r, &s), 0);
	env_sim_turn(e);
	end = env_sim_accept(e, &peer);
	env_sim_stall(end, true);
	ck_assert_int_eq(env_send(s, "abc", 3), -EAGAIN);
	env_sock_want(s, ENV_READ | ENV_WRITE);
	r.n = 0;
	env_sim_turn(e);
	ck_assert_uint_eq(r.n, 0);
	env_sim_stall(end, false);
	env_sim_turn(e);
	ck_assert_uint_eq(r.events, ENV_WRITE);
	env_sock_want(s, ENV_READ);
	ck_assert_uint_eq(env_sim_turn(e), 0);
	env_sim_set_room(end, 2);
	ck_assert_int_eq(env_send(s, "abc", 3), 2);
	ck_assert_int_eq(env_send(s, "c", 1), -EAGAIN);
	ck_assert_int_eq(env_sim_read(end, buf, sizeof(buf)), 2);
	env_sim_free(e);
}
END_TEST

START_TEST(listen_and_accept) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e}, r2 = {.env = e};
	struct rg_addr local = addr("10.0.0.2:80"), any = addr("10.0.0.2:0"), got;
	struct env_sock *l, *s, *other;
	struct env_sim_end *end;
	char buf[8];

	ck_assert_ptr_null(env_sim_connect(e, &local));
	ck_assert_int_eq(env_tcp_listen(e, &local, on_sock, &r, &l), 0);
	ck_assert_int_eq(env_tcp_listen(e, &local, on_sock, &r, &other), -EADDRINUSE);
	ck_assert_int_eq(env_tcp_listen(e, &any, on_sock, &r, &other), 0);
	ck_assert_int_eq(env_sock_local(other, &got), 0);
	ck_assert_uint_ne(got.port, 0);
	ck_assert_int_eq(env_accept(e, l, on_sock, &r2, &s), -EAGAIN);
	end = env_sim_connect(e, &local);
	ck_assert_int_eq(env_sim_write(end, RG_LIT("hi")), 0);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_uint_eq(r.events, ENV_READ);
	ck_assert_int_eq(env_accept(e, l, on_sock, &r2, &s), 0);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_uint_eq(r2.events, ENV_READ);
	ck_assert_int_eq(env_recv(s, buf, 8), 2);
	ck_assert_int_eq(env_send(s, "yo", 2), 2);
	ck_assert_int_eq(env_sim_read(end, buf, 8), 2);
	end = env_sim_connect(e, &local);
	env_sock_close(l); // with one in its backlog
	ck_assert_int_eq(env_sim_read(end, buf, 8), 0);
	ck_assert_ptr_null(env_sim_connect(e, &local));
	env_sim_free(e);
}
END_TEST

struct acceptor {
	struct rec rec;
	struct env_sock *s;
};

static void accept_inside(void *arg, struct env_sock *s, unsigned) {
	struct acceptor *a = arg;

	ck_assert_int_eq(env_accept(a->rec.env, s, on_sock, &a->rec, &a->s), 0);
}

START_TEST(told_in_a_later_turn) {
	struct env *e = env_sim_new(1);
	struct acceptor a = {.rec.env = e};
	struct rg_addr local = addr("10.0.0.2:80");
	struct env_sock *l;

	ck_assert_int_eq(env_tcp_listen(e, &local, accept_inside, &a, &l), 0);
	ck_assert_int_eq(env_sim_write(env_sim_connect(e, &local), RG_LIT("x")), 0);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_uint_eq(a.rec.n, 0);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_uint_eq(a.rec.n, 1);
	env_sim_free(e);
}
END_TEST

// Reads and writes of all sizes: the bytes come out as they went in.
START_TEST(stream_keeps_bytes) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e};
	struct rg_addr peer = addr("10.0.0.1:1");
	struct env_sim_end *end;
	struct env_sock *s;
	uint8_t buf[64], next_in = 0, next_out = 0;

	ck_assert_int_eq(env_tcp_connect(e, &peer, NULL, on_sock, &r, &s), 0);
	env_sim_turn(e);
	end = env_sim_accept(e, &peer);
	for (unsigned i = 0; i < 2000; i++) {
		ssize_t n;

		for (unsigned k = 0; k < i % 37; k++)
			buf[k] = next_in++;
		ck_assert_int_eq(env_sim_write(end, rg_slice(buf, i % 37)), 0);
		n = env_recv(s, buf, i * 7 % 41);
		for (ssize_t k = 0; k < n; k++)
			ck_assert_uint_eq(buf[k], next_out++);
	}
	ck_assert_uint_ne(next_out, 0);
	env_sim_free(e);
}
END_TEST

START_TEST(listen_unix) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e};
	struct env_sock *l, *s;
	struct rg_addr a;

	ck_assert_ptr_null(env_sim_connect_unix(e, "/run/x"));
	ck_assert_int_eq(env_unix_listen(e, "/run/x", 0660, on_sock, &r, &l), 0);
	ck_assert_int_eq(env_unix_listen(e, "/run/x", 0660, on_sock, &r, &s), -EADDRINUSE);
	ck_assert_int_eq(env_sock_local(l, &a), -EAFNOSUPPORT);
	ck_assert_ptr_nonnull(env_sim_connect_unix(e, "/run/x"));
	env_sim_turn(e);
	ck_assert_int_eq(env_accept(e, l, on_sock, &r, &s), 0);
	env_sim_free(e);
}
END_TEST

START_TEST(udp) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e};
	struct rg_addr local = addr("10.0.0.2:5060"), peer = addr("10.0.0.1:5060"), from, to;
	struct rg_addr v6 = addr("[::1]:5060");
	struct env_sock *s;
	char buf[8];

	ck_assert_int_eq(env_sim_udp_deliver(e, &local, &peer, RG_LIT("x")), -ECONNREFUSED);
	ck_assert_int_eq(env_udp_open(e, &local, on_sock, &r, &s), 0);
	ck_assert_int_eq(env_sendto(s, "one", 3, &peer), 3);
	ck_assert_int_eq(env_sendto(s, "two", 3, &peer), 3);
	ck_assert_int_eq(env_sendto(s, "two", 3, &v6), -EAFNOSUPPORT);
	ck_assert_int_eq(env_sendto(s, "two", 65508, &peer), -EMSGSIZE);
	ck_assert_int_eq(env_sim_udp_take(e, buf, 2, &from, &to), 2); // cut, the rest is gone
	ck_assert_uint_eq(from.port, 5060);
	ck_assert_mem_eq(&to, &peer, sizeof(to));
	ck_assert_int_eq(env_sim_udp_take(e, buf, 8, NULL, NULL), 3);
	ck_assert_mem_eq(buf, "two", 3);
	ck_assert_int_eq(env_sim_udp_take(e, buf, 8, NULL, NULL), -EAGAIN);
	ck_assert_int_eq(env_sim_udp_deliver(e, &local, &peer, RG_LIT("reply")), 0);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_uint_eq(r.events, ENV_READ);
	ck_assert_int_eq(env_recvfrom(s, buf, 8, &from), 5);
	ck_assert_mem_eq(&from, &peer, sizeof(from));
	ck_assert_int_eq(env_recvfrom(s, buf, 8, &from), -EAGAIN);
	ck_assert_int_eq(env_sim_udp_deliver(e, &local, &peer, RG_LIT("left")), 0);
	env_sim_free(e);
}
END_TEST

START_TEST(close_others_in_a_callback) {
	struct env *e = env_sim_new(1);
	struct rec r1 = {.env = e, .close_it = true}, r2 = {.env = e};
	struct rg_addr a = addr("10.0.0.2:1"), b = addr("10.0.0.2:2"), peer = addr("10.0.0.1:1");
	struct env_sock *s1, *s2;

	ck_assert_int_eq(env_udp_open(e, &a, on_sock, &r1, &s1), 0);
	ck_assert_int_eq(env_udp_open(e, &b, on_sock, &r2, &s2), 0);
	r1.also_close = s2;
	ck_assert_int_eq(env_sim_udp_deliver(e, &a, &peer, RG_LIT("x")), 0);
	ck_assert_int_eq(env_sim_udp_deliver(e, &b, &peer, RG_LIT("x")), 0);
	env_sim_turn(e);
	ck_assert_uint_eq(r1.n, 1);
	ck_assert_uint_eq(r2.n, 0);
	ck_assert_int_eq(env_udp_open(e, &b, on_sock, &r2, &s2), 0); // the address is free again
	env_sim_free(e);
}
END_TEST

START_TEST(watch_and_silence) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e};
	int fd = eventfd(0, EFD_NONBLOCK);
	struct env_sock *s;
	uint64_t v = 1;

	ck_assert_int_eq(env_watch_fd(e, fd, on_sock, &r, &s), 0);
	ck_assert_uint_eq(env_sim_turn(e), 0);
	ck_assert_int_eq(write(fd, &v, sizeof(v)), sizeof(v));
	ck_assert_uint_eq(env_sim_turn(e), 1);
	env_sock_want(s, 0);
	ck_assert_uint_eq(env_sim_turn(e), 0);
	env_sock_want(s, ENV_READ);
	ck_assert_uint_eq(env_sim_turn(e), 1);
	ck_assert_int_eq(read(fd, &v, sizeof(v)), sizeof(v));
	ck_assert_uint_eq(env_sim_turn(e), 0);
	env_sock_close(s);
	env_sim_free(e);
	close(fd);
}
END_TEST

START_TEST(stop) {
	struct env *e = env_sim_new(1);

	ck_assert(!env_sim_is_stopped(e));
	env_stop(e);
	ck_assert(env_sim_is_stopped(e));
	env_sim_free(e);
}
END_TEST

START_TEST(settle_catches_a_spin) {
	struct env *e = env_sim_new(1);
	struct rec r = {.env = e};
	struct rg_addr a = addr("10.0.0.2:1");
	struct env_sock *s;

	ck_assert_int_eq(env_udp_open(e, &a, on_sock, &r, &s), 0);
	env_sock_want(s, ENV_WRITE);
	env_sim_settle(e); // aborts
}
END_TEST

int main(void) {
	Suite *s = suite_create("env_sim");
	TCase *tc = tcase_create("sim");
	SRunner *sr = srunner_create(s);
	int n_failed;

	suite_add_tcase(s, tc);
	tcase_add_test(tc, clock_and_timers);
	tcase_add_test(tc, random_by_seed);
	tcase_add_test(tc, work);
	tcase_add_test(tc, files);
	tcase_add_test(tc, connect_and_talk);
	tcase_add_test(tc, hangup_and_reset);
	tcase_add_test(tc, refuse_and_hang);
	tcase_add_test(tc, back_pressure);
	tcase_add_test(tc, listen_and_accept);
	tcase_add_test(tc, told_in_a_later_turn);
	tcase_add_test(tc, stream_keeps_bytes);
	tcase_add_test(tc, listen_unix);
	tcase_add_test(tc, udp);
	tcase_add_test(tc, close_others_in_a_callback);
	tcase_add_test(tc, watch_and_silence);
	tcase_add_test(tc, stop);
	tcase_add_test_raise_signal(tc, settle_catches_a_spin, SIGABRT);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
