// SPDX-License-Identifier: BSD-3-Clause
// The driver "socket" of regate-bench: sets up its clients, runs what the scenario wants, tells it.
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "env.h"

#define SPARE_FILES 64

static int allow_files(const struct sock *s, char *err, size_t err_len) {
	const rlim_t need = (rlim_t)s->n_conns + SPARE_FILES;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return -errno;
	if (l.rlim_cur >= need)
		return 0;
	l.rlim_cur = need;
	l.rlim_max = l.rlim_max < need ? need : l.rlim_max; // root may
	if (setrlimit(RLIMIT_NOFILE, &l) == 0)
		return 0;
	snprintf(err, err_len,
		 "conns: %u connections need as many open files: allow %lu (ulimit -n, and sysctl "
		 "fs.nr_open)",
		 s->n_conns, (unsigned long)need);
	return -EMFILE;
}

static void use_own_cpu(const struct scenario *sc) {
	int cpus[ENV_MAX_CPUS];
	unsigned n = env_cpus(sc->cpus, cpus);
	cpu_set_t set;

	CPU_ZERO(&set);
	if (n > 0)
		CPU_SET((unsigned)cpus[n - 1], &set);
	if (n > 0)
		(void)sched_setaffinity(0, sizeof(set), &set); // else anywhere
	(void)prctl(PR_SET_TIMERSLACK, 1);
}

static int conns_init(struct sock *s) {
	for (unsigned i = 0; i < N_LISTS; i++)
		s->lists[i] = (struct list){SOCK_NONE, SOCK_NONE};
	s->conns = calloc(s->n_conns, sizeof(*s->conns));
	if (s->conns == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_conns; i++) {
		s->conns[i].fd = -1;
		s->conns[i].ident = i; // those that misbehave have no token
		list_put(s, &s->conns[i], i < s->n_clients ? LIST_OUT : LIST_ATTACK);
	}
	return 0;
}

static int sock_init(struct sock *s, char *err, size_t err_len) {
	const struct scenario *sc = s->sc;
	int rc;

	s->n_clients = sc->conns;
	s->n_conns = sc->conns + sc->misbehaving;
	s->timeout_ns = sc->timeout_s * RG_NS_PER_S;
	s->random = sc->seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	s->has_tickets = sc->kind == KIND_RESUMPTION;
	s->lost.name = "idle";
	if (getrandom(&s->salt, sizeof(s->salt), 0) != sizeof(s->salt))
		s->salt = sock_clock();
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return -errno;
	rc = sock_addr_init(s, err, err_len);
	if (rc == 0)
		rc = allow_files(s, err, err_len);
	if (rc == 0)
		rc = sock_ssl_init(s, err, err_len);
	if (rc == 0)
		rc = conns_init(s);
	return rc == 0 ? sock_idents_init(s, err, err_len) : rc;
}

static void sock_fini(struct sock *s) {
	for (uint32_t i = 0; s->conns != NULL && i < s->n_conns; i++) {
		sock_close(s, &s->conns[i], true);
		SSL_SESSION_free(s->conns[i].session);
	}
	free(s->conns);
	sock_idents_fini(s);
	sock_ssl_fini(s);
	if (s->epoll >= 0)
		(void)close(s->epoll);
}

static int one_run(void *ctx, int run) {
	struct bench *b = ctx;

	return b->plan->run(b, run);
}

static void tell(struct bench *b) {
	const struct sock *s = b->s;

	result_fact(b->r, "address", s->ip);
	if (b->pid > 0)
		result_fact_n(b->r, "target_processes", target_use(b->pid).n);
	if (s->has_tickets)
		result_count(b->r, "resumed", s->n_resumed);
	result_count(b->r, "requests_of_target", s->n_requests);
	if (b->sc->kind != KIND_IDLE)
		result_count(b->r, "pings_answered", s->n_pings);
	if (s->lost.failed > 0)
		tally_tell(&s->lost, b->r);
	if (b->sc->misbehaving > 0)
		tally_tell(&b->attack, b->r);
}

static int run_all(struct bench *b) {
	static const char *const names[] = {"",          "half_handshake", "handshake_flood",
					    "slow_head", "slow_frame",     "no_read",
					    "no_close",  "bad_token",      "replay",
					    "oversize"};
	const struct scenario *sc = b->sc;
	int rc;

	b->attack.name = names[sc->misbehaviour];
	if (sc->misbehaving > 0)
		b->attack.ended = result_hist(b->r, "misbehaviour_ended_after", "ms", 1e-6);
	rc = bench_set_up(b);
	if (rc == 0)
		rc = progress_runs(b->s->progress, sc->warmup, sc->runs, one_run, b);
	tell(b);
	if (rc == 0)
		bench_tear_down(b);
	return rc;
}

static int run(const struct scenario *sc, struct result *r, struct progress *p, char *err,
	       size_t err_len) {
	struct sock *s = calloc(1, sizeof(*s));
	struct bench b = {.s = s,
			  .sc = sc,
			  .r = r,
			  .plan = &sock_plans[sc->kind],
			  .rate = sc->loop == LOOP_OPEN ? sc->rate : 0,
			  .h = calloc(1, sizeof(*b.h))};
	int rc = -ENOMEM;

	*err = '\0';
	if (s != NULL && b.h != NULL) {
		s->sc = sc;
		s->progress = p;
		s->err = err;
		s->err_len = err_len;
		use_own_cpu(sc);
		rc = sock_init(s, err, err_len);
		if (rc == 0)
			rc = run_all(&b);
		sock_fini(s);
	}
	if (rc != 0 && *err == '\0')
		snprintf(err, err_len, "%s", rg_strerror(rc));
	free(b.h);
	free(s);
	return rc;
}

const struct driver driver_socket = {
	.name = "socket",
	.help = "kernel sockets against any SIP-over-WSS server, or one that speaks TLS 1.3",
	.run = run,
};
