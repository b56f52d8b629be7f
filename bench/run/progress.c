// SPDX-License-Identifier: BSD-3-Clause
// The line on stderr, and the signal that ends a run early.
#include "progress.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#define DRAW_NS 200000000u
#define NS_PER_S 1000000000u

// A signal handler has nothing else to write to.
static volatile sig_atomic_t is_stopped;

static uint64_t now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void on_signal([[maybe_unused]] int sig) {
	is_stopped = 1;
}

bool progress_is_stopped(void) {
	return is_stopped != 0;
}

void progress_init(struct progress *p, FILE *out) {
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	*p = (struct progress){.out = out, .is_tty = out != NULL && isatty(fileno(out)) == 1};
	pthread_mutex_init(&p->lock, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN); // a target that goes is told, and does not end us
}

void progress_fini(struct progress *p) {
	if (p->is_tty)
		fputs("\r\033[K", p->out);
	pthread_mutex_destroy(&p->lock);
}

// Seconds left, from the share of all steps that is done; negative: nobody knows yet.
static double left_s(const struct progress *p, double share) {
	double done = (double)p->step + share;
	double spent_s = (double)(now_ns() - p->begin_ns) / NS_PER_S;

	return p->n_steps == 0 || done <= 0 ? -1 : spent_s * (p->n_steps - done) / done;
}

static void draw(struct progress *p) {
	uint64_t of = atomic_load_explicit(&p->of, memory_order_relaxed);
	uint64_t done = atomic_load_explicit(&p->done, memory_order_relaxed);
	double share = of == 0 ? 0 : done > of ? 1 : (double)done / (double)of;
	double left = left_s(p, share);

	p->drawn_ns = now_ns();
	fprintf(p->out, "\r\033[K%s", p->doing);
	if (of > 0)
		fprintf(p->out, "  %3.0f %%", share * 100);
	if (left >= 0)
		fprintf(p->out, "  %.0f s left", left);
	fflush(p->out);
}

void progress_phase(struct progress *p, const char *fmt, ...) {
	va_list ap;

	if (p->out == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	va_start(ap, fmt);
	vsnprintf(p->doing, sizeof(p->doing), fmt, ap);
	va_end(ap);
	progress_at(p, 0, 0);
	if (p->is_tty)
		draw(p);
	else
		fprintf(p->out, "%s\n", p->doing);
	pthread_mutex_unlock(&p->lock);
}

void progress_draw(struct progress *p) {
	if (!p->is_tty)
		return;
	pthread_mutex_lock(&p->lock);
	if (now_ns() - p->drawn_ns >= DRAW_NS)
		draw(p);
	pthread_mutex_unlock(&p->lock);
}

int progress_runs(struct progress *p, unsigned n_warmups, unsigned n_runs,
		  int (*one)(void *ctx, int run), void *ctx) {
	int rc = 0;

	p->n_steps = n_warmups + n_runs;
	p->begin_ns = now_ns();
	for (p->step = 0; rc == 0 && p->step < p->n_steps; p->step++) {
		int run = p->step < n_warmups ? -1 : (int)(p->step - n_warmups);

		if (progress_is_stopped())
			return -ECANCELED;
		if (run < 0)
			progress_phase(p, "warm-up %u of %u", p->step + 1, n_warmups);
		else
			progress_phase(p, "run %d of %u", run + 1, n_runs);
		rc = one(ctx, run);
	}
	return rc;
}
