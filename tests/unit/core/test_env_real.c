// SPDX-License-Identifier: BSD-3-Clause
// The real loop on loopback: sockets, timers, work, and closing things at awkward moments. Every
// run is bounded by a timer. Threads: no fork.
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/env_impl.h"

#define MS RG_NS_PER_MS

struct rig {
	struct env_timer limit; // first: ends a run that nobody else ended
	struct env *env;
	bool is_late;
	struct env_sock *listener, *server, *client;
	unsigned server_events, client_events; // all seen
	unsigned n_client_calls, n_server_calls;
	char got[256];
	size_t n_got;
	int n_done;
};

static void on_limit(struct env_timer *t, uint64_t) {
	struct rig *r = (struct rig *)t;

	r->is_late = true;
	env_stop(r->env);
}

static void rig_init(struct rig *r) {
	*r = (struct rig){.limit.fn = on_limit, .env = env_real_new()};
	ck_assert_ptr_nonnull(r->env);
}

// True when env_stop() came before the limit.
static bool run(struct rig *r, unsigned limit_ms) {
	r->is_late = false;
	env_timer_set(r->env, &r->limit, env_now_ns(r->env) + limit_ms * MS);
	ck_assert_int_eq(env_real_run(r->env), 0);
	env_timer_cancel(r->env, &r->limit);
	return !r->is_late;
}

static struct rg_addr addr(const char *s) {
	struct rg_addr a;

	ck_assert_int_eq(rg_addr_parse(rg_str(s), &a), 0);
	return a;
}

static void read_all(struct rig *r, struct env_sock *s) {
	ssize_t n;

	while ((n = env_recv(s, r->got + r->n_got, sizeof(r->got) - r->n_got)) > 0)
		r->n_got += (size_t)n;
	if (n == 0)
		env_stop(r->env);
}

static void on_server(void *arg, struct env_sock *s, unsigned events) {
	struct rig *r = arg;

	r->server_events |= events;
	r->n_server_calls++;
	if (events & ENV_READ)
		read_all(r, s);
}

static void on_listener(void *arg, struct env_sock *s, unsigned events) {
	struct rig *r = arg;

	ck_assert_uint_eq(events, ENV_READ);
	ck_assert_int_eq(env_accept(r->env, s, on_server, r, &r->server), 0);
}

static void on_client(void *arg, struct env_sock *s, unsigned events) {
	struct rig *r = arg;

	r->client_events |= events;
	r->n_client_calls++;
	if (events & ENV_WRITE) {
		ck_assert_int_eq(env_sock_error(s), 0);
		ck_assert_int_eq(env_send(s, "hello", 5), 5);
		env_sock_close(s);
		env_sock_close(s); // a second close is nothing
	}
	if (events & ENV_ERROR)
		env_stop(r->env);
}

static void listen_on(struct rig *r, const char *text, struct rg_addr *local) {
	*local = addr(text);
	ck_assert_int_eq(env_tcp_listen(r->env, local, on_listener, r, &r->listener), 0);
	ck_assert_int_eq(env_sock_local(r->listener, local), 0);
	ck_assert_uint_ne(local->port, 0);
}

static const char *const loopbacks[] = {"127.0.0.1:0", "[::1]:0"};

START_TEST(tcp_both_families) {
	struct rg_addr to;
	struct rig r;

	rig_init(&r);
	listen_on(&r, loopbacks[_i], &to);
	ck_assert_int_eq(env_tcp_connect(r.env, &to, NULL, on_client, &r, &r.client), 0);
	ck_assert_uint_eq(r.n_client_calls, 0); // never inside the call
	ck_assert(run(&r, 500));
	ck_assert_uint_eq(r.n_client_calls, 1);
	ck_assert_uint_eq(r.client_events, ENV_WRITE);
	ck_assert_uint_eq(r.n_got, 5);
	ck_assert_mem_eq(r.got, "hello", 5);
	env_sock_close(r.server);
	env_sock_close(NULL);
	env_real_free(r.env); // the listener is still open
}
END_TEST

