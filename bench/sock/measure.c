// SPDX-License-Identifier: BSD-3-Clause
// What the kinds share: streams as the scenario wants them, and the figures of a run.
#include <stdio.h>
#include <time.h>

#include "bench.h"

#define DEFAULT_S 3 // of a run that has neither duration nor requests
#define REPAIR_WINDOW 64

struct stream bench_stream(const struct bench *b, unsigned job, unsigned list, struct tally *t) {
	return (struct stream){
		.pace = {.rate = b->rate, .window = b->sc->window},
		.list = (uint8_t)list,
		.n_mix = 1,
		.mix = {{(uint8_t)job, 1, t}},
		.limit = b->sc->requests,
	};
}

struct stream bench_repair(const struct bench *b, struct tally *t) {
	struct stream st = bench_stream(b, JOB_OPEN, LIST_OUT, t);

	st.pace = (struct pace){.window = REPAIR_WINDOW};
	st.limit = 0;
	st.is_beside = true;
	return st;
}

struct stream bench_attack(struct bench *b) {
	unsigned job = JOB_HALF_HANDSHAKE + b->sc->misbehaviour - MISBEHAVE_HALF_HANDSHAKE;
	struct stream st = bench_stream(b, job, LIST_ATTACK, &b->attack);

	st.pace = (struct pace){.rate = b->sc->misbehave_rate, .window = b->sc->misbehaving};
	st.limit = 0;
	st.is_beside = true;
	return st;
}

uint64_t bench_duration(const struct bench *b) {
	return (b->sc->duration_s > 0 ? b->sc->duration_s : DEFAULT_S) * RG_NS_PER_S;
}

uint64_t bench_until(const struct bench *b) {
	if (b->sc->duration_s == 0 && b->sc->requests > 0)
		return RG_NEVER;
	return sock_clock() + bench_duration(b);
}

struct tally bench_tally(struct bench *b, const char *name) {
	memset(b->h, 0, sizeof(*b->h));
	return (struct tally){.name = name, .h = b->h};
}

static uint64_t own_cpu_ns(void) {
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * RG_NS_PER_S + (uint64_t)t.tv_nsec;
}

void bench_begin(struct bench *b) {
	char why[256];
	int pid = target_pid(b->sc, why, sizeof(why)); // it may be another one by now
	struct target_use u;

	b->pid = pid < 0 ? 0 : pid;
	u = target_use(b->pid);
	b->cpu_ns = u.cpu_ns;
	b->own_cpu_ns = own_cpu_ns();
	b->idle_ns = b->s->idle_ns;
	b->begin_ns = sock_clock();
}

static double us(uint64_t ns) {
	return (double)ns / 1e3;
}

void bench_tell_latency(struct bench *b, const char *op, const char *suffix, const struct hist *h) {
	char name[48];
	struct hist *all;

	snprintf(name, sizeof(name), "%s_latency%s", op, suffix);
	all = result_hist(b->r, name, "us", 1e-3);
	if (all != NULL)
		hist_merge(all, h);
}

static void tell_costs(struct bench *b, const struct tally *t, uint64_t wall_ns) {
	struct target_use u = target_use(b->pid);
	double wall = (double)wall_ns;

	result_add(b->r, "generator_busy", "1", BETTER_NEITHER,
		   1 - (double)(b->s->idle_ns - b->idle_ns) / wall);
	result_add(b->r, "generator_cpu_share", "1", BETTER_NEITHER,
		   (double)(own_cpu_ns() - b->own_cpu_ns) / wall);
	if (u.n == 0 || t->ok == 0)
		return;
	result_add(b->r, "target_cpu_share", "1", BETTER_NEITHER,
		   (double)(u.cpu_ns - b->cpu_ns) / wall);
	result_add(b->r, "target_cpu_per_operation", "us", BETTER_LOWER,
		   us(u.cpu_ns - b->cpu_ns) / (double)t->ok);
}

static int nothing_done(struct bench *b, const struct tally *t) {
	char text[128] = ": no answer in time";
	const struct sock_end *most = NULL;

	for (unsigned i = 0; i < t->n_ends; i++)
		if (most == NULL || t->ends[i].n > most->n)
			most = &t->ends[i];
	if (most != NULL)
		sock_end_text(most, text, sizeof(text));
	if (*b->s->err != '\0')
		return -EPROTO;
	snprintf(b->s->err, b->s->err_len,
		 "%s: of %lu %s operations none was answered; mostly %s%s", b->sc->target, t->sent,
		 t->name, sock_step_name(most != NULL ? most->step : STEP_END), text);
	return -EPROTO;
}

static int tell_run(struct bench *b, int run, struct tally *t) {
	uint64_t wall_ns = sock_clock() - b->begin_ns;
	uint64_t done_ns = t->last_ns > b->begin_ns ? t->last_ns - b->begin_ns : wall_ns;

	if (run < 0)
		return t->ok == 0 && t->sent > 0 ? nothing_done(b, t) : 0;
	tally_tell(t, b->r);
	result_add(b->r, b->plan->rate, "1/s", BETTER_HIGHER,
		   (double)t->ok / ((double)done_ns / 1e9));
	if (t->h != NULL) {
		result_add(b->r, "latency_p50", "us", BETTER_LOWER, us(hist_quantile(t->h, 0.5)));
		result_add(b->r, "latency_p99", "us", BETTER_LOWER, us(hist_quantile(t->h, 0.99)));
		result_add(b->r, "latency_p99_9", "us", BETTER_LOWER,
			   us(hist_quantile(t->h, 0.999)));
		bench_tell_latency(b, t->name, "", t->h);
	}
	result_add(b->r, "failed_share", "1", BETTER_LOWER,
		   t->sent == 0 ? 0 : (double)t->failed / (double)t->sent);
	tell_costs(b, t, wall_ns);
	return t->ok == 0 ? nothing_done(b, t) : 0;
}

int bench_end(struct bench *b, int run, struct tally *t, int rc) {
	int told;

	if (rc != 0 && t->ok == 0)
		return rc;
	told = tell_run(b, run, t);
	return rc != 0 ? rc : told;
}
