// SPDX-License-Identifier: BSD-3-Clause
// Signatures of tokens, off the loop: one takes longer than all else of a grant. What waits in one turn
// goes to the crypto pool in batches; one or two alone are not worth the way there and are signed here.
#include <errno.h>
#include <stdlib.h>

#include "lease/grant.h"
#include "regate/err.h"

#define BATCH 32 // at most: each hand-over wakes a thread, and its end the loop
#define BATCH_FEW 4
#define MAX_BATCHES \
	8 // in the pool at once, so that its threads find the next while the loop is busy
#define ALONE 2
#define RETRY_NS RG_NS_PER_MS // the pool is full of others' work

struct lease_batch {
	struct lease_engine *e;
	unsigned n;
	struct lease_op *ops[BATCH];
};

// A thread of the pool: touches nothing but the ops.
static void run(void *arg) {
	const struct lease_batch *b = arg;

	for (unsigned i = 0; i < b->n; i++) {
		struct lease_op *op = b->ops[i];
		struct rg_wr w = rg_wr(op->token, op->token_room);

		w.len = op->token_len;
		op->rc = op->ask.sign(op->ask.arg, &w);
		if (op->rc == 0 && w.overflow)
			op->rc = RG_E_LIMIT;
		op->token_len = w.len;
	}
}

static void finish(struct lease_engine *e, const struct lease_batch *b) {
	for (unsigned i = 0; i < b->n; i++) {
		struct lease_pair *p = b->ops[i]->pair;

		e->n_commits--;
		p->is_committing = false;
		p->running = NULL;
		if (e->is_dead) {
			lease_op_cancel(b->ops[i]);
			free(p);
			continue;
		}
		lease_op_signed(p, b->ops[i]);
	}
}

static void done(void *arg) {
	struct lease_batch *b = arg;
	struct lease_engine *e = b->e;

	e->n_batches--;
	finish(e, b);
	free(b);
	if (e->is_dead)
		lease_engine_destroy(e);
	else if (e->to_sign != NULL)
		lease_sign_fn(&e->sign_timer, 0);
}

// What waits, shared among the batches that there may be.
static unsigned share(const struct lease_engine *e) {
	unsigned n = e->n_to_sign / MAX_BATCHES;

	return n < BATCH_FEW ? BATCH_FEW : n > BATCH ? BATCH : n;
}

static void take(struct lease_engine *e, struct lease_batch *b, unsigned max) {
	for (b->n = 0; b->n < max && e->to_sign != NULL; b->n++) {
		b->ops[b->n] = e->to_sign;
		e->to_sign = e->to_sign->next;
	}
	if (e->to_sign == NULL)
		e->to_sign_last = &e->to_sign;
	e->n_to_sign -= b->n;
}

static void sign_here(struct lease_engine *e) {
	struct lease_batch b = {.e = e};

	take(e, &b, ALONE);
	run(&b);
	finish(e, &b);
}

// Puts back what the pool did not take.
static void put_back(struct lease_engine *e, struct lease_batch *b) {
	for (unsigned i = b->n; i-- > 0;) {
		b->ops[i]->next = e->to_sign;
		if (e->to_sign == NULL)
			e->to_sign_last = &b->ops[i]->next;
		e->to_sign = b->ops[i];
	}
	e->n_to_sign += b->n;
	free(b);
}

void lease_sign_fn(struct env_timer *t, uint64_t) {
	struct lease_engine *e =
		(struct lease_engine *)((uint8_t *)t - offsetof(struct lease_engine, sign_timer));

	if (e->n_batches == 0 && e->n_to_sign <= ALONE)
		sign_here(e);
	while (e->to_sign != NULL && e->n_batches < MAX_BATCHES) {
		struct lease_batch *b = malloc(sizeof(*b));

		if (b == NULL) {
			sign_here(e);
			continue;
		}
		b->e = e;
		take(e, b, share(e));
		if (env_work_soon(e->env, run, done, b) != 0) {
			put_back(e, b);
			break;
		}
		e->n_batches++;
	}
	if (e->to_sign != NULL && e->n_batches == 0)
		env_timer_set(e->env, t, env_now_ns(e->env) + RETRY_NS);
}

void lease_sign(struct lease_pair *p, struct lease_op *op) {
	struct lease_engine *e = p->e;

	op->pair = p;
	op->next = NULL;
	*e->to_sign_last = op;
	e->to_sign_last = &op->next;
	e->n_to_sign++;
	e->n_commits++;
	p->is_committing = true;
	if (!env_timer_is_set(&e->sign_timer))
		env_timer_set(e->env, &e->sign_timer, env_now_ns(e->env));
}

void lease_sign_stop(struct lease_engine *e) {
	struct lease_op *op;

	env_timer_cancel(e->env, &e->sign_timer);
	while ((op = e->to_sign) != NULL) {
		e->to_sign = op->next;
		e->n_commits--;
		op->pair->is_committing = false;
		op->pair->running = NULL;
		lease_op_cancel(op);
	}
}