static void on_connected(void *arg, struct env_sock *, unsigned events) {
	struct rig *r = arg;

	r->client_events |= events;
	r->n_client_calls++;
}

START_TEST(connect_tells_write_once) {
	const struct rg_addr from = addr("127.0.0.1:0");
	struct rg_addr to, local;
	struct rig r;

	rig_init(&r);
	listen_on(&r, "127.0.0.1:0", &to);
	ck_assert_int_eq(env_tcp_connect(r.env, &to, &from, on_connected, &r, &r.client), 0);
	ck_assert(!run(&r, 10));
	ck_assert_uint_eq(r.n_client_calls, 1);
	ck_assert_int_eq(env_sock_local(r.client, &local), 0);
	ck_assert_mem_eq(local.ip, from.ip, sizeof(from.ip));
	env_sock_want(r.client, ENV_READ | ENV_WRITE); // from now on as often as it is true
	run(&r, 5);
	ck_assert_uint_gt(r.n_client_calls, 1);
	env_real_free(r.env);
}
END_TEST

START_TEST(connect_refused) {
	struct rg_addr to;
	struct rig r;

	rig_init(&r);
	listen_on(&r, "127.0.0.1:0", &to);
	env_sock_close(r.listener);
	ck_assert_int_eq(env_tcp_connect(r.env, &to, NULL, on_client, &r, &r.client), 0);
	ck_assert(run(&r, 500));
	ck_assert_uint_eq(r.client_events, ENV_ERROR);
	ck_assert_int_eq(env_sock_error(r.client), -ECONNREFUSED);
	ck_assert_int_eq(env_sock_error(r.client), 0);
	env_real_free(r.env);
}
END_TEST

START_TEST(address_in_use) {
	struct env_sock *s;
	struct rg_addr local;
	struct rig r;

	rig_init(&r);
	listen_on(&r, "127.0.0.1:0", &local);
	ck_assert_int_eq(env_tcp_listen(r.env, &local, on_listener, &r, &s), -EADDRINUSE);
	local = addr("192.0.2.1:1"); // RFC 5737: not ours
	ck_assert_int_eq(env_udp_open(r.env, &local, on_listener, &r, &s), -EADDRNOTAVAIL);
	env_real_free(r.env);
}
END_TEST

static void send_to_gone(void *arg, struct env_sock *s, unsigned events) {
	struct rig *r = arg;
	ssize_t n = 0;

	if (!(events & ENV_WRITE))
		return;
	env_sock_close(r->server);
	r->server = NULL;
	// The first bytes draw the reset; what follows must be an error and no signal.
	for (int i = 0; i < 1000 && (n >= 0 || n == -EAGAIN); i++)
		n = env_send(s, "x", 1);
	ck_assert(n == -EPIPE || n == -ECONNRESET);
	env_stop(r->env);
}

static void on_listener_start_client(void *arg, struct env_sock *s, unsigned events) {
	struct rig *r = arg;

	on_listener(arg, s, events);
	env_sock_want(r->client, ENV_WRITE);
}

static void on_nothing(void *, struct env_sock *, unsigned) {
}

START_TEST(no_sigpipe) {
	struct rg_addr to = addr("127.0.0.1:0");
	struct rig r;

	signal(SIGPIPE, SIG_DFL);
	rig_init(&r);
	ck_assert_int_eq(env_tcp_listen(r.env, &to, on_listener_start_client, &r, &r.listener), 0);
	ck_assert_int_eq(env_sock_local(r.listener, &to), 0);
	ck_assert_int_eq(env_tcp_connect(r.env, &to, NULL, on_nothing, &r, &r.client), 0);
	ck_assert(!run(&r, 5));
	ck_assert_ptr_nonnull(r.server);
	env_sock_close(r.client);
	ck_assert_int_eq(env_tcp_connect(r.env, &to, NULL, send_to_gone, &r, &r.client), 0);
	ck_assert(run(&r, 500));
	env_real_free(r.env);
}
END_TEST

