// SPDX-License-Identifier: BSD-3-Clause
// Work off the loop: two threads run what burns CPU (password hashes, signatures). Jobs start in
// order, the short ones first; done() runs on the loop. At most ENV_WORK_MAX jobs exist at once, so nothing here grows.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/env_real.h"

static void push(struct env_jobs *q, struct env_job job) {
	q->job[(q->head + q->n++) % ENV_WORK_MAX] = job;
}

static struct env_job pop(struct env_jobs *q) {
	struct env_job job = q->job[q->head];

	q->head = (q->head + 1) % ENV_WORK_MAX;
	q->n--;
	return job;
}

static void *worker(void *arg) {
	struct env_work_pool *p = arg;
	uint64_t one = 1;
	struct env_job job;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->soon.n == 0 && p->todo.n == 0 && !p->is_stopping)
			pthread_cond_wait(&p->wake, &p->lock);
		if (p->is_stopping)
			break;
		job = pop(p->soon.n > 0 ? &p->soon : &p->todo);
		pthread_mutex_unlock(&p->lock);
		job.run(job.arg);
		pthread_mutex_lock(&p->lock);
		push(&p->done, job);
		if (write(p->wake_fd, &one, sizeof(one)) < 0) {
			// EAGAIN: the counter is full, so the loop is awake already
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

// Signals belong to the control thread: handlers there call env_stop().
static bool start_threads(struct env_work_pool *p) {
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->n_threads < ENV_WORK_THREADS &&
	       pthread_create(&p->threads[p->n_threads], NULL, worker, p) == 0)
		p->n_threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return p->n_threads == ENV_WORK_THREADS;
}

struct env_work_pool *env_work_pool_new(int wake_fd) {
	struct env_work_pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	p->wake_fd = wake_fd;
	if (start_threads(p))
		return p;
	env_work_pool_free(p);
	return NULL;
}

void env_work_pool_free(struct env_work_pool *p) {
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	// Every job is answered, so that its owner can free it.
	env_work_pool_deliver(p);
	while (p->soon.n + p->todo.n > 0) {
		struct env_job job = pop(p->soon.n > 0 ? &p->soon : &p->todo);

		job.done(job.arg);
	}
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

int env_work_pool_add(struct env_work_pool *p, struct env_job job, bool is_first) {
	if (p->n_taken == ENV_WORK_MAX)
		return -EAGAIN;
	p->n_taken++;
	pthread_mutex_lock(&p->lock);
	push(is_first ? &p->soon : &p->todo, job);
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

void env_work_pool_deliver(struct env_work_pool *p) {
	struct env_jobs ready;

	pthread_mutex_lock(&p->lock);
	ready = p->done;
	p->done.n = 0;
	pthread_mutex_unlock(&p->lock);
	while (ready.n > 0) {
		struct env_job job = pop(&ready);

		p->n_taken--;
		job.done(job.arg);
	}
}
