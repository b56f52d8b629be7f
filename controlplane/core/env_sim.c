// SPDX-License-Identifier: BSD-3-Clause
// Simulated environment: clock, randomness, work, files, and the turn. Tests only, one thread.
// Every delivery to the code under test goes through env_sim_turn() and env_sim_sock_turn(), and
// every draw has a seeded stream of its own: there is where faults by seed can be put in.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/env_sim_impl.h"

#define START_NS (1000 * RG_NS_PER_S)        // not 0, so that a forgotten "+ now" shows
#define START_WALL_MS INT64_C(1767225600000) // 2026-01-01T00:00:00Z
#define MAX_TURNS 10000

void *env_sim_alloc(size_t len) {
	void *p = calloc(1, len);

	if (p == NULL)
		abort();
	return p;
}

// splitmix64: a counter through a mixing function.
static uint64_t next_random(uint64_t *state) {
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void sim_random(struct env *e, void *p, size_t len) {
	uint8_t *at = p;

	for (uint64_t v; len > 0; at += 8, len -= len < 8 ? len : 8) {
		v = next_random(&env_sim_of(e)->random);
		memcpy(at, &v, len < 8 ? len : 8);
	}
}

// Runs at once: the pool's threads are not what a simulation is about. done() waits, as always.
static int sim_work(struct env *e, void (*run)(void *arg), void (*done)(void *arg), void *arg,
		    bool) {
	struct env_sim *sim = env_sim_of(e);

	if (sim->n_jobs == SIM_WORK_MAX)
		return -EAGAIN;
	run(arg);
	sim->jobs[sim->n_jobs++] = (struct sim_job){done, arg};
	return 0;
}

static struct sim_file *find_file(const struct env_sim *sim, const char *path) {
	struct sim_file *f = sim->files;

	while (f != NULL && strcmp(f->path, path) != 0)
		f = f->next;
	return f;
}

static int sim_read_file(struct env *e, const char *path, size_t max, uint8_t **data, size_t *len) {
	const struct sim_file *f = find_file(env_sim_of(e), path);

	if (f == NULL)
		return -ENOENT;
	if (f->err != 0)
		return -f->err;
	if (f->len > max)
		return -EFBIG;
	*data = env_sim_alloc(f->len + 1);
	if (f->len > 0)
		memcpy(*data, f->data, f->len);
	*len = f->len;
	return 0;
}

static void sim_stop(struct env *e) {
	env_sim_of(e)->is_stopped = true;
}

static const struct env_ops sim_ops = {
	.random = sim_random,
	.tcp_connect = env_sim_tcp_connect,
	.tcp_listen = env_sim_tcp_listen,
	.udp_open = env_sim_udp_open,
	.unix_listen = env_sim_unix_listen,
	.accept = env_sim_accept_sock,
	.watch_fd = env_sim_watch_fd,
	.work = sim_work,
	.read_file = sim_read_file,
	.stop = sim_stop,
};

struct env *env_sim_new(uint64_t seed) {
	struct env_sim *sim = env_sim_alloc(sizeof(*sim));

	sim->base.ops = &sim_ops;
	sim->base.now_ns = START_NS;
	sim->base.wall_ms = START_WALL_MS;
	sim->random = seed;
	sim->next_port = 40000;
	return &sim->base;
}

static void free_dgrams(struct sim_dgrams *q) {
	struct sim_dgram *d;

	while ((d = sim_dgrams_take(q)) != NULL)
		sim_dgram_free(d);
}

static void free_ends(struct env_sim *sim) {
	struct env_sim_end *end;

	while ((end = sim->ends) != NULL) {
		sim->ends = end->next;
		free(end->to_code.p);
		free(end->to_test.p);
		free(end);
	}
}

static unsigned deliver_work(struct env_sim *sim) {
	struct sim_job jobs[SIM_WORK_MAX];
	unsigned n = sim->n_jobs;

	memcpy(jobs, sim->jobs, n * sizeof(jobs[0]));
	sim->n_jobs = 0;
	for (unsigned i = 0; i < n; i++)
		jobs[i].done(jobs[i].arg);
	return n;
}

void env_sim_free(struct env *e) {
	struct env_sim *sim = env_sim_of(e);
	struct sim_file *f;
	struct sim_rule *r;

	if (e == NULL)
		return;
	deliver_work(sim);
	env_sock_close_all(e);
	env_timers_fini(&e->timers);
	free_ends(sim);
	free_dgrams(&sim->sent);
	while ((f = sim->files) != NULL) {
		sim->files = f->next;
		free(f->path);
		free(f->data);
		free(f);
	}
	while ((r = sim->rules) != NULL) {
		sim->rules = r->next;
		free(r);
	}
	free(sim);
}

unsigned env_sim_turn(struct env *e) {
	struct env_sim *sim = env_sim_of(e);
	unsigned n = deliver_work(sim);

	sim->turn++;
	for (struct env_sock *s = e->first; s != NULL; s = s->next)
		n += env_sim_sock_turn(s);
	n += (unsigned)env_timers_run(&e->timers, e->now_ns);
	env_sock_reap(e);
	return n;
}

void env_sim_settle(struct env *e) {
	for (unsigned i = 0; i < MAX_TURNS; i++)
		if (env_sim_turn(e) == 0)
			return;
	fputs("env_sim_settle: never quiet: ENV_WRITE still wanted, input not read, or a timer "
	      "re-armed for now\n",
	      stderr);
	abort();
}

static void move_clock(struct env *e, uint64_t to_ns) {
	// In whole milliseconds since boot, so that many small steps add up to what one gives.
	e->wall_ms += (int64_t)(to_ns / RG_NS_PER_MS - e->now_ns / RG_NS_PER_MS);
	e->now_ns = to_ns;
}

void env_sim_advance(struct env *e, uint64_t ns) {
	uint64_t end_ns = e->now_ns + ns;
	uint64_t next_ns;

	env_sim_settle(e);
	while ((next_ns = env_timers_next(&e->timers)) <= end_ns) {
		move_clock(e, next_ns);
		env_sim_settle(e);
	}
	move_clock(e, end_ns);
}

uint64_t env_sim_next_ns(const struct env *e) {
	return env_timers_next(&e->timers);
}

void env_sim_pause(struct env *e, uint64_t ns) {
	move_clock(e, e->now_ns + ns);
	env_sim_settle(e);
}

void env_sim_set_now(struct env *e, uint64_t now_ns) {
	move_clock(e, now_ns);
}

void env_sim_set_wall_ms(struct env *e, int64_t wall_ms) {
	e->wall_ms = wall_ms;
}

bool env_sim_is_stopped(const struct env *e) {
	return ((const struct env_sim *)e)->is_stopped;
}

static struct sim_file *put_file(struct env *e, const char *path) {
	struct env_sim *sim = env_sim_of(e);
	struct sim_file *f = find_file(sim, path);

	if (f == NULL) {
		f = env_sim_alloc(sizeof(*f));
		f->path = env_sim_alloc(strlen(path) + 1);
		memcpy(f->path, path, strlen(path));
		f->next = sim->files;
		sim->files = f;
	}
	free(f->data);
	f->data = NULL;
	f->len = 0;
	f->err = 0;
	return f;
}

void env_sim_file(struct env *e, const char *path, struct rg_slice bytes) {
	struct sim_file *f = put_file(e, path);

	f->data = env_sim_alloc(bytes.len + 1);
	f->len = bytes.len;
	if (bytes.len > 0)
		memcpy(f->data, bytes.p, bytes.len);
}

void env_sim_file_error(struct env *e, const char *path, int err) {
	put_file(e, path)->err = err;
}