static void close_both(void *arg, struct env_sock *, unsigned) {
	struct rig *r = arg;

	r->n_client_calls++;
	env_sock_close(r->server);
	env_sock_close(r->client);
}

// Two readable sockets in one batch; whoever is told first closes both.
START_TEST(close_with_event_pending) {
	uint64_t one = 1;
	struct rig r;
	int a = eventfd(0, EFD_NONBLOCK), b = eventfd(0, EFD_NONBLOCK);

	rig_init(&r);
	ck_assert_int_eq(env_watch_fd(r.env, a, close_both, &r, &r.server), 0);
	ck_assert_int_eq(env_watch_fd(r.env, b, close_both, &r, &r.client), 0);
	ck_assert_int_eq(write(a, &one, sizeof(one)), sizeof(one));
	ck_assert_int_eq(write(b, &one, sizeof(one)), sizeof(one));
	ck_assert(!run(&r, 5));
	ck_assert_uint_eq(r.n_client_calls, 1);
	ck_assert_ptr_null(r.env->first); // freed within the run, not at the end
	ck_assert_ptr_null(r.env->last);
	ck_assert_int_eq(write(a, &one, sizeof(one)), sizeof(one)); // watched, not closed
	env_real_free(r.env);
	close(a);
	close(b);
}
END_TEST

START_TEST(silence_when_nothing_is_wanted) {
	struct rg_addr to;
	struct rig r;

	rig_init(&r);
	listen_on(&r, "127.0.0.1:0", &to);
	ck_assert_int_eq(env_tcp_connect(r.env, &to, NULL, on_connected, &r, &r.client), 0);
	run(&r, 5);
	env_sock_want(r.client, 0);
	r.n_client_calls = 0;
	env_sock_close(r.server); // the peer hangs up
	run(&r, 5);
	ck_assert_uint_eq(r.n_client_calls, 0);
	env_sock_want(r.client, ENV_READ);
	run(&r, 5);
	ck_assert_uint_gt(r.n_client_calls, 0);
	env_real_free(r.env);
}
END_TEST

static void on_datagram(void *arg, struct env_sock *s, unsigned events) {
	struct rig *r = arg;
	struct rg_addr peer, self;
	ssize_t n;

	ck_assert_uint_eq(events, ENV_READ);
	n = env_recvfrom(s, r->got, sizeof(r->got), &peer);
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(env_sock_local(r->client, &self), 0);
	ck_assert_uint_eq(peer.port, self.port);
	ck_assert_mem_eq(peer.ip, self.ip, sizeof(peer.ip));
	ck_assert_int_eq(env_recvfrom(s, r->got + 4, 8, &peer), -EAGAIN);
	env_stop(r->env);
}

START_TEST(udp_both_families) {
	struct rg_addr local = addr(loopbacks[_i]), to;
	struct rig r;

	rig_init(&r);
	ck_assert_int_eq(env_udp_open(r.env, &local, on_datagram, &r, &r.server), 0);
	ck_assert_int_eq(env_udp_open(r.env, &local, on_nothing, &r, &r.client), 0);
	ck_assert_int_eq(env_sock_local(r.server, &to), 0);
	ck_assert_int_eq(env_sendto(r.client, "ping", 4, &to), 4);
	ck_assert(run(&r, 500));
	ck_assert_mem_eq(r.got, "ping", 4);
	env_real_free(r.env);
}
END_TEST

