// SPDX-License-Identifier: BSD-3-Clause
// The loop of the generator's thread: begins what is due, waits, hands out events. It spins while the
// next job is near, and tells how long it had nothing to do.
#include <math.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

#include "sock_int.h"

#define SPIN_NS (50 * RG_NS_PER_US)
#define NAP_NS (50 * RG_NS_PER_MS) // at most: somebody may want the end
#define RETRY_NAP_NS (5 * RG_NS_PER_MS)
#define N_EVENTS 256
#define N_BEGIN 64 // jobs begun before events are looked at again

uint64_t sock_clock(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * RG_NS_PER_S + (uint64_t)t.tv_nsec;
}

void pace_step(struct pace *p, uint64_t *random) {
	double u = ((double)(pace_random(random) >> 11) + 0.5) * 0x1p-53;

	p->next_ns += (uint64_t)(-log(u) / p->rate * 1e9);
}

void list_put(struct sock *s, struct conn *c, unsigned list) {
	struct list *from = &s->lists[c->list], *to = &s->lists[list];
	uint32_t i = sock_index(s, c);

	if (c->list != LIST_NONE) {
		*(c->prev == SOCK_NONE ? &from->head : &s->conns[c->prev].next) = c->next;
		*(c->next == SOCK_NONE ? &from->tail : &s->conns[c->next].prev) = c->prev;
	}
	c->list = (uint8_t)list;
	if (list == LIST_NONE)
		return;
	c->prev = to->tail;
	c->next = SOCK_NONE;
	*(to->tail == SOCK_NONE ? &to->head : &s->conns[to->tail].next) = i;
	to->tail = i;
}

// The first of a list that may try; those that failed a moment ago go to its end.
static struct conn *take(struct sock *s, unsigned list) {
	for (unsigned i = 0; i < 8; i++) {
		struct conn *c;

		if (s->lists[list].head == SOCK_NONE)
			return NULL;
		c = &s->conns[s->lists[list].head];
		if (c->retry_ns <= s->now_ns)
			return c;
		list_put(s, c, list);
	}
	return NULL;
}

static bool is_at_limit(const struct stream *st) {
	if (st->limit == 0)
		return false;
	return st->is_limit_done ? st->done + st->n_busy >= st->limit : st->begun >= st->limit;
}

static bool is_due(const struct sock *s, const struct stream *st) {
	return st->pace.rate > 0 ? st->pace.next_ns <= s->now_ns : st->n_busy < st->pace.window;
}

static unsigned pick(struct sock *s, const struct stream *st) {
	double u = (double)(pace_random(&s->random) >> 11) * 0x1p-53;
	unsigned i = 0;

	for (; i + 1 < st->n_mix && u >= st->mix[i].share; i++)
		u -= st->mix[i].share;
	return i;
}

// Begins what is due of one stream.
static void begin(struct sock *s, struct stream *st) {
	for (unsigned i = 0; i < N_BEGIN && is_due(s, st) && !is_at_limit(st); i++) {
		uint64_t due_ns = st->due_ns != 0 ? st->due_ns : s->now_ns;
		struct conn *c = take(s, st->list);

		if (st->is_dropping && (c == NULL || st->n_busy >= st->pace.window)) {
			pace_step(&st->pace, &s->random);
			st->n_dropped++;
			continue;
		}
		if (c == NULL)
			return;
		if (st->pace.rate > 0) {
			due_ns = st->pace.next_ns;
			pace_step(&st->pace, &s->random);
		}
		sock_begin(s, c, st, st->n_mix > 1 ? pick(s, st) : 0, due_ns);
		s->now_ns = sock_clock();
	}
}

