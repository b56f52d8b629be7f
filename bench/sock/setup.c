// SPDX-License-Identifier: BSD-3-Clause
// Before and after what is measured: identities from the lease API, tickets, connections that stand.
#include <stdio.h>

#include "bench.h"

#define SET_UP_WINDOW 64

// Each of n clients of LIST_OUT does a job once.
static int do_once(struct bench *b, unsigned job, uint32_t n, struct tally *t) {
	struct stream st = bench_stream(b, job, LIST_OUT, t);

	st.pace = (struct pace){.window = SET_UP_WINDOW < b->sc->window ? SET_UP_WINDOW
									: b->sc->window};
	st.limit = n;
	st.is_limit_done = true;
	return sock_run(b->s, &st, 1, RG_NEVER, true);
}

int bench_open(struct bench *b, uint32_t n) {
	struct tally t = {.name = "set-up"};
	int rc;

	b->s->is_strict = true;
	rc = do_once(b, JOB_OPEN, n, &t);
	b->s->is_strict = false;
	return rc;
}

static bool has_api(const struct bench *b) {
	return b->plan->is_registration &&
	       (b->sc->tokens == TOKENS_ANONYMOUS || b->sc->tokens == TOKENS_ACCOUNT);
}

static int take_tickets(struct bench *b) {
	struct tally t = {.name = "set-up"};
	struct sock *s = b->s;
	uint32_t n = 0;
	int rc = do_once(b, JOB_COLD, s->n_clients, &t);

	for (uint32_t i = 0; i < s->n_clients; i++)
		n += s->conns[i].session != NULL;
	if (rc == 0 && n < s->n_clients) {
		snprintf(s->err, s->err_len,
			 "%s: %u of %u clients were given no session ticket: have the target give "
			 "some",
			 b->sc->target, s->n_clients - n, s->n_clients);
		rc = -EPROTO;
	}
	s->n_resumed = 0;
	return rc;
}

// Memory is read with a tenth of the clients too: the slope between is what one takes.
static int open_in_two(struct bench *b) {
	uint32_t n = b->s->n_clients, tenth = n / 10;
	int rc;

	b->use[0] = target_use(b->pid);
	rc = tenth > 0 ? bench_open(b, tenth) : 0;
	b->use[1] = target_use(b->pid);
	return rc == 0 ? bench_open(b, n - tenth) : rc;
}

int bench_set_up(struct bench *b) {
	struct tally t = {.name = "set-up"};
	struct sock *s = b->s;
	int rc = 0;

	b->pid = target_pid(b->sc, s->err, s->err_len);
	if (b->pid < 0)
		return b->pid;
	s->is_strict = true;
	if (has_api(b)) {
		progress_phase(s->progress, "taking %u leases", s->n_clients);
		rc = do_once(b, JOB_LEASE_TAKE, s->n_clients, &t);
	}
	if (rc == 0 && s->has_tickets) {
		progress_phase(s->progress, "taking %u tickets", s->n_clients);
		rc = take_tickets(b);
	}
	s->is_strict = false;
	if (rc == 0 && b->plan->is_open) {
		progress_phase(s->progress, "registering %u clients", s->n_clients);
		rc = open_in_two(b);
	}
	return rc;
}

void bench_tear_down(struct bench *b) {
	struct tally t = {.name = "tear-down"};
	struct sock *s = b->s;
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_clients; i++) {
		sock_close(s, &s->conns[i], true);
		s->conns[i].retry_ns = 0;
		n += sock_token(s, i).len > 0;
		list_put(s, &s->conns[i], sock_token(s, i).len > 0 ? LIST_OUT : LIST_NONE);
	}
	if (!has_api(b) || n == 0)
		return;
	progress_phase(s->progress, "giving back %u leases", n);
	(void)!do_once(b, JOB_LEASE_GIVE, n, &t); // those that are not will end by themselves
}