static void socket_path(char *path) {
	strcpy(path, "/tmp/regate-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	strcat(path, "/s");
}

static void remove_dir(char *path) {
	unlink(path);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(rmdir(path), 0);
}

static int connect_unix(const char *path) {
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sun.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void accept_unix(void *arg, struct env_sock *s, unsigned) {
	struct rig *r = arg;
	struct rg_addr a;

	ck_assert_int_eq(env_accept(r->env, s, on_server, r, &r->server), 0);
	ck_assert_int_eq(env_accept(r->env, s, on_server, r, &r->server), -EAGAIN);
	ck_assert_int_eq(env_sock_local(s, &a), -EAFNOSUPPORT);
}

START_TEST(unix_mode_and_data) {
	mode_t old = umask(077);
	char path[64];
	struct stat st;
	struct rig r;
	int fd;

	rig_init(&r);
	socket_path(path);
	ck_assert_int_eq(env_unix_listen(r.env, path, 0660, accept_unix, &r, &r.listener), 0);
	umask(old);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	fd = connect_unix(path);
	ck_assert_int_eq(write(fd, "abc", 3), 3);
	close(fd);
	ck_assert(run(&r, 500));
	ck_assert_mem_eq(r.got, "abc", 3);
	env_sock_close(r.listener);
	ck_assert_int_ne(stat(path, &st), 0); // removed with the listener
	env_real_free(r.env);
	remove_dir(path);
}
END_TEST

START_TEST(unix_live_stale_and_file) {
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct env_sock *other;
	char path[64];
	struct rig r;
	FILE *f;
	int fd;

	rig_init(&r);
	socket_path(path);
	strcpy(sun.sun_path, path);
	ck_assert_int_eq(env_unix_listen(r.env, path, 0600, on_nothing, &r, &r.listener), 0);
	ck_assert_int_eq(env_unix_listen(r.env, path, 0600, on_nothing, &r, &other), -EADDRINUSE);
	env_sock_close(r.listener);
	// Left behind by a process that was killed: bound, nobody listens.
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	ck_assert_int_eq(env_unix_listen(r.env, path, 0600, on_nothing, &r, &r.listener), 0);
	close(connect_unix(path));
	env_sock_close(r.listener);
	f = fopen(path, "w");
	fclose(f);
	ck_assert_int_eq(env_unix_listen(r.env, path, 0600, on_nothing, &r, &other), -EADDRINUSE);
	ck_assert_int_eq(access(path, F_OK), 0);
	env_real_free(r.env);
	remove_dir(path);
}
END_TEST

START_TEST(unix_path_too_long) {
	struct env_sock *s;
	char path[200];
	struct rig r;

	rig_init(&r);
	memset(path, 'x', sizeof(path));
	path[108] = '\0'; // sun_path has no room for the NUL
	ck_assert_int_eq(env_unix_listen(r.env, path, 0600, on_nothing, &r, &s), -ENAMETOOLONG);
	ck_assert_int_eq(env_unix_listen(r.env, "", 0600, on_nothing, &r, &s), -ENAMETOOLONG);
	env_real_free(r.env);
}
END_TEST

struct job {
	struct rig *rig;
	pthread_t ran_in;
	bool has_run;
};

static void job_run(void *arg) {
	struct job *j = arg;

	j->ran_in = pthread_self();
	j->has_run = true;
}

static void job_done(void *arg) {
	struct job *j = arg;

	ck_assert(j->has_run);
	ck_assert(!pthread_equal(j->ran_in, pthread_self()));
	if (++j->rig->n_done % 64 == 0)
		env_stop(j->rig->env);
}

START_TEST(work_comes_back) {
	struct job jobs[65];
	struct rig r;

	rig_init(&r);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 65; i++) {
			jobs[i] = (struct job){.rig = &r};
			ck_assert_int_eq(env_work(r.env, job_run, job_done, &jobs[i]),
					 i < 64 ? 0 : -EAGAIN);
		}
		ck_assert_int_eq(r.n_done, 64 * round); // never inside the call
		ck_assert(run(&r, 500));
		ck_assert_int_eq(r.n_done, 64 * (round + 1));
	}
	ck_assert_int_eq(env_work(r.env, job_run, job_done, &jobs[0]), 0);
	ck_assert_int_eq(env_work(r.env, job_run, job_done, &jobs[1]), 0);
	ck_assert_int_eq(env_work(r.env, job_run, job_done, &jobs[2]), 0);
	env_real_free(r.env); // with work under way: its owner is told, so that it can free it
	ck_assert_int_eq(r.n_done, 3 * 64 + 3);
}
END_TEST

struct tick {
	struct env_timer t; // first
	struct rig *rig;
	uint64_t due_ns;
	unsigned n;
};