static uint64_t least(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

// When something has to be done that no event tells of.
static uint64_t wake_at(const struct sock *s, const struct stream *streams, unsigned n,
			bool is_over, uint64_t until_ns) {
	uint64_t at = least(s->now_ns + NAP_NS, is_over ? RG_NEVER : until_ns);

	if (s->lists[LIST_TIMED].head != SOCK_NONE)
		at = least(at, s->conns[s->lists[LIST_TIMED].head].step_ns + s->timeout_ns);
	for (unsigned i = 0; i < n && !is_over; i++) {
		const struct stream *st = &streams[i];

		if (is_at_limit(st) || s->lists[st->list].head == SOCK_NONE)
			continue;
		if (st->pace.rate > 0 && st->pace.next_ns > s->now_ns)
			at = least(at, st->pace.next_ns);
		else if (is_due(s, st)) // all that could are waiting for their next try
			at = least(at, s->now_ns + RETRY_NAP_NS);
	}
	return s->n_conns > s->n_clients ? least(at, s->drip_ns) : at;
}

static void wait_events(struct sock *s, uint64_t at) {
	struct epoll_event events[N_EVENTS];
	uint64_t before = sock_clock();
	uint64_t left = at > before + SPIN_NS ? at - before - SPIN_NS / 2 : 0;
	const struct timespec ts = {.tv_sec = (time_t)(left / RG_NS_PER_S),
				    .tv_nsec = (long)(left % RG_NS_PER_S)};
	int n = epoll_pwait2(s->epoll, events, N_EVENTS, &ts, NULL);

	s->now_ns = sock_clock();
	if (left > 0 || n <= 0)
		s->idle_ns += s->now_ns - before;
	for (int i = 0; i < n; i++) {
		struct conn *c = &s->conns[(uint32_t)events[i].data.u64];

		if (c->serial == (uint32_t)(events[i].data.u64 >> 32))
			sock_event(s, c, events[i].events);
	}
}

// Over: what is under way is waited for, of all streams: they are gone afterwards.
static bool is_done(const struct sock *s, const struct stream *streams, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		if (!streams[i].is_beside && !is_at_limit(&streams[i]))
			return false;
	return n > 0 && s->n_busy == 0;
}

// Somebody waits for a stream, but nobody is left who could do what is due, or will come.
static bool is_stuck(const struct sock *s, const struct stream *streams, unsigned n) {
	bool is_some = false, is_waited_for = false;

	for (unsigned i = 0; i < n; i++) {
		is_waited_for |= !streams[i].is_beside;
		is_some |= !is_at_limit(&streams[i]) && s->lists[streams[i].list].head != SOCK_NONE;
	}
	return is_waited_for && s->n_busy == 0 && !is_some;
}

int sock_run(struct sock *s, struct stream *streams, unsigned n, uint64_t until_ns,
	     bool is_drained) {
	struct sock_end *most = s->lost.ends;
	char text[128] = "";
	bool is_over = false;

	s->now_ns = sock_clock();
	for (unsigned i = 0; i < n; i++)
		if (streams[i].pace.rate > 0 && streams[i].pace.next_ns == 0) {
			streams[i].pace.next_ns = s->now_ns;
			pace_step(&streams[i].pace, &s->random);
		}
	for (;;) {
		is_over = is_over || s->now_ns >= until_ns;
		for (unsigned i = 0; i < n && !is_over; i++)
			begin(s, &streams[i]);
		sock_expire(s);
		if (s->n_conns > s->n_clients)
			sock_drip(s);
		if (*s->err != '\0')
			return -EPROTO;
		if (progress_is_stopped())
			return -ECANCELED;
		if (is_over ? !is_drained || s->n_busy == 0 : is_done(s, streams, n))
			return 0;
		if (!is_over && is_stuck(s, streams, n)) {
			if (s->lost.n_ends > 0)
				sock_end_text(most, text, sizeof(text));
			snprintf(s->err, s->err_len, "%s: no connection is left%s%s", s->sc->target,
				 *text == '\0' ? "" : "; the first one:", text);
			return -ENOTCONN;
		}
		wait_events(s, wake_at(s, streams, n, is_over, until_ns));
		progress_draw(s->progress);
	}
}

void sock_attack_stop(struct sock *s, struct tally *t) {
	for (uint32_t i = s->n_clients; i < s->n_conns; i++) {
		struct conn *c = &s->conns[i];
		struct sock_end end = {.step = c->step};

		if (c->job != JOB_NONE) {
			tally_end(t, &end);
			c->stream->n_busy--;
		}
		sock_close(s, c, true);
		c->job = JOB_NONE;
		c->step = STEP_END;
		c->retry_ns = 0;
		list_put(s, c, LIST_ATTACK);
	}
}