static void on_tick(struct env_timer *t, uint64_t now_ns) {
	struct tick *k = (struct tick *)t;

	ck_assert_uint_ge(now_ns, k->due_ns);
	ck_assert_uint_eq(now_ns, env_now_ns(k->rig->env));
	k->due_ns = now_ns + MS;
	if (++k->n == 5)
		env_stop(k->rig->env);
	else
		env_timer_set(k->rig->env, t, k->due_ns);
}

START_TEST(timers_tick) {
	struct tick k = {.t.fn = on_tick};
	struct rig r;
	int64_t wall_ms;

	rig_init(&r);
	k.rig = &r;
	wall_ms = env_wall_ms(r.env);
	ck_assert_int_gt(wall_ms, INT64_C(1700000000000));
	env_timer_set(r.env, &k.t, 0); // in the past: now
	ck_assert(run(&r, 500));
	ck_assert_uint_eq(k.n, 5);
	ck_assert_int_ge(env_wall_ms(r.env), wall_ms);
	env_real_free(r.env);
}
END_TEST

static void on_stop(struct env_timer *t, uint64_t) {
	env_stop(((struct tick *)t)->rig->env);
}

static void set_sooner(void *arg, struct env_sock *s, unsigned) {
	struct tick *k = arg;

	env_sock_close(s);
	env_timer_set(k->rig->env, &k->t, env_now_ns(k->rig->env) + MS);
}

// While the loop is set to wake for a later timer.
START_TEST(a_sooner_timer) {
	struct tick k = {.t.fn = on_stop};
	struct env_sock *s;
	uint64_t one = 1;
	struct rig r;
	int fd = eventfd(0, EFD_NONBLOCK);

	rig_init(&r);
	k.rig = &r;
	ck_assert_int_eq(env_watch_fd(r.env, fd, set_sooner, &k, &s), 0);
	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
	ck_assert(run(&r, 500));
	env_real_free(r.env);
	close(fd);
}
END_TEST

static struct env *signalled; // a signal handler has no argument

static void on_signal(int) {
	env_stop(signalled);
}

static void on_raise(struct env_timer *, uint64_t) {
	raise(SIGUSR1);
}

START_TEST(stop_from_a_signal_handler) {
	struct env_timer t = {.fn = on_raise};
	struct rig r;

	rig_init(&r);
	signalled = r.env;
	signal(SIGUSR1, on_signal);
	env_timer_set(r.env, &t, 0);
	ck_assert(run(&r, 500));
	env_stop(r.env); // before the run: it ends at once
	ck_assert(run(&r, 500));
	signal(SIGUSR1, SIG_DFL);
	env_real_free(r.env);
}
END_TEST

START_TEST(random_is_random) {
	uint8_t a[300] = {0}, b[300] = {0};
	struct rig r;

	rig_init(&r);
	env_random(r.env, a, sizeof(a));
	env_random(r.env, b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert_mem_ne(a + 284, b + 284, 16);
	env_real_free(r.env);
	env_real_free(NULL);
}
END_TEST

int main(void) {
	Suite *s = suite_create("env_real");
	TCase *tc = tcase_create("loop");
	SRunner *sr = srunner_create(s);
	int n_failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, tcp_both_families, 0, 2);
	tcase_add_test(tc, connect_tells_write_once);
	tcase_add_test(tc, connect_refused);
	tcase_add_test(tc, address_in_use);
	tcase_add_test(tc, no_sigpipe);
	tcase_add_test(tc, close_with_event_pending);
	tcase_add_test(tc, silence_when_nothing_is_wanted);
	tcase_add_loop_test(tc, udp_both_families, 0, 2);
	tcase_add_test(tc, unix_mode_and_data);
	tcase_add_test(tc, unix_live_stale_and_file);
	tcase_add_test(tc, unix_path_too_long);
	tcase_add_test(tc, work_comes_back);
	tcase_add_test(tc, timers_tick);
	tcase_add_test(tc, a_sooner_timer);
	tcase_add_test(tc, stop_from_a_signal_handler);
	tcase_add_test(tc, random_is_random);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
